"""Names of a package that are imported where they are asked for: `import lamina` is quick, whatever there is.

A package writes the imports of such names under ``if TYPE_CHECKING:``, where tools read them as usual, and ends with
``__getattr__, __dir__ = later.names(__name__)``.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any


def names(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__`.

    Args:
        package: its `__name__`.
    """

    def get(name: str) -> Any:
        if name == "__all__":  # of `import *`
            return [public for public in known() if not public.startswith("_")]
        if name.startswith("__") or name not in _homes(package):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, inside = _homes(package)[name]
        module = importlib.import_module(home)
        value = module if inside is None else getattr(module, inside)
        setattr(sys.modules[package], name, value)
        return value

    def known() -> list[str]:
        own = {*vars(sys.modules[package]), *_homes(package)}
        return sorted(own - {"TYPE_CHECKING", "later"})

    return get, known


@cache
def _homes(package: str) -> dict[str, tuple[str, str | None]]:
    """The module of each name under ``if TYPE_CHECKING:``, and what it is called there; None: the module itself."""
    spec = find_spec(package)
    source = spec.loader.get_source(package) if spec is not None and spec.loader is not None else None  # type: ignore[attr-defined]
    found: dict[str, tuple[str, str | None]] = {}
    for block in ast.parse(source or "").body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            for line in block.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    for alias in line.names:
                        module = line.module == package or line.module == package.partition(".")[0]
                        home = (f"{line.module}.{alias.name}", None) if module else (line.module, alias.name)
                        found[alias.asname or alias.name] = home
    return found
