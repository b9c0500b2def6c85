"""Losses against their formulas in NumPy: values, reductions, weights, gradients, errors."""

import numpy as np
import pytest

import lamina as lm
from lamina import losses

random = np.random.default_rng(0)
N, C = 6, 4
logits = random.normal(size=(N, C)) * 2
labels = np.array([0, 3, 1, 1, 2, 0])
one_hot = np.eye(C)[labels]
soft = random.dirichlet(np.ones(C), size=N)
binary = (random.random((N, C)) > 0.5).astype(float)
weights = random.random(N) + 0.1


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def clipped(p):
    return np.clip(p, 1e-7, 1 - 1e-7)


def cross_entropy(t, p):
    return -(t * np.log(clipped(p / p.sum(-1, keepdims=True)))).sum(-1)


def binary_cross_entropy(t, p):
    p = clipped(p)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(-1)


# loss, targets, predictions, values a sample
CASES = {
    "mse": (losses.MeanSquaredError, {}, one_hot, logits, ((one_hot - logits) ** 2).mean(-1)),
    "mae": (losses.MeanAbsoluteError, {}, one_hot, logits, np.abs(one_hot - logits).mean(-1)),
    "bce": (losses.BinaryCrossentropy, {}, binary, sigmoid(logits), binary_cross_entropy(binary, sigmoid(logits))),
    "bce logits": (
        losses.BinaryCrossentropy, {"from_logits": True}, binary, logits,
        binary_cross_entropy(binary, sigmoid(logits)),
    ),
    "bce smoothed": (
        losses.BinaryCrossentropy, {"label_smoothing": 0.2}, binary, sigmoid(logits),
        binary_cross_entropy(binary * 0.8 + 0.1, sigmoid(logits)),
    ),
    "cce": (losses.CategoricalCrossentropy, {}, soft, softmax(logits), cross_entropy(soft, softmax(logits))),
    "cce not normal": (losses.CategoricalCrossentropy, {}, soft, 3 * softmax(logits),
                       cross_entropy(soft, softmax(logits))),
    "cce logits": (
        losses.CategoricalCrossentropy, {"from_logits": True}, one_hot, logits, cross_entropy(one_hot, softmax(logits))
    ),
    "cce smoothed": (
        losses.CategoricalCrossentropy, {"from_logits": True, "label_smoothing": 0.1}, one_hot, logits,
        cross_entropy(one_hot * 0.9 + 0.1 / C, softmax(logits)),
    ),
    "sparse": (
        losses.SparseCategoricalCrossentropy, {}, labels, softmax(logits), cross_entropy(one_hot, softmax(logits))
    ),
    "sparse logits": (
        losses.SparseCategoricalCrossentropy, {"from_logits": True}, labels, logits,
        cross_entropy(one_hot, softmax(logits)),
    ),
}  # fmt: skip
REDUCTIONS = {
    "sum_over_batch_size": lambda v, w: (v * w).mean(),
    "mean": lambda v, w: (v * w).mean(),
    "sum": lambda v, w: (v * w).sum(),
    "mean_with_sample_weight": lambda v, w: (v * w).sum() / w.sum(),
    "none": lambda v, w: v * w,
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_values(case, dtype, weighted, reduction):
    cls, arguments, y_true, y_pred, values = CASES[case]
    loss = cls(**arguments, reduction=reduction)
    w = weights if weighted else np.ones(N)
    result = loss(y_true, lm.tensor(y_pred.astype(dtype)), weights if weighted else None)
    expected = REDUCTIONS[reduction](values, w)
    assert result.dtype == dtype
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_gradients(case, weighted):
    cls, arguments, y_true, y_pred, _ = CASES[case]
    loss = cls(**arguments)
    w = weights if weighted else None
    x = lm.tensor(y_pred, requires_grad=True)
    loss(y_true, x, w).backward()
    h = 1e-6
    for i, j in ((0, 0), (1, 3), (4, 2)):
        up, down = y_pred.copy(), y_pred.copy()
        up[i, j] += h
        down[i, j] -= h
        difference = (loss(y_true, lm.tensor(up), w).item() - loss(y_true, lm.tensor(down), w).item()) / (2 * h)
        assert x.grad.numpy()[i, j] == pytest.approx(difference, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("cls", "op", "y_true"),
    [
        (losses.BinaryCrossentropy, lm.ops.sigmoid, binary),
        (losses.CategoricalCrossentropy, lm.ops.softmax, soft),
        (losses.SparseCategoricalCrossentropy, lm.ops.softmax, labels),
    ],
)
def test_the_output_of_softmax_or_sigmoid_is_taken_back_to_its_logits(cls, op, y_true, weighted):
    w = weights if weighted else None
    x = lm.tensor(logits * 200, requires_grad=True)  # probabilities of exactly 0 and 1
    direct = lm.tensor(logits * 200, requires_grad=True)
    through = cls()(y_true, op(x), w)
    expected = cls(from_logits=True)(y_true, direct, w)
    assert through.item() == expected.item()
    through.backward()
    expected.backward()
    np.testing.assert_array_equal(x.grad.numpy(), direct.grad.numpy())
    assert np.abs(x.grad.numpy()).max() > 0


def test_softmax_over_another_axis_is_not_taken_back():
    x = lm.tensor(logits, requires_grad=True)
    y = lm.ops.softmax(x, axis=0)
    expected = cross_entropy(one_hot, softmax(logits.T).T).mean()
    assert losses.SparseCategoricalCrossentropy()(labels, y).item() == pytest.approx(expected)


def test_sequences_of_class_numbers():
    z = random.normal(size=(3, 5, C))
    t = random.integers(0, C, (3, 5))
    values = cross_entropy(np.eye(C)[t], softmax(z))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss(t, lm.tensor(z)).item() == pytest.approx(values.mean())
    assert loss(t[..., None], lm.tensor(z)).item() == pytest.approx(values.mean())
    w = random.random(3)
    assert loss(t, lm.tensor(z), w).item() == pytest.approx((values * w[:, None]).mean())
    w = random.random((3, 5))
    assert loss(t, lm.tensor(z), w).item() == pytest.approx((values * w).mean())


def test_ignore_class():
    t = labels.copy()
    t[[1, 4]] = -1
    keep = t != -1
    values = cross_entropy(one_hot, softmax(logits))
    for from_logits, y_pred in ((True, logits), (False, softmax(logits))):
        loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class=-1)
        assert loss(t, lm.tensor(y_pred)).item() == pytest.approx(values[keep].mean())
        loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class=-1, reduction="none")
        np.testing.assert_allclose(loss(t, lm.tensor(y_pred)).numpy(), values * keep, rtol=1e-6)


def test_columns_stand_for_flat_arrays_and_nothing_is_broadcast():
    column = lm.tensor(random.normal(size=(N, 1)))
    flat = random.normal(size=N)
    for loss in (losses.MeanSquaredError(), losses.MeanAbsoluteError()):
        assert loss(flat, column).item() == pytest.approx(loss(flat[:, None], column).item())
        assert loss(flat[:, None], column[:, 0]).item() == pytest.approx(loss(flat[:, None], column).item())
        for y_true in (flat[:3], np.ones((N, 2)), np.ones((1, 1)), 1.0):
            with pytest.raises(ValueError, match="must have the shape of"):
                loss(y_true, column)
    assert losses.BinaryCrossentropy()(binary[:, 0], lm.ops.sigmoid(column)).size == 1
    with pytest.raises(ValueError, match="must have the shape of"):
        losses.BinaryCrossentropy()(binary[:, 0], lm.tensor(sigmoid(logits)))


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("bad", [-1, C, 1000])
def test_labels_out_of_range(from_logits, bad):
    t = labels.copy()
    t[2] = bad
    with pytest.raises(ValueError, match=str(bad)):
        losses.SparseCategoricalCrossentropy(from_logits)(t, lm.tensor(softmax(logits)))


def test_labels_of_other_kinds():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    x = lm.tensor(logits)
    expected = loss(labels, x).item()
    for t in (labels.astype("float32"), labels.astype("int8"), labels.astype("uint8"), labels[:, None], labels.tolist(),
              labels.astype(">i4")):  # fmt: skip
        assert loss(t, x).item() == expected
    with pytest.raises(ValueError, match=r"class numbers, got 0\.5"):
        loss(labels + 0.5, x)
    with pytest.raises(TypeError, match="class numbers, got dtype"):
        loss(labels.astype(complex), x)
    with pytest.raises(ValueError, match="class numbers in shape"):
        loss(one_hot, x)


def test_targets_outside_0_and_1():
    for from_logits in (True, False):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            losses.BinaryCrossentropy(from_logits)(binary * 2, lm.tensor(sigmoid(logits)))


def test_one_hot_is_needed():
    with pytest.raises(ValueError, match="sparse_categorical_crossentropy"):
        losses.CategoricalCrossentropy()(labels, lm.tensor(softmax(logits)))


def test_weights_of_another_length():
    with pytest.raises(ValueError, match="sample_weight must have"):
        losses.MeanSquaredError()(one_hot, lm.tensor(logits), np.ones(N + 1))


def test_losses_of_ones_own():
    def cubic(y_true, y_pred):
        return lm.ops.abs(y_pred - y_true) ** 3

    loss = losses.get(cubic)
    assert loss.name == "cubic"
    assert loss(one_hot, lm.tensor(logits)).item() == pytest.approx((np.abs(one_hot - logits) ** 3).mean())
    with pytest.raises(ValueError, match="cannot be saved"):
        losses.serialize(loss)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", losses.MeanSquaredError), ("mean_squared_error", losses.MeanSquaredError),
        ("mae", losses.MeanAbsoluteError), ("binary_crossentropy", losses.BinaryCrossentropy),
        ("categorical_crossentropy", losses.CategoricalCrossentropy),
        ("sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy),
        ("SparseCategoricalCrossentropy", losses.SparseCategoricalCrossentropy),
    ],
)  # fmt: skip
def test_names(name, cls):
    assert type(losses.get(name)) is cls


@pytest.mark.parametrize("case", CASES)
def test_configuration_round_trip(case):
    cls, arguments, *_ = CASES[case]
    config = losses.serialize(cls(**arguments))
    assert losses.serialize(losses.get(config)) == config


@pytest.mark.parametrize(
    "make",
    [
        lambda: losses.get("mean"),
        lambda: losses.get(3),
        lambda: losses.MeanSquaredError(reduction="average"),
        lambda: losses.BinaryCrossentropy(label_smoothing=-1),
        lambda: losses.CategoricalCrossentropy(label_smoothing=2),
        lambda: losses.CategoricalCrossentropy(axis=2)(one_hot, logits),
    ],
)
def test_refused(make):
    with pytest.raises(ValueError):
        make()
