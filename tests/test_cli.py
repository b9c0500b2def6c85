"""The command line."""

import subprocess
import sys

import pytest

import lamina
from lamina import backend, cli


def test_info(capsys):
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert f"lamina           {lamina.__version__}" in text
    assert lamina.isa() in text
    for word in ("threads", "memory pool", "CUDA", "NumPy"):
        assert word in text


def test_demo(tmp_path, capsys):
    picture = tmp_path / "demo.png"
    assert cli.main(["demo", "--epochs", "1", "--output", str(picture)]) == 0
    captured = capsys.readouterr()
    assert "Test accuracy: " in captured.out
    assert "(Conv2D)" in captured.out
    assert "Epoch 1/1: 100%" in captured.err
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_demo_on_a_gpu(tmp_path, capsys, monkeypatch):
    arguments = ["demo", "--epochs", "1", "--device", "cuda", "--output", str(tmp_path / "demo.png")]
    assert cli.main(arguments) == 0
    assert "Test accuracy: " in capsys.readouterr().out
    assert (tmp_path / "demo.png").exists()
    assert lamina.tensor([1.0]).device == "cpu"
    monkeypatch.setattr(backend, "cuda", None)
    for module in ("lamina._cuda", "lamina_cuda13"):
        monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith('lamina demo: device "cuda": the CUDA module is not built')
    assert captured.err.count("\n") == 1


@pytest.mark.slow
def test_demo_reaches_98_percent(tmp_path, capsys):
    assert cli.demo(output=tmp_path / "demo.png") >= 0.98


def test_a_picture_that_cannot_be_written_is_refused_before_the_training(tmp_path, capsys):
    assert cli.main(["demo", "--output", str(tmp_path / "nothing" / "demo.png")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "lamina demo: there is no folder" in captured.err


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--epochs", "0"], ["demo", "--epochs", "x"]])
def test_refused(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(arguments)
    assert exit.value.code == 2


def test_design_says_what_it_draws_without_a_model(capsys):
    with pytest.raises(SystemExit):
        cli.main(["design", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "soft edges; examples/dcgan.py saves one that draws sharper ones" in said


def test_version(capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(["--version"])
    assert exit.value.code == 0
    assert lamina.__version__ in capsys.readouterr().out


def test_importing_lamina_imports_little_of_the_library():
    """Each of these costs 0.3 to 3 ms, and `import lamina` needs none; NumPy may, and others on the way to it."""
    code = (
        "import sys, numpy; before = set(sys.modules); import lamina; print([m for m in ('base64', 'copy', 'csv', "
        "'dataclasses', 'string', 'traceback') if m in sys.modules and m not in before])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_importing_lamina_imports_nothing_heavy():
    code = (
        "import lamina, sys; print([m for m in ('matplotlib', 'sklearn', 'tqdm', 'safetensors') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"
