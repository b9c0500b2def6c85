"""The geometry of pooling over one, two or three axes, shared by max_pool, avg_pool and those made of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops.checks import integers, remembered

Ints = tuple[int, ...]
NAMES = {1: "(N, L, C)", 2: "(N, H, W, C)", 3: "(N, D, H, W, C)"}
_BYTE_PLACES = 256  # windows of at most so many places keep their winners' places in bytes
_FEW_SAMPLES = 4  # the kernels share out rows: a sequence lies along H where there are few samples, else along W


class Pool(NamedTuple):
    """What the kernels take, and what they give."""

    window: Ints  # sizes, strides, paddings before and after, three each; or three numbers of outputs (adaptive)
    shape: Ints  # of x as (N, D, H, W, C)
    output: Ints  # of y, with the axes that x has
    kernel: Ints  # the window's size (adaptive: that of the longest) along D, H, W

    @property
    def offset_dtype(self) -> Any:
        """In what max_pool keeps the winners' places."""
        return np.uint8 if math.prod(self.kernel) <= _BYTE_PLACES else np.int32

    def starts(self) -> list[Any]:
        """Where the windows start along D, H and W, one array an axis; padding lies before 0."""
        if len(self.window) == 3:
            return [np.arange(o) * n // o for o, n in zip(self.window, self.shape[1:4], strict=True)]
        counts = [self._count(i) for i in range(3)]
        return [np.arange(n) * self.window[3 + i] - self.window[6 + i] for i, n in enumerate(counts)]

    def _count(self, axis: int) -> int:
        padded = self.shape[1 + axis] + self.window[6 + axis] + self.window[9 + axis]
        return (padded - self.window[axis]) // self.window[3 + axis] + 1


def several(value: Any, count: int, op: str, name: str, minimum: int = 1) -> Ints:
    """`integers` below 2^31.

    Raises:
        TypeError: if they are no integers.
        ValueError: if there are neither one nor `count`, or one is too small or 2^31 or more.
    """
    values = integers(value, count, op, name, minimum)
    if max(values) >= 2**31:
        raise ValueError(f"{op}: {name} is too large, got {value!r}")
    return values


def padding_sides(padding: Any, count: int, op: str) -> Any:
    """ "valid", "same", or (before, after) an axis.

    Raises:
        TypeError: if explicit padding is no integers.
        ValueError: for an unknown word, or negative padding.
    """
    if isinstance(padding, str):
        if padding.lower() in ("valid", "same"):
            return padding.lower()
    elif isinstance(padding, tuple | list):
        if len(padding) == count:
            return tuple(several(side, 2, op, "padding", 0) for side in padding)
    elif is_integer(padding):
        return tuple(several(padding, 2, op, "padding", 0) for _ in range(count))
    raise ValueError(
        f'{op}: padding must be "valid" or "same", an integer, or an integer or pair (before, after) for each of '
        f"{count} axes, got {padding!r}"
    )


def windows_along(size: int, kernel: int, stride: int, sides: Any, op: str) -> tuple[int, int, int]:
    """The number of windows along an axis, and the padding before and after.

    Raises:
        ValueError: if the window is larger than the padded input, or padding than half the window.
    """
    if sides == "same":  # as Keras pads: the odd one comes after
        count = -(-size // stride)
        pad = max((count - 1) * stride + kernel - size, 0)
        return count, pad // 2, pad - pad // 2
    before, after = (0, 0) if sides == "valid" else sides
    if 2 * max(before, after) > kernel:
        raise ValueError(f"{op}: padding {(before, after)} is more than half of pool_size {kernel}")
    if kernel > size + before + after:
        raise ValueError(f"{op}: pool_size {kernel} is larger than the input, {size} (padding {before} and {after})")
    return (size + before + after - kernel) // stride + 1, before, after


def check_images(shape: Ints, count: int, op: str) -> None:
    """Raises ValueError unless the shape is (N, ..., C) with `count` axes between, none of them empty."""
    if len(shape) != count + 2:
        raise ValueError(f"{op}: x must have shape {NAMES[count]}, got {shape}")
    if 0 in shape[1:]:
        raise ValueError(f"{op}: x must have shape {NAMES[count]} with sizes of at least 1, got {shape}")


def _three(values: Any, fill: int, along_h: bool) -> Ints:
    """Values of D, H and W from those of one, two or three axes."""
    values = tuple(values)
    if len(values) == 1 and along_h:
        return (fill, *values, fill)
    return (fill,) * (3 - len(values)) + values


def pool(x: Tensor, count: int, pool_size: Any, strides: Any, padding: Any, op: str) -> Pool:
    """Checks what a user passed to a pooling op over `count` axes.

    Raises:
        TypeError: if pool_size, strides or padding are no integers.
        ValueError: for a wrong rank, empty images, unknown padding, padding of more than half the window, or a window
            larger than the padded input.
    """
    return pool_of(x.array.shape, count, pool_size, strides, padding, op)


@remembered
def pool_of(x: Ints, count: int, pool_size: Any, strides: Any, padding: Any, op: str) -> Pool:
    """The same for images of this shape."""
    check_images(x, count, op)
    kernel = several(pool_size, count, op, "pool_size")
    stride = kernel if strides is None else several(strides, count, op, "strides")
    sides = padding_sides(padding, count, op)
    if math.prod(kernel) >= 2**31:
        raise ValueError(f"{op}: pool_size is too large, got {kernel}")
    found = [
        windows_along(n, k, s, sides if isinstance(sides, str) else sides[i], op)
        for i, (n, k, s) in enumerate(zip(x[1:-1], kernel, stride, strict=True))
    ]
    along_h = x[0] < _FEW_SAMPLES
    outputs, before, after = zip(*found, strict=True)
    window = (
        *_three(kernel, 1, along_h),
        *_three(stride, 1, along_h),
        *_three(before, 0, along_h),
        *_three(after, 0, along_h),
    )
    shape = (x[0], *_three(x[1:-1], 1, along_h), x[-1])
    return Pool(window, shape, (x[0], *outputs, x[-1]), window[:3])


def adaptive_pool(x: Tensor, count: int, output_size: Any, op: str) -> Pool:
    """The geometry of adaptive pooling: window i covers x from floor(i n / outputs) to ceil((i + 1) n / outputs).

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong rank, empty images, or sizes below 1.
    """
    check_images(x.shape, count, op)
    sizes = x.shape[1:-1]
    if isinstance(output_size, tuple | list):
        output_size = [n if o is None else o for o, n in zip(output_size, (*sizes, *output_size[count:]), strict=False)]
    outputs = several(output_size, count, op, "output_size")
    along_h = x.shape[0] < _FEW_SAMPLES
    shape = (x.shape[0], *_three(sizes, 1, along_h), x.shape[-1])
    if all(n % o == 0 for n, o in zip(sizes, outputs, strict=True)):  # plain windows side by side
        steps = _three([n // o for n, o in zip(sizes, outputs, strict=True)], 1, along_h)
        window, kernel = (*steps, *steps, *(0,) * 6), steps
    else:
        window = _three(outputs, 1, along_h)
        kernel = tuple(min(-(-n // o) + (n % o != 0), n) for n, o in zip(shape[1:4], window, strict=True))
    if math.prod(kernel) >= 2**31:
        raise ValueError(f"{op}: windows of {kernel} are too large")
    return Pool(window, shape, (x.shape[0], *outputs, x.shape[-1]), kernel)
