"""What Keras has as plain functions: merging, metrics, losses of a batch; and Reshape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

RNG = np.random.default_rng(0)
A, B, D = (RNG.normal(size=(3, 4, 5)) for _ in range(3))
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])


@pytest.fixture(autouse=True)
def _float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras makes float64 float32 here and there, unless it is told not to."""
    monkeypatch.setitem(keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")


def compare(ours: Any, theirs: Any, arrays: list[Any], dtype: str, tolerance: float) -> None:
    """Values and gradients."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        x = [lm.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
        u = [torch.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
        y, v = ours(x), theirs(u)
        assert (y.shape, str(y.dtype)) == (tuple(v.shape), dtype)
        np.testing.assert_allclose(y.numpy(), v.detach().numpy(), rtol=tolerance, atol=tolerance)
        dy = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
        y.backward(dy)
        v.backward(torch.tensor(dy))
        for a, b in zip(x, u, strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=10 * tolerance, atol=10 * tolerance)
    finally:
        keras.config.set_floatx(before)


@DTYPES
@pytest.mark.parametrize("name", ["add", "multiply", "average", "maximum", "minimum", "subtract"])
@pytest.mark.parametrize("wide", [False, True])
def test_merging(name: str, wide: bool, dtype: str, tolerance: float) -> None:
    arrays = [A, B[:, :1]] if wide else [A, B] if name == "subtract" else [A, B, D]
    ours, theirs = getattr(lm.layers, name), getattr(keras.layers, name)
    compare(lambda x: ours(x, dtype=dtype), lambda u: theirs(u, dtype=dtype), arrays, dtype, tolerance)


@DTYPES
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concatenate(axis: int, dtype: str, tolerance: float) -> None:
    arrays = [A, B, D]
    compare(
        lambda x: lm.layers.concatenate(x, axis, dtype=dtype),
        lambda u: keras.layers.concatenate(u, axis, dtype=dtype),
        arrays,
        dtype,
        tolerance,
    )


@DTYPES
@pytest.mark.parametrize(("axes", "normalize"), [(1, False), ((2, 2), True), (-1, False)])
def test_dot(axes: Any, normalize: bool, dtype: str, tolerance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.src.backend.torch.numpy.matmul", torch.matmul)  # Keras's is one of float32
    compare(
        lambda x: lm.layers.dot(x, axes, normalize=normalize, dtype=dtype),
        lambda u: keras.layers.dot(u, axes, normalize=normalize, dtype=dtype),
        [A, B],
        dtype,
        tolerance,
    )


@DTYPES
@pytest.mark.parametrize("shape", [(20,), (5, 4), (-1, 2), (2, -1, 1), (4, 5)])
def test_reshape(shape: tuple[int, ...], dtype: str, tolerance: float) -> None:
    ours, theirs = lm.layers.Reshape(shape, dtype=dtype), keras.layers.Reshape(shape, dtype=dtype)
    compare(lambda x: ours(x[0]), lambda u: theirs(u[0]), [A], dtype, tolerance)
    assert ours.compute_output_shape((None, 4, 5)) == theirs.compute_output_shape((None, 4, 5))
    assert tuple(ours.get_config()["target_shape"]) == tuple(theirs.get_config()["target_shape"])


SCORES, LABELS = RNG.normal(size=(9, 5)).astype("float32"), RNG.integers(0, 5, 9)
TOKENS, SEQUENCES = RNG.integers(0, 5, (3, 4)), RNG.normal(size=(3, 4, 5)).astype("float32")
TIED = np.round(SCORES)


@pytest.mark.parametrize(
    ("name", "truth", "guesses", "arguments"),
    [
        ("binary_accuracy", (SCORES > 0.3) * 1.0, SCORES, {}),
        ("binary_accuracy", (SCORES > 0.3) * 1.0, SCORES, {"threshold": 0.1}),
        ("binary_accuracy", LABELS % 2, SCORES[:, 0], {}),
        ("categorical_accuracy", np.eye(5)[LABELS], SCORES, {}),
        ("categorical_accuracy", np.eye(5)[TOKENS], SEQUENCES, {}),
        ("sparse_categorical_accuracy", LABELS, SCORES, {}),
        ("sparse_categorical_accuracy", LABELS[:, None], SCORES, {}),
        ("sparse_categorical_accuracy", TOKENS, SEQUENCES, {}),
        ("top_k_categorical_accuracy", np.eye(5)[LABELS], SCORES, {"k": 2}),
        ("top_k_categorical_accuracy", np.eye(5)[LABELS], TIED, {"k": 3}),
        ("sparse_top_k_categorical_accuracy", LABELS, SCORES, {"k": 1}),
        ("sparse_top_k_categorical_accuracy", LABELS, TIED, {"k": 2}),
        ("sparse_top_k_categorical_accuracy", TOKENS, SEQUENCES, {"k": 3}),
        ("sparse_top_k_categorical_accuracy", LABELS, np.argsort(-SCORES).astype("float32"),
         {"k": 2, "from_sorted_ids": True}),
    ],
)  # fmt: skip
def test_accuracies(name: str, truth: Any, guesses: Any, arguments: dict[str, Any]) -> None:
    wanted = keras.ops.convert_to_numpy(
        getattr(keras.metrics, name)(torch.tensor(truth), torch.tensor(guesses), **arguments)
    )
    got = getattr(lm.metrics, name)(truth, guesses, **arguments).numpy()
    assert got.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)


def test_a_metric_of_a_function() -> None:
    """MeanMetricWrapper: the mean over batches of what a function gives for the samples."""

    def ours(y_true: Any, y_pred: Any) -> Any:
        return abs(lm.ops.convert_to_tensor(y_true) - y_pred).mean(-1)

    def theirs(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), -1)

    metric, peer = lm.metrics.MeanMetricWrapper(ours, "gap"), keras.metrics.MeanMetricWrapper(theirs, "gap")
    weights = RNG.uniform(0, 2, 9).astype("float32")
    for part in (slice(0, 2), slice(2, 9)):
        metric.update_state(SCORES[part], TIED[part], weights[part])
        peer.update_state(SCORES[part], TIED[part], weights[part])
    assert (metric.name, metric.result()) == ("gap", pytest.approx(float(peer.result()), rel=1e-6))


UNIT_ROWS = (SCORES / np.linalg.norm(SCORES, axis=-1, keepdims=True)).astype("float64")
PROBABILITIES = RNG.dirichlet(np.ones(5), 9)


def test_circle_and_generalized_cross_entropy_as_functions() -> None:
    labels = LABELS // 2
    wanted = keras.losses.circle(torch.tensor(labels), torch.tensor(UNIT_ROWS), gamma=8.0).numpy()
    got = lm.losses.circle(labels, lm.tensor(UNIT_ROWS), gamma=8.0).numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    wanted = keras.losses.categorical_generalized_cross_entropy(torch.tensor(LABELS), torch.tensor(PROBABILITIES), 0.3)
    got = lm.losses.categorical_generalized_cross_entropy(LABELS, lm.tensor(PROBABILITIES), 0.3).numpy()
    np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-6, atol=1e-6)
