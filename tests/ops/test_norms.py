import math

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X = random.normal(size=(4, 3, 5))
AXES = [None, 0, -1, (0, 2), (1, 2), (0, 1, 2)]


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    check_op(
        lambda x: lm.ops.logsumexp(x, axis, keepdims),
        [X],
        lambda x: logsumexp(x, axis, keepdims),
        batch_axis=0 if axis in (-1, (1, 2)) else None,
    )


def test_logsumexp_at_the_edges():
    x = np.array([[1e4, 1e4], [-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]])
    t = lm.tensor(x, requires_grad=True)
    y = lm.ops.logsumexp(t, 1)
    np.testing.assert_allclose(y.numpy(), [1e4 + math.log(2), -np.inf, np.inf, np.nan])
    y.backward([1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(t.grad.numpy()[:2], [[0.5, 0.5], [0, 0]], rtol=1e-11)
    with pytest.raises(ValueError, match="logsumexp: nothing to sum"):
        lm.ops.logsumexp(np.zeros((0, 3)), 0)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 0.5, -1, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_vectors(ord, axis, keepdims):
    check_op(
        lambda x: lm.ops.norm(x, ord, axis, keepdims),
        [X],
        lambda x: np.linalg.norm(x, ord, axis, keepdims),
        batch_axis=0 if axis == -1 else None,
        tolerance={np.float32: 1e-5, np.float64: 1e-11},
    )


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [(0, 1), (2, 0), (-2, -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrices(ord, axis, keepdims):
    check_op(
        lambda x: lm.ops.norm(x, ord, axis, keepdims),
        [X],
        lambda x: np.linalg.norm(x, ord, axis, keepdims),
        batch_axis=0 if axis == (-2, -1) else None,
    )


def test_all_values():
    check_op(lm.ops.norm, [X], np.linalg.norm, batch_axis=None)
    check_op(lambda x: lm.ops.norm(x, 1), [X[0]], lambda x: np.linalg.norm(x, 1), batch_axis=None)
    assert lm.ops.norm([0.0, 3.0, 0.0, 1.0], 0).item() == 2


def test_norm_of_zeros_has_a_gradient_of_zero():
    x = lm.tensor(np.zeros((2, 3)), requires_grad=True)
    lm.ops.norm(x, axis=1).sum().backward()
    assert not x.grad.numpy().any()


def test_errors():
    with pytest.raises(ValueError, match="norm: ord of matrices must be None, 'fro', 1, -1, inf or -inf, got 'nuc'"):
        lm.ops.norm(X, "nuc", (0, 1))
    with pytest.raises(ValueError, match="norm: ord of vectors must be a number, got 'fro'"):
        lm.ops.norm(X, "fro", 0)
    with pytest.raises(ValueError, match="norm: axis must name one axis"):
        lm.ops.norm(X, 1)
    with pytest.raises(ValueError, match="norm: axis 3 is out of range for 3 dimensions"):
        lm.ops.norm(X, None, 3)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.logsumexp(np.zeros(3, np.complex64))
