"""The benchmark harness: answers are compared, tables are right. No time is looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import harness, report, run
from bench.worker import MOST, sampled

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "isa": "v3",
    "one_core_flops": 1e11,
    "all_cores_flops": 2e11,
    "one_core_bandwidth": 2e10,
    "all_cores_bandwidth": 4e10,
}


def test_difference_is_relative_to_the_size_of_the_values(tmp_path: Path) -> None:
    ours, theirs = str(tmp_path / "a.npz"), str(tmp_path / "b.npz")
    np.savez(theirs, y=np.full(4, 100.0))
    np.savez(ours, y=np.array([100, 100, 101, 100.0]))
    assert harness.difference(ours, theirs) == pytest.approx(0.01)
    np.savez(ours, y=np.array([100, np.nan, 100, 100.0]))
    assert harness.difference(ours, theirs) == float("inf")


@pytest.mark.parametrize("answer", [{"z": np.ones(4)}, {"y": np.ones(5)}, {"y": np.ones(4), "z": np.ones(4)}])
def test_other_answers_are_wrong(tmp_path: Path, answer: dict[str, np.ndarray]) -> None:
    ours, theirs = str(tmp_path / "a.npz"), str(tmp_path / "b.npz")
    np.savez(theirs, y=np.ones(4))
    np.savez(ours, **answer)
    with pytest.raises(harness.WrongAnswer):
        harness.difference(ours, theirs)


def test_large_answers_are_sampled_alike() -> None:
    x = np.arange(3 * MOST, dtype=np.float32)
    assert MOST <= sampled(x).size <= MOST + 2
    np.testing.assert_array_equal(sampled(x), sampled(x.astype(np.float64)))
    assert sampled(x[:5]).size == 5


def test_a_family_runs_without_a_peer() -> None:
    family = harness.run_family("bench.ops.bench_activations", harness.Settings(1, 0.001, smoke=True, match="softplus"))
    assert len(family["rows"]) == 2
    assert all(row["ours"] > 0 and "peer" not in row for row in family["rows"])
    assert family["machine"]["all_cores_flops"] > 0


def test_tables_say_rates_shares_and_ratios(tmp_path: Path) -> None:
    rows = [
        {"case": "product", "flops": 1e8, "bytes": 1e6, "ours": 1e-3, "peer": 2e-3},
        {"case": "copy", "flops": 0, "bytes": 2e7, "ours": 1e-3, "peer": 0.5e-3, "peer_default": 4e-3},
        {"case": "size", "unit": "MB", "ours": 3.0},
    ]
    versions = {"lamina": {"version": "1"}, "torch": {"version": "2"}}
    family = {"machine": MACHINE, "rows": rows, "versions": versions, "date": "today"}
    text = report.markdown({"families": {"some": family}})
    assert "| product | 1.00 ms | 100.0 GFLOP/s | 50% of peak | 2.00 ms | 2.00 |  |" in text
    assert "| copy | 1.00 ms | 20.0 GB/s | 50% of bandwidth | 500.0 us | 0.50 | 4.00 |" in text
    assert "| size | 3.0 MB |  |  | not measured |  |  |" in text
    assert "1.00 in the geometric mean, 0.50 to 2.00" in text
    report.roofline({"families": {"some": family}}, tmp_path / "roofline.png")
    assert (tmp_path / "roofline.png").stat().st_size > 1000


def test_a_machine_has_the_highest_peaks_of_its_runs():
    names = ("one_core_flops", "all_cores_flops", "one_core_bandwidth", "all_cores_bandwidth")
    measured = {"a": ("x", 3), "b": ("x", 5), "c": ("y", 9)}
    families = {key: {"machine": {"cpu": cpu, **dict.fromkeys(names, peak)}} for key, (cpu, peak) in measured.items()}
    run.raise_peaks(families)
    assert [families[key]["machine"]["all_cores_flops"] for key in "abc"] == [5, 5, 9]
    assert families["a"]["machine"] == families["b"]["machine"]
