import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)


def weights(distance, mode, a):
    if mode == "bilinear":
        return max(0.0, 1 - distance)
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a if distance < 2 else 0.0


def matrix(inputs, outputs, mode, antialias, align_corners):
    """The map of one axis, as PyTorch documents and computes it."""
    m = np.zeros((outputs, inputs))
    for j in range(outputs):
        if align_corners:
            scale = (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
            place = scale * j
        else:
            scale = inputs / outputs
            place = scale * (j + 0.5) - 0.5
        if mode == "nearest":
            m[j, int((j + 0.5) * inputs / outputs)] = 1
        elif mode == "nearest_floor":
            m[j, j * inputs // outputs] = 1
        elif mode == "area":
            first, last = j * inputs // outputs, -(-(j + 1) * inputs // outputs)
            m[j, first:last] = 1 / (last - first)
        elif antialias:
            wide, centre = max(scale, 1.0), scale * (j + 0.5)
            reach = wide * (1 if mode == "bilinear" else 2)
            first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), inputs)
            for i in range(first, last):
                m[j, i] = weights(abs(i - centre + 0.5) / wide, mode, -0.5)
            m[j] /= m[j].sum()
        else:
            if mode == "bilinear":
                place = max(place, 0.0)
            base = int(np.floor(place))
            for i in range(base - 1, base + 3):
                m[j, min(max(i, 0), inputs - 1)] += weights(abs(place - i), mode, -0.75)
    return m


def reference(x, size, mode, antialias=False, align_corners=False):
    h = matrix(x.shape[1], size[0], mode, antialias, align_corners)
    w = matrix(x.shape[2], size[1], mode, antialias, align_corners)
    return np.einsum("ai,bj,nijc->nabc", h, w, x)


@pytest.mark.parametrize("mode", ["nearest", "nearest_floor", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize(("shape", "size"), [((3, 4, 5, 3), (7, 11)), ((2, 9, 8, 19), (4, 8)), ((2, 1, 6, 1), (1, 3))])
def test_modes(mode, shape, size):
    check_op(lambda x: lm.ops.resize(x, size, mode), [random.normal(size=shape)], lambda x: reference(x, size, mode))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("option", ["antialias", "align_corners"])
@pytest.mark.parametrize("size", [(3, 4), (13, 1)])
def test_options(mode, option, size):
    x = random.normal(size=(2, 8, 9, 2))
    check_op(
        lambda x: lm.ops.resize(x, size, mode, **{option: True}),
        [x],
        lambda x: reference(x, size, mode, **{option: True}),
    )


@pytest.mark.parametrize("channels", [1, 3, 16, 37])
def test_large(channels):
    x = random.normal(size=(2, 70, 50, channels)).astype(np.float32)
    for mode in ("nearest", "bilinear", "bicubic"):
        check_same_bits(lambda x, mode=mode: lm.ops.resize(x, (140, 91), mode), [x])


def test_past_the_caches():
    x = random.normal(size=(2, 128, 128, 64)).astype(np.float32)
    y = lm.ops.resize(x, (256, 256), "nearest").numpy()
    np.testing.assert_array_equal(y, x.repeat(2, 1).repeat(2, 2))


def test_one_image():
    x = random.normal(size=(4, 5, 3))
    np.testing.assert_array_equal(lm.ops.resize(x, 7).numpy(), lm.ops.resize(x[None], (7, 7)).numpy()[0])
    np.testing.assert_array_equal(lm.ops.resize(x, (4, 5)).numpy(), x)


def test_infinities_stay_where_they_are():
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 3, 3] = np.inf
    y = lm.ops.resize(x, (8, 8), "nearest").numpy()
    assert np.isinf(y).sum() == 4
    assert not np.isnan(y).any()


def test_aspect_ratio():
    x = random.normal(size=(2, 6, 12, 3))
    cropped = lm.ops.resize(x, (4, 4), crop_to_aspect_ratio=True).numpy()
    np.testing.assert_array_equal(cropped, lm.ops.resize(x[:, :, 3:9], (4, 4)).numpy())
    padded = lm.ops.resize(x, (4, 4), pad_to_aspect_ratio=True, fill_value=2.0).numpy()
    around = np.pad(x, ((0, 0), (3, 3), (0, 0), (0, 0)), constant_values=2.0)
    np.testing.assert_array_equal(padded, lm.ops.resize(around, (4, 4)).numpy())


X = np.zeros((1, 4, 4, 1), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.resize(X[0, 0], 2), ValueError, r"resize: images must have shape \(N, H, W, C\)"),
        (lambda: lm.ops.resize(X[:, :0], 2), ValueError, "resize: images must have shape"),
        (lambda: lm.ops.resize(X, 0), ValueError, "resize: size must be at least 1, got 0"),
        (lambda: lm.ops.resize(X, (2, -1)), ValueError, "resize: size must be at least 1"),
        (lambda: lm.ops.resize(X, 1.5), TypeError, "resize: size must be an integer"),
        (lambda: lm.ops.resize(X, 2**40), ValueError, "resize: size is too large"),
        (lambda: lm.ops.resize(X, 2, "cubic"), ValueError, "resize: interpolation must be one of nearest"),
        (lambda: lm.ops.resize(X, 2, "nearest", align_corners=True), ValueError, "resize: align_corners goes with"),
        (lambda: lm.ops.resize(X, 2, fill_mode="edge"), ValueError, 'fill_mode must be "constant"'),
        (
            lambda: lm.ops.resize(X, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            ValueError,
            "exclude each other",
        ),
        (lambda: lm.ops.resize(X.astype(np.complex64), 2), TypeError, "expected an array of numbers"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
