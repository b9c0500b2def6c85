// What every binding needs: registration, array checks, the choice of dtype and ISA. No mathematics.
//
// `const py::array&` parameters and one look at the flags are three times cheaper a call than py::array_t.
// The Python ops check what users pass; these checks guard memory.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "cpu/runtime/isa.h"
#include "ops/activation.h"
#include "support/shape.h"

namespace lamina::bind {

namespace py = pybind11;

/// `static const Registration r([](py::module_& m) { m.def(...); });` in a binding's file adds it to the
/// module.
struct Registration {
  using Function = void (*)(py::module_&);
  explicit Registration(Function f) : function(f), next(head()) { head() = this; }
  static Registration*& head() {
    static Registration* value = nullptr;
    return value;
  }
  Function function;
  Registration* next;
};

template <class T>
constexpr int type_number() {
  if constexpr (std::is_same_v<T, float>) return py::detail::npy_api::NPY_FLOAT_;
  if constexpr (std::is_same_v<T, double>) return py::detail::npy_api::NPY_DOUBLE_;
  if constexpr (std::is_same_v<T, uint8_t>) return py::detail::npy_api::NPY_UBYTE_;
  if constexpr (std::is_same_v<T, uint32_t>) return py::detail::npy_api::NPY_UINT_;
  if constexpr (std::is_same_v<T, int32_t>) return py::detail::npy_api::NPY_INT_;
  if constexpr (std::is_same_v<T, int64_t>) return py::detail::npy_api::NPY_LONG_;
}

inline int type_of(const py::array& a) {
  return py::detail::array_descriptor_proxy(py::detail::array_proxy(a.ptr())->descr)->type_num;
}

/// Whether an array of NumPy's dtype `number` holds T. C's long and long long are both 64 bits, and dtypes of their
/// own.
template <class T>
constexpr bool holds(int number) {
  if constexpr (std::is_same_v<T, int64_t>)
    if (number == py::detail::npy_api::NPY_LONGLONG_) return true;
  return number == type_number<T>();
}

/// Not inlined, like `is_array`: a copy for every array of every kernel takes a fifth of the bindings' time to compile.
template <class T>
[[gnu::noinline]] T* checked(py::handle a, int64_t size, int flags) {
  const auto* p = py::detail::array_proxy(a.ptr());
  const auto* descr = py::detail::array_descriptor_proxy(p->descr);
  if (!holds<T>(descr->type_num) || descr->byteorder == '>') throw py::type_error("array has the wrong dtype");
  if ((p->flags & flags) != flags) throw py::value_error("array must be C-contiguous, aligned and writable if written");
  int64_t elements = 1;
  for (int i = 0; i < p->nd; ++i) elements *= p->dimensions[i];
  if (elements != size)
    throw py::value_error("array has " + std::to_string(elements) + " elements, expected " + std::to_string(size));
  return reinterpret_cast<T*>(p->data);
}
constexpr int READ = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;

/// The data of an array that a kernel reads, or writes, after checks of dtype, layout and number of elements.
template <class T>
const T* in(const py::array& a, int64_t size) {
  return checked<T>(a, size, READ);
}
template <class T>
T* out(const py::array& a, int64_t size) {
  return checked<T>(a, size, READ | py::detail::npy_api::NPY_ARRAY_WRITEABLE_);
}
/// The same for an array or None. No reference is taken, so that it may be called without the GIL.
[[gnu::noinline]] inline bool is_array(const py::object& a) {
  if (a.is_none()) return false;
  if (!py::isinstance<py::array>(a)) throw py::type_error("expected an array or None");
  return true;
}
template <class T>
const T* in(const py::object& a, int64_t size) {
  return is_array(a) ? checked<T>(a, size, READ) : nullptr;
}
template <class T>
T* out(const py::object& a, int64_t size) {
  return is_array(a) ? checked<T>(a, size, READ | py::detail::npy_api::NPY_ARRAY_WRITEABLE_) : nullptr;
}

inline int64_t size_of(const py::array& a, int axis, const char* what) {
  if (axis < 0 || axis >= a.ndim()) throw py::value_error(std::string(what) + ": too few dimensions");
  return a.shape(axis);
}

inline Activation activation_of(int number) {
  if (number < 0 || number > int(Activation::tanh)) throw py::value_error("unknown activation number");
  return Activation(number);
}

/// f(Target{}, T{}) for the ISA in force and the dtype of `like`, without the GIL.
template <class F>
void launch(const py::array& like, F&& f) {
  const int type = type_of(like);
  if (type != type_number<float>() && type != type_number<double>())
    throw py::type_error("expected float32 or float64");
  py::gil_scoped_release release;
  if (type == type_number<float>())
    dispatch<float>([&](auto target) { f(target, float{}); });
  else
    dispatch<double>([&](auto target) { f(target, double{}); });
}

}  // namespace lamina::bind
