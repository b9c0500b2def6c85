"""Arguments that are no numbers: the error names the op and the argument, and is none of Python's or NumPy's own."""

import numpy as np
import pytest

import lamina as lm
from lamina import ops

X = np.ones((2, 4, 4), np.float32)
FOUR = X[:, :, None]
LABELS = np.zeros((2, 4), int)


def moving():
    return [lm.Variable(np.ones(4, np.float32), trainable=False) for _ in range(2)]


NUMBERS = {
    "layer_norm: epsilon": lambda v: ops.layer_norm(X, epsilon=v),
    "rms_norm: epsilon": lambda v: ops.rms_norm(X, epsilon=v),
    "unit_norm: epsilon": lambda v: ops.unit_norm(X, epsilon=v),
    "group_norm: epsilon": lambda v: ops.group_norm(X, groups=2, epsilon=v),
    "instance_norm: epsilon": lambda v: ops.instance_norm(X, epsilon=v),
    "batch_norm: epsilon": lambda v: ops.batch_norm(X, X[0, 0], X[0, 0], *moving(), training=True, epsilon=v),
    "batch_norm: momentum": lambda v: ops.batch_norm(X, X[0, 0], X[0, 0], *moving(), training=True, momentum=v),
    "attention: scale": lambda v: ops.attention(FOUR, FOUR, FOUR, scale=v),
    "attention: dropout": lambda v: ops.attention(FOUR, FOUR, FOUR, dropout=v, seed=1, stream=2),
    "rotary_embedding: max_wavelength": lambda v: ops.rotary_embedding(X, v),
    "rotary_embedding: scaling_factor": lambda v: ops.rotary_embedding(X, scaling_factor=v),
    "leaky_relu: negative_slope": lambda v: ops.leaky_relu(X, v),
    "threshold: threshold": lambda v: ops.threshold(X, v, 0.0),
    "huber_loss: delta": lambda v: ops.huber_loss(X, X, delta=v),
}
INTEGERS = {
    "softmax_cross_entropy: axis": lambda v: ops.softmax_cross_entropy(X, LABELS, axis=v),
    "softmax_cross_entropy: ignore_index": lambda v: ops.softmax_cross_entropy(X, LABELS, ignore_index=v),
    "conv2d: groups": lambda v: ops.conv2d(X[None], X[:1, :1, :, None] * np.ones((1, 1, 4, 3), np.float32), groups=v),
    "conv1d: groups": lambda v: ops.conv1d(X, X[:1], groups=v),
}


@pytest.mark.parametrize("odd", ["1", [1.0, 2.0], np.ones(2), 1j, {}, True], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name, odd):
    with pytest.raises(TypeError, match=f"{name} must be a number, got"):
        NUMBERS[name](odd)


@pytest.mark.parametrize("number", [np.float32(0.5), np.array(0.5), 1, np.int64(1)], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_every_kind_of_number(name, number):
    NUMBERS[name](number)


@pytest.mark.parametrize("odd", ["1", [1], np.ones(2), 1.5, np.nan, {}, True], ids=repr)
@pytest.mark.parametrize("name", INTEGERS)
def test_integers(name, odd):
    with pytest.raises(TypeError, match=f"{name} must be an integer, got"):
        INTEGERS[name](odd)


@pytest.mark.parametrize("op", ["conv1d", "conv2d"])
def test_groups_of_none_are_not_a_depthwise_convolution(op):
    with pytest.raises(TypeError, match=f"{op}: groups must be an integer, got None"):
        INTEGERS[f"{op}: groups"](None)
