"""Losses of whole rows: cosine similarity, categorical hinge, categorical focal cross entropy."""

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_rows_alone, check_same_bits

RNG = np.random.default_rng(0)


def cosine(x, t):
    return -(x * t).sum(-1) / np.sqrt((x * x).sum(-1) * (t * t).sum(-1))


def categorical_hinge(x, t):
    return np.maximum(((1 - t) * x).max(-1) - (t * x).sum(-1) + 1, 0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def focal(p, t, gamma=2.0):
    p = np.clip(p / p.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    return -(0.25 * t * (1 - p) ** gamma * np.log(p)).sum(-1)


# op of predictions and targets, reference, predictions from normal numbers
LOSSES = {
    "cosine_similarity_loss": (lambda x, t, *r: lm.ops.cosine_similarity_loss(t, x, *r), cosine, lambda x: x),
    "categorical_hinge_loss": (
        lambda x, t, *r: lm.ops.categorical_hinge_loss(t, x, *r), categorical_hinge, lambda x: x
    ),
    "softmax_focal_cross_entropy": (
        lm.ops.softmax_focal_cross_entropy, lambda x, t: focal(softmax(x), t), lambda x: 2 * x
    ),
    "categorical_focal_cross_entropy": (lm.ops.categorical_focal_cross_entropy, focal, lambda x: np.exp(0.5 * x)),
}  # fmt: skip
each_loss = pytest.mark.parametrize("name", LOSSES)


def make(name, shape):
    op, reference, prepare = LOSSES[name]
    t = np.eye(shape[-1])[RNG.integers(0, shape[-1], shape[:-1])]
    return op, reference, prepare(RNG.normal(size=shape)), t


@each_loss
@pytest.mark.parametrize("shape", [(7, 2), (6, 10), (3, 4, 17), (2, 9000)])
def test_samples(name, shape):
    op, reference, x, t = make(name, shape)
    check_op(
        lambda x: op(x, t.astype(x.dtype), None, "none"), [x], lambda x: reference(x, t),
        batch_axis=None, layouts=x.size < 1000,
    )  # fmt: skip


@each_loss
def test_rows_alone(name):
    op, _, x, _ = make(name, (9, 21))
    target = np.eye(21)[3]
    for dtype in (np.float32, np.float64):
        check_rows_alone(
            lambda x: op(x, np.broadcast_to(target.astype(x.dtype), x.shape), None, "none"), [x.astype(dtype)]
        )


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reductions_and_weights(name, reduction):
    op, reference, x, t = make(name, (9, 5))
    weights = RNG.uniform(0, 2, 9)
    losses = reference(x, t) * weights
    expected = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    check_op(lambda x: op(x, t, weights, reduction), [x], lambda x: expected, batch_axis=None, layouts=False)
    assert op(x[:0], t[:0]).item() == 0


@each_loss
def test_threads(name):
    op, _, x, t = make(name, (300, 200))
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
    np.testing.assert_allclose(loss.item(), reference(x.astype(float), t).sum(), rtol=1e-4)


@each_loss
def test_errors(name):
    op, _, x, t = make(name, (4, 3))
    with pytest.raises(ValueError, match=f'{name}: reduction must be "mean", "sum" or "none", got None'):
        op(x, t, None, None)
    with pytest.raises(ValueError, match=f"{name}: no gradient flows to"):
        op(x, lm.tensor(t, requires_grad=True))
    with pytest.raises(ValueError, match=rf"{name}: \w+ must have the shape of \w+, \(4, 3\), got \(4,\)"):
        op(x, t[:, 0])
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(x.astype(np.complex64), t)
    with pytest.raises(ValueError, match=rf"{name}: sample_weight must have shape"):
        op(x, t, np.ones(3))


def test_vectors_of_zeros():
    x = lm.tensor(np.zeros((2, 3)), requires_grad=True)
    loss = lm.ops.cosine_similarity_loss([[1.0, 0, 0], [0, 0, 0]], x, reduction="none")
    loss.backward(np.ones(2))
    assert loss.numpy().tolist() == [0, 0]
    np.testing.assert_allclose(x.grad.numpy(), [[-1e7, 0, 0], [0, 0, 0]])


def test_cosine_over_another_axis():
    x, t = RNG.normal(size=(3, 4, 5)), RNG.normal(size=(3, 4, 5))
    expected = cosine(np.moveaxis(x, 1, -1), np.moveaxis(t, 1, -1))
    check_op(
        lambda x: lm.ops.cosine_similarity_loss(t, x, None, "none", 1), [x], lambda x: expected,
        batch_axis=None, layouts=False,
    )  # fmt: skip


def test_equally_wrong_classes_share_the_gradient():
    x = lm.tensor([[2.0, 2.0, 0.0, 1.0]], requires_grad=True)
    lm.ops.categorical_hinge_loss([[0, 0, 1, 0]], x).backward()
    assert x.grad.numpy().tolist() == [[0.5, 0.5, -1, 0]]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.5])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("alpha", [0.5, [0.1, 0.2, 0.3, 0.4, 0.5]])
def test_focal_parameters(gamma, logits, alpha):
    x, t = RNG.uniform(0.1, 1, (6, 5)), RNG.dirichlet(np.ones(5), 6)
    op = lm.ops.softmax_focal_cross_entropy if logits else lm.ops.categorical_focal_cross_entropy
    smooth = (t * 0.9 + 0.1 / 5) * 4 * np.asarray(alpha)
    check_op(
        lambda x: op(x, t, None, "none", alpha, gamma, 0.1),
        [x], lambda x: focal(softmax(x) if logits else x, smooth, gamma), batch_axis=None, layouts=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match="alpha must be a number or have shape"):
        op(x, t, alpha=[0.5, 0.5])
