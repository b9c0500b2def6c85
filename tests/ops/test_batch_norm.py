import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_empty_batch, check_forward, check_gradients, check_layouts, check_op, check_same_bits

EPSILON = 1e-3


def reference(x, gamma, beta, mean, variance, relu=False, residual=0):
    gamma, beta = 1 if gamma is None else gamma, 0 if beta is None else beta
    y = gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta + residual
    return np.maximum(y, 0) if relu else y


def in_training(x, gamma, beta, residual=0, relu=False):
    columns = x.reshape(-1, x.shape[-1])
    return reference(x, gamma, beta, columns.mean(0), columns.var(0), relu, residual)


def inputs(shape, seed=0):
    random = np.random.default_rng(seed)
    C = shape[-1]
    x = random.normal(size=shape) * random.uniform(0.5, 2, C) + random.normal(size=C)
    return x, random.uniform(0.5, 1.5, C), random.normal(size=C), random.normal(size=shape)


def away_from_zero(x, gamma, beta, residual=0):
    """x changed until no output lies near relu's kink."""
    for _ in range(100):
        near = np.abs(in_training(x, gamma, beta, residual)) < 0.01
        if not near.any():
            return x
        x = x + 0.1 * near
    raise AssertionError("some outputs stay near 0")


SHAPES = [(2, 1), (7, 5), (3, 4, 5, 16), (40, 67), (1030, 3), (2, 300)]


@pytest.mark.parametrize("shape", SHAPES)
def test_training(shape):
    x, gamma, beta, _ = inputs(shape)

    def op(x, gamma, beta):
        return lm.ops.batch_norm(x, gamma, beta, None, None, EPSILON, training=True)

    check_op(op, [x, gamma, beta], in_training, batch_axis=None, tolerance={np.float32: 1e-4})
    check_empty_batch(op, [x, gamma, beta])


@pytest.mark.parametrize("shape", SHAPES)
def test_inference(shape):
    x, gamma, beta, _ = inputs(shape)
    mean, variance = x.reshape(-1, shape[-1]).mean(0), np.abs(beta) + 0.5

    def op(x, gamma, beta):
        moving = [lm.tensor(a, dtype=x.dtype, device=x.device) for a in (mean, variance)]
        return lm.ops.batch_norm(x, gamma, beta, *moving, EPSILON)

    check_op(op, [x, gamma, beta], lambda x, g, b: reference(x, g, b, mean, variance), tolerance={np.float32: 1e-5})


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5, 16), (600, 19)])
def test_relu_and_residual(shape, training):
    x, gamma, beta, residual = inputs(shape)
    x = away_from_zero(x, gamma, beta, residual)
    columns = x.reshape(-1, shape[-1])
    mean, variance = columns.mean(0), columns.var(0)

    def op(x, gamma, beta, residual):
        moving = [lm.tensor(a, dtype=x.dtype, device=x.device) for a in (mean, variance)]
        return lm.ops.batch_norm(x, gamma, beta, *moving, EPSILON, 0.9, training, "relu", residual)

    check_op(
        op,
        [x, gamma, beta, residual],
        lambda x, g, b, r: reference(x, g, b, mean, variance, True, r),
        batch_axis=None if training else 0,
        batched=(0, 3),
        tolerance={np.float32: 1e-4},
    )


@pytest.mark.parametrize("training", [True, False])
def test_relu_alone(training):
    x, gamma, beta, _ = inputs((600, 19))
    x = away_from_zero(x, gamma, beta)
    mean, variance = x.mean(0), x.var(0)

    def op(x, gamma, beta):
        moving = [lm.tensor(a, dtype=x.dtype, device=x.device) for a in (mean, variance)]
        return lm.ops.batch_norm(x, gamma, beta, *moving, EPSILON, 0.9, training, "relu")

    tolerance = {np.float32: 1e-4}
    check_forward(op, [x, gamma, beta], lambda x, g, b: reference(x, g, b, mean, variance, True), tolerance=tolerance)
    check_gradients(op, [x, gamma, beta])
    check_same_bits(op, [x.astype(np.float32), gamma.astype(np.float32), beta.astype(np.float32)])
    check_layouts(op, [x, gamma, beta])


def test_residual_alone():
    x, gamma, beta, residual = inputs((9, 6))

    def op(x, gamma, beta, residual):
        return lm.ops.batch_norm(x, gamma, beta, None, None, EPSILON, training=True, residual=residual)

    check_op(op, [x, gamma, beta, residual], in_training, batch_axis=None, tolerance={np.float32: 1e-4})


def test_without_gamma_and_beta():
    x = inputs((9, 6))[0]
    check_op(
        lambda x: lm.ops.batch_norm(x, None, None, None, None, EPSILON, training=True, activation="linear"),
        [x],
        lambda x: in_training(x, None, None),
        batch_axis=None,
        tolerance={np.float32: 1e-4},
    )


@pytest.mark.parametrize("shape", [(20_000, 24), (70, 2100)])
def test_large_enough_for_threads(shape):
    def op(x, gamma, beta):
        return lm.ops.batch_norm(x, gamma, beta, None, None, training=True, activation="relu")

    check_same_bits(op, [a.astype(np.float32) for a in inputs(shape)[:3]])


def test_output_past_the_caches():
    x, gamma, beta, residual = [a.astype(np.float32) for a in inputs((70_000, 64))]  # from 16 MB on: streamed

    def op(x, gamma, beta, residual):
        return lm.ops.batch_norm(x, gamma, beta, None, None, EPSILON, training=True, residual=residual)

    check_forward(op, [x, gamma, beta, residual], in_training, dtypes=[np.float32], tolerance={np.float32: 1e-4})
    x, y = lm.tensor(x, requires_grad=True), residual
    lm.ops.batch_norm(x, gamma, None, None, None, training=True).backward(y)
    assert np.abs(x.grad.numpy().sum(0, dtype=np.float64)).max() < 0.05  # x moved as a whole changes nothing


@pytest.mark.parametrize("rows", [2, 15, 16, 17, 511, 512, 513, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_survive_a_large_mean(rows, dtype):
    x = np.random.default_rng(0).normal(size=(rows, 20)) + 1e4
    x[0] = 0  # far from all others
    x = x.astype(dtype)
    mean, variance = lm.tensor(np.zeros(20, dtype)), lm.tensor(np.zeros(20, dtype))
    lm.ops.batch_norm(x, None, None, mean, variance, momentum=0, training=True)
    exact = x.astype(np.longdouble)
    error = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(mean.numpy(), exact.mean(0).astype(float), rtol=error)
    np.testing.assert_allclose(variance.numpy(), exact.var(0).astype(float), rtol=error)
    x = x[1:]
    if rows > 2:
        lm.ops.batch_norm(x, None, None, mean, variance, momentum=0, training=True)
        np.testing.assert_allclose(variance.numpy(), x.astype(np.longdouble).var(0).astype(float), rtol=error)


def test_constant_channels_have_no_variance():
    variance = lm.tensor(np.ones(3, np.float32))
    x = np.full((1000, 3), 0.1, np.float32)
    y = lm.ops.batch_norm(x, None, [1, 2, 3], None, variance, momentum=0, training=True)
    assert variance.numpy().tolist() == [0, 0, 0]
    np.testing.assert_allclose(y.numpy(), [[1, 2, 3]] * 1000, atol=1e-5)


def test_moving_averages():
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    mean, variance = lm.tensor(np.full(4, 2, np.float32)), np.full(8, 3, np.float32)[::2]  # any layout
    lm.ops.batch_norm(x, None, None, mean, variance, momentum=0.9, training=True)
    np.testing.assert_allclose(mean.numpy(), 2 * 0.9 + x.mean(0) * 0.1, rtol=1e-6)
    np.testing.assert_allclose(variance, 3 * 0.9 + x.var(0) * 0.1, rtol=1e-6)
    before = mean.numpy().copy(), variance.copy()
    lm.ops.batch_norm(x, None, None, mean, variance, momentum=0.9)
    lm.ops.batch_norm(x[:0], None, None, mean, variance, momentum=0.9, training=True)
    np.testing.assert_array_equal((mean.numpy(), variance), before)


def test_backward_knows_the_averages_of_its_forward():
    x, gamma, beta, _ = inputs((30, 4))
    mean, variance = lm.tensor(x.mean(0)), lm.tensor(x.var(0))
    grads = []
    for moves in (False, True):
        t = lm.tensor(gamma, requires_grad=True)
        y = lm.ops.batch_norm(x, t, beta, mean, variance, activation="relu")
        if moves:
            lm.ops.batch_norm(x + 5, None, None, mean, variance, momentum=0, training=True)
        y.backward(np.ones(y.shape))
        grads.append(t.grad.numpy())
    np.testing.assert_array_equal(*grads)


def test_nan_stays_in_its_channel():
    x = inputs((600, 20))[0].astype(np.float32)
    x[3, 5] = np.nan
    y = lm.ops.batch_norm(x, None, None, None, None, training=True, activation="relu").numpy()
    assert np.isnan(y[:, 5]).all()
    assert not np.isnan(np.delete(y, 5, 1)).any()


X = np.ones((4, 3), np.float32)
C = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.float32(1)}, r"x must have shape \(..., C\) with C of at least 1, got \(\)"),
        ({"x": np.ones((4, 0), np.float32)}, r"with C of at least 1, got \(4, 0\)"),
        ({"gamma": np.ones(4, np.float32)}, r"gamma must have shape \(3,\), got \(4,\)"),
        ({"beta": np.ones((1, 3), np.float32)}, r"beta must have shape \(3,\), got \(1, 3\)"),
        ({"moving_mean": np.ones(2, np.float32)}, r"moving_mean must have shape \(3,\), got \(2,\)"),
        ({"moving_variance": None}, "moving_variance is needed when not training"),
        ({"residual": np.ones((1, 3), np.float32)}, r"residual must have the shape of x, \(4, 3\), got \(1, 3\)"),
        ({"activation": "tanh"}, 'activation must be None, "linear" or "relu", got \'tanh\''),
        ({"epsilon": -1.0}, "epsilon must be at least 0, got -1.0"),
        ({"epsilon": float("nan")}, "epsilon must be at least 0, got nan"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\], got 1.5"),
        ({"x": X[:1], "training": True}, r"more than one value a channel, got x of shape \(1, 3\)"),
        ({"moving_mean": np.broadcast_to(C[:1], 3), "training": True}, "moving_mean, which is read-only"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"batch_norm: .*{message}"):
        lm.ops.batch_norm(**{"x": X, "gamma": C, "beta": C, "moving_mean": C, "moving_variance": C} | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": C.astype(np.float64)}, "gamma must have the dtype of x, float32, got float64"),
        ({"moving_mean": [1.0, 1.0, 1.0], "training": True}, "moving_mean, which must be a tensor or a native array"),
        ({"moving_mean": C.astype(">f4"), "training": True}, "moving_mean, which must be a tensor or a native array"),
    ],
)
def test_type_errors(arguments, message):
    with pytest.raises(TypeError, match=f"batch_norm: .*{message}"):
        lm.ops.batch_norm(**{"x": X, "gamma": C, "beta": C, "moving_mean": C, "moving_variance": C} | arguments)


def test_bindings_refuse_what_does_not_fit():
    y, inverse = np.empty_like(X), np.empty_like(C)
    forward = (X, C, C, None, C, C, None, inverse, y)
    for place, wrong in [(1, C[:2]), (3, X[:2]), (4, None), (5, [1, 1, 1]), (7, C[:1]), (8, X.astype(float))]:
        arguments = [*forward[:place], wrong, *forward[place + 1 :]]
        with pytest.raises((ValueError, TypeError)):
            _cpu.batch_norm_forward(*arguments, False, 1e-3, 0.99, False)
    with pytest.raises(ValueError):
        _cpu.batch_norm_forward(*forward, True, 1e-3, 0.99, False)  # no room for the mean
    with pytest.raises(ValueError, match="go together"):
        _cpu.batch_norm_backward(X, C, C, C, C, X, X, None, y, None, None, True, True)
