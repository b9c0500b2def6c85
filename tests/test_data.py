"""Data sets and splits."""

import builtins

import numpy as np
import pytest

import lamina as lm


def test_digits():
    (x, y), (x_test, y_test) = lm.data.digits()
    assert x.shape == (1438, 8, 8, 1)
    assert x_test.shape == (359, 8, 8, 1)
    assert x.dtype == np.float32
    assert x.min() == 0
    assert x.max() == 1
    assert sorted(set(y_test)) == list(range(10))
    assert np.bincount(np.concatenate([y, y_test])).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_say_what_is_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "lamina\[demo\]"'):
        lm.data.digits()


def test_split():
    a, b = np.arange(10), np.arange(20).reshape(10, 2)
    (a1, a2), (b1, b2) = lm.data.split(a, b, test=0.3, seed=1)
    assert len(a2) == 3
    assert sorted([*a1, *a2]) == list(range(10))
    np.testing.assert_array_equal(b1[:, 0], 2 * a1)
    np.testing.assert_array_equal(b2[:, 0], 2 * a2)
    np.testing.assert_array_equal(lm.data.split(a, test=0.3, seed=1)[0][1], a2)
    assert lm.data.split(a, test=0.3, shuffle=False)[0][1].tolist() == [7, 8, 9]


@pytest.mark.parametrize("call", [
    lambda: lm.data.split(np.ones(3), np.ones(4)), lambda: lm.data.split(np.ones(3), test=0),
    lambda: lm.data.split(np.ones(3), test=1.0), lambda: lm.data.split(),
])  # fmt: skip
def test_split_refuses(call):
    with pytest.raises(ValueError):
        call()
