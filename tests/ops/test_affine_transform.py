import itertools

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
# Nothing falls on whole or half pixels: there the slopes jump.
TURN = np.array(
    [[0.8312, -0.4127, 1.1331, 0.3719, 1.0943, -2.2171, 0, 0], [1.1127, 0.2231, -1.3713, -0.3079, 0.9177, 1.7391, 0, 0]]
)


def place(i, size, mode):
    if 0 <= i < size:
        return i
    if mode == "constant":
        return None
    if mode == "nearest":
        return min(max(i, 0), size - 1)
    if mode == "wrap":
        return i % size
    row = list(range(size))
    around = row + (row[-2:0:-1] if mode == "mirror" else row[::-1])
    return around[i % len(around)]


def reference(x, transform, interpolation, mode, fill):
    h, w = x.shape[1:3]
    y = np.zeros_like(x)
    for b, i, j in np.ndindex(x.shape[:3]):
        a0, a1, a2, b0, b1, b2 = transform[b][:6]
        across, down = a0 * j + a1 * i + a2, b0 * j + b1 * i + b2
        if interpolation == "nearest":
            pairs = [[(int(np.round(p)), 1.0)] for p in (down, across)]
        else:
            pairs = []
            for p in (down, across):
                base = int(np.floor(p))
                pairs.append([(base, 1 - (p - base)), (base + 1, p - base)])
        for (r, u), (q, v) in itertools.product(*pairs):
            r, q = place(r, h, mode), place(q, w, mode)
            y[b, i, j] += u * v * (fill if r is None or q is None else x[b, r, q])
    return y


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
def test_modes(interpolation, mode):
    check_op(
        lambda x, t: lm.ops.affine_transform(x, lm.ops.pad(t, ((0, 0), (0, 2))), interpolation, mode, 0.5),
        [random.normal(size=(2, 5, 4, 3)), TURN[:, :6]],
        lambda x, t: reference(x, t, interpolation, mode, 0.5),
        batched=(0, 1),
        layouts=mode == "wrap",
        tolerance={np.float32: 2e-5},
    )


def test_one_image_and_one_transform():
    x = random.normal(size=(2, 5, 4, 3))
    both = lm.ops.affine_transform(x, TURN[0]).numpy()
    np.testing.assert_array_equal(both[1], lm.ops.affine_transform(x[1], TURN[0]).numpy())
    np.testing.assert_array_equal(both, lm.ops.affine_transform(x, TURN[:1]).numpy())


X = np.zeros((3, 4, 4, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lm.ops.affine_transform(X[0, 0], TURN[0]), r"affine_transform: images must have shape"),
        (lambda: lm.ops.affine_transform(X, TURN[0, :6]), r"affine_transform: transform must have shape \(N, 8\)"),
        (lambda: lm.ops.affine_transform(X, TURN), "affine_transform: 3 images need as many transforms, got 2"),
        (lambda: lm.ops.affine_transform(X, np.ones(8)), "the last two numbers of a transform must be 0"),
        (lambda: lm.ops.affine_transform(X, TURN[0], "bicubic"), "affine_transform: interpolation must be"),
        (lambda: lm.ops.affine_transform(X, TURN[0], fill_mode="zeros"), "affine_transform: fill_mode must be one of"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
