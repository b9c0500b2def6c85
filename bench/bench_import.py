"""What is no op: the import, the wheel, and resident memory over many calls. `measure` gives rows of one value each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.harness import ROOT, Settings

IMPORT = """
import time, numpy
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""
MEMORY = """
import numpy as np
from lamina.layers import Dense
from lamina.models import Sequential

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * {page}

{build}
for i in range({warm}):
    run()
before = resident()
for i in range({count}):
    run()
print(resident() - before)
"""
PREDICT = """
model = Sequential([Dense(4, activation="relu", input_shape=(18,)), Dense(3, activation="relu"), Dense(1)])
x = np.ones((1, 18), np.float32)
run = lambda: model.predict(x, verbose=0)
"""
FIT = """
model = Sequential([Dense(128, activation="relu", input_shape=(784,)), Dense(10, activation="softmax")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
x, y = np.ones((32, 784), np.float32), np.arange(32) % 10
run = lambda: model.train_on_batch(x, y)
"""


def printed(python: str, script: str) -> float:
    """What a script prints, in a process of its own; with bytecode cached, as an installed package has it."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "lamina-bench-bytecode")
    return float(subprocess.run([python, "-c", script], check=True, capture_output=True, text=True, env=env).stdout)


def import_time(settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = {"case": "import after numpy", "unit": "ms", "ours": float("inf")}
    for _ in range(2 if settings.smoke else 10):
        row["ours"] = min(row["ours"], 1e3 * printed(sys.executable, IMPORT.format(module="lamina")))
        if settings.peer:
            took = 1e3 * printed(settings.peer, IMPORT.format(module="torch"))
            row["peer"] = min(row.get("peer", float("inf")), took)
    return row


def growth(name: str, build: str, count: int) -> dict[str, Any]:
    script = MEMORY.format(build=build, warm=max(10, count // 10), count=count, page=os.sysconf("SC_PAGE_SIZE"))
    return {"case": name, "unit": "MB", "ours": printed(sys.executable, script) / 1e6}


def wheel() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT)]
        subprocess.run(command, check=True)
        (built,) = Path(folder).glob("*.whl")
        return {"case": "wheel", "unit": "MB", "ours": built.stat().st_size / 1e6}


def measure(settings: Settings) -> list[dict[str, Any]]:
    rows = [import_time(settings)]
    predicts, steps = (100, 20) if settings.smoke else (100_000, 1_000)
    rows.append(growth(f"resident memory, growth over {predicts:,} predicts", PREDICT, predicts))
    rows.append(growth(f"resident memory, growth over {steps:,} training steps", FIT, steps))
    if not settings.smoke:
        rows.append(wheel())
    return rows
