"""The benchmark on a GPU, without one: Lamina's side on the stand-in, the tables, the shell script."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import gpu, gpu_cases, gpu_worker, harness
from bench.place import PLACE

ROOT = Path(__file__).parents[2]
ROW: dict[str, Any] = {"case": "a", "dtype": "float32", "flops": 0, "bytes": 0, "goal": None, "rate_goal": None}


# The rows


def test_every_family_runs_on_tiny_inputs(tmp_path: Path) -> None:
    assert gpu.main(["--smoke", "--output", str(tmp_path)]) == 0
    (found,) = tmp_path.glob("*.json")
    results = json.loads(found.read_text())
    assert results["complete"]
    assert list(results["families"]) == list(gpu_cases.FAMILIES)
    for family, rows in results["families"].items():
        assert len(rows) == len(gpu_cases.FAMILIES[family](True)) > 0
        for row in rows:
            if row["dtype"] == "float32":
                assert row["ours"] > 0, row
    assert "| gemm 17x33x40 nn | float32 |" in found.with_suffix(".md").read_text()


def test_names_are_unique_and_goals_are_set() -> None:
    rows = [row for family in gpu_cases.FAMILIES.values() for row in family(False)]
    names = [(row.case.name, row.dtype) for row in rows]
    assert len(set(names)) == len(names)
    for row in rows:
        assert row.goal or row.rate_goal or row.whole, row.case.name
        assert row.whole or row.case.flops or row.case.bytes, row.case.name


# The worker


class Clock:
    """Gives what the next call is said to take."""

    def __init__(self) -> None:
        self.calls = 0

    def synchronize(self) -> None:
        pass

    def best(self, run: Any, seconds: float) -> tuple[float, float]:
        run()
        self.calls += 1
        return 0.5, 2.0


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    import lamina

    before = vars(PLACE).copy()
    with lamina.device("cpu"):
        made = gpu_worker.Worker(smoke=True)
        made.torch = None
        made.real = False
        made.clock = Clock()
        yield made
    vars(PLACE).update(before)


def test_kernels_are_timed_by_the_device_and_steps_by_the_wall(worker: Any) -> None:
    row = worker.measure("gemm", 0, 0.01)
    assert (row["ours"], row["ours_wall"], worker.clock.calls) == (0.5, 2.0, 1)
    assert "peer" not in row
    assert worker.measure("steps", 0, 0.01)["ours"] == 2.0


def test_the_clock_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[str] = []

    class Event:
        def record(self) -> None:
            did.append("event")

        def synchronize(self) -> None:
            did.append("wait")

    device = SimpleNamespace(synchronize=lambda: did.append("synchronize"))
    fake = SimpleNamespace(cuda=SimpleNamespace(
        Event=Event, Device=lambda: device, get_elapsed_time=lambda start, end: 40.0
    ))  # fmt: skip
    torch = SimpleNamespace(cuda=SimpleNamespace(_sleep=lambda cycles: did.append("delay")))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    clock = gpu_worker.DeviceClock(torch)
    monkeypatch.setattr(gpu_worker.time, "perf_counter", iter(np.arange(0, 1000, 0.01)).__next__)  # 10 ms a look
    device_time, wall = clock.best(lambda: did.append("run"), 0.001)
    assert device_time == pytest.approx(0.040)
    assert wall == pytest.approx(0.01)
    assert did[:6] == ["run", "run", "run", "synchronize", "run", "synchronize"]
    turn = [
        "event",
        "run",
        "event",
        "wait",
        "run",
        "synchronize",
    ]  # to start takes too long for a delay
    assert did[6:] == turn * 5


def test_wrong_answers_are_not_timed(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "torch", np)  # any module: the case's own side is replaced
    monkeypatch.setattr(worker, "_gradients", lambda wanted: __import__("contextlib").nullcontext())
    row = gpu_cases.gemm(True)[0]
    wrong = gpu_worker.Prepared(lambda: None, lambda: {"c": np.ones((17, 33))})
    case = gpu_cases.replace(row.case, torch=lambda inputs: wrong)
    monkeypatch.setitem(gpu_cases.FAMILIES, "gemm", lambda smoke: [gpu_cases.replace(row, case=case)])
    found = worker.measure("gemm", 0, 0.01)
    assert "the answers differ by" in found["wrong"]
    assert "ours" not in found


def test_what_is_not_there_is_noted(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(inputs: Any) -> Any:
        raise NotImplementedError("conv2d of bfloat16\nand more")

    row = gpu_cases.gemm(True)[0]
    case = gpu_cases.replace(row.case, lamina=missing)
    monkeypatch.setitem(gpu_cases.FAMILIES, "gemm", lambda smoke: [gpu_cases.replace(row, case=case)])
    found = worker.measure("gemm", 0, 0.01)
    assert found["ours_missing"] == "NotImplementedError: conv2d of bfloat16"
    assert gpu.noted(found) == "not there: NotImplementedError: conv2d of bfloat16"


@pytest.mark.parametrize(("real", "key"), [(True, "failed"), (False, "ours_missing")])
def test_errors_of_ours_on_a_gpu_are_failures(
    real: bool, key: str, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = gpu_cases.gemm(True)[0]
    case = gpu_cases.replace(row.case, lamina=lambda inputs: "x" + 1)
    monkeypatch.setitem(gpu_cases.FAMILIES, "gemm", lambda smoke: [gpu_cases.replace(row, case=case)])
    monkeypatch.setattr(worker, "real", real)
    monkeypatch.setattr(worker, "_free", lambda: None)  # the GPU's memory
    assert worker.measure("gemm", 0, 0.01)[key].startswith("TypeError")


# The driver


def test_families_take_turns() -> None:
    found = gpu.turns({"a": 6, "b": 1, "c": 0, "d": 5})
    assert "".join(f"{family}{index}" for family, index in found) == "a0a1a2a3b0d0d1d2d3a4a5d4"
    assert gpu.turns({}) == []


def test_a_worker_that_hangs_is_ended_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import json, sys, time
for line in sys.stdin:
    command = json.loads(line)
    if command.get("hang"):
        time.sleep(60)
    print(json.dumps({"did": command["do"]}), flush=True)
"""
    monkeypatch.setattr(gpu, "COMMAND", ("-c", program))
    team = gpu.Team(smoke=True)
    assert team.ask("x", 30) == {"did": "x"}
    with pytest.raises(RuntimeError, match="ended with code"):
        team.ask("x", 0.2, hang=True)
    assert team.ask("y", 30) == {"did": "y"}
    team.close()


def test_a_family_that_fails_does_not_stop_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Team(gpu.Team):
        def ask(self, do: str, limit: float, **arguments: Any) -> dict[str, Any]:
            self.hello = {"gpu": "A GPU, 5", "lamina": "1", "bandwidth": 1e12}
            if do == "rows":
                return {"gemm": 1, "adam": 1}
            if arguments["family"] == "gemm":
                raise RuntimeError("the process of --full ended with code -11 in measure")
            return {**ROW, "case": "Adam", "ours": 1e-3, "peer": 2e-3, "bytes": 1e9, "goal": 1.0}

    monkeypatch.setattr(gpu, "Team", Team)
    assert gpu.main(["gemm", "adam", "--output", str(tmp_path)]) == 1
    text = (tmp_path / "a-gpu-5.md").read_text()
    assert "failed: the process of --full ended with code -11 in measure" in text
    assert "| Adam | float32 | 1.00 ms | 1000 GB/s | 100% | 2.00 ms | 2.00 | 1.0, met |" in text
    assert "2 rows, 1 of them without a time." in text
    assert "Goals met: 1 of 1." in text


def test_when_the_time_is_up_what_was_measured_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert gpu.main(["gemm", "--smoke", "--limit", "0", "--output", str(tmp_path)]) == 0
    (found,) = tmp_path.glob("*.md")
    assert "The time was up" in found.read_text()
    assert "## gemm" not in found.read_text()


@pytest.mark.parametrize(("more", "missed", "shown"), [
    ({"goal": 0.7, "ours": 2.0, "peer": 1.0}, True, "0.7, missed"),
    ({"goal": 0.7, "ours": 2.0}, None, "0.7"),
    ({"rate_goal": 350.0, "ours": 1e-3, "flops": 4e11}, False, "350 TFLOP/s, met"),
    ({"rate_goal": 350.0, "ours": 1e-3, "flops": 3e11, "peer": 1.0}, True, "350 TFLOP/s, missed"),
    ({"ours": 1.0, "peer": 1.0}, None, ""),
])  # fmt: skip
def test_goals(more: dict[str, Any], missed: bool | None, shown: str) -> None:
    row = {**ROW, **more}
    assert gpu.missed(row) is missed
    assert gpu.cells(row, 1e12)[-1] == shown
    assert gpu.cells(row, 1e12)[5] == ("1.00 s" if "peer" in more else "not measured")


def test_arguments_and_file_names() -> None:
    assert gpu.file_name("NVIDIA H200") == "nvidia-h200"
    with pytest.raises(SystemExit):
        gpu.main(["dance"])
    assert harness.ROOT == ROOT


# bench/on_gpu.sh, with programs that only say that they were called

PARTS = ["build", "kernels", "tests", "sanitizer", "bench"]


def on_gpu(
    folder: Path, *parts: str, fail: str = "nothing", sanitizer: str = "ERROR SUMMARY: 0 errors", **environment: str
) -> tuple[int, str, str]:
    """Its exit status, what it printed, and what it called."""
    calls = folder / "calls"
    said = f'echo "$(basename "$0") $*" >>{calls}'
    programs = {
        "nvidia-smi": "echo 'GPU 0: a GPU'",
        "nvcc": "echo release 13.0",
        "python": f'{said}; case "$*" in *{fail}*) exit 3;; esac; exit 0',
        "compute-sanitizer": f'{said}; echo "========= {sanitizer}"',
    }
    path = folder / "bin"
    path.mkdir()
    for name, text in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{text}\n")
        (path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "PYTHON": str(path / "python"),
           "BUILD": str(folder / "build"), "OUTPUT": str(folder / "results"), **environment}  # fmt: skip
    command = ["bash", str(ROOT / "bench" / "on_gpu.sh"), *parts]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr, calls.read_text()


needs_bash = pytest.mark.skipif(not shutil.which("bash") or not shutil.which("timeout"), reason="needs bash, timeout")


@needs_bash
def test_all_parts_run_in_order(tmp_path: Path) -> None:
    status, shown, calls = on_gpu(tmp_path)
    assert status == 0, shown
    assert [shown.index(f"== {part} (at ") for part in PARTS] == sorted(shown.index(f"== {p} (at ") for p in PARTS)
    for called in ("-m cmake -S . -B", "-m pytest", "tests/cuda", "-m bench.gpu --limit", "--tool racecheck"):
        assert called in calls
    assert shown.count(" ok\n") == 5


@needs_bash
def test_a_part_that_fails_does_not_stop_the_next(tmp_path: Path) -> None:
    status, shown, calls = on_gpu(tmp_path, fail="not\\ slow")
    assert status == 3
    assert "failed with 3" in shown
    assert "-m bench.gpu" in calls


@needs_bash
def test_some_parts_alone(tmp_path: Path) -> None:
    status, _, calls = on_gpu(tmp_path, "bench")
    assert status == 0
    assert "-m bench.gpu" in calls
    assert "-m pytest" not in calls
    assert "cmake" not in calls


@needs_bash
def test_a_sanitizer_that_is_not_supported_is_not_ok(tmp_path: Path) -> None:
    status, shown, _ = on_gpu(tmp_path, "sanitizer", sanitizer="Error: Device not supported")
    assert status == 0
    assert shown.count("not supported on this machine") == 4 + 1
    assert " ok\n" not in shown


@needs_bash
def test_a_table_of_an_earlier_run_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".md").write_text("old figures")  # the GPU has no name here
    _, shown, _ = on_gpu(tmp_path, "bench")
    assert "old figures" not in shown
    assert "nothing was measured" in shown


@needs_bash
def test_without_time_a_part_is_not_begun(tmp_path: Path) -> None:
    status, shown, calls = on_gpu(tmp_path, "kernels", MINUTES="1")
    assert status == 124
    assert "its time was up" in shown
    assert "-m pytest" not in calls


@needs_bash
@pytest.mark.skipif(bool(shutil.which("nvidia-smi")), reason="here may be a GPU")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "bench" / "on_gpu.sh")], capture_output=True, text=True, check=False,
        env={**os.environ, "BUILD": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "no NVIDIA GPU here" in done.stdout
