import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

X = np.random.default_rng(0).normal(size=(3, 6, 7, 3))


def test_crop():
    check_op(lambda x: lm.ops.crop_images(x, 1, 2, 3, 0), [X], lambda x: x[:, 1:3, 2:])
    check_op(
        lambda x: lm.ops.crop_images(x, bottom_cropping=1, right_cropping=2, target_height=4, target_width=2),
        [X],
        lambda x: x[:, 1:5, 3:5],
    )


def test_pad():
    check_op(
        lambda x: lm.ops.pad_images(x, 1, None, None, 2, 9, 12),
        [X],
        lambda x: np.pad(x, ((0, 0), (1, 2), (3, 2), (0, 0))),
    )


def test_grey():
    check_op(lm.ops.rgb_to_grayscale, [X], lambda x: (x @ [0.2989, 0.587, 0.114])[..., None])
    np.testing.assert_array_equal(lm.ops.rgb_to_grayscale(X[..., :1]).numpy(), X[..., :1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.crop_images(X, 1, 1), ValueError, "crop_images: .* two must be given, got 1"),
        (lambda: lm.ops.crop_images(X, 4, 1, 2, 1), ValueError, "crop_images: 4 and 2 cannot be dropped at 6 pixels"),
        (lambda: lm.ops.crop_images(X, -1, 1, 2, 1), ValueError, "crop_images: -1 and 2 cannot be dropped"),
        (lambda: lm.ops.crop_images(X, 1.5, 1, 2, 1), TypeError, "crop_images: sizes must be integers"),
        (
            lambda: lm.ops.pad_images(X, 1, 1, target_height=5, target_width=9),
            ValueError,
            "pad_images: 1 and -2 cannot",
        ),
        (lambda: lm.ops.pad_images(X[0, 0], 1, 1, 1, 1), ValueError, "pad_images: images must have shape"),
        (lambda: lm.ops.rgb_to_grayscale(X[..., :2]), ValueError, "rgb_to_grayscale: images must have 3 channels"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
