import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)
OPS = [
    (lm.ops.sum, np.sum),
    (lm.ops.mean, np.mean),
    (lm.ops.var, np.var),
    (lm.ops.std, np.std),
    (lm.ops.max, np.max),
    (lm.ops.min, np.min),
]
AXES = [None, 0, -1, (1,), (0, 2), (1, 2), (-1, 0), (0, 1, 2), ()]


# std over no axes is the root of 0, which has no slope
CASES = [(*op, axis) for op in OPS for axis in AXES if not (op[0] is lm.ops.std and axis == ())]


@pytest.mark.parametrize(("op", "reference", "axis"), CASES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes(op, reference, axis, keepdims):
    x = random.normal(size=(4, 3, 5))
    batch_axis = 0 if axis in (-1, (1,), (1, 2), ()) else None
    check_op(
        lambda t: op(t, axis, keepdims),
        [x],
        lambda a: reference(a, axis=axis, keepdims=keepdims),
        batch_axis=batch_axis,
    )


@pytest.mark.parametrize("shape", [(5, 30_000), (3, 70_001), (2, 8192), (3, 16_384), (3, 1025, 7), (3, 600, 130)])
@pytest.mark.parametrize(("op", "reference"), [OPS[0], OPS[2]])
def test_long(op, reference, shape):
    x = random.normal(size=shape)
    for axis in ((1,), None, 0):
        check_op(
            lambda t, a=axis: op(t, a),
            [x],
            lambda v, a=axis: reference(v, axis=a),
            batch_axis=0 if axis == (1,) else None,
            layouts=False,
            tolerance={np.float32: 1e-4},
            places=3,
        )


def test_a_sum_is_as_exact_as_chains_make_it():
    x = random.uniform(size=4_000_000).astype(np.float32)
    exact = x.astype(np.float64).sum()
    assert abs(lm.ops.sum(x).item() - exact) / exact < 1e-6
    assert abs(lm.ops.sum(x.reshape(-1, 2), 0).numpy().astype(np.float64).sum() - exact) / exact < 1e-6


def test_integers():
    x = np.array([[1, 2], [3, -4]], np.int32)
    assert lm.ops.sum(x).item() == 2
    assert lm.ops.sum(x).dtype == np.int64
    assert lm.ops.max(x, 0).numpy().tolist() == [3, 2]
    assert lm.ops.max(x).dtype == np.int32
    assert lm.ops.mean(x).item() == 0.5
    assert lm.ops.mean(x).dtype == np.float32
    assert lm.ops.sum(np.array([True, True])).item() == 2


def test_nan_and_infinities():
    x = np.array([[1.0, np.nan], [np.inf, -np.inf], [np.inf, 1.0]])
    assert np.isnan(lm.ops.max(x, 1).numpy()).tolist() == [True, False, False]
    assert np.isnan(lm.ops.min(x, 1).numpy()).tolist() == [True, False, False]
    assert np.isnan(lm.ops.sum(x, 1).numpy()).tolist() == [True, True, False]
    assert np.signbit(lm.ops.max(np.array([-0.0, 0.0])).numpy()) == np.signbit(
        lm.ops.max(np.array([0.0, -0.0])).numpy()
    )


def test_extremes_share_the_gradient():
    x = lm.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]], requires_grad=True)
    x.max(1).backward([1.0, 1.0])
    assert x.grad.numpy().tolist() == [[0, 0.5, 0.5], [1, 0, 0]]


def test_nothing_to_reduce():
    assert lm.ops.sum(np.zeros((0, 3), np.float32), 0).numpy().tolist() == [0, 0, 0]
    assert np.isnan(lm.ops.mean(np.zeros((0, 3), np.float32), 0).numpy()).all()
    with pytest.raises(ValueError, match=r"max: nothing to choose from over axes \(0,\) of shape \(0, 3\)"):
        lm.ops.max(np.zeros((0, 3)), 0)


@pytest.mark.parametrize(("op", "reference"), OPS)
def test_errors(op, reference):
    name = op.__name__
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=f"{name}: axis 2 is out of range for 2 dimensions"):
        op(x, 2)
    with pytest.raises(ValueError, match=f"{name}: axis names one axis twice"):
        op(x, (0, -2))
    with pytest.raises(TypeError, match=f"{name}: axis must be None, an integer or a tuple of them, got 1.5"):
        op(x, 1.5)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(np.zeros(3, np.complex64))


def test_methods():
    x = lm.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum().item() == 10
    assert x.mean(0).numpy().tolist() == [2, 3]
    assert x.max(axis=1, keepdims=True).shape == (2, 1)
    assert x.min().item() == 1


def test_many_threads_and_small_tails():
    check_same_bits(lambda t: lm.ops.sum(t, 0), [random.normal(size=(5000, 33)).astype(np.float32)])


@pytest.mark.parametrize("shape", [(5, 30_000), (3, 70_001), (3, 1025, 7), (2, 1100, 130)])
@pytest.mark.parametrize(("op", "reference"), OPS[4:])
def test_long_extremes(op, reference, shape):
    x = random.integers(-500, 500, shape) / 7
    for axis in ((1,), None, 0):
        check_op(
            lambda t, a=axis: op(t, a),
            [x],
            lambda v, a=axis: reference(v, axis=a),
            batch_axis=0 if axis == (1,) else None,
            layouts=False,
            gradients=False,
        )
        check_same_bits(lambda t, a=axis: op(t, a), [x.astype(np.float32)])


def test_extremes_of_nan_share_the_gradient_among_the_nans():
    for shape, axis in (((1, 4), 1), ((4, 1), 0), ((4, 2), 0)):
        x = lm.tensor(
            np.broadcast_to(np.array([1.0, np.nan, 2.0, np.nan]).reshape(shape[0], -1)[:, :1], shape)
            if shape == (4, 2)
            else np.array([1.0, np.nan, 2.0, np.nan]).reshape(shape),
            requires_grad=True,
        )
        x.max(axis).sum().backward()
        assert x.grad.numpy().reshape(4, -1)[:, 0].tolist() == [0, 0.5, 0, 0.5]


def test_extremes_of_infinities():
    x = lm.tensor(np.full((2, 19), -np.inf), requires_grad=True)
    assert x.max().item() == -np.inf
    x.max(1).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / 19)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, bool])
def test_sums_and_products_of_integers_are_int64(dtype):
    x = np.array([[1, 1], [0, 1]], dtype)
    assert lm.ops.sum(x, 0).dtype == lm.ops.prod(x, 0).dtype == np.int64
    assert lm.ops.sum(np.full(300, 200, np.uint8)).item() == 60000


@pytest.mark.parametrize("op", [lm.ops.mean, lm.ops.var, lm.ops.std])
def test_gradients_over_nothing(op):
    x = lm.tensor(np.ones((0, 3)), requires_grad=True)
    y = op(x, axis=0)
    assert np.isnan(y.numpy()).all()
    y.sum().backward()
    assert x.grad.shape == (0, 3)


def test_the_gradient_of_a_deviation_of_nothing_is_zero():
    x = lm.tensor([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]], requires_grad=True)
    y = lm.ops.std(x, axis=1)
    y.sum().backward()
    assert y.numpy()[0] == 0
    assert x.grad.numpy()[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(x.grad.numpy()[1], [-(1.5**0.5) / 3, 0, 1.5**0.5 / 3], rtol=1e-6)
