"""Runs a family of cases: our process and the peer's take turns; the answers are compared before anything is timed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Case

ROOT = Path(__file__).parents[1]
# glibc gives large blocks back to the system at each free, and fresh memory is slow; so this suits PyTorch best.
BEST_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592"}


class WrongAnswer(AssertionError):
    """Ours and the peer's differ: nothing is timed."""


class Process:
    """A worker and the pipe to it."""

    def __init__(
        self,
        python: str,
        library: str,
        environment: dict[str, str] | None = None,
        command: Sequence[str] = ("-m", "bench.worker"),
    ) -> None:
        env = {**os.environ, **(environment or {})}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))
        self.library = library
        self._process = subprocess.Popen(
            [python, *command, library],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.library} ended with code {self._process.wait()} in {do}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"{self.library}, {do} {arguments}:\n{reply['error']}")
        return reply

    def kill(self) -> None:
        """Ends it at once; a question that waits for its answer fails."""
        self._process.kill()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def has_torch(python: str) -> bool:
    found = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    return found.returncode == 0


@dataclass
class Settings:
    """How to measure.

    Attributes:
        rounds: turns each library takes.
        seconds: how long one turn measures at least.
        smoke: tiny inputs, one short turn: does everything still run?
        peer: the Python that has PyTorch; None if there is none.
        match: only cases whose name contains this.
        versions: of the libraries, filled in.
        kept: the processes that serve one family after another: to start them takes longer than tiny inputs do. None:
            fresh ones for each.
    """

    rounds: int = 5
    seconds: float = 0.3
    smoke: bool = False
    peer: str | None = None
    match: str = ""
    versions: dict[str, Any] = field(default_factory=dict)
    kept: list[Process] | None = None


def difference(ours: str, theirs: str, kinks: float = 0) -> float:
    """The largest difference of two answers, each array over the root mean square of the peer's.

    kinks: the share of places left out, the most different ones (see Case).
    """
    worst = 0.0
    with np.load(ours) as a, np.load(theirs) as b:
        if set(a.files) != set(b.files):
            raise WrongAnswer(f"answers have {a.files} and {b.files}")
        for key in b.files:
            if a[key].shape != b[key].shape:
                raise WrongAnswer(f"{key}: {a[key].shape} and {b[key].shape} values")
            if a[key].size:
                scale = float(np.sqrt(np.mean(b[key] ** 2))) or 1.0
                errors = np.abs(a[key] - b[key]).ravel()
                if not np.isfinite(errors).all():  # not among the kinks either
                    return float("inf")
                most = errors.size - 1 - int(kinks * errors.size)
                worst = max(worst, float(np.partition(errors, most)[most] if kinks else errors.max()) / scale)
    return worst


def run_family(module: str, settings: Settings) -> dict[str, Any]:
    """Measures all cases of a family; returns the machine's limits and the rows."""
    family = importlib.import_module(module)
    cases = [c for c in family.cases(settings.smoke) if settings.match in c.name]
    with tempfile.TemporaryDirectory() as folder, _processes(family, settings) as (ours, peers):
        settings.versions["lamina"] = ours.ask("hello")
        for _, process in peers:
            settings.versions["torch"] = process.ask("hello")
        machine = ours.ask("machine", seconds=0.01 if settings.smoke else 0.4)
        rows = []
        for case in cases:
            row = _measure(module, case, ours, peers, settings, Path(folder))
            print(_smoke_line(row) if settings.smoke else _line(row), flush=True)
            rows.append(row)
    return {"machine": machine, "rows": rows}


@contextmanager
def _processes(family: Any, settings: Settings) -> Iterator[tuple[Process, list[tuple[str, Process]]]]:
    """Ours, and the peer's by the columns that they fill."""
    running = settings.kept if settings.kept is not None else []
    try:
        if not running:
            running.append(Process(sys.executable, "lamina"))
            if settings.peer:
                running.append(Process(settings.peer, "torch", BEST_MALLOC))
        peers = [("peer", process) for process in running[1:2]]
        if peers and getattr(family, "DEFAULT_MALLOC", False) and not settings.smoke:
            running.append(Process(settings.peer or "", "torch"))
            peers.append(("peer_default", running[-1]))
        yield running[0], peers
    finally:
        if settings.kept is None:
            for process in running:
                process.close()


def _measure(
    module: str, case: Case, ours: Process, peers: list[tuple[str, Process]], settings: Settings, folder: Path
) -> dict[str, Any]:
    everyone = [("ours", ours), *peers]
    for name, process in everyone:
        process.ask("prepare", module=module, name=case.name, smoke=settings.smoke, answer=str(folder / f"{name}.npz"))
    row: dict[str, Any] = {"case": case.name, "flops": case.flops, "bytes": case.bytes}
    if peers:
        row["difference"] = difference(str(folder / "ours.npz"), str(folder / "peer.npz"), case.kinks)
        if row["difference"] > case.tolerance:
            raise WrongAnswer(
                f"{case.name}: the answers differ by {row['difference']:.2g}, allowed {case.tolerance:.2g}"
            )
    least = 1 if settings.smoke else 3
    for _ in range(settings.rounds):
        for name, process in everyone:
            for threads in (0,) if process is ours else case.threads:
                took = process.ask("time", seconds=settings.seconds, least=least, threads=threads)["seconds"]
                if took < row.get(name, float("inf")):
                    row[name] = took
                    if name == "peer" and len(case.threads) > 1:
                        row["peer_threads"] = threads
    for _, process in everyone:
        process.ask("drop")
    return row


def _smoke_line(row: dict[str, Any]) -> str:
    """Times of tiny inputs mean nothing: only whether it ran, and whether the answers agree."""
    agree = f"agrees to {row['difference']:.1g}" if "difference" in row else "peer not measured"
    return f"{row['case']:<44} runs, {agree}"


def _line(row: dict[str, Any]) -> str:
    text = f"{row['case']:<44} {row['ours'] * 1e6:>12.1f} us"
    if "peer" in row:
        text += f"   torch {row['peer'] * 1e6:>12.1f} us   ratio {row['peer'] / row['ours']:.2f}"
    if "peer_default" in row:
        text += f"   (default malloc {row['peer_default'] / row['ours']:.2f})"
    return text
