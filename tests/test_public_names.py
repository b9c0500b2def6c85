"""Every public name is documented by a docstring with an example that runs (test_doctests runs it)."""

import importlib
import inspect
import pkgutil

import pytest

import lamina

MODULES = [
    "lamina", "lamina.ops", "lamina.layers", "lamina.activations", "lamina.models", "lamina.models.callbacks",
    "lamina.losses", "lamina.metrics", "lamina.optimizers", "lamina.optimizers.schedules", "lamina.initializers",
    "lamina.regularizers", "lamina.constraints", "lamina.data", "lamina.random", "lamina.utils",
    "lamina.saving", "lamina.dtype_policies", "lamina.applications",
]  # fmt: skip


def public(module):
    for name in dir(module):
        item = getattr(module, name)
        if name.startswith("_") or not (inspect.isclass(item) or inspect.isroutine(item)):
            continue
        home = inspect.getmodule(item)
        if home is None or not home.__name__.startswith(module.__name__):  # an import, not an offer
            continue
        yield name, item


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_an_example(name):
    module = importlib.import_module(name)
    names = dict(public(module))
    assert names, f"{name} has no public names"
    undocumented = [n for n, item in names.items() if ">>>" not in (inspect.getdoc(item) or "")]
    assert not undocumented, f"{name}: no example in the docstring of {sorted(undocumented)}"


def test_no_public_module_is_forgotten():
    """Packages with an __init__ that offers names are in the list above."""
    packages = {m.name for m in pkgutil.iter_modules(lamina.__path__, "lamina.") if m.ispkg}
    assert packages - {"lamina.autograd", "lamina.designer"} <= set(MODULES)
