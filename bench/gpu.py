"""Measures on a GPU, beside PyTorch: ``python -m bench.gpu [families] [--limit SECONDS] [--smoke]``.

Writes bench/results/<gpu>.json after every row and <gpu>.md at the end, and prints the table last. bench/on_gpu.sh runs
it with all that comes before. The exit status is 0 where every row was measured or is known to be missing, 1 where an
answer was wrong or a row failed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.gpu_cases import FAMILIES
from bench.harness import ROOT, Process
from bench.report import duration, mean

COMMAND = ("-m", "bench.gpu_worker")
START, EACH = 90.0, 30.0  # the most seconds that a worker may take to start, and for a row
TURN = 4  # rows of a family before the next one's: a run that is cut has some of every family


class Team:
    """A worker that is started again where it died, or had to be ended."""

    def __init__(self, smoke: bool) -> None:
        self._smoke = smoke
        self._process: Process | None = None
        self.hello: dict[str, Any] = {}

    def ask(self, do: str, limit: float, **arguments: Any) -> dict[str, Any]:
        """The worker's answer; RuntimeError if it has none within `limit` seconds, or died."""
        if self._process is None:
            self._process = Process(sys.executable, "--smoke" if self._smoke else "--full", command=COMMAND)
            self.hello = self._within(START, "hello")
        return self._within(limit, do, **arguments)

    def _within(self, limit: float, do: str, **arguments: Any) -> dict[str, Any]:
        assert self._process is not None
        timer = threading.Timer(limit, self._process.kill)
        timer.start()
        try:
            return self._process.ask(do, **arguments)
        except (RuntimeError, OSError, ValueError):
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.close()


def measure(families: list[str], limit: float, seconds: float, smoke: bool, folder: Path) -> dict[str, Any]:
    """All rows that fit into `limit` seconds; what was measured is written after each."""
    end = time.monotonic() + limit
    team = Team(smoke)
    results: dict[str, Any] = {"date": datetime.date.today().isoformat(), "complete": False, "families": {}}
    try:
        counts = team.ask("rows", START, families=families)
        results["machine"] = team.hello
        results["families"] = {family: [] for family in counts}
        for family, index in turns(counts):
            if time.monotonic() > end:
                return results
            try:
                row = team.ask("measure", EACH, family=family, index=index, seconds=seconds)
            except (RuntimeError, OSError, ValueError) as error:
                row = {"case": _name(family, index, smoke), "failed": str(error).strip().splitlines()[-1][:200]}
            results["families"][family].append(row)
            print(line(row), flush=True)
            write(results, folder)
        results["complete"] = True
    finally:
        team.close()
    return results


def turns(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The order of the rows: some of each family, then some more. Example: turns({"gemm": 9}) is ("gemm", 0), ..."""
    return [
        (family, index)
        for start in range(0, max(counts.values(), default=0), TURN)
        for family, count in counts.items()
        for index in range(start, min(start + TURN, count))
    ]


def _name(family: str, index: int, smoke: bool) -> str:
    row = FAMILIES[family](smoke)[index]
    return f"{row.case.name}, {row.dtype}"


def line(row: dict[str, Any]) -> str:
    """What is printed of a row when it is measured."""
    name = f"{row['case']:<58} {row.get('dtype', ''):<9}"
    if note := noted(row):
        return f"{name} {note}"
    return f"{name} {duration(row['ours']):>10} {ratio(row) or 'PyTorch not measured'}"


def noted(row: dict[str, Any]) -> str:
    """Why a row has no time of ours; empty if it has."""
    for key in ("wrong", "failed", "ours_missing"):
        if key in row:
            return f"{'not there' if key == 'ours_missing' else key}: {row[key]}"
    return ""


def ratio(row: dict[str, Any]) -> str:
    return f"{row['peer'] / row['ours']:.2f}" if "peer" in row and "ours" in row else ""


def missed(row: dict[str, Any]) -> bool | None:
    """Whether a goal was missed; None where there is none, or no time to compare."""
    if row.get("rate_goal") and "ours" in row:
        return bool(row["flops"] / row["ours"] / 1e12 < row["rate_goal"])
    if row.get("goal") and "ours" in row and "peer" in row:
        return bool(row["peer"] / row["ours"] < row["goal"])
    return None


def cells(row: dict[str, Any], bandwidth: float) -> list[str]:
    """A row of the table."""
    dtype = row.get("dtype", "")
    if note := noted(row):
        return [row["case"], dtype, note, "", "", "", "", ""]
    rate = share = ""
    if row["flops"]:
        rate = f"{row['flops'] / row['ours'] / 1e12:.1f} TFLOP/s"
    elif row["bytes"]:
        rate = f"{row['bytes'] / row['ours'] / 1e9:.0f} GB/s"
        share = f"{row['bytes'] / row['ours'] / bandwidth:.0%}"
    goal = f"{row['rate_goal']:.0f} TFLOP/s" if row.get("rate_goal") else f"{row['goal']}" if row.get("goal") else ""
    if goal:
        goal += {True: ", missed", False: ", met", None: ""}[missed(row)]
    peer = duration(row["peer"]) if "peer" in row else "not measured"
    return [row["case"], dtype, duration(row["ours"]), rate, share, peer, ratio(row), goal]


def markdown(results: dict[str, Any]) -> str:
    m = results["machine"]
    versions = [f"{name} {m[key]}" for name, key in (("Lamina", "lamina"), ("PyTorch", "torch")) if key in m]
    lines = [
        f"# Measured on {m['gpu']}, {results['date']}",
        "",
        f"{', '.join(versions)}; a copy moves {m['bandwidth'] / 1e9:.0f} GB/s. Written by `bench/on_gpu.sh`;",
        "docs/benchmarks.md says what the columns mean. PyTorch / ours above 1: Lamina is faster.",
    ]
    if not results["complete"]:
        lines += ["", "The time was up before all was measured: what is missing was not measured."]
    head = ["case", "dtype", "Lamina", "rate", "of a copy", "PyTorch", "PyTorch / ours", "goal"]
    for family, rows in results["families"].items():
        if not rows:  # the time was up before
            continue
        lines += ["", f"## {family}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(cells(row, m["bandwidth"])) + " |" for row in rows]
    every = [row for rows in results["families"].values() for row in rows]
    found = [row["peer"] / row["ours"] for row in every if "peer" in row and "ours" in row]
    goals = [missed(row) for row in every if missed(row) is not None]
    lines += ["", f"{len(every)} rows, {sum(bool(noted(row)) for row in every)} of them without a time."]
    if found:
        lines.append(f"PyTorch / ours: {mean(found):.2f} in the geometric mean, {min(found):.2f} to {max(found):.2f}.")
    if goals:
        lines.append(f"Goals met: {goals.count(False)} of {len(goals)}.")
    return "\n".join(lines) + "\n"


def file_name(gpu: str) -> str:
    """Example: "NVIDIA H200" is nvidia-h200."""
    return re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")


def write(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name(results["machine"]["gpu"])
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name}.md").write_text(markdown(results))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Lamina beside PyTorch on a GPU, answers compared first.")
    parser.add_argument("families", nargs="*", metavar="family", help=f"of {', '.join(FAMILIES)} (default: all)")
    parser.add_argument("--limit", type=float, default=600.0, help="begin no row after so many seconds (600)")
    parser.add_argument("--seconds", type=float, default=0.1, help="how long a time is taken (0.1)")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs; without a GPU on the tests' stand-in")
    parser.add_argument("--output", type=Path, help="where results go (bench/results; with --smoke nowhere that stays)")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.families) - FAMILIES.keys():
        parser.error(f"unknown families {', '.join(sorted(unknown))}; expected some of {', '.join(FAMILIES)}")
    with contextlib.ExitStack() as stack:
        folder = chosen.output or ROOT / "bench" / "results"
        if chosen.smoke and chosen.output is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        results = measure(chosen.families or list(FAMILIES), chosen.limit, chosen.seconds, chosen.smoke, folder)
        write(results, folder)
    print("\n" + markdown(results))
    rows = [row for rows in results["families"].values() for row in rows]
    return 1 if any("wrong" in row or "failed" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
