"""Masking: a mask from the values themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tensor import Tensor
from lamina.layers.layer import Layer, register
from lamina.layers.masks import hand_on


@register
class Masking(Layer):
    """Masks the steps of a sequence (N, T, features) all of whose features are one value: padding.

    The output is x with 0 in these steps, and carries the mask (N, T), False there, to the layers that follow.

    Args:
        mask_value: the value.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> masked = lm.layers.Masking(mask_value=-1.0)([[[3.0, -1.0], [-1.0, -1.0]]])
        >>> masked.numpy().tolist()
        [[[3.0, -1.0], [0.0, 0.0]]]
        >>> counts = lm.layers.LSTM(2, return_sequences=True)(masked)
        >>> bool((counts[0, 0] == counts[0, 1]).numpy().all())
        True
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(mask_value, bool) or not isinstance(mask_value, int | float | np.number):
            raise TypeError(f"{self.name}: mask_value must be a number, got {mask_value!r}")
        self.mask_value = float(mask_value)

    @property
    def _rounded_value(self) -> float:
        """The value as inputs hold it, once they are cast."""
        return float(backend.cast(np.asarray(self.mask_value), self._dtype))

    def call(self, x: Any) -> Any:
        if x.ndim < 2:
            raise ValueError(f"{self.name}: x must have shape (N, T, features), got {x.shape}")
        kept = (x.array != self._rounded_value).any(-1)
        y = ops.where(Tensor(kept[..., None]), x, Tensor(backend.scalar(0, x.array)))
        hand_on(y, Tensor(kept))
        return y

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(x, self._rounded_value), -1)

    def _mask_outputs(self, x: Any, y: Any, mask: Any) -> None:
        if y._mask is None:  # call has done so, but for symbolic tensors
            super()._mask_outputs(x, y, mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
