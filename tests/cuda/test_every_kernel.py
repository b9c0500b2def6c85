"""Every kernel of the CUDA module has a test here: its name stands in one of these files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kernel_testing import emulated

OWN = {"device_count", "emulator_configure", "emulator_counts", "emulator_take_accesses", "sixteen_bit", "status"}


def patterns(source: str) -> Iterator[str]:
    """Regular expressions of the strings in a file; what an f-string fills in may be any word."""
    tree = ast.parse(source)
    inside = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(re.escape(p.value) if isinstance(p, ast.Constant) else r"\w+" for p in node.values)
            if re.search("[a-z]{4}", text):  # else it would stand for everything
                yield text
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield re.escape(node.value)


def named(sources: list[str], names: set[str]) -> set[str]:
    words = {pattern for source in sources for pattern in patterns(source)}
    return {name for name in names if any(re.fullmatch(word, name) for word in words)}


def test_named_sees_plain_and_formatted_strings() -> None:
    source = 'check_kernel("gemm", a=a)\nfor s in ("sum", "max"):\n    check_kernel(f"pool_{s}_forward", x=x)'
    assert named([source], {"gemm", "gemm_batched", "pool_max_forward", "pool_max_backward"}) == {
        "gemm",
        "pool_max_forward",
    }


def test_every_kernel_has_a_test() -> None:
    kernels = {name for name in dir(emulated()) if not name.startswith("_")} - OWN
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    assert sorted(kernels - named(sources, kernels)) == []
