import numpy as np
import pytest

import lamina as lm
from op_testing import check_op


@pytest.mark.parametrize("axis", [-1, 1])
def test_glu(axis):
    def reference(x):
        a, b = np.split(x, 2, axis)
        return a / (1 + np.exp(-b))

    check_op(lambda x: lm.ops.glu(x, axis), [np.random.default_rng(0).normal(size=(5, 4, 34))], reference)


def test_errors():
    with pytest.raises(ValueError, match=r"glu: the size of axis 1 must be even, got shape \(2, 3\)"):
        lm.ops.glu(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="glu: axis 2 is out of range"):
        lm.ops.glu(np.zeros((2, 4)), 2)
