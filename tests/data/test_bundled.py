"""Bundled data sets and splits."""

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


@pytest.mark.parametrize(("name", "rows", "features", "classes"), [
    ("load_iris", 150, 4, [50, 50, 50]), ("load_wine", 178, 13, [59, 71, 48]),
    ("load_breast_cancer", 569, 30, [212, 357]),
])  # fmt: skip
def test_bundled_classes(name, rows, features, classes):
    (x, y), (x_test, y_test) = getattr(lm.data, name)(test=0.2)
    assert x.shape == (rows - round(rows * 0.2), features)
    assert x_test.shape == (round(rows * 0.2), features)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert np.bincount(np.concatenate([y, y_test])).tolist() == classes
    np.testing.assert_allclose(np.bincount(y_test) / len(y_test), np.array(classes) / rows, atol=1 / len(y_test))


def test_diabetes():
    (x, y), (x_test, y_test) = lm.data.load_diabetes(seed=3)
    assert x.shape == (354, 10)
    assert (x.dtype, y.dtype) == (np.float32, np.float32)
    every = np.concatenate([y, y_test])
    assert (every.min(), every.max()) == (25, 346)
    np.testing.assert_allclose(np.sum(np.concatenate([x, x_test]) ** 2, 0), 1, rtol=1e-4)


def test_sample_images():
    pictures, names = lm.data.load_sample_images()
    assert pictures.shape == (2, 427, 640, 3)
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() < pictures.max() <= 1
    assert names == ["china.jpg", "flower.jpg"]


def test_load_digits_is_digits():
    assert lm.data.load_digits is lm.data.digits


def test_stratified_split():
    classes = np.array([0] * 50 + [1] * 30 + [2] * 7)
    (y, y_test), (rows, rows_test) = lm.data.split(classes, np.arange(87), test=0.3, stratify=classes, seed=5)
    assert np.bincount(y_test).tolist() == [15, 9, 2]
    assert sorted([*rows, *rows_test]) == list(range(87))
    np.testing.assert_array_equal(classes[rows], y)
    again = lm.data.split(classes, test=0.3, stratify=classes, seed=5)[0][1]
    np.testing.assert_array_equal(again, y_test)
    names = lm.data.split(np.arange(4), test=0.5, stratify=["a", "b", "a", "b"])[0][1]
    assert sorted(names % 2) == [0, 1]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"stratify": [0, 0, 1]}, "must have shape"), ({"stratify": [0, 0, 0, 1]}, "class 1 has a single row"),
    ({"stratify": [0, 0, 1, 1], "shuffle": False}, "needs shuffle"),
])  # fmt: skip
def test_stratified_split_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        lm.data.split(np.arange(4), test=0.5, **arguments)
