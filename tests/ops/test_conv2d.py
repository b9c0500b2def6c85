import numpy as np
import pytest

import lamina as lm
from op_testing import check_empty_batch, check_forward, check_op, check_same_bits

random = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _mode_restored():
    before = lm.convolution()
    yield
    lm.set_convolution(before)


def reference(x, kernel, bias=None, strides=(1, 1), pads=((0, 0), (0, 0)), dilation=(1, 1), groups=1, activation=None):
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    kh, kw, channels, filters = kernel.shape
    height = (x.shape[1] - (kh - 1) * dilation[0] - 1) // strides[0] + 1
    width = (x.shape[2] - (kw - 1) * dilation[1] - 1) // strides[1] + 1
    y = np.zeros((x.shape[0], height, width, groups, filters // groups))
    taps = kernel.reshape(kh, kw, channels, groups, filters // groups)
    for i in range(kh):
        for j in range(kw):
            top, left = i * dilation[0], j * dilation[1]
            seen = x[:, top : top + height * strides[0] : strides[0], left : left + width * strides[1] : strides[1]]
            seen = seen[:, :height, :width].reshape(*y.shape[:3], groups, channels)
            y += np.einsum("nhwgc,cgk->nhwgk", seen, taps[i, j])
    y = y.reshape(*y.shape[:3], filters) + (0 if bias is None else bias)
    return ACTIVATIONS[activation](y)


ACTIVATIONS = {
    None: lambda y: y,
    "relu": lambda y: np.maximum(y, 0),
    "sigmoid": lambda y: 1 / (1 + np.exp(-y)),
    "tanh": np.tanh,
}


def check(x_shape, kernel_shape, strides=1, pads=((0, 0), (0, 0)), dilation=1, groups=1, activation=None, **options):
    """check_op for the direct sum: float64's tolerance holds there."""
    lm.set_convolution("direct")
    strides, dilation = np.broadcast_to(strides, 2).tolist(), np.broadcast_to(dilation, 2).tolist()
    inputs = [random.normal(size=s) / np.sqrt(np.prod(s[:3])) for s in (kernel_shape, kernel_shape[3:])]
    if activation == "relu":
        inputs[1] = inputs[1] * 0 + 5  # far from the kink, for differences
    check_op(
        lambda x, w, b: lm.ops.conv2d(x, w, b, strides, pads, dilation, groups, activation),
        [random.normal(size=x_shape), *inputs],
        lambda x, w, b: reference(x, w, b, strides, pads, dilation, groups, activation),
        **options,
    )


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
def test_bias_and_activation(activation):
    check((4, 9, 11, 5), (3, 3, 5, 20), activation=activation)


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "strides", "pads", "dilation"),
    [
        ((3, 28, 28, 1), (3, 3, 1, 32), 1, ((0, 0), (0, 0)), 1),
        ((2, 21, 20, 3), (7, 7, 3, 24), 2, ((3, 3), (3, 3)), 1),
        ((2, 17, 16, 20), (3, 3, 20, 40), 2, ((0, 1), (1, 0)), 1),
        ((2, 11, 12, 18), (1, 1, 18, 33), 2, ((0, 0), (0, 0)), 1),
        ((2, 8, 8, 6), (1, 1, 6, 7), 1, ((1, 0), (0, 2)), 1),
        ((3, 7, 7, 33), (3, 3, 33, 17), 1, ((1, 1), (1, 1)), 1),
        ((2, 13, 14, 4), (3, 2, 4, 9), (1, 2), ((2, 1), (0, 3)), (2, 3)),
        ((2, 9, 9, 3), (2, 2, 3, 5), 4, ((0, 0), (0, 0)), 1),
        ((2, 10, 9, 2), (2, 3, 2, 5), (3, 2), ((3, 4), (2, 2)), (3, 4)),
        ((3, 25, 1, 6), (4, 1, 6, 10), 2, ((1, 1), (0, 0)), 1),
        ((2, 3, 600, 2), (2, 3, 2, 3), 1, ((0, 0), (1, 1)), 1),
    ],
)
def test_windows(x_shape, kernel_shape, strides, pads, dilation):
    check(x_shape, kernel_shape, strides, pads, dilation, places=8)


@pytest.mark.parametrize(("x_shape", "kernel_shape"), [((5, 6, 7, 20), (1, 1, 20, 33)), ((5, 4, 3, 9), (4, 3, 9, 18))])
def test_products(x_shape, kernel_shape):
    """One pixel seen, or all: plain products of matrices."""
    check(x_shape, kernel_shape, activation="tanh")


@pytest.mark.parametrize("strides", [(1.0, 1), (1, True), (True, 1.0)])
def test_what_only_looks_like_strides_that_came_before_is_refused(strides):
    x, kernel = np.ones((1, 5, 5, 2), "float32"), np.ones((2, 2, 2, 3), "float32")
    lm.ops.conv2d(x, kernel, strides=(1, 1))
    with pytest.raises((TypeError, ValueError), match="strides"):
        lm.ops.conv2d(x, kernel, strides=strides)


def test_long_sums_are_cut():
    check((2, 5, 5, 300), (3, 3, 300, 6), pads=((1, 1), (1, 1)), places=6, tolerance={np.float32: 3e-5})


@pytest.mark.parametrize(
    ("channels", "filters", "groups"),
    [(8, 12, 2), (8, 40, 2), (12, 8, 4), (40, 40, 2), (6, 6, 6), (20, 20, 20), (5, 15, 5)],
)
def test_groups(channels, filters, groups):
    check(
        (2, 9, 10, channels), (3, 3, channels // groups, filters), (2, 1), ((1, 1), (1, 1)), 1, groups, "relu", places=8
    )


@pytest.mark.parametrize("filters", [18, 36])
@pytest.mark.parametrize("strides", [1, (2, 3)])
def test_depthwise(filters, strides):
    check((2, 14, 15, 18), (5, 3, 1, filters), strides, ((2, 2), (3, 1)), (1, 2), 18, "sigmoid", places=8)


@pytest.mark.parametrize("mode", ["fast", "accurate", "direct"])
def test_modes(mode):
    """Every mode: close to the sum, and the same bits everywhere."""
    lm.set_convolution(mode)
    inputs = [random.normal(size=s) for s in ((3, 13, 14, 33), (3, 3, 33, 34), (34,))]

    def op(x, w, b):
        return lm.ops.conv2d(x, w, b, padding="same", activation="relu")

    def expected(x, w, b):
        return reference(x, w, b, pads=((1, 1), (1, 1)), activation="relu")

    check_forward(op, inputs, expected, tolerance={np.float32: 2e-4, np.float64: 1e-11})
    for dtype in (np.float32, np.float64):
        check_same_bits(op, [a.astype(dtype) for a in inputs])


def test_modes_agree_on_gradients():
    x, w = random.normal(size=(2, 12, 12, 32)), random.normal(size=(3, 3, 32, 32))
    grads = {}
    for mode in ("fast", "accurate", "direct"):
        lm.set_convolution(mode)
        tensors = lm.tensor(x, requires_grad=True), lm.tensor(w, requires_grad=True)
        y = lm.ops.conv2d(*tensors, padding="same")
        y.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        grads[mode] = [t.grad.numpy() for t in tensors]
    for mode in ("fast", "accurate"):
        for got, wanted in zip(grads[mode], grads["direct"], strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-11 * np.abs(wanted).max())


@pytest.mark.parametrize("size", [5, 6, 7])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_same_padding(size, strides):
    x, w = random.normal(size=(1, size, size, 2)), random.normal(size=(4, 3, 2, 3))
    y = lm.ops.conv2d(x, w, strides=strides, padding="same")
    assert y.shape[1] == y.shape[2] == -(-size // strides)
    total = [max((y.shape[1] - 1) * strides + k - size, 0) for k in (4, 3)]
    pads = [(t // 2, t - t // 2) for t in total]
    np.testing.assert_allclose(y.numpy(), reference(x, w, strides=(strides, strides), pads=pads), atol=1e-12)


def test_padding_forms_agree():
    x, w = random.normal(size=(1, 6, 6, 2)), random.normal(size=(3, 3, 2, 3))
    forms = [lm.ops.conv2d(x, w, padding=p).numpy() for p in ("same", "SAME", 1, ((1, 1), (1, 1)), [[1, 1], [1, 1]])]
    assert all(np.array_equal(forms[0], y) for y in forms)


def test_only_wanted_gradients():
    x, w, b = random.normal(size=(1, 5, 5, 2)), random.normal(size=(3, 3, 2, 4)), random.normal(size=4)
    for wanted in range(3):
        tensors = [lm.tensor(a, requires_grad=i == wanted) for i, a in enumerate((x, w, b))]
        lm.ops.conv2d(*tensors, activation="relu").sum().backward()
        assert [t.grad is not None for t in tensors] == [i == wanted for i in range(3)]


def test_no_bias_and_empty_batch():
    def op(x, w):
        return lm.ops.conv2d(x, w, strides=2)

    for channels in (3, 20):
        check_empty_batch(op, [random.normal(size=(2, 7, 7, channels)), random.normal(size=(3, 3, channels, 4))])


def test_nan_and_infinity_stay_where_they_are_seen():
    x = np.zeros((1, 12, 12, 1))
    x[0, 2, 2, 0], x[0, 9, 9, 0] = np.nan, np.inf
    y = lm.ops.conv2d(x, np.ones((3, 3, 1, 1))).numpy()[0, :, :, 0]
    assert np.isnan(y[:3, :3]).all()
    assert np.isinf(y[7:10, 7:10]).all()
    assert np.isfinite(y).sum() == 100 - 18


X, W = np.zeros((2, 5, 6, 4), np.float32), np.zeros((3, 3, 4, 8), np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X[0]}, r"conv2d: x must have shape \(N, H, W, C\), got \(5, 6, 4\)"),
        ({"kernel": W[0]}, r"kernel must have shape \(KH, KW, C / groups, K\), got \(3, 4, 8\)"),
        ({"kernel": W[:, :, :3]}, r"kernel takes 3 channels \(shape \(3, 3, 3, 8\)\), x has 4"),
        ({"groups": 2}, r"kernel takes 4 channels .* x has 4 / 2 groups = 2"),
        ({"groups": 3}, r"groups must divide the 4 channels of x and the 8 filters, got 3"),
        ({"groups": 0}, r"groups must be at least 1, got 0"),
        ({"bias": np.zeros(7, np.float32)}, r"bias must have shape \(8,\), got \(7,\)"),
        ({"strides": 0}, r"strides must be at least 1"),
        ({"strides": (1, -2)}, r"strides must be at least 1"),
        ({"strides": (1, 2, 3)}, r"strides must be an integer or a pair"),
        ({"dilation_rate": 0}, r"dilation_rate must be at least 1"),
        ({"padding": -1}, r"padding must be at least 0"),
        ({"padding": "full"}, r"padding must be \"valid\", \"same\""),
        ({"padding": (1, 2, 3)}, r"padding must be an integer or \(\(top, bottom\), \(left, right\)\)"),
        ({"dilation_rate": 3}, r"the window of \(7, 7\) pixels is larger than the padded input of \(5, 6\) pixels"),
        ({"padding": 2**31}, r"must be below 2\*\*31"),
        ({"x": X[:, :0]}, r"only the batch may be empty"),
        ({"x": X[..., :0], "kernel": W[:, :, :0]}, r"only the batch may be empty"),
        ({"kernel": W[:0]}, r"only the batch may be empty"),
        ({"activation": "swish"}, r"activation must be None or one of"),
    ],
)
def test_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        lm.ops.conv2d(**{"x": X, "kernel": W, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": W.astype(np.float64)}, r"kernel must have the dtype of x"),
        ({"x": X.astype(np.complex64)}, r"conv2d: x must be float32 or float64|expected an array of numbers"),
        ({"strides": 1.5}, r"strides must be an integer"),
        ({"groups": 1.0}, r"groups must be an integer"),
        ({"groups": True}, r"groups must be an integer"),
    ],
)
def test_types_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        lm.ops.conv2d(**{"x": X, "kernel": W, **arguments})


def test_modes_are_checked():
    with pytest.raises(ValueError, match=r"set_convolution: mode must be"):
        lm.set_convolution("winograd")
    assert lm.convolution() == "fast"
