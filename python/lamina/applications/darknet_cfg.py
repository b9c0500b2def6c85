"""Darknet's .cfg: sections, one a layer, of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Section:
    """One section of a .cfg: its name, the line that it begins in, and its settings as they are written."""

    name: str
    line: int
    settings: dict[str, str]
    file: str

    def integer(self, name: str, default: int | None = None, least: int = 0) -> int:
        values = self.integers(name, None if default is None else [default])
        if len(values) != 1 or values[0] < least:
            raise self.error(f"{name} must be one integer, at least {least}, got {self.settings.get(name, default)!r}")
        return values[0]

    def integers(self, name: str, default: list[int] | None = None) -> list[int]:
        return [int(value) for value in self.numbers(name, default, int)]

    def numbers(self, name: str, default: Any = None, kind: Callable[[str], float] = float) -> list[Any]:
        if name not in self.settings:
            if default is None:
                raise self.error(f"needs {name}=")
            return list(default)
        try:
            return [kind(word) for word in self.settings[name].split(",")]
        except ValueError:
            raise self.error(f"{name} must be {kind.__name__}, got {self.settings[name]!r}") from None

    def error(self, text: str) -> ValueError:
        return ValueError(f"{self.file}, line {self.line}: [{self.name}] {text}")


def read_darknet_cfg(path: str | Path) -> list[Section]:
    """The sections of a .cfg, [net] first.

    Args:
        path: the file.

    Raises:
        ValueError: for a line that is no section, setting or comment, or a file that does not begin with [net].
        FileNotFoundError: if there is none.

    Example:
        >>> import lamina as lm, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "small.cfg")
        >>> _ = path.write_text("[net]\\nwidth=8\\n\\n[maxpool]\\nsize=2 # and stride 1\\n")
        >>> [(section.name, section.settings) for section in lm.applications.read_darknet_cfg(path)]
        [('net', {'width': '8'}), ('maxpool', {'size': '2'})]
    """
    file, sections = Path(path).name, []
    for number, full in enumerate(Path(path).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        line = full.split("#")[0].split(";")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1].strip().lower(), number, {}, file))
        elif "=" in line and sections:
            key, value = line.split("=", 1)
            sections[-1].settings[key.strip()] = value.strip()
        elif line:
            raise ValueError(f"{file}, line {number}: expected [section] or name=value, got {full!r:.80}")
    if not sections or sections[0].name not in ("net", "network"):
        raise ValueError(f"{file}: the first section must be [net], got {sections[0].name if sections else 'none'}")
    return sections
