"""Every example runs; those that learn have learned by the end, small as they are here, and have drawn a picture."""

import inspect
import os
import runpy
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

import lamina as lm

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(path for path in FOLDER.glob("*.py") if path.stem != "command_line")

LEARNED = {  # what main returns, at the small size
    "one_to_one": lambda accuracy: accuracy > 0.85,
    "one_to_many": lambda accuracy: accuracy > 0.85,
    "many_to_one": lambda accuracy: accuracy > 0.85,
    "many_to_many": lambda right: right > 0.9,
    "sequence_to_sequence": lambda right: right > 0.8,
    "forecasting": lambda errors: all(
        max(error["LSTM"], error["GRU"]) < min(error["last value"], error["last season"]) for error in errors.values()
    ),
    "text_generation": lambda perplexity: (np.diff(perplexity) < 0).all() and perplexity[-1] < 16,
    "long_memory": lambda error: max(error["LSTM"], error["GRU"]) < 0.02 < 0.9 * error["the mean"] < error["SimpleRNN"],
    "translation": lambda right: right > 0.3,
    "captioning": lambda shares: shares["loss"] < 0.8 and shares["words"] > 0.1,
    "summarising": lambda scores: scores["loss"] < 0.8,
    "composing": lambda perplexity: perplexity < 3,
    "sound_classification": lambda accuracy: accuracy > 0.75,
    "autoencoder": lambda errors: all(
        errors[f"{kind}, code of {size}"] < errors[f"PCA, {size} components"]
        for kind, size in (("deep", 8), ("sparse", 16))
    ),
    "denoising": lambda ratios: all(after - before > 6 for before, after in ratios.values()),
    "sound_restoration": lambda ratios: ratios[1] - ratios[0] > 6,
    "variational_autoencoder": lambda found: found["confidence"] > 0.8 and min(found["classes"]) > 0.02,
    "style_swap": lambda found: found["plain to striped"] > 0.3 and found["striped to plain"] > 0.7,
    "gan": lambda found: abs(found["d_accuracy"] - 0.5) < 0.1 and (found["classes"] > 0.01).all(),
    "dcgan": lambda found: found["distance"][6] < found["distance"][1],
    "mask_rcnn_scenes": lambda precision: set(precision) == {"boxes", "masks"},  # to learn it takes minutes
    "video_classification": lambda accuracy: accuracy > 0.9,
    "word2vec": lambda right: right > 0.9,
    "glove": lambda losses: (np.diff(losses) < 0).all(),
    "bert_pretraining": lambda result: result[0][-1][0] < result[0][0][0],  # the loss of masked words falls
    "question_answering": lambda exact: exact > 0.3,
    "resnet_digits": lambda accuracy: accuracy > 0.7,
    "residual_gradients": lambda found: (
        found["plain"][0] < 1e-5 < 0.1 < found["shortcuts, normalised"][0] < 0.3 * found["plain, normalised"][0]
    ),
    "inception_one_by_one": lambda found: found["multiplications"] > 2 and found["accuracy"] > 0.5,
    "vgg_fine_tuning": lambda found: found["fine-tuned"][0] > found["from scratch"][0] + 0.1,
    "yolo_scenes": lambda precision: precision > 0.5,
    "unet_scenes": lambda iou: iou > 0.35,  # to say background everywhere: 0.16
    "fcn_scenes": lambda iou: iou > 0.35,
    "self_driving": lambda autonomy: autonomy["PilotNet"] == 1 and autonomy["going straight"] < 0.5,
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the main of an example, where it may write files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(FOLDER)  # as when it is run as a script: some take from others

    def main(name, **arguments):
        function = runpy.run_path(str(FOLDER / f"{name}.py"), run_name="example")["main"]
        if "small" in inspect.signature(function).parameters:
            arguments["small"] = True
        return function(**arguments)

    return main


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES])
def test_runs(name, run, capsys, tmp_path):
    result = run(name)
    assert capsys.readouterr().out
    if name in LEARNED:
        assert LEARNED[name](result), result
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    if name == "custom_training_loop":
        assert result > 0.9


@pytest.mark.parametrize("name", ["custom_training_loop", "many_to_many", "one_to_one", "perceptron", "xor"])
def test_runs_on_a_gpu(name, run, capsys):
    with lm.device("cuda"):
        result = run(name)
    assert capsys.readouterr().out
    if name in LEARNED:
        assert LEARNED[name](result), result


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_has_the_command_line_that_all_have(path):
    assert "    from command_line import run\n\n    run(" in path.read_text(encoding="utf-8")


def test_command_line(tmp_path):
    def started(*arguments):
        command = [sys.executable, str(FOLDER / "xor.py"), *arguments]
        env = {**os.environ, "PYTHONPATH": str(Path(lm.__file__).parents[1])}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)

    assert "0 xor 1 = " in started("--device", "cpu").stdout
    assert "--device" in started("--help").stdout
    if not lm.backend.cuda_status()["device_count"] or "_host" in dir(lm.tensor([1.0], device="cuda").array):
        said = started("--device", "cuda")  # a process without the tests' stand-in
        assert said.returncode == 1
        assert said.stderr.startswith('xor.py: device "cuda": ')
        assert said.stderr.count("\n") == 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 100


def test_there_are_examples():
    assert {"perceptron", "xor", "custom_training_loop", *LEARNED} <= {path.stem for path in EXAMPLES}


def test_forecasting_of_a_csv_file(run, tmp_path):
    day = np.arange(400)
    values = 20 + 8 * np.sin(2 * np.pi * day / 25) + np.random.default_rng(0).normal(0, 0.3, 400)
    np.savetxt(tmp_path / "weather.csv", np.stack([day, values], 1), delimiter=",", header="day,warm", comments="")
    errors = run("forecasting", csv=tmp_path / "weather.csv", column="warm", season=25)
    assert errors["warm"]["GRU"] < errors["warm"]["last value"]


def test_text_generation_of_a_file(run, capsys):
    perplexity = run("text_generation", text="to be or not to be, that is the question. " * 1000)
    assert perplexity[-1] < 2
    assert " to be" in capsys.readouterr().out.split("-- temperature 0.3")[1]


def test_composing_writes_sound(run, tmp_path):
    run("composing")
    with wave.open(str(tmp_path / "composing.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert file.getframerate() == 22_050
    assert len(samples) > 5 * 22_050
    assert 8_000 < np.abs(samples.astype(int)).max() < 32_767


def test_sounds_of_a_folder(run, tmp_path):
    draw = np.random.default_rng(0)
    t = np.arange(4000) / 8000
    for kind, pitch in (("high", 1500), ("low", 300)):
        (tmp_path / "sounds" / kind).mkdir(parents=True)
        for i in range(40):
            tone = np.sin(2 * np.pi * pitch * draw.uniform(0.8, 1.2) * t) * 8000 + draw.normal(0, 500, len(t))
            with wave.open(str(tmp_path / "sounds" / kind / f"{i}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
                file.writeframes(tone.astype("<i2").tobytes())
    assert run("sound_classification", folder=tmp_path / "sounds") > 0.8
