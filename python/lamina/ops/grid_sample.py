"""grid_sample: images read at the places that a grid names; affine_grid: the grid of an affine map."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops.arithmetic import add, multiply
from lamina.ops.checks import float_tensor, same_dtype
from lamina.ops.shapes import reshape

SAMPLINGS = {"nearest": 0, "bilinear": 1, "bicubic": 2}  # the numbers of csrc/ops/grid_sample.h
PIXELS, CENTRES, EDGES = 0, 1, 2
FREE, CLIP, MIRROR, REFLECT = 0, 1, 2, 3
BEYOND = {"constant": 0, "nearest": 1, "wrap": 2, "mirror": 3, "reflect": 4}
PADDINGS = ("zeros", "border", "reflection")


class GridSampleFunction(Function):
    def forward(self, x: Any, grid: Any, *settings: Any) -> Any:
        x, grid = backend.contiguous(x), backend.contiguous(grid)
        self.saved = x, grid, settings
        y = backend.empty((*grid.shape[:3], x.shape[3]), x.dtype, like=x)
        backend.kernels(x).grid_sample_forward(x, grid, y, *settings)
        return y

    def backward(self, dy: Any) -> Any:
        x, grid, settings = self.saved
        dx = dgrid = None
        dy = backend.contiguous(dy)
        if self.needs[0]:
            dx = backend.empty_like(x)
            backend.kernels(x).grid_sample_backward_input(dy, grid, dx, *settings)
        if self.needs[1]:
            dgrid = backend.empty_like(grid)
            backend.kernels(x).grid_sample_backward_grid(dy, x, grid, dgrid, *settings)
        return dx, dgrid


def grid_sample(
    x: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool = False
) -> Tensor:
    """Images read at the places that a grid names: y[n, i, j] = x[n] at grid[n, i, j], interpolated.

    Places are pairs (across, down) from -1 to 1: with align_corners these are the centres of the outermost pixels,
    without it their outer edges. Gradients flow to the images and to the grid; no sum depends on threads.

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        grid: tensor of shape (N, rows, columns, 2) and the same dtype.
        mode: "bilinear", "nearest" (halves to the even pixel) or "bicubic" (cubic convolution, a = -3/4).
        padding_mode: what lies beyond the image: "zeros", "border" (its nearest pixel), "reflection".
        align_corners: what -1 and 1 mean.

    Returns:
        Tensor of shape (N, rows, columns, C).

    Raises:
        ValueError: for other shapes or words.
        TypeError: if dtypes differ or are no floats.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [2.0]], [[3.0], [4.0]]]])
        >>> lm.ops.grid_sample(x, lm.tensor([[[[0.0, 0.0]]]])).item()
        2.5

    Reference:
        Jaderberg et al. 2015, "Spatial Transformer Networks", arXiv:1506.02025.
    """
    x, grid = float_tensor(x, "grid_sample"), float_tensor(grid, "grid_sample", "grid")
    same_dtype("grid_sample", x=x, grid=grid)
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"grid_sample: x must have shape (N, H, W, C), got {x.shape}")
    if grid.ndim != 4 or grid.shape[3] != 2 or grid.shape[0] != x.shape[0]:
        raise ValueError(f"grid_sample: grid must have shape ({x.shape[0]}, rows, columns, 2), got {grid.shape}")
    if mode not in SAMPLINGS:
        raise ValueError(f"grid_sample: mode must be one of {', '.join(SAMPLINGS)}, got {mode!r}")
    if padding_mode not in PADDINGS:
        raise ValueError(f"grid_sample: padding_mode must be one of {', '.join(PADDINGS)}, got {padding_mode!r}")
    place, beyond = FREE, BEYOND["constant"]
    if mode == "bicubic":  # its pixels are moved, not the place
        reflected = BEYOND["mirror" if align_corners else "reflect"]
        beyond = {"zeros": beyond, "border": BEYOND["nearest"], "reflection": reflected}[padding_mode]
    elif padding_mode != "zeros":
        place = CLIP if padding_mode == "border" else MIRROR if align_corners else REFLECT
    unit = CENTRES if align_corners else EDGES
    return GridSampleFunction.apply((x, grid), SAMPLINGS[mode], unit, place, beyond, 0.0)


def affine_grid(theta: Any, size: Any, align_corners: bool = False) -> Tensor:
    """The grid of affine maps, for `grid_sample`: grid[n, i, j] = theta[n] . (across, down, 1) of output pixel (i, j).

    Args:
        theta: tensor of shape (N, 2, 3), float32 or float64.
        size: the shape of the images to sample: (N, H, W, C), or (H, W).
        align_corners: whether -1 and 1 are the centres of the outermost pixels, or their outer edges.

    Returns:
        Tensor of shape (N, H, W, 2).

    Raises:
        ValueError: for other shapes.
        TypeError: if theta is not of floating point, or the size not of integers.

    Example:
        >>> import lamina as lm
        >>> theta = lm.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> lm.ops.affine_grid(theta, (1, 2)).numpy().tolist()
        [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    theta = float_tensor(theta, "affine_grid", "theta")
    if theta.ndim != 3 or theta.shape[1:] != (2, 3):
        raise ValueError(f"affine_grid: theta must have shape (N, 2, 3), got {theta.shape}")
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
    for n in sizes:
        if not is_integer(n):
            raise TypeError(f"affine_grid: size must be integers, got {size!r}")
    if len(sizes) not in (2, 4) or (len(sizes) == 4 and sizes[0] != theta.shape[0]) or min(sizes[-2:]) < 1:
        raise ValueError(f"affine_grid: size must be (H, W) or ({theta.shape[0]}, H, W, C), got {size!r}")
    height, width = sizes if len(sizes) == 2 else sizes[1:3]
    if min(height, width) < 1:
        raise ValueError(f"affine_grid: size must be positive, got {size!r}")
    across = Tensor(_positions(width, align_corners, theta.array).reshape(1, 1, width, 1))
    down = Tensor(_positions(height, align_corners, theta.array).reshape(1, height, 1, 1))
    a, b, c = [reshape(theta[:, :, i], (theta.shape[0], 1, 1, 2)) for i in range(3)]
    return add(add(multiply(across, a), multiply(down, b)), c)


def _positions(count: int, align_corners: bool, like: Any) -> Any:
    i = np.arange(count)
    if align_corners:
        places = 2 * i / max(count - 1, 1) - 1 if count > 1 else np.zeros(1)
    else:
        places = (2 * i + 1) / count - 1
    return backend.moved(places.astype(like.dtype), like)
