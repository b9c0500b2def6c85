"""Sparse linear maps along axes, and their gradients: what resizing and mirrored padding are made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function


class Taps:
    """Output j is the sum of weight[t] * input[index[t]] for t from begin[j] to begin[j + 1]."""

    def __init__(self, inputs: int, begin: Any, index: Any, weight: Any) -> None:
        self.inputs, self.outputs = inputs, len(begin) - 1
        self.begin, self.index, self.weight = begin, index, weight  # int64, int64, float64
        self._transposed: Taps | None = None
        self._arrays: dict[Any, tuple[Any, Any, Any]] = {}

    def transposed(self) -> Taps:
        """The map of the gradient; every input's outputs in their order."""
        if self._transposed is None:
            output = np.repeat(np.arange(self.outputs), np.diff(self.begin))
            order = np.argsort(self.index, kind="stable")
            counts = np.bincount(self.index, minlength=self.inputs)
            begin = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            self._transposed = Taps(self.outputs, begin, output[order], self.weight[order])
        return self._transposed

    def arrays(self, x: Any) -> tuple[Any, Any, Any]:
        """begin, index and weight, of the dtype and on the device of x."""
        key = x.dtype, type(x)
        if key not in self._arrays:
            begin, index, weight = self.begin, self.index, self.weight.astype(x.dtype)
            self._arrays[key] = backend.moved(begin, x), backend.moved(index, x), backend.moved(weight, x)
        return self._arrays[key]


def taps(inputs: int, index: Any, weight: Any = None) -> Taps:
    """The map whose output j has the taps index[j] (an array of one or two axes), all of weight 1 if none is given."""
    index = np.ascontiguousarray(index, np.int64)
    outputs = len(index)
    count = index.size // outputs if outputs else 0
    weight = np.ones(index.size) if weight is None else np.ascontiguousarray(weight, np.float64).reshape(-1)
    return Taps(inputs, np.arange(outputs + 1, dtype=np.int64) * count, index.reshape(-1), weight)


def resampled(x: Any, maps: dict[int, Taps]) -> Any:
    """x with a map applied along each of some axes; two neighbours at a time, in one pass."""
    axes = sorted(maps)
    nothing = (None, None, None)
    while axes:
        first = axes.pop(0)
        shape = x.shape
        h = maps[first]
        if axes and axes[0] == first + 1:
            w = maps[axes.pop(0)]
            end = first + 2
            before, after = (h.inputs, w.inputs), (h.outputs, w.outputs)
            tables = (*h.arrays(x), *w.arrays(x))
            sizes: tuple[int, ...] = after
        else:
            end = first + 1
            last = math.prod(shape[end:]) == 1  # the neighbour of size 1 stands before the axis, or behind it
            before, after = ((1, h.inputs), (1, h.outputs)) if last else ((h.inputs, 1), (h.outputs, 1))
            tables = (*nothing, *h.arrays(x)) if last else (*h.arrays(x), *nothing)
            sizes = (h.outputs,)
        images, channels = math.prod(shape[:first]), math.prod(shape[end:])
        x = backend.contiguous(x).reshape(images, *before, channels)
        y = backend.empty((images, *after, channels), x.dtype, like=x)
        backend.kernels(x).resample(x, y, *tables)
        x = y.reshape(*shape[:first], *sizes, *shape[end:])
    return x


class ResampleFunction(Function):
    linear = True

    def forward(self, x: Any, maps: dict[int, Taps]) -> Any:
        self.saved = maps
        return resampled(x, maps)

    def backward(self, dy: Any) -> Any:
        return resampled(dy, {axis: of.transposed() for axis, of in self.saved.items()})
