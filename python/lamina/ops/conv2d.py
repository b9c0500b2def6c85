"""conv2d: two-dimensional convolution with bias and activation, one node on the tape."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.activations import activation_number
from lamina.ops.checks import float_tensor, pair, same_dtype

MODES = {"fast": 0, "accurate": 1, "direct": 2}
_mode = "fast"


def set_convolution(mode: str) -> None:
    """Chooses how 3x3 convolutions of stride 1 are computed; all others are direct in any case.

    Every mode gives the same bits for any number of threads, instruction set and batch.

    Args:
        mode: "fast": Winograd F(4x4, 3x3) where it pays, the fastest (rms error about 2.5 times direct's);
            "accurate": Winograd F(2x2, 3x3), faster and more exact than direct; "direct": the plain sum.

    Raises:
        ValueError: for any other mode.

    Example:
        >>> import lamina as lm
        >>> lm.set_convolution("accurate")
        >>> lm.convolution()
        'accurate'
        >>> lm.set_convolution("fast")

    Reference:
        Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308.
    """
    global _mode
    if mode not in MODES:
        raise ValueError(f'set_convolution: mode must be "fast", "accurate" or "direct", got {mode!r}')
    _mode = mode


def convolution() -> str:
    """The mode that `set_convolution` chose: "fast", "accurate" or "direct"."""
    return _mode


class Conv2DFunction(Function):
    def forward(
        self, x: Any, kernel: Any, bias: Any, y_shape: Any, window: Any, groups: int, activation: int, mode: int
    ) -> Any:
        x, kernel = backend.contiguous(x), backend.contiguous(kernel)
        if bias is not None:
            bias = backend.contiguous(bias)
        y = backend.empty(y_shape, x.dtype, like=x)
        backend.kernels(x).conv2d_forward(x, kernel, bias, y, window, groups, activation, mode)
        if self.recording:
            self.saved = x, kernel, y if activation else None, window, groups, activation, mode
        return y

    def backward(self, dy: Any) -> Any:
        x, kernel, y, window, groups, activation, mode = self.saved
        kernels = backend.kernels(x)
        dy = backend.contiguous(dy)
        needs_x, needs_kernel, needs_bias = self.needs
        dz = backend.empty_like(dy) if activation else dy
        db = backend.empty(kernel.shape[3], kernel.dtype, like=x) if needs_bias else None
        if activation or needs_bias:
            kernels.bias_backward(y, dy, activation, dz if activation else None, db)
        dx = dkernel = None
        if needs_kernel:
            dkernel = backend.empty_like(kernel)
            kernels.conv2d_backward_kernel(x, dz, dkernel, window, groups, mode)
        if needs_x:
            dx = backend.empty_like(x)
            kernels.conv2d_backward_input(dz, kernel, dx, window, groups, mode)
        return dx, dkernel, db


def conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Two-dimensional convolution (cross-correlation, as everywhere in deep learning) with bias and activation.

    y[n, i, j, k] = activation(bias[k] + sum over r, s, c of x[n, i * stride + r * dilation - top, j * ..., c] *
    kernel[r, s, c, k]), where the c of a group of channels meet the k of the same group of filters.

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        kernel: tensor of shape (KH, KW, C / groups, K) and the dtype of x.
        bias: tensor of shape (K,), or None.
        strides: an integer or a pair (rows, columns).
        padding: "valid" (none), "same" (output size ceil(input / stride), the odd pixel after, as Keras does), an
            integer, or ((top, bottom), (left, right)). Padding is zeros.
        dilation_rate: an integer or a pair: the distance of the kernel's taps.
        groups: into how many groups channels and filters fall; groups = C is a depthwise convolution.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 4, 4, 1), np.float32), np.ones((3, 3, 1, 1), np.float32)
        >>> lm.ops.conv2d(x, kernel, padding="same").numpy()[0, :, :, 0].tolist()
        [[4.0, 6.0, 6.0, 4.0], [6.0, 9.0, 9.0, 6.0], [6.0, 9.0, 9.0, 6.0], [4.0, 6.0, 6.0, 4.0]]

    Reference:
        LeCun et al. 1989, "Backpropagation Applied to Handwritten Zip Code Recognition". Algorithms: `set_convolution`.
    """
    number = activation_number(activation, "conv2d")
    x = float_tensor(x, "conv2d")
    kernel = as_tensor(kernel)
    bias = None if bias is None else as_tensor(bias)
    same_dtype("conv2d", x=x, kernel=kernel, bias=bias)
    if x.ndim != 4:
        raise ValueError(f"conv2d: x must have shape (N, H, W, C), got {x.shape}")
    if kernel.ndim != 4:
        raise ValueError(f"conv2d: kernel must have shape (KH, KW, C / groups, K), got {kernel.shape}")
    if 0 in x.shape[1:] or 0 in kernel.shape:
        raise ValueError(
            f"conv2d: only the batch may be empty, got x of shape {x.shape} and kernel of shape {kernel.shape}"
        )
    groups = _check_groups(x.shape[3], kernel.shape, groups)
    if bias is not None and bias.shape != kernel.shape[3:]:
        raise ValueError(f"conv2d: bias must have shape {kernel.shape[3:]}, got {bias.shape}")
    window = window_of("conv2d", x.shape[1:3], kernel.shape[:2], strides, padding, dilation_rate)
    y_shape = (x.shape[0], *output_size(x.shape[1:3], kernel.shape[:2], window), kernel.shape[3])
    return Conv2DFunction.apply((x, kernel, bias), y_shape, window, groups, number, MODES[_mode])


def _check_groups(channels: int, kernel_shape: tuple[int, ...], groups: Any) -> int:
    if isinstance(groups, bool) or not hasattr(groups, "__index__"):
        raise TypeError(f"conv2d: groups must be an integer, got {groups!r}")
    groups = int(groups)
    if groups < 1:
        raise ValueError(f"conv2d: groups must be at least 1, got {groups}")
    if channels % groups or kernel_shape[3] % groups:
        raise ValueError(
            f"conv2d: groups must divide the {channels} channels of x and the {kernel_shape[3]} filters, got {groups}"
        )
    if kernel_shape[2] != channels // groups:
        per_group = "" if groups == 1 else f" / {groups} groups = {channels // groups}"
        raise ValueError(
            f"conv2d: kernel takes {kernel_shape[2]} channels (shape {kernel_shape}), x has {channels}{per_group}"
        )
    return groups


Pair = tuple[int, int]
Window = tuple[int, int, int, int, int, int, int, int]


def window_of(op: str, size: Any, kernel: Any, strides: Any, padding: Any, dilation_rate: Any = 1) -> Window:
    """A sliding window as kernels take it: strides, dilation, top, bottom, left and right padding.

    Raises:
        ValueError: if a number is out of range, or the window is larger than the padded input.
        TypeError: where an integer is expected.
    """
    steps = pair(strides, op, "strides")
    dilation = pair(dilation_rate, op, "dilation_rate")
    extent = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    if isinstance(padding, str):
        if padding.lower() == "valid":
            rows = columns = (0, 0)
        elif padding.lower() == "same":
            rows = _same(size[0], extent[0], steps[0])
            columns = _same(size[1], extent[1], steps[1])
        else:
            raise ValueError(
                f'{op}: padding must be "valid", "same", an integer or ((top, bottom), (left, right)), got {padding!r}'
            )
    elif isinstance(padding, tuple | list):
        if len(padding) != 2 or not all(isinstance(side, tuple | list) for side in padding):
            raise ValueError(f"{op}: padding must be an integer or ((top, bottom), (left, right)), got {padding!r}")
        rows, columns = (pair(side, op, "padding", 0) for side in padding)
    else:
        rows = columns = pair(padding, op, "padding", 0)
    padded = (size[0] + sum(rows), size[1] + sum(columns))
    if max(*steps, *dilation, *padded, *extent) >= 2**31:
        raise ValueError(f"{op}: strides, dilation_rate and the padded size must be below 2**31")
    if extent[0] > padded[0] or extent[1] > padded[1]:
        raise ValueError(f"{op}: the window of {extent} pixels is larger than the padded input of {padded} pixels")
    return (*steps, *dilation, *rows, *columns)


def output_size(size: Any, kernel: Any, window: Window) -> Pair:
    """The rows and columns of a sliding window's output."""
    row, column, row_dilation, column_dilation, top, bottom, left, right = window
    return (
        (size[0] + top + bottom - row_dilation * (kernel[0] - 1) - 1) // row + 1,
        (size[1] + left + right - column_dilation * (kernel[1] - 1) - 1) // column + 1,
    )


def _same(size: int, extent: int, stride: int) -> Pair:
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2
