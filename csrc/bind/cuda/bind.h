// What every CUDA binding needs: registration, array checks, the choice of dtype. No mathematics.
//
// Arrays are anything that speaks DLPack from a CUDA device (CuPy's). Names and order of arguments are those of
// bind/cpu, with the stream behind them.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <string>

#include "support/stream.h"

namespace lamina::bind {

namespace nb = nanobind;
using cuda::Stream;
using In = nb::ndarray<nb::ro, nb::device::cuda, nb::c_contig>;  // a kernel reads it
using Out = nb::ndarray<nb::device::cuda, nb::c_contig>;         // a kernel writes it

/// `static const Registration r([](nb::module_& m) { m.def(...); });` in a binding's file adds it to the module.
struct Registration {
  using Function = void (*)(nb::module_&);
  explicit Registration(Function f) : function(f), next(head()) { head() = this; }
  static Registration*& head() {
    static Registration* value = nullptr;
    return value;
  }
  Function function;
  Registration* next;
};

template <class T, class Array>
auto* checked(const Array& a, size_t size) {
  if (a.dtype() != nb::dtype<T>()) throw nb::type_error("array has the wrong dtype");
  if (a.size() != size)
    throw nb::value_error(
        ("array has " + std::to_string(a.size()) + " elements, expected " + std::to_string(size)).c_str());
  return a.data();
}
/// The data of an array, after checks of dtype and number of elements.
template <class T>
const T* in(const In& a, size_t size) {
  return static_cast<const T*>(checked<T>(a, size));
}
template <class T>
T* out(const Out& a, size_t size) {
  return static_cast<T*>(checked<T>(a, size));
}

/// The number of a stream, as cupy.cuda.Stream.ptr gives it; 0: the default stream.
inline Stream stream_of(uintptr_t number) { return reinterpret_cast<Stream>(number); }

/// f(T{}) for the dtype of `like`, without the GIL.
template <class F>
void launch(const In& like, F&& f) {
  const bool is_float = like.dtype() == nb::dtype<float>();
  if (!is_float && like.dtype() != nb::dtype<double>()) throw nb::type_error("expected float32 or float64");
  nb::gil_scoped_release release;
  is_float ? f(float{}) : f(double{});
}

}  // namespace lamina::bind
