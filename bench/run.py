"""Runs the benchmarks: ``python bench/run.py [families] [--rounds N] [--smoke]``. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import harness, report

FAMILIES = {
    "gemm": "bench.ops.bench_gemm",
    "conv2d": "bench.ops.bench_conv2d",
    "conv2d_pool": "bench.ops.bench_conv2d_pool",
    "conv_family": "bench.ops.bench_conv_family",
    "pool2d": "bench.ops.bench_pool2d",
    "batch_norm": "bench.ops.bench_batch_norm",
    "norms": "bench.ops.bench_norms",
    "embedding": "bench.ops.bench_embedding",
    "simple_rnn": "bench.ops.bench_simple_rnn",
    "lstm": "bench.ops.bench_lstm",
    "gru": "bench.ops.bench_gru",
    "attention": "bench.ops.bench_attention",
    "optimizers": "bench.ops.bench_optimizers",
    "activations": "bench.ops.bench_activations",
    "losses": "bench.ops.bench_losses",
    "arrays": "bench.ops.bench_arrays",
    "image": "bench.ops.bench_image",
    "regions": "bench.ops.bench_regions",
    "mlp": "bench.steps.bench_mlp",
    "cnn": "bench.steps.bench_cnn",
    "lstm_step": "bench.steps.bench_lstm_step",
    "transformer": "bench.steps.bench_transformer",
    "fit": "bench.steps.bench_fit",
    "predict": "bench.steps.bench_predict",
    "generative": "bench.steps.bench_generative",
    "word2vec": "bench.steps.bench_word2vec",
    "bert": "bench.steps.bench_bert",
    "resnet50": "bench.steps.bench_resnet50",
    "vgg16": "bench.steps.bench_vgg16",
    "memory": "bench.steps.bench_memory",
    "import": "bench.bench_import",
}


def cpu_name() -> str:
    """As the system has it; hypervisors hide names, so with the family, which tells how wide the units are."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            fields = [line.split(":", 1) for line in file if ":" in line]
    except OSError:
        return platform.processor() or platform.machine()
    first = {key.strip(): value.strip() for key, value in reversed(fields)}
    name = first.get("model name", platform.machine())
    return f"{name} (family {first['cpu family']})" if "cpu family" in first else name


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Lamina beside PyTorch, in turns, answers compared first.")
    parser.add_argument("families", nargs="*", metavar="family", help=f"of {', '.join(FAMILIES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="turns each library takes (default: 5)")
    parser.add_argument("--seconds", type=float, default=0.3, help="the least that a turn measures (default: 0.3)")
    parser.add_argument("--match", default="", help="only cases whose name contains this; results are not kept")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, one short turn: does everything still run?")
    parser.add_argument("--output", type=Path, default=harness.ROOT / "bench" / "results", help="where results go")
    parser.add_argument(
        "--peer-python",
        default=os.environ.get("LAMINA_PEER_PYTHON", sys.executable),
        help="a Python that has PyTorch (default: $LAMINA_PEER_PYTHON, or this one)",
    )
    parsed = parser.parse_args()
    if unknown := set(parsed.families) - FAMILIES.keys():
        parser.error(f"unknown families {', '.join(sorted(unknown))}; expected some of {', '.join(FAMILIES)}")
    return parsed


def measure(name: str, settings: harness.Settings) -> dict[str, Any]:
    module = importlib.import_module(FAMILIES[name])
    if hasattr(module, "cases"):
        return harness.run_family(FAMILIES[name], settings)
    with harness.Process(sys.executable, "lamina") as ours:
        settings.versions["lamina"] = ours.ask("hello")
        machine = ours.ask("machine", seconds=0.01 if settings.smoke else 0.4)
    rows = module.measure(settings)
    for row in rows:
        peer = f", PyTorch {row['peer']:.2f}" if "peer" in row else ""
        print(f"{row['case']:<52} {row['ours']:.2f} {row['unit']}{peer}", flush=True)
    return {"machine": machine, "rows": rows}


def raise_peaks(families: dict[str, Any]) -> None:
    """A machine's peaks are the highest that any family's run found on it: a neighbour can only lower them."""
    for family in families.values():
        machine = family["machine"]
        same = [other["machine"] for other in families.values() if other["machine"].get("cpu") == machine.get("cpu")]
        for peak in ("one_core_flops", "all_cores_flops", "one_core_bandwidth", "all_cores_bandwidth"):
            machine[peak] = max(other[peak] for other in same)


def write(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "cpu.md").write_text(report.markdown(results))
    report.roofline(results, folder / "roofline.png")


def main() -> None:
    options = arguments()
    peer = options.peer_python if harness.has_torch(options.peer_python) else None
    if peer is None:
        print("no PyTorch here: the peer is not measured")
    file = options.output / "cpu.json"
    results: dict[str, Any] = {"families": {}}
    kept: list[harness.Process] | None = [] if options.smoke else None
    if file.exists() and not options.smoke:
        results = json.loads(file.read_text())
    for name in options.families or FAMILIES:
        print(f"\n== {name}", flush=True)
        rounds, seconds = (1, 0.005) if options.smoke else (options.rounds, options.seconds)
        settings = harness.Settings(rounds, seconds, options.smoke, peer, options.match, kept=kept)
        family = measure(name, settings)
        family["machine"]["cpu"] = cpu_name()
        family["versions"] = settings.versions
        family["date"] = datetime.date.today().isoformat()
        if not options.smoke:
            print(report.summary(family["rows"]))
        results["families"][name] = family
        results["families"] = {known: results["families"][known] for known in FAMILIES if known in results["families"]}
        raise_peaks(results["families"])
        if not options.match:
            write(results, options.output)  # after each family: a long run that is cut short keeps what it has
    for process in kept or []:
        process.close()
    if not options.match:
        print(f"\nwritten: {options.output}")


if __name__ == "__main__":
    main()
