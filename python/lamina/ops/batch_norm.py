"""batch_norm: every channel shifted and scaled to a learnt mean and spread."""

from __future__ import annotations

from typing import Any, NamedTuple

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.autograd.unsummed import Unsummed
from lamina.ops.checks import float_tensor, real_number, same_dtype
from lamina.ops.normalized import gradients_through, normalized, scaled_and_shifted


class Settings(NamedTuple):
    epsilon: float
    momentum: float
    training: bool
    relu: bool


class BatchNormFunction(Function):
    __slots__ = ("epsilon",)
    epsilon: float

    @property
    def takes_unsummed(self) -> bool:  # type: ignore[override]
        """With a residual and relu: the sum is needed in one pass alone, which writes the residual's gradient."""
        return self.saved[5] is not None

    def forward(
        self, x: Any, gamma: Any, beta: Any, residual: Any, moving_mean: Any, moving_variance: Any, settings: Settings
    ) -> Any:
        x, gamma, beta, residual = [None if a is None else backend.contiguous(a) for a in (x, gamma, beta, residual)]
        epsilon, momentum, training, relu = settings
        self.epsilon = epsilon
        y, inverse = backend.empty_like(x), backend.empty(x.shape[-1:], backend.state_dtype(x.dtype), like=x)
        if training:
            mean = backend.empty_like(inverse)
        else:  # training may move the averages before backward comes
            mean = backend.from_pool(moving_mean) if self.recording else None
        backend.kernels(x).batch_norm_forward(
            x, gamma, beta, residual, moving_mean, moving_variance, mean, inverse, y, training, epsilon, momentum, relu
        )
        self.saved = x, gamma, beta, mean, inverse, y if relu and residual is not None else None, training, relu
        return y

    def backward(self, dy: Any) -> Any:
        x, gamma, beta, mean, inverse, y, training, relu = self.saved
        dy, more_dy = (dy.a, dy.b) if type(dy) is Unsummed else (dy, None)
        arguments = {} if more_dy is None else {"more_dy": backend.contiguous(more_dy)}
        dy = backend.contiguous(dy)
        wants_x, wants_gamma, wants_beta, wants_residual = self.needs
        dz = None if y is None else backend.empty_like(x)
        dx = backend.empty_like(x) if wants_x else None
        dgamma = backend.empty_like(inverse) if wants_gamma else None
        dbeta = backend.empty_like(inverse) if wants_beta else None
        backend.kernels(x).batch_norm_backward(
            x, gamma, beta, mean, inverse, y, dy, dz, dx, dgamma, dbeta, training, relu, **arguments
        )
        return dx, dgamma, dbeta, (dy if dz is None else dz) if wants_residual else None

    def graph_backward(self, dy: Any) -> Any:
        _, _, _, mean, inverse, _, training, relu = self.saved

        def composed(x: Tensor, gamma: Any, beta: Any, residual: Any) -> Tensor:
            if training:
                y = normalized(x, tuple(range(x.ndim - 1)), self.epsilon)
            else:
                y = operators.multiply(operators.subtract(x, Tensor(mean)), Tensor(inverse))
            y = scaled_and_shifted(y, gamma, beta)
            y = y if residual is None else operators.add(y, residual)
            return operators.multiply(y, Tensor((y.array > 0).astype(y.dtype))) if relu else y

        return gradients_through(composed, dy, self.inputs, self.needs)


def batch_norm(
    x: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Any,
    moving_variance: Any,
    epsilon: float = 1e-3,
    momentum: float = 0.99,
    training: bool = False,
    activation: str | None = None,
    residual: Any = None,
) -> Tensor:
    """Batch normalisation over the last axis, with an addition and relu in the same pass.

    y = activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta + residual)

    In training, mean and (biased) variance are those of each channel of x, and the moving averages follow them, in
    place: moving = moving * momentum + statistic * (1 - momentum). Otherwise they are the moving averages. An empty
    batch moves nothing.

    Args:
        x: tensor (..., C), float32 or float64.
        gamma: scale (C,), or None for 1.
        beta: shift (C,), or None for 0.
        moving_mean: (C,); in training an array or tensor that is updated, or None to keep none.
        moving_variance: the same for the variance.
        epsilon: what is added to the variance.
        momentum: how much of the moving averages stays.
        training: whether the statistics are those of x.
        activation: None, "linear" or "relu".
        residual: tensor of x's shape that is added before the activation, or None.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: if dtypes differ, or are no float32 or float64.
        ValueError: for wrong shapes, an unknown activation, numbers out of range, or training with one value a channel.

    Example:
        >>> import lamina as lm
        >>> x = [[0.0, 1.0], [2.0, 3.0]]
        >>> mean, variance = lm.tensor([0.0, 0.0]), lm.tensor([0.0, 0.0])
        >>> y = lm.ops.batch_norm(x, None, None, mean, variance, epsilon=0, momentum=0.75, training=True)
        >>> y.numpy().tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
        >>> mean.numpy().tolist(), variance.numpy().tolist()
        ([0.25, 0.5], [0.25, 0.25])

    Reference:
        Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    x = float_tensor(x, "batch_norm")
    if x.ndim < 1 or x.shape[-1] < 1:
        raise ValueError(f"batch_norm: x must have shape (..., C) with C of at least 1, got {x.shape}")
    given = {"gamma": gamma, "beta": beta, "moving_mean": moving_mean, "moving_variance": moving_variance}
    tensors = {n: None if t is None else float_tensor(t, "batch_norm", n) for n, t in given.items()}
    for name, tensor in tensors.items():
        if tensor is not None and tensor.shape != x.shape[-1:]:
            raise ValueError(f"batch_norm: {name} must have shape {x.shape[-1:]}, got {tensor.shape}")
    if residual is not None:
        residual = float_tensor(residual, "batch_norm", "residual")
        if residual.shape != x.shape:
            raise ValueError(f"batch_norm: residual must have the shape of x, {x.shape}, got {residual.shape}")
    same_dtype("batch_norm", x=x, **tensors, residual=residual)
    if activation not in (None, "linear", "relu"):
        raise ValueError(f'batch_norm: activation must be None, "linear" or "relu", got {activation!r}')
    if not 0 <= real_number(epsilon, "batch_norm", "epsilon") < float("inf"):
        raise ValueError(f"batch_norm: epsilon must be at least 0, got {epsilon}")
    if not 0 <= real_number(momentum, "batch_norm", "momentum") <= 1:
        raise ValueError(f"batch_norm: momentum must be in [0, 1], got {momentum}")
    if training and x.size == x.shape[-1]:
        raise ValueError(f"batch_norm: training needs more than one value a channel, got x of shape {x.shape}")
    moving = [tensors["moving_mean"], tensors["moving_variance"]]
    arrays = [None if t is None else t.array for t in moving]
    for name, array in zip(("moving_mean", "moving_variance"), arrays, strict=True):
        if array is None:
            if not training:
                raise ValueError(f"batch_norm: {name} is needed when not training")
        elif training and not (isinstance(given[name], Tensor) or given[name] is array):
            raise TypeError(f"batch_norm: training updates {name}, which must be a tensor or a native array of floats")
        elif training and backend.on_host(array) and not array.flags.writeable:
            raise ValueError(f"batch_norm: training updates {name}, which is read-only")
        if array is not None and (training or isinstance(given[name], Tensor)):
            backend.refuse_mixed("batch_norm", **{"x": x.array, name: array})
    plain = [None if a is None else backend.contiguous(backend.moved(a, x.array)) for a in arrays]
    settings = Settings(float(epsilon), float(momentum), bool(training), activation == "relu")
    y: Tensor = BatchNormFunction.apply((x, tensors["gamma"], tensors["beta"], residual), *plain, settings)
    if training:
        for array, updated in zip(arrays, plain, strict=True):
            if array is not None and updated is not array:
                array[...] = updated
    return y
