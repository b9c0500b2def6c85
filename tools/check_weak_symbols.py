#!/usr/bin/env python3
"""Checks that no symbol is shared between the instruction sets.

The linker keeps one copy of a weak symbol (a template instance, an inline function). If two objects that were compiled
for different processors define the same one, the AVX-512 copy may be what an older processor gets to run. So every weak
symbol in an object of an ISA must belong to that ISA: its name must mention the namespace lamina::<isa>.

    python tools/check_weak_symbols.py build/dev
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ISAS = ("portable", "v3", "v4")


def weak_symbols(objects: list[Path]) -> list[tuple[Path, str]]:
    """(object, demangled name) of every weak or unique symbol that the objects define."""
    listing = subprocess.run(
        ["nm", "--demangle", "--defined-only", "--print-file-name", *map(str, objects)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = re.findall(r"^(.+?):[0-9a-f]+ [WVu] (.+)$", listing, re.MULTILINE)
    return [(Path(file), name) for file, name in found]


def shared(objects: list[Path], isa: str) -> list[tuple[Path, str]]:
    """The weak symbols of these objects that do not belong to the ISA."""
    return [(file, name) for file, name in weak_symbols(objects) if f"lamina::{isa}::" not in name]


def main(build: str) -> int:
    checked = 0
    bad: list[tuple[Path, str]] = []
    for isa in ISAS:
        objects = sorted(Path(build).glob(f"**/lamina_{isa}.dir/**/*.o"))
        checked += len(objects)
        if objects:
            bad += shared(objects, isa)
    for file, name in bad:
        print(f"{file}: weak symbol shared between instruction sets: {name}")
    if not checked:
        print(f"no objects of {', '.join(ISAS)} in {build}")
        return 1
    print(f"{checked} objects, {len(bad)} shared weak symbols")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
