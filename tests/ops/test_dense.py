import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

ACTIVATIONS = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
}


def inputs(shape, units, seed=0):
    random = np.random.default_rng(seed)
    kernel = random.uniform(-1, 1, (shape[-1], units)) / shape[-1] ** 0.5
    return random.uniform(-1, 1, shape), kernel, random.uniform(-1, 1, units)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "units"), [((9, 5), 3), ((40, 90), 70)])
def test_dense(activation, shape, units):
    check_op(
        lambda x, kernel, bias: lm.ops.dense(x, kernel, bias, activation),
        inputs(shape, units),
        lambda x, kernel, bias: ACTIVATIONS[activation](x @ kernel + bias),
    )


def test_no_bias_and_more_axes():
    x, kernel, _ = inputs((4, 3, 6), 5)
    check_op(lambda x, kernel: lm.ops.dense(x, kernel), (x, kernel), lambda x, kernel: x @ kernel)
    check_op(lambda x, kernel: lm.ops.dense(x, kernel), (x[0, 0], kernel), lambda x, k: x @ k, batch_axis=None)


def test_several_axes():
    x, kernel, bias = inputs((4, 3, 6), 10)
    split, b = kernel.reshape(6, 2, 5), bias.reshape(2, 5)
    check_op(
        lambda x, kernel, bias: lm.ops.dense(x, kernel, bias, "tanh"),
        (x, split, b),
        lambda x, kernel, bias: np.tanh(np.einsum("btc,chd->bthd", x, kernel) + bias),
    )
    back, bias = np.moveaxis(split, 0, 2).copy(), bias[:6]
    check_op(
        lambda x, kernel, bias: lm.ops.dense(x, kernel, bias, axes=2),
        ((x @ kernel).reshape(4, 3, 2, 5), back, bias),
        lambda x, kernel, bias: np.einsum("bthd,hdc->btc", x, kernel) + bias,
    )


def test_threads_share_it_out():
    check_op(
        lambda x, kernel, bias: lm.ops.dense(x, kernel, bias, "relu"),
        inputs((300, 700), 90),
        lambda x, kernel, bias: np.maximum(x @ kernel + bias, 0),
        layouts=False,
        gradients=False,
    )


def test_bias_gradient_over_many_rows_is_chains_in_order():
    random = np.random.default_rng(0)
    dy = random.standard_normal((1300, 37)).astype(np.float32)
    bias = lm.tensor(np.zeros(37, np.float32), requires_grad=True)
    x, kernel = np.zeros((1300, 2), np.float32), np.zeros((2, 37), np.float32)
    lm.ops.dense(x, kernel, bias).backward(dy)
    total = None
    for begin in range(0, 1300, 512):
        chain = np.zeros(37, np.float32)
        for row in dy[begin : begin + 512]:
            chain = chain + row
        total = chain if total is None else total + chain
    assert bias.grad.numpy().tobytes() == total.tobytes()


@pytest.mark.parametrize(
    ("x", "kernel", "bias", "activation", "error", "text"),
    [
        ((2, 3), (4, 5), None, None, ValueError, r"dense: x \(..., C\) and kernel \(C, units\) do not fit"),
        ((2, 3), (3,), None, None, ValueError, r"got \(2, 3\) and \(3,\)"),
        ((2, 3), (3, 4), (5,), None, ValueError, r"dense: bias must have shape \(4,\), got \(5,\)"),
        ((2, 3), (3, 4), None, "rely", ValueError, "dense: activation must be None or one of .*got 'rely'"),
        ((), (3, 4), None, None, ValueError, "do not fit"),
    ],
)
def test_errors(x, kernel, bias, activation, error, text):
    with pytest.raises(error, match=text):
        lm.ops.dense(np.ones(x, "f4"), np.ones(kernel, "f4"), None if bias is None else np.ones(bias, "f4"), activation)


@pytest.mark.parametrize(
    ("x", "kernel", "bias", "axes", "text"),
    [
        ((2, 3), (3, 4), None, 2, "dense: axes must be from 1 to 1, got 2"),
        ((2, 3), (3, 4), None, 0, "dense: axes must be from 1 to 1, got 0"),
        ((2, 3, 5), (5, 3, 4), None, 2, r"do not fit: got \(2, 3, 5\) and \(5, 3, 4\)"),
        ((2, 5), (5, 3, 4), (12,), 1, r"dense: bias must have shape \(3, 4\), got \(12,\)"),
    ],
)
def test_axes_that_do_not_fit(x, kernel, bias, axes, text):
    with pytest.raises(ValueError, match=text):
        lm.ops.dense(np.ones(x), np.ones(kernel), None if bias is None else np.ones(bias), axes=axes)
    with pytest.raises(TypeError, match="axes must be an integer"):
        lm.ops.dense(np.ones(x), np.ones(kernel), axes=1.0)


def test_mixed_dtypes_are_refused():
    with pytest.raises(TypeError, match="dense: kernel must have the dtype of x, float64, got float32"):
        lm.ops.dense(np.ones((2, 3)), np.ones((3, 4), np.float32))
    with pytest.raises(TypeError):
        lm.ops.dense(np.ones((2, 3), complex), np.ones((3, 4), np.float32))
