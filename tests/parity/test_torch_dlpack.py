"""Tensors over PyTorch's memory, and the way back."""

from __future__ import annotations

import pytest

import lamina as lm

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_memory_is_shared(dtype):
    there = torch.arange(4, dtype=dtype).reshape(2, 2)
    x = lm.from_dlpack(there)
    there[0, 0] = 9
    assert x.numpy().tolist() == [[9, 1], [2, 3]]
    back = torch.from_dlpack(x)
    assert back.dtype == dtype
    back[1, 1] = 7
    assert there.tolist() == [[9, 1], [2, 7]]


def test_results_go_back():
    x = lm.from_dlpack(torch.arange(4, dtype=torch.float64).reshape(2, 2))
    assert torch.from_dlpack(x * 2).tolist() == [[0.0, 2.0], [4.0, 6.0]]


def test_rows_that_are_not_contiguous():
    there = torch.arange(6.0).reshape(2, 3).T
    assert lm.from_dlpack(there).numpy().tolist() == there.tolist()
