"""csrc/support/philox.h against Random123's known answers and the algorithm written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lamina import _cpu, backend

Array = np.ndarray[Any, Any]
WORD = (1 << 64) - 1
HALF = np.uint64(0xFFFFFFFF)


def philox(numbers: Array, stream: int, seed: int) -> Array:
    """The words of random numbers, (count, 4), as Salmon et al. 2011 give them."""
    numbers = np.asarray(numbers, np.uint64)
    a, b = numbers & HALF, numbers >> np.uint64(32)
    c, d = np.full_like(a, stream & 0xFFFFFFFF), np.full_like(a, stream >> 32)
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (
            (q >> np.uint64(32)) ^ b ^ np.uint64(key[0]),
            q & HALF,
            (p >> np.uint64(32)) ^ d ^ np.uint64(key[1]),
            p & HALF,
        )
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack([a, b, c, d], -1).astype(np.uint32)


def words(count: int, seed: int, stream: int, first: int = 0) -> Array:
    y = np.empty(4 * count, np.uint32)
    _cpu.random_words(y, seed, stream, first)
    return y.reshape(count, 4)


PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)
KNOWN = [
    ((0, 0, 0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("given", "expected"), KNOWN)
def test_known_answers(given: tuple[int, ...], expected: tuple[int, ...]) -> None:
    first, stream, seed = (given[i] | given[i + 1] << 32 for i in (0, 2, 4))
    assert words(1, seed, stream, first)[0].tolist() == list(expected)
    assert philox(np.array([first], np.uint64), stream, seed)[0].tolist() == list(expected)


def test_words_of_many_numbers() -> None:
    seed, stream, first = 0x123456789ABCDEF0, 0xFEDCBA9876543210, (1 << 32) - 100
    np.testing.assert_array_equal(words(1000, seed, stream, first), philox(np.arange(1000) + first, stream, seed))


def test_vectors_give_the_words_of_scalars_on_every_isa() -> None:
    """Element 64 t + 16 w + j of a uniform float array is word w of number 16 t + j."""
    n, seed, stream = 64 * 300, 77, (5 << 32) + 3
    tiles = philox(np.arange(n // 4), stream, seed).reshape(-1, 16, 4).transpose(0, 2, 1).reshape(-1)
    expected = (tiles >> 8).astype(np.float32) * np.float32(2**-24)
    before = backend.isa()
    try:
        for isa in _cpu.isas():
            backend.set_isa(isa)
            y = np.empty(n, np.float32)
            _cpu.random_uniform(y, seed, stream, 0, 1)
            np.testing.assert_array_equal(y, expected, err_msg=isa)
    finally:
        backend.set_isa(before)
