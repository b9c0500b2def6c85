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


NUMBERS = random.normal(size=(N, C))
MORE = [
    (losses.MeanAbsolutePercentageError(), NUMBERS, logits), (losses.MeanSquaredLogarithmicError(), soft, soft[::-1]),
    (losses.Huber(0.5), NUMBERS, logits), (losses.LogCosh(), NUMBERS, logits), (losses.Poisson(), soft, soft[::-1]),
    (losses.CosineSimilarity(), NUMBERS, logits), (losses.KLDivergence(), soft, softmax(logits)),
    (losses.Hinge(), binary, logits), (losses.SquaredHinge(), binary, logits),
    (losses.CategoricalHinge(), one_hot, logits), (losses.Dice(axis=1), binary, sigmoid(logits)),
    (losses.Tversky(0.2, 0.7, axis=-1), binary, sigmoid(logits)),
    (losses.BinaryFocalCrossentropy(True, 0.7, 1.5), binary, sigmoid(logits)),
    (losses.CategoricalFocalCrossentropy([0.1, 0.2, 0.3, 0.4]), one_hot, softmax(logits)),
    (losses.CategoricalGeneralizedCrossEntropy(0.3), labels, softmax(logits)),
    (losses.SparseCategoricalCrossentropy(ignore_class=2), labels, softmax(logits)),
    (losses.BinaryCrossentropy(label_smoothing=0.1), binary, sigmoid(logits)),
]  # fmt: skip
more = pytest.mark.parametrize(("loss", "y_true", "y_pred"), MORE, ids=[type(m[0]).__name__ for m in MORE])


def with_reduction(loss, reduction):
    return type(loss).from_config({**loss.get_config(), "reduction": reduction})


@more
def test_reductions_weights_and_masks_of_the_others(loss, y_true, y_pred):
    x = lm.tensor(y_pred)
    counts = labels != 2 if getattr(loss, "ignore_class", None) == 2 else np.ones(N, bool)
    values = with_reduction(loss, "none")(y_true, x).numpy()
    assert values.shape == (N,)
    mask = np.array([True, False, True, True, False, True])
    for w in (np.ones(N), weights):
        for m in (None, mask):
            kept = counts if m is None else counts & m
            given = None if w is not weights else weights
            for reduction, expected in (
                ("sum", (values * w * kept).sum()),
                ("sum_over_batch_size", (values * w * kept).sum() / kept.sum()),
                ("mean_with_sample_weight", (values * w * kept).sum() / (w * kept).sum()),
            ):
                got = with_reduction(loss, reduction)(y_true, x, given, m).item()
                assert got == pytest.approx(expected, rel=1e-9), (reduction, m)
    got = with_reduction(loss, "none")(y_true, x, weights, mask).numpy()
    np.testing.assert_allclose(got, values * weights * mask, rtol=1e-9)
    assert with_reduction(loss, "mean")(y_true, x, mask=np.zeros(N, bool)).item() == 0
    assert with_reduction(loss, "mean_with_sample_weight")(y_true, x, np.zeros(N)).item() == 0


@more
def test_round_trips_and_dtypes_of_the_others(loss, y_true, y_pred):
    config = losses.serialize(loss)
    again = losses.get(config)
    assert losses.serialize(again) == config
    assert again(y_true, lm.tensor(y_pred)).item() == loss(y_true, lm.tensor(y_pred)).item()
    typed = type(loss).from_config({**loss.get_config(), "dtype": "float64"})
    x = lm.tensor(y_pred.astype("float32"), requires_grad=True)
    value = typed(y_true, x)
    assert value.dtype == np.float64
    value.backward()
    assert x.grad.dtype == np.float32
    assert loss(y_true, x).dtype == np.float32


def test_one_overlap_for_the_batch_takes_no_weights():
    assert losses.Dice()(binary, lm.tensor(sigmoid(logits))).shape == ()
    assert losses.Dice()(binary, lm.tensor(sigmoid(logits)), 1.0).shape == ()
    with pytest.raises(ValueError, match="one loss for the whole batch"):
        losses.Dice()(binary, lm.tensor(sigmoid(logits)), weights)


def test_masks_of_other_lengths():
    for mask in (np.ones(N + 1, bool), np.ones((N, C), bool), np.ones((1, N), bool)):
        with pytest.raises(ValueError, match="mask must have shape"):
            losses.MeanSquaredError()(one_hot, lm.tensor(logits), mask=mask)


def test_masks_of_steps():
    x, t = random.normal(size=(2, 3, 4)), random.normal(size=(2, 3, 4))
    mask = np.array([[True, True, False], [True, False, False]])
    values = ((x - t) ** 2).mean(-1)
    loss = losses.MeanSquaredError()
    assert loss(t, lm.tensor(x), mask=mask).item() == pytest.approx(values[mask].mean())
    assert loss(t, lm.tensor(x), mask=mask[..., None]).item() == pytest.approx(values[mask].mean())
    assert loss(t, lm.tensor(x), [1.0, 3.0], mask).item() == pytest.approx(
        (values * mask * [[1], [3]]).sum() / mask.sum()
    )


def test_classes_on_another_axis():
    x = random.normal(size=(3, C, 5))
    t = random.integers(0, C, (3, 5))
    hot = np.moveaxis(np.eye(C)[t], -1, 1)
    expected = cross_entropy(np.eye(C)[t], softmax(np.moveaxis(x, 1, -1))).mean()
    sparse = losses.SparseCategoricalCrossentropy(True, axis=1)
    assert sparse(t, lm.tensor(x)).item() == pytest.approx(expected)
    assert losses.CategoricalCrossentropy(True, axis=1)(hot, lm.tensor(x)).item() == pytest.approx(expected)
    through = losses.SparseCategoricalCrossentropy(axis=1)(t, lm.ops.softmax(lm.tensor(x, requires_grad=True), axis=1))
    assert through.item() == pytest.approx(expected)


@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard"])
def test_triplet_and_circle(mining):
    x = lm.tensor(NUMBERS)
    loss = losses.Triplet(0.5, mining)
    assert loss(labels, x).item() == lm.ops.triplet_mining_loss(labels, x, 0.5, mining).item()
    assert losses.serialize(losses.get(losses.serialize(loss))) == losses.serialize(loss)
    with pytest.raises(ValueError, match="a triplet has three samples"):
        loss(labels, x, weights)
    unit = lm.tensor(NUMBERS / np.linalg.norm(NUMBERS, axis=-1, keepdims=True))
    values = losses.circle(labels, unit, gamma=2.0).numpy()
    kept = values > 0
    circle = losses.Circle(2.0)
    assert circle(labels, unit).item() == pytest.approx(values[kept].mean())
    assert circle(labels, unit, weights).item() == pytest.approx((values * weights)[kept].sum() / kept.sum())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: losses.Huber(0), "huber_loss: delta must be above 0"),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), "gamma must be at least 0"),
        (lambda: losses.BinaryFocalCrossentropy(alpha=2), "alpha must be from 0 to 1"),
        (lambda: losses.Tversky(alpha=-1), "alpha must be at least 0"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(1.0), "q must be between 0 and 1"),
        (lambda: losses.Triplet(mining="easy"), "mining must be"),
        (lambda: losses.Circle(margin=2), "margin must be from 0 to 1"),
        (lambda: losses.CosineSimilarity(axis=5)(one_hot, logits), "axis"),
        (lambda: losses.Dice(axis=7)(one_hot, logits), "axis 7 is out of range"),
        (lambda: losses.CategoricalFocalCrossentropy()(labels, logits), "sparse_categorical_crossentropy"),
    ],
)
def test_more_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="dtype must be"):
        losses.MeanSquaredError(dtype="float16")
    with pytest.raises(TypeError, match="axis must be an integer"):
        losses.BinaryCrossentropy(axis=True)


def test_class_numbers_of_nan_are_refused():
    loss = lm.losses.SparseCategoricalCrossentropy()
    for wrong in (np.nan, np.inf, 0.5):
        with pytest.raises(ValueError, match="y_true must hold class numbers, got"):
            loss(np.array([wrong, 1.0]), np.full((2, 3), 1 / 3))


def test_logarithms_are_not_taken_for_probabilities():
    """The same loss with a tape and without: log_softmax gives no probabilities, whatever made them."""
    x = lm.tensor([[1.0, 2.0, 4.0]], requires_grad=True)
    y = lm.ops.log_softmax(x)
    for loss in (lm.losses.CategoricalCrossentropy(), lm.losses.SparseCategoricalCrossentropy()):
        target = [[0.0, 1.0, 0.0]] if loss.name == "categorical_crossentropy" else [1]
        assert loss(target, y).item() == loss(target, y.detach()).item()


def test_logits_behind_probabilities_take_the_dtype_of_the_loss():
    known = lm.tensor(logits.astype("float32"), requires_grad=True)
    loss = losses.SparseCategoricalCrossentropy(dtype="float64")(labels, lm.ops.softmax(known))
    assert loss.dtype == np.float64
    loss.backward()
    assert known.grad.dtype == np.float32
