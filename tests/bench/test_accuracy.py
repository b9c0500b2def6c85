"""bench/accuracy.py: figures against their aims, what is kept, and that it knows the examples."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import accuracy
from bench.accuracy import EXAMPLES, Figure

ROOT = Path(accuracy.__file__).resolve().parents[1]


def test_a_figure_is_measured_against_its_aim():
    assert Figure("right", float, 0.98, "{:.1%}").row(0.992) == {
        "what": "right", "aim": "98.0%", "reached": "99.2%", "value": 0.992, "met": True,
    }  # fmt: skip
    assert not Figure("right", float, 0.98).row(0.97)["met"]
    assert Figure("falls", accuracy.falls, 0, "{:.0f}", most=True).row([3, 2, 1]) == {
        "what": "falls", "aim": "at most 0", "reached": "0", "value": 0, "met": True,
    }  # fmt: skip
    assert not Figure("falls", accuracy.falls, 0, most=True).row([3, 2, 2])["met"]
    assert Figure("share", float).row(0.5)["met"] is None


def test_not_a_number_meets_no_aim():
    assert not Figure("right", float, 0.98).row(float("nan"))["met"]
    assert not Figure("loss", float, 1, most=True).row(float("nan"))["met"]


def test_figures_are_read_out_of_what_examples_return():
    bert = [[5.0, 0.5], [4.0, 0.7], [4.5, 0.8]], [[0.6, 0.7], [0.5, 0.8]]
    assert [figure.row(bert)["value"] for figure in EXAMPLES["bert"].figures] == pytest.approx([1, 0, 1, 0.65, 0.65])
    gan = {"d_accuracy": 0.42, "confidence": 0.9, "classes": [0.1] * 9 + [0.001]}
    assert [figure.row(gan)["value"] for figure in EXAMPLES["gan"].figures] == pytest.approx([0.08, 9, 0.001, 0.9])
    gan["distance"] = {2: 10.0, 4: 4.0}
    assert EXAMPLES["dcgan"].figures[1].row(gan)["value"] == pytest.approx(0.4)
    assert [figure.row({"normal noise": (10, 17), "salt and pepper": (10, 15)})["met"]
            for figure in EXAMPLES["denoising"].figures] == [True, False]  # fmt: skip


def test_every_row_names_an_example():
    missing = [name for name, row in EXAMPLES.items() if not (ROOT / "examples" / f"{row.file}.py").is_file()]
    assert not missing


def test_other_rows_are_kept(tmp_path, monkeypatch, capsys):
    def measure(name, small):
        row = Figure("right", float, 0.9).row(values[name])
        return {"figures": [row], "seconds": 61.0, "processor_seconds": 60.0, "threads": 1, "cpu": "a chip",
                "version": "1", "date": "2026-01-01"}  # fmt: skip

    monkeypatch.setattr(accuracy, "measure", measure)
    for values in ({"unet": 0.95, "yolo": 0.5}, {"yolo": 0.92}):
        monkeypatch.setattr(sys, "argv", ["accuracy.py", *values, "--output", str(tmp_path)])
        accuracy.main()
    found = json.loads((tmp_path / "accuracy.json").read_text())
    assert {name: row["figures"][0]["value"] for name, row in found.items()} == {"yolo": 0.92, "unet": 0.95}
    text = (tmp_path / "accuracy.md").read_text()
    assert "| yolo | right | 0.900 | 0.920 | met | 61 | 60 | 1 |" in text
    assert "- a chip, lamina 1, 2026-01-01" in text


def test_what_fails_keeps_the_rest_and_is_said(tmp_path, monkeypatch, capsys):
    def measure(name, small):
        raise subprocess.CalledProcessError(3, name)

    monkeypatch.setattr(accuracy, "measure", measure)
    (tmp_path / "accuracy.json").write_text('{"unet": {"kept": 1}}')
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "unet", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="unet ended with 3"):
        accuracy.main()
    assert json.loads((tmp_path / "accuracy.json").read_text()) == {"unet": {"kept": 1}}


def test_unknown_examples_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "yollo"])
    with pytest.raises(SystemExit):
        accuracy.main()
    assert "unknown examples yollo; expected some of resnet, yolo" in capsys.readouterr().err


def test_a_small_run_ends_with_figures():
    row = accuracy.measure("glove", small=True)
    assert row["example"] == "glove.py"
    assert row["figures"][0]["met"]
    assert row["processor_seconds"] > 0


def test_no_figure_breaks_the_table():
    figure = Figure("|a - b|", float, 0.1, most=True).row(0.05)
    row = {"figures": [figure], "seconds": 1.0, "processor_seconds": 1.0, "threads": 1, "cpu": "a chip", "version": "1",
           "date": "2026-01-01"}  # fmt: skip
    assert "| gan | \\|a - b\\| | at most 0.100 | 0.050 | met | 1 | 1 | 1 |" in accuracy.markdown({"gan": row})
