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

/// A number, or an array of one. The array must live as long as the launch, which its caller sees to.
template <class T>
cuda::Setting<T> setting_of(nb::handle object) {
  if (const OptionalIn array = array_or_none(object)) return {T{}, in<T>(*array, 1)};
  return {nb::cast<T>(object)};
}

}  // namespace lamina::bind
