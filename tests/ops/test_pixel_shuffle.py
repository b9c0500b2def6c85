import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)


def shuffled(x, r, order):
    n, h, w, c = x.shape
    y = np.zeros((n, h * r, w * r, c // r**2))
    for i, j, k in np.ndindex(r, r, c // r**2):
        y[:, i::r, j::r, k] = x[..., order(i, j, k, r, c // r**2)]
    return y


def torch_order(i, j, k, r, channels):
    return (k * r + i) * r + j


def keras_order(i, j, k, r, channels):
    return (i * r + j) * channels + k


@pytest.mark.parametrize(
    ("there", "back", "order"),
    [
        (lm.ops.pixel_shuffle, lm.ops.pixel_unshuffle, torch_order),
        (lm.ops.depth_to_space, lm.ops.space_to_depth, keras_order),
    ],
)
@pytest.mark.parametrize("r", [1, 2, 3])
def test_there_and_back(there, back, order, r):
    x = random.normal(size=(3, 2, 4, 36))
    check_op(lambda x: there(x, r), [x], lambda x: shuffled(x, r, order))
    check_op(lambda x: back(there(x, r), r), [x], lambda x: x)
    np.testing.assert_array_equal(back(there(x, r), r).numpy(), x)


X = np.zeros((1, 4, 4, 8))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: lm.ops.pixel_shuffle(X, 3),
            ValueError,
            "pixel_shuffle: 8 channels cannot be cut into blocks of 3 x 3",
        ),
        (lambda: lm.ops.pixel_shuffle(X, 0), ValueError, "pixel_shuffle: upscale_factor must be at least 1, got 0"),
        (lambda: lm.ops.pixel_shuffle(X, 1.5), TypeError, "pixel_shuffle: upscale_factor must be an integer"),
        (lambda: lm.ops.pixel_shuffle(X[0], 2), ValueError, r"pixel_shuffle: x must have shape \(N, H, W, C\)"),
        (lambda: lm.ops.pixel_unshuffle(X, 3), ValueError, "pixel_unshuffle: 4 x 4 pixels cannot be cut into blocks"),
        (lambda: lm.ops.depth_to_space(X, -1), ValueError, "depth_to_space: block_size must be at least 1"),
        (lambda: lm.ops.space_to_depth(X, 3), ValueError, "space_to_depth: 4 x 4 pixels"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
