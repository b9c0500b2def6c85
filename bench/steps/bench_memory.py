"""The most memory that a process has had resident after steps of training ResNet-50: library, weights, Adam, all."""

from __future__ import annotations

import sys
from typing import Any

from bench.bench_import import printed
from bench.harness import ROOT, Settings

SCRIPT = """
import resource, sys
sys.path.insert(0, {root!r})
from bench.steps import {module}
prepared = next(c for c in {module}.cases({smoke}) if "training step" in c.name)
work = prepared.{library}(prepared.inputs())
for _ in range(3):
    work.run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure(settings: Settings) -> list[dict[str, Any]]:
    rows = []
    for name, module in (("ResNet-50", "bench_resnet50"),):
        row: dict[str, Any] = {"case": f"{name}, training step, peak resident memory", "unit": "MB"}
        for key, python, library in (("ours", sys.executable, "lamina"), ("peer", settings.peer, "torch")):
            if python is not None:
                script = SCRIPT.format(root=str(ROOT), module=module, smoke=settings.smoke, library=library)
                row[key] = printed(python, script) * 1024 / 1e6
        rows.append(row)
    return rows
