"""sine_positions and rotary_embedding: where in a sequence something stands, said in sines."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer
from lamina.ops.checks import float_tensor, real_number
from lamina.ops.power import power
from lamina.ops.shapes import one_axis
from lamina.ops.transcendental import cos, sin


def sine_positions(
    length: int,
    size: int,
    max_wavelength: float = 10000.0,
    start_index: int = 0,
    positions: Any = None,
    dtype: Any = "float32",
) -> Tensor:
    """y[p, 2i] = sin(p / max_wavelength^(2i / size)), y[p, 2i + 1] = cos of the same.

    Args:
        length: how many positions, from start_index on.
        size: the length of a position's vector.
        max_wavelength: nearly the longest of the wavelengths over 2 pi; positive.
        start_index: the first position.
        positions: numbers of any shape in the place of length and start_index.
        dtype: "float32" or "float64". Computed in float64 either way.

    Returns:
        Tensor of shape (length, size), or (*positions.shape, size).

    Raises:
        ValueError: if a number is out of range.
        TypeError: if length, size or start_index are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sine_positions(2, 4).numpy().astype(float).round(4).tolist()
        [[0.0, 1.0, 0.0, 1.0], [0.8415, 0.5403, 0.01, 0.9999]]

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """
    size = _count("sine_positions", "size", size)
    places = _places("sine_positions", length, start_index, positions)
    xp = backend.array_module(places)
    sines, cosines = _table("sine_positions", places, size, max_wavelength, 1.0)
    y = xp.empty((*places.shape, size))
    y[..., 0::2] = sines
    y[..., 1::2] = cosines[..., : size // 2]
    y = y.astype(dtype)
    return Tensor(
        backend.from_pool(y if positions is not None or backend.here is None else backend.moved(y, backend.here))
    )


class RotaryFunction(Function):
    def forward(self, x: Any, sines: Any, cosines: Any, axis: int) -> Any:
        self.saved = sines, cosines, axis
        return _rotated(x, sines, cosines, axis)

    def backward(self, dy: Any) -> Any:
        sines, cosines, axis = self.saved
        return _rotated(dy, -sines, cosines, axis)


def _rotated(x: Any, sines: Any, cosines: Any, axis: int) -> Any:
    """The pairs (x[i], x[i + half]) of an axis, turned."""
    half = x.shape[axis] // 2
    low, high = [(slice(None),) * axis + (part,) for part in (slice(half), slice(half, None))]
    y = backend.empty(x.shape, x.dtype, like=x)
    part = backend.empty(x[low].shape, x.dtype, like=x)
    xp = backend.array_module(x)
    xp.multiply(x[low], cosines, out=y[low])
    xp.subtract(y[low], xp.multiply(x[high], sines, out=part), out=y[low])
    xp.multiply(x[high], cosines, out=y[high])
    xp.add(y[high], xp.multiply(x[low], sines, out=part), out=y[high])
    return y


def rotary_embedding(
    x: Any,
    max_wavelength: float = 10000.0,
    scaling_factor: float = 1.0,
    sequence_axis: int = 1,
    feature_axis: int = -1,
    start_index: int = 0,
    positions: Any = None,
) -> Tensor:
    """Turns the pairs (x[i], x[i + size / 2]) of features by the angle p / max_wavelength^(2i / size), p the position
    over scaling_factor: the product of two vectors then depends on how far apart they stand.

    Args:
        x: tensor of at least two axes, float32 or float64.
        max_wavelength: nearly the longest of the wavelengths over 2 pi; positive.
        scaling_factor: positions are divided by it; positive.
        sequence_axis: the axis of the positions.
        feature_axis: the axis of the features; its size must be even.
        start_index: the first position.
        positions: the positions in the place of 0, 1, ... and start_index: of shape (length,), or (batch, length) where
            the batch is x's first axis.

    Returns:
        Tensor of the shape of x.

    Raises:
        ValueError: if the number of features is odd, an axis or a number out of range, or positions do not fit.
        TypeError: if x is not of floating point, or start_index no integer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.rotary_embedding(np.ones((1, 2, 2), "float32")).numpy().astype(float).round(4).tolist()
        [[[1.0, 1.0], [-0.3012, 1.3818]]]

    Reference:
        Su et al. 2021, "RoFormer", arXiv:2104.09864; halves in the place of neighbours.
    """
    op = "rotary_embedding"
    x = float_tensor(x, op)
    along, features = one_axis(op, sequence_axis, x.ndim), one_axis(op, feature_axis, x.ndim)
    size, length = x.shape[features], x.shape[along]
    if along == features:
        raise ValueError(f"{op}: sequence_axis and feature_axis must differ, got {sequence_axis} and {feature_axis}")
    if size % 2 or not size:
        raise ValueError(f"{op}: the number of features must be even and positive, got x of shape {x.shape}")
    if not real_number(scaling_factor, op, "scaling_factor") > 0:
        raise ValueError(f"{op}: scaling_factor must be positive, got {scaling_factor}")
    places = _places(op, length, start_index, positions)
    batched = places.ndim == 2 and 0 not in (along, features) and places.shape == (x.shape[0], length)
    if places.shape != (length,) and not batched:
        raise ValueError(f"{op}: positions must have shape ({length},) or (batch, {length}), got {places.shape}")
    sines, cosines = _table(op, places, size, max_wavelength, float(scaling_factor))
    shape = [1] * x.ndim
    shape[along], shape[features] = length, size // 2
    if batched:
        shape[0] = x.shape[0]
    sines, cosines = backend.moved(sines, x.array), backend.moved(cosines, x.array)
    both = [(t.swapaxes(-1, -2) if along > features else t).reshape(shape).astype(x.dtype) for t in (sines, cosines)]
    return RotaryFunction.apply((x,), *both, features)


def _places(op: str, length: Any, start_index: Any, positions: Any) -> Any:
    """The positions in float64."""
    if positions is not None:
        tensor = as_tensor(positions)
        if tensor.requires_grad:
            raise ValueError(f"{op}: no gradient flows to positions; detach() it")
        return tensor.array.astype(np.float64)
    if not is_integer(start_index):
        raise TypeError(f"{op}: start_index must be an integer, got {start_index!r}")
    return np.arange(start_index, start_index + _count(op, "length", length), dtype=np.float64)


def _count(op: str, name: str, value: Any) -> int:
    if not is_integer(value):
        raise TypeError(f"{op}: {name} must be an integer, got {value!r}")
    if value < 0:
        raise ValueError(f"{op}: {name} must be at least 0, got {value}")
    return int(value)


def _table(op: str, places: Any, size: int, max_wavelength: float, scaling_factor: float) -> tuple[Any, Any]:
    """Sines and cosines of places / scaling_factor * max_wavelength^(-2i / size), (*places.shape, ceil(size / 2))."""
    if not 0 < real_number(max_wavelength, op, "max_wavelength") < math.inf:
        raise ValueError(f"{op}: max_wavelength must be positive, got {max_wavelength}")
    angles = (places / scaling_factor)[..., None] * backend.moved(_frequencies(size, float(max_wavelength)), places)
    with no_grad():
        return sin(Tensor(angles)).array, cos(Tensor(angles)).array


@functools.lru_cache(maxsize=32)
def _frequencies(size: int, max_wavelength: float) -> Any:
    with no_grad():
        exponents = -np.arange(0, size, 2) / max(1, size)
        return power(Tensor(np.full(exponents.shape, max_wavelength)), Tensor(exponents)).array
