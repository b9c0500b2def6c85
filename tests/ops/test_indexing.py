import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)
X = random.normal(size=(5, 4, 3))
MASK = X[:, :, 0] > 0


@pytest.mark.parametrize(
    "key",
    [
        1,
        -1,
        slice(1, 4),
        slice(None, None, -2),
        (2, 1, 0),
        (..., 1),
        (None, slice(None), 2),
        (slice(None), None, slice(1, 3)),
        [0, 2, 0, -1],
        ([0, 0, 1], [1, 1, 2]),
        (slice(None), np.array([[0, 3], [1, 1]])),
        (np.array([1, 1]), slice(None), np.array([0, 0])),
        MASK,
        (slice(None), [True, False, True, False]),
        (X[:, 0, 0] > 0, 1),
        slice(2, 2),
        [],
        np.int64(3),
    ],
)
def test_keys(key):
    check_op(lambda x: x[key], [X], lambda x: x[key], batch_axis=None)


def test_rows():
    check_op(lambda x: x[:, [1, 1, 3], ::2], [X], lambda x: x[:, [1, 1, 3], ::2])


def test_many_repeats_have_the_same_bits():
    key = random.integers(0, 7, 20_000)
    check_same_bits(lambda x: x[key], [random.normal(size=(7, 3)).astype(np.float32)])


def test_tensors_as_keys():
    x = lm.tensor(X)
    np.testing.assert_array_equal(x[lm.tensor([2, 1])].numpy(), X[[2, 1]])
    np.testing.assert_array_equal(x[lm.tensor(MASK)].numpy(), X[MASK])


def test_a_key_changed_later_does_not_matter():
    x, key = lm.tensor(X, requires_grad=True), np.array([0, 1])
    y = x[key].sum()
    key[:] = 4
    y.backward()
    assert x.grad.numpy().any((1, 2)).tolist() == [True, True, False, False, False]


def test_iteration_and_length():
    x = lm.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2
    assert [row.numpy().tolist() for row in x] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("key", [5, -6, [0, 9], (0, 0, 0, 0), (..., ...), 1.5, np.zeros(2), "a"])
def test_errors(key):
    with pytest.raises(IndexError):
        lm.tensor(X)[key]
