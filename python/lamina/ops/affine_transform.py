"""affine_transform: images turned, scaled, sheared and moved."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.arithmetic import add, multiply
from lamina.ops.broadcast_to import broadcast_to
from lamina.ops.checks import float_tensor
from lamina.ops.grid_sample import BEYOND, FREE, PIXELS, SAMPLINGS, GridSampleFunction
from lamina.ops.joining import stack
from lamina.ops.selection import cast
from lamina.ops.shapes import reshape


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Tensor:
    """Images under affine maps: output pixel (x, y) reads the input at (a0 x + a1 y + a2, b0 x + b1 y + b2).

    Args:
        images: tensor of shape (N, H, W, C) or (H, W, C), float32 or float64.
        transform: tensor of shape (N, 8) or (8,): a0, a1, a2, b0, b1, b2, 0, 0, in pixels.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies beyond an image: "constant", "nearest" (a a | a b c | c c), "wrap" (b c | a b c | a b),
            "mirror" (c b | a b c | b a), "reflect" (b a | a b c | c b).
        fill_value: the constant.

    Returns:
        Tensor of the shape of images. Gradients flow to images and transform.

    Raises:
        ValueError: for other shapes or words, or a transform that does not end with two zeros (it would not be affine).
        TypeError: if images are not of floating point.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[1.0], [2.0], [3.0]]])
        >>> lm.ops.affine_transform(x, [1.0, 0, 1, 0, 1, 0, 0, 0]).numpy().reshape(-1).tolist()
        [2.0, 3.0, 0.0]
    """
    x = float_tensor(images, "affine_transform", "images")
    matrix = cast(as_tensor(transform), x.dtype)
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        raise ValueError(f"affine_transform: images must have shape (N, H, W, C) or (H, W, C), got {x.shape}")
    if matrix.ndim not in (1, 2) or matrix.shape[-1] != 8:
        raise ValueError(f"affine_transform: transform must have shape (N, 8) or (8,), got {matrix.shape}")
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f'affine_transform: interpolation must be "nearest" or "bilinear", got {interpolation!r}')
    if fill_mode not in BEYOND:
        raise ValueError(f"affine_transform: fill_mode must be one of {', '.join(BEYOND)}, got {fill_mode!r}")
    single = x.ndim == 3
    if single:
        x = reshape(x, (1, *x.shape))
    count, height, width, _ = x.shape
    if matrix.ndim == 1 or matrix.shape[0] == 1:
        matrix = broadcast_to(matrix, (count, 8))
    if matrix.shape[0] != count:
        raise ValueError(f"affine_transform: {count} images need as many transforms, got {matrix.shape[0]}")
    if matrix.array[:, 6:].any():
        raise ValueError("affine_transform: the last two numbers of a transform must be 0")
    xp = backend.array_module(x.array)
    across = Tensor(xp.arange(width, dtype=x.dtype).reshape(1, 1, width))
    down = Tensor(xp.arange(height, dtype=x.dtype).reshape(1, height, 1))
    factors = [reshape(matrix[:, i], (count, 1, 1)) for i in range(6)]
    places = [add(add(multiply(across, factors[i]), multiply(down, factors[i + 1])), factors[i + 2]) for i in (0, 3)]
    settings = SAMPLINGS[interpolation], PIXELS, FREE, BEYOND[fill_mode], float(fill_value)
    y = GridSampleFunction.apply((x, stack(places, -1)), *settings)
    return reshape(y, y.shape[1:]) if single else y
