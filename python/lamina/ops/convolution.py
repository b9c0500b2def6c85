"""What convolutions of every number of axes share: windows, checks, and the two rules on the tape.

Kernels know two and three axes. One axis goes to them as rows of pixels, images of height 1; depthwise convolution as
as many groups as there are channels; a transposed convolution as the gradient of a convolution to its input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.autograd.unpooled import Unpooled
from lamina.ops.activations import activation_number, before_activation
from lamina.ops.checks import float_tensor, integer, remembered, same_dtype
from lamina.ops.convolution_window import Shape, output_size, window_of

IMAGES = {1: "(N, T, C)", 2: "(N, H, W, C)", 3: "(N, D, H, W, C)"}
AXES = {1: "KT", 2: "KH, KW", 3: "KD, KH, KW"}

MODES = {"fast": 0, "accurate": 1, "direct": 2}
_mode = "fast"
PAIRS = (1, 2, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0)  # a pool over 2 x 2 pixels side by side, as its kernels take it
FEW_CHANNELS = 8  # below, kernels read x tap by tap
DEPTHWISE: Any = object()  # for groups: as many as there are channels


def set_convolution(mode: str) -> None:
    """Chooses how 3x3 convolutions of stride 1 (dilated and grouped ones too) and 4x4 ones of strides 2 are computed.

    All others, and those with few channels, are direct in any case. Transposed convolutions count as what they
    are the gradient of.

    Every mode gives the same bits for any number of threads, instruction set and batch.

    Args:
        mode: "fast": Winograd F(4x4, 3x3) where it pays (rms error about 2.5 times direct's), and F(3x3, 2x2) for 4x4
            kernels (1.2 times), or F(5x5, 2x2) where it takes a quarter of the products less (7 times); "accurate":
            Winograd F(2x2, 3x3), faster and more exact than direct, and 4x4 kernels direct; "direct": the plain sum.

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
    """The mode that `set_convolution` chose: "fast", "accurate" or "direct".

    Example:
        >>> import lamina as lm
        >>> lm.convolution()
        'fast'
    """
    return _mode


class Geometry(NamedTuple):
    """A convolution as kernels take it: shapes of four or five axes, and a window (see `window_of`)."""

    x: Shape
    kernel: Shape
    y: Shape
    window: Shape
    groups: int
    activation: int
    mode: int


class ConvolutionFunction(Function):
    takes_unpooled = True

    def forward(self, x: Any, kernel: Any, bias: Any, g: Geometry, shape: Shape) -> Any:
        shapes = x.shape, kernel.shape
        x, kernel = _as(backend.contiguous(x), g.x), _as(backend.contiguous(kernel), g.kernel)
        bias = None if bias is None else backend.contiguous(bias)
        y = backend.empty(g.y, x.dtype, like=x)
        backend.kernels(x).conv2d_forward(x, kernel, bias, y, g.window, g.groups, g.activation, g.mode)
        if self.recording:
            self.saved = x, kernel, y if g.activation else None, g, shapes
        return _as(y, shape)

    def backward(self, dy: Any) -> Any:
        return self.gradients(dy, *self.saved)

    def graph_backward(self, dy: Any) -> Any:
        x, kernel, _ = self.inputs
        y, g, shapes = self.saved[2:]
        dz = before_activation(dy, None if y is None else self.output(y.reshape(dy.shape)), g.activation)
        g = g._replace(activation=0)
        dx = ConvolutionTransposeFunction.apply((dz, kernel, None), g, shapes[0]) if self.needs[0] else None
        dkernel = ConvolutionKernelFunction.apply((x, dz), g, shapes[1]) if self.needs[1] else None
        return dx, dkernel, _summed_to_bias(dz) if self.needs[2] else None

    def gradients(self, dy: Any, x: Any, kernel: Any, y: Any, g: Geometry, shapes: Any) -> Any:
        kernels = backend.kernels(x)
        needs_x, needs_kernel, needs_bias = self.needs
        dx = dkernel = db = None
        if needs_kernel and type(dy) is Unpooled and _sums_over_windows(x, dy, g):
            dkernel = backend.empty_like(kernel)
            db = backend.empty(g.y[-1], dy.dtype) if needs_bias else None
            kernels.conv2d_pool_backward_kernel(
                x, dy.y, backend.contiguous(dy.dy), dy.offsets, dkernel, db, g.window, g.activation
            )
            dkernel = _as(dkernel, shapes[1])
            if not needs_x:
                return None, dkernel, db
            needs_kernel = needs_bias = False
        dz, sums = _before_activation(needs_bias, dy, g.y, y, g.activation)
        if needs_bias:
            db = sums
        if needs_kernel:
            dkernel = backend.empty_like(kernel)
            kernels.conv2d_backward_kernel(x, dz, dkernel, g.window, g.groups, g.mode)
            dkernel = _as(dkernel, shapes[1])
        if needs_x:
            dx = backend.empty_like(x)
            kernels.conv2d_backward_input(dz, kernel, dx, g.window, g.groups, g.mode)
            dx = _as(dx, shapes[0])
        return dx, dkernel, db


def _sums_over_windows(x: Any, dy: Unpooled, g: Geometry) -> bool:
    """Whether the kernel's gradient is read from the pool's: few channels, and windows of 2 x 2 side by side."""
    return (
        dy.window == PAIRS
        and dy.images == (g.y[0], 1, *g.y[1:])
        and len(g.y) == 4
        and g.groups == 1
        and g.x[-1] < FEW_CHANNELS
        and g.mode != MODES["direct"]  # whose bits are those of a GPU, step by step
        and backend.on_host(x)
    )


class ConvolutionTransposeFunction(Function):
    """Of the convolution g, x and y exchanged: what is given is its y, what comes out is its x."""

    takes_unpooled = True

    def forward(self, x: Any, kernel: Any, bias: Any, g: Geometry, shape: Shape) -> Any:
        shapes = x.shape, kernel.shape
        x, kernel = _as(backend.contiguous(x), g.y), _as(backend.contiguous(kernel), g.kernel)
        bias = None if bias is None else backend.contiguous(bias)
        y = backend.empty(g.x, x.dtype, like=x)
        backend.kernels(x).conv2d_backward_input(x, kernel, y, g.window, g.groups, g.mode, bias, g.activation)
        if self.recording:
            self.saved = x, kernel, y if g.activation else None, g, shapes
        return _as(y, shape)

    def backward(self, dy: Any) -> Any:
        x, kernel, y, g, shapes = self.saved
        kernels = backend.kernels(x)
        dz, db = _before_activation(self.needs[2], dy, g.x, y, g.activation)
        dx = dkernel = None
        if self.needs[1]:
            dkernel = backend.empty_like(kernel)
            kernels.conv2d_backward_kernel(dz, x, dkernel, g.window, g.groups, g.mode)
            dkernel = _as(dkernel, shapes[1])
        if self.needs[0]:
            dx = backend.empty_like(x)
            kernels.conv2d_forward(dz, kernel, None, dx, g.window, g.groups, 0, g.mode)
            dx = _as(dx, shapes[0])
        return dx, dkernel, db

    def graph_backward(self, dy: Any) -> Any:
        x, kernel, _ = self.inputs
        y, g, shapes = self.saved[2:]
        dz = before_activation(dy, None if y is None else self.output(y.reshape(dy.shape)), g.activation)
        g = g._replace(activation=0)
        dx = ConvolutionFunction.apply((dz, kernel, None), g, shapes[0]) if self.needs[0] else None
        dkernel = ConvolutionKernelFunction.apply((dz, x), g, shapes[1]) if self.needs[1] else None
        return dx, dkernel, _summed_to_bias(dz) if self.needs[2] else None


class ConvolutionKernelFunction(Function):
    """The gradient of the convolution g to its kernel, by x and the gradient of y: an op only for gradients of it."""

    def forward(self, x: Any, dy: Any, g: Geometry, shape: Shape) -> Any:
        self.saved = x.shape, dy.shape, g
        x, dy = _as(backend.contiguous(x), g.x), _as(backend.contiguous(dy), g.y)
        dkernel = backend.empty(g.kernel, x.dtype, like=x)
        backend.kernels(x).conv2d_backward_kernel(x, dy, dkernel, g.window, g.groups, g.mode)
        return _as(dkernel, shape)

    def backward(self, d: Any) -> Any:
        x_shape, y_shape, g = self.saved
        x, dy = (tensor.array for tensor in self.inputs if tensor is not None)
        d = _as(backend.contiguous(d), g.kernel)
        kernels = backend.kernels(d)
        dx = ddy = None
        if self.needs[0]:
            dx = backend.empty(g.x, d.dtype, like=d)
            kernels.conv2d_backward_input(_as(backend.contiguous(dy), g.y), d, dx, g.window, g.groups, g.mode)
            dx = _as(dx, x_shape)
        if self.needs[1]:
            ddy = backend.empty(g.y, d.dtype, like=d)
            kernels.conv2d_forward(_as(backend.contiguous(x), g.x), d, None, ddy, g.window, g.groups, 0, g.mode)
            ddy = _as(ddy, y_shape)
        return dx, ddy

    def graph_backward(self, d: Any) -> Any:
        x_shape, y_shape, g = self.saved
        x, dy = self.inputs
        dx = ConvolutionTransposeFunction.apply((dy, d, None), g, x_shape) if self.needs[0] else None
        return dx, ConvolutionFunction.apply((x, d, None), g, y_shape) if self.needs[1] else None


def _summed_to_bias(dz: Tensor) -> Tensor:
    return operators.sum(dz, tuple(range(dz.ndim - 1)), False)


def _as(array: Any, shape: Shape) -> Any:
    return array if array.shape == shape else array.reshape(shape)


def _before_activation(needs_bias: bool, dy: Any, shape: Shape, y: Any, activation: int) -> tuple[Any, Any]:
    """The gradients of what went into the activation, in this shape, and of the bias."""
    unpooled = dy if type(dy) is Unpooled else None
    if unpooled is not None:
        dy, y = unpooled.dy, unpooled.y if activation else None
    elif dy.shape != shape:
        dy = dy.reshape(shape)
    dy = backend.contiguous(dy)
    dz = backend.empty_like(dy) if activation else dy
    db = backend.empty(dy.shape[-1], dy.dtype, like=dy) if needs_bias else None
    if activation or needs_bias:
        backend.kernels(dy).bias_backward(y, dy, activation, dz if activation else None, db)
    if unpooled is not None:
        dz = _as(unpooled.replace(dz).dense(), shape)
    return dz, db


def convolve(op: str, rank: int, x: Any, kernel: Any, bias: Any, *arguments: Any) -> Tensor:
    """A convolution over `rank` axes; arguments: strides, padding, dilation_rate, groups, activation."""
    return ConvolutionFunction.apply(*prepared(op, rank, x, kernel, bias, *arguments))


def prepared(
    op: str,
    rank: int,
    x: Any,
    kernel: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    activation: str | None,
) -> tuple[tuple[Tensor, Tensor, Tensor | None], Geometry, Shape]:
    """The tensors, the geometry and the output's shape, all checked; groups DEPTHWISE: kernel (..., C, M)."""
    number = activation_number(activation, op)
    x, kernel, bias = operands(op, rank, x, kernel, bias, "(C, M)" if groups is DEPTHWISE else "(C / groups, K)")
    geometry, shape = _plan(
        op, rank, x.shape, kernel.shape, strides, padding, dilation_rate, groups, number, MODES[_mode]
    )
    check_bias(op, bias, shape[-1])
    return (x, kernel, bias), geometry, shape


@remembered
def _plan(
    op: str, rank: int, x: Shape, kernel: Shape, strides: Any, padding: Any, dilation_rate: Any, groups: Any,
    activation: int, mode: int,
) -> tuple[Geometry, Shape]:  # fmt: skip
    """The geometry, and the shape of the output."""
    size, taps = x[1:-1], kernel[:-2]
    if groups is DEPTHWISE:
        groups, filters = depthwise_groups(op, x, kernel)
    else:
        filters = kernel[-1]
        groups = check_groups(op, x[-1], kernel, groups)
    window = window_of(op, size, taps, strides, padding, dilation_rate)
    shape = (x[0], *output_size(size, taps, window), filters)
    geometry = geometry_of(x, (*taps, x[-1] // groups, filters), shape, window, groups, activation)
    return geometry._replace(mode=mode), shape


def operands(op: str, rank: int, x: Any, kernel: Any, bias: Any, channels: str) -> tuple[Tensor, Tensor, Tensor | None]:
    """x, kernel and bias as tensors of one dtype and fitting ranks; only the batch may be empty."""
    x = float_tensor(x, op)
    kernel = as_tensor(kernel)
    bias = None if bias is None else as_tensor(bias)
    same_dtype(op, x=x, kernel=kernel, bias=bias)
    if x.ndim != rank + 2:
        raise ValueError(f"{op}: x must have shape {IMAGES[rank]}, got {x.shape}")
    if kernel.ndim != rank + 2:
        raise ValueError(f"{op}: kernel must have shape ({AXES[rank]}, {channels[1:]}, got {kernel.shape}")
    if 0 in x.shape[1:] or 0 in kernel.shape:
        raise ValueError(
            f"{op}: only the batch may be empty, got x of shape {x.shape} and kernel of shape {kernel.shape}"
        )
    return x, kernel, bias


def check_bias(op: str, bias: Tensor | None, filters: int) -> None:
    """Raises ValueError unless there is one value a filter."""
    if bias is not None and bias.shape != (filters,):
        raise ValueError(f"{op}: bias must have shape {(filters,)}, got {bias.shape}")


def check_groups(op: str, channels: int, kernel_shape: Shape, groups: Any) -> int:
    """The groups as a number, after checks against the channels of x and the kernel."""
    groups = integer(groups, op, "groups", 1)
    if channels % groups or kernel_shape[-1] % groups:
        raise ValueError(
            f"{op}: groups must divide the {channels} channels of x and the {kernel_shape[-1]} filters, got {groups}"
        )
    if kernel_shape[-2] != channels // groups:
        per_group = "" if groups == 1 else f" / {groups} groups = {channels // groups}"
        raise ValueError(
            f"{op}: kernel takes {kernel_shape[-2]} channels (shape {kernel_shape}), x has {channels}{per_group}"
        )
    return groups


def depthwise_groups(op: str, x_shape: Shape, kernel_shape: Shape) -> tuple[int, int]:
    """Groups and filters of a depthwise convolution."""
    channels, multiplier = kernel_shape[-2:]
    if channels != x_shape[-1]:
        raise ValueError(f"{op}: kernel takes {channels} channels (shape {kernel_shape}), x has {x_shape[-1]}")
    return channels, channels * multiplier


def geometry_of(x: Shape, kernel: Shape, y: Shape, window: Shape, groups: int, activation: int) -> Geometry:
    """One axis becomes rows of pixels: images of height 1."""
    if len(x) == 3:
        x, kernel, y = (x[0], 1, *x[1:]), (1, *kernel), (y[0], 1, *y[1:])
        stride, dilation, before, after = window
        window = (1, stride, 1, dilation, 0, 0, before, after)
    return Geometry(x, kernel, y, window, groups, activation, MODES[_mode])
