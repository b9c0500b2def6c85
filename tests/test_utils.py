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
