// Arguments that are numbers, or arrays of numbers on the device: those of launches that may be captured in a graph.
#pragma once
#include "bind/cuda/bind.h"
#include "support/setting.h"

namespace lamina::bind {

/// An array on the device; nothing where the object is something else.
inline OptionalIn array_or_none(nb::handle object) {
  In array;
  if (PyLong_Check(object.ptr()) || PyFloat_Check(object.ptr()) || PyTuple_Check(object.ptr()) ||
      PyList_Check(object.ptr()) || object.is_none() || !nb::try_cast<In>(object, array, false))
    return std::nullopt;
  return array;
}

}  // namespace lamina::bind

namespace nanobind::detail {

/// A number, or an array of one, which must live as long as the launch: its caller sees to that.
template <class T>
struct type_caster<lamina::cuda::Setting<T>> {
  NB_TYPE_CASTER(lamina::cuda::Setting<T>, make_caster<T>::Name + const_name(" | ndarray"))

  bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
    try {
      if (const lamina::bind::OptionalIn array = lamina::bind::array_or_none(source)) {
        value = {T{}, lamina::bind::in<T>(*array, 1)};
        return true;
      }
    } catch (const std::exception&) {
      return false;
    }
    T number;
    if (!try_cast<T>(source, number)) return false;
    value = number;
    return true;
  }
};

}  // namespace nanobind::detail
