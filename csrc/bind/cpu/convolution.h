// The geometry of a convolution, from the shapes of arrays: shared by conv2d and conv2d_pool.
#pragma once
#include <pybind11/stl.h>

#include <vector>

#include "bind/cpu/bind.h"
#include "ops/conv2d.h"

namespace lamina::bind {

/// Strides, dilations, then padding before and after for each axis: what Python passes beside the arrays.
using Window = std::vector<int64_t>;

/// The convolution of an x and a w of these shapes, over two axes or three; throws where they do not fit.
inline Conv2D convolution_of(const py::array& x, const py::array& w, const Window& window, int64_t groups) {
  const py::ssize_t rank = x.ndim() - 2;
  if (rank < 2 || rank > 3 || w.ndim() != rank + 2) throw py::value_error("convolution: expected 4 or 5 dimensions");
  if (int64_t(window.size()) != 4 * rank) throw py::value_error("convolution: the window has the wrong length");
  Conv2D s{};
  s.batch = x.shape(0);
  s.channels = x.shape(rank + 1);
  s.filters = w.shape(rank + 1);
  s.groups = groups;
  Axis axes[3];
  for (size_t i = 0; i < size_t(rank); ++i) {
    const size_t n = size_t(rank), pad = 2 * n + 2 * i;
    axes[i] = {
        x.shape(py::ssize_t(i) + 1), w.shape(py::ssize_t(i)), window[i], window[n + i], window[pad], window[pad + 1]};
    axes[i].check("convolution");
  }
  s.w = axes[rank - 1];
  s.h = axes[rank - 2];
  s.d = rank == 3 ? axes[0] : Axis{1, 1};
  if (groups < 1 || s.channels < 1 || s.filters < 1 || s.channels % groups || s.filters % groups ||
      w.shape(rank) != s.channels / groups)
    throw py::value_error("convolution: channels, filters and groups do not fit");
  const auto padded = [](const Axis& a) { return a.input + a.before + a.after; };
  product(padded(s.d), padded(s.h), padded(s.w), s.channels + s.filters, 64);
  return s;
}

inline ConvolutionMode mode_of(int mode) {
  if (mode < 0 || mode > int(ConvolutionMode::direct)) throw py::value_error("unknown convolution mode");
  return ConvolutionMode(mode);
}

}  // namespace lamina::bind
