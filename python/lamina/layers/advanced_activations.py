"""Activations as layers: ReLU, LeakyReLU, PReLU, ELU, Softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, constraints, initializers, ops, regularizers
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.layer import Layer, register
from lamina.layers.masks import MaskArguments
from lamina.layers.shapes import Shape
from lamina.ops.activation_function import number

MASKED = -1e9  # what stands for a value that is masked


class _Elementwise(Layer):
    """What keeps the shape."""

    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return math.prod(input_shape[1:])


@register
class ReLU(_Elementwise):
    """y = min(x, max_value) where x > threshold, else negative_slope (x - threshold).

    Args:
        max_value: the largest output, not negative; None for no bound.
        negative_slope: the slope below the threshold, not negative.
        threshold: where the slope changes, not negative.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.ReLU(max_value=6)([[-1.0, 2.0, 9.0]]).numpy().tolist()
        [[0.0, 2.0, 6.0]]
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else number(max_value, self.name, "max_value", 0)
        self.negative_slope = number(negative_slope, self.name, "negative_slope", 0)
        self.threshold = number(threshold, self.name, "threshold", 0)

    def call(self, x: Any) -> Any:
        return ops.relu(x, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


@register
class LeakyReLU(_Elementwise):
    """y = x where x > 0, else negative_slope x.

    Args:
        negative_slope: the slope below 0, not negative.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.LeakyReLU(0.5)([[-1.0, 2.0]]).numpy().tolist()
        [[-0.5, 2.0]]
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = number(negative_slope, self.name, "negative_slope", 0)

    def call(self, x: Any) -> Any:
        return ops.leaky_relu(x, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


@register
class PReLU(_Elementwise):
    """y = x where x > 0, else alpha x; alpha is learned.

    Args:
        alpha_initializer: first values.
        alpha_regularizer: a penalty added to the loss.
        alpha_constraint: what alpha is held to after each step of training.
        shared_axes: the axes along which alpha is one and the same, counted with the batch as 0: (1, 2) for one slope a
            channel of images; None to learn one for every place.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: alpha, of a sample's shape with 1 for shared axes.

    Example:
        >>> import lamina as lm
        >>> lm.layers.PReLU("ones")([[-1.0, 2.0]]).numpy().tolist()
        [[-1.0, 2.0]]

    Reference:
        He et al. 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        axes = () if shared_axes is None else shared_axes if isinstance(shared_axes, tuple | list) else (shared_axes,)
        if any(not is_integer(a) or a < 1 for a in axes):
            raise ValueError(f"{self.name}: shared_axes must be axes from 1 on, got {shared_axes!r}")
        self.shared_axes = tuple(int(a) for a in axes)
        self.alpha: Any = None

    def build(self, input_shape: Any) -> None:
        if any(a >= len(input_shape) for a in self.shared_axes):
            raise ValueError(f"{self.name}: shared_axes {self.shared_axes} are out of range for shape {input_shape}")
        shape = [1 if i in self.shared_axes else n for i, n in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(f"{self.name}: axes of unknown size must be in shared_axes, got {input_shape}")
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            name="alpha",
            constraint=self.alpha_constraint,
        )

    def call(self, x: Any) -> Any:
        return ops.prelu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "shared_axes": list(self.shared_axes) or None,
        }


@register
class ELU(_Elementwise):
    """y = x where x > 0, else alpha (e^x - 1).

    Args:
        alpha: minus what y tends to far below 0.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.ELU()([[-100.0, 2.0]]).numpy().tolist()
        [[-1.0, 2.0]]
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = number(alpha, self.name, "alpha")

    def call(self, x: Any) -> Any:
        return ops.elu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


@register
class Softmax(_Elementwise):
    """y = e^x / sum e^x along an axis, or over several together.

    Called with ``mask``, of a shape that is broadcast to x's: where it is False (or at most 0.5), x does not count and
    y is 0; all are 0 where nothing counts.

    Args:
        axis: the axis that sums to 1, or a list of axes that do together.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Softmax()([[0.0, 0.0, 0.0]], mask=[[1, 1, 0]]).numpy().tolist()
        [[0.5, 0.5, 0.0]]
    """

    # The steps' mask that x carries, (N, T), is not one of x's values (N, T, C): only what the caller says is.
    _mask_arguments = MaskArguments(lambda self, x: None)

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
        if not axes or any(not is_integer(a) for a in axes):
            raise TypeError(f"{self.name}: axis must be an integer or a list of integers, got {axis!r}")
        self.axis = tuple(int(a) for a in axes)

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return self._softmax(x)
        mask = mask.array if isinstance(mask, Tensor) else backend.as_array(mask, like=x.array)
        fits = mask.ndim <= x.ndim and all(
            m in (1, n) for m, n in zip(reversed(mask.shape), reversed(x.shape), strict=False)
        )
        if not fits:
            raise ValueError(f"{self.name}: mask must have the shape of x, {x.shape}, got {mask.shape}")
        kept = mask if mask.dtype == bool else mask > 0.5
        kept = Tensor(kept)
        y = self._softmax(ops.where(kept, x, MASKED))  # in float16 that is -infinity
        return ops.where(kept, y, 0)

    def _softmax(self, x: Any) -> Any:
        if len(self.axis) == 1:
            return ops.softmax(x, self.axis[0])
        if any(not -x.ndim <= a < x.ndim for a in self.axis):
            raise ValueError(f"{self.name}: axis {self.axis} is out of range for shape {x.shape}")
        together = sorted({a % x.ndim for a in self.axis})
        order = [i for i in range(x.ndim) if i not in together]
        moved = ops.transpose(x, (*order, *together))
        y = ops.softmax(ops.reshape(moved, (*moved.shape[: len(order)], math.prod(moved.shape[len(order) :]))))
        return ops.transpose(ops.reshape(y, moved.shape), tuple(np.argsort((*order, *together)).tolist()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis[0] if len(self.axis) == 1 else list(self.axis)}
