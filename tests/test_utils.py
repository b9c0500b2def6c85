"""lamina.utils: labels as vectors, rows of length 1, the seed of everything, batches by number."""

import random

import numpy as np
import pytest

import lamina as lm


def test_to_categorical():
    y = lm.utils.to_categorical(np.array([[1], [0], [3]]))
    np.testing.assert_array_equal(y, np.eye(4)[[1, 0, 3]])
    assert lm.utils.to_categorical([[0, 1], [1, 1]], 3).shape == (2, 2, 3)
    assert lm.utils.to_categorical([], 3).shape == (0, 3)
    assert lm.utils.to_categorical(lm.tensor([1.0, 0.0])).tolist() == [[0, 1], [1, 0]]
    for wrong in ([3], [-1]):
        with pytest.raises(ValueError, match=r"to_categorical: x must be from 0 to 2, got"):
            lm.utils.to_categorical(wrong, 3)
    with pytest.raises(ValueError, match=r"whole numbers, got 0\.5"):
        lm.utils.to_categorical([0.5])
    with pytest.raises(ValueError, match="num_classes must be given"):
        lm.utils.to_categorical([])


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(lm.utils.normalize(x), [[0.6, 0.8], [0, 0]], rtol=1e-15)
    np.testing.assert_allclose(lm.utils.normalize(x, axis=0, order=1), [[1, 1], [0, 0]])
    assert lm.utils.normalize(np.array([3, 4])).dtype == np.float64


def test_set_random_seed():
    def draws():
        lm.utils.set_random_seed(3)
        return lm.random.normal((2,)).numpy().tolist(), np.random.rand(), random.random()  # noqa: NPY002

    assert draws() == draws()


def test_py_dataset():
    class Data(lm.utils.PyDataset):
        ended = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.full((4, 2), index, "float32"), np.ones((4, 1), "float32")

        def on_epoch_end(self):
            self.ended += 1

    data = Data(workers=2)
    assert data.num_batches == 3
    model = lm.Sequential([lm.Input((2,)), lm.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, epochs=2, verbose=0)
    assert data.ended == 2
    assert model.predict(data, verbose=0).shape == (12, 1)
    with pytest.raises(NotImplementedError, match="must define __len__"):
        len(lm.utils.PyDataset())


def test_short_names():
    assert lm.Input is lm.layers.Input
    assert (lm.Model, lm.Sequential) == (lm.models.Model, lm.models.Sequential)
    assert lm.callbacks.EarlyStopping is lm.models.callbacks.EarlyStopping


def test_pad_sequences():
    given = [[1], [2, 3], [4, 5, 6], []]
    for arguments, wanted in (
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]),
        ({"padding": "post", "value": -1}, [[1, -1, -1], [2, 3, -1], [4, 5, 6], [-1, -1, -1]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6], [0, 0]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5], [0, 0]]),
        ({"maxlen": 4, "padding": "post"}, [[1, 0, 0, 0], [2, 3, 0, 0], [4, 5, 6, 0], [0, 0, 0, 0]]),
        ({"maxlen": 0}, [[], [], [], []]),
    ):
        y = lm.utils.pad_sequences(given, **arguments)
        assert (y.tolist(), y.dtype) == (wanted, np.int32), arguments
    vectors = [np.ones((2, 3)), lm.tensor(np.full((1, 3), 2.5))]
    y = lm.utils.pad_sequences(vectors, dtype="float32", value=9.0)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [np.ones((2, 3)), [[9.0] * 3, [2.5] * 3]])
    assert lm.utils.pad_sequences([]).shape == (0, 0)
    assert lm.utils.pad_sequences([[True], [False, True]], dtype="bool").tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize(("given", "arguments", "error", "text"), [
    ([[1]], {"padding": "before"}, ValueError, 'padding must be "pre" or "post", got \'before\''),
    ([[1]], {"truncating": "end"}, ValueError, "truncating must be"), ([[1]], {"maxlen": -1}, ValueError, "at least 0"),
    ([[1]], {"maxlen": 1.5}, TypeError, "maxlen must be an integer, got 1.5"),
    ([[1]], {"dtype": object}, TypeError, "dtype must be of numbers"),
    ([[1], 2], {}, TypeError, "expected sequences, got 2 at 1"),
    (["ab"], {}, TypeError, "expected sequences, got 'ab'"),
    ([[1], [0.5]], {}, ValueError, "int32 has no room for 0.5"),
    ([[2**40]], {}, ValueError, "no room for 1099511627776"),
    ([[np.nan]], {}, ValueError, "no room for nan"), ([[1]], {"value": 0.5}, ValueError, "no room for 0.5"),
    ([[-1]], {"dtype": "uint8"}, ValueError, "uint8 has no room for -1"),
    ([np.ones((1, 2)), np.ones((1, 3))], {}, ValueError, r"one shape, \(2,\), got \(3,\) in sequence 1"),
])  # fmt: skip
def test_pad_sequences_refuses(given, arguments, error, text):
    with pytest.raises(error, match=f"pad_sequences: .*{text}"):
        lm.utils.pad_sequences(given, **arguments)
