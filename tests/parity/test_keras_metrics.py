"""Metrics against Keras 3, over several batches, weights, odd configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

import lamina as lm  # noqa: E402

RNG = np.random.default_rng(0)
N, C = 24, 4
SCORES = RNG.normal(size=(N, C)).astype(np.float32)
PROBABILITIES = (np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)).astype(np.float32)
UNIT = (1 / (1 + np.exp(-SCORES))).astype(np.float32)
LABELS = RNG.integers(0, C, N)
GUESSES = np.where(RNG.random(N) < 0.6, LABELS, RNG.integers(0, C, N))
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS]
BINARY = (RNG.random((N, C)) < UNIT).astype(np.float32)
NUMBERS = RNG.normal(size=(N, C)).astype(np.float32)
WEIGHTS = RNG.uniform(0, 2, N).astype(np.float32)
WEIGHTS[[0, 5, 9]] = 0
TIED = np.round(UNIT * 4) / 4
TIED[3] = 1.0
SEQUENCE = RNG.normal(size=(N, 3, C)).astype(np.float32)
TOKENS = RNG.integers(0, C, (N, 3))
MAPS, MAP_GUESSES = RNG.integers(0, C, (N, 5)), RNG.integers(0, C, (N, 5))

Case = tuple[str, dict[str, Any], Any, Any]


def cases() -> dict[str, Case]:
    found: dict[str, Case] = {}

    def add(name: str, y_true: Any, y_pred: Any, what: str = "", **arguments: Any) -> None:
        key = " ".join([name, *([what] if what else []), *(f"{k}={v}" for k, v in arguments.items())])
        found[key] = (name, arguments, y_true, y_pred)

    add("Accuracy", LABELS, GUESSES)
    for threshold in (0.5, 0.3):
        add("BinaryAccuracy", BINARY, UNIT, threshold=threshold)
    add("BinaryAccuracy", BINARY[:, 0], UNIT[:, :1], "flat and column")
    add("BinaryAccuracy", BINARY, TIED, "ties")
    add("CategoricalAccuracy", ONE_HOT, SCORES)
    add("CategoricalAccuracy", np.eye(C, dtype=np.float32)[TOKENS], SEQUENCE, "sequence")
    add("SparseCategoricalAccuracy", LABELS, SCORES)
    add("SparseCategoricalAccuracy", LABELS[:, None], SCORES, "column")
    add("SparseCategoricalAccuracy", TOKENS, SEQUENCE, "sequence")
    for k in (1, 2, 4):
        add("TopKCategoricalAccuracy", ONE_HOT, SCORES, k=k)
        add("SparseTopKCategoricalAccuracy", LABELS, SCORES, k=k)
        add("SparseTopKCategoricalAccuracy", LABELS, TIED, "ties", k=k)
    add("SparseTopKCategoricalAccuracy", TOKENS, SEQUENCE, "sequence", k=2)
    add("SparseTopKCategoricalAccuracy", LABELS, np.argsort(-SCORES).astype(np.float32), k=2, from_sorted_ids=True)
    for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall"):
        add(name, BINARY, UNIT)
        add(name, BINARY, TIED, "ties", thresholds=[0.25, 0.75])
        add(name, BINARY[:, 0], UNIT[:, 0], "flat", thresholds=[0.9, 0.1, 0.5])
        add(name, BINARY, UNIT, "evenly", thresholds=[0.0, 0.25, 0.5, 0.75, 1.0])
        add(name, 0 * BINARY, UNIT, "an empty class")
    for name in ("Precision", "Recall"):
        add(name, ONE_HOT, SCORES, top_k=2)
        add(name, ONE_HOT, UNIT, class_id=1)
        add(name, ONE_HOT, UNIT, class_id=2, top_k=3, thresholds=0.4)
    for count in (200, 1, 11):
        add("SensitivityAtSpecificity", BINARY, UNIT, specificity=0.6, num_thresholds=count)
        add("SpecificityAtSensitivity", BINARY, UNIT, sensitivity=0.7, num_thresholds=count)
        add("PrecisionAtRecall", BINARY, UNIT, recall=0.5, num_thresholds=count)
        add("RecallAtPrecision", BINARY, UNIT, precision=0.6, num_thresholds=count)
    add("SensitivityAtSpecificity", ONE_HOT, UNIT, specificity=0.6, class_id=1)
    add("RecallAtPrecision", 0 * BINARY, UNIT, "an empty class", precision=0.6)
    for curve in ("ROC", "PR", "PRGAIN"):
        for method in ("interpolation", "minoring", "majoring"):
            add("AUC", BINARY, UNIT, curve=curve, summation_method=method)
        add("AUC", BINARY, TIED, "ties", curve=curve, num_thresholds=5)
        add("AUC", BINARY, UNIT, curve=curve, multi_label=True)
        add("AUC", BINARY, UNIT, curve=curve, thresholds=[0.1, 0.35, 0.8])
    add("AUC", BINARY, SCORES, from_logits=True)
    add("AUC", BINARY, UNIT, label_weights=[1.0, 0.0, 2.0, 0.5])
    add("AUC", BINARY, UNIT, multi_label=True, num_labels=C, label_weights=[1.0, 0.0, 2.0, 0.5])
    add("AUC", 0 * BINARY, UNIT, "an empty class")
    for average in (None, "micro", "macro", "weighted"):
        add("F1Score", ONE_HOT, PROBABILITIES, average=average)
        add("FBetaScore", BINARY, UNIT, average=average, beta=2.0, threshold=0.4)
    for name in ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
                 "LogCoshError", "CosineSimilarity"):  # fmt: skip
        add(name, NUMBERS, SCORES)
        add(name, SEQUENCE, SEQUENCE[::-1].copy(), "sequence")
    add("MeanSquaredError", NUMBERS[:, 0], SCORES[:, :1], "flat and column")
    add("MeanSquaredLogarithmicError", np.abs(NUMBERS), np.abs(SCORES))
    add("CosineSimilarity", SEQUENCE, SEQUENCE[::-1].copy(), axis=1)
    for aggregation in (None, "uniform_average", "variance_weighted_average"):
        add("R2Score", NUMBERS, SCORES + NUMBERS, class_aggregation=aggregation)
    add("R2Score", NUMBERS, SCORES, num_regressors=3)
    add("PearsonCorrelation", NUMBERS, NUMBERS + SCORES)
    add("PearsonCorrelation", NUMBERS, NUMBERS + SCORES, axis=0)
    add("ConcordanceCorrelation", NUMBERS, NUMBERS + SCORES)
    for targets in ([0], [1, 3], [0, 1, 2, 3]):
        add("IoU", MAPS, MAP_GUESSES, num_classes=C, target_class_ids=targets)
    add("IoU", MAPS, MAP_GUESSES, num_classes=C, target_class_ids=[0, 2], ignore_class=1)
    add("MeanIoU", MAPS, MAP_GUESSES, num_classes=C)
    add("MeanIoU", MAPS, MAP_GUESSES, "an empty class", num_classes=C + 2)
    add("BinaryIoU", BINARY, UNIT)
    add("BinaryIoU", BINARY, TIED, "ties", target_class_ids=[1], threshold=0.25)
    add("OneHotIoU", ONE_HOT, SCORES, num_classes=C, target_class_ids=[1, 2])
    add("OneHotMeanIoU", ONE_HOT, SCORES, num_classes=C)
    add("OneHotMeanIoU", ONE_HOT, GUESSES, num_classes=C, sparse_y_pred=True)
    add("KLDivergence", PROBABILITIES[::-1].copy(), PROBABILITIES)
    add("Poisson", np.abs(NUMBERS), np.abs(SCORES))
    for smoothing in (0, 0.2):
        add("BinaryCrossentropy", BINARY, UNIT, label_smoothing=smoothing)
        add("CategoricalCrossentropy", ONE_HOT, SCORES, from_logits=True, label_smoothing=smoothing)
    add("BinaryCrossentropy", BINARY, SCORES, from_logits=True)
    add("CategoricalCrossentropy", ONE_HOT, PROBABILITIES)
    add("SparseCategoricalCrossentropy", LABELS, PROBABILITIES)
    add("SparseCategoricalCrossentropy", TOKENS, SEQUENCE, from_logits=True)
    add("SparseCategoricalCrossentropy", LABELS, SCORES, from_logits=True, ignore_class=2)
    add("Hinge", 2 * BINARY - 1, SCORES)
    add("Hinge", BINARY, SCORES, "zeros and ones")
    add("SquaredHinge", BINARY, SCORES)
    add("CategoricalHinge", ONE_HOT, SCORES)
    return found


CASES = cases()


pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own


SEGMENTED = ("AUC", "SensitivityAtSpecificity", "SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision")


def single(case: str, weighted: bool) -> bool:
    """What Keras computes in float32 whatever the dtype: with PyTorch its segment_sum too, which adds up the weights
    between thresholds that are evenly spread."""
    name, arguments, *_ = CASES[case]
    segmented = weighted and (name in SEGMENTED or "evenly" in case)
    return "IoU" in name or (name == "R2Score" and "num_regressors" in arguments) or segmented


def tensor(array: Any) -> Any:
    return None if array is None else torch.tensor(array)


def typed(array: Any, dtype: str) -> Any:
    """Numbers with a point in the dtype at hand; class numbers as they are."""
    return array.astype(dtype) if isinstance(array, np.ndarray) and array.dtype.kind == "f" else array


@pytest.fixture(params=["float32", "float64"])
def dtype(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Keras keeps sums in its own default dtype, and makes float64 float32 unless it is told not to."""
    if request.param == "float64":
        table = getattr(keras.src.backend.common.dtypes, "BIT64_TO_BIT32_DTYPE", None)
        if table is None:
            pytest.skip("this Keras has no such table")
        monkeypatch.setitem(table, "float64", "float64")
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(before)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_metric(case: str, weighted: bool, dtype: str) -> None:
    name, arguments, y_true, y_pred = CASES[case]
    y_true, y_pred = typed(y_true, dtype), typed(y_pred, dtype)
    tolerance = 1e-5 if dtype == "float32" or single(case, weighted) else 1e-9
    weights = typed(WEIGHTS, dtype) if weighted else None
    if weighted and "IoU" in name:  # Keras cuts weights to whole numbers
        weights = np.round(WEIGHTS * 2).astype(np.int64)
    if weighted and y_pred.ndim > 1 and ("IoU" in name):
        weights = (
            np.repeat(weights[:, None], y_pred.shape[1], 1) if np.ndim(y_true) > 1 and "OneHot" not in name else weights
        )
    if weighted and name == "PearsonCorrelation" and arguments.get("axis") == 0:
        weights = typed(WEIGHTS[:C], dtype)
    ours, theirs = getattr(lm.metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    whole = arguments.get("axis") == 0  # a value is made of all samples
    for part in (slice(None),) if whole else (slice(0, 10), slice(10, 11), slice(11, N)):
        given = None if weights is None else weights if whole else weights[part]
        ours.update_state(y_true[part], lm.tensor(y_pred[part]), given)
        theirs.update_state(tensor(y_true[part]), tensor(y_pred[part]), tensor(given))
    wanted = keras.ops.convert_to_numpy(theirs.result())
    got = ours.result()
    assert np.shape(got) == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
    ours.reset_state()
    theirs.reset_state()
    ours.update_state(y_true, y_pred, weights)
    theirs.update_state(tensor(y_true), tensor(y_pred), tensor(weights))
    wanted = keras.ops.convert_to_numpy(theirs.result())
    np.testing.assert_allclose(ours.result(), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("weights", [None, 2.0, WEIGHTS, np.abs(NUMBERS)])
@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_mean_and_sum(name: str, weights: Any, dtype: str) -> None:
    ours, theirs = getattr(lm.metrics, name)(), getattr(keras.metrics, name)()
    weights = typed(weights, dtype)
    for values in (typed(SCORES, dtype), typed(NUMBERS * 3, dtype)):
        ours.update_state(values, weights)
        theirs.update_state(tensor(values), weights if weights is None or np.ndim(weights) == 0 else tensor(weights))
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(ours.result(), keras.ops.convert_to_numpy(theirs.result()), rtol=tolerance)


def test_every_name_that_keras_knows() -> None:
    needs = {"IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "SensitivityAtSpecificity", "SpecificityAtSensitivity",
             "PrecisionAtRecall", "RecallAtPrecision", "MeanMetricWrapper", "Metric"}  # fmt: skip
    for name, cls in keras.src.metrics.ALL_OBJECTS_DICT.items():
        if cls.__name__ not in needs:
            assert type(lm.metrics.get(name)).__name__ == cls.__name__
            assert lm.metrics.get(cls.__name__).name == cls().name.rstrip("_0123456789") or cls.__name__ == "AUC"
    for name, loss in keras.src.losses.ALL_OBJECTS_DICT.items():
        if name not in ("Loss", "LossFunctionWrapper", "CTC", "ctc"):
            assert isinstance(lm.losses.get(name), lm.losses.Loss), (name, loss)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("name", ["pearson_correlation", "concordance_correlation"])
def test_correlations_as_functions(name: str, axis: int) -> None:
    ours = getattr(lm.metrics, name)(NUMBERS, SCORES, axis=axis).numpy()
    theirs = getattr(keras.metrics, name)(NUMBERS, SCORES, axis=axis).detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
