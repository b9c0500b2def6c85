import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

RNG = np.random.default_rng(0)


def dice(x, t, axis):
    return 1 - 2 * (x * t).sum(axis) / (x.sum(axis) + t.sum(axis) + 1e-7)


def tversky(x, t, axis, alpha=0.3, beta=0.8):
    inner = (x * t).sum(axis)
    return 1 - inner / (inner + alpha * ((1 - x) * t).sum(axis) + beta * (x * (1 - t)).sum(axis) + 1e-7)


OPS = {
    "dice_loss": (lambda x, t, axis, **more: lm.ops.dice_loss(t, x, axis=axis, **more), dice),
    "tversky_loss": (
        lambda x, t, axis, **more: lm.ops.tversky_loss(t, x, alpha=0.3, beta=0.8, axis=axis, **more), tversky
    ),
}  # fmt: skip
each = pytest.mark.parametrize("name", OPS)


@each
@pytest.mark.parametrize("axis", [None, (1, 2, 3), -1, (0, 2)])
def test_values_and_gradients(name, axis):
    op, reference = OPS[name]
    x, t = RNG.uniform(0.1, 0.9, (3, 5, 7, 2)), (RNG.random((3, 5, 7, 2)) > 0.5).astype(float)
    check_op(
        lambda x: op(x, t.astype(x.dtype), axis, reduction="none"), [x], lambda x: reference(x, t, axis),
        batch_axis=None, layouts=axis is None,
    )  # fmt: skip


@each
def test_samples_alone_and_an_empty_batch(name):
    op, _ = OPS[name]
    x, t = RNG.uniform(0.1, 0.9, (4, 30, 7)), (RNG.random((4, 30, 7)) > 0.5).astype(float)
    check_op(
        lambda x, t: op(x, t.array, (1, 2), reduction="none"), [x, t.astype(np.int64)],
        lambda x, t: OPS[name][1](x, t, (1, 2)), batched=(0, 1), layouts=False,
    )  # fmt: skip


@each
def test_long_rows_are_shared_out(name):
    op, _ = OPS[name]
    x, t = RNG.random(400_001).astype(np.float32), (RNG.random(400_001) > 0.5).astype(np.float32)
    check_same_bits(lambda x: op(x, t, None), [x])
    expected = OPS[name][1](x.astype(float), t.astype(float), None)
    np.testing.assert_allclose(op(x, t, None).item(), expected, rtol=1e-5)


@each
def test_reductions_and_weights(name):
    op, reference = OPS[name]
    x, t, w = RNG.random((5, 9)), (RNG.random((5, 9)) > 0.5).astype(float), RNG.uniform(0, 2, 5)
    values = reference(x, t, -1) * w
    for reduction, expected in (("none", values), ("sum", values.sum()), ("mean", values.mean())):
        got = op(x, t, -1, sample_weight=w, reduction=reduction).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(op(x, t, None, sample_weight=2.0).item(), 2 * reference(x, t, None), rtol=1e-12)


@each
def test_errors(name):
    op, _ = OPS[name]
    x = RNG.random((5, 9))
    with pytest.raises(ValueError, match=rf"{name}: y_true must have the shape of y_pred, \(5, 9\), got \(5,\)"):
        op(x, x[:, 0], None)
    with pytest.raises(ValueError, match=rf"{name}: there is one loss for the whole batch, but sample_weight"):
        op(x, x, None, sample_weight=np.ones(5))
    with pytest.raises(ValueError, match=f"{name}: axis 2 is out of range"):
        op(x, x, 2)
    with pytest.raises(ValueError, match=f"{name}: reduction must be"):
        op(x, x, 1, reduction="average")
    with pytest.raises(ValueError, match="tversky_loss: alpha must be at least 0"):
        lm.ops.tversky_loss(x, x, alpha=-1)


def test_nothing_at_all_is_finite():
    x = lm.tensor(np.zeros((2, 4)), requires_grad=True)
    loss = lm.ops.dice_loss(np.zeros((2, 4)), x)
    loss.backward()
    assert loss.item() == 1
    assert np.isfinite(x.grad.numpy()).all()
