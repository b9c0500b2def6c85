// What every CUDA binding needs: registration, array checks, the choice of dtype. No mathematics.
//
// Arrays are anything that speaks DLPack from a CUDA device (CuPy's); in the emulated module they are NumPy's. Names
// and order of arguments are those of bind/cpu, with the stream behind them. What an array holds cannot be looked at
// here: where the CPU's binding checks indices, a kernel must leave alone what they should not reach.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ops/activation.h"
#include "support/narrow.h"
#include "support/shape.h"
#include "support/stream.h"

namespace nanobind::detail {

template <>
struct dtype_traits<lamina::Float16> {
  static constexpr dlpack::dtype value{uint8_t(dlpack::dtype_code::Float), 16, 1};
  static constexpr auto name = const_name("float16");
};
template <>
struct dtype_traits<lamina::BFloat16> {
  static constexpr dlpack::dtype value{uint8_t(dlpack::dtype_code::Bfloat), 16, 1};
  static constexpr auto name = const_name("bfloat16");
};

}  // namespace nanobind::detail

namespace lamina::bind {

namespace nb = nanobind;
using cuda::Stream;
#ifdef LAMINA_EMULATOR
using Device = nb::device::cpu;
#else
using Device = nb::device::cuda;
#endif
using In = nb::ndarray<nb::ro, Device, nb::c_contig>;  // a kernel reads it
using Out = nb::ndarray<Device, nb::c_contig>;         // a kernel writes it
using OptionalIn = std::optional<In>;                  // or None
using OptionalOut = std::optional<Out>;

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

/// The name of an argument that is an array: no copy is made of it. Where None will do: `array("bias").none()`, and
/// with a default `array("bias") = nb::none()`.
inline auto array(const char* name) { return nb::arg(name).noconvert(); }

/// Whether a dtype is T's. NumPy's arrays have no bfloat16 that they would hand on: in the emulator uint16 stands for
/// it.
template <class T>
bool holds(nb::dlpack::dtype type) {
#ifdef LAMINA_EMULATOR
  if (std::is_same_v<T, BFloat16>) return type == nb::dtype<uint16_t>();
#endif
  return type == nb::dtype<T>();
}

template <class T, class Array>
auto* checked(const Array& a, size_t size) {
  if (!holds<T>(a.dtype())) throw nb::type_error("array has the wrong dtype");
  if (a.size() != size)
    throw nb::value_error(
        ("array has " + std::to_string(a.size()) + " elements, expected " + std::to_string(size)).c_str());
  return a.data();
}
/// The data of an array, after checks of dtype and number of elements; null for None.
template <class T>
const T* in(const In& a, size_t size) {
  return static_cast<const T*>(checked<T>(a, size));
}
template <class T>
T* out(const Out& a, size_t size) {
  return static_cast<T*>(checked<T>(a, size));
}
template <class T>
const T* in(const OptionalIn& a, size_t size) {
  return a ? in<T>(*a, size) : nullptr;
}
template <class T>
T* out(const OptionalOut& a, size_t size) {
  return a ? out<T>(*a, size) : nullptr;
}

/// The arrays of a list; None is allowed among them where A is an optional.
template <class A>
std::vector<A> arrays_of(const nb::list& list) {
  std::vector<A> arrays;
  arrays.reserve(list.size());
  for (const nb::handle item : list) arrays.push_back(nb::cast<A>(item));
  return arrays;
}

inline int64_t size_of(const In& a, int axis, const char* what) {
  if (axis < 0 || axis >= int(a.ndim())) throw nb::value_error((std::string(what) + ": too few dimensions").c_str());
  return int64_t(a.shape(size_t(axis)));
}
inline int64_t size_of(const Out& a, int axis, const char* what) {
  if (axis < 0 || axis >= int(a.ndim())) throw nb::value_error((std::string(what) + ": too few dimensions").c_str());
  return int64_t(a.shape(size_t(axis)));
}

inline Activation activation_of(int number) {
  if (number < 0 || number > int(Activation::tanh)) throw nb::value_error("unknown activation number");
  return Activation(number);
}

/// The number of a stream, as cupy.cuda.Stream.ptr gives it; 0: the default stream.
inline Stream stream_of(uintptr_t number) { return reinterpret_cast<Stream>(number); }

/// f(T{}) for the dtype of `like`, float32 or float64, without the GIL.
template <class Array, class F>
void launch(const Array& like, F&& f) {
  const bool is_float = holds<float>(like.dtype());
  if (!is_float && !holds<double>(like.dtype())) throw nb::type_error("expected float32 or float64");
  nb::gil_scoped_release release;
  is_float ? f(float{}) : f(double{});
}

/// The same with float16 and bfloat16 beside them; takes_sixteen_bits tells Python of it.
template <class Array, class F>
void launch_any(const Array& like, F&& f) {
  const bool half = holds<Float16>(like.dtype());
  if (!half && !holds<BFloat16>(like.dtype())) return launch(like, f);
  nb::gil_scoped_release release;
  half ? f(Float16{}) : f(BFloat16{});
}

/// launch and launch_any as arguments, for what defines kernels of both kinds.
struct FullWidth {
  template <class F>
  void operator()(const In& like, F&& f) const {
    launch(like, f);
  }
};
struct AnyWidth {
  template <class F>
  void operator()(const In& like, F&& f) const {
    launch_any(like, f);
  }
};

/// The kernels that take arrays of float16 and bfloat16, and which of their arrays are float32 all the same.
inline std::map<std::string, std::vector<std::string>>& sixteen_bit_kernels() {
  static std::map<std::string, std::vector<std::string>> kernels;
  return kernels;
}
/// Beside the definition of kernels that launch_any starts.
inline void takes_sixteen_bits(std::initializer_list<const char*> names, std::initializer_list<const char*> wide = {}) {
  for (const char* name : names) sixteen_bit_kernels()[name] = {wide.begin(), wide.end()};
}
inline nb::dict sixteen_bit() {
  nb::dict all;
  for (const auto& [name, wide] : sixteen_bit_kernels()) {
    nb::list arrays;
    for (const std::string& array : wide) arrays.append(array);
    all[name.c_str()] = nb::tuple(arrays);
  }
  return all;
}

/// All kernels, into the module.
inline void define_kernels(nb::module_& m) {
  for (auto* r = Registration::head(); r; r = r->next) r->function(m);
  m.def("sixteen_bit", &sixteen_bit,
        "The kernels that take arrays of float16 and bfloat16: by name, which of their arrays are float32 all the "
        "same (parameters, statistics, sums). All others of floating point have one dtype.");
}

}  // namespace lamina::bind
