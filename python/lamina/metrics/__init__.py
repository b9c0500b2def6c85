"""Metrics: numbers that tell how good predictions are, gathered over batches."""

from __future__ import annotations

import inspect
from typing import Any

from lamina.losses import binary_crossentropy as binary_crossentropy
from lamina.losses import binary_focal_crossentropy as binary_focal_crossentropy
from lamina.losses import categorical_crossentropy as categorical_crossentropy
from lamina.losses import categorical_focal_crossentropy as categorical_focal_crossentropy
from lamina.losses import categorical_hinge as categorical_hinge
from lamina.losses import hinge as hinge
from lamina.losses import huber as huber
from lamina.losses import kl_divergence as kl_divergence
from lamina.losses import log_cosh as log_cosh
from lamina.losses import mean_absolute_error as mean_absolute_error
from lamina.losses import mean_absolute_percentage_error as mean_absolute_percentage_error
from lamina.losses import mean_squared_error as mean_squared_error
from lamina.losses import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from lamina.losses import poisson as poisson
from lamina.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from lamina.losses import squared_hinge as squared_hinge
from lamina.metrics.accuracy import Accuracy as Accuracy
from lamina.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from lamina.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from lamina.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from lamina.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from lamina.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from lamina.metrics.accuracy import accuracy_for as accuracy_for
from lamina.metrics.answers import ExactMatch as ExactMatch
from lamina.metrics.answers import RougeL as RougeL
from lamina.metrics.answers import SequenceAccuracy as SequenceAccuracy
from lamina.metrics.answers import SpanF1 as SpanF1
from lamina.metrics.auc import AUC as AUC
from lamina.metrics.bleu import Bleu as Bleu
from lamina.metrics.bleu import sentence_bleu as sentence_bleu
from lamina.metrics.confusion import FalseNegatives as FalseNegatives
from lamina.metrics.confusion import FalsePositives as FalsePositives
from lamina.metrics.confusion import Precision as Precision
from lamina.metrics.confusion import Recall as Recall
from lamina.metrics.confusion import TrueNegatives as TrueNegatives
from lamina.metrics.confusion import TruePositives as TruePositives
from lamina.metrics.confusion_matrix import ConfusionMatrix as ConfusionMatrix
from lamina.metrics.correlation import ConcordanceCorrelation as ConcordanceCorrelation
from lamina.metrics.correlation import PearsonCorrelation as PearsonCorrelation
from lamina.metrics.f_score import F1Score as F1Score
from lamina.metrics.f_score import FBetaScore as FBetaScore
from lamina.metrics.frechet import frechet_distance as frechet_distance
from lamina.metrics.functions import binary_accuracy as binary_accuracy
from lamina.metrics.functions import categorical_accuracy as categorical_accuracy
from lamina.metrics.functions import concordance_correlation as concordance_correlation
from lamina.metrics.functions import pearson_correlation as pearson_correlation
from lamina.metrics.functions import sparse_categorical_accuracy as sparse_categorical_accuracy
from lamina.metrics.functions import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from lamina.metrics.functions import top_k_categorical_accuracy as top_k_categorical_accuracy
from lamina.metrics.iou import BinaryIoU as BinaryIoU
from lamina.metrics.iou import Dice as Dice
from lamina.metrics.iou import IoU as IoU
from lamina.metrics.iou import MeanIoU as MeanIoU
from lamina.metrics.iou import OneHotIoU as OneHotIoU
from lamina.metrics.iou import OneHotMeanIoU as OneHotMeanIoU
from lamina.metrics.mean_average_precision import MeanAveragePrecision as MeanAveragePrecision
from lamina.metrics.metric import Mean as Mean
from lamina.metrics.metric import MeanMetricWrapper as MeanMetricWrapper
from lamina.metrics.metric import Metric as Metric
from lamina.metrics.metric import Sum as Sum
from lamina.metrics.metric import snake_case as _snake_case
from lamina.metrics.operating_points import PrecisionAtRecall as PrecisionAtRecall
from lamina.metrics.operating_points import RecallAtPrecision as RecallAtPrecision
from lamina.metrics.operating_points import SensitivityAtSpecificity as SensitivityAtSpecificity
from lamina.metrics.operating_points import SpecificityAtSensitivity as SpecificityAtSensitivity
from lamina.metrics.probabilistic import BinaryCrossentropy as BinaryCrossentropy
from lamina.metrics.probabilistic import CategoricalCrossentropy as CategoricalCrossentropy
from lamina.metrics.probabilistic import CategoricalHinge as CategoricalHinge
from lamina.metrics.probabilistic import Hinge as Hinge
from lamina.metrics.probabilistic import KLDivergence as KLDivergence
from lamina.metrics.probabilistic import Perplexity as Perplexity
from lamina.metrics.probabilistic import Poisson as Poisson
from lamina.metrics.probabilistic import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from lamina.metrics.probabilistic import SquaredHinge as SquaredHinge
from lamina.metrics.regression import CosineSimilarity as CosineSimilarity
from lamina.metrics.regression import LogCoshError as LogCoshError
from lamina.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from lamina.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from lamina.metrics.regression import MeanSquaredError as MeanSquaredError
from lamina.metrics.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from lamina.metrics.regression import R2Score as R2Score
from lamina.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
from lamina.metrics.segmentation_report import SegmentationReport as SegmentationReport
from lamina.metrics.segmentation_report import segmentation_report as segmentation_report

_classes: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy, CategoricalCrossentropy,
        CategoricalHinge, ConcordanceCorrelation, ConfusionMatrix, CosineSimilarity, Dice, F1Score, FBetaScore,
        FalseNegatives, FalsePositives, Hinge, IoU, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
        MeanAbsolutePercentageError, MeanAveragePrecision, MeanIoU, MeanSquaredError, MeanSquaredLogarithmicError,
        OneHotIoU, OneHotMeanIoU,
        PearsonCorrelation, Perplexity, Poisson, Precision, PrecisionAtRecall, R2Score, Recall, RecallAtPrecision,
        RootMeanSquaredError, SensitivityAtSpecificity, SparseCategoricalAccuracy, SparseCategoricalCrossentropy,
        SparseTopKCategoricalAccuracy, SpecificityAtSensitivity, SquaredHinge, Sum, TopKCategoricalAccuracy,
        TrueNegatives, TruePositives,
    )
}  # fmt: skip
_names: dict[str, type[Metric]] = {
    **_classes,
    **{_snake_case(name): c for name, c in _classes.items()},
    "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy,
    "kld": KLDivergence, "KLD": KLDivergence, "kl_divergence": KLDivergence,
    "logcosh": LogCoshError, "log_cosh": LogCoshError,
    "mse": MeanSquaredError, "MSE": MeanSquaredError,
    "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError, "RMSE": RootMeanSquaredError,
}  # fmt: skip


def get(identifier: Any) -> Metric:
    """A metric by name, by configuration, of a class or a function, or as it is. A name is what the history calls it.

    Args:
        identifier: as said.

    Raises:
        ValueError: for an unknown name, a metric that needs arguments, or anything that cannot be called.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.get("mse").name
        'mse'
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str) and identifier in _names:
        found = _names[identifier]
        needed = [p.name for p in inspect.signature(found).parameters.values() if p.default is inspect.Parameter.empty]
        if needed:
            raise ValueError(f"metrics: {identifier} needs {', '.join(needed)}: give a {found.__name__}(...)")
        return found(name=identifier) if identifier not in _classes else found()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if callable(identifier):
        return MeanMetricWrapper(identifier)
    raise ValueError(f"metrics: expected a metric, a function or one of {sorted(_names)}, got {identifier!r}")


def serialize(metric: Metric) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Args:
        metric: one of this module's.

    Raises:
        ValueError: for metrics of the user's own.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.serialize(lm.metrics.Precision())["class_name"]
        'Precision'
    """
    if _classes.get(type(metric).__name__) is not type(metric):
        raise ValueError(f"metrics: {metric.name} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(metric).__name__, "config": metric.get_config()}


deserialize = get
