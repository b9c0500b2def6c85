"""The geometry of pooling, shared by max_pool2d and avg_pool2d."""

from __future__ import annotations

from typing import Any, NamedTuple

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import pair


class Pool2D(NamedTuple):
    """Window, strides and padding in the kernels' order, and the outputs' height and width."""

    window: tuple[int, int, int, int, int, int, int, int]  # height, width; strides; top, bottom, left, right
    output: tuple[int, int]


def pool2d(x: Tensor, pool_size: Any, strides: Any, padding: str, op: str) -> Pool2D:
    """Checks what a user passed to a pooling op.

    Raises:
        TypeError: if pool_size or strides are no integers.
        ValueError: for a wrong rank, empty images, unknown padding, or a window larger than the padded input.
    """
    shape = x.shape
    if len(shape) != 4:
        raise ValueError(f"{op}: x must have shape (N, H, W, C), got {shape}")
    if 0 in shape[1:]:
        raise ValueError(f"{op}: x must have shape (N, H, W, C) with H, W and C of at least 1, got {shape}")
    kernel = pair(pool_size, op, "pool_size")
    stride = kernel if strides is None else pair(strides, op, "strides")
    mode = padding.lower() if isinstance(padding, str) else padding
    if mode not in ("valid", "same"):
        raise ValueError(f'{op}: padding must be "valid" or "same", got {padding!r}')
    if max(kernel + stride) >= 2**31 or kernel[0] * kernel[1] >= 2**31:
        raise ValueError(f"{op}: pool_size and strides are too large, got {kernel} and {stride}")
    output, before, after = [], [], []
    for size, k, s in zip(shape[1:3], kernel, stride, strict=True):
        if mode == "same":  # as Keras pads: the odd one comes after
            count = -(-size // s)
            pad = max((count - 1) * s + k - size, 0)
        else:
            if k > size:
                raise ValueError(
                    f"{op}: pool_size {kernel} is larger than the input, {shape[1]} x {shape[2]} (padding {padding!r})"
                )
            count = (size - k) // s + 1
            pad = 0
        output.append(count)
        before.append(pad // 2)
        after.append(pad - pad // 2)
    return Pool2D((*kernel, *stride, before[0], after[0], before[1], after[1]), (output[0], output[1]))
