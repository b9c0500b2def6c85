"""The image kernels beside pages that must not be touched: see tests/test_guard_pages.py."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from test_guard_pages import guarded

__all__ = ["guarded"]  # a fixture
GRID = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 3, 5, 2))
OPS = [
    *[
        (lambda x, size=size, mode=mode: lm.ops.resize(x, size, mode))
        for mode in ("nearest", "bilinear", "bicubic", "area")
        for size in ((13, 9), (3, 2), (1, 20))
    ],
    lambda x: lm.ops.resize(x, (3, 4), "bicubic", antialias=True),
    *[
        (lambda x, mode=mode: lm.ops.pad(x, ((0, 0), (1, 2), (3, 0), (0, 0)), mode))
        for mode in ("constant", "reflect", "edge")
    ],
    lambda x: lm.ops.pad(x, ((0, 1), (0, 0), (0, 0), (0, 3))),
    lambda x: lm.ops.concatenate([x, x], 3),
    lambda x: lm.ops.repeat(x, 3, 2),
    *[
        (lambda x, mode=mode, padding=padding: lm.ops.grid_sample(x, GRID.astype(x.dtype), mode, padding))
        for mode in ("nearest", "bilinear", "bicubic")
        for padding in ("zeros", "border", "reflection")
    ],
]


@pytest.mark.parametrize("isa", _cpu.isas())
@pytest.mark.parametrize("channels", [1, 3, 16, 21])
def test_ops_stay_inside(isa, channels, guarded):
    lm.set_isa(isa)
    for dtype in (np.float32, np.float64):
        values = np.random.default_rng(channels).standard_normal((2, 5, 7, channels)).astype(dtype)
        for op in OPS:
            x = lm.Tensor(guarded.copy(values), requires_grad=True)
            before = guarded.count
            y = op(x)
            assert guarded.count > before, "the result was made elsewhere"
            y.backward(guarded.copy(np.ones(y.shape, dtype)))
            assert np.isfinite(x.grad.numpy()).all()
