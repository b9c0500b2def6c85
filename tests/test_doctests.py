"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import lamina

names = [m.name for m in pkgutil.walk_packages(lamina.__path__, "lamina.")]
modules = [lamina.__name__, *sorted(name for name in names if not name.endswith("._cpu"))]


@pytest.mark.parametrize("name", modules)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
