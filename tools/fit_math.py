"""Fits the polynomials of csrc/support/*.h and csrc/cpu/activation_function.cpp: prints the coefficients, highest power
first, and the fits' errors.

Needs mpmath. Run it only to change a degree or an interval: the sources hold the numbers.
"""

from collections.abc import Callable, Sequence

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def show(name: str, coefficients: Sequence[mp.mpf], error: mp.mpf) -> None:
    print(f"{name}: error {mp.nstr(error, 3)}")
    for kind, literal in (
        (np.float64, lambda v: float(v).hex()),
        (np.float32, lambda v: float(np.float32(v)).hex() + "f"),
    ):
        print(f"  {kind.__name__}: " + ", ".join(literal(v) for v in coefficients))


def plain(name: str, function: Callable[[mp.mpf], mp.mpf], interval: tuple[mp.mpf, mp.mpf], terms: int) -> None:
    """Chebyshev interpolation: within a factor of two of the best polynomial."""
    coefficients, error = mp.chebyfit(function, [mp.mpf(interval[0]), mp.mpf(interval[1])], terms, error=True)
    show(f"{name}[{terms}]", coefficients, error)


def weighted(
    name: str, function: Callable, weight: Callable, interval: tuple[float, float], terms: int, rounds: int = 12
) -> None:
    """The polynomial in x with the least max |weight (p - function)|, by Lawson's iteration."""
    low, high = map(mp.mpf, interval)
    points = 4 * terms
    x = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / points) for i in range(points)]
    f, importance = [function(v) for v in x], [mp.mpf(1)] * points
    for _ in range(rounds):
        rows = [[mp.sqrt(m) * weight(v) * v**k for k in range(terms)] for v, m in zip(x, importance, strict=True)]
        right = [mp.sqrt(m) * weight(v) * y for v, y, m in zip(x, f, importance, strict=True)]
        c = mp.lu_solve(mp.matrix(rows), mp.matrix(right))
        errors = [abs(weight(v) * (mp.polyval(list(c)[::-1], v) - y)) for v, y in zip(x, f, strict=True)]
        worst = max(errors)
        importance = [m * (e / worst + mp.mpf("1e-3")) for m, e in zip(importance, errors, strict=True)]
    show(f"{name}[{terms}]", list(c)[::-1], worst)


def main() -> None:
    half = mp.log(2) / 2 * mp.mpf("1.001")
    for terms in (5, 10):  # (e^r - 1 - r) / r^2
        plain("EXP", lambda r: (mp.expm1(r) - r) / r**2 if r else mp.mpf(1) / 2, (-half, half), terms)
    top = (3 - 2 * mp.sqrt(2)) ** 2 * mp.mpf("1.001")
    for terms in (4, 7):  # (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2
        plain("LOG", lambda z: sum(2 * z**i / (2 * i + 3) for i in range(60)), (0, top), terms)
    for terms in (6, 12):  # erf(x) / x - 1 in z = x^2
        plain(
            "ERF",
            lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1 if z else 2 / mp.sqrt(mp.pi) - 1,
            (0, mp.mpf("1.001")),
            terms,
        )
    for terms, most in ((8, 4.0), (21, 6.0)):  # erfc(x) e^(x^2), where what counts is the error of erfc
        weighted("ERFC", lambda x: mp.erfc(x) * mp.exp(x * x), lambda x: mp.exp(-x * x), (0.999, most), terms)
    # In csrc/cpu/activation_function.cpp: the normal distribution's share below -x times e^(x^2 / 2), the error of the
    # share counting; and (log(1 + e) - 2 s) / s^3 in z = s^2, with s = e / (2 + e), e from 0 to 1
    weighted(
        "NORMAL",
        lambda x: mp.erfc(x / mp.sqrt(2)) * mp.exp(x * x / 2) / 2,
        lambda x: mp.exp(-x * x / 2),
        (0, 5.7),
        12,
        rounds=20,
    )
    for terms in (5, 11):
        plain("LOG1P", lambda z: sum(2 * z**i / (2 * i + 3) for i in range(60)), (0, mp.mpf("1.001") / 9), terms)
    quarter = mp.mpf(1) / 2
    for terms in (4, 8):  # sin and cos of a quarter turn times f, |f| <= 1/2, in z = f^2
        plain(
            "SIN",
            lambda z: mp.sin(mp.pi / 2 * mp.sqrt(z)) / mp.sqrt(z) if z else mp.pi / 2,
            (0, quarter**2),
            terms,
        )
        plain(
            "COS", lambda z: (mp.cos(mp.pi / 2 * mp.sqrt(z)) - 1) / z if z else -(mp.pi**2) / 8, (0, quarter**2), terms
        )
    eighth = mp.pi / 4 * mp.mpf("1.0001")
    for name, terms, series in (  # in z = r^2: (sin(r) - r) / r^3, (cos(r) - 1 + r^2 / 2) / r^4
        ("SINE", 7, lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z else -mp.mpf(1) / 6),
        ("COSINE", 6, lambda z: ((mp.cos(mp.sqrt(z)) - 1) / z + mp.mpf(1) / 2) / z if z else mp.mpf(1) / 24),
    ):
        plain(name, series, (0, eighth**2), terms)
        plain("FLOAT_" + name, series, (0, (mp.pi / 4 * mp.mpf("1.004")) ** 2), 3)
    most = (mp.tan(mp.pi / 8) * mp.mpf("1.0001")) ** 2  # (arctan(t) - t) / t^3 in z = t^2
    plain("ARCTANGENT", lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z else -mp.mpf(1) / 3, (0, most), 11)
    # (log((1 + s) / (1 - s)) - 2 s - 2/3 s^3) / s^5 in z = s^2: the TAIL of support/power.h
    plain("TAIL", lambda z: sum(2 * z**i / (2 * i + 5) for i in range(60)), (0, top), 8)
    for name, value in (("LN2", mp.log(2)), ("LOG2E", 1 / mp.log(2))):
        for kind in (np.float32, np.float64):
            high = kind(float(value))
            low = kind(float(value - mp.mpf(float(high))))
            print(f"{name} {kind.__name__}: {float(high).hex()} + {float(low).hex()}")


if __name__ == "__main__":
    main()
