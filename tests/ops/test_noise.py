import numpy as np
import pytest

import lamina as lm
from op_testing import check_empty_batch, check_gradients, check_layouts, check_same_bits

X = np.random.default_rng(0).normal(size=(40, 30, 100)).astype(np.float32)
OPS = [
    lambda x: lm.ops.gaussian_noise(x, 0.3, 1, 2),
    lambda x: lm.ops.gaussian_dropout(x, 0.3, 1, 2),
    lambda x: lm.ops.alpha_dropout(x, 0.3, 1, 2),
    lambda x: lm.ops.alpha_dropout(x, 0.3, 1, 2, noise_shape=(None, 1, None)),
    lambda x: lm.ops.dropout(x, 0.3, 1, 2, noise_shape=(None, 1, None)),
]


@pytest.mark.parametrize("op", OPS)
def test_promises(op):
    check_same_bits(op, [X])
    check_same_bits(op, [X.astype(np.float64)])
    few = X[:3, :4, :5].astype(np.float64)
    check_layouts(op, [few])
    check_gradients(op, [few])
    check_empty_batch(op, [few])
    for dtype in (np.float32, np.float64):
        assert op(X.astype(dtype)).dtype == dtype


@pytest.mark.parametrize("op", OPS)
def test_first_rows_do_not_depend_on_the_batch(op):
    np.testing.assert_array_equal(op(X[:3]).numpy(), op(X).numpy()[:3])


def test_statistics():
    zeros, ones = np.zeros(10**6), np.ones(10**6)
    noise = lm.ops.gaussian_noise(zeros, 0.5, 3, 4).numpy()
    assert abs(noise.mean()) < 0.002
    assert abs(noise.std() - 0.5) < 0.002
    factor = lm.ops.gaussian_dropout(ones, 0.2, 3, 4).numpy()
    assert abs(factor.mean() - 1) < 0.002
    assert abs(factor.std() - 0.5) < 0.002
    x = np.random.default_rng(1).normal(size=10**6)
    y = lm.ops.alpha_dropout(x, 0.2, 3, 4).numpy()
    assert abs(y.mean()) < 0.01
    assert abs(y.std() - 1) < 0.01


def test_masks_of_another_shape():
    y = lm.ops.dropout(np.ones((50, 7, 9)), 0.5, 1, 2, noise_shape=(None, 1, 9)).numpy()
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 2.0}
    assert len({tuple(row) for row in y[:, 0]}) > 40
    a = lm.ops.alpha_dropout(np.ones((50, 7, 9)), 0.5, 1, 2, noise_shape=(1, None, 1)).numpy()
    assert (a == a[:1, :, :1]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lm.ops.gaussian_noise(X, -1, 1, 2), "gaussian_noise: stddev must be finite and not negative, got -1"),
        (lambda: lm.ops.gaussian_noise(X, np.inf, 1, 2), "gaussian_noise: stddev must be finite"),
        (lambda: lm.ops.gaussian_dropout(X, 1, 1, 2), "gaussian_dropout: rate must be at least 0 and below 1, got 1"),
        (lambda: lm.ops.alpha_dropout(X, 1.5, 1, 2), "alpha_dropout: rate must be at least 0 and below 1, got 1.5"),
        (lambda: lm.ops.alpha_dropout(X, np.nan, 1, 2), "alpha_dropout: rate must be at least 0"),
        (lambda: lm.ops.dropout(X, 0.5, 1, 2, noise_shape=(1, 2, 1)), "dropout: noise_shape must have 1, None or"),
        (lambda: lm.ops.alpha_dropout(X, 0.5, 1, 2, noise_shape=(1, 1)), "alpha_dropout: noise_shape must have 1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("rate", ["0.5", None, [0.5]])
@pytest.mark.parametrize("op", [lm.ops.gaussian_dropout, lm.ops.alpha_dropout])
def test_rates_that_are_no_numbers(op, rate):
    with pytest.raises(TypeError, match=f"{op.__name__}: rate must be a number, got"):
        op(X, rate, 1, 2)
