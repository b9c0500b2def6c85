"""layer_norm, rms_norm and unit_norm."""

import numpy as np
import pytest

import lamina as lm
from op_testing import check_forward, check_gradients, check_op, check_same_bits

EPSILON = 1e-3


def layer(x, gamma=1, beta=0, axis=-1):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + EPSILON) * gamma + beta


def rms(x, scale=1, axis=-1):
    return x / np.sqrt((x * x).mean(axis, keepdims=True) + EPSILON) * scale


def unit(x, axis=-1):
    return x / np.sqrt((x * x).sum(axis, keepdims=True))


def inputs(*shape):
    random = np.random.default_rng(sum(shape))
    n = shape[-1]
    return random.normal(1, 2, shape), random.uniform(0.5, 1.5, n), random.normal(size=n)


SHAPES = [(7, 5), (3, 4, 16), (9, 1), (130, 67), (5, 1037), (3, 9001)]
TOLERANCE = {np.float32: 2e-5}


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm(shape):
    def op(x, gamma, beta):
        return lm.ops.layer_norm(x, gamma, beta, epsilon=EPSILON)

    check_op(op, inputs(*shape), layer, tolerance=TOLERANCE, layouts=shape[-1] < 1000)


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm(shape):
    x, scale, _ = inputs(*shape)
    check_op(
        lambda x, scale: lm.ops.rms_norm(x, scale, epsilon=EPSILON), [x, scale], rms, tolerance=TOLERANCE,
        layouts=shape[-1] < 1000,
    )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_unit_norm(shape):
    check_op(lm.ops.unit_norm, inputs(*shape)[:1], unit, tolerance=TOLERANCE, layouts=shape[-1] < 1000)


def test_on_several_threads():
    """Rows that threads share, and sums over them."""
    x, gamma, beta = (a.astype(np.float32) for a in inputs(1999, 257))
    check_same_bits(lm.ops.layer_norm, [x, gamma, beta])
    check_same_bits(lambda x, scale: lm.ops.rms_norm(x, scale), [x, gamma])


def test_past_the_caches():
    x, gamma, beta = inputs(8300, 512)
    y = lm.ops.layer_norm(x.astype(np.float32), gamma.astype(np.float32), beta.astype(np.float32), epsilon=EPSILON)
    np.testing.assert_allclose(y.numpy(), layer(x, gamma, beta), atol=2e-5)
    x = lm.tensor(x.astype(np.float32), requires_grad=True)
    lm.ops.layer_norm(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-5)


@pytest.mark.parametrize(("gamma", "beta"), [(False, False), (True, False), (False, True)])
def test_without_scale_or_shift(gamma, beta):
    x, g, b = inputs(6, 21)
    chosen = [x] + [g] * gamma + [b] * beta

    def op(x, *rest):
        return lm.ops.layer_norm(x, rest[0] if gamma else None, rest[-1] if beta else None, epsilon=EPSILON)

    check_op(op, chosen, lambda x, *rest: layer(x, rest[0] if gamma else 1, rest[-1] if beta else 0),
             tolerance=TOLERANCE)  # fmt: skip


@pytest.mark.parametrize("axis", [1, (1, 2), [-1, -3], (2, 0), (0, 1, 2)])
def test_axes(axis):
    random = np.random.default_rng(0)
    x = random.normal(size=(4, 5, 6))
    axes = sorted(a % 3 for a in (axis if isinstance(axis, tuple | list) else [axis]))
    gamma = random.normal(size=[x.shape[a] for a in axes])
    wide = [n if i in axes else 1 for i, n in enumerate(x.shape)]

    def op(x, gamma):
        return lm.ops.layer_norm(x, gamma, axis=axis, epsilon=EPSILON)

    check_forward(op, [x, gamma], lambda x, g: layer(x, g.reshape(wide), 0, tuple(axes)))
    check_gradients(op, [x, gamma])
    check_forward(lambda x: lm.ops.unit_norm(x, axis), [x], lambda x: unit(x, tuple(axes)))
    check_forward(lambda x: lm.ops.rms_norm(x, None, axis, EPSILON), [x], lambda x: rms(x, 1, tuple(axes)))


def test_rms_scaling():
    x, gamma, _ = inputs(6, 5)

    def op(x, gamma):
        return lm.ops.layer_norm(x, gamma, epsilon=EPSILON, rms_scaling=True)

    def reference(x, gamma):
        return x / np.sqrt(x.var(-1, keepdims=True) + EPSILON) * gamma

    check_forward(op, [x, gamma], reference)
    check_gradients(op, [x, gamma])
    with pytest.raises(ValueError, match="rms_scaling takes no beta"):
        lm.ops.layer_norm(x, None, np.ones(5), rms_scaling=True)
    with pytest.raises(ValueError, match=r"gamma must have the shape of the axes, \(5,\), got \(4,\)"):
        lm.ops.layer_norm(x, np.ones(4), rms_scaling=True)


def test_a_large_mean_costs_no_digits():
    x = np.random.default_rng(0).normal(size=(3, 1000))
    y = lm.ops.layer_norm((x + 1e4).astype(np.float32), epsilon=1e-9).numpy()
    np.testing.assert_allclose(y, layer((x + 1e4).astype(np.float32).astype(float)) * np.sqrt(1 + EPSILON), atol=2e-3)


def test_zeros():
    x = lm.tensor(np.zeros((2, 3)), requires_grad=True)
    y = lm.ops.unit_norm(x, epsilon=0.5)
    y.backward(np.ones((2, 3)))
    assert not y.numpy().any()
    np.testing.assert_array_equal(x.grad.numpy(), 2)
    constant = lm.tensor(np.full((2, 3), 7.0), requires_grad=True)
    lm.ops.layer_norm(constant).backward(np.ones((2, 3)))
    np.testing.assert_allclose(constant.grad.numpy(), 0, atol=1e-12)


def test_nan_stays_in_its_row():
    x = np.ones((3, 4))
    x[1, 2] = np.nan
    y = lm.ops.layer_norm(x).numpy()
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.layer_norm(np.ones((2, 3)), np.ones(2)), ValueError, r"gamma must have the shape of the axes"),
        (lambda: lm.ops.layer_norm(np.ones((2, 3)), None, np.ones(4)), ValueError, r"layer_norm: beta must have"),
        (lambda: lm.ops.rms_norm(np.ones((2, 3)), np.ones(4)), ValueError, r"rms_norm: scale must have"),
        (lambda: lm.ops.layer_norm(np.ones((2, 3)), epsilon=-1), ValueError, "epsilon must be at least 0, got -1"),
        (lambda: lm.ops.layer_norm(np.ones((2, 3)), epsilon=float("nan")), ValueError, "epsilon must be at least 0"),
        (lambda: lm.ops.unit_norm(np.ones((2, 3)), epsilon=0), ValueError, "epsilon must be greater than 0, got 0"),
        (lambda: lm.ops.unit_norm(np.ones((2, 3)), 2), ValueError, r"axis 2 is out of range for x of shape \(2, 3\)"),
        (lambda: lm.ops.unit_norm(np.ones((2, 3)), (0, -2)), ValueError, "none twice"),
        (lambda: lm.ops.unit_norm(np.ones((2, 3)), ()), ValueError, "at least one axis"),
        (lambda: lm.ops.unit_norm(np.ones((2, 3)), 0.5), TypeError, "axis must be an integer"),
        (lambda: lm.ops.layer_norm(np.ones((2, 0))), ValueError, "at least one value along axis"),
        (lambda: lm.ops.layer_norm(np.ones((2, 3)), np.ones(3, "float32")), TypeError, "must have the dtype"),
        (lambda: lm.ops.layer_norm(np.ones((2, 3), complex)), TypeError, "expected an array of numbers"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_rms_scaling_checks_its_arguments():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="layer_norm: epsilon must be at least 0, got -5"):
        lm.ops.layer_norm(x, epsilon=-5, rms_scaling=True)
    with pytest.raises(TypeError, match="layer_norm: gamma must have the dtype of x, float32, got float64"):
        lm.ops.layer_norm(x, np.ones(3), rms_scaling=True)
