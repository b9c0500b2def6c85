"""Normalisation."""

from __future__ import annotations

import math
from typing import Any

from lamina import initializers, ops, regularizers
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
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: gamma, beta, moving_mean, moving_variance, each (size of the axis,).

    Reference:
        Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
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
            self.gamma = self.add_weight((size,), self.gamma_initializer, None, True, self.gamma_regularizer, "gamma")
        if self.center:
            self.beta = self.add_weight((size,), self.beta_initializer, None, True, self.beta_regularizer, "beta")
        self.moving_mean = self.add_weight((size,), self.moving_mean_initializer, None, False, None, "moving_mean")
        self.moving_variance = self.add_weight(
            (size,), self.moving_variance_initializer, None, False, None, "moving_variance"
        )

    def call(self, x: Any, training: bool = False) -> Any:
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
        }


def _swap(rank: int, axis: int) -> tuple[int, ...]:
    """The axes with this one and the last exchanged; its own inverse."""
    axes = list(range(rank))
    axes[axis], axes[-1] = axes[-1], axes[axis]
    return tuple(axes)
