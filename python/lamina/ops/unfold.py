"""unfold (im2col), fold (col2im) and extract_patches: windows of images as rows, and their sum."""

from __future__ import annotations

from typing import Any, NamedTuple

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor, pair
from lamina.ops.shapes import reshape


class Windows(NamedTuple):
    """Where windows lie on images of one size."""

    image: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]  # padding above and on the left
    grid: tuple[int, int]  # how many windows there are, down and across

    def inside(self, axis: int, place: int) -> tuple[slice, slice]:
        """The windows whose place lies on the image, and what they see, along one axis."""
        stride, size = self.stride[axis], self.image[axis]
        offset = place * self.dilation[axis] - self.before[axis]
        first = max(0, -(offset // stride))
        last = min(self.grid[axis], (size - 1 - offset) // stride + 1)
        if last <= first:
            return slice(0, 0), slice(0, 0)
        start = first * stride + offset
        return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def unfolded(x: Any, s: Windows) -> Any:
    """x (N, H, W, C) -> (N, rows, columns, kh, kw, C)."""
    y = backend.empty((x.shape[0], *s.grid, *s.kernel, x.shape[3]), x.dtype, like=x)
    for i in range(s.kernel[0]):
        to_h, of_h = s.inside(0, i)
        for j in range(s.kernel[1]):
            to_w, of_w = s.inside(1, j)
            part = y[:, :, :, i, j]
            if (to_h.stop - to_h.start, to_w.stop - to_w.start) != s.grid:
                part[...] = 0
            part[:, to_h, to_w] = x[:, of_h, of_w]
    return y


def folded(y: Any, s: Windows) -> Any:
    """The sum of all windows, place by place: (N, rows, columns, kh, kw, C) -> (N, H, W, C)."""
    x = backend.zeros((y.shape[0], *s.image, y.shape[5]), y.dtype, like=y)
    for i in range(s.kernel[0]):
        of_h, to_h = s.inside(0, i)
        for j in range(s.kernel[1]):
            of_w, to_w = s.inside(1, j)
            x[:, to_h, to_w] += y[:, of_h, of_w, i, j]
    return x


class UnfoldFunction(Function):
    def forward(self, x: Any, s: Windows) -> Any:
        self.saved = s
        return unfolded(x, s)

    def backward(self, dy: Any) -> Any:
        return folded(dy, self.saved)


class FoldFunction(Function):
    def forward(self, y: Any, s: Windows) -> Any:
        self.saved = s
        return folded(y, s)

    def backward(self, dx: Any) -> Any:
        return unfolded(dx, self.saved)


def _windows(op: str, image: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Windows:
    kernel, step = pair(kernel_size, op, "kernel_size"), pair(stride, op, "stride")
    spread, before = pair(dilation, op, "dilation"), pair(padding, op, "padding", 0)
    if max(*image, *kernel, *step, *spread, *before) >= 2**31:
        raise ValueError(f"{op}: sizes must be below 2^31")
    count = []
    for size, k, d, p, s in zip(image, kernel, spread, before, step, strict=True):
        reach = (k - 1) * d + 1
        if reach > size + 2 * p:
            raise ValueError(f"{op}: the window reaches over {reach} pixels, but the padded image has {size + 2 * p}")
        count.append((size + 2 * p - reach) // s + 1)
    return Windows((image[0], image[1]), kernel, step, spread, before, (count[0], count[1]))


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """All windows of images, one a row (im2col).

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        kernel_size: height and width of a window, one integer or two.
        dilation: distance of a window's pixels.
        padding: zeros on each side.
        stride: steps down and right.

    Returns:
        Tensor of shape (N, windows, kernel height * kernel width * C): windows row by row; in each its pixels row by
        row, each with its channels.

    Raises:
        ValueError: for other shapes, sizes that are not positive, or a window larger than the padded image.
        TypeError: if sizes are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.unfold(lm.tensor([[[[1.0], [2.0], [3.0]]]]), (1, 2)).numpy().tolist()
        [[[1.0, 2.0], [2.0, 3.0]]]
    """
    x = float_tensor(x, "unfold")
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"unfold: x must have shape (N, H, W, C), got {x.shape}")
    s = _windows("unfold", x.shape[1:3], kernel_size, dilation, padding, stride)
    y = UnfoldFunction.apply((x,), s)
    return reshape(y, (x.shape[0], s.grid[0] * s.grid[1], s.kernel[0] * s.kernel[1] * x.shape[3]))


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The sum of windows, each added where `unfold` took it from (col2im).

    Args:
        x: tensor of shape (N, windows, kernel height * kernel width * C), float32 or float64.
        output_size: height and width of the images.
        kernel_size, dilation, padding, stride: as in `unfold`.

    Returns:
        Tensor of shape (N, *output_size, C).

    Raises:
        ValueError: if the number of windows or their size do not fit, and as `unfold`.
        TypeError: if sizes are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.fold(lm.tensor([[[1.0, 2.0], [2.0, 3.0]]]), (1, 3), (1, 2)).numpy().reshape(-1).tolist()
        [1.0, 4.0, 3.0]
    """
    x = float_tensor(x, "fold")
    s = _windows("fold", pair(output_size, "fold", "output_size"), kernel_size, dilation, padding, stride)
    windows, places = s.grid[0] * s.grid[1], s.kernel[0] * s.kernel[1]
    if x.ndim != 3 or x.shape[1] != windows or x.shape[2] % places or x.shape[2] == 0:
        raise ValueError(f"fold: x must have shape (N, {windows}, {places} * C), got {x.shape}")
    return FoldFunction.apply((reshape(x, (x.shape[0], *s.grid, *s.kernel, x.shape[2] // places)),), s)


def extract_patches(
    images: Any, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid"
) -> Tensor:
    """The windows of images, where they lie.

    Args:
        images: tensor of shape (N, H, W, C) or (H, W, C), float32 or float64.
        size: height and width of a window, one integer or two.
        strides: steps down and right; None: the size, so that windows do not overlap.
        dilation_rate: distance of a window's pixels.
        padding: "valid" or "same" (zeros around; the odd one comes after).

    Returns:
        Tensor of shape (N, rows, columns, size * size * C), without N where images have none.

    Raises:
        ValueError: for other shapes, sizes that are not positive, unknown padding, or a window larger than an image.
        TypeError: if sizes are no integers.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.extract_patches(np.zeros((1, 6, 6, 3), "float32"), 2).shape
        (1, 3, 3, 12)
    """
    x = float_tensor(images, "extract_patches", "images")
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        raise ValueError(f"extract_patches: images must have shape (N, H, W, C) or (H, W, C), got {x.shape}")
    if padding not in ("valid", "same"):
        raise ValueError(f'extract_patches: padding must be "valid" or "same", got {padding!r}')
    single = x.ndim == 3
    if single:
        x = reshape(x, (1, *x.shape))
    kernel = pair(size, "extract_patches", "size")
    step = kernel if strides is None else pair(strides, "extract_patches", "strides")
    spread = pair(dilation_rate, "extract_patches", "dilation_rate")
    if padding == "valid":
        s = _windows("extract_patches", x.shape[1:3], kernel, spread, 0, step)
    else:
        count = [-(-n // a) for n, a in zip(x.shape[1:3], step, strict=True)]
        pads = [max((m - 1) * a + (k - 1) * d + 1 - n, 0)
                for n, m, a, k, d in zip(x.shape[1:3], count, step, kernel, spread, strict=True)]  # fmt: skip
        before = (pads[0] // 2, pads[1] // 2)
        s = Windows((x.shape[1], x.shape[2]), kernel, step, spread, before, (count[0], count[1]))
    y = UnfoldFunction.apply((x,), s)
    y = reshape(y, (x.shape[0], *s.grid, kernel[0] * kernel[1] * x.shape[3]))
    return reshape(y, y.shape[1:]) if single else y
