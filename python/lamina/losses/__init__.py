"""Losses. ``loss(y_true, y_pred, sample_weight=None)`` gives a tensor to call backward on.

Each has a value a sample (the mean over the last axis, or the cross entropy over it); `reduction` says what becomes of
these: "sum_over_batch_size" (their sum over their number), "mean" (the same), "sum", "mean_with_sample_weight" (their
weighted sum over the sum of the weights), or "none". The functions of the same names in small letters give the values.
"""

from __future__ import annotations

from typing import Any

from lamina.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from lamina.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from lamina.losses.crossentropy import CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy
from lamina.losses.crossentropy import KLDivergence as KLDivergence
from lamina.losses.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from lamina.losses.crossentropy import binary_crossentropy as binary_crossentropy
from lamina.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from lamina.losses.crossentropy import categorical_generalized_cross_entropy as categorical_generalized_cross_entropy
from lamina.losses.crossentropy import kl_divergence as kl_divergence
from lamina.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from lamina.losses.ctc import CTC as CTC
from lamina.losses.ctc import ctc as ctc
from lamina.losses.embedding import Circle as Circle
from lamina.losses.embedding import Triplet as Triplet
from lamina.losses.embedding import circle as circle
from lamina.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from lamina.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from lamina.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from lamina.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from lamina.losses.hinge import CategoricalHinge as CategoricalHinge
from lamina.losses.hinge import Hinge as Hinge
from lamina.losses.hinge import SquaredHinge as SquaredHinge
from lamina.losses.hinge import categorical_hinge as categorical_hinge
from lamina.losses.hinge import hinge as hinge
from lamina.losses.hinge import squared_hinge as squared_hinge
from lamina.losses.loss import Loss as Loss
from lamina.losses.loss import LossFunction as LossFunction
from lamina.losses.overlap import Dice as Dice
from lamina.losses.overlap import Tversky as Tversky
from lamina.losses.overlap import dice as dice
from lamina.losses.overlap import tversky as tversky
from lamina.losses.regression import CosineSimilarity as CosineSimilarity
from lamina.losses.regression import Huber as Huber
from lamina.losses.regression import LogCosh as LogCosh
from lamina.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from lamina.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from lamina.losses.regression import MeanSquaredError as MeanSquaredError
from lamina.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from lamina.losses.regression import Poisson as Poisson
from lamina.losses.regression import cosine_similarity as cosine_similarity
from lamina.losses.regression import huber as huber
from lamina.losses.regression import log_cosh as log_cosh
from lamina.losses.regression import mean_absolute_error as mean_absolute_error
from lamina.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from lamina.losses.regression import mean_squared_error as mean_squared_error
from lamina.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from lamina.losses.regression import poisson as poisson

_classes: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        CTC, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle, CosineSimilarity, Dice, Hinge, Huber,
        KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
        MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge, Triplet, Tversky,
    )
}  # fmt: skip
_names: dict[str, type[Loss]] = {
    **_classes,
    "binary_crossentropy": BinaryCrossentropy, "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy,
    "binary_focal_crossentropy": BinaryFocalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "categorical_focal_crossentropy": CategoricalFocalCrossentropy,
    "categorical_generalized_cross_entropy": CategoricalGeneralizedCrossEntropy,
    "categorical_hinge": CategoricalHinge,
    "circle": Circle,
    "cosine_similarity": CosineSimilarity,
    "ctc": CTC,
    "dice": Dice,
    "hinge": Hinge,
    "huber": Huber,
    "kl_divergence": KLDivergence, "kld": KLDivergence, "KLD": KLDivergence,
    "kullback_leibler_divergence": KLDivergence,
    "log_cosh": LogCosh, "logcosh": LogCosh,
    "mean_absolute_error": MeanAbsoluteError, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError,
    "mean_squared_error": MeanSquaredError, "mse": MeanSquaredError, "MSE": MeanSquaredError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
    "poisson": Poisson,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "squared_hinge": SquaredHinge,
    "triplet": Triplet,
    "tversky": Tversky,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """A loss by name, by configuration, of a class or a function, or as it is; None stays None.

    Args:
        identifier: as said.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.

    Example:
        >>> import lamina as lm
        >>> lm.losses.get("mse").name
        'mean_squared_error'
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        return LossFunction(identifier)
    raise ValueError(f"losses: expected a loss, a function or one of {sorted(_names)}, got {identifier!r}")


def serialize(loss: Loss) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Args:
        loss: one of this module's.

    Raises:
        ValueError: for losses of the user's own.

    Example:
        >>> import lamina as lm
        >>> lm.losses.serialize(lm.losses.Dice())["class_name"]
        'Dice'
    """
    if _classes.get(type(loss).__name__) is not type(loss):
        raise ValueError(f"losses: {loss.name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(loss).__name__, "config": loss.get_config()}


deserialize = get
