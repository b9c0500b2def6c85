"""The GPU's kernels beside a copy on the device, the roof of memory-bound work: ``python bench/cuda_ops.py OUTPUT``.

Every answer is compared with the CPU's, bit by bit, before it is timed. Writes cuda.json and cuda.md.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy
import numpy as np

from lamina import _cpu, _cuda

SIZE = 1 << 26  # float32 values: 256 MB, more than any cache holds
REPEATS = 30


def best_time(run: Callable[[], Any]) -> float:
    """Seconds of the fastest run, by the device's own clock."""
    best = float("inf")
    for _ in range(3):
        run()
    for _ in range(REPEATS):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        run()
        end.record()
        end.synchronize()
        best = min(best, cupy.cuda.get_elapsed_time(start, end) / 1e3)
    return best


def relu_rows(stream: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    x, dy = (random.standard_normal(SIZE, np.float32) for _ in range(2))
    y, dx = np.empty_like(x), np.empty_like(x)
    _cpu.relu_forward(x, y)
    _cpu.relu_backward(y, dy, dx)
    on_device = [cupy.asarray(a) for a in (x, dy)]
    out = [cupy.empty_like(on_device[0]) for _ in range(2)]

    def forward() -> None:
        _cuda.relu_forward(on_device[0], out[0], stream)

    def backward() -> None:
        _cuda.relu_backward(out[0], on_device[1], out[1], stream)

    rows = []
    for name, run, index, expected, arrays in (("relu", forward, 0, y, 2), ("relu gradient", backward, 1, dx, 3)):
        run()
        np.testing.assert_array_equal(cupy.asnumpy(out[index]), expected)
        rows.append({"case": name, "seconds": best_time(run), "bytes": 4 * SIZE * arrays})
    return rows


def main(output: Path) -> None:
    stream = cupy.cuda.get_current_stream().ptr
    x = cupy.ones(SIZE, cupy.float32)
    y = cupy.empty_like(x)
    rows = [{"case": "copy", "seconds": best_time(lambda: cupy.copyto(y, x)), "bytes": 8 * SIZE}]
    rows += relu_rows(stream)
    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    result = {"device": name, "date": datetime.date.today().isoformat(), "status": _cuda.status(), "rows": rows}
    output.mkdir(parents=True, exist_ok=True)
    (output / "cuda.json").write_text(json.dumps(result, indent=1) + "\n")
    copy = rows[0]["bytes"] / rows[0]["seconds"]
    lines = [
        f"# Measured on {name}, {result['date']}",
        "",
        "| case | time | GB/s | share of a copy |",
        "|---|---|---|---|",
    ]
    for row in rows:
        rate = row["bytes"] / row["seconds"]
        lines.append(f"| {row['case']} | {row['seconds'] * 1e6:.1f} us | {rate / 1e9:.0f} | {rate / copy:.0%} |")
    (output / "cuda.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
