import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X = random.normal(size=(3, 6, 7, 4))
CASES = [
    {"kernel_size": 1},
    {"kernel_size": (3, 2)},
    {"kernel_size": (2, 3), "stride": (3, 2), "padding": (0, 1)},
    {"kernel_size": 3, "dilation": (2, 3), "padding": (2, 0)},
    {"kernel_size": 2, "stride": 9, "padding": 5},
]


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    def two(v):
        return v if isinstance(v, tuple) else (v, v)

    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(two, (kernel_size, dilation, padding, stride))
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    rows = range(0, x.shape[1] - (kh - 1) * dh, sh)
    columns = range(0, x.shape[2] - (kw - 1) * dw, sw)
    windows = [
        x[:, r : r + (kh - 1) * dh + 1 : dh, c : c + (kw - 1) * dw + 1 : dw].reshape(len(x), -1)
        for r in rows
        for c in columns
    ]
    return np.stack(windows, 1)


@pytest.mark.parametrize("arguments", CASES)
def test_unfold(arguments):
    check_op(lambda x: lm.ops.unfold(x, **arguments), [X], lambda x: unfold(x, **arguments))


@pytest.mark.parametrize("arguments", CASES)
def test_fold_is_the_transpose(arguments):
    shape = unfold(X, **arguments).shape

    def reference(y):
        basis = np.eye(6 * 7 * 4).reshape(-1, 6, 7, 4)
        return (y.reshape(len(y), -1) @ unfold(basis, **arguments).reshape(len(basis), -1).T).reshape(-1, 6, 7, 4)

    check_op(lambda y: lm.ops.fold(y, (6, 7), **arguments), [random.normal(size=shape)], reference)


def test_patches():
    check_op(lambda x: lm.ops.extract_patches(x, 2), [X], lambda x: unfold(x, 2, stride=2).reshape(-1, 3, 3, 16))
    check_op(
        lambda x: lm.ops.extract_patches(x, 3, 2, padding="same"),
        [X],
        lambda x: unfold(np.pad(x, ((0, 0), (0, 1), (1, 1), (0, 0))), 3, stride=2).reshape(-1, 3, 4, 36),
    )
    np.testing.assert_array_equal(lm.ops.extract_patches(X[0], 2).numpy(), lm.ops.extract_patches(X, 2).numpy()[0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.unfold(X[0], 2), ValueError, r"unfold: x must have shape \(N, H, W, C\)"),
        (
            lambda: lm.ops.unfold(X, 8),
            ValueError,
            "unfold: the window reaches over 8 pixels, but the padded image has 6",
        ),
        (lambda: lm.ops.unfold(X, 0), ValueError, "unfold: kernel_size must be at least 1"),
        (lambda: lm.ops.unfold(X, 2, stride=0), ValueError, "unfold: stride must be at least 1"),
        (lambda: lm.ops.unfold(X, 2, dilation=0), ValueError, "unfold: dilation must be at least 1"),
        (lambda: lm.ops.unfold(X, 2, padding=-1), ValueError, "unfold: padding must be at least 0"),
        (lambda: lm.ops.unfold(X, 1.5), TypeError, "unfold: kernel_size must be an integer"),
        (lambda: lm.ops.unfold(X, 2, padding=2**31), ValueError, r"unfold: sizes must be below 2\^31"),
        (lambda: lm.ops.fold(X[0], (6, 7), 2), ValueError, r"fold: x must have shape \(N, 30, 4 \* C\)"),
        (lambda: lm.ops.extract_patches(X, 2, padding="full"), ValueError, 'padding must be "valid" or "same"'),
        (lambda: lm.ops.extract_patches(X, 9), ValueError, "extract_patches: the window reaches over 9 pixels"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
