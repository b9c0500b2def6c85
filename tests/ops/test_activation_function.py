"""The elementwise activations, all in one table."""

import math

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from lamina.ops.activation_function import Kind
from op_testing import check_op

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def relu(x, slope=0.0, most=np.inf, threshold=0.0):
    return np.where(x > threshold, np.minimum(x, most), slope * (x - threshold))


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def gelu_tanh(x):
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ops = lm.ops
TABLE = [  # op, arguments, the formula
    (ops.relu6, {}, lambda x: np.clip(x, 0, 6)),
    (ops.leaky_relu, {}, lambda x: relu(x, 0.2)),
    (ops.leaky_relu, {"negative_slope": 0.01}, lambda x: relu(x, 0.01)),
    (ops.relu, {"negative_slope": 0.3, "max_value": 2.0, "threshold": 0.7}, lambda x: relu(x, 0.3, 2, 0.7)),
    (ops.relu, {"max_value": 1.5}, lambda x: np.clip(x, 0, 1.5)),
    (ops.relu, {"threshold": 1.0}, lambda x: np.where(x > 1, x, 0)),
    (ops.elu, {}, elu),
    (ops.elu, {"alpha": 0.3}, lambda x: elu(x, 0.3)),
    (ops.celu, {"alpha": 2.5}, lambda x: np.where(x > 0, x, 2.5 * np.expm1(np.minimum(x, 0) / 2.5))),
    (ops.selu, {}, lambda x: SELU_SCALE * elu(x, SELU_ALPHA)),
    (ops.gelu, {}, lambda x: x / 2 * (1 + erf(x / math.sqrt(2)))),
    (ops.gelu, {"approximate": True}, gelu_tanh),
    (ops.silu, {}, lambda x: x * sigmoid(x)),
    (ops.softplus, {}, softplus),
    (ops.softplus, {"beta": 3.0}, lambda x: softplus(3 * x) / 3),
    (ops.log_sigmoid, {}, lambda x: -softplus(-x)),
    (ops.softsign, {}, lambda x: x / (1 + np.abs(x))),
    (ops.mish, {}, lambda x: x * np.tanh(softplus(x))),
    (ops.hard_sigmoid, {}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    (ops.sparse_sigmoid, {}, lambda x: np.clip((x + 1) / 2, 0, 1)),
    (ops.hard_silu, {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    (ops.hard_tanh, {}, lambda x: np.clip(x, -1, 1)),
    (ops.hard_tanh, {"min_value": -0.3, "max_value": 2.0}, lambda x: np.clip(x, -0.3, 2)),
    (ops.hard_shrink, {}, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    (ops.soft_shrink, {"threshold": 0.8}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.8, 0)),
    (ops.tanh_shrink, {}, lambda x: x - np.tanh(x)),
    (ops.threshold, {"threshold": 0.3, "default_value": -2.0}, lambda x: np.where(x > 0.3, x, -2)),
    (ops.squareplus, {}, lambda x: (x + np.sqrt(x * x + 4)) / 2),
    (ops.squareplus, {"b": 0.5}, lambda x: (x + np.sqrt(x * x + 0.5)) / 2),
    (ops.sparse_plus, {}, lambda x: np.where(x >= 1, x, np.where(x <= -1, 0, (x + 1) ** 2 / 4))),
]
IDS = [f"{op.__name__}-{'-'.join(map(str, arguments.values()))}" for op, arguments, _ in TABLE]


@pytest.mark.parametrize(("op", "arguments", "reference"), TABLE, ids=IDS)
def test_activation(op, arguments, reference):
    x = np.random.default_rng(0).normal(0, 3, (7, 1003))
    check_op(lambda x: op(x, **arguments), [x], reference, layouts=False, dtypes=(np.float32,))
    check_op(lambda x: op(x, **arguments), [x[:, :33]], reference)


@pytest.mark.parametrize(("op", "arguments", "reference"), TABLE, ids=IDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_out(op, arguments, reference, dtype):
    """Values and gradients stay finite, and NaN stays NaN, in every lane."""
    x = np.array([0.0, -0.0, 1e-30, -1e-30, 30, -30, 95, -95, 800, -800, 1e15, -1e15], dtype)
    tensor = lm.tensor(x, requires_grad=True)
    y = op(tensor, **arguments)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(y.numpy(), reference(x.astype(np.float64)), rtol=1e-5, atol=1e-6)
    y.backward(np.ones(x.shape))
    assert np.isfinite(tensor.grad.numpy()).all()
    nan = np.full(100, np.nan, dtype)
    assert np.isnan(op(nan, **arguments).numpy()).all()


@pytest.mark.parametrize("op", [ops.gelu, ops.leaky_relu])
def test_large_arrays_written_past_the_caches(op):
    x = np.random.default_rng(0).normal(size=(1 << 22) + 3).astype(np.float32)
    tensor = lm.tensor(x, requires_grad=True)
    y = op(tensor)
    y.backward(x)
    few = lm.tensor(x[-100:], requires_grad=True)
    part = op(few)
    part.backward(x[-100:])
    np.testing.assert_array_equal(y.numpy()[-100:], part.numpy())
    np.testing.assert_array_equal(tensor.grad.numpy()[-100:], few.grad.numpy())


def test_at_the_cuts():
    def slope(op, x, **arguments):
        x = lm.tensor(x, requires_grad=True)
        op(x, **arguments).sum().backward()
        return x.grad.numpy().tolist()

    assert slope(ops.relu6, [0.0, 6.0]) == [0, 0]
    assert slope(ops.leaky_relu, [0.0], negative_slope=0.5) == [0.5]
    assert slope(ops.elu, [0.0]) == [1]
    assert slope(ops.hard_tanh, [-1.0, 1.0]) == [0, 0]
    assert slope(ops.hard_shrink, [0.5, -0.5]) == [0, 0]
    assert slope(ops.threshold, [1.0], threshold=1.0, default_value=0.0) == [0]
    assert ops.relu([1.0], threshold=1.0).numpy().tolist() == [0]
    assert ops.relu6([-np.inf, np.inf]).numpy().tolist() == [0, 6]
    assert not np.signbit(ops.relu6([-1.0]).numpy()).any()


def test_integers_become_float32():
    assert ops.gelu(np.arange(3)).dtype == np.float32


@pytest.mark.parametrize(
    ("op", "arguments", "message"),
    [
        (
            ops.leaky_relu,
            {"negative_slope": -0.1},
            "leaky_relu: negative_slope must be finite and at least 0, got -0.1",
        ),
        (ops.leaky_relu, {"negative_slope": np.nan}, "leaky_relu: negative_slope must be finite"),
        (ops.relu, {"max_value": -1}, "relu: max_value must be finite and at least 0, got -1"),
        (ops.relu, {"threshold": -1}, "relu: threshold must be finite and at least 0, got -1"),
        (ops.elu, {"alpha": np.inf}, "elu: alpha must be finite, got inf"),
        (ops.celu, {"alpha": 0}, "celu: alpha must be positive, got 0"),
        (ops.celu, {"alpha": -1}, "celu: alpha must be finite and at least 0, got -1"),
        (ops.softplus, {"beta": 0}, "softplus: beta must be positive, got 0"),
        (ops.hard_tanh, {"min_value": 1}, "hard_tanh: min_value must be below max_value, got 1.0 and 1.0"),
        (ops.hard_shrink, {"threshold": -1}, "hard_shrink: threshold must be finite and at least 0"),
        (ops.soft_shrink, {"threshold": -1}, "soft_shrink: threshold must be finite and at least 0"),
        (ops.squareplus, {"b": -1}, "squareplus: b must be finite and at least 0"),
        (ops.threshold, {"threshold": np.nan, "default_value": 0}, "threshold: threshold must be finite"),
    ],
)
def test_errors(op, arguments, message):
    with pytest.raises(ValueError, match=message):
        op(np.zeros(3, np.float32), **arguments)


def test_type_errors():
    with pytest.raises(TypeError, match="elu: alpha must be a number, got 'one'"):
        ops.elu([1.0], alpha="one")
    with pytest.raises(TypeError, match="expected an array of numbers"):
        ops.gelu(np.zeros(3, np.complex64))
    with pytest.raises(TypeError):
        ops.silu(np.zeros(3, complex))


def test_bindings_refuse_what_does_not_fit():
    x = np.zeros(5, np.float32)
    for number in (-1, len(Kind)):
        with pytest.raises(ValueError, match="unknown number"):
            _cpu.activation_function_forward(number, x, x.copy(), 0, 0, 0)
    with pytest.raises(ValueError, match="5"):
        _cpu.activation_function_backward(0, x, x[:4].copy(), x.copy(), 0, 0, 0)
