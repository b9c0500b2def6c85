import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X = random.integers(-2, 3, (4, 3, 5)).astype(float)


@pytest.mark.parametrize("name", ["any", "all", "count_nonzero"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (1, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_over_axes(name, axis, keepdims):
    check_op(
        lambda x: getattr(lm.ops, name)(x, axis, keepdims),
        [X],
        lambda x: np.asarray(getattr(np, name)(x, axis=axis, keepdims=keepdims)),
        batch_axis=0 if axis in (-1, (1, 2), ()) else None,
        gradients=False,
    )


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_places(name, axis, keepdims):
    check_op(
        lambda x: getattr(lm.ops, name)(x, axis, keepdims),
        [X],
        lambda x: np.asarray(getattr(np, name)(x, axis=axis, keepdims=keepdims)),
        batch_axis=0 if axis in (1, -1) else None,
        gradients=False,
    )


def test_the_first_place_and_nan():
    assert lm.ops.argmax([1.0, 3.0, 3.0]).item() == 1
    assert lm.ops.argmin([1.0, 0.0, 0.0]).item() == 1
    assert lm.ops.argmax([1.0, np.nan, 3.0, np.nan]).item() == 1
    assert lm.ops.argmin([1.0, np.nan, 3.0]).item() == 1
    assert lm.ops.argmax([1, 2], 0).dtype == np.int64


@pytest.mark.parametrize("name", ["any", "all", "count_nonzero", "argmax", "argmin"])
def test_errors(name):
    op = getattr(lm.ops, name)
    with pytest.raises(ValueError, match=f"{name}: axis 3 is out of range for 3 dimensions"):
        op(X, 3)
    with pytest.raises(TypeError, match=f"{name}: axis must be "):
        op(X, 1.5)
    if name.startswith("arg"):
        with pytest.raises(ValueError, match=rf"{name}: nothing to choose from over axes \(0,\) of shape \(0, 3\)"):
            op(np.zeros((0, 3)), 0)
        assert op(np.zeros((3, 0)), 0).shape == (0,)
        assert op(np.zeros((3, 0)), 0, True).shape == (1, 0)
