"""Names of a package that are imported where they are asked for."""

import subprocess
import sys

import pytest

import lamina
import lamina.data
from lamina import later


def test_lamina_alone_imports_neither_readers_nor_applications():
    code = "import sys, lamina; print(*[n for n in sys.modules if n.startswith('lamina.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "lamina.data.split" in loaded
    assert not {"lamina.applications", "lamina.data.voc", "lamina.data.tokenizers"} & set(loaded)


def test_a_name_is_that_of_its_module_and_then_stays():
    from lamina.data.voc import read_voc

    assert lamina.data.read_voc is read_voc
    assert vars(lamina.data)["read_voc"] is read_voc
    assert lamina.applications.__name__ == "lamina.applications"


def test_dir_tells_of_all_names():
    assert {"digits", "read_voc", "Dataset"} <= set(dir(lamina.data))
    assert {"applications", "Model"} <= set(dir(lamina))
    assert not {"later", "TYPE_CHECKING"} & set(dir(lamina.data))


def test_a_function_called_like_its_module_is_the_function():
    code = "import lamina.data.digits, lamina.data.tokenizers; from lamina.data import digits; print(callable(digits))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_import_of_all_names():
    names = {}
    exec("from lamina.data import *", names)
    assert names["read_voc"] is lamina.data.read_voc
    assert names["digits"] is lamina.data.digits
    assert not {"later", "TYPE_CHECKING"} & set(names)


@pytest.mark.parametrize("package", ["lamina", "lamina.data"])
def test_an_unknown_name_is_refused_by_name(package):
    get, _ = later.names(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        get("nothing")
    with pytest.raises(AttributeError, match="__path_of_nothing__"):
        get("__path_of_nothing__")
