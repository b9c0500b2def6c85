"""Winograd of 4x4 kernels with strides 2 (both ways: conv2d and conv2d_transpose), and of 3x3 kernels in groups."""

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits
from ops.convolution_reference import inputs, reference, transposed_reference

TOLERANCE = {np.float32: 5e-5, np.float64: 1e-11}
random = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _fast():
    lm.set_convolution("fast")
    yield
    lm.set_convolution("fast")


@pytest.mark.parametrize(
    ("x_shape", "filters", "pads", "activation"),
    [
        ((2, 16, 10, 36), 40, ((1, 1), (1, 1)), None),
        ((2, 13, 12, 32), 33, ((0, 3), (2, 0)), "relu"),
        ((3, 12, 17, 35), 32, ((3, 1), (0, 1)), "tanh"),
        ((1, 12, 12, 48), 64, 0, None),
        ((3, 8, 8, 36), 40, ((1, 1), (1, 1)), "relu"),  # from here on tiles of 5x5: one,
        ((2, 8, 18, 32), 35, ((2, 0), (1, 1)), None),  # and several
        ((1, 19, 18, 33), 32, ((1, 0), (1, 2)), "tanh"),
    ],
)
def test_strides(x_shape, filters, pads, activation):
    kernel = (4, 4, x_shape[-1], filters)
    sides = tuple(tuple(int(v) for v in p) for p in np.broadcast_to(pads, (2, 2)))
    check_op(
        lambda x, w, b: lm.ops.conv2d(x, w, b, 2, sides, activation=activation),
        inputs(x_shape, kernel, filters, activation),
        lambda x, w, b: reference(x, w, b, 2, pads, activation=activation),
        tolerance=TOLERANCE,
        places=4,
    )


@pytest.mark.parametrize(
    ("x_shape", "filters", "padding", "output_padding", "crop", "output", "activation"),
    [
        ((2, 8, 5, 36), 40, 1, 0, (1, 1), (16, 10), None),
        ((2, 5, 8, 33), 32, "valid", None, (0, 0), (12, 18), "sigmoid"),
        ((3, 5, 5, 32), 35, ((2, 1), (0, 3)), (1, 0), (2, 0), (10, 9), "relu"),
        ((1, 8, 8, 64), 33, 3, 1, (3, 3), (13, 13), "tanh"),
        ((3, 4, 4, 36), 40, 1, 0, (1, 1), (8, 8), "relu"),  # from here on tiles of 5x5
        ((2, 9, 4, 32), 33, 1, 0, (1, 1), (18, 8), "sigmoid"),
    ],
)
def test_transposed_strides(x_shape, filters, padding, output_padding, crop, output, activation):
    check_op(
        lambda x, w, b: lm.ops.conv2d_transpose(x, w, b, 2, padding, output_padding, activation=activation),
        inputs(x_shape, (4, 4, filters, x_shape[-1]), filters, activation),
        lambda x, w, b: transposed_reference(x, w, b, 2, crop, output, activation),
        tolerance=TOLERANCE,
        places=4,
    )


@pytest.mark.parametrize(
    ("channels", "filters", "groups", "dilation", "activation"),
    [
        (64, 64, 2, 1, "relu"),
        (48, 48, 3, 1, None),  # narrow ones: no Winograd
        (16, 16, 2, 1, "tanh"),  # of 8 x 8
        (66, 80, 2, 1, None),
        (70, 66, 2, 2, None),
        (160, 160, 5, 1, None),
    ],
)
def test_groups(channels, filters, groups, dilation, activation):
    kernel = (3, 3, channels // groups, filters)
    check_op(
        lambda x, w, b: lm.ops.conv2d(x, w, b, 1, ((1, 1), (0, 2)), dilation, groups, activation),
        inputs((2, 9 * dilation, 8 * dilation, channels), kernel, filters, activation),
        lambda x, w, b: reference(x, w, b, 1, ((1, 1), (0, 2)), dilation, groups, activation),
        tolerance={np.float32: 5e-5, np.float64: 1e-11},
        places=4,
    )


@pytest.mark.parametrize(
    ("mode", "x_shape", "kernel_shape", "strides", "groups"),
    [
        ("fast", (9, 16, 16, 48), (4, 4, 48, 64), 2, 1),  # many blocks of tiles
        ("fast", (1, 16, 16, 260), (4, 4, 260, 140), 2, 1),  # several chains
        ("fast", (64, 8, 8, 48), (4, 4, 48, 64), 2, 1),  # tiles of 5x5
        ("fast", (1, 8, 8, 260), (4, 4, 260, 140), 2, 1),
        ("fast", (9, 16, 17, 64), (3, 3, 32, 64), 1, 2),
        ("fast", (9, 16, 17, 256), (3, 3, 32, 256), 1, 8),  # a task a group, several segments
        ("accurate", (9, 16, 17, 64), (3, 3, 32, 64), 1, 2),
        ("accurate", (9, 16, 17, 256), (3, 3, 32, 256), 1, 8),
    ],
)
def test_large_ones_have_the_same_bits(mode, x_shape, kernel_shape, strides, groups):
    lm.set_convolution(mode)
    x, kernel = random.standard_normal(x_shape, np.float32), random.standard_normal(kernel_shape, np.float32)
    check_same_bits(lambda x, w: lm.ops.conv2d(x, w, strides=strides, padding=1, groups=groups), [x, kernel])


def test_outputs_past_the_caches():
    x, kernel = random.standard_normal((9, 64, 64, 32), np.float32), random.standard_normal((4, 4, 32, 32), np.float32)
    y = lm.ops.conv2d_transpose(x, kernel, strides=2, padding=1).numpy()
    np.testing.assert_array_equal(lm.ops.conv2d_transpose(x[8:], kernel, strides=2, padding=1).numpy(), y[8:])


@pytest.mark.parametrize("side", [10, 16, 8, 9])  # tiles of 3x3, and of 5x5
@pytest.mark.parametrize("transposed", [False, True])
def test_modes_agree(transposed, side):
    op = lm.ops.conv2d_transpose if transposed else lm.ops.conv2d
    side = side // 2 if transposed else side
    x, kernel = random.normal(size=(2, side, side, 32)), random.normal(size=(4, 4, 32, 32))
    grads = {}
    for mode in ("fast", "direct"):
        lm.set_convolution(mode)
        tensors = lm.tensor(x, requires_grad=True), lm.tensor(kernel, requires_grad=True)
        y = op(*tensors, strides=2, padding=1)
        y.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        grads[mode] = [y.numpy(), *(t.grad.numpy() for t in tensors)]
    for got, wanted in zip(grads["fast"], grads["direct"], strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12 * np.abs(wanted).max())
        assert not np.array_equal(got, wanted)  # another algorithm
