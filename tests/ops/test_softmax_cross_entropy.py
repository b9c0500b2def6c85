import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

RNG = np.random.default_rng(0)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def with_reduction(losses, weights, reduction):
    losses = losses if weights is None else losses * weights
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean() if losses.size else 0.0}[reduction]


def reference(x, labels, weights=None, reduction="none"):
    targets = one_hot(labels, x.shape[-1]) if labels.dtype.kind == "i" else labels
    return with_reduction(-(targets * log_softmax(x)).sum(-1), weights, reduction)


def from_probabilities(q, labels, weights=None, reduction="none"):
    targets = one_hot(labels, q.shape[-1]) if labels.dtype.kind == "i" else labels
    p = np.clip(q / q.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    return with_reduction(-(targets * np.log(p)).sum(-1), weights, reduction)


def op_none(x, labels, weights=None):
    return lm.ops.softmax_cross_entropy(x, labels, weights, reduction="none")


@pytest.mark.parametrize("shape", [(5, 1), (6, 10), (130, 33), (3, 4, 17), (3, 9000)])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_class_indices(shape, kind):
    x, labels = RNG.normal(0, 3, shape), RNG.integers(0, shape[-1], shape[:-1]).astype(kind)
    check_op(op_none, [x, labels], reference, batched=(0, 1), layouts=x.size < 1000)


@pytest.mark.parametrize("shape", [(6, 10), (130, 33), (3, 4, 17)])
def test_probabilities(shape):
    x, t = RNG.normal(0, 3, shape), RNG.dirichlet(np.ones(shape[-1]), shape[:-1])
    check_op(lambda x: op_none(x, t.astype(x.dtype)), [x], lambda x: reference(x, t), batch_axis=None, layouts=False)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_reductions_and_weights(reduction, weighted, soft):
    x, labels = RNG.normal(size=(70, 5)), RNG.integers(0, 5, 70)
    targets = RNG.dirichlet(np.ones(5), 70) if soft else labels
    weights = RNG.uniform(0, 2, 70) if weighted else None
    for op, expected in (
        (lm.ops.softmax_cross_entropy, reference),
        (lm.ops.cross_entropy_from_probabilities, from_probabilities),
    ):
        check_op(
            lambda x, op=op: op(x, targets, weights, reduction),
            [np.exp(x)],
            lambda x, expected=expected: expected(x, targets, weights, reduction),
            batch_axis=None,
            layouts=False,
        )


def test_from_probabilities_rows_alone_and_layouts():
    q, labels = RNG.uniform(0.1, 1, (6, 10)), RNG.integers(0, 10, 6)
    check_op(
        lambda q, labels: lm.ops.cross_entropy_from_probabilities(q, labels, reduction="none"),
        [q, labels],
        from_probabilities,
        batched=(0, 1),
    )


def test_from_probabilities_cuts_and_passes_no_gradient_there():
    q = lm.tensor(np.array([[0.0, 1.0], [0.5, 0.5]]), requires_grad=True)
    loss = lm.ops.cross_entropy_from_probabilities(q, [0, 0], reduction="sum")
    loss.backward()
    assert loss.item() == pytest.approx(-np.log(1e-7) + np.log(2))
    np.testing.assert_allclose(q.grad.numpy(), [[0, 0], [-1, 1]], atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_threads(reduction):
    x, labels = RNG.normal(size=(3000, 40)).astype(np.float32), RNG.integers(0, 40, 3000)
    check_same_bits(lambda x: lm.ops.softmax_cross_entropy(x, labels, None, reduction), [x])
    check_same_bits(lambda x: lm.ops.softmax_cross_entropy(x, one_hot(labels, 40), None, reduction), [x])


def test_large_arrays_written_past_the_caches():
    x, labels = RNG.normal(size=(4200, 1024)).astype(np.float32), RNG.integers(0, 1024, 4200)
    whole, few = lm.tensor(x, requires_grad=True), lm.tensor(x[:3], requires_grad=True)
    loss = op_none(whole, labels)
    loss.backward(np.ones(4200, np.float32))
    op_none(few, labels[:3]).backward(np.ones(3, np.float32))
    np.testing.assert_array_equal(whole.grad.numpy()[:3], few.grad.numpy())
    np.testing.assert_allclose(loss.numpy(), reference(x.astype(np.float64), labels), rtol=1e-5)


def test_never_overflows():
    logits = lm.tensor([[1e4, 0.0], [0.0, 1e4]], requires_grad=True)
    loss = op_none(logits, [0, 0])
    loss.backward([1.0, 1.0])
    assert loss.numpy().tolist() == [0.0, 1e4]
    assert logits.grad.numpy().tolist() == [[0.0, 0.0], [-1.0, 1.0]]


def test_labels_in_every_form():
    x = RNG.normal(size=(4, 3)).astype(np.float32)
    labels = np.array([0, 2, 1, 2])
    expected = op_none(x, labels).numpy()
    for same in (labels.tolist(), labels[:, None], labels.astype(np.uint8), labels.astype(">i2"), lm.tensor(labels)):
        np.testing.assert_array_equal(op_none(x, same).numpy(), expected)
    for hot in (one_hot(labels, 3), one_hot(labels, 3).astype(int)):
        np.testing.assert_allclose(op_none(x, hot).numpy(), expected, rtol=1e-6)
    assert op_none(x[0], np.int64(0)).shape == ()


def test_incoming_gradient_is_a_factor():
    x, labels = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 2])
    once, twice = lm.tensor(x, requires_grad=True), lm.tensor(x, requires_grad=True)
    lm.ops.softmax_cross_entropy(once, labels).backward()
    lm.ops.softmax_cross_entropy(twice, labels).backward(np.float64(2))
    np.testing.assert_array_equal(twice.grad.numpy(), 2 * once.grad.numpy())


@pytest.mark.parametrize("op", [lm.ops.softmax_cross_entropy, lm.ops.cross_entropy_from_probabilities])
def test_errors(op):
    x, name = np.ones((4, 3), np.float32), op.__name__
    with pytest.raises(ValueError, match=rf"{name}: labels must be in \[0, 3\), got 3 at 2"):
        op(x, [0, 1, 3, -1])
    with pytest.raises(ValueError, match=rf"{name}: labels must be in \[0, 3\), got -1 at \(1, 0\)"):
        op(np.ones((2, 2, 3)), np.array([[0, 1], [-1, 0]], np.int32))
    for labels in ([0, 1, 2], np.zeros((4, 2)), [0.0, 1.0, 2.0, 0.0], np.zeros((1, 3)), np.zeros((3, 4))):
        with pytest.raises(ValueError, match=rf"{name}: labels must be integers of shape \(4,\) or probabilities"):
            op(x, labels)
    for weights in ([1.0, 2.0], np.ones((1, 4)), np.ones((4, 3))):
        with pytest.raises(ValueError, match=rf"{name}: sample_weight must have shape \(4,\)"):
            op(x, [0, 1, 2, 0], weights)
    with pytest.raises(ValueError, match=f'{name}: reduction must be "mean", "sum" or "none", got \'average\''):
        op(x, [0, 1, 2, 0], reduction="average")
    with pytest.raises(ValueError, match=rf"{name}: \w+ must have shape \(..., classes\), got \(4, 0\)"):
        op(np.ones((4, 0)), np.zeros(4, int))
    with pytest.raises(ValueError, match=f"{name}: no gradient flows to labels"):
        op(x, lm.tensor(x, requires_grad=True))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(x.astype(np.complex64), [0, 1, 2, 0])


OPS = [(lm.ops.softmax_cross_entropy, reference), (lm.ops.cross_entropy_from_probabilities, from_probabilities)]


@pytest.mark.parametrize(("op", "expected"), OPS)
@pytest.mark.parametrize("smoothing", [0.1, 1.0])
@pytest.mark.parametrize("soft", [False, True])
def test_label_smoothing(op, expected, smoothing, soft):
    x, labels = RNG.uniform(0.1, 1, (9, 7)), RNG.integers(0, 7, 9)
    t = RNG.dirichlet(np.ones(7), 9) if soft else one_hot(labels, 7)
    smooth = t * (1 - smoothing) + smoothing / 7
    check_op(
        lambda x: op(x, t.astype(x.dtype) if soft else labels, None, "none", smoothing),
        [x], lambda x: expected(x, smooth), batch_axis=None, layouts=False,
    )  # fmt: skip


@pytest.mark.parametrize(("op", "expected"), OPS)
@pytest.mark.parametrize("ignored", [2, -100, 255])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_ignored_samples(op, expected, ignored, smoothing):
    x, labels = RNG.uniform(0.1, 1, (70, 5)), RNG.integers(0, 5, 70)
    labels[::3] = ignored
    kept = labels != ignored
    t = one_hot(np.where(kept, labels, 0), 5) * (1 - smoothing) + smoothing / 5
    for reduction in ("none", "sum", "mean"):
        check_op(
            lambda x, reduction=reduction: op(x, labels, None, reduction, smoothing, ignored),
            [x],
            lambda x, reduction=reduction: {
                "none": expected(x, t) * kept, "sum": (expected(x, t) * kept).sum(),
                "mean": expected(x, t)[kept].mean(),
            }[reduction],
            batch_axis=None,
            layouts=False,
        )  # fmt: skip
    assert op(x[kept][:0], labels[kept][:0], None, "mean", 0.0, ignored).item() == 0
    assert op(x, np.full(70, ignored), None, "mean", smoothing, ignored).item() == 0


@pytest.mark.parametrize(("op", "expected"), OPS)
def test_what_is_ignored_may_be_anything(op, expected):
    x, labels = RNG.uniform(0.1, 1, (4, 3)), np.array([0, -1, 2, 1])
    x[1] = np.nan, np.inf, -np.inf
    y = lm.tensor(x, requires_grad=True)
    loss = op(y, labels, None, "sum", 0.0, -1)
    loss.backward()
    assert np.isfinite(loss.item())
    assert y.grad.numpy()[1].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"labels must be in \[0, 3\), got -1 at 1"):
        op(x, labels, None, "sum", 0.0, -2)


@pytest.mark.parametrize(("op", "expected"), OPS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights(op, expected, smoothing):
    x, labels, of_classes = RNG.uniform(0.1, 1, (9, 4)), RNG.integers(0, 4, 9), RNG.uniform(0.5, 2, 4)
    t = (one_hot(labels, 4) * (1 - smoothing) + smoothing / 4) * of_classes
    check_op(
        lambda x: op(x, labels, None, "mean", smoothing, None, of_classes),
        [x], lambda x: expected(x, t).sum() / of_classes[labels].sum(), batch_axis=None, layouts=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"class_weight must have shape \(4,\), got \(3,\)"):
        op(x, labels, class_weight=of_classes[:3])


@pytest.mark.parametrize(("op", "expected"), OPS)
@pytest.mark.parametrize("axis", [1, -2, 0])
def test_classes_on_another_axis(op, expected, axis):
    x = RNG.uniform(0.1, 1, (4, 5, 6))
    labels = RNG.integers(0, x.shape[axis], np.delete(x.shape, axis))
    check_op(
        lambda x: op(x, labels, None, "none", axis=axis),
        [x], lambda x: expected(np.moveaxis(x, axis, -1), labels), batch_axis=None, layouts=False,
    )  # fmt: skip
    t = np.moveaxis(one_hot(labels, x.shape[axis]), -1, axis)
    np.testing.assert_allclose(op(x, t, axis=axis).item(), op(x, labels, axis=axis).item(), rtol=1e-12)
    with pytest.raises(ValueError, match="axis"):
        op(x, labels, axis=3)


def test_class_indices_from_probabilities():
    q, labels = RNG.uniform(0.05, 1, (70, 5)), RNG.integers(0, 5, 70)
    op = lm.ops.cross_entropy_from_probabilities
    check_op(
        lambda q, labels: op(q, labels, reduction="none"),
        [q, labels],
        from_probabilities,
        batched=(0, 1),
        layouts=False,
    )
    p = lm.tensor(np.array([[1.0, 0.0], [1.0, 0.0]]), requires_grad=True)
    loss = op(p, [0, 1], reduction="none")
    loss.backward(np.ones(2))
    np.testing.assert_allclose(loss.numpy(), [1e-7, -np.log(1e-7)], rtol=1e-6)
    assert not p.grad.numpy().any()
