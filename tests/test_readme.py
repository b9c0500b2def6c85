"""What the README shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_example_runs(block: str) -> None:
    exec(compile(block, str(README), "exec"), {"__name__": "readme"})


def test_there_are_examples_and_the_two_commands() -> None:
    assert len(BLOCKS) == 4
    text = README.read_text(encoding="utf-8")
    assert 'pip install ".[demo]" && lamina demo' in text
    assert 'pip install ".[test]" && pytest' in text
