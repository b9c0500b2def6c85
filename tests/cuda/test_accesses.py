"""The emulator's counts of what memory accesses cost: small kernels (planted/accesses.cu) whose counts can be told by
hand, good ones beside bad ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import gpu_accesses
from bench.gpu_accesses import Accesses

ROOT = Path(__file__).parents[2]
Run = Callable[[str], list[Accesses]]
#: as g++ compiles the emulated kernels of the counted build; libtsan is not linked
SEEN = ["-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(kernel): its accesses by line of code."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    tools = (compiler and shutil.which(compiler)) and shutil.which("addr2line")
    if os.environ.get("LAMINA_SANITIZED"):
        pytest.skip("the program has an emulator of its own, which no sanitizer watches")
    if not compiler or not tools:
        pytest.skip("needs a C++ compiler and addr2line")
    folder = tmp_path_factory.mktemp("accesses")
    objects = []
    for name in ("fiber", "scheduler", "warp", "counters", "accesses"):
        kernel = name == "accesses"
        source = ROOT / ("tests/cuda/planted/accesses.cu" if kernel else f"csrc/emulator/{name}.cpp")
        objects.append(str(folder / f"{name}.o"))
        command = [compiler, "-std=c++20", "-O1", "-g1", "-x", "c++", f"-I{ROOT}/csrc", *(SEEN if kernel else [])]
        command += ["-DLAMINA_EMULATOR", "-DLAMINA_EMULATOR_COUNTED", "-c", str(source), "-o", objects[-1]]
        subprocess.run(command, check=True)
    program = str(folder / "program")
    subprocess.run([compiler, *objects, "-o", program], check=True)

    def run_it(kernel: str) -> list[Accesses]:
        done = subprocess.run([program, kernel], check=True, capture_output=True, text=True)
        rows = []
        for line in done.stdout.splitlines():
            place, memory, access, *counts = line.split()
            size, requests, lanes, cost, fewest = map(int, counts)
            rows.append(
                {"place": int(place, 16), "memory": memory, "access": access, "bytes": size}
                | {"requests": requests, "lanes": lanes, "cost": cost, "fewest": fewest}
            )
        return gpu_accesses.by_line(program, rows)

    return run_it


#: kernel: requests, cost and fewest of what it does
COUNTS = {
    "beside": "global load 1 4 4, global store 1 4 4",
    "strided": "global load 1 32 4, global store 1 4 4",
    "misaligned": "global load 1 5 4, global store 1 4 4",
    "one_for_all": "global load 1 1 1, global store 1 4 4",
    "some_lanes": "global load 1 4 2, global store 1 4 2",
    "packs": "global load 1 16 16, global store 1 16 16, shared load 1 4 4, shared store 1 4 4",
    "packs_apart": "global load 1 4 4, global store 1 4 4, shared load 1 32 4",
    "transposed": "global load 64 256 256, global store 64 256 256, shared load 64 2048 64, shared store 64 64 64",
    "transposed_padded": "global load 64 256 256, global store 64 256 256, shared load 64 64 64, shared store 64 64 64",
    "matrices": "global load 1 16 16, global store 1 4 4, shared load 1 16 4, shared store 1 16 4",
    "matrices_padded": "global load 1 16 16, global store 1 4 4, shared load 1 4 4, shared store 1 4 4",
    "uneven": "global load 2 6 6, global load 2 8 8, global store 1 4 4",
    "atomics": "global atomic 1 4 4, shared atomic 1 8 1",
}


@pytest.mark.parametrize("kernel", COUNTS)
def test_counts(run: Run, kernel: str) -> None:
    found = sorted(f"{a.memory} {a.access} {a.requests} {a.cost} {a.fewest}" for a in run(kernel))
    assert ", ".join(found) == COUNTS[kernel]


def test_the_worst_line_is_the_first_and_has_the_name_of_the_kernels_file(run: Run) -> None:
    source = (ROOT / "tests/cuda/planted/accesses.cu").read_text().splitlines()
    worst = run("packs_apart")[0]  # through load_pack, which is in another file
    file, line = worst.line.rsplit(":", 1)
    assert file == "tests/cuda/planted/accesses.cu"
    assert "load_pack<4>(&tile[threadIdx.x][0])" in source[int(line) - 1]
    assert str(worst) == f"{worst.line} shared load of 16 bytes: 1 requests, 32.0 wavefronts each, 4.0 at best"
    worst = run("strided")[0]
    assert "x[8 * threadIdx.x]" in source[int(worst.line.rsplit(":", 1)[1]) - 1]
    assert str(worst) == f"{worst.line} global load of 4 bytes: 1 requests, 32.0 sectors each, 4.0 at best"


def test_a_table_names_each_kernels_worst_line(run: Run) -> None:
    table = gpu_accesses.table({"strided": run("strided"), "beside": run("beside")})
    bad, good = table.splitlines()[2:]
    assert bad.startswith("| strided | 36 | 4.50 |  |  | tests/cuda/planted/accesses.cu:")
    assert "32.0 sectors" in bad
    assert good == "| beside | 8 | 1.00 |  |  |  |"
