import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits
from ops.pooling_reference import apart, largest, mean


@pytest.mark.parametrize("shape", [(3, 7, 5), (2, 5, 6, 17), (2, 30, 31, 3), (3, 3, 4, 2, 16)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("op", "function"), [(lm.ops.global_avg_pool, mean), (lm.ops.global_max_pool, largest)])
def test_global_pool(shape, keepdims, op, function):
    ones = (1,) * (len(shape) - 2) if keepdims else ()

    def reference(x):
        return function(x).reshape(x.shape[0], *ones, x.shape[-1])

    x = apart(shape)
    check_op(lambda x: op(x, keepdims), [x], reference, layouts=x.size < 500, tolerance={np.float32: 3e-5})


@pytest.mark.parametrize("op", [lm.ops.global_avg_pool, lm.ops.global_max_pool])
def test_threads_and_errors(op):
    check_same_bits(op, [apart((5, 40, 41, 24)).astype(np.float32)])
    for shape in [(2, 3), (2, 1, 1, 1, 1, 1)]:
        with pytest.raises(ValueError, match=f"{op.__name__}: x must have shape"):
            op(np.zeros(shape))
    with pytest.raises(ValueError, match=rf"{op.__name__}: .* of at least 1, got \(2, 0, 3\)"):
        op(np.zeros((2, 0, 3)))
    assert np.isnan(op([[[np.nan], [1.0]]]).numpy()).all()
