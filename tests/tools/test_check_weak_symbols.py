"""The check of weak symbols must be able to fail."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check_weak_symbols.py"
pytestmark = pytest.mark.skipif(not (shutil.which("g++") and shutil.which("nm")), reason="needs g++ and nm")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_weak_symbols", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(folder: Path, isa: str, source: str) -> None:
    objects = folder / f"lamina_{isa}.dir"
    objects.mkdir()
    (objects / "kernel.cpp").write_text(source)
    subprocess.run(["g++", "-c", "-O0", "kernel.cpp", "-o", "kernel.o"], cwd=objects, check=True)


CLEAN = "namespace lamina::v4 { template <class T> T twice(T x) { return x + x; } template float twice(float); }"
SHARED = "template <class T> T twice(T x) { return x + x; } float f(float x) { return twice(x); }"


def test_symbols_of_the_isa_pass(tool: ModuleType, tmp_path: Path) -> None:
    build(tmp_path, "v4", CLEAN)
    assert tool.main(str(tmp_path)) == 0


def test_a_shared_template_is_caught(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(tmp_path, "v4", SHARED)
    assert tool.main(str(tmp_path)) == 1
    assert "twice" in capsys.readouterr().out


def test_another_isas_symbol_is_caught(tool: ModuleType, tmp_path: Path) -> None:
    build(tmp_path, "v3", CLEAN)
    assert tool.main(str(tmp_path)) == 1


def test_nothing_to_check_is_a_failure(tool: ModuleType, tmp_path: Path) -> None:
    assert tool.main(str(tmp_path)) == 1
