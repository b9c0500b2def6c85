#!/usr/bin/env python3
"""Writes docs/reference/ from the docstrings of the public names: ``tools/make_reference.py [--check]``.

Reads the sources, imports nothing; needs griffe (``pip install griffe``). --check only says whether the pages are up to
date, and exits with 1 if not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
PAGES = {
    "lamina": "Tensors, gradients, settings",
    "lamina.ops": "Ops: functions of tensors, with gradients",
    "lamina.layers": "Layers",
    "lamina.activations": "Activations by name",
    "lamina.models": "Models: building, training, saving",
    "lamina.models.callbacks": "Callbacks",
    "lamina.applications": "Applications: the networks of papers",
    "lamina.losses": "Losses",
    "lamina.metrics": "Metrics",
    "lamina.optimizers": "Optimizers",
    "lamina.optimizers.schedules": "Learning rate schedules",
    "lamina.initializers": "Initializers",
    "lamina.regularizers": "Regularizers",
    "lamina.constraints": "Constraints",
    "lamina.data": "Data",
    "lamina.random": "Random numbers",
    "lamina.saving": "Saving and loading",
    "lamina.dtype_policies": "Dtype policies",
    "lamina.utils": "Labels, seeds, batches by number",
}
HEADINGS = {"parameters": "Arguments", "attributes": "Attributes", "raises": "Raises", "returns": "Returns",
            "yields": "Yields"}  # fmt: skip


def public(module: griffe.Object) -> Iterator[tuple[str, griffe.Object]]:
    """The functions and classes that a module offers: its own, and those that it re-exports as `x as x`."""
    for name, member in sorted(module.members.items(), key=lambda item: item[0].lower()):
        if name.startswith("_"):
            continue
        if member.is_alias:
            if not member.target_path.startswith("lamina."):
                continue
            offered = module.is_init_module or (module.path == "lamina.activations" and ".ops." in member.target_path)
            if not offered or member.target_path.rsplit(".", 1)[1] != name:
                continue
            member = member.final_target
        if member.is_module and name in module.imports and name in member.members:  # relu of the module relu
            member = member[name]
            member = member.final_target if member.is_alias else member
        if member.is_function or member.is_class:
            yield name, member


def other_names(module: griffe.Object) -> dict[str, list[str]]:
    """{name: what else it is called}, from re-exported lines `Other = Name`."""
    found: dict[str, list[str]] = {}
    for name, member in module.members.items():
        if name.startswith("_"):
            continue
        if member.is_alias:
            if not member.target_path.startswith("lamina."):
                continue
            member = member.final_target
        if member.is_attribute and isinstance(member.value, griffe.ExprName):
            found.setdefault(member.value.name, []).append(name)
    return found


def signature(name: str, item: griffe.Object) -> str:
    function = item if item.is_function else item.all_members.get("__init__")
    if function is None:
        return f"{name}()"
    if function.is_alias:
        function = function.final_target
    kinds = griffe.ParameterKind
    parts, star = [], False
    for p in function.parameters:
        if p.name == "self":
            continue
        if p.kind is kinds.keyword_only and not star:
            parts.append("*")
            star = True
        prefix = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(p.kind, "")
        star |= p.kind is kinds.var_positional
        shown = f"{prefix}{p.name}"
        parts.append(shown if p.default is None or prefix else f"{shown}={p.default}")
    line = f"{name}({', '.join(parts)})"
    return line if len(line) <= 110 else f"{name}(\n    " + ",\n    ".join(parts) + ",\n)"


def code_or_text(text: str) -> str:
    """Paragraphs as they are, examples as code."""
    blocks = []
    for block in text.strip().split("\n\n"):
        blocks.append(f"```pycon\n{block.strip()}\n```" if block.lstrip().startswith(">>>") else block)
    return "\n\n".join(blocks)


def body(item: griffe.Object) -> str:
    if item.docstring is None:
        return ""
    parts = []
    for section in griffe.parse_google(item.docstring, warnings=False, returns_named_value=False):
        kind = section.kind.value
        if kind == "text":
            parts.append(code_or_text(section.value))
        elif kind in HEADINGS:
            parts.append(f"*{section.title or HEADINGS[kind]}*")
            lines = []
            for entry in section.value:
                label = entry.annotation if kind == "raises" else getattr(entry, "name", "")
                text = " ".join(entry.description.split())
                lines.append(f"- `{label}`: {text}" if label else f"- {text}")
            parts.append("\n".join(lines))
        elif kind == "examples":
            parts.append("*Example*")
            parts += [
                f"```pycon\n{value}\n```" if entry.value == "examples" else value for entry, value in section.value
            ]
        elif kind == "admonition":
            parts.append(f"*{section.title or section.value.kind.capitalize()}*")
            parts.append(code_or_text(section.value.description))
    return "\n\n".join(parts)


def methods(item: griffe.Class, offered: set[str]) -> dict[str, griffe.Function]:
    """The documented methods of a class: its own, and those of bases that are not offered themselves."""
    found: dict[str, griffe.Function] = {}
    for name, member in item.members.items():
        if member.is_function and not name.startswith("_") and member.docstring:
            found[name] = member
    for base in item.resolved_bases:
        if base.path not in offered:
            found = {**methods(base, offered), **found}
    return found


def page(path: str, title: str, module: griffe.Object, offered: set[str]) -> str:
    items = list(public(module))
    lines = [f"# {path}: {title[0].lower()}{title[1:]}", "", "Written by tools/make_reference.py from the docstrings."]
    if module.docstring:
        lines += ["", module.docstring.value]
    lines += ["", " · ".join(f"[{name}](#{name.lower()})" for name, _ in items)]
    others = other_names(module)
    for name, item in items:
        lines += ["", f"## {name}", "", f"```python\n{signature(name, item)}\n```", "", body(item)]
        if name in others:
            lines += ["", f"Also called {', '.join(f'`{other}`' for other in others[name])}."]
        if item.is_class:
            for method, function in methods(item, offered).items():
                lines += ["", f"### {name}.{method}", "", f"```python\n{signature(method, function)}\n```"]
                lines += ["", body(function)]
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    package = griffe.load("lamina", search_paths=[str(ROOT / "python")], resolve_aliases=True)
    texts, index = {}, []
    modules = {path: package if path == "lamina" else package[path.removeprefix("lamina.")] for path in PAGES}
    offered = {item.path for module in modules.values() for _, item in public(module)}
    for path, title in PAGES.items():
        module = modules[path]
        texts[f"{path}.md"] = page(path, title, module, offered)
        index.append(f"- [{path}]({path}.md): {title}; {len(list(public(module)))} names")
    texts["README.md"] = "# Reference\n\nWritten by tools/make_reference.py from the docstrings.\n\n"
    texts["README.md"] += "\n".join(index) + "\n"
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is out of date")
    check = parser.parse_args().check
    texts = pages()
    old = {file.name: file.read_text() for file in FOLDER.glob("*.md")}
    if check:
        stale = sorted(name for name in texts.keys() | old.keys() if texts.get(name) != old.get(name))
        if stale:
            sys.exit(f"docs/reference is out of date: {', '.join(stale)}; run tools/make_reference.py")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in old.keys() - texts.keys():
        (FOLDER / name).unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
