"""Winograd convolution by itself (conv2d chooses among algorithms; these entries do not): values, edges, bits."""

import numpy as np
import pytest

import lamina
from lamina import _cpu

FLOATS = (np.float32, np.float64)
LINEAR, RELU, SIGMOID, TANH = range(4)
SAME = (1, 1, 1, 1)


def convolve(x, w, padding):
    """The convolution in float64, one product for each place of the kernel."""
    top, bottom, left, right = padding
    x = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    height, width = x.shape[1] - 2, x.shape[2] - 2
    return sum(x[:, i : i + height, j : j + width] @ w[i, j].astype(np.float64) for i in range(3) for j in range(3))


def reference(x, w, dy, padding):
    """y, dx, dw in float64."""
    top, bottom, left, right = padding
    turned = w[::-1, ::-1].transpose(0, 1, 3, 2)
    dx = convolve(dy, turned, (2 - top, 2 - bottom, 2 - left, 2 - right))
    padded = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    dw = np.empty(w.shape)
    for i in range(3):
        for j in range(3):
            window = padded[:, i : i + dy.shape[1], j : j + dy.shape[2]]
            dw[i, j] = np.tensordot(window, dy.astype(np.float64), ((0, 1, 2), (0, 1, 2)))
    return convolve(x, w, padding), dx, dw


def arrays(n, h, w, c, k, padding, dtype, seed=0):
    """x, kernel and dy of about unit outputs."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, h, w, c))
    kernel = rng.standard_normal((3, 3, c, k)) / np.sqrt(9 * c)
    dy = rng.standard_normal((n, h + padding[0] + padding[1] - 2, w + padding[2] + padding[3] - 2, k))
    return x.astype(dtype), kernel.astype(dtype), dy.astype(dtype)


def forward(x, w, padding, tile, bias=None, activation=LINEAR):
    n, height, width, _ = x.shape
    shape = (n, height + padding[0] + padding[1] - 2, width + padding[2] + padding[3] - 2, w.shape[3])
    y = np.full(shape, np.nan, x.dtype)
    _cpu.winograd_forward(x, w, bias, activation, padding, tile, y)
    return y


def all_three(x, w, dy, padding, tile):
    """y, dx, dw; whatever is not written stays NaN."""
    dx, dw = np.full_like(x, np.nan), np.full_like(w, np.nan)
    _cpu.winograd_backward_input(dy, w, padding, tile, dx)
    _cpu.winograd_backward_kernel(x, dy, padding, tile, dw)
    return forward(x, w, padding, tile), dx, dw


def check(n, h, w, c, k, padding, tile, dtype):
    x, kernel, dy = arrays(n, h, w, c, k, padding, dtype)
    tolerance = {(2, np.float32): 2e-6, (4, np.float32): 1e-5, (2, np.float64): 1e-14, (4, np.float64): 1e-13}[
        tile, dtype
    ]
    for name, got, expected in zip(
        ("y", "dx", "dw"), all_three(x, kernel, dy, padding, tile), reference(x, kernel, dy, padding), strict=True
    ):
        assert got.shape == expected.shape
        error = np.sqrt(np.mean((got - expected) ** 2)) / max(1e-3, np.sqrt(np.mean(expected**2)))
        assert error <= tolerance, f"{name}: rms error {error:.2g}"


def assert_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("tile", [2, 4])
class TestValues:
    def test_every_small_image(self, tile, dtype):
        for h in range(1, 10):
            for w in range(1, 10):
                check(2, h, w, 3, 5, SAME, tile, dtype)

    def test_a_larger_image(self, tile, dtype):
        check(2, 13, 17, 20, 36, SAME, tile, dtype)

    @pytest.mark.parametrize("channels", [1, 3, 16, 17, 33, 64, 130])
    def test_channels_and_filters(self, tile, dtype, channels):
        for filters in (1, 3, 16, 17, 33, 64, 130):
            check(1, 5, 6, channels, filters, SAME, tile, dtype)

    def test_several_chains(self, tile, dtype):
        check(1, 6, 6, 600, 3, SAME, tile, dtype)
        check(1, 6, 6, 3, 1100, SAME, tile, dtype)

    @pytest.mark.parametrize("top", [0, 1, 2])
    @pytest.mark.parametrize("bottom", [0, 1, 2])
    def test_padding(self, tile, dtype, top, bottom):
        for left in (0, 1, 2):
            for right in (0, 1, 2):
                check(2, 5, 7, 4, 3, (top, bottom, left, right), tile, dtype)

    def test_several_segments_of_the_kernel_gradient(self, tile, dtype):
        check(5, 20 * tile, 10 * tile, 3, 18, SAME, tile, dtype)

    def test_one_pixel_out_of_a_full_window(self, tile, dtype):
        check(3, 3, 3, 8, 8, (0, 0, 0, 0), tile, dtype)

    def test_empty_batch(self, tile, dtype):
        y, dx, dw = all_three(*arrays(0, 5, 5, 3, 4, SAME, dtype), SAME, tile)
        assert y.size == dx.size == 0
        assert not dw.any()

    @pytest.mark.parametrize("activation", [LINEAR, RELU, SIGMOID, TANH])
    def test_bias_and_activation(self, tile, dtype, activation):
        x, w, _ = arrays(2, 7, 9, 5, 21, SAME, dtype)
        bias = np.random.default_rng(1).standard_normal(21).astype(dtype)
        z = convolve(x, w, SAME) + bias
        expected = {LINEAR: z, RELU: np.maximum(z, 0), SIGMOID: 1 / (1 + np.exp(-z)), TANH: np.tanh(z)}[activation]
        got = forward(x, w, SAME, tile, bias, activation)
        assert np.abs(got - expected).max() <= (5e-5 if dtype == np.float32 else 1e-12)
        # The same bits as the plain sum, then the bias, then the activation's own kernel would give.
        if activation in (LINEAR, RELU):
            plain = forward(x, w, SAME, tile) + bias
            assert_same([got], [np.maximum(plain, 0) if activation == RELU else plain])

    def test_no_bias_but_relu(self, tile, dtype):
        x, w, _ = arrays(1, 5, 5, 2, 3, SAME, dtype)
        assert_same([forward(x, w, SAME, tile, None, RELU)], [np.maximum(forward(x, w, SAME, tile), 0)])


class TestAccuracy:
    """rms errors against the plain sum's in float32, one chain of 9 C multiply-adds."""

    def errors(self, tile):
        x, w, _ = arrays(1, 16, 16, 128, 32, SAME, np.float32)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        plain = np.zeros((1, 16, 16, 32), np.float32)
        for i in range(3):
            for j in range(3):
                for c in range(128):
                    plain += padded[:, i : i + 16, j : j + 16, c, None] * w[i, j, c]
        exact = convolve(x, w, SAME)
        return tuple(np.sqrt(np.mean((y - exact) ** 2)) for y in (forward(x, w, SAME, tile), plain))

    def test_a_tile_of_2_errs_less_than_the_plain_sum(self):
        winograd, plain = self.errors(2)
        assert winograd < plain

    def test_a_tile_of_4_errs_at_most_three_times_as_much(self):
        winograd, plain = self.errors(4)
        assert winograd < 3 * plain


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("tile", [2, 4])
class TestBits:
    # Few and many tiles, one and several panels of filters, whole and broken blocks of channels, several chains and
    # several segments: between them they take every path.
    SHAPES = ((1, 5, 6, 33, 70), (3, 9, 7, 64, 64), (6, 21, 30, 17, 40), (2, 6, 5, 530, 20), (20, 13, 28, 16, 16))

    @pytest.mark.parametrize("shape", SHAPES)
    def test_threads_and_isas_and_runs(self, tile, dtype, shape):
        inputs = arrays(*shape, SAME, dtype)
        expected = all_three(*inputs, SAME, tile)
        for isa in _cpu.isas():
            _cpu.set_isa(isa)
            for threads in (1, 2, 4):
                _cpu.set_num_threads(threads)
                assert_same(all_three(*inputs, SAME, tile), expected)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_an_image_alone_and_in_the_batch(self, tile, dtype, shape):
        x, w, dy = arrays(*shape, SAME, dtype)
        y, dx, _ = all_three(x, w, dy, SAME, tile)
        for i in {0, len(x) // 2, len(x) - 1}:
            alone = all_three(x[i : i + 1].copy(), w, dy[i : i + 1].copy(), SAME, tile)
            assert_same(alone[:2], (y[i : i + 1], dx[i : i + 1]))

    def test_outputs_past_the_caches(self, tile, dtype):
        """More than 16 MB of outputs are streamed: the same bits as an image alone, which is not."""
        x, w, _ = arrays(6, 75, 150, 2, 64, SAME, dtype)
        y = lamina.backend.empty((6, 75, 150, 64), dtype)
        _cpu.winograd_forward(x, w, None, LINEAR, SAME, tile, y)
        assert_same([forward(x[5:], w, SAME, tile)], [y[5:]])


class TestErrors:
    """The bindings guard memory; conv2d checks what users pass."""

    def arguments(self, **changes):
        x, w, _ = arrays(1, 5, 5, 2, 3, SAME, np.float32)
        y = np.empty((1, 5, 5, 3), np.float32)
        return {"x": x, "w": w, "bias": None, "activation": 0, "padding": SAME, "tile": 4, "y": y} | changes

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"tile": 3}, "tile must be 2 or 4"),
            ({"padding": (1, 1, 1, 3)}, "padding must be 0, 1 or 2"),
            ({"padding": (1, 1)}, r"padding must be \(top, bottom, left, right\)"),
            ({"w": np.zeros((5, 5, 2, 3), np.float32)}, r"w must have shape \(3, 3, C, K\)"),
            ({"w": np.zeros((3, 3, 4, 3), np.float32)}, "elements, expected"),
            ({"y": np.empty((1, 5, 5, 2), np.float32)}, "elements, expected"),
            ({"bias": np.zeros(2, np.float32)}, "elements, expected"),
        ],
    )
    def test_values(self, changes, message):
        with pytest.raises(ValueError, match=message):
            _cpu.winograd_forward(**self.arguments(**changes))

    def test_dtype(self):
        with pytest.raises(TypeError, match="dtype"):
            _cpu.winograd_forward(**self.arguments(w=np.zeros((3, 3, 2, 3))))


@pytest.mark.parametrize(("channels", "filters"), [(300, 33), (512, 16)])
def test_few_tiles_take_the_weights_in_slices(channels, filters):
    """One image of 7 x 7 has four tiles, six have more than are sliced: the bits are the same."""
    random = np.random.default_rng(3)
    x = random.normal(size=(6, 7, 7, channels)).astype(np.float32)
    kernel = random.normal(size=(3, 3, channels, filters)).astype(np.float32)
    for isa in [isa for isa in _cpu.isas() if isa != "portable"] or ["portable"]:
        lamina.set_isa(isa)
        whole = lamina.ops.conv2d(x, kernel, padding="same").numpy()
        for threads in (1, 2, 4):
            lamina.set_num_threads(threads)
            alone = lamina.ops.conv2d(x[2:3], kernel, padding="same").numpy()
            assert alone.tobytes() == whole[2:3].tobytes()
    exact = lamina.ops.conv2d(x.astype(np.float64), kernel.astype(np.float64), padding="same").numpy()
    assert np.abs(whole - exact).max() < 1e-5 * np.abs(exact).max()
