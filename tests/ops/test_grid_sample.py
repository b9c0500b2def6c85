import itertools

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)
# Away from whole and half pixels: there the slopes jump.
GRID = random.choice([-1.71, -0.93, -0.42, 0.03, 0.37, 0.81, 1.13, 2.31], (2, 4, 5, 2)) + random.uniform(
    -0.01, 0.01, (2, 4, 5, 2)
)


def cubic(t, a=-0.75):
    t = abs(t)
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0


def reflected(p, low, high):
    if high <= low:
        return low
    p = abs(p - low) % (2 * (high - low))
    return low + min(p, 2 * (high - low) - p)


def moved(p, size, padding, align):
    if padding == "reflection":
        p = reflected(p, 0, size - 1) if align else reflected(p, -0.5, size - 0.5)
    return min(max(p, 0), size - 1) if padding != "zeros" else p


def taps(g, size, mode, padding, align):
    p = (g + 1) / 2 * (size - 1) if align else ((g + 1) * size - 1) / 2
    if mode != "bicubic":
        p = moved(p, size, padding, align)
    if mode == "nearest":
        return [(int(np.round(p)), 1.0)]
    base = int(np.floor(p))
    if mode == "bilinear":
        return [(base, 1 - (p - base)), (base + 1, p - base)]
    return [(int(moved(i, size, padding, align)), cubic(p - i)) for i in range(base - 1, base + 3)]


def reference(x, grid, mode, padding, align):
    n, h, w, c = x.shape
    y = np.zeros((n, *grid.shape[1:3], c))
    for b, i, j in np.ndindex(y.shape[:3]):
        down = taps(grid[b, i, j, 1], h, mode, padding, align)
        across = taps(grid[b, i, j, 0], w, mode, padding, align)
        for (r, a), (q, e) in itertools.product(down, across):
            if 0 <= r < h and 0 <= q < w:
                y[b, i, j] += a * e * x[b, r, q]
    return y


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [False, True])
def test_modes(mode, padding, align):
    check_op(
        lambda x, grid: lm.ops.grid_sample(x, grid, mode, padding, align),
        [random.normal(size=(2, 5, 3, 3)), GRID],
        lambda x, grid: reference(x, grid, mode, padding, align),
        batched=(0, 1),
        layouts=padding == "zeros",
        tolerance={np.float32: 2e-5},
    )


def test_channels_and_single_pixels():
    for shape in ((2, 1, 6, 37), (2, 4, 1, 1)):
        for padding in ("zeros", "border", "reflection"):
            check_op(
                lambda x, grid, p=padding: lm.ops.grid_sample(x, grid, padding_mode=p),
                [random.normal(size=shape), GRID],
                lambda x, grid, p=padding: reference(x, grid, "bilinear", p, False),
                batched=(0, 1),
                layouts=False,
                tolerance={np.float32: 2e-5},
            )


def test_large():
    x = random.normal(size=(1, 60, 50, 5)).astype(np.float32)
    grid = random.uniform(-1.1, 1.1, (1, 90, 80, 2)).astype(np.float32)
    for mode in ("bilinear", "nearest", "bicubic"):
        check_same_bits(lambda x, grid, mode=mode: lm.ops.grid_sample(x, grid, mode), [x, grid])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_strange_places(value):
    x = np.ones((1, 3, 4, 2), np.float32)
    grid = np.full((1, 1, 1, 2), value, np.float32)
    for mode, padding, align in itertools.product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)
    ):
        a, g = lm.tensor(x, requires_grad=True), lm.tensor(grid, requires_grad=True)
        y = lm.ops.grid_sample(a, g, mode, padding, align)
        expected = 0 if padding == "zeros" else 1
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)
        y.backward(np.ones_like(y.numpy()))
        assert np.isfinite(a.grad.numpy()).all()
        assert np.isfinite(g.grad.numpy()).all()


def test_the_grid_of_the_identity_gives_the_image():
    x = random.normal(size=(2, 4, 6, 3))
    theta = np.broadcast_to(np.eye(2, 3), (2, 2, 3))
    for align in (False, True):
        y = lm.ops.grid_sample(x, lm.ops.affine_grid(theta, x.shape, align), align_corners=align)
        np.testing.assert_allclose(y.numpy(), x, atol=1e-12)


@pytest.mark.parametrize("align", [False, True])
def test_affine_grid(align):
    def expected(theta):
        i, j = np.arange(4), np.arange(5)
        down, across = (i / 1.5 - 1, j / 2 - 1) if align else ((2 * i + 1) / 4 - 1, (2 * j + 1) / 5 - 1)
        place = np.stack(np.broadcast_arrays(across[None, :], down[:, None], 1.0), -1)
        return np.einsum("ijk,nak->nija", place, theta)

    theta = random.normal(size=(3, 2, 3))
    check_op(lambda t: lm.ops.affine_grid(t, (4, 5), align), [theta], expected)


X, G = np.zeros((2, 4, 4, 1)), np.zeros((2, 1, 1, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.grid_sample(X[0], G), ValueError, r"grid_sample: x must have shape \(N, H, W, C\)"),
        (lambda: lm.ops.grid_sample(X[:, :0], G), ValueError, "grid_sample: x must have shape"),
        (
            lambda: lm.ops.grid_sample(X, G[:1]),
            ValueError,
            r"grid_sample: grid must have shape \(2, rows, columns, 2\)",
        ),
        (lambda: lm.ops.grid_sample(X, G[..., :1]), ValueError, "grid_sample: grid must have shape"),
        (lambda: lm.ops.grid_sample(X, G, "linear"), ValueError, "grid_sample: mode must be one of"),
        (lambda: lm.ops.grid_sample(X, G, padding_mode="edge"), ValueError, "grid_sample: padding_mode must be one of"),
        (lambda: lm.ops.grid_sample(X, G.astype("f4")), TypeError, "grid_sample: grid must have the dtype of x"),
        (lambda: lm.ops.affine_grid(X, (4, 4)), ValueError, r"affine_grid: theta must have shape \(N, 2, 3\)"),
        (lambda: lm.ops.affine_grid(np.zeros((2, 2, 3)), (4, 0)), ValueError, "affine_grid: size must be"),
        (lambda: lm.ops.affine_grid(np.zeros((2, 2, 3)), (3, 4, 4, 1)), ValueError, "affine_grid: size must be"),
        (lambda: lm.ops.affine_grid(np.zeros((2, 2, 3)), (4, 1.5)), TypeError, "affine_grid: size must be integers"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
