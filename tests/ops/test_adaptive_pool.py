import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits
from ops.pooling_reference import OPS, adaptive_spans, apart, largest, mean, reduce_windows, several

CASES = [  # shape, output_size
    ((2, 6, 8, 5), 2),
    ((2, 7, 5, 17), 3),
    ((2, 7, 9, 5), (3, 4)),
    ((3, 5, 4, 3), (1, 4)),
    ((2, 3, 4, 3), (5, 9)),  # more than there are: places are repeated
    ((2, 13, 5), 4),
    ((5, 12, 7), 3),
    ((2, 5, 4, 7, 3), 2),
    ((2, 5, 4, 7, 16), (2, 3, 5)),
]


@pytest.mark.parametrize(("shape", "output_size"), CASES)
@pytest.mark.parametrize(("kind", "function"), [("avg", mean), ("max", largest)])
def test_adaptive_pool(shape, output_size, kind, function):
    op = getattr(lm.ops, f"adaptive_{kind}_" + OPS[len(shape)])
    spans = [adaptive_spans(n, o) for n, o in zip(shape[1:-1], several(output_size, len(shape) - 2), strict=True)]
    check_op(
        lambda x: op(x, output_size), [apart(shape)], lambda x: reduce_windows(x, spans, function), places=12,
        layouts=shape[0] == 3,
    )  # fmt: skip


@pytest.mark.parametrize(("shape", "output_size"), CASES)
def test_indices(shape, output_size):
    x = apart(shape)
    y, indices = getattr(lm.ops, "adaptive_max_" + OPS[len(shape)])(x, output_size, return_indices=True)
    flat = x.reshape(shape[0], -1, shape[-1])
    taken = np.take_along_axis(flat, indices.numpy().reshape(shape[0], -1, shape[-1]), 1)
    np.testing.assert_array_equal(taken.reshape(y.shape), y.numpy())


def test_threads():
    x = apart((3, 33, 40, 24)).astype(np.float32)
    check_same_bits(lambda x: lm.ops.adaptive_avg_pool2d(x, 7), [x])
    check_same_bits(lambda x: lm.ops.adaptive_max_pool2d(x, 7), [x])


def test_none_keeps_an_axis():
    assert lm.ops.adaptive_avg_pool2d(np.zeros((1, 5, 6, 2)), (None, 2)).shape == (1, 5, 2, 2)


@pytest.mark.parametrize("op", [lm.ops.adaptive_avg_pool2d, lm.ops.adaptive_max_pool2d])
def test_errors(op):
    x = np.zeros((1, 4, 4, 1))
    with pytest.raises(ValueError, match=f"{op.__name__}: output_size must be at least 1, got 0"):
        op(x, 0)
    with pytest.raises(ValueError, match=f"{op.__name__}: output_size must be an integer or a pair"):
        op(x, (1, 2, 3))
    with pytest.raises(ValueError, match=rf"{op.__name__}: x must have shape \(N, H, W, C\), got \(4, 4, 1\)"):
        op(x[0], 2)
    with pytest.raises(ValueError, match=f"{op.__name__}: output_size is too large"):
        op(x, 2**31)
    with pytest.raises(TypeError, match=f"{op.__name__}: output_size must be an integer"):
        op(x, 2.0)
