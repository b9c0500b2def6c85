"""pixel_shuffle, pixel_unshuffle, depth_to_space, space_to_depth: channels into blocks of pixels, and back."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.checks import integer
from lamina.ops.shapes import reshape, transpose


def _block(op: str, name: str, value: Any, x: Tensor) -> int:
    block = integer(value, op, name, 1)
    if x.ndim != 4:
        raise ValueError(f"{op}: x must have shape (N, H, W, C), got {x.shape}")
    return block


def _to_space(op: str, name: str, x: Any, block: Any, channels_first: bool) -> Tensor:
    x = as_tensor(x)
    r = _block(op, name, block, x)
    n, h, w, c = x.shape
    if c % (r * r):
        raise ValueError(f"{op}: {c} channels cannot be cut into blocks of {r} x {r}")
    out = c // (r * r)
    if channels_first:
        y = transpose(reshape(x, (n, h, w, out, r, r)), (0, 1, 4, 2, 5, 3))
    else:
        y = transpose(reshape(x, (n, h, w, r, r, out)), (0, 1, 3, 2, 4, 5))
    return reshape(y, (n, h * r, w * r, out))


def _to_depth(op: str, name: str, x: Any, block: Any, channels_first: bool) -> Tensor:
    x = as_tensor(x)
    r = _block(op, name, block, x)
    n, h, w, c = x.shape
    if h % r or w % r:
        raise ValueError(f"{op}: {h} x {w} pixels cannot be cut into blocks of {r} x {r}")
    y = reshape(x, (n, h // r, r, w // r, r, c))
    order = (0, 1, 3, 5, 2, 4) if channels_first else (0, 1, 3, 2, 4, 5)
    return reshape(transpose(y, order), (n, h // r, w // r, c * r * r))


def pixel_shuffle(x: Any, upscale_factor: int) -> Tensor:
    """Channels become blocks of pixels: y[n, h r + i, w r + j, c] = x[n, h, w, (c r + i) r + j].

    The order of channels is PyTorch's. `depth_to_space` has Keras's.

    Args:
        x: tensor of shape (N, H, W, C r^2), of any dtype.
        upscale_factor: r.

    Returns:
        Tensor of shape (N, H r, W r, C).

    Raises:
        ValueError: if the channels cannot be cut so, or x has another number of axes.
        TypeError: if the factor is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.pixel_shuffle(lm.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), 2).numpy()[0, :, :, 0].tolist()
        [[1.0, 2.0], [3.0, 4.0]]

    Reference:
        Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
        Neural Network", arXiv:1609.05158.
    """
    return _to_space("pixel_shuffle", "upscale_factor", x, upscale_factor, True)


def pixel_unshuffle(x: Any, downscale_factor: int) -> Tensor:
    """Undoes `pixel_shuffle`: blocks of pixels become channels.

    Args:
        x: tensor of shape (N, H r, W r, C), of any dtype.
        downscale_factor: r.

    Returns:
        Tensor of shape (N, H, W, C r^2).

    Raises:
        ValueError: if the pixels cannot be cut so, or x has another number of axes.
        TypeError: if the factor is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.pixel_unshuffle(lm.tensor([[[[1.0], [2.0]], [[3.0], [4.0]]]]), 2).numpy().tolist()
        [[[[1.0, 2.0, 3.0, 4.0]]]]
    """
    return _to_depth("pixel_unshuffle", "downscale_factor", x, downscale_factor, True)


def depth_to_space(x: Any, block_size: int) -> Tensor:
    """Channels become blocks of pixels: y[n, h r + i, w r + j, c] = x[n, h, w, (i r + j) C + c].

    Args:
        x: tensor of shape (N, H, W, r^2 C), of any dtype.
        block_size: r.

    Returns:
        Tensor of shape (N, H r, W r, C).

    Raises:
        ValueError: if the channels cannot be cut so, or x has another number of axes.
        TypeError: if the size is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.depth_to_space(lm.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), 2).numpy()[0, :, :, 0].tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return _to_space("depth_to_space", "block_size", x, block_size, False)


def space_to_depth(x: Any, block_size: int) -> Tensor:
    """Undoes `depth_to_space`: blocks of pixels become channels.

    Args:
        x: tensor of shape (N, H r, W r, C), of any dtype.
        block_size: r.

    Returns:
        Tensor of shape (N, H, W, r^2 C).

    Raises:
        ValueError: if the pixels cannot be cut so, or x has another number of axes.
        TypeError: if the size is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.space_to_depth(lm.tensor([[[[1.0], [2.0]], [[3.0], [4.0]]]]), 2).numpy().tolist()
        [[[[1.0, 2.0, 3.0, 4.0]]]]
    """
    return _to_depth("space_to_depth", "block_size", x, block_size, False)
