"""The emulator's teeth: bugs planted in small kernels (planted/planted.cu) are found, each by the check that is said to
find it, and the same kernels without a bug pass all checks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("reversed", "summed", "summed_over_grid", "copied", "filled")
SCHEDULES = ("forward", "reverse", "random:1")
COPIES = ("lazy", "eager")
#: what a build has: (the emulator's definition, the kernels' flags)
BUILDS: dict[str, tuple[list[str], list[str]]] = {
    "plain": ([], []),
    "address": (["-DLAMINA_EMULATOR_ASAN"], ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]),
    "thread": (["-DLAMINA_EMULATOR_TSAN"], ["-fsanitize=thread"]),
}
Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(build, program, bug, schedule, copies): what the program prints."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if os.environ.get("LAMINA_SANITIZED") or not compiler or not shutil.which(compiler):
        pytest.skip("needs a C++ compiler of its own")
    folder = tmp_path_factory.mktemp("planted")

    def compiled(source: str, target: Path, flags: list[str]) -> None:
        command = [compiler, "-std=c++20", "-O1", "-g1", "-x", "c++", f"-I{ROOT}/csrc", "-DLAMINA_EMULATOR", *flags]
        subprocess.run([*command, "-c", str(ROOT / source), "-o", str(target)], check=True)

    for build, (definition, flags) in BUILDS.items():
        objects = {name: folder / f"{build}_{name}.o" for name in ("fiber", "scheduler", "warp", "planted")}
        with ThreadPoolExecutor(2) as pool:
            for name, target in objects.items():
                kernel = name == "planted"
                source = "tests/cuda/planted/planted.cu" if kernel else f"csrc/emulator/{name}.cpp"
                pool.submit(compiled, source, target, flags if kernel else definition)
        subprocess.run([compiler, *flags, *map(str, objects.values()), "-o", str(folder / build)], check=True)

    def run_it(build: str, program: str, bug: str = "none", schedule: str = "forward", copies: str = "lazy") -> str:
        settings = {"LAMINA_EMULATOR_SCHEDULE": schedule, "LAMINA_EMULATOR_COPIES": copies}
        done = subprocess.run(
            [str(folder / build), program, bug],
            env={**os.environ, **settings, "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "", "UBSAN_OPTIONS": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return f"exit {done.returncode}: {done.stdout}{done.stderr}"

    return run_it


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("build", BUILDS)
def test_without_a_bug_nothing_is_found(run: Run, build: str, program: str) -> None:
    for schedule, copies in product(SCHEDULES, COPIES):
        assert run(build, program, "none", schedule, copies) == "exit 0: right\n", (schedule, copies)


@pytest.mark.parametrize(
    ("build", "program", "bug", "found"),
    [
        ("address", "reversed", "global_overrun", "AddressSanitizer: heap-buffer-overflow"),
        ("address", "reversed", "shared_overrun", "AddressSanitizer: heap-buffer-overflow"),
        ("address", "summed", "misaligned", "misaligned address"),
        ("address", "reversed", "deep_stack", "AddressSanitizer"),
        ("plain", "reversed", "deep_stack", "exit -11"),
        ("thread", "reversed", "no_barrier", "ThreadSanitizer: data race"),
        ("thread", "summed_over_grid", "no_grid_barrier", "ThreadSanitizer: data race"),
        ("thread", "summed_over_grid", "no_fence", "ThreadSanitizer: data race"),
        ("thread", "copied", "wrong_wait", "ThreadSanitizer: data race"),
        ("thread", "filled", "two_writers", "ThreadSanitizer: data race"),
        ("plain", "reversed", "unset_shared", "exit 1: wrong"),
        ("plain", "reversed", "no_barrier", "exit 1: wrong"),
        ("plain", "reversed", "early_return", "return"),
        ("plain", "summed", "lanes_missing", "exit 2: error: emulator"),
        ("plain", "summed", "two_masks", "one warp operation with two masks"),
        ("plain", "reversed", "two_barriers", "wait at two barriers"),
        ("plain", "filled", "large_block", "a block of 1025 threads"),
        ("plain", "summed", "lane_outside", "from lane 9, which is not in the mask"),
    ],
)
def test_a_bug_is_found_under_every_schedule(run: Run, build: str, program: str, bug: str, found: str) -> None:
    for schedule in SCHEDULES:
        assert found in run(build, program, bug, schedule), schedule


@pytest.mark.parametrize(
    ("program", "bug", "caught"),
    [
        ("reversed", "barrier_in_branch", [("forward", "lazy"), ("random:1", "lazy")]),
        ("summed_over_grid", "no_grid_barrier", [("reverse", "lazy"), ("reverse", "eager")]),
        ("copied", "wrong_wait", [(schedule, "lazy") for schedule in SCHEDULES]),
    ],
)
def test_a_bug_that_only_some_schedules_find(run: Run, program: str, bug: str, caught: list[tuple[str, str]]) -> None:
    for schedule, copies in caught:
        assert not run("plain", program, bug, schedule, copies).startswith("exit 0"), (schedule, copies)


def test_reports_name_the_thread(run: Run) -> None:
    said = run("address", "reversed", "global_overrun")
    assert "block (1, 0, 0), thread (36, 0, 0)" in said
    assert "planted.cu" in said
    said = run("plain", "summed", "lane_outside")
    assert "kernel launched at planted.cu" in said
    assert "block (0, 0, 0), thread (" in said
