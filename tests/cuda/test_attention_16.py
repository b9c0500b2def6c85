"""Attention in float16 and bfloat16 on tensor cores, against the CPU's float32 kernel on the same, widened, inputs.

Two roundings to 16 bits separate them, of p (or of ds) and of the result, each by half a unit (NARROW) of the sum of
magnitudes that is formed at most; the reference is rounded too. What is summed in float32 adds nothing to be seen.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kernel_testing
from kernel_testing import NARROW, SCHEDULES, Output, check_kernel, emulated, numbers, rounded, widened
from lamina import _cpu

ROOT = Path(__file__).parents[2]
FEW = (("forward", True), ("random:1", False))
ONE = (("random:2", True),)
EMPTY = {"lengths": None, "added": None, "seen": None}


def unset(shape: tuple[int, ...], kind: str) -> Output:
    return Output(np.full(shape, np.nan, np.float16) if kind == "float16" else np.full(shape, 0x7FFF, np.uint16))


def probabilities(wide: dict[str, Any], settings: tuple[Any, ...]) -> np.ndarray:
    """(batch, heads, queries, keys), by NumPy in float64."""
    q, k = (wide[name].astype(np.float64) for name in "qk")
    k = np.repeat(k, q.shape[2] // k.shape[2], 2)
    scores = np.einsum("bihd,bjhd->bhij", q, k) * settings[1]
    if wide["added"] is not None:
        scores = scores + wide["added"]
    hidden = np.zeros(scores.shape, bool)
    if wide["seen"] is not None:
        hidden |= wide["seen"] == 0
    if wide["lengths"] is not None:
        hidden |= np.arange(k.shape[1]) >= wide["lengths"][:, None, None, None]
    if settings[0]:
        hidden |= np.arange(k.shape[1]) > np.arange(q.shape[1])[:, None]
    scores = np.where(hidden, -np.inf, scores)
    p = np.exp(scores - scores.max(-1, keepdims=True, initial=-1e30))
    return p / np.maximum(p.sum(-1, keepdims=True), 1e-300)


def magnitudes(wide: dict[str, Any], y: np.ndarray, dy: np.ndarray, settings: tuple[Any, ...]) -> dict[str, float]:
    """The largest sum of magnitudes that each output is."""
    p, group = probabilities(wide, settings), wide["q"].shape[2] // wide["k"].shape[2]
    scale, kept = abs(settings[1]), 65536 / (65536 - settings[2]) if settings[2] < 65536 else 0

    def most(x: np.ndarray) -> float:
        return float(np.abs(x).max(initial=0))

    dp = np.abs(np.einsum("bihd,bjhd->bhij", dy, np.repeat(wide["v"], group, 2))) * kept
    ds = p * (dp + np.abs(np.einsum("bihd,bihd->bhi", dy, y))[..., None])
    return {
        "y": kept * most(wide["v"]),
        "dq": scale * most(ds.sum(3)) * most(wide["k"]),
        "dk": scale * group * most(ds.sum(2)) * most(wide["q"]),
        "dv": kept * group * most(p.sum(2)) * most(dy),
    }


def check(
    shape: tuple[int, ...],
    kind: str,
    *,
    key_heads: int | None = None,
    value_size: int | None = None,
    lengths: list[int] | None = None,
    added: tuple[int, ...] | None = None,
    seen: tuple[int, ...] | None = None,
    causal: bool = False,
    dropped: int = 0,
    scale: float | None = None,
    schedules: Any = FEW,
) -> None:
    """shape: (batch, queries, keys, heads, size); added, seen: the masks' leading axes."""
    batch, queries, keys, heads, size = shape
    key_heads, value_size = key_heads or heads, value_size or size
    shapes = {
        "q": (batch, queries, heads, size),
        "k": (batch, keys, key_heads, size),
        "v": (batch, keys, key_heads, value_size),
    }
    given: dict[str, Any] = dict(EMPTY)
    wide: dict[str, Any] = dict(EMPTY)
    for i, name in enumerate(shapes):
        given[name], wide[name] = rounded(numbers(shapes[name], np.float32, i + 1), kind)
    if lengths is not None:
        given["lengths"] = wide["lengths"] = np.array(lengths, np.int64)
    if added is not None:
        given["added"], wide["added"] = rounded(numbers((*added, keys), np.float32, 4), kind)
    if seen is not None:
        given["seen"] = wide["seen"] = (numbers((*seen, keys), np.float32, 5) < 0.5).astype(np.uint8)
    settings = (causal, size**-0.5 if scale is None else scale, dropped, 77, 3)

    y = np.zeros((batch, queries, heads, value_size), np.float32)
    lse = np.zeros((batch, heads, queries), np.float32)
    _cpu.attention_forward(**wide, y=y, lse=lse, settings=settings)
    narrow_y, wide_y = rounded(y, kind)
    dy, wide_dy = rounded(numbers(y.shape, np.float32, 6), kind)
    gradients = {f"d{name}": np.zeros_like(wide[name]) for name in "qkv"}
    _cpu.attention_backward(**wide, y=wide_y, lse=lse, dy=wide_dy, **gradients, settings=settings)
    expected = {"y": y, "lse": lse, **gradients}
    sizes = magnitudes(wide, wide_y, wide_dy, settings)
    off = {name: 1.5 * NARROW[kind] * most + 1e-6 for name, most in sizes.items()} | {"lse": 1e-4}

    def reference(**arguments: Any) -> None:
        for name, array in expected.items():
            if name in outputs:
                arguments[name][...] = array if name == "lse" else rounded(array, kind)[0]

    outputs = {"y": unset(y.shape, kind), "lse": Output(np.full_like(lse, np.nan))}
    check_kernel(
        "attention_forward",
        **given,
        **outputs,
        settings=settings,
        schedules=schedules,
        reference=reference,
        narrow=off,
    )
    outputs = {name: unset(array.shape, kind) for name, array in gradients.items()}
    check_kernel(
        "attention_backward",
        **given,
        y=narrow_y,
        lse=lse,
        dy=dy,
        **outputs,
        settings=settings,
        schedules=schedules,
        reference=reference,
        narrow=off,
    )


@pytest.mark.parametrize("kind", NARROW)
@pytest.mark.parametrize("causal", [False, True])
def test_shapes(causal: bool, kind: str) -> None:
    check((2, 5, 7, 2, 8), kind, causal=causal, schedules=SCHEDULES)
    check((1, 37, 70, 1, 16), kind, causal=causal)
    check((1, 70, 37, 1, 64), kind, causal=causal, value_size=24)


@pytest.mark.parametrize("kind", NARROW)
def test_sizes_of_heads_that_are_no_packs(kind: str) -> None:
    for size, value_size in [(1, 1), (5, 9), (64, 13), (13, 64)]:
        check((1, 9, 21, 2, size), kind, value_size=value_size, causal=size == 5)


@pytest.mark.parametrize("kind", NARROW)
def test_several_tiles_of_keys_and_of_queries(kind: str) -> None:
    check((1, 3, 200, 1, 8), kind, schedules=ONE)
    check((1, 150, 140, 1, 16), kind, causal=True, schedules=ONE)
    check((1, 200, 3, 1, 8), kind, schedules=ONE)


@pytest.mark.parametrize("kind", NARROW)
def test_heads_of_128(kind: str) -> None:
    check((1, 9, 21, 1, 128), kind)
    check((1, 150, 140, 1, 128), kind, causal=True, schedules=ONE)
    check((1, 70, 80, 1, 72), kind, lengths=[71], added=(1, 1, 70), dropped=9000, schedules=ONE)


@pytest.mark.parametrize("kind", NARROW)
def test_heads_of_256(kind: str) -> None:
    check((1, 9, 21, 1, 256), kind)
    check((1, 70, 80, 1, 200), kind, causal=True, schedules=ONE)
    check((1, 20, 40, 1, 256), kind, value_size=40, lengths=[33], seen=(1, 1, 20), dropped=9000, schedules=ONE)
    check((1, 20, 40, 1, 40), kind, value_size=136, schedules=ONE)


@pytest.mark.parametrize("kilobytes", [64, 99])
def test_devices_with_less_shared_memory(kilobytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_testing, "SHARED", kilobytes)
    for size in (64, 128, 256):
        check((1, 20, 24, 1, size), "float16", schedules=ONE)


@pytest.mark.parametrize("kind", NARROW)
def test_heads_that_share_keys(kind: str) -> None:
    check((2, 5, 9, 4, 8), kind, key_heads=2)
    check((1, 40, 70, 4, 8), kind, key_heads=1, causal=True, schedules=ONE)
    check((1, 5, 9, 6, 8), kind, key_heads=1, causal=True, dropped=20000)


@pytest.mark.parametrize("kind", NARROW)
def test_lengths_and_masks(kind: str) -> None:
    check((3, 5, 18, 2, 8), kind, lengths=[18, 7, 0])
    check((2, 5, 18, 2, 8), kind, added=(2, 2, 5), seen=(1, 1, 5))
    check((2, 5, 18, 2, 8), kind, added=(1, 2, 1), lengths=[18, 3], causal=True)
    check((2, 3, 18, 2, 8), kind, seen=(2, 1, 1), dropped=9000)
    check((1, 80, 75, 1, 8), kind, seen=(1, 1, 80), schedules=ONE)


@pytest.mark.parametrize("kind", NARROW)
def test_dropout(kind: str) -> None:
    for dropped in (1, 30000, 65536):
        check((1, 4, 140, 2, 8), kind, dropped=dropped, schedules=ONE)
    check((1, 40, 270, 1, 8), kind, dropped=30000, causal=True, schedules=ONE)


@pytest.mark.parametrize("kind", NARROW)
def test_any_scale(kind: str) -> None:
    for scale in (0.0, -0.5, 1.5):
        check((1, 9, 21, 1, 8), kind, scale=scale, causal=True, schedules=ONE)


@pytest.mark.parametrize("kind", NARROW)
def test_nothing(kind: str) -> None:
    for shape in [(0, 2, 3, 1, 8), (2, 0, 3, 1, 8), (2, 3, 0, 1, 8)]:
        check(shape, kind)


def forward(q: np.ndarray, k: np.ndarray, v: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    settings = (options.pop("causal", False), 0.5, 0, 0, 0)
    y, lse = np.empty((*q.shape[:3], v.shape[3]), q.dtype), np.empty((q.shape[0], q.shape[2], q.shape[1]), np.float32)
    emulated().attention_forward(**{**EMPTY, **options}, q=q, k=k, v=v, y=y, lse=lse, settings=settings, stream=0)
    return y, lse


def test_a_query_that_sees_nothing_gives_zeros() -> None:
    q, k = numbers((1, 3, 1, 8), np.float16, 1), numbers((1, 20, 1, 8), np.float16, 2)
    seen = np.ones((1, 1, 3, 20), np.uint8)
    seen[0, 0, 1] = 0
    y, lse = forward(q, k, k, seen=seen)
    assert not y[0, 1].any()
    assert lse[0, 0].tolist()[1] == np.inf
    assert y[0, 0].any()
    assert y[0, 2].any()


def test_keys_beyond_the_length_may_hold_anything() -> None:
    q, k = numbers((1, 3, 1, 8), np.float16, 1), numbers((1, 20, 1, 8), np.float16, 2)
    hidden = k.copy()
    hidden[:, 9:] = np.nan
    lengths = np.array([9], np.int64)
    y, lse = forward(q, hidden, hidden, lengths=lengths)
    np.testing.assert_array_equal(y, forward(q, k[:, :9].copy(), k[:, :9].copy())[0])
    dq, dk, dv = np.empty_like(q), np.full_like(k, np.nan), np.full_like(k, np.nan)
    given = {**EMPTY, "lengths": lengths, "q": q, "k": hidden, "v": hidden}
    outputs = {"dq": dq, "dk": dk, "dv": dv, "settings": (False, 0.5, 0, 0, 0)}
    emulated().attention_backward(**given, y=y, lse=lse, dy=q, **outputs, stream=0)
    assert np.isfinite(dq).all()
    assert not dk[:, 9:].any()
    assert not dv[:, 9:].any()
    assert dk[:, :9].any()
    assert dv[:, :9].any()


def test_a_query_alone_and_a_mask_that_says_the_same_have_the_same_bits() -> None:
    q, k = numbers((1, 90, 1, 32), np.float16, 1), numbers((1, 90, 1, 32), np.float16, 2)
    y, lse = forward(q, k, k, causal=True)
    alone, alone_lse = forward(q[:, 77:78].copy(), k[:, :78].copy(), k[:, :78].copy())
    np.testing.assert_array_equal(y[:, 77:78], alone)
    np.testing.assert_array_equal(lse[:, :, 77:78], alone_lse)
    np.testing.assert_array_equal(y, forward(q, k, k, causal=True, lengths=np.array([90], np.int64))[0])


@pytest.mark.parametrize("kind", NARROW)
def test_heads_that_are_too_long_go_through_float32(kind: str) -> None:
    check((2, 5, 9, 2, 264), kind, key_heads=1, added=(1, 2, 1), lengths=[9, 4], schedules=ONE)
    check((1, 5, 9, 1, 3), kind, value_size=257, causal=True, dropped=9000, schedules=ONE)


def test_the_sum_of_powers_is_float32() -> None:
    q = numbers((1, 2, 1, 8), np.float16)
    lse, settings = np.empty((1, 1, 2), np.float16), (False, 0.5, 0, 0, 0)
    with pytest.raises(TypeError, match="wrong dtype"):
        emulated().attention_forward(**EMPTY, q=q, k=q, v=q, y=q.copy(), lse=lse, settings=settings, stream=0)


def test_nan_goes_through() -> None:
    q, k = numbers((1, 3, 1, 8), np.float16, 1), numbers((1, 20, 1, 8), np.float16, 2)
    q[0, 1, 0, 3] = np.nan
    y, _ = forward(q, k, k)
    assert np.isnan(widened(y)[0, 1]).all()
    assert np.isfinite(widened(y)[0, [0, 2]]).all()


#: what is planted: (a line of the kernel, in its place)
BUGS = {
    "none": ("", ""),
    "no barrier": (
        "    wait_for_copies<0>();\n    __syncthreads();\n    if (key",
        "    wait_for_copies<0>();\n    if (key",
    ),
    "no wait": ("    wait_for_copies<0>();\n    __syncthreads();\n    if (key", "    __syncthreads();\n    if (key"),
    "one stage": ("stages + (stage ^ 1) * S::STAGE, key + KEYS", "stages + stage * S::STAGE, key + KEYS"),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """planted(bug): what the kernel with the bug gives, under all schedules."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if os.environ.get("LAMINA_SANITIZED") or not compiler or not shutil.which(compiler):
        pytest.skip("needs a C++ compiler of its own")
    folder, source = tmp_path_factory.mktemp("attended"), ROOT / "csrc" / "cuda" / "attention_16_forward.cu"
    kernel = source.read_text().split("using namespace attention_16_forward_op;")[0]
    end = "using namespace attention_16_forward_op;\n" + (ROOT / "tests/cuda/planted/attended.inc").read_text()
    flags = [compiler, "-std=c++20", "-O0", "-x", "c++", f"-I{ROOT}/csrc", "-DLAMINA_EMULATOR"]

    def compiled(text: Path, name: str) -> Path:
        subprocess.run([*flags, "-c", str(text), "-o", str(folder / f"{name}.o")], check=True)
        return folder / f"{name}.o"

    with ThreadPoolExecutor(2) as pool:
        objects = [
            pool.submit(compiled, ROOT / f"csrc/emulator/{name}.cpp", name) for name in ("fiber", "scheduler", "warp")
        ]
        kernels = {}
        for i, (bug, (line, planted_line)) in enumerate(BUGS.items()):
            assert line in kernel, bug
            text = folder / f"bug{i}.cu"
            text.write_text((kernel.replace(line, planted_line) if line else kernel) + end)
            kernels[bug] = pool.submit(compiled, text, f"bug{i}")
    shared = [str(done.result()) for done in objects]

    @functools.cache
    def run(bug: str) -> set[str]:
        program = folder / f"program{list(BUGS).index(bug)}"
        subprocess.run([compiler, str(kernels[bug].result()), *shared, "-o", str(program)], check=True)
        said = set()
        for schedule, late in SCHEDULES:
            settings = {"LAMINA_EMULATOR_SCHEDULE": schedule, "LAMINA_EMULATOR_COPIES": "lazy" if late else "eager"}
            done = subprocess.run(
                [program], env={**os.environ, **settings}, capture_output=True, text=True, timeout=300, check=False
            )
            said.add(done.stdout)
        return said

    return run


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_found(planted: Callable[[str], set[str]], bug: str) -> None:
    right, said = planted("none"), planted(bug)
    assert len(right) == 1
    assert (said == right) == (bug == "none")
