"""bench/readme.py: the README's table is that of the committed results, and what it is made of."""

import json

import pytest

from bench import readme

TEXT = f"# Before\n\n{readme.HEAD}| old | | | |\n\nAfter\n"


def families(**rows):
    return {"families": {name: {"rows": each} for name, each in rows.items()}}


def test_the_table_is_that_of_the_results():
    text = (readme.ROOT / "README.md").read_text("utf-8")
    results = json.loads((readme.ROOT / "bench/results/cpu.json").read_text("utf-8"))
    assert readme.rewritten(text, results) == text, "run python bench/readme.py"


def test_figures_of_all_cases_and_of_each(monkeypatch):
    rows = [
        {"case": "a 1", "ours": 1.0, "peer": 2.0, "peer_default": 4.0},
        {"case": "a 2", "ours": 1.0, "peer": 8.0, "peer_default": 16.0},
        {"case": "b", "ours": 1.0, "peer": 12.34},
    ]
    monkeypatch.setattr(readme, "ROWS", [("all", "2", "{x: ^a}"), ("each", "", "{x, ^a} / {x, b}")])
    assert readme.rewritten(TEXT, families(x=rows)) == TEXT.replace(
        "| old | | | |", "| all | 2 | 4.00 (2.00 to 8.00) | 8.00 (4.00 to 16.00) |\n| each |  | 2.00, 8.00 / 12.3 |  |"
    )


@pytest.mark.parametrize(
    ("rows", "count"),
    [([], "0 of 0"), ([{"case": "a", "ours": 1.0}, {"case": "a", "ours": 1.0, "peer": 1.0}], "1 of 2")],
)
def test_a_row_without_a_measurement_is_refused(monkeypatch, rows, count):
    monkeypatch.setattr(readme, "ROWS", [("all", "2", "{x: a}")])
    with pytest.raises(ValueError, match=f"x: {count} cases like 'a' are measured beside PyTorch"):
        readme.table(families(x=rows))
