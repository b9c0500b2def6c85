"""Makes a CUDA folder that CMake accepts out of PyPI's wheels (cuda-toolkit[nvcc,cccl]) and prints its nvcc.

The wheels keep libraries in lib/ where nvcc looks in lib64/, and have no libcudart.so without a version.

    python tools/cuda_root.py build/cuda-root
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def find_wheels() -> Path:
    """The folder of the installed wheels, the newest CUDA first."""
    for package in ("nvidia.cu13", "nvidia.cu12"):
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:  # no nvidia package at all
            continue
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(folder) / "bin" / "nvcc").exists():
                return Path(folder)
    sys.exit("no nvcc among the installed wheels: pip install 'cuda-toolkit[nvcc,cccl]==13.0.*'")


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(source)


def make_root(wheels: Path, root: Path) -> Path:
    """Links everything into place; returns the nvcc to use as CUDACXX."""
    for file in (wheels / "bin").iterdir():  # bin/ is a real folder: nvcc looks beside it
        link(file, root / "bin" / file.name)
    for name in ("include", "nvvm"):
        link(wheels / name, root / name)
    for file in (wheels / "lib").iterdir():
        link(file, root / "lib64" / file.name)
    for library in (wheels / "lib").glob("lib*.so.*"):
        link(library, root / "lib64" / (library.name.split(".so.")[0] + ".so"))
    return root / "bin" / "nvcc"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(make_root(find_wheels(), Path(sys.argv[1]).resolve()))
