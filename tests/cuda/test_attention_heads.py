"""Attention: the CPU's bits, forward and backward, with every kind of mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernel_testing
from kernel_testing import FLOATS, check_kernel, numbers, updated, written
from lamina import _cpu

FEW = (("forward", True), ("random:1", False))


def check(
    shape: tuple[int, ...],
    dtype: Any,
    *,
    key_heads: int | None = None,
    value_size: int | None = None,
    lengths: list[int] | None = None,
    added: tuple[int, ...] | None = None,
    seen: tuple[int, ...] | None = None,
    causal: bool = False,
    dropped: int = 0,
    schedules: Any = FEW,
) -> None:
    """shape: (batch, queries, keys, heads, size); added, seen: the masks' leading axes."""
    batch, queries, keys, heads, size = shape
    key_heads, value_size = key_heads or heads, value_size or size
    q = numbers((batch, queries, heads, size), dtype, 1)
    k = numbers((batch, keys, key_heads, size), dtype, 2)
    v = numbers((batch, keys, key_heads, value_size), dtype, 3)
    given = {
        "q": q,
        "k": k,
        "v": v,
        "lengths": None if lengths is None else np.array(lengths, np.int64),
        "added": None if added is None else numbers((*added, keys), dtype, 4),
        "seen": None if seen is None else (numbers((*seen, keys), dtype, 5) < 0.5).astype(np.uint8),
    }
    settings = (causal, size**-0.5, dropped, 77, 3)
    y, lse = np.zeros((batch, queries, heads, value_size), dtype), np.zeros((batch, heads, queries), dtype)
    _cpu.attention_forward(**given, y=y, lse=lse, settings=settings)
    check_kernel(
        "attention_forward",
        **given,
        y=written(y.shape, dtype),
        lse=written(lse.shape, dtype),
        settings=settings,
        schedules=schedules,
    )
    gradients = {name: written(array.shape, dtype) for name, array in (("dq", q), ("dk", k), ("dv", v))}
    check_kernel(
        "attention_backward",
        **given,
        y=y,
        lse=lse,
        dy=numbers(y.shape, dtype, 6),
        **gradients,
        settings=settings,
        schedules=schedules,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("causal", [False, True])
def test_shapes(causal: bool, dtype: Any) -> None:
    for shape in [(2, 5, 7, 2, 8), (1, 1, 1, 1, 1), (1, 37, 35, 1, 12), (1, 9, 21, 3, 5)]:
        check(shape, dtype, causal=causal)
    check((1, 6, 19, 2, 4), dtype, causal=causal, value_size=9)


@pytest.mark.parametrize("dtype", FLOATS)
def test_several_blocks_of_keys_and_of_queries(dtype: Any) -> None:
    one = (("random:2", True),)
    check((1, 3, 530, 1, 8), dtype, schedules=one)
    check((1, 140, 150, 1, 4), dtype, causal=True, schedules=one)
    check((1, 2, 1040, 1, 4), dtype, schedules=one)


def test_long_heads() -> None:
    check((1, 3, 5, 1, 520), np.float32, value_size=70, schedules=(("forward", True),))


def test_devices_with_less_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_testing, "SHARED", 64)
    for size in (64, 256):
        check((1, 20, 24, 1, size), np.float32)


@pytest.mark.parametrize("dtype", FLOATS)
def test_heads_that_share_keys(dtype: Any) -> None:
    check((2, 5, 9, 4, 4), dtype, key_heads=2)
    check((1, 5, 9, 6, 4), dtype, key_heads=1, causal=True, dropped=20000)


@pytest.mark.parametrize("dtype", FLOATS)
def test_lengths_and_masks(dtype: Any) -> None:
    check((3, 5, 18, 2, 4), dtype, lengths=[18, 7, 0])
    check((2, 5, 18, 2, 4), dtype, added=(2, 2, 5), seen=(1, 1, 5))
    check((2, 5, 18, 2, 4), dtype, added=(1, 2, 1), lengths=[18, 3], causal=True)
    check((2, 3, 18, 2, 4), dtype, seen=(2, 1, 1), dropped=9000)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout(dtype: Any) -> None:
    for dropped in (1, 30000, 65536):
        check((1, 4, 140, 2, 4), dtype, dropped=dropped)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_with_seeds_in_device_memory(dtype: Any) -> None:
    q, k, v = (numbers((1, 4, 2, 4), dtype, seed) for seed in range(3))
    seed, stream = (np.array([value], np.uint64) for value in (2**60 + 3, 11))
    given = {"q": q, "k": k, "v": v, "lengths": None, "added": None, "seen": None}
    y, lse = np.empty_like(q), np.empty((1, 2, 4), dtype)
    plain = (False, 0.5, 30000, 2**60 + 3, 11)
    _cpu.attention_forward(**given, y=y, lse=lse, settings=plain)
    outputs = {"dq": written(q.shape, dtype), "dk": written(k.shape, dtype), "dv": written(v.shape, dtype)}
    for name, more in (
        ("attention_forward", {"y": written(y.shape, dtype), "lse": written(lse.shape, dtype)}),
        ("attention_backward", {"y": y, "lse": lse, "dy": q, **outputs}),
    ):
        check_kernel(
            name, **given, **more, settings=(False, 0.5, 30000, seed, stream),
            reference=lambda *, name=name, **a: getattr(_cpu, name)(**a | {"settings": plain}),
        )  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
def test_nothing(dtype: Any) -> None:
    for shape in [(0, 2, 3, 1, 4), (2, 0, 3, 1, 4), (2, 3, 0, 1, 4)]:
        check(shape, dtype)


def test_hidden_keys_may_hold_anything() -> None:
    q, k = numbers((1, 3, 1, 4), np.float32, 1), numbers((1, 20, 1, 4), np.float32, 2)
    k[:, 9:] = np.nan
    given = {"q": q, "k": k, "v": k, "lengths": np.array([9], np.int64), "added": None, "seen": None}
    y, lse, settings = q.copy(), np.zeros((1, 1, 3), np.float32), (False, 0.5, 0, 0, 0)
    check_kernel("attention_forward", **given, y=written(q.shape, q.dtype), lse=None, settings=settings)
    _cpu.attention_forward(**given, y=y, lse=lse, settings=settings)
    dk, dv = (updated(np.full_like(k, np.nan)) for _ in range(2))
    dq = written(q.shape, q.dtype)
    check_kernel("attention_backward", **given, y=y, lse=lse, dy=q, dq=dq, dk=dk, dv=dv, settings=settings)
