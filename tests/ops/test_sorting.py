import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X = random.normal(size=(5, 4, 7))


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sort(axis):
    batch_axis = 0 if axis in (1, -1) else None
    check_op(lambda x: lm.ops.sort(x, axis), [X], lambda x: np.sort(x, axis), batch_axis=batch_axis)
    check_op(
        lambda x: lm.ops.argsort(x, axis),
        [X.round()],
        lambda x: np.argsort(x, axis, kind="stable"),
        batch_axis=batch_axis,
        gradients=False,
    )


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("largest_first", [True, False])
def test_top_k(k, largest_first):
    def reference(x):
        places = np.argsort(-x, -1, kind="stable")[..., :k]
        places = places if largest_first else np.sort(places, -1)
        return np.take_along_axis(x, places, -1), places

    check_op(lambda x: lm.ops.top_k(x, k, largest_first), [X], reference)


def test_equal_values_and_nan():
    values, places = lm.ops.top_k([2.0, 5.0, np.nan, 5.0, 1.0], 3)
    np.testing.assert_array_equal(values.numpy(), [np.nan, 5, 5])
    assert places.numpy().tolist() == [2, 1, 3]
    assert lm.ops.argsort([np.nan, 1.0, 1.0]).numpy().tolist() == [1, 2, 0]
    x = lm.tensor([1.0, 2.0, 2.0], requires_grad=True)
    lm.ops.top_k(x, 1)[0].sum().backward()
    assert x.grad.numpy().tolist() == [0, 1, 0]


def test_unique():
    values, inverse, counts = lm.ops.unique(np.array([[3, 1], [3, 2]]), True, True)
    assert values.numpy().tolist() == [1, 2, 3]
    assert inverse.numpy().tolist() == [[2, 0], [2, 1]]
    assert counts.numpy().tolist() == [1, 1, 2]
    assert lm.ops.unique([2.0, 2.0]).numpy().tolist() == [2]


def test_searchsorted():
    sequence, values = np.sort(random.integers(0, 9, 20)).astype(float), random.integers(-1, 10, (3, 4)).astype(float)
    for side in ("left", "right"):
        y = lm.ops.searchsorted(sequence, values, side)
        np.testing.assert_array_equal(y.numpy(), np.searchsorted(sequence, values, side))
    with pytest.raises(ValueError, match='searchsorted: side must be "left" or "right", got \'middle\''):
        lm.ops.searchsorted([1.0], [1.0], "middle")
    with pytest.raises(ValueError, match="searchsorted: sorted_sequence must increase, got a smaller value at 2"):
        lm.ops.searchsorted([1.0, 3.0, 2.0], [1.0])
    with pytest.raises(ValueError, match=r"searchsorted: sorted_sequence must have shape \(n,\), got \(1, 1\)"):
        lm.ops.searchsorted([[1.0]], [1.0])


def test_bincount():
    x, weights = random.integers(0, 9, 50), random.normal(size=50)
    np.testing.assert_array_equal(lm.ops.bincount(x).numpy(), np.bincount(x))
    np.testing.assert_array_equal(lm.ops.bincount(x, weights, 20).numpy(), np.bincount(x, weights, 20))
    assert lm.ops.bincount(x, weights.astype(np.float32)).dtype == np.float32
    assert lm.ops.bincount([], minlength=2).numpy().tolist() == [0, 0]
    with pytest.raises(ValueError, match="bincount: x must be at least 0, got -2 at 1"):
        lm.ops.bincount([0, -2])
    with pytest.raises(TypeError, match="bincount: x must be integers, got float32"):
        lm.ops.bincount([0.5])
    with pytest.raises(ValueError, match=r"bincount: weights must have shape \(2,\), got \(1,\)"):
        lm.ops.bincount([0, 1], [1.0])
    with pytest.raises(ValueError, match="bincount: x must have shape"):
        lm.ops.bincount([[0, 1]])
    with pytest.raises(ValueError, match="bincount: minlength must be at least 0, got -1"):
        lm.ops.bincount([0], minlength=-1)


def test_histogram():
    for bounds in (None, (-1.0, 1.0)):
        counts, edges = lm.ops.histogram(X, 6, bounds)
        expected = np.histogram(X, 6, bounds)
        np.testing.assert_array_equal(counts.numpy(), expected[0])
        np.testing.assert_array_equal(edges.numpy(), expected[1])
    with pytest.raises(ValueError, match="histogram: bins must be at least 1, got 0"):
        lm.ops.histogram(X, 0)
    with pytest.raises(TypeError, match=r"histogram: bins must be an integer, got 1\.5"):
        lm.ops.histogram(X, 1.5)
    with pytest.raises(ValueError, match="histogram: range must be"):
        lm.ops.histogram(X, 3, (1, 1))
    with pytest.raises(ValueError, match="histogram: x has NaN or infinities; give a range"):
        lm.ops.histogram([np.nan])


def test_errors():
    for name in ("sort", "argsort"):
        with pytest.raises(ValueError, match=f"{name}: axis 3 is out of range for 3 dimensions"):
            getattr(lm.ops, name)(X, 3)
    for k in (0, 8):
        with pytest.raises(ValueError, match=f"top_k: k must be from 1 to the length of the last axis, got {k}"):
            lm.ops.top_k(X, k)
    with pytest.raises(TypeError, match=r"top_k: k must be an integer, got 1\.5"):
        lm.ops.top_k(X, 1.5)
