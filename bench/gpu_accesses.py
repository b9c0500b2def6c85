"""What the memory accesses of the CUDA kernels would cost a GPU, counted by the emulator: no GPU is needed.

    tools/build_emulator.sh counted
    PYTHONPATH=python python -m bench.gpu_accesses [WORD ...]

For the cases whose names have one of these words, or all: sectors of global memory and wavefronts of shared memory,
against the fewest that could hold the same bytes. --lines N adds each case's N most wasteful lines of code, --output
writes the table to a file too. docs/cuda_emulator.md says what is counted and what is not; counts are not times.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
UNIT = {"global": "sectors", "shared": "wavefronts"}
# Where a kernel's words for an access are spelled out; who used them is the line that is meant.
SPELLED_OUT = re.compile(r"csrc/(emulator/|support/narrow\.h|cuda/support/(cuda|lane)\.cuh)")


HEAD = """# What memory accesses would cost a GPU

Counts, not times: what the CUDA kernels ask of memory, in the emulator, by
`python -m bench.gpu_accesses --output bench/results/gpu_accesses.md`. Sectors are the 32 bytes in which global memory
is read and written, wavefronts the turns of shared memory; beside each how many times the fewest that could hold the
same bytes, request by request, as if there were no cache. The worst line is the one with the most of them to spare.
docs/cuda_emulator.md has the rules.
"""


@dataclass
class Accesses:
    """All requests of a line of code for one kind of access.

    Attributes:
        line: file and line.
        memory: "global" or "shared".
        access: "load", "store" or "atomic".
        bytes: that a lane asks for at once.
        requests: of whole warps.
        cost: sectors of 32 bytes that were touched; wavefronts.
        fewest: of them that could have held the same bytes.
    """

    line: str
    memory: str
    access: str
    bytes: int
    requests: int = 0
    cost: int = 0
    fewest: int = 0

    @property
    def waste(self) -> int:
        return self.cost - self.fewest

    def __str__(self) -> str:
        each, best = self.cost / self.requests, self.fewest / self.requests
        return (
            f"{self.line} {self.memory} {self.access} of {self.bytes} bytes: {self.requests} requests, "
            f"{each:.1f} {UNIT[self.memory]} each, {best:.1f} at best"
        )


def lines_of(binary: str, places: Iterable[int]) -> dict[int, str]:
    """The line of a kernel's code for each place in a binary file: the innermost that says what is accessed."""
    wanted = sorted(set(places))
    done = subprocess.run(
        ["addr2line", "-a", "-i", "-e", binary],
        input="".join(f"{place:#x}\n" for place in wanted),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[int, str] = {}
    for block in re.split(r"^(?=0x)", done.stdout, flags=re.MULTILINE)[1:]:
        address, *frames = block.split("\n")
        names = [re.sub(r" \(discriminator.*", "", f) for f in frames if f]
        names = [re.sub(r".*?/((csrc|tests)/)", r"\1", str(Path(name))) for name in names]
        own = [name for name in names if name.startswith(("csrc/", "tests/")) and not SPELLED_OUT.match(name)]
        found[int(address, 16)] = (own or names)[0]
    return found


def by_line(binary: str, rows: Iterable[Mapping[str, Any]]) -> list[Accesses]:
    """The emulator's rows, added up by line of code, the most wasteful first."""
    rows = [row for row in rows if row["requests"]]
    lines = lines_of(binary, (row["place"] for row in rows))
    found: dict[tuple[Any, ...], Accesses] = {}
    for row in rows:
        key = (lines[row["place"]], row["memory"], row["access"], row["bytes"])
        sums = found.setdefault(key, Accesses(*key))
        sums.requests += row["requests"]
        sums.cost += row["cost"]
        sums.fewest += row["fewest"]
    return sorted(found.values(), key=lambda a: (-a.waste, -a.cost, a.line, a.access, a.bytes))


def table(counted: Mapping[str, list[Accesses]]) -> str:
    """A row a kernel."""
    rows = [
        "| kernel | sectors | of the fewest | wavefronts | of the fewest | worst line |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, accesses in counted.items():
        cells = [name]
        for memory in UNIT:
            cost, fewest = (sum(getattr(a, n) for a in accesses if a.memory == memory) for n in ("cost", "fewest"))
            cells += [str(cost), f"{cost / fewest:.2f}"] if fewest else ["", ""]
        cells.append(str(accesses[0]) if accesses and accesses[0].waste else "")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def counted_module() -> ModuleType:
    """lamina._cuda_emulated of the build that counts."""
    found = sorted((ROOT / "build/emulator-counted").glob("_cuda_emulated*.so"))
    if not found:
        sys.exit("lamina._cuda_emulated is not built to count: tools/build_emulator.sh counted")
    spec = importlib.util.spec_from_file_location("_cuda_emulated", found[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count(module: Any, name: str, arguments: Mapping[str, Any]) -> list[Accesses]:
    """The accesses of one call of a kernel."""
    module.emulator_take_accesses()
    getattr(module, name)(**arguments, stream=0)
    return by_line(module.__file__, module.emulator_take_accesses())


def main() -> None:
    from bench.gpu_access_cases import CASES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--lines", type=int, default=0, metavar="N")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    module = counted_module()
    counted = {}
    for title, case in CASES.items():
        if asked.words and not any(word in title for word in asked.words):
            continue
        counted[title] = count(module, *case())
        if asked.lines:
            print(title, *counted[title][: asked.lines], sep="\n  ", flush=True)
    text = table(counted)
    print(text)
    if asked.output:
        asked.output.write_text(f"{HEAD}\n{text}\n")


if __name__ == "__main__":
    main()
