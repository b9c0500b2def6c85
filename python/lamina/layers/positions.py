"""Positions in a sequence: sines, vectors that are learned, rotations."""

from __future__ import annotations

import math
from typing import Any

from lamina import initializers, ops
from lamina.kinds import is_integer
from lamina.layers.checks import above_zero
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape


class _Positions(Layer):
    """What the layers share: the output has the input's shape, and its mask."""

    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _sequence(self, x: Any) -> tuple[int, int]:
        """Length and features of x (..., length, features)."""
        if x.ndim < 2:
            raise ValueError(f"{self.name}: x must have shape (..., length, features), got {x.shape}")
        return x.shape[-2], x.shape[-1]


@register
class SinePositionEncoding(_Positions):
    """The sines and cosines of each position, for x of shape (..., length, features): see `ops.sine_positions`.

    What it gives has x's shape, but depends on that alone: add it to x, or take `PositionalEncoding`.

    Args:
        max_wavelength: nearly the longest of the wavelengths over 2 pi; positive.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Called as ``layer(x, start_index=0, positions=None)``: start_index is the first position; positions, (length,) or
    (N, length), say each.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.SinePositionEncoding()(np.ones((1, 2, 2))).numpy().astype(float).round(4).tolist()
        [[[0.0, 1.0], [0.8415, 0.5403]]]

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """

    def __init__(self, max_wavelength: float = 10000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = above_zero(max_wavelength, self.name, "max_wavelength")

    def call(self, x: Any, start_index: int = 0, positions: Any = None) -> Any:
        return ops.broadcast_to(self._encoding(x, start_index, positions), x.shape)

    def _encoding(self, x: Any, start_index: int, positions: Any) -> Any:
        length, size = self._sequence(x)
        encoding = ops.sine_positions(length, size, self.max_wavelength, start_index, positions, x.dtype)
        encoding = ops.to(encoding, x.device)
        if encoding.shape not in ((length, size), (x.shape[0], length, size)):
            raise ValueError(f"{self.name}: positions must have shape ({length},) or (N, {length}), got "
                             f"{encoding.shape[:-1]}")  # fmt: skip
        return encoding

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_wavelength": self.max_wavelength}


@register
class PositionalEncoding(SinePositionEncoding):
    """y = x + the sines and cosines of the positions, for x of shape (..., length, features).

    Args:
        max_wavelength: nearly the longest of the wavelengths over 2 pi; positive.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Called as ``layer(x, start_index=0, positions=None)``: see `SinePositionEncoding`.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.PositionalEncoding()(np.ones((1, 2, 2))).numpy().astype(float).round(4).tolist()
        [[[1.0, 2.0], [1.8415, 1.5403]]]

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """

    def call(self, x: Any, start_index: int = 0, positions: Any = None) -> Any:
        return x + self._encoding(x, start_index, positions)

    def flops(self, input_shape: Shape) -> int:
        return math.prod(input_shape[1:])


@register
class PositionEmbedding(_Positions):
    """A vector that is learned for each position, for x of shape (..., length, features).

    What it gives has x's shape, but depends on that alone: add it to x.

    Args:
        sequence_length: how many positions there are at most.
        initializer: first values.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: embeddings (sequence_length, features).

    Called as ``layer(x, start_index=0)``: the first position.

    Raises:
        ValueError: called on a longer sequence.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.PositionEmbedding(5, initializer="ones")(np.zeros((1, 2, 3))).numpy().tolist()
        [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]

    Reference:
        Gehring et al. 2017, arXiv:1705.03122; Devlin et al. 2018, arXiv:1810.04805.
    """

    def __init__(self, sequence_length: int, initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_integer(sequence_length):
            raise TypeError(f"{self.name}: sequence_length must be an integer, got {sequence_length!r}")
        if sequence_length < 1:
            raise ValueError(f"{self.name}: sequence_length must be positive, got {sequence_length}")
        self.sequence_length = int(sequence_length)
        self.initializer = initializers.get(initializer)
        self.position_embeddings: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(
                f"{self.name}: x must have shape (..., length, features), features known, got {input_shape}"
            )
        shape = (self.sequence_length, input_shape[-1])
        self.position_embeddings = self.add_weight(shape, self.initializer, name="embeddings")

    def call(self, x: Any, start_index: int = 0) -> Any:
        end = start_index + self._sequence(x)[0]
        if start_index < 0 or end > self.sequence_length:
            most = self.sequence_length - 1
            raise ValueError(f"{self.name}: positions must be from 0 to {most}, got {start_index} to {end - 1}")
        return ops.broadcast_to(self.position_embeddings[start_index:end], x.shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "initializer": initializers.serialize(self.initializer),
        }


@register
class RotaryEmbedding(_Positions):
    """Turns pairs of features by angles that grow with the position: see `ops.rotary_embedding`.

    Args:
        max_wavelength: nearly the longest of the wavelengths over 2 pi; positive.
        scaling_factor: positions are divided by it; positive.
        sequence_axis: the axis of the positions.
        feature_axis: the axis of the features; its size must be even.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Called as ``layer(x, start_index=0, positions=None)``: start_index is the first position; positions, (length,) or
    (N, length), say each.

    Example:
        >>> import lamina as lm, numpy as np
        >>> queries = lm.layers.RotaryEmbedding()(np.ones((1, 2, 4, 2)))  # (N, length, heads, features)
        >>> queries.numpy()[0, 1, 0].astype(float).round(4).tolist()
        [-0.3012, 1.3818]

    Reference:
        Su et al. 2021, "RoFormer", arXiv:2104.09864.
    """

    def __init__(
        self,
        max_wavelength: float = 10000,
        scaling_factor: float = 1.0,
        sequence_axis: int = 1,
        feature_axis: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = above_zero(max_wavelength, self.name, "max_wavelength")
        self.scaling_factor = above_zero(scaling_factor, self.name, "scaling_factor")
        for axis, what in ((sequence_axis, "sequence_axis"), (feature_axis, "feature_axis")):
            if not is_integer(axis):
                raise TypeError(f"{self.name}: {what} must be an integer, got {axis!r}")
        self.sequence_axis, self.feature_axis = int(sequence_axis), int(feature_axis)

    def call(self, x: Any, start_index: int = 0, positions: Any = None) -> Any:
        return ops.rotary_embedding(
            x, self.max_wavelength, self.scaling_factor, self.sequence_axis, self.feature_axis, start_index, positions
        )

    def flops(self, input_shape: Shape) -> int:
        return 3 * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
            "scaling_factor": self.scaling_factor,
            "sequence_axis": self.sequence_axis,
            "feature_axis": self.feature_axis,
        }
