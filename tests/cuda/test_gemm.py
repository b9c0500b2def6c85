"""Products of matrices: the CPU's bits, by tiles of every shape and by split sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, NARROW, check_kernel, check_narrow, emulated, numbers, rounded, written
from lamina import _cpu

TRANSPOSED = [(False, False), (False, True), (True, False), (True, True)]
FEW = (("forward", True), ("random:3", False))


def operand(rows: int, columns: int, transposed: bool, dtype: Any, seed: int) -> np.ndarray:
    return numbers((columns, rows) if transposed else (rows, columns), dtype, seed)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", TRANSPOSED)
def test_gemm(transposed: tuple[bool, bool], dtype: Any) -> None:
    shapes = [(1, 1, 1), (3, 5, 7), (5, 130, 33), (17, 3, 16), (70, 68, 20), (65, 66, 49), (2, 2, 1030), (4, 8, 512)]
    for m, n, k in shapes:
        a, b = operand(m, k, transposed[0], dtype, 1), operand(k, n, transposed[1], dtype, 2)
        named = {"transpose_a": transposed[0], "transpose_b": transposed[1]}
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), **named)
    check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), **named, bias=numbers(n, dtype, 3), activation=1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", TRANSPOSED)
def test_gemm_of_large_tiles(transposed: tuple[bool, bool], dtype: Any) -> None:
    for m, n, k in [(260, 140, 20), (257, 131, 19)]:
        a, b = operand(m, k, transposed[0], dtype, 1), operand(k, n, transposed[1], dtype, 2)
        named = {"transpose_a": transposed[0], "transpose_b": transposed[1]}
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), **named, bias=numbers(n, dtype, 3), schedules=FEW)


@pytest.mark.parametrize("dtype", FLOATS)
def test_gemm_of_several_chains_in_one_block(dtype: Any) -> None:
    for m, n, k in [(5, 800, 519), (16, 801, 1030)]:
        a, b, bias = numbers((m, k), dtype, 1), numbers((k, n), dtype, 2), numbers(n, dtype, 3)
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), bias=bias, activation=1, schedules=FEW)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("activation", range(4))
def test_gemm_with_bias_and_activation(activation: int, dtype: Any) -> None:
    for m, n, k in [(9, 20, 11), (33, 18, 0), (20, 19, 600)]:
        a, b, bias = numbers((m, k), dtype, 1), numbers((k, n), dtype, 2), numbers(n, dtype, 3)
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), bias=bias, activation=activation)
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), activation=activation)
    a[3, 5], b[7, 2], bias[4] = np.nan, np.inf, -np.inf
    check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), bias=bias, activation=activation)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", TRANSPOSED)
def test_gemm_with_an_addend(transposed: tuple[bool, bool], dtype: Any) -> None:
    """Every shape of a tile, sums in terms and in one block, packed rows and others."""
    shapes = [(1, 1, 1), (5, 130, 33), (17, 3, 16), (70, 68, 20), (65, 66, 49), (2, 2, 1030), (3, 4, 0)]
    for i, (m, n, k) in enumerate(shapes):
        a, b = operand(m, k, transposed[0], dtype, 1), operand(k, n, transposed[1], dtype, 2)
        named = {"transpose_a": transposed[0], "transpose_b": transposed[1], "addend": numbers((m, n), dtype, 4)}
        bias = numbers(n, dtype, 3) if i % 2 else None
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), **named, bias=bias, activation=i % 4, schedules=FEW)


@pytest.mark.parametrize("dtype", FLOATS)
def test_gemm_with_an_addend_of_large_tiles_and_chains(dtype: Any) -> None:
    for m, n, k, activation in [(260, 140, 20, 1), (257, 131, 19, 2), (5, 800, 519, 1), (16, 801, 1030, 0)]:
        named = {"bias": numbers(n, dtype, 3), "addend": numbers((m, n), dtype, 4), "activation": activation}
        a, b = numbers((m, k), dtype, 1), numbers((k, n), dtype, 2)
        check_kernel("gemm", a=a, b=b, c=written((m, n), dtype), **named, schedules=FEW[:1])


@pytest.mark.parametrize("dtype", FLOATS)
def test_gemm_of_nothing(dtype: Any) -> None:
    for m, n, k in [(0, 4, 3), (4, 0, 3), (3, 4, 0)]:
        check_kernel("gemm", a=numbers((m, k), dtype), b=numbers((k, n), dtype), c=written((m, n), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", TRANSPOSED)
def test_gemm_batched(transposed: tuple[bool, bool], dtype: Any) -> None:
    for count, m, n, k in [(3, 5, 8, 12), (2, 19, 21, 530), (7, 18, 20, 4), (0, 2, 2, 2)]:
        a = numbers((count, k, m) if transposed[0] else (count, m, k), dtype, 1)
        b = numbers((count, n, k) if transposed[1] else (count, k, n), dtype, 2)
        named = {"transpose_a": transposed[0], "transpose_b": transposed[1]}
        check_kernel("gemm_batched", a=a, b=b, c=written((count, m, n), dtype), **named)


@pytest.mark.parametrize("kind", NARROW)
@pytest.mark.parametrize("transposed", TRANSPOSED)
def test_gemm_on_tensor_cores(transposed: tuple[bool, bool], kind: str) -> None:
    for m, n, k, activation in [(1, 1, 1, 0), (24, 40, 48, 1), (70, 66, 51, 0), (8, 16, 1100, 2), (136, 264, 40, 0)]:
        a, a_wide = rounded(operand(m, k, transposed[0], np.float32, 1), kind)
        b, b_wide = rounded(operand(k, n, transposed[1], np.float32, 2), kind)
        bias, bias_wide = rounded(numbers(n, np.float32, 3), kind)
        named = {"transpose_a": transposed[0], "transpose_b": transposed[1], "activation": activation}
        expected = np.empty((m, n), np.float32)
        _cpu.gemm(a_wide, b_wide, expected, bias=bias_wide, **named)
        check_narrow("gemm", expected, kind, "c", a=a, b=b, bias=bias, **named)
        addend, addend_wide = rounded(numbers((m, n), np.float32, 4), kind)
        _cpu.gemm(a_wide, b_wide, expected, bias=bias_wide, addend=addend_wide, **named)
        check_narrow("gemm", expected, kind, "c", a=a, b=b, bias=bias, addend=addend, **named)


@pytest.mark.parametrize("kind", NARROW)
@pytest.mark.parametrize("activation", range(4))
def test_what_follows_the_sums_on_tensor_cores(activation: int, kind: str) -> None:
    """Sums of small whole numbers are exact in any order: bias, addend, activation and rounding have to be, too. Tiles
    of every shape, sums in terms, whole packs and other rows."""
    for m, n, k in [(136, 264, 20), (257, 131, 16), (260, 130, 9), (70, 72, 5), (67, 67, 3), (3, 4, 40), (5, 9, 600)]:
        a, b = (np.rint(numbers(shape, np.float32, seed)) for seed, shape in enumerate([(m, k), (k, n)]))
        (bias, bias_wide), (addend, addend_wide) = (
            rounded(numbers(shape, np.float32, seed, special=True), kind) for seed, shape in [(2, n), (3, (m, n))]
        )
        for with_bias, with_addend in [(True, True), (False, True), (True, False), (False, False)]:
            expected = np.empty((m, n), np.float32)
            _cpu.gemm(a, b, expected, bias=bias_wide if with_bias else None,
                      addend=addend_wide if with_addend else None, activation=activation)  # fmt: skip
            check_narrow("gemm", expected, kind, "c", exact=True, a=rounded(a, kind)[0], b=rounded(b, kind)[0],
                         bias=bias if with_bias else None, addend=addend if with_addend else None,
                         activation=activation, schedules=FEW[:1])  # fmt: skip


@pytest.mark.parametrize("kind", NARROW)
def test_gemm_batched_on_tensor_cores(kind: str) -> None:
    for count, m, n, k in [(3, 16, 24, 40), (2, 5, 7, 0), (2, 9, 11, 13)]:
        a, a_wide = rounded(numbers((count, m, k), np.float32, 1), kind)
        b, b_wide = rounded(numbers((count, k, n), np.float32, 2), kind)
        expected = np.empty((count, m, n), np.float32)
        _cpu.gemm_batched(a_wide, b_wide, expected)
        check_narrow("gemm_batched", expected, kind, "c", a=a, b=b)


@pytest.mark.parametrize(("m", "n", "k"), [(136, 260, 2100), (70, 66, 2048), (70, 66, 4100), (9, 11, 4097)])
def test_several_runs_of_chains_on_tensor_cores(m: int, n: int, k: int) -> None:
    """Runs of 2048 products: kept in memory between them by one block, or summed by blocks of their own."""
    a, b = numbers((m, k), np.float16, 1), numbers((k, n), np.float16, 2)
    expected = np.empty((m, n), np.float32)
    _cpu.gemm(a.astype(np.float32), b.astype(np.float32), expected)
    check_narrow("gemm", expected, "float16", "c", a=a, b=b, schedules=FEW)


def test_a_row_alone_has_the_same_bits_on_tensor_cores() -> None:
    a, b = numbers((260, 2200), np.float16, 1), numbers((2200, 130), np.float16, 2)
    whole = np.empty((260, 130), np.float16)
    emulated().gemm(a, b, whole)
    for rows in (1, 140):
        some = np.empty((rows, 130), np.float16)
        emulated().gemm(a[77 : 77 + rows].copy(), b, some)
        np.testing.assert_array_equal(whole[77 : 77 + rows].view(np.uint16), some.view(np.uint16))
