import numpy as np
import pytest

import lamina as lm
from op_testing import check_op


def reference(x, axis=-1):
    """By bisection for tau: another way than the op's."""
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(80):
        middle = (low + high) / 2
        more = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.maximum(x - high, 0)


@pytest.mark.parametrize(("shape", "axis"), [((5, 9), -1), ((4, 6, 7), 1), ((3, 1), -1), ((2, 700), 1)])
def test_sparsemax(shape, axis):
    x = np.random.default_rng(0).normal(size=shape)
    check_op(lambda x: lm.ops.sparsemax(x, axis), [x], lambda x: reference(x, axis), layouts=x.size < 100)


def test_special_values():
    np.testing.assert_array_equal(lm.ops.sparsemax([[2.0, 2.0, 1.0]]).numpy(), [[0.5, 0.5, 0]])
    assert np.isnan(lm.ops.sparsemax([[np.nan, 1.0]]).numpy()).all()


def test_errors():
    with pytest.raises(ValueError, match="sparsemax: axis 2 is out of range for 2 dimensions"):
        lm.ops.sparsemax(np.zeros((3, 4)), axis=2)
    with pytest.raises(ValueError, match=r"sparsemax: axis 1 is empty, got shape \(3, 0\)"):
        lm.ops.sparsemax(np.zeros((3, 0)))
