"""Normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, constraints, initializers, ops, regularizers
from lamina.autograd import narrow
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer
from lamina.layers.checks import above_zero, real, share
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape

Array = Any


@register
class BatchNormalization(Layer):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each entry of one axis.

    In training mean and variance are those of the batch, over all other axes, and the moving ones follow them:
    moving = momentum * moving + (1 - momentum) * batch's. Else, and in a layer with ``trainable=False``, the moving
    ones are used.

    Args:
        axis: the axis that keeps its entries apart, usually the channels.
        momentum: of the moving mean and variance, from 0 to 1.
        epsilon: added to the variance, positive.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: first values.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: what the weights are held to after each step of training.
        renorm: whether training goes by batch renormalisation: y = gamma (r (x - mean) / sqrt(variance + epsilon) + d)
            + beta with r = deviation / renorm_stddev and d = (mean - renorm_mean) / renorm_stddev, which take the
            batch's statistics to moving ones of the same kind; gradients do not pass through r and d.
        renorm_clipping: bounds of the two: a dictionary of rmin, rmax, dmax (d lies from -dmax to dmax), or some of
            them.
        renorm_momentum: of renorm_mean and renorm_stddev, from 0 to 1.
        synchronized: False; there is one device.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    ``mask=`` in the call (of x's shape without the axis; what is True counts) leaves the rest out of the statistics.

    Weights: gamma, beta, moving_mean, moving_variance, each (size of the axis,); with renorm also moving_stddev,
    renorm_mean, renorm_stddev.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.BatchNormalization(epsilon=1e-9)
        >>> layer([[1.0, 10.0], [3.0, 30.0]], training=True).numpy().round(4).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]

    Reference:
        Ioffe & Szegedy 2015, arXiv:1502.03167; Ioffe 2017, "Batch Renormalization", arXiv:1702.03275.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if synchronized:
            raise ValueError(
                f"{self.name}: synchronized must be False: there is one device, and nothing to synchronise"
            )
        if not is_integer(axis):
            raise TypeError(f"{self.name}: axis must be an integer, got {axis!r}")
        epsilon = above_zero(epsilon, self.name, "epsilon")
        self.renorm, self.renorm_momentum = bool(renorm), share(renorm_momentum, self.name, "renorm_momentum")
        self.renorm_clipping = _clipping(renorm_clipping, self.name)
        self.axis, self.momentum, self.epsilon = int(axis), share(momentum, self.name, "momentum"), float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        if not -rank < self.axis < rank or self.axis == 0:
            raise ValueError(f"{self.name}: axis {self.axis} is not one of x's, shape {input_shape}, after the batch")
        size = input_shape[self.axis]
        if size is None:
            raise ValueError(f"{self.name}: the size of axis {self.axis} must be known, got shape {input_shape}")
        if self.scale:
            self.gamma = self.add_weight(
                (size,),
                self.gamma_initializer,
                None,
                True,
                self.gamma_regularizer,
                "gamma",
                self.gamma_constraint,
                autocast=False,
            )
        if self.center:
            self.beta = self.add_weight(
                (size,),
                self.beta_initializer,
                None,
                True,
                self.beta_regularizer,
                "beta",
                self.beta_constraint,
                autocast=False,
            )
        kept = backend.state_dtype(self._variable_dtype)  # averages would not move in 16 bits
        self.moving_mean = self.add_weight((size,), self.moving_mean_initializer, kept, False, None, "moving_mean")
        self.moving_variance = self.add_weight(
            (size,), self.moving_variance_initializer, kept, False, None, "moving_variance"
        )
        if self.renorm:
            self.moving_stddev = self.add_weight((size,), self._deviations, kept, False, None, "moving_stddev")
            self.renorm_mean = self.add_weight((size,), self.moving_mean_initializer, kept, False, None, "renorm_mean")
            self.renorm_stddev = self.add_weight((size,), self._deviations, kept, False, None, "renorm_stddev")

    def _deviations(self, shape: Any, dtype: Any) -> Array:
        return np.sqrt(np.asarray(self.moving_variance_initializer(shape, dtype=dtype)))

    def call(
        self, x: Any, training: bool = False, mask: Any = None, residual: Any = None, activation: str | None = None
    ) -> Any:
        """With `residual` and `activation` ("relu"), what an Add and an Activation behind it make of the output: one op
        does the work of all, where `takes_sum` says so."""
        if mask is not None:
            mask = self._fitting(mask, x)
        if training and self._trainable and (self.renorm or mask is not None):
            return narrow.rounded(self._by_moments(narrow.widened(x), mask), self._dtype)
        swapped = self.axis not in (-1, x.ndim - 1)
        if swapped:
            x = ops.transpose(x, _swap(x.ndim, self.axis))
        y = ops.batch_norm(
            x,
            self.gamma,
            self.beta,
            self.moving_mean,
            self.moving_variance,
            self.epsilon,
            self.momentum,
            training and self._trainable,
            activation,
            residual,
        )
        return ops.transpose(y, _swap(y.ndim, self.axis)) if swapped else y

    def takes_sum(self, *after: Layer) -> bool:
        """Whether `call` can do the work of the layers that come next: an Add, a relu, or both."""
        last_axis = self.built and self.axis in (-1, len(self._build_shape) - 1)
        if not last_axis or self.renorm or self._dtype.itemsize < 4 or self._policy.mixed:  # 16 bits: rounded between
            return False
        return all(layer._dtype == self._dtype and layer.activity_regularizer is None for layer in (self, *after))

    def _fitting(self, mask: Any, x: Any) -> Any:
        mask, rest = as_tensor(mask, like=x), list(x.shape)
        del rest[self.axis]
        if mask.shape != tuple(rest):
            raise ValueError(
                f"{self.name}: mask must have the shape of x without the axis, {tuple(rest)}, got {mask.shape}"
            )
        return mask

    def _by_moments(self, x: Any, mask: Any) -> Any:
        """Training step by step: with statistics of what a mask holds, or renormalised."""
        axis = self.axis % x.ndim
        others = tuple(i for i in range(x.ndim) if i != axis)
        mean, variance = self._moments(x, mask, axis, others)
        y = (x - mean) * ops.power(variance + self.epsilon, -0.5)
        wide = tuple(x.shape[axis] if i == axis else 1 for i in range(x.ndim))
        now = mean.array.reshape(-1), variance.array.reshape(-1)
        if self.renorm:
            r, d = self._corrections(*now)
            y = y * Tensor(r.reshape(wide)) + Tensor(d.reshape(wide))
            self._follow_deviations(*now)
        else:
            _follow(self.moving_mean, now[0], self.momentum)
            _follow(self.moving_variance, now[1], self.momentum)
        if self.gamma is not None:
            y = y * ops.reshape(self.gamma, wide)
        return y if self.beta is None else y + ops.reshape(self.beta, wide)

    def _moments(self, x: Any, mask: Any, axis: int, others: tuple[int, ...]) -> tuple[Any, Any]:
        """Mean and variance of each entry of the axis; what a mask leaves out does not count."""
        if mask is None:
            if x.size == x.shape[axis]:
                raise ValueError(f"{self.name}: training needs more than one value a channel, got x of shape {x.shape}")
            mean = ops.mean(x, others, keepdims=True)
            return mean, ops.mean(ops.square(x - mean), others, keepdims=True)
        chosen = ops.cast(ops.expand_dims(mask, axis), "bool")
        counted = chosen.array.sum() + 1e-7
        count = float(counted) if backend.on_host(counted) else Tensor(counted.astype(x.dtype))
        mean = ops.sum(ops.where(chosen, x, 0.0), others, keepdims=True) / count
        from_mean = ops.where(chosen, x - mean, 0.0)
        return mean, ops.sum(from_mean * from_mean, others, keepdims=True) / count

    def _corrections(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """r and d, which take the batch's statistics to the moving ones; constants, as far as gradients go."""
        xp = backend.array_module(mean)
        moving = xp.maximum(self.renorm_stddev.array, mean.dtype.type(np.sqrt(self.epsilon)))
        r = xp.sqrt(variance + mean.dtype.type(self.epsilon)) / moving
        d = (mean - self.renorm_mean.array) / moving
        clipping = self.renorm_clipping
        most = clipping.get("dmax")
        if "rmin" in clipping or "rmax" in clipping:
            r = xp.clip(r, clipping.get("rmin"), clipping.get("rmax"))
        return r, d if most is None else xp.clip(d, -most, most)

    def _follow_deviations(self, mean: Array, variance: Array) -> None:
        """Renormalisation has deviations follow the batch's; the moving variance is made of the one for inference."""
        xp = backend.array_module(variance)
        deviation = xp.sqrt(variance + mean.dtype.type(self.epsilon))
        _follow(self.renorm_mean, mean, self.renorm_momentum)
        _follow(self.renorm_stddev, deviation, self.renorm_momentum)
        _follow(self.moving_mean, mean, self.momentum)
        _follow(self.moving_stddev, deviation, self.momentum)
        squared = self.moving_stddev.array * self.moving_stddev.array
        self.moving_variance.array[...] = xp.maximum(squared - mean.dtype.type(self.epsilon), 0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 2 * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
            "renorm": self.renorm,
            "renorm_clipping": dict(self.renorm_clipping) or None,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": False,
        }


def _follow(moving: Any, now: Array, momentum: float) -> None:
    moving.array[...] = moving.array * momentum + now * (1 - momentum)


def _clipping(bounds: Any, owner: str) -> dict[str, float]:
    """The bounds of renormalisation's corrections.

    Raises:
        TypeError: if they are no dictionary of numbers.
        ValueError: for other names, or bounds that leave nothing.
    """
    if bounds is None:
        return {}
    if not isinstance(bounds, dict) or not all(value is None or real(value) for value in bounds.values()):
        raise TypeError(f"{owner}: renorm_clipping must be a dictionary of numbers, got {bounds!r}")
    unknown = [name for name in bounds if name not in ("rmin", "rmax", "dmax")]
    if unknown:
        raise ValueError(f"{owner}: renorm_clipping may have rmin, rmax and dmax, got {unknown}")
    found = {name: float(value) for name, value in bounds.items() if value is not None}
    if not found.get("rmin", 0.0) <= found.get("rmax", math.inf) or not found.get("dmax", 0.0) >= 0:
        raise ValueError(f"{owner}: renorm_clipping must have rmin up to rmax and dmax of at least 0, got {bounds!r}")
    return found


def _swap(rank: int, axis: int) -> tuple[int, ...]:
    """The axes with this one and the last exchanged; its own inverse."""
    axes = list(range(rank))
    axes[axis], axes[-1] = axes[-1], axes[axis]
    return tuple(axes)
