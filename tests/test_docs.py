"""What the pages of docs/ show runs as it stands there, block after block of a page; files they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NOT_RUN = {"adding_an_op", "adding_a_cuda_kernel", "segmentation"}  # code of an op to be; a training of minutes
PAGES = [page for page in sorted(DOCS.glob("*.md")) if page.stem not in NOT_RUN]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page.stem}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        exec(compile(block, str(page), "exec"), names)


EVERY = [*(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(DOCS.glob("*.md"))]
ROOTS = [DOCS.parent, DOCS.parent / "csrc", DOCS]
MADE_UP = {
    "python/lamina/ops/x.py",
    "tests/ops/test_x.py",
    "bench/ops/bench_relu.py",
}  # of an op that is only spoken of


@pytest.mark.parametrize("page", EVERY, ids=lambda page: page.stem)
def test_files_that_are_spoken_of_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w.]+(?:/[\w.*]+)+)`", text)) - MADE_UP
    missing = [name for name in named if not name.startswith("build/") and not any(any(r.glob(name)) for r in ROOTS)]
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link} - {""}
    assert not missing + [link for link in links if not (page.parent / link).exists()]
