"""The distribution lamina-cuda13: found beside a Lamina without the CUDA module, at its version alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lamina

ROOT = Path(__file__).parents[1]
MODULE = """
def status():
    return {"device_count": 0, "message": "no CUDA-capable device is detected", "runtime_version": 13000,
            "driver_version": 0}
"""
INFO = """
import sys
sys.modules["lamina._cuda"] = None  # as if it were not built
from lamina import cli
sys.exit(cli.main(["info"]))
"""


def info(folder: Path, program: str = INFO) -> str:
    """What `lamina info` says of CUDA in a process that has what lies in the folder."""
    path = os.pathsep.join([str(folder), str(Path(lamina.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    shown = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    ).stdout
    return next(line for line in shown.splitlines() if line.startswith("CUDA"))


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    package = tmp_path / "lamina_cuda13"
    package.mkdir()
    (package / "__init__.py").write_text(f'__version__ = "{lamina.__version__}"\n')
    (package / "_cuda.py").write_text(MODULE)
    return package


def test_it_is_found(plugin: Path) -> None:
    assert "no NVIDIA GPU can be used (no CUDA-capable device is detected)" in info(plugin.parent)


def test_another_version_is_refused_by_name(plugin: Path) -> None:
    (plugin / "__init__.py").write_text('__version__ = "0.0.1"\n')
    assert f"lamina-cuda13 0.0.1 is here, for Lamina 0.0.1; this is {lamina.__version__}" in info(plugin.parent)


def test_without_it_the_line_says_how_to_build_it(tmp_path: Path) -> None:
    program = 'import sys; sys.modules["lamina_cuda13"] = None\n' + INFO  # it may be installed here
    said = info(tmp_path, program)
    assert (
        "build Lamina with pip install . --config-settings=cmake.define.LAMINA_CUDA=ON, or what it lacks with " in said
    )


def test_its_versions_are_laminas() -> None:
    with open(ROOT / "cuda" / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    assert project["version"] == lamina.__version__
    assert f"lamina=={lamina.__version__}" in project["dependencies"]
    text = (ROOT / "cuda" / "lamina_cuda13" / "__init__.py").read_text()
    assert f'__version__ = "{lamina.__version__}"' in text
