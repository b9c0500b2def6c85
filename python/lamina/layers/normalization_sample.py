"""Normalisation within a sample: the same in training and after it."""

from __future__ import annotations

import math
from typing import Any

from lamina import constraints, initializers, ops, regularizers
from lamina.kinds import is_integer
from lamina.layers.checks import above_zero
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape


class _Scaled(Layer):
    """What layers with gamma and beta share."""

    supports_masking = True

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = above_zero(epsilon, self.name, "epsilon")
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def _add_scale(self, shape: tuple[int, ...], center: bool) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                shape, self.gamma_initializer, None, True, self.gamma_regularizer, "gamma", self.gamma_constraint
            )
        if center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, None, True, self.beta_regularizer, "beta", self.beta_constraint
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 7 * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


@register
class LayerNormalization(_Scaled):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance along the axes of each sample.

    Args:
        axis: the axis, or several; none of them the batch.
        epsilon: added to the variance, positive.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer, gamma_initializer: first values.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: what the weights are held to after each step of training.
        rms_scaling: y = gamma x / sqrt(variance + epsilon) instead, as old Keras code asks for; see RMSNormalization.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: gamma, beta, each of the shape of the axes.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.LayerNormalization(epsilon=1e-9)
        >>> layer([[1.0, 3.0], [10.0, 30.0]]).numpy().round(4).tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]

    Reference:
        Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        self.axis = _axes(axis, self.name)
        self.rms_scaling = bool(rms_scaling)
        self.scale = self.scale or self.rms_scaling

    def build(self, input_shape: Any) -> None:
        self._add_scale(_sizes(self.axis, input_shape, self.name), self.center and not self.rms_scaling)

    def call(self, x: Any) -> Any:
        return ops.layer_norm(x, self.gamma, self.beta, self.axis, self.epsilon, self.rms_scaling)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": _stored(self.axis), "rms_scaling": self.rms_scaling}


@register
class RMSNormalization(Layer):
    """y = scale * x / sqrt(mean of x^2 + epsilon), the mean along the axes of each sample.

    Args:
        axis: the axis, or several; none of them the batch.
        epsilon: added to the mean, positive.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: scale, of the shape of the axes.

    Example:
        >>> import lamina as lm
        >>> lm.layers.RMSNormalization()([[2.0, -2.0]]).numpy().round(4).tolist()
        [[1.0, -1.0]]

    Reference:
        Zhang & Sennrich 2019, arXiv:1910.07467.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(axis, self.name)
        self.epsilon = above_zero(epsilon, self.name, "epsilon")

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(_sizes(self.axis, input_shape, self.name), "ones", name="scale")

    def call(self, x: Any) -> Any:
        return ops.rms_norm(x, self.scale, self.axis, self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 4 * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": _stored(self.axis), "epsilon": self.epsilon}


@register
class GroupNormalization(_Scaled):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, for each sample's groups of neighbouring channels.

    Args:
        groups: how many groups, which divides the channels; -1 for as many as channels (instance normalisation).
        axis: the axis of the channels.
        epsilon: added to the variance, positive.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer, gamma_initializer: first values.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: what the weights are held to after each step of training.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: gamma, beta, each (channels,).

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.GroupNormalization(groups=2, epsilon=1e-9)
        >>> layer([[1.0, 3.0, 10.0, 30.0]]).numpy().round(4).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Reference:
        Wu & He 2018, arXiv:1803.08494.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        if not is_integer(groups):
            raise TypeError(f"{self.name}: groups must be an integer, got {groups!r}")
        if groups < 1 and groups != -1:
            raise ValueError(
                f"{self.name}: groups must be at least 1, or -1 for a group for each channel, got {groups}"
            )
        self.groups = int(groups)
        if isinstance(axis, tuple | list):
            raise TypeError(f"{self.name}: axis must be an integer, got {axis!r}")
        self.axis = _axes(axis, self.name)

    def build(self, input_shape: Any) -> None:
        (channels,) = _sizes(self.axis, input_shape, self.name)
        if self.groups > 0 and channels % self.groups:
            raise ValueError(f"{self.name}: groups must divide the channels, {channels}, got {self.groups}")
        self._add_scale((channels,), self.center)

    def call(self, x: Any) -> Any:
        groups = x.shape[self.axis] if self.groups == -1 else self.groups
        return ops.group_norm(x, self.gamma, self.beta, groups, self.axis, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


@register
class UnitNormalization(Layer):
    """y = x / |x|, the Euclidean norm along the axes: vectors of length 1; zeros stay.

    Args:
        axis: the axis, or several.
        **kwargs: name, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.UnitNormalization()([[0.0, -4.0], [0.0, 0.0]]).numpy().round(4).tolist()
        [[0.0, -1.0], [0.0, 0.0]]
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(axis, self.name)

    def call(self, x: Any) -> Any:
        return ops.unit_norm(x, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 3 * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": _stored(self.axis)}


def _axes(axis: Any, owner: str) -> Any:
    several = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    for a in several:
        if not is_integer(a):
            raise TypeError(f"{owner}: axis must be an integer or a list of them, got {axis!r}")
    return tuple(int(a) for a in several) if isinstance(axis, tuple | list) else int(axis)


def _stored(axis: Any) -> Any:
    return list(axis) if isinstance(axis, tuple) else axis


def _sizes(axis: Any, input_shape: Any, owner: str) -> tuple[int, ...]:
    """The sizes of the axes, in the order of x's axes; the batch is not among them."""
    several = axis if isinstance(axis, tuple) else (axis,)
    rank = len(input_shape)
    for a in several:
        if not -rank <= a < rank or a % rank == 0:
            raise ValueError(f"{owner}: axis {a} is not one of x's, shape {input_shape}, after the batch")
    sizes = tuple(input_shape[a] for a in sorted(a % rank for a in several))
    if None in sizes:
        raise ValueError(f"{owner}: the sizes of axis {axis} must be known, got shape {input_shape}")
    return sizes
