"""Losses of distributions and of margins as metrics: cross entropies, divergences, perplexity, hinge."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.losses.loss import class_numbers, without_axis
from lamina.metrics.metric import Array, Mean, MeanMetricWrapper, array_of, times, weights_for
from lamina.metrics.values import OpMean, integer_or_none, sample_values
from lamina.ops import checks
from lamina.ops.loss import number


class KLDivergence(OpMean):
    """The mean over samples of the sum of y_true log(y_true / y_pred), both kept within [1e-7, 1].

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 4)
        0.1438
    """

    op = staticmethod(ops.kl_divergence_loss)
    default_name = "kl_divergence"


class Poisson(OpMean):
    """The mean of y_pred - y_true log(y_pred + 1e-7).

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.Poisson()([[1, 2]], [[1.0, 2.0]]), 4)
        0.8069
    """

    op = staticmethod(ops.poisson_loss)
    default_name = "poisson"


class Hinge(OpMean):
    """The mean of max(1 - y_true y_pred, 0); y_true is -1 or 1, or 0 or 1, and 0 stands for -1.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.Hinge()([[1, -1]], [[0.5, 2.0]]), 4)
        1.75
    """

    op = staticmethod(ops.hinge_loss)
    default_name = "hinge"


class SquaredHinge(OpMean):
    """The mean of max(1 - y_true y_pred, 0)^2; y_true as in `Hinge`.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.SquaredHinge()([[1, -1]], [[0.5, 2.0]]), 4)
        4.625
    """

    op = staticmethod(ops.squared_hinge_loss)
    default_name = "squared_hinge"


class CategoricalHinge(OpMean):
    """The mean of max(1 + max of (1 - y_true) y_pred - sum of y_true y_pred, 0); y_true is one-hot.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.CategoricalHinge()([[0, 1, 0]], [[0.5, 0.75, 0.25]]), 4)
        0.75
    """

    op = staticmethod(ops.categorical_hinge_loss)
    default_name = "categorical_hinge"


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean binary cross entropy.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        from_logits: whether y_pred holds logits rather than probabilities.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / 2.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.BinaryCrossentropy()([[0, 1]], [[0.5, 0.25]]), 4)
        1.0397
    """

    anywhere = True

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(self._values, name, dtype)
        self.from_logits = bool(from_logits)
        self.label_smoothing = number(label_smoothing, self.name, "label_smoothing", 0, 1)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        op = ops.sigmoid_cross_entropy if self.from_logits else ops.binary_cross_entropy_from_probabilities
        smoothing = self.label_smoothing
        return sample_values(lambda t, x, w, r: op(x, t, w, r, smoothing), y_true, y_pred, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "label_smoothing": self.label_smoothing}


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross entropy; y_true is one-hot, or probabilities.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        from_logits: whether y_pred holds logits rather than probabilities.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / classes.
        axis: the axis of the classes.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.CategoricalCrossentropy()([[0, 1, 0]], [[0.25, 0.5, 0.25]]), 4)
        0.6931
    """

    anywhere = True

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(self._values, name, dtype)
        self.from_logits, self.axis = bool(from_logits), checks.integer(axis, self.name, "axis")
        self.label_smoothing = number(label_smoothing, self.name, "label_smoothing", 0, 1)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        if y_true.shape != y_pred.shape:
            raise ValueError(f"{self.name}: y_true must be one-hot, in shape {y_pred.shape}, got {y_true.shape}")
        op = ops.softmax_cross_entropy if self.from_logits else ops.cross_entropy_from_probabilities
        return op(y_pred, y_true.astype(np.float64), None, "none", self.label_smoothing, axis=self.axis).array

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross entropy; y_true holds class numbers.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        from_logits: whether y_pred holds logits rather than probabilities.
        ignore_class: a class number whose samples do not count; where no sample_weight is given, they count as
            zeros, as in Keras.
        axis: the axis of the classes.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.SparseCategoricalCrossentropy()([1], [[0.25, 0.5, 0.25]]), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(self._values, name, dtype)
        self.from_logits, self.axis = bool(from_logits), checks.integer(axis, self.name, "axis")
        self.ignore_class = integer_or_none(ignore_class, self.name, "ignore_class")

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        labels = class_numbers(y_true, without_axis(y_pred.shape, self.axis), self.name)
        op = ops.softmax_cross_entropy if self.from_logits else ops.cross_entropy_from_probabilities
        return op(y_pred, labels, None, "none", ignore_index=self.ignore_class, axis=self.axis).array

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        mask = getattr(y_pred, "_mask", None) if mask is None else mask
        if self.ignore_class is not None and (sample_weight is not None or mask is not None):
            shape = without_axis(np.shape(y_pred), self.axis)
            counts = class_numbers(np.asarray(y_true), shape, self.name) != self.ignore_class
            mask = counts if mask is None else times(counts, weights_for(mask, shape, self.name))
        super().update_state(y_true, y_pred, sample_weight, mask)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
        }


class Perplexity(Mean):
    """e to the mean cross entropy of each token: how many words a language model wavers between.

    Args:
        from_logits: whether y_pred holds logits rather than probabilities.
        mask_token_id: a token whose places do not count, usually the padding.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.Perplexity()([[0, 1]], [[[0.25, 0.75], [0.5, 0.5]]]), 4)
        2.8284
    """

    def __init__(
        self,
        from_logits: bool = False,
        mask_token_id: int | None = None,
        name: str | None = "perplexity",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = bool(from_logits)
        self.mask_token_id = integer_or_none(mask_token_id, self.name, "mask_token_id")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_pred = array_of(y_pred)
        labels = class_numbers(array_of(y_true), y_pred.shape[:-1], self.name)
        weights = np.ones(labels.shape)
        if sample_weight is not None:
            given = weights_for(sample_weight, labels.shape, self.name)
            weights = np.array(np.broadcast_to(given.reshape(given.shape + (1,) * (labels.ndim - given.ndim)),
                                               labels.shape))  # fmt: skip
        if self.mask_token_id is not None:
            weights[labels == self.mask_token_id] = 0
        op = ops.softmax_cross_entropy if self.from_logits else ops.cross_entropy_from_probabilities
        values = op(Tensor(y_pred), labels, None, "none", ignore_index=self.mask_token_id).array
        self.total += float((values.astype(np.float64) * weights).sum())
        self.count += float(weights.sum())

    def result(self) -> float:
        mean = Tensor(np.array(super().result()))  # NumPy's exp gives other bits on other machines
        return float(ops.exp(mean).array) if self.count else 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "mask_token_id": self.mask_token_id}
