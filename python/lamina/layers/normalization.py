"""Normalisation."""

from __future__ import annotations

import math
from typing import Any

from lamina import constraints, initializers, ops, regularizers
from lamina.autograd.tensor import as_tensor
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape


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
        renorm: False; batch renormalisation is not there.
        synchronized: False; there is one device.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    ``mask=`` in the call (of x's shape without the axis; what is True counts) leaves the rest out of the statistics.

    Weights: gamma, beta, moving_mean, moving_variance, each (size of the axis,).

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.BatchNormalization(epsilon=1e-9)
        >>> layer([[1.0, 10.0], [3.0, 30.0]], training=True).numpy().round(4).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]

    Reference:
        Ioffe & Szegedy 2015, arXiv:1502.03167.
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
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if synchronized:
            raise ValueError(
                f"{self.name}: synchronized must be False: there is one device, and nothing to synchronise"
            )
        if renorm:
            raise ValueError(f"{self.name}: renorm must be False: batch renormalisation is not implemented")
        if isinstance(axis, bool) or not hasattr(axis, "__index__"):
            raise TypeError(f"{self.name}: axis must be an integer, got {axis!r}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"{self.name}: momentum must be from 0 to 1, got {momentum}")
        if not epsilon > 0:
            raise ValueError(f"{self.name}: epsilon must be positive, got {epsilon}")
        self.axis, self.momentum, self.epsilon = int(axis), float(momentum), float(epsilon)
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
                (size,), self.gamma_initializer, None, True, self.gamma_regularizer, "gamma", self.gamma_constraint
            )
        if self.center:
            self.beta = self.add_weight(
                (size,), self.beta_initializer, None, True, self.beta_regularizer, "beta", self.beta_constraint
            )
        self.moving_mean = self.add_weight((size,), self.moving_mean_initializer, None, False, None, "moving_mean")
        self.moving_variance = self.add_weight(
            (size,), self.moving_variance_initializer, None, False, None, "moving_variance"
        )

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        if mask is not None and training and self._trainable:
            return self._masked(x, as_tensor(mask))
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
        )
        return ops.transpose(y, _swap(y.ndim, self.axis)) if swapped else y

    def _masked(self, x: Any, mask: Any) -> Any:
        """Training with statistics of what the mask holds."""
        axis = self.axis % x.ndim
        shape = tuple(n for i, n in enumerate(x.shape) if i != axis)
        if mask.shape != shape:
            raise ValueError(f"{self.name}: mask must have the shape of x without the axis, {shape}, got {mask.shape}")
        chosen = ops.cast(ops.expand_dims(mask, axis), "bool")
        others = tuple(i for i in range(x.ndim) if i != axis)
        count = float(chosen.array.sum()) + 1e-7
        mean = ops.sum(ops.where(chosen, x, 0.0), others, keepdims=True) / count
        from_mean = ops.where(chosen, x - mean, 0.0)
        variance = ops.sum(from_mean * from_mean, others, keepdims=True) / count
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept = moving.array * self.momentum + now.array.reshape(-1) * (1 - self.momentum)
            moving.array[...] = kept
        wide = [1] * x.ndim
        wide[axis] = x.shape[axis]
        y = (x - mean) * ops.power(variance + self.epsilon, -0.5)
        if self.gamma is not None:
            y = y * ops.reshape(self.gamma, tuple(wide))
        return y if self.beta is None else y + ops.reshape(self.beta, tuple(wide))

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
            "synchronized": False,
        }


def _swap(rank: int, axis: int) -> tuple[int, ...]:
    """The axes with this one and the last exchanged; its own inverse."""
    axes = list(range(rank))
    axes[axis], axes[-1] = axes[-1], axes[axis]
    return tuple(axes)
