"""Losses, regularizers and constraints against Keras 3: values and gradients, over reductions, weights and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

import lamina as lm  # noqa: E402

RNG = np.random.default_rng(0)
N, C = 9, 5
LOGITS = RNG.normal(0, 2, (N, C))
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
UNIT = 1 / (1 + np.exp(-LOGITS))
LABELS = RNG.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
SOFT = RNG.dirichlet(np.ones(C), N)
BINARY = (RNG.random((N, C)) > 0.5).astype(float)
NUMBERS = RNG.normal(0, 2, (N, C))
WEIGHTS = RNG.uniform(0, 2, N)
WEIGHTS[[1, 4]] = 0
IMAGES, MASKS = RNG.uniform(0.05, 0.95, (4, 6, 5, 2)), (RNG.random((4, 6, 5, 2)) > 0.6).astype(float)
SEQUENCE = RNG.normal(size=(3, 4, C))
CLASSES = RNG.integers(0, C, (3, 4))
UNIT_ROWS = NUMBERS / np.linalg.norm(NUMBERS, axis=-1, keepdims=True)

Case = tuple[str, dict[str, Any], Any, Any]  # the class, its arguments, y_true, y_pred


def cases() -> dict[str, Case]:
    found: dict[str, Case] = {}

    def add(name: str, y_true: Any, y_pred: Any, what: str = "", **arguments: Any) -> None:
        key = " ".join([name, *([what] if what else []), *(f"{k}={v}" for k, v in arguments.items())])
        found[key] = (name, arguments, y_true, y_pred)

    for name in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCosh", "CosineSimilarity"):
        add(name, LOGITS, NUMBERS)
        add(name, SEQUENCE, RNG.normal(size=SEQUENCE.shape), "sequence")
    add("MeanSquaredError", LOGITS[:, 0], NUMBERS[:, :1], "flat and column")
    add("MeanAbsolutePercentageError", np.where(BINARY, 0, NUMBERS), LOGITS, "zeros in the truth")
    add("MeanSquaredLogarithmicError", np.abs(LOGITS), np.abs(NUMBERS))
    add("MeanSquaredLogarithmicError", LOGITS, NUMBERS, "negative")
    for delta in (0.3, 1.0, 2.5):
        add("Huber", LOGITS, NUMBERS, delta=delta)
    add("LogCosh", 50 * LOGITS, NUMBERS, "far: e^-20 is 0 to Keras")
    add("CosineSimilarity", SEQUENCE, RNG.normal(size=SEQUENCE.shape), axis=1)
    add("Poisson", np.abs(LOGITS), np.abs(NUMBERS))
    add("KLDivergence", SOFT, PROBABILITIES)
    add("KLDivergence", ONE_HOT, PROBABILITIES, "one-hot")
    add("KLDivergence", SOFT, np.where(BINARY, 0, PROBABILITIES), "zeros")
    for name in ("Hinge", "SquaredHinge"):
        add(name, 2 * BINARY - 1, NUMBERS)
        add(name, BINARY, NUMBERS, "zeros and ones")
        add(name, LOGITS, NUMBERS, "numbers")
    add("CategoricalHinge", ONE_HOT, NUMBERS)
    add("CategoricalHinge", ONE_HOT, np.round(NUMBERS * 2) / 2 + 0.1, "ties")
    for smoothing in (0.0, 0.2):
        add("BinaryCrossentropy", BINARY, UNIT, label_smoothing=smoothing)
        add("BinaryCrossentropy", BINARY, LOGITS, from_logits=True, label_smoothing=smoothing)
        add("CategoricalCrossentropy", ONE_HOT, PROBABILITIES, label_smoothing=smoothing)
        add("CategoricalCrossentropy", SOFT, LOGITS, from_logits=True, label_smoothing=smoothing)
        for gamma in (0.0, 1.0, 2.0, 3.5):
            add("BinaryFocalCrossentropy", BINARY, UNIT, gamma=gamma, label_smoothing=smoothing)
            add("CategoricalFocalCrossentropy", ONE_HOT, PROBABILITIES, gamma=gamma, label_smoothing=smoothing)
    add("BinaryCrossentropy", SEQUENCE > 0, 1 / (1 + np.exp(-SEQUENCE)), axis=1)
    add("BinaryCrossentropy", BINARY[:, 0], UNIT[:, :1], "flat and column")
    add("BinaryCrossentropy", BINARY, np.round(UNIT), "certain")
    add("BinaryFocalCrossentropy", BINARY, LOGITS, from_logits=True)
    add("BinaryFocalCrossentropy", BINARY, LOGITS, from_logits=True, apply_class_balancing=True, alpha=0.7)
    add("BinaryFocalCrossentropy", BINARY, UNIT, apply_class_balancing=True, gamma=1.5)
    add("CategoricalCrossentropy", ONE_HOT, 3 * PROBABILITIES, "not normal")
    add(
        "CategoricalCrossentropy",
        np.moveaxis(np.eye(C)[CLASSES], -1, 1),
        np.moveaxis(SEQUENCE, -1, 1),
        axis=1,
        from_logits=True,
    )  # smoothed, Keras takes the last axis for the classes all the same

    add("CategoricalFocalCrossentropy", ONE_HOT, LOGITS, from_logits=True)
    add("CategoricalFocalCrossentropy", SOFT, LOGITS, from_logits=True, gamma=1.0, alpha=0.5)
    add("CategoricalFocalCrossentropy", ONE_HOT, PROBABILITIES, alpha=[0.125, 0.25, 0.375, 0.5, 0.625])
    add("CategoricalFocalCrossentropy", np.moveaxis(np.eye(C)[CLASSES], -1, 1), np.abs(np.moveaxis(SEQUENCE, -1, 1)),
        axis=1)  # fmt: skip
    for ignored in (None, 2, 0):
        add("SparseCategoricalCrossentropy", LABELS, LOGITS, from_logits=True, ignore_class=ignored)
        add("SparseCategoricalCrossentropy", LABELS[:, None], PROBABILITIES, "column", ignore_class=ignored)
        add("SparseCategoricalCrossentropy", CLASSES, SEQUENCE, "sequence", from_logits=True, ignore_class=ignored)
    add("SparseCategoricalCrossentropy", np.where(LABELS == 1, 255, LABELS), LOGITS, from_logits=True, ignore_class=255)
    add("SparseCategoricalCrossentropy", CLASSES, np.moveaxis(SEQUENCE, -1, 1), from_logits=True, axis=1)
    add("Dice", MASKS, IMAGES, axis=(1, 2, 3))
    add("Dice", MASKS, IMAGES, axis=(0, 2))
    add("Dice", 0 * MASKS, IMAGES, "an empty class", axis=(1, 2, 3))
    add("Tversky", MASKS, IMAGES, axis=(1, 2, 3))
    add("Tversky", MASKS, IMAGES, alpha=0.2, beta=0.9, axis=(1, 2, 3))
    add("CategoricalGeneralizedCrossEntropy", LABELS, PROBABILITIES, q=0.3)
    return found


CASES = cases()
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")


def weights_of(case: Case) -> np.ndarray[Any, Any]:
    name, arguments, _, y_pred = case
    axis = arguments.get("axis", -1)
    axes = axis if isinstance(axis, tuple) else (axis,)
    shape = [n for i, n in enumerate(y_pred.shape) if i not in [a % y_pred.ndim for a in axes]]
    weights = np.resize(WEIGHTS, shape)
    if y_pred.shape[-1] == 1 and name != "Dice":
        weights = weights.reshape(-1)
    return weights


@pytest.fixture(autouse=True)
def _floats(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keras takes means in its default dtype: that of the test; and makes float64 float32 unless it is told not to."""
    monkeypatch.setitem(keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    case = getattr(request.node, "callspec", None)
    keras.config.set_floatx("float64" if case is None else case.params.get("dtype", "float64"))
    yield
    keras.config.set_floatx("float32")


def both(ours: Callable[..., Any], theirs: Callable[..., Any], y_pred: Any, dtype: str) -> list[Any]:
    """(value, gradient) of ours and of theirs, the gradient of a random direction."""
    results = []
    x = lm.tensor(y_pred.astype(dtype), requires_grad=True)
    value = ours(x)
    direction = np.random.default_rng(3).uniform(0.5, 1.5, value.shape).astype(dtype)
    value.backward(lm.tensor(direction))
    results.append((value.numpy(), x.grad.numpy()))
    u = torch.tensor(y_pred.astype(dtype), requires_grad=True)
    value = theirs(u)
    value.backward(torch.tensor(direction.reshape(tuple(value.shape))))
    results.append((value.detach().numpy(), u.grad.numpy()))
    return results


def tensor(array: Any) -> Any:
    """For Keras as a PyTorch tensor: it takes NumPy's float64 for float32."""
    return None if array is None else torch.tensor(array)


def assert_close(got: Any, wanted: Any, dtype: str, what: str) -> None:
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    scale = max(1e-30, np.abs(wanted).max(initial=0))
    assert got.shape == wanted.shape, what
    np.testing.assert_allclose(got / scale, wanted / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_loss(case: str, weighted: bool, dtype: str, reduction: str) -> None:
    name, arguments, y_true, y_pred = CASES[case]
    weights = weights_of(CASES[case]).astype(dtype) if weighted else None
    ours = getattr(lm.losses, name)(**arguments, reduction=reduction)
    cls = getattr(keras.losses, name, None) or getattr(keras.src.losses.losses, name)
    theirs = cls(**arguments, reduction=reduction, dtype=dtype)
    if name != "CategoricalGeneralizedCrossEntropy" and np.asarray(y_true).dtype.kind == "f":
        y_true = y_true.astype(dtype)
    (value, gradient), (wanted, wanted_gradient) = both(
        lambda x: ours(y_true, x, weights), lambda u: theirs(tensor(y_true), u, tensor(weights)), y_pred, dtype
    )
    tolerance = "float32" if "far" in case else dtype
    assert_close(value, wanted, tolerance, "value")
    assert_close(gradient, wanted_gradient, tolerance, "gradient")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["Dice", "Tversky"])
def test_one_loss_for_the_whole_batch(name: str, dtype: str) -> None:
    ours, theirs = getattr(lm.losses, name)(), getattr(keras.losses, name)(dtype=dtype)
    (value, gradient), (wanted, wanted_gradient) = both(
        lambda x: ours(MASKS, x), lambda u: theirs(tensor(MASKS), u), IMAGES, dtype
    )
    assert_close(value, wanted, dtype, "value")
    assert_close(gradient, wanted_gradient, dtype, "gradient")


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("gamma", [2.0, 80.0])
@pytest.mark.parametrize("labels", [LABELS, np.arange(N) // 2])
def test_circle(labels: Any, gamma: float, reduction: str) -> None:
    ours = lm.losses.Circle(gamma=gamma, reduction=reduction)
    theirs = keras.losses.Circle(gamma=gamma, reduction=reduction, dtype="float64")
    (value, gradient), (wanted, wanted_gradient) = both(
        lambda x: ours(labels, x), lambda u: theirs(tensor(labels), u), UNIT_ROWS, "float64"
    )
    assert_close(value, wanted, "float64", "value")
    pairs = [np.sum(labels == k) > 1 for k in labels]
    if all(pairs):  # Keras's gradient of a sample without pairs is NaN
        assert_close(gradient, wanted_gradient, "float64", "gradient")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [None, 2])
def test_masks(ignored: int | None, weighted: bool, reduction: str) -> None:
    mask = np.array([[True, True, False, False], [True, True, True, True], [False, False, False, True]])
    weights = np.resize(WEIGHTS, mask.shape) if weighted else None
    ours = lm.losses.SparseCategoricalCrossentropy(True, ignored, reduction)
    theirs = keras.losses.SparseCategoricalCrossentropy(True, ignored, reduction, dtype="float64")

    def masked(u: Any) -> Any:
        u._keras_mask = torch.tensor(mask)
        return theirs(tensor(CLASSES), u, tensor(weights))

    (value, gradient), (wanted, wanted_gradient) = both(
        lambda x: ours(CLASSES, x, weights, mask), masked, SEQUENCE, "float64"
    )
    assert_close(value, wanted, "float64", "value")
    assert_close(gradient, wanted_gradient, "float64", "gradient")


FUNCTIONS = {
    "mean_squared_error": (LOGITS, NUMBERS), "mean_absolute_error": (LOGITS, NUMBERS),
    "mean_absolute_percentage_error": (LOGITS, NUMBERS), "huber": (LOGITS, NUMBERS), "log_cosh": (LOGITS, NUMBERS),
    "mean_squared_logarithmic_error": (LOGITS, NUMBERS), "cosine_similarity": (LOGITS, NUMBERS),
    "poisson": (UNIT, UNIT), "kl_divergence": (SOFT, PROBABILITIES), "hinge": (BINARY, NUMBERS),
    "squared_hinge": (BINARY, NUMBERS), "categorical_hinge": (ONE_HOT, NUMBERS), "binary_crossentropy": (BINARY, UNIT),
    "categorical_crossentropy": (ONE_HOT, PROBABILITIES), "binary_focal_crossentropy": (BINARY, UNIT),
    "sparse_categorical_crossentropy": (LABELS, PROBABILITIES),
    "categorical_focal_crossentropy": (ONE_HOT, PROBABILITIES), "dice": (MASKS, IMAGES), "tversky": (MASKS, IMAGES),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    y_true, y_pred = FUNCTIONS[name]
    wanted = getattr(keras.losses, name)(torch.tensor(y_true), torch.tensor(y_pred)).numpy()
    assert_close(getattr(lm.losses, name)(y_true, lm.tensor(y_pred)).numpy(), wanted, "float64", name)
    if name not in ("categorical_crossentropy", "categorical_focal_crossentropy", "sparse_categorical_crossentropy"):
        y_true, y_pred = y_true[0], y_pred[0]
        wanted = getattr(keras.losses, name)(torch.tensor(y_true), torch.tensor(y_pred)).numpy()
        assert_close(getattr(lm.losses, name)(y_true, lm.tensor(y_pred)).numpy(), wanted, "float64", name + ", flat")


@pytest.mark.parametrize("name", ["mse", "MAE", "mape", "msle", "bce", "kld", "huber", "log_cosh", "dice", "poisson"])
def test_names(name: str) -> None:
    y_true, y_pred = SOFT, PROBABILITIES
    value = lm.losses.get(name)(y_true, lm.tensor(y_pred)).item()
    wanted = keras.losses.get(name)(torch.tensor(y_true), torch.tensor(y_pred)).numpy().mean()
    assert value == pytest.approx(wanted, rel=1e-9)


REGULARIZERS = [
    ("L1", {}), ("L1", {"l1": 0.3}), ("L2", {}), ("L2", {"l2": 0.3}), ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {"l2": 0.2}), ("L1", {"l1": 0.25}), ("L2", {"l2": 0.5}), ("L1L2", {"l1": 0.25, "l2": 0.5}),
    ("OrthogonalRegularizer", {}), ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS)
def test_regularizer(name: str, arguments: dict[str, Any], dtype: str) -> None:
    ours = getattr(lm.regularizers, name)(**arguments)
    theirs = getattr(keras.regularizers, name)(**arguments)
    factors = [f for f in arguments.values() if isinstance(f, float)] or [0.01]  # Keras keeps some in float32 only
    tolerance = "float32" if any(np.float32(f) != f for f in factors) else dtype
    (value, gradient), (wanted, wanted_gradient) = both(ours, theirs, NUMBERS, dtype)
    assert_close(value, wanted, tolerance, "value")
    assert_close(gradient, wanted_gradient, tolerance, "gradient")


CONSTRAINTS = [
    ("MaxNorm", {}), ("MaxNorm", {"max_value": 0.7, "axis": 1}), ("MaxNorm", {"axis": [0, 1]}), ("NonNeg", {}),
    ("UnitNorm", {}), ("UnitNorm", {"axis": 1}), ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.0, "max_value": 3.0, "rate": 0.4, "axis": 1}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "arguments"), CONSTRAINTS)
def test_constraint(name: str, arguments: dict[str, Any], dtype: str) -> None:
    w = NUMBERS.astype(dtype)
    w[:, 2] = 0
    ours = getattr(lm.constraints, name)(**arguments)(w)
    theirs = getattr(keras.constraints, name)(**arguments)(torch.tensor(w)).numpy()
    assert ours.dtype == dtype
    assert_close(ours, theirs, dtype, name)


TRIPLETS = [RNG.normal(size=(N, C)) for _ in range(3)]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("margin", [0.5, 2.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_triplets_as_pytorch_has_them(reduction: str, margin: float, swap: bool) -> None:
    ours = [lm.tensor(a, requires_grad=True) for a in TRIPLETS]
    theirs = [torch.tensor(a, requires_grad=True) for a in TRIPLETS]
    value = lm.ops.triplet_margin_loss(*ours, margin=margin, swap=swap, reduction=reduction)
    wanted = torch.nn.functional.triplet_margin_loss(*theirs, margin=margin, swap=swap, reduction=reduction)
    assert_close(value.numpy(), wanted.detach().numpy(), "float64", "value")
    value.backward(np.ones(value.shape))
    wanted.backward(torch.ones(wanted.shape))
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a.grad.numpy(), b.grad.numpy(), "float64", "gradient")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("class_weight", [None, RNG.uniform(0.5, 2, C)])
@pytest.mark.parametrize("ignored", [-100, 2])
def test_cross_entropy_as_pytorch_has_it(ignored: int, class_weight: Any, smoothing: float, reduction: str) -> None:
    labels = LABELS.copy()
    labels[0] = ignored
    weight = None if class_weight is None else torch.tensor(class_weight)
    (value, gradient), (wanted, wanted_gradient) = both(
        lambda x: lm.ops.softmax_cross_entropy(x, labels, None, reduction, smoothing, ignored, class_weight),
        lambda u: torch.nn.functional.cross_entropy(
            u, torch.tensor(labels), weight, ignore_index=ignored, reduction=reduction, label_smoothing=smoothing
        ),
        LOGITS,
        "float64",
    )
    assert_close(value, wanted, "float64", "value")
    assert_close(gradient, wanted_gradient, "float64", "gradient")
