"""A max pool's gradient reaches activations and convolutions before it is written out."""

import numpy as np
import pytest

import lamina as lm
from lamina.autograd.unpooled import Unpooled
from lamina.ops.relu import ReluFunction
from op_testing import check_gradients, check_op, check_same_bits

random = np.random.default_rng(0)


def reference(x, kernel, bias, activation, pool_size, strides):
    """Every step with a gradient that is written out: reshape knows no other."""
    y = lm.ops.conv2d(x, kernel, bias, activation=activation)
    return lm.ops.max_pool2d(lm.ops.reshape(y, y.shape), pool_size, strides)


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(("pool_size", "strides"), [(2, 2), (3, 2), ((2, 3), 4)])
def test_conv_and_pool(activation, pool_size, strides):
    inputs = [random.normal(size=s) for s in ((5, 16, 15, 3), (3, 3, 3, 20), (20,))]

    def op(x, kernel, bias):
        return lm.ops.max_pool2d(lm.ops.conv2d(x, kernel, bias, activation=activation), pool_size, strides)

    check_gradients(op, inputs, places=8)
    check_same_bits(op, [a.astype(np.float32) for a in inputs])
    grads = []
    for function in (op, lambda *a: reference(*a, activation, pool_size, strides)):
        tensors = [lm.tensor(a, requires_grad=True) for a in inputs]
        y = function(*tensors)
        y.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        grads.append([t.grad.numpy() for t in tensors])
    for got, wanted in zip(*grads, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10 * np.abs(wanted).max())


def test_relu_and_pool():
    check_op(
        lambda x: lm.ops.max_pool2d(lm.ops.relu(x), 2),
        [random.permutation(2 * 6 * 7 * 5).reshape(2, 6, 7, 5) / 100 - 2],
        lambda x: np.maximum(x[:, :6, :6].reshape(2, 3, 2, 3, 2, 5).max((2, 4)), 0),
    )


def test_sequences_volumes_and_transposed():
    for op, pool, x, kernel in [
        (lm.ops.conv1d, lm.ops.max_pool1d, (3, 17, 4), (3, 4, 6)),
        (lm.ops.conv3d, lm.ops.max_pool3d, (2, 6, 7, 5, 2), (2, 2, 2, 2, 3)),
        (lm.ops.conv2d_transpose, lm.ops.max_pool2d, (2, 4, 5, 3), (3, 3, 4, 3)),
        (lm.ops.conv2d, lambda y, size: lm.ops.global_max_pool(y), (2, 6, 7, 3), (3, 3, 3, 4)),
    ]:
        inputs = [random.normal(size=x), random.normal(size=kernel)]
        check_gradients(lambda x, k, op=op, pool=pool: pool(op(x, k, activation="tanh"), 2), inputs, places=8)


def test_with_another_use():
    """What was pooled is used elsewhere too, or pooled twice."""
    inputs = [random.normal(size=s) for s in ((2, 8, 8, 2), (3, 3, 2, 4), (4,))]

    def op(x, kernel, bias):
        y = lm.ops.conv2d(x, kernel, bias, activation="sigmoid")
        return lm.ops.max_pool2d(y, 2).sum() + (y * y).sum() + (lm.ops.max_pool2d(y, 3) * 2).sum()

    check_gradients(op, inputs, places=8)


def test_backward_again():
    x = lm.tensor(random.normal(size=(1, 4, 4, 2)), requires_grad=True)
    y = lm.ops.max_pool2d(lm.ops.relu(x), 2).sum()
    y.backward(retain_graph=True)
    once = x.grad.numpy().copy()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * once)


def test_it_is_taken(monkeypatch):
    seen = []
    before = ReluFunction.backward
    monkeypatch.setattr(ReluFunction, "backward", lambda self, dy: [seen.append(dy), before(self, dy)][1])
    x = lm.tensor(random.normal(size=(1, 4, 4, 2)), requires_grad=True)
    y = lm.ops.relu(x)
    lm.ops.max_pool2d(y, 2).sum().backward()
    assert type(seen[0]) is Unpooled
    assert seen[0].shape == y.shape
    assert seen[0].dtype == y.dtype
    np.testing.assert_array_equal(seen[0].dense() * (y.numpy() > 0), x.grad.numpy())
