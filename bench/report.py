"""Tables and the roofline picture out of measured rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

Result = dict[str, Any]


def duration(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def ratios(rows: list[dict[str, Any]], key: str = "peer") -> list[float]:
    return [row[key] / row["ours"] for row in rows if key in row]


def mean(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(rows: list[dict[str, Any]]) -> str:
    found = ratios(rows)
    if not found:
        return "PyTorch: not measured."
    return f"PyTorch / ours: {mean(found):.2f} in the geometric mean, {min(found):.2f} to {max(found):.2f}."


def _row(row: dict[str, Any], machine: dict[str, Any], default: bool) -> str:
    peer = row.get("peer")
    if "unit" in row:
        cells = [f"{row['ours']:.1f} {row['unit']}", "", "", f"{peer:.1f} {row['unit']}" if peer else "not measured"]
    else:
        rate = share = ""
        if row["flops"]:
            rate = f"{row['flops'] / row['ours'] / 1e9:.1f} GFLOP/s"
            share = f"{row['flops'] / row['ours'] / machine['all_cores_flops']:.0%} of peak"
        elif row["bytes"]:
            rate = f"{row['bytes'] / row['ours'] / 1e9:.1f} GB/s"
            share = f"{row['bytes'] / row['ours'] / machine['all_cores_bandwidth']:.0%} of bandwidth"
        cells = [duration(row["ours"]), rate, share, duration(peer) if peer else "not measured"]
    cells.append(f"{peer / row['ours']:.2f}" if peer else "")
    if default:
        cells.append(f"{row['peer_default'] / row['ours']:.2f}" if "peer_default" in row else "")
    return "| " + " | ".join([row["case"], *cells]) + " |"


def table(family: Result) -> str:
    """A family's rows in Markdown."""
    default = any("peer_default" in row for row in family["rows"])
    head = ["case", "Lamina", "rate", "share", "PyTorch", "PyTorch / ours"]
    if default:
        head.append("the same, PyTorch as installed")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [_row(row, family["machine"], default) for row in family["rows"]]
    return "\n".join(lines)


def machine_line(m: dict[str, Any]) -> str:
    flops, bandwidth = m["all_cores_flops"] / 1e9, m["all_cores_bandwidth"] / 1e9
    one_flops, one_bandwidth = m["one_core_flops"] / 1e9, m["one_core_bandwidth"] / 1e9
    return (
        f"{m['cpu']}, {m['cores']} cores, {m['isa']}: {flops:.0f} GFLOP/s of float32 multiply-adds "
        f"({one_flops:.0f} on one core), {bandwidth:.0f} GB/s of copying ({one_bandwidth:.0f} on one core)."
    )


def markdown(results: Result) -> str:
    parts = [
        "# Measured",
        "Written by `python bench/run.py`; docs/benchmarks.md says how, and what the columns mean.",
        "PyTorch / ours above 1: Lamina is faster.",
    ]
    for name, family in results["families"].items():
        v = family["versions"]
        peer = f", PyTorch {v['torch']['version']}" if "torch" in v else ""
        parts += [
            f"## {name}",
            f"{machine_line(family['machine'])} Lamina {v['lamina']['version']}{peer}, {family['date']}.",
            table(family),
            summary(family["rows"]),
        ]
    return "\n\n".join(parts) + "\n"


def roofline(results: Result, path: Path) -> None:
    """GFLOP/s over FLOP a byte for every row that has both, beside the machine's limits."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    families = {
        name: rows
        for name, family in results["families"].items()
        if (rows := [r for r in family["rows"] if r.get("flops") and r.get("bytes")])
    }
    if not families:
        return
    machine = results["families"][next(iter(families))]["machine"]
    peak, bandwidth = machine["all_cores_flops"], machine["all_cores_bandwidth"]
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    intensity = [0.1 * 1.1**i for i in range(110)]
    axes.plot(intensity, [min(peak, bandwidth * i) / 1e9 for i in intensity], color="black", label="this machine")
    for i, (name, rows) in enumerate(families.items()):
        x = [r["flops"] / r["bytes"] for r in rows]
        axes.scatter(x, [r["flops"] / r["ours"] / 1e9 for r in rows], s=22, color=f"C{i}", label=f"{name}, Lamina")
        with_peer = [(a, r) for a, r in zip(x, rows, strict=True) if "peer" in r]
        if with_peer:
            y = [r["flops"] / r["peer"] / 1e9 for _, r in with_peer]
            label = f"{name}, PyTorch"
            axes.scatter([a for a, _ in with_peer], y, s=22, marker="x", color=f"C{i}", alpha=0.6, label=label)
    axes.set(xscale="log", yscale="log", xlabel="floating-point operations a byte", ylabel="GFLOP/s")
    axes.set_title("Above the roof: Winograd, which does fewer operations than are counted", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
