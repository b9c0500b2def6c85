"""The kernels of boxes and regions beside pages that must not be touched: see tests/test_guard_pages.py."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from test_guard_pages import guarded

__all__ = ["guarded"]  # a fixture


def boxes_of(count, extent):
    random = np.random.default_rng(count)
    corner = random.uniform(-extent / 4, extent, (count, 2))
    return np.concatenate([corner, corner + random.uniform(0, extent / 2, (count, 2))], 1)


@pytest.mark.parametrize("isa", _cpu.isas())
def test_nms_stays_inside(isa, guarded):
    lm.set_isa(isa)
    for dtype in (np.float32, np.float64):
        for count in (1, 3, 16, 33):
            boxes, scores = guarded.copy(boxes_of(count, 50).astype(dtype)), guarded.copy(np.arange(count, dtype=dtype))
            keep, starts = guarded.empty(count, np.uint8), guarded.copy(np.array([0, count // 2, count]))
            _cpu.nms(boxes, starts, keep, 0.5)
            assert keep[0] == 1
            assert lm.ops.nms(boxes, scores, labels=guarded.copy(np.arange(count) % 2)).numpy()[0] == count - 1


@pytest.mark.parametrize("isa", _cpu.isas())
@pytest.mark.parametrize("channels", [1, 3, 16, 21, 70])
def test_roi_align_stays_inside(isa, channels, guarded):
    lm.set_isa(isa)
    for dtype in (np.float32, np.float64):
        values = np.random.default_rng(channels).standard_normal((2, 5, 7, channels)).astype(dtype)
        boxes = guarded.copy(boxes_of(9, 7).astype(dtype))
        index = guarded.copy(np.arange(9) % 2)
        for size, ratio, aligned in (((7, 7), 0, False), ((1, 2), 2, True), ((14, 3), 0, True)):
            x = lm.Tensor(guarded.copy(values), requires_grad=True)
            before = guarded.count
            y = lm.ops.roi_align(x, boxes, index, size, 1.0, ratio, aligned)
            assert guarded.count > before, "the result was made elsewhere"
            y.backward(guarded.copy(np.ones(y.shape, dtype)))
            assert np.isfinite(x.grad.numpy()).all()
