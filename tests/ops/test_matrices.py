import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X = random.normal(size=(3, 4, 5))


@pytest.mark.parametrize("k", [-5, -1, 0, 2, 9])
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_triangles(name, k):
    check_op(lambda x: getattr(lm.ops, name)(x, k), [X], lambda x: getattr(np, name)(x, k))


def test_what_is_left_out_may_be_nan():
    x = np.array([[1.0, np.nan], [np.inf, 2.0]])
    assert lm.ops.tril(lm.ops.triu(x)).numpy().tolist() == [[1, 0], [0, 2]]
    assert lm.ops.tril([[1, 2], [3, 4]]).numpy().tolist() == [[1, 0], [3, 4]]


@pytest.mark.parametrize("offset", [-2, 0, 1, 7])
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 0), (-1, -2)])
def test_diagonals(offset, axes):
    batch_axis = 0 if set(axes) in ({1, 2}, {-1, -2}) else None
    check_op(
        lambda x: lm.ops.diagonal(x, offset, *axes),
        [X],
        lambda x: np.diagonal(x, offset, *axes),
        batch_axis=batch_axis,
    )
    check_op(lambda x: lm.ops.trace(x, offset, *axes), [X], lambda x: np.trace(x, offset, *axes), batch_axis=batch_axis)


@pytest.mark.parametrize("k", [-2, 0, 1])
def test_diag(k):
    for x in (X[0, 0], X[0]):
        check_op(lambda x: lm.ops.diag(x, k), [x], lambda x: np.diag(x, k), batch_axis=None)


def test_errors():
    for name in ("tril", "triu", "diagonal", "trace"):
        what = "diagonal" if name == "trace" else name
        with pytest.raises(ValueError, match=rf"{what}: x must have shape \(\.\.\., m, n\), got \(3,\)"):
            getattr(lm.ops, name)(np.zeros(3))
    with pytest.raises(ValueError, match="diagonal: axis1 and axis2 must differ, got 0 and -3"):
        lm.ops.diagonal(X, 0, 0, -3)
    with pytest.raises(ValueError, match=r"diag: x must have shape \(n,\) or \(m, n\), got \(3, 4, 5\)"):
        lm.ops.diag(X)


@pytest.mark.parametrize("name", ["tril", "triu", "diagonal", "diag"])
def test_diagonals_are_whole_numbers(name):
    with pytest.raises(TypeError, match=rf"{name}: (k|offset) must be an integer, got 1\.5"):
        getattr(lm.ops, name)(np.ones((3, 3)), 1.5)
