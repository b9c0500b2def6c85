import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

RNG = np.random.default_rng(0)


def squared(x, t):
    return (x - t) ** 2


def absolute(x, t):
    return np.abs(x - t)


def binary(x, t):
    p = np.clip(x, 1e-7, 1 - 1e-7)
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def with_logits(x, t):
    return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))


def percentage(x, t):
    return 100 * np.abs(x - t) / np.maximum(np.abs(t), 1e-7)


def logarithmic(x, t):
    return (np.log1p(np.maximum(x, 1e-7)) - np.log1p(np.maximum(t, 1e-7))) ** 2


def huber(x, t):
    d = np.abs(x - t)
    return np.where(d <= 1, d * d / 2, d - 0.5)


def log_cosh(x, t):
    return np.logaddexp(x - t, t - x) - np.log(2)


def kl_divergence(x, t):
    p, s = np.clip(x, 1e-7, 1), np.clip(t, 1e-7, 1)
    return s * np.log(s / p) * (x.shape[-1] if x.ndim > 1 else 1)  # a sum, where the others are means


def poisson(x, t):
    return x - t * np.log(x + 1e-7)


def hinge(x, t):
    return np.maximum(1 - x * t, 0)


def focal(x, t):
    p = np.clip(x, 1e-7, 1 - 1e-7)
    return (t * (1 - p) + (1 - t) * p) ** 2 * binary(x, t)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def within(x):
    return 0.01 + 0.98 * sigmoid(x)


def swapped(op):
    return lambda x, t, *rest: op(t, x, *rest)


# name: (op of predictions and targets, reference, predictions from normal numbers)
LOSSES = {
    "mean_squared_error": (swapped(lm.ops.mean_squared_error), squared, lambda x: x),
    "mean_absolute_error": (swapped(lm.ops.mean_absolute_error), absolute, lambda x: np.where(np.abs(x) < 1, 2, x)),
    "sigmoid_cross_entropy": (lm.ops.sigmoid_cross_entropy, with_logits, lambda x: 3 * x),
    "binary_cross_entropy_from_probabilities": (
        lm.ops.binary_cross_entropy_from_probabilities,
        binary,
        within,
    ),
    "mean_absolute_percentage_error": (
        swapped(lm.ops.mean_absolute_percentage_error), percentage, lambda x: np.where(np.abs(x) < 1, 2, x)
    ),
    "mean_squared_logarithmic_error": (
        swapped(lm.ops.mean_squared_logarithmic_error), logarithmic, lambda x: np.abs(x) + 0.1
    ),
    "huber_loss": (swapped(lm.ops.huber_loss), huber, lambda x: 2 * x),
    "log_cosh_loss": (swapped(lm.ops.log_cosh_loss), log_cosh, lambda x: 3 * x),
    "kl_divergence_loss": (swapped(lm.ops.kl_divergence_loss), kl_divergence, within),
    "poisson_loss": (swapped(lm.ops.poisson_loss), poisson, lambda x: np.abs(x) + 0.1),
    "hinge_loss": (swapped(lm.ops.hinge_loss), hinge, lambda x: x),
    "squared_hinge_loss": (swapped(lm.ops.squared_hinge_loss), lambda x, t: hinge(x, t) ** 2, lambda x: x),
    "sigmoid_focal_cross_entropy": (
        lm.ops.sigmoid_focal_cross_entropy, lambda x, t: focal(sigmoid(x), t), lambda x: 2 * x
    ),
    "binary_focal_cross_entropy": (lm.ops.binary_focal_cross_entropy, focal, within),
}  # fmt: skip
each_loss = pytest.mark.parametrize("name", LOSSES)


def make(name, shape):
    op, reference, prepare = LOSSES[name]
    return op, reference, prepare(RNG.normal(size=shape)), RNG.uniform(0, 1, shape)


@each_loss
@pytest.mark.parametrize("shape", [(7,), (70, 1), (6, 10), (3, 4, 17), (3, 9000)])
def test_samples(name, shape):
    op, reference, x, t = make(name, shape)
    check_op(
        lambda x: op(x, t[: len(x)].astype(x.dtype), None, "none"),
        [x],
        lambda x: reference(x, t) if x.ndim == 1 else reference(x, t).mean(-1),
        batch_axis=None,
        layouts=x.size < 1000,
    )


@each_loss
@pytest.mark.parametrize("shape", [(7,), (70, 1), (6, 10)])
def test_rows_alone_and_empty(name, shape):
    op, _, x, t = make(name, shape)
    whole, directions = lm.tensor(x, requires_grad=True), RNG.normal(size=shape[0])
    losses = op(whole, t, None, "none")
    losses.backward(directions)
    for rows in (slice(0, 1), slice(2, 5), slice(3, 3)):
        few = lm.tensor(x[rows], requires_grad=True)
        y = op(few, t[rows], None, "none")
        y.backward(directions[rows])
        np.testing.assert_array_equal(y.numpy(), losses.numpy()[rows])
        np.testing.assert_array_equal(few.grad.numpy(), whole.grad.numpy()[rows])
    assert op(x[:0], t[:0]).item() == 0


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(70, 1), (9, 5)])
def test_reductions_and_weights(name, reduction, weighted, shape):
    op, reference, x, t = make(name, shape)
    weights = RNG.uniform(0, 2, shape[0]) if weighted else None
    losses = reference(x, t).mean(-1) * (1 if weights is None else weights)
    expected = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    check_op(lambda x: op(x, t, weights, reduction), [x], lambda x: expected, batch_axis=None, layouts=False)


@each_loss
@pytest.mark.parametrize("shape", [(40_000, 1), (300, 200)])
def test_threads(name, shape):
    op, _, x, t = make(name, shape)
    check_same_bits(lambda x: op(x, t.astype(x.dtype), None, "mean"), [x.astype(np.float32)])


@each_loss
def test_large_arrays_written_past_the_caches(name):
    op, reference, x, t = make(name, (4200, 1024))
    x, t = x.astype(np.float32), t.astype(np.float32)
    whole, few = lm.tensor(x, requires_grad=True), lm.tensor(x[:3], requires_grad=True)
    loss = op(whole, t, None, "sum")
    loss.backward()
    op(few, t[:3], None, "sum").backward()
    np.testing.assert_array_equal(whole.grad.numpy()[:3], few.grad.numpy())
    np.testing.assert_allclose(loss.item(), reference(x, t).mean(-1, dtype=np.float64).sum(), rtol=1e-5)


@each_loss
def test_a_missing_last_axis_is_handled_and_nothing_is_broadcast(name):
    op, _, x, t = make(name, (5, 1))
    expected = op(x, t).item()
    assert op(x, t[:, 0]).item() == op(x[:, 0], t).item() == op(x[:, 0], t[:, 0]).item() == expected
    for shape in ((1, 5), (5, 5), (1,), (4, 1), ()):
        with pytest.raises(ValueError, match=rf"{name}: \w+ must have the shape of \w+, \(5, 1\), got"):
            op(x, np.ones(shape))


@each_loss
def test_weights_of_samples_with_more_axes(name):
    op, _, x, t = make(name, (3, 4, 5))
    weights = RNG.uniform(0, 1, 3)
    expected = op(x, t, np.repeat(weights[:, None], 4, 1)).item()
    assert op(x, t, weights).item() == expected
    with pytest.raises(ValueError, match=rf"{name}: sample_weight must have shape \(3,\) or \(3, 4\), got \(4,\)"):
        op(x, t, np.ones(4))


def test_no_difference_has_no_gradient_and_nan_spreads():
    y = lm.tensor([1.0, 2.0, np.nan], requires_grad=True)
    lm.ops.mean_absolute_error([1.0, 0.0, 0.0], y, reduction="sum").backward()
    np.testing.assert_array_equal(y.grad.numpy(), [0, 1, np.nan])


def test_extreme_logits():
    x = lm.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = lm.ops.sigmoid_cross_entropy(x, [1, 0, 0, 1], reduction="none")
    loss.backward([1.0, 1.0, 1.0, 1.0])
    assert loss.numpy().tolist() == [0, 0, 1e4, 1e4]
    assert x.grad.numpy().tolist() == [0, 0, 1, -1]


def test_extreme_probabilities():
    p = lm.tensor(np.array([0.0, 1.0, 0.0, 1.0]), requires_grad=True)
    loss = lm.ops.binary_cross_entropy_from_probabilities(p, [1, 0, 0, 1], reduction="none")
    np.testing.assert_allclose(loss.numpy(), [-np.log(1e-7)] * 2 + [1e-7] * 2, rtol=1e-6)
    loss.backward(np.ones(4))
    assert not p.grad.numpy().any()


@pytest.mark.parametrize(
    "name",
    [
        "sigmoid_cross_entropy", "binary_cross_entropy_from_probabilities", "sigmoid_focal_cross_entropy",
        "binary_focal_cross_entropy",
    ],
)  # fmt: skip
@pytest.mark.parametrize("bad", [1.5, -0.25, np.nan, np.inf])
def test_targets_outside_the_unit_interval(name, bad):
    op, _, x, t = make(name, (4, 3))
    t[2, 1] = bad
    with pytest.raises(ValueError, match=rf"{name}: \w+ must be in \[0, 1\], got {bad} at \(2, 1\)"):
        op(x, t)
    with pytest.raises(ValueError, match=rf"{name}: \w+ must be in \[0, 1\], got {bad} at 2"):
        op(x[:, 1], t[:, 1])


@each_loss
def test_errors(name):
    op, _, x, t = make(name, (4, 3))
    with pytest.raises(ValueError, match=f'{name}: reduction must be "mean", "sum" or "none", got None'):
        op(x, t, None, None)
    with pytest.raises(ValueError, match=f"{name}: no gradient flows to"):
        op(x, lm.tensor(t, requires_grad=True))
    with pytest.raises(ValueError, match=rf"{name}: \w+ must have shape \(N,\) or \(N, ..., n\), got \(\)"):
        op(1.0, 1.0)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(x.astype(np.complex64), t)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("logits", [False, True])
def test_focal_parameters(gamma, alpha, smoothing, logits):
    x, t = RNG.normal(size=(6, 10)), (RNG.random((6, 10)) > 0.5).astype(float)
    op = lm.ops.sigmoid_focal_cross_entropy if logits else lm.ops.binary_focal_cross_entropy

    def expected(x):
        p, s = sigmoid(x) if logits else x, t * (1 - smoothing) + smoothing / 2
        weight = 1 if alpha is None else alpha * s + (1 - alpha) * (1 - s)
        return (weight * (s * (1 - p) + (1 - s) * p) ** gamma * binary(p, s)).mean(-1)

    check_op(
        lambda x: op(x, t, None, "none", alpha, gamma, smoothing),
        [x if logits else within(x)], expected, batch_axis=None, layouts=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "binary_cross_entropy_from_probabilities"])
def test_smoothing_and_another_axis(name):
    op, reference, x, t = make(name, (4, 5, 3))
    smooth = t * 0.8 + 0.1
    check_op(
        lambda x: op(x, t, None, "none", 0.2, 1), [x], lambda x: reference(x, smooth).mean(1),
        batch_axis=None, layouts=False,
    )  # fmt: skip


def test_huber_deltas():
    x, t = RNG.normal(0, 3, (6, 10)), RNG.normal(size=(6, 10))
    for delta in (0.25, 2.0):
        d = np.abs(x - t)
        expected = np.where(d <= delta, d * d / 2, delta * d - delta**2 / 2).mean(-1)
        got = lm.ops.huber_loss(t, lm.tensor(x), reduction="none", delta=delta)
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)
    for delta in (0, -1.0, np.inf):
        with pytest.raises(ValueError, match="huber_loss: delta must be"):
            lm.ops.huber_loss(t, lm.tensor(x), delta=delta)


@pytest.mark.parametrize("op", [lm.ops.hinge_loss, lm.ops.squared_hinge_loss])
def test_zeros_and_ones_stand_for_signs(op):
    t, x = RNG.integers(0, 2, (7, 5)), lm.tensor(RNG.normal(size=(7, 5)))
    assert op(t, x).item() == op(2 * t - 1, x).item()
    t[3, 2] = -1  # not binary any more
    assert op(t, x).item() != op(2 * t - 1, x).item()


def test_extreme_differences():
    x = lm.tensor([1e4, -1e4, 0.0], requires_grad=True)
    loss = lm.ops.log_cosh_loss([0.0, 0.0, 0.0], x, reduction="none")
    loss.backward([1.0, 1.0, 1.0])
    np.testing.assert_allclose(loss.numpy(), [1e4 - np.log(2), 1e4 - np.log(2), 0], rtol=1e-6)
    assert x.grad.numpy().tolist() == [1, -1, 0]


def test_certain_and_right_is_no_focal_loss_and_certain_and_wrong_is_finite():
    for gamma in (0.5, 2.0, 3.0):
        x = lm.tensor([200.0, -200.0, 200.0], requires_grad=True)
        loss = lm.ops.sigmoid_focal_cross_entropy(x, [1, 0, 0], None, "none", None, gamma)
        loss.backward([1.0, 1.0, 1.0])
        np.testing.assert_allclose(loss.numpy(), [0, 0, 200], atol=1e-6)
        assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("bad", [{"gamma": -1}, {"alpha": 1.5}, {"label_smoothing": 2}, {"axis": 3}])
def test_bad_focal_arguments(bad):
    with pytest.raises(ValueError, match="sigmoid_focal_cross_entropy: "):
        lm.ops.sigmoid_focal_cross_entropy(np.zeros((2, 2)), np.zeros((2, 2)), **bad)
