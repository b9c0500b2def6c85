"""group_norm and instance_norm."""

import numpy as np
import pytest

import lamina as lm
from op_testing import check_forward, check_gradients, check_op, check_same_bits

EPSILON = 1e-3
TOLERANCE = {np.float32: 5e-5}


def reference(groups):
    def norm(x, gamma=1, beta=0):
        n, c = x.shape[0], x.shape[-1]
        parts = x.reshape(n, -1, groups, c // groups)
        mean, variance = parts.mean((1, 3), keepdims=True), parts.var((1, 3), keepdims=True)
        return ((parts - mean) / np.sqrt(variance + EPSILON)).reshape(x.shape) * gamma + beta

    return norm


def inputs(shape):
    random = np.random.default_rng(sum(shape))
    n = shape[-1]
    return random.normal(1, 2, shape), random.uniform(0.5, 1.5, n), random.normal(size=n)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((3, 4), 2),
        ((4, 3, 5, 6), 3),
        ((3, 7, 19, 20), 1),
        ((3, 30, 25, 67), 67),
        ((2, 3, 3, 3, 8), 4),
        ((5, 90, 96), 32),
    ],
)
def test_groups(shape, groups):
    def op(x, gamma, beta):
        return lm.ops.group_norm(x, gamma, beta, groups, epsilon=EPSILON)

    check_op(op, inputs(shape), reference(groups), tolerance=TOLERANCE, layouts=np.prod(shape) < 10000)


def test_on_several_threads():
    def op(x, gamma, beta):
        return lm.ops.group_norm(x, gamma, beta, 2)

    for shape in ((1, 61, 47, 34), (5, 30, 31, 34)):
        check_same_bits(op, [a.astype(np.float32) for a in inputs(shape)])


def test_past_the_caches():
    x, gamma, beta = inputs((3, 200, 120, 64))
    y = lm.ops.group_norm(*(a.astype(np.float32) for a in (x, gamma, beta)), groups=8, epsilon=EPSILON)
    np.testing.assert_allclose(y.numpy(), reference(8)(x, gamma, beta), atol=5e-5)
    x = lm.tensor(x.astype(np.float32), requires_grad=True)
    lm.ops.group_norm(x, groups=8).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-5)


@pytest.mark.parametrize(("gamma", "beta"), [(False, False), (True, False), (False, True)])
def test_without_scale_or_shift(gamma, beta):
    x, g, b = inputs((3, 5, 6))

    def op(x, *rest):
        return lm.ops.group_norm(x, rest[0] if gamma else None, rest[-1] if beta else None, 3, epsilon=EPSILON)

    check_op(op, [x] + [g] * gamma + [b] * beta,
             lambda x, *rest: reference(3)(x, rest[0] if gamma else 1, rest[-1] if beta else 0))  # fmt: skip


def test_instance_norm():
    check_op(
        lambda x, gamma, beta: lm.ops.instance_norm(x, gamma, beta, epsilon=EPSILON), inputs((3, 5, 7, 9)),
        reference(9), tolerance=TOLERANCE,
    )  # fmt: skip


def test_axis():
    x, gamma, beta = inputs((3, 5, 7, 4))
    x = np.moveaxis(x, -1, 1).copy()

    def op(x, gamma, beta):
        return lm.ops.group_norm(x, gamma, beta, 2, 1, EPSILON)

    def moved(x, gamma, beta):
        return np.moveaxis(reference(2)(np.moveaxis(x, 1, -1), gamma, beta), -1, 1)

    check_forward(op, [x, gamma, beta], moved)
    check_gradients(op, [x, gamma, beta])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: lm.ops.group_norm(x, groups=3), ValueError, "groups must divide the channels, 4, got 3"),
        (lambda x: lm.ops.group_norm(x, groups=0), ValueError, "groups must divide the channels, 4, got 0"),
        (lambda x: lm.ops.group_norm(x, groups=1.0), TypeError, "groups must be an integer"),
        (lambda x: lm.ops.group_norm(x, np.ones(3), groups=2), ValueError, r"gamma must have shape \(4,\), got \(3,\)"),
        (lambda x: lm.ops.instance_norm(x, None, np.ones(3)), ValueError, r"instance_norm: beta must have shape"),
        (lambda x: lm.ops.group_norm(x, groups=2, axis=0), ValueError, "axis must not be the batch"),
        (lambda x: lm.ops.group_norm(x, groups=2, axis=3), ValueError, "axis 3 is out of range"),
        (lambda x: lm.ops.group_norm(x[0, 0], groups=2), ValueError, "x must have shape"),
        (lambda x: lm.ops.group_norm(x[:, :0], groups=2), ValueError, "at least one value a sample"),
        (lambda x: lm.ops.group_norm(x, groups=2, epsilon=-1), ValueError, "epsilon must be at least 0"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((2, 3, 4)))
