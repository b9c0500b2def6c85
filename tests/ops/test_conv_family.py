"""conv1d, conv3d, transposed, depthwise, separable and locally connected; narrow groups and dilation of conv2d."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_forward, check_op, check_same_bits
from ops.convolution_reference import ACTIVATIONS, inputs, reference, transposed_reference

random = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _direct():
    """The plain sum: float64's tolerance holds there."""
    lm.set_convolution("direct")
    yield
    lm.set_convolution("fast")


def check(x_shape, kernel_shape, strides=1, pads=0, dilation=1, groups=1, activation=None, op=None, **options):
    rank = len(x_shape) - 2
    sides = tuple(tuple(int(v) for v in p) for p in np.broadcast_to(pads, (rank, 2)))
    op = op or getattr(lm.ops, f"conv{rank}d")
    check_op(
        lambda x, w, b: op(x, w, b, strides, sides, dilation, groups, activation),
        inputs(x_shape, kernel_shape, kernel_shape[-1], activation),
        lambda x, w, b: reference(x, w, b, strides, pads, dilation, groups, activation),
        **{"places": 6, **options},
    )


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "strides", "pads", "dilation", "groups", "activation"),
    [
        ((3, 40, 5), (3, 5, 20), 1, 0, 1, 1, None),
        ((3, 37, 20), (4, 20, 33), 2, (2, 1), 1, 1, "tanh"),
        ((2, 50, 3), (5, 3, 8), 3, (0, 4), 4, 1, "relu"),
        ((3, 31, 12), (3, 3, 16), 1, 1, 2, 4, None),
        ((4, 9, 20), (1, 20, 18), 1, 0, 1, 1, "sigmoid"),
        ((3, 7, 6), (7, 6, 10), 1, 0, 1, 1, None),
    ],
)
def test_conv1d(x_shape, kernel_shape, strides, pads, dilation, groups, activation):
    check(x_shape, kernel_shape, strides, pads, dilation, groups, activation)


@pytest.mark.parametrize("strides", [1, 2])
def test_causal(strides):
    check_op(
        lambda x, w, b: lm.ops.conv1d(x, w, b, strides, "causal", 3),
        inputs((3, 20, 4), (4, 4, 7), 7),
        lambda x, w, b: reference(x, w, b, strides, (9, 0), 3),
        places=6,
    )


def test_causal_sees_nothing_that_comes_later():
    x, kernel = random.normal(size=(1, 12, 2)), random.normal(size=(3, 2, 4))
    y = lm.ops.conv1d(x, kernel, padding="causal", dilation_rate=2).numpy()
    x[:, 7:] = 99
    np.testing.assert_array_equal(lm.ops.conv1d(x, kernel, padding="causal", dilation_rate=2).numpy()[:, :7], y[:, :7])


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "strides", "pads", "dilation", "groups", "activation"),
    [
        ((3, 4, 6, 7, 5), (2, 3, 3, 5, 9), 1, 0, 1, 1, "relu"),
        ((2, 6, 7, 5, 20), (3, 3, 2, 20, 18), 1, ((1, 1), (1, 0), (0, 1)), 1, 1, None),
        ((2, 7, 8, 9, 3), (3, 3, 3, 3, 8), (2, 3, 2), ((1, 2), (2, 0), (1, 1)), 1, 1, "sigmoid"),
        ((2, 7, 6, 8, 4), (2, 3, 2, 2, 6), (2, 1, 1), 0, (3, 2, 1), 2, None),
        ((2, 7, 5, 5, 2), (2, 2, 2, 2, 3), (4, 3, 3), 0, 1, 1, None),
        ((2, 3, 5, 6, 4), (1, 3, 3, 4, 8), 1, ((0, 0), (1, 1), (1, 1)), 1, 1, None),
        ((3, 2, 3, 4, 5), (2, 3, 4, 5, 6), 1, 0, 1, 1, "tanh"),
        ((2, 5, 4, 4, 6), (3, 1, 1, 1, 6), 1, ((1, 1), (0, 0), (0, 0)), 1, 6, None),
    ],
)
def test_conv3d(x_shape, kernel_shape, strides, pads, dilation, groups, activation):
    check(x_shape, kernel_shape, strides, pads, dilation, groups, activation)


@pytest.mark.parametrize(
    ("channels", "filters", "groups", "strides", "dilation"),
    [(32, 32, 8, 1, 1), (18, 12, 6, (2, 1), 1), (24, 40, 5, 1, (1, 2)), (48, 24, 6, 2, 1), (16, 64, 16, 1, 1),
     (35, 21, 7, (3, 2), 1), (32, 32, 16, 1, 3)],
)  # fmt: skip
def test_narrow_groups(channels, filters, groups, strides, dilation):
    """Several groups in a vector, of any width and not only whole vectors of them."""
    channels = channels // groups * groups
    shape = (3, 3, channels // groups, filters // groups * groups)
    check((2, 12, 11, channels), shape, strides, ((2, 1), (0, 2)), dilation, groups, "relu")


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [(7, 7), (33, 30)])
def test_depthwise_of_any_size(size, strides):
    check((3, *size, 50), (3, 3, 1, 50), strides, 1, 1, 50, places=4)


@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "pads", "activation"),
    [
        ((3, 7, 7), (3, 3), 1, 1, None),
        ((3, 9, 8), (5, 5), 1, 2, "relu"),
        ((2, 6, 13), (2, 7), 1, ((0, 1), (4, 2)), "tanh"),
        ((3, 15, 14), (5, 5), 2, (1, 2), None),
        ((2, 16, 30), (3, 7), (3, 2), 3, "relu"),
        ((2, 5, 21), (4, 3), 1, ((7, 0), (0, 9)), None),
    ],
)
def test_depthwise_without_strips(shape, kernel, strides, pads, activation):
    """Rows that 7 or 8 positions fill well: another kernel where vectors are wide, and the bits of the portable one."""
    check((*shape, 48), (*kernel, 1, 48), strides, pads, groups=48, activation=activation)


def test_depthwise_multiplies_its_padding():
    x, kernel = np.ones((1, 7, 7, 16), np.float32), np.ones((3, 3, 1, 16), np.float32)
    kernel[0, 0] = np.inf  # its zeros are at the upper and left edge
    expected = np.full((7, 7), np.inf)
    expected[0] = expected[:, 0] = np.nan
    for isa in _cpu.isas():
        lm.set_isa(isa)
        y = lm.ops.conv2d(x, kernel, padding=1, groups=16).numpy()
        np.testing.assert_array_equal(y[0, :, :, 5], expected)


def test_depthwise_long_sums_are_cut():
    check((2, 26, 27, 17), (25, 23, 1, 17), 1, 0, 1, 17, places=4)


@pytest.mark.parametrize("mode", ["fast", "accurate"])
@pytest.mark.parametrize(("dilation", "pads"), [((2, 2), 2), ((3, 1), ((3, 2), (0, 1))), ((2, 5), ((0, 4), (9, 10)))])
def test_dilated_winograd(mode, dilation, pads):
    lm.set_convolution(mode)
    arrays = inputs((2, 17, 21, 33), (3, 3, 33, 34), 34)
    sides = tuple(tuple(int(v) for v in p) for p in np.broadcast_to(pads, (2, 2)))

    def op(x, w, b):
        return lm.ops.conv2d(x, w, b, 1, sides, dilation, 1, "tanh")

    def expected(x, w, b):
        return reference(x, w, b, 1, pads, dilation, 1, "tanh")

    check_forward(op, arrays, expected, tolerance={np.float32: 2e-4, np.float64: 1e-11})
    lm.grad_check(op, arrays, places=6)
    for dtype in (np.float32, np.float64):
        check_same_bits(op, [a.astype(dtype) for a in arrays])


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "strides", "padding", "output_padding", "crop", "output", "activation"),
    [
        ((3, 9, 5), (3, 7, 5), 2, "valid", None, [0], [19], "relu"),
        ((3, 9, 5), (2, 7, 5), 4, "valid", None, [0], [36], None),
        ((2, 6, 7, 5), (3, 3, 18, 5), 2, "same", None, [0, 0], [12, 14], "tanh"),
        ((2, 5, 6, 20), (4, 4, 17, 20), 2, "same", None, [1, 1], [10, 12], None),
        ((2, 5, 6, 3), (5, 2, 4, 3), (3, 2), 1, (2, 0), [1, 1], [17, 10], "sigmoid"),
        ((2, 4, 5, 3), (1, 1, 4, 3), 3, "same", None, [0, 0], [12, 15], "relu"),
        ((3, 4, 5, 6), (3, 3, 8, 6), 1, 1, None, [1, 1], [4, 5], "relu"),
        ((3, 1, 1, 6), (4, 3, 8, 6), 1, "valid", None, [0, 0], [4, 3], "relu"),
        ((3, 6, 7, 6), (1, 1, 9, 6), 1, "valid", None, [0, 0], [6, 7], "tanh"),
        ((2, 3, 4, 3, 5), (3, 2, 2, 6, 5), (2, 1, 3), "valid", None, [0, 0, 0], [7, 5, 9], "relu"),
        ((2, 3, 2, 3, 4), (1, 2, 3, 3, 4), (3, 2, 2), "same", None, [0, 0, 0], [9, 4, 6], None),
    ],
)
def test_transposed(x_shape, kernel_shape, strides, padding, output_padding, crop, output, activation):
    op = getattr(lm.ops, f"conv{len(x_shape) - 2}d_transpose")
    check_op(
        lambda x, w, b: op(x, w, b, strides, padding, output_padding, activation=activation),
        inputs(x_shape, kernel_shape, kernel_shape[-2], activation),
        lambda x, w, b: transposed_reference(x, w, b, strides, crop, output, activation),
        places=6,
    )


def test_transposed_is_the_gradient():
    """With groups and dilation too: against the gradient of the convolution that leads back."""
    x, kernel = random.normal(size=(2, 13, 12, 6)), random.normal(size=(3, 2, 3, 8))
    big = lm.tensor(x, requires_grad=True)
    y = lm.ops.conv2d(big, kernel, strides=2, padding=((1, 2), (0, 1)), dilation_rate=(2, 3), groups=2)
    dy = random.normal(size=y.shape)
    y.backward(dy)
    got = lm.ops.conv2d_transpose(
        dy, kernel, strides=2, padding=((1, 2), (0, 1)), output_padding=(1, 1), dilation_rate=(2, 3), groups=2
    )
    rows, columns = got.shape[1:3]
    np.testing.assert_array_equal(got.numpy(), big.grad.numpy()[:, :rows, :columns])


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_conv(rank, multiplier):
    x_shape, kernel_shape = (3, *(12, 11)[:rank], 6), (*(3, 2)[:rank], 6, multiplier)
    op = getattr(lm.ops, f"depthwise_conv{rank}d")
    check_op(
        lambda x, w, b: op(x, w, b, 2, "same", 1, "relu"),
        inputs(x_shape, kernel_shape, 6 * multiplier, "relu"),
        lambda x, w, b: reference(x, w.reshape(*kernel_shape[:-2], 1, -1), b, 2, [(0, 1), (0, 1)][:rank], 1, 6, "relu"),
        places=6,
    )


@pytest.mark.parametrize("rank", [1, 2])
def test_separable_conv(rank):
    x_shape, depthwise, pointwise = (3, *(9, 8)[:rank], 4), (*(3, 3)[:rank], 4, 2), (*(1,) * rank, 8, 5)
    op = getattr(lm.ops, f"separable_conv{rank}d")
    x, kernel, bias = inputs(x_shape, depthwise, 5)

    def expected(x, d, p, b):
        middle = reference(x, d.reshape(*depthwise[:-2], 1, -1), None, 1, 1, 1, 4)
        return np.tanh(middle @ p.reshape(8, 5) + b)

    check_op(
        lambda x, d, p, b: op(x, d, p, b, padding="same", activation="tanh"),
        [x, kernel, random.normal(size=pointwise), bias],
        expected,
        places=6,
    )


def local_reference(x, kernel, bias, taps, strides, pads, activation):
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    size = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], taps, strides, strict=True)]
    y = np.zeros((x.shape[0], *size, kernel.shape[-1]))
    for number, place in enumerate(np.ndindex(*size)):
        window = [slice(p * s, p * s + k) for p, s, k in zip(place, strides, taps, strict=True)]
        y[(slice(None), *place)] = x[(slice(None), *window)].reshape(len(x), -1) @ kernel[number]
    return ACTIVATIONS[activation](y + bias)


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
def test_locally_connected(activation):
    two = [random.normal(size=s) for s in ((4, 7, 6, 3), (4 * 3, 3 * 2 * 3, 5), (4, 3, 5))]
    one = [random.normal(size=s) for s in ((4, 9, 3), (5, 3 * 3, 6), (5, 6))]
    for arrays in (one, two):
        arrays[1] = arrays[1] / 5
        if activation == "relu":
            arrays[2] = arrays[2] * 0 + 9
    check_op(
        lambda x, w, b: lm.ops.locally_connected2d(x, w, b, (3, 2), (2, 2), ((1, 1), (0, 0)), activation),
        two,
        lambda x, w, b: local_reference(x, w, b, (3, 2), (2, 2), ((1, 1), (0, 0)), activation),
        places=6,
    )
    check_op(
        lambda x, w, b: lm.ops.locally_connected1d(x, w, b, 3, 2, "same", activation),
        one,
        lambda x, w, b: local_reference(x, w, b, (3,), (2,), ((1, 1),), activation),
        places=6,
    )


def test_backward_writes_to_nothing_that_it_is_given():
    x, kernel = lm.tensor(random.normal(size=(2, 5, 6, 3)), requires_grad=True), random.normal(size=(2, 2, 4, 3))
    dy = random.normal(size=(2, 10, 12, 4))
    given = dy.copy()
    lm.ops.conv2d_transpose(x, kernel, strides=2, activation="relu").backward(dy)
    np.testing.assert_array_equal(dy, given)


X1, X2, X3 = (np.zeros((2, *(5, 6, 7)[:rank], 4), np.float32) for rank in (1, 2, 3))
W1, W2, W3 = (np.zeros((*(3,) * rank, 4, 8), np.float32) for rank in (1, 2, 3))
T2 = np.zeros((3, 3, 8, 4), np.float32)
D2, P2 = np.zeros((3, 3, 4, 2), np.float32), np.zeros((1, 1, 8, 5), np.float32)


@pytest.mark.parametrize(
    ("op", "arrays", "arguments", "message"),
    [
        ("conv1d", (X2, W1), {}, r"conv1d: x must have shape \(N, T, C\), got \(2, 5, 6, 4\)"),
        ("conv1d", (X1, W2), {}, r"conv1d: kernel must have shape \(KT, C / groups, K\), got \(3, 3, 4, 8\)"),
        ("conv1d", (X1, W1), {"strides": 0}, r"conv1d: strides must be at least 1, got 0"),
        ("conv1d", (X1, W1), {"strides": (1, 1)}, r"conv1d: strides must be an integer, got \(1, 1\)"),
        ("conv1d", (X1, W1), {"dilation_rate": -2}, r"conv1d: dilation_rate must be at least 1, got -2"),
        ("conv1d", (X1, W1), {"dilation_rate": 3}, r"of \(7,\) pixels is larger than the padded input of \(5,\)"),
        ("conv1d", (X1, W1), {"padding": "reflect"}, r'padding must be "valid", "same", "causal", an integer or'),
        ("conv1d", (X1, W1), {"padding": -1}, r"padding must be at least 0"),
        ("conv1d", (X1, W1[:, :3]), {}, r"kernel takes 3 channels \(shape \(3, 3, 8\)\), x has 4"),
        ("conv1d", (X1, W1), {"groups": 3}, r"groups must divide the 4 channels of x and the 8 filters, got 3"),
        ("conv2d", (X2, W2), {"padding": "causal"}, r'conv2d: padding must be "valid", "same", an integer'),
        ("conv3d", (X2, W3), {}, r"conv3d: x must have shape \(N, D, H, W, C\), got"),
        ("conv3d", (X3, W3), {"padding": "causal"}, r'conv3d: padding must be "valid", "same", an integer'),
        ("conv3d", (X3, W3), {"strides": (1, 2)}, r"conv3d: strides must be an integer or three of them"),
        ("conv3d", (X3, W3), {"padding": ((1, 1), (1, 1))}, r"padding must be an integer or \(\(front, back\), \(top,"),
        ("conv3d", (X3, W3), {"dilation_rate": (3, 1, 1)}, r"the window of \(7, 3, 3\) pixels is larger than"),
        ("conv3d", (X3, W3), {"bias": np.zeros(7, np.float32)}, r"bias must have shape \(8,\), got \(7,\)"),
        ("conv3d", (X3[:, :0], W3), {}, r"only the batch may be empty"),
        ("conv3d", (X3, W3), {"strides": 2**31}, r"must be below 2\*\*31"),
        ("conv2d_transpose", (X2, W2), {}, r"kernel takes 8 channels \(shape \(3, 3, 4, 8\)\), x has 4"),
        ("conv2d_transpose", (X2[0], T2), {}, r"conv2d_transpose: x must have shape \(N, H, W, C\), got \(5, 6, 4\)"),
        ("conv2d_transpose", (X2, T2[0]), {}, r"kernel must have shape \(KH, KW, K / groups, C\), got \(3, 8, 4\)"),
        ("conv2d_transpose", (X2, T2), {"output_padding": 1}, r"output_padding must be below the strides, \(1, 1\)"),
        ("conv2d_transpose", (X2, T2), {"strides": 2, "output_padding": (1, 2)}, r"output_padding must be below"),
        ("conv2d_transpose", (X2, T2), {"output_padding": -1}, r"output_padding must be at least 0, got -1"),
        ("conv2d_transpose", (X2, T2), {"padding": "causal"}, r'padding must be "valid", "same", an integer'),
        ("conv2d_transpose", (X2, T2), {"padding": 4}, r"nothing is left of the output: x has \(5, 6\) pixels"),
        ("conv2d_transpose", (X2, T2), {"strides": 0}, r"strides must be at least 1"),
        ("conv2d_transpose", (X2, T2), {"strides": 2**31}, r"must be below 2\*\*31"),
        ("conv2d_transpose", (X2, T2), {"groups": 0}, r"groups must be at least 1, got 0"),
        ("conv2d_transpose", (X2, T2), {"groups": 3}, r"groups must divide the 4 channels of x, got 3"),
        ("conv2d_transpose", (X2, T2), {"bias": np.zeros(4, np.float32)}, r"bias must have shape \(8,\), got \(4,\)"),
        ("depthwise_conv2d", (X2, D2[:, :, :3]), {}, r"kernel takes 3 channels \(shape \(3, 3, 3, 2\)\), x has 4"),
        ("depthwise_conv2d", (X2, D2[0]), {}, r"kernel must have shape \(KH, KW, C, M\), got \(3, 4, 2\)"),
        ("depthwise_conv2d", (X2, D2), {"bias": np.zeros(4, np.float32)}, r"bias must have shape \(8,\), got \(4,\)"),
        ("depthwise_conv2d", (X2, D2), {"dilation_rate": 0}, r"depthwise_conv2d: dilation_rate must be at least 1"),
        ("separable_conv2d", (X2, D2, P2[0]), {}, r"must have shape \(1, 1, C \* M, K\), got \(1, 8, 5\)"),
        ("separable_conv2d", (X2, D2, P2[:, :, :7]), {}, r"pointwise_kernel takes 7 channels .* gives 8"),
        ("locally_connected2d", (X2, W1), {"kernel_size": 3}, r"= \(12, 36, 'K'\) for x of shape \(2, 5, 6, 4\), got"),
        ("locally_connected2d", (X2[0], W1), {}, r"locally_connected2d: x must have shape \(N, H, W, C\)"),
        ("locally_connected2d", (X2, W1), {"kernel_size": 0}, r"kernel_size must be at least 1"),
        ("locally_connected2d", (X2, W1), {"kernel_size": 7}, r"the window of \(7, 7\) pixels is larger"),
        ("locally_connected1d", (X1, np.zeros((5, 4, 2), np.float32)), {"bias": np.zeros(2, np.float32)},
         r"bias must have shape \(5, 2\), got \(2,\)"),
        ("conv1d", (X1, W1), {"activation": "swish"}, r"conv1d: activation must be None or one of"),
    ],
)  # fmt: skip
def test_values_are_refused(op, arrays, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(lm.ops, op)(*arrays, **arguments)


@pytest.mark.parametrize(
    ("op", "arrays", "arguments", "message"),
    [
        ("conv1d", (X1, W1.astype(np.float64)), {}, r"conv1d: kernel must have the dtype of x"),
        ("conv3d", (X3, W3), {"strides": 1.0}, r"strides must be an integer or three of them"),
        ("conv2d_transpose", (X2, T2), {"groups": True}, r"groups must be an integer, got True"),
        ("conv2d_transpose", (X2, T2), {"output_padding": 0.5}, r"output_padding must be an integer or a pair"),
        ("depthwise_conv2d", (X2, D2.astype(np.float64)), {}, r"kernel must have the dtype of x"),
        ("locally_connected1d", (X1, W1), {"kernel_size": 1.5}, r"kernel_size must be an integer"),
    ],
)
def test_types_are_refused(op, arrays, arguments, message):
    with pytest.raises(TypeError, match=message):
        getattr(lm.ops, op)(*arrays, **arguments)
