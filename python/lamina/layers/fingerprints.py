"""Hashes of byte strings that are the same on every machine: FarmHash Fingerprint64 and SipHash-2-4."""

from __future__ import annotations

WORD = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def fingerprint64(data: bytes) -> int:
    """FarmHash's Fingerprint64 of bytes, a number below 2^64. Not for secrets: collisions can be made at will.

    Reference:
        Pike & Alakuijala 2014, "Introducing FarmHash".
    """
    n = len(data)
    if n <= 16:
        return _up_to_16(data, n)
    if n <= 32:
        return _up_to_32(data, n)
    if n <= 64:
        return _up_to_64(data, n)
    return _long(data, n)


def siphash24(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 of bytes under a key of two 64-bit numbers, a number below 2^64.

    Reference:
        Aumasson & Bernstein 2012, "SipHash: a fast short-input PRF".
    """
    k0, k1 = (part & WORD for part in key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for i in range(0, len(padded), 8):
        word = _word(padded, i)
        v[3] ^= word
        _sip_round(v)
        _sip_round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        _sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & WORD
    v[1] = _left(v[1], 13) ^ v[0]
    v[0] = _left(v[0], 32)
    v[2] = (v[2] + v[3]) & WORD
    v[3] = _left(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & WORD
    v[3] = _left(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & WORD
    v[1] = _left(v[1], 17) ^ v[2]
    v[2] = _left(v[2], 32)


def _left(x: int, n: int) -> int:
    return ((x << n) | (x >> (64 - n))) & WORD


def _right(x: int, n: int) -> int:
    return ((x >> n) | (x << (64 - n))) & WORD


def _word(data: bytes, start: int, size: int = 8) -> int:
    return int.from_bytes(data[start : start + size], "little")


def _fold(x: int) -> int:
    return x ^ (x >> 47)


def _mix(u: int, v: int, factor: int) -> int:
    a = _fold((u ^ v) * factor & WORD)
    return _fold((v ^ a) * factor & WORD) * factor & WORD


def _up_to_16(s: bytes, n: int) -> int:
    if n >= 8:
        factor = K2 + n * 2
        a, b = (_word(s, 0) + K2) & WORD, _word(s, n - 8)
        c = (_right(b, 37) * factor + a) & WORD
        d = (_right(a, 25) + b) * factor & WORD
        return _mix(c, d, factor & WORD)
    if n >= 4:
        return _mix((n + (_word(s, 0, 4) << 3)) & WORD, _word(s, n - 4, 4), (K2 + n * 2) & WORD)
    if n > 0:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[n - 1] << 2)
        return _fold((y * K2 ^ z * K0) & WORD) * K2 & WORD
    return K2


def _up_to_32(s: bytes, n: int) -> int:
    factor = (K2 + n * 2) & WORD
    a, b = _word(s, 0) * K1 & WORD, _word(s, 8)
    c, d = _word(s, n - 8) * factor & WORD, _word(s, n - 16) * K2 & WORD
    first = (_right((a + b) & WORD, 43) + _right(c, 30) + d) & WORD
    return _mix(first, (a + _right((b + K2) & WORD, 18) + c) & WORD, factor)


def _up_to_64(s: bytes, n: int) -> int:
    factor = (K2 + n * 2) & WORD
    a, b = _word(s, 0) * K2 & WORD, _word(s, 8)
    c, d = _word(s, n - 8) * factor & WORD, _word(s, n - 16) * K2 & WORD
    y = (_right((a + b) & WORD, 43) + _right(c, 30) + d) & WORD
    z = _mix(y, (a + _right((b + K2) & WORD, 18) + c) & WORD, factor)
    e, f = _word(s, 16) * factor & WORD, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * factor & WORD, (z + _word(s, n - 24)) * factor & WORD
    first = (_right((e + f) & WORD, 43) + _right(g, 30) + h) & WORD
    return _mix(first, (e + _right((f + a) & WORD, 18) + g) & WORD, factor)


def _weak(w: int, x: int, y: int, z: int, a: int, b: int) -> tuple[int, int]:
    a = (a + w) & WORD
    b = _right((b + a + z) & WORD, 21)
    c = a
    a = (a + x + y) & WORD
    b = (b + _right(a, 44)) & WORD
    return (a + z) & WORD, (b + c) & WORD


def _weak_at(s: bytes, i: int, a: int, b: int) -> tuple[int, int]:
    return _weak(_word(s, i), _word(s, i + 8), _word(s, i + 16), _word(s, i + 24), a, b)


def _long(s: bytes, n: int) -> int:
    x, y = 81, (81 * K1 + 113) & WORD
    z = _fold((y * K2 + 113) & WORD) * K2 & WORD
    v, w = (0, 0), (0, 0)
    x = (x * K2 + _word(s, 0)) & WORD
    end = (n - 1) // 64 * 64
    for i in range(0, end, 64):
        x = _right((x + y + v[0] + _word(s, i + 8)) & WORD, 37) * K1 & WORD
        y = _right((y + v[1] + _word(s, i + 48)) & WORD, 42) * K1 & WORD
        x ^= w[1]
        y = (y + v[0] + _word(s, i + 40)) & WORD
        z = _right((z + w[0]) & WORD, 33) * K1 & WORD
        v = _weak_at(s, i, v[1] * K1 & WORD, (x + w[0]) & WORD)
        w = _weak_at(s, i + 32, (z + w[1]) & WORD, (y + _word(s, i + 16)) & WORD)
        z, x = x, z
    factor = (K1 + ((z & 0xFF) << 1)) & WORD
    i = n - 64
    w = (w[0] + ((n - 1) & 63)) & WORD, w[1]
    v = (v[0] + w[0]) & WORD, v[1]
    w = (w[0] + v[0]) & WORD, w[1]
    x = _right((x + y + v[0] + _word(s, i + 8)) & WORD, 37) * factor & WORD
    y = _right((y + v[1] + _word(s, i + 48)) & WORD, 42) * factor & WORD
    x ^= w[1] * 9 & WORD
    y = (y + v[0] * 9 + _word(s, i + 40)) & WORD
    z = _right((z + w[0]) & WORD, 33) * factor & WORD
    v = _weak_at(s, i, v[1] * factor & WORD, (x + w[0]) & WORD)
    w = _weak_at(s, i + 32, (z + w[1]) & WORD, (y + _word(s, i + 16)) & WORD)
    z, x = x, z
    first = (_mix(v[0], w[0], factor) + _fold(y) * K0 + z) & WORD
    return _mix(first, (_mix(v[1], w[1], factor) + x) & WORD, factor)
