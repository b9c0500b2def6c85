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
        lambda x: 0.01 + 0.98 / (1 + np.exp(-x)),
    ),
}
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


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "binary_cross_entropy_from_probabilities"])
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
    with pytest.raises(TypeError, match=rf"{name}: \w+ must be float32 or float64, got float16"):
        op(x.astype(np.float16), t)
