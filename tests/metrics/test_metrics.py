"""Metrics: values over batches, weights, names, what "accuracy" means."""

import numpy as np
import pytest

import lamina as lm
from lamina import metrics

random = np.random.default_rng(0)
scores = random.normal(size=(20, 5))
labels = random.integers(0, 5, 20)
weights = random.random(20)
right = scores.argmax(-1) == labels
CASES = {
    "sparse": (metrics.SparseCategoricalAccuracy, labels, scores, right),
    "sparse column": (metrics.SparseCategoricalAccuracy, labels[:, None], scores, right),
    "categorical": (metrics.CategoricalAccuracy, np.eye(5)[labels], scores, right),
    "binary": (metrics.BinaryAccuracy, (scores > 0.4).astype(int), scores, ((scores > 0.4) == (scores > 0.5)).mean(-1)),
    "binary flat": (metrics.BinaryAccuracy, (labels > 2), scores[:, :1], (labels > 2) == (scores[:, 0] > 0.5)),
    "equal": (metrics.Accuracy, labels, np.where(right, labels, -1), right),
    "mse": (metrics.MeanSquaredError, np.ones((20, 5)), scores, ((1 - scores) ** 2).mean(-1)),
    "mae": (metrics.MeanAbsoluteError, np.ones((20, 5)), scores, np.abs(1 - scores).mean(-1)),
}


@pytest.mark.parametrize("case", CASES)
def test_values_over_batches(case):
    cls, y_true, y_pred, values = CASES[case]
    metric = cls()
    for part in (slice(0, 7), slice(7, 20)):
        metric.update_state(y_true[part], lm.Tensor(y_pred[part]))
    assert metric.result() == pytest.approx(values.mean())
    metric.reset_state()
    assert metric.result() == 0
    assert metric(y_true, y_pred, weights) == pytest.approx(np.average(values, weights=weights))


@pytest.mark.parametrize("case", CASES)
def test_configuration_round_trip(case):
    metric = CASES[case][0](name="other")
    again = metrics.get(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.name == "other"


@pytest.mark.parametrize(
    ("y_true", "y_pred", "cls"),
    [
        ((8,), (8, 1), metrics.BinaryAccuracy),
        ((8, 1), (8, 1), metrics.BinaryAccuracy),
        ((8,), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 1), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 3), (8, 3), metrics.CategoricalAccuracy),
        ((8, 4), (8, 4, 3), metrics.SparseCategoricalAccuracy),
    ],
)
def test_what_accuracy_means(y_true, y_pred, cls):
    metric = metrics.accuracy_for(y_true, y_pred, "accuracy")
    assert type(metric) is cls
    assert metric.name == "accuracy"


def test_names():
    assert metrics.get("mse").name == "mse"
    assert metrics.get("sparse_categorical_accuracy").name == "sparse_categorical_accuracy"
    assert metrics.SparseCategoricalAccuracy().name == "sparse_categorical_accuracy"

    def closeness(y_true, y_pred):
        return np.abs(y_true - y_pred) < 0.1

    metric = metrics.get(closeness)
    assert metric.name == "closeness"
    assert metric(np.ones(2), np.array([1.05, 2.0])) == 0.5


def test_no_name_is_the_usual_one():
    for kind in (metrics, lm.losses):
        for name, cls in (("mean_squared_error", kind.MeanSquaredError), ("squared_hinge", kind.SquaredHinge),
                          ("kl_divergence", kind.KLDivergence)):  # fmt: skip
            assert cls().name == cls(name=None).name == name
            assert cls(name="own").name == "own"


def test_nothing_is_broadcast():
    for cls in (metrics.MeanSquaredError, metrics.BinaryAccuracy, metrics.CategoricalAccuracy):
        with pytest.raises(ValueError, match="must have y_pred's shape"):
            cls()(np.ones(4), np.ones((4, 2)))
    with pytest.raises(ValueError, match="y_true must have shape"):
        metrics.SparseCategoricalAccuracy()(np.ones(4), np.ones((3, 2)))
    with pytest.raises(ValueError, match="sample_weight"):
        metrics.Mean()(np.ones(4), np.ones(3))


def test_mean_of_weights():
    mean = metrics.Mean()
    mean.update_state(2.0, sample_weight=3.0)
    mean.update_state([[1.0, 3.0]], [1.0])
    assert mean.result() == pytest.approx((6 + 4) / 5)


@pytest.mark.parametrize("make", [lambda: metrics.get("acuracy"), lambda: metrics.get(3)])
def test_refused(make):
    with pytest.raises(ValueError):
        make()


def test_16_bits_that_nobody_asked_lamina_for():
    from lamina import backend
    from lamina.metrics.metric import array_of

    before, backend.narrow = backend.narrow, False
    try:
        assert array_of(np.ones(2, "float16")).dtype == np.float32
    finally:
        backend.narrow = before
