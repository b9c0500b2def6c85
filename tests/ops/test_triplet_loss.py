import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_op, check_same_bits

RNG = np.random.default_rng(0)


def distance(u, v):
    return np.sqrt(((u - v + 1e-6) ** 2).sum(-1))


def triplet(x, p, q, margin, swap):
    far = distance(x, q)
    if swap:
        far = np.minimum(far, distance(p, q))
    return np.maximum(distance(x, p) - far + margin, 0)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("margin", [0.5, 3.0])
@pytest.mark.parametrize("shape", [(7, 1), (6, 10), (3, 4, 17)])
def test_margin_loss(shape, margin, swap):
    arrays = [RNG.normal(size=shape) for _ in range(3)]
    check_op(
        lambda x, p, q: lm.ops.triplet_margin_loss(x, p, q, None, "none", margin, swap),
        arrays, lambda x, p, q: triplet(x, p, q, margin, swap), batched=(0, 1, 2), layouts=shape == (6, 10),
    )  # fmt: skip


def test_reductions_and_weights():
    x, p, q, w = *(RNG.normal(size=(9, 4)) for _ in range(3)), RNG.uniform(0, 2, 9)
    values = triplet(x, p, q, 1.0, False) * w
    for reduction, expected in (("sum", values.sum()), ("mean", values.mean())):
        check_op(
            lambda x, p, q, reduction=reduction: lm.ops.triplet_margin_loss(x, p, q, w, reduction),
            [x, p, q], lambda *_, expected=expected: expected, batch_axis=None, layouts=False,
        )  # fmt: skip
    check_same_bits(lambda x, p, q: lm.ops.triplet_margin_loss(x, p, q), [RNG.normal(size=(900, 70)) for _ in range(3)])


def test_only_some_inputs_want_gradients():
    x, p, q = (lm.tensor(RNG.normal(size=(5, 3)), requires_grad=i == 1) for i in range(3))
    lm.ops.triplet_margin_loss(x, p, q).backward()
    assert x.grad is None
    assert q.grad is None
    assert p.grad.numpy().any()


def brute_force(labels, x, margin, mining):
    d = distance(x[:, None] - 1e-6, x[None])
    alike, other = labels[:, None] == labels[None], labels[:, None] != labels[None]
    np.fill_diagonal(alike, False)
    losses = []
    for i in range(len(x)):
        if not alike[i].any() or not other[i].any():
            continue
        if mining == "batch_hard":
            losses.append(max(d[i][alike[i]].max() - d[i][other[i]].min() + margin, 0))
            continue
        for j in np.flatnonzero(alike[i]):
            beyond = d[i][other[i] & (d[i] > d[i, j])]
            far = beyond.min() if beyond.size else d[i][other[i]].max()
            losses.append(max(d[i, j] - far + margin, 0))
    return np.mean(losses) if losses else 0.0


@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard"])
@pytest.mark.parametrize("margin", [0.2, 2.0])
def test_mining(mining, margin):
    x, labels = RNG.normal(size=(20, 3)), RNG.integers(0, 4, 20)
    got = lm.ops.triplet_mining_loss(labels, lm.tensor(x), margin, mining).item()
    assert got == pytest.approx(brute_force(labels, x, margin, mining), rel=1e-4)
    assert lm.ops.triplet_mining_loss(labels[:, None], lm.tensor(x), margin, mining).item() == got
    lm.grad_check(lambda x: lm.ops.triplet_mining_loss(labels, x, margin, mining), [x])


@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard"])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], []])
def test_no_triplets(labels, mining):
    x = lm.tensor(RNG.normal(size=(len(labels), 2)), requires_grad=True)
    loss = lm.ops.triplet_mining_loss(np.array(labels, int), x, mining=mining)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.numpy().any()


def test_errors():
    x = np.ones((4, 3))
    for arguments, text in (
        ((x, x, x[:2]), r"negative must have the shape of anchor, \(4, 3\), got \(2, 3\)"),
        ((x, x, x, np.ones(3)), "sample_weight must have shape"),
        ((x, x, x, None, "average"), "reduction must be"),
        ((x, x, x, None, "mean", 0.0), "margin must be above 0"),
    ):
        with pytest.raises(ValueError, match=f"triplet_margin_loss: {text}"):
            lm.ops.triplet_margin_loss(*arguments)
    with pytest.raises(TypeError, match="positive must have the dtype of anchor"):
        lm.ops.triplet_margin_loss(x, x.astype("float32"), x)
    for arguments, text in (
        (([0, 1], x), r"labels must have shape \(4,\), got \(2,\)"),
        (([0, 1, 1, 0], x[0]), "embeddings must have shape"),
        (([0, 1, 1, 0], x, 1.0, "hard"), "mining must be"),
    ):
        with pytest.raises(ValueError, match=f"triplet_mining_loss: {text}"):
            lm.ops.triplet_mining_loss(*arguments)
    with pytest.raises(TypeError, match="labels must be integers"):
        lm.ops.triplet_mining_loss(np.ones(4), x)


def test_the_kernel_guards_memory():
    x, losses = np.zeros((3, 4), np.float32), np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="all gradients or none"):
        _cpu.triplet_loss(x, x, x, None, 1.0, losses, None, x.copy(), None, None, 1.0, False)
    with pytest.raises(ValueError, match="too few dimensions"):
        _cpu.triplet_loss(np.zeros((), np.float32), x, x, None, 1.0, losses, None, None, None, None, 1.0, False)
