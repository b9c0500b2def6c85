"""Which sound was it? A GRU listens to spectra over time.

The sounds are synthetic: short tones of six kinds at any pitch, in noise. Or your own: a folder with a folder of WAV
files for each kind: python sound_classification.py --folder recordings

Needs: pip install "lamina[demo]"
"""

import wave
from pathlib import Path

import numpy as np

import lamina as lm
from lamina.layers import GRU, Conv1D, Dense, Input
from lamina.models import Sequential

KINDS = ["sine", "square", "rising", "falling", "trill", "plucked"]
RATE, SECONDS, FRAME = 8000, 0.5, 256  # samples a second; of a sound; samples of a spectrum


def synthetic(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` sounds (count, samples) and their kinds."""
    draw = np.random.default_rng(seed)
    t = np.arange(int(RATE * SECONDS)) / RATE
    kinds = draw.integers(len(KINDS), size=count)
    sounds = np.empty((count, len(t)))
    for i, kind in enumerate(kinds):
        pitch = draw.uniform(300, 1200)
        bend = {"rising": t, "falling": -t, "trill": 0.1 * np.sign(np.sin(50 * t))}.get(KINDS[kind], 0 * t)
        wave_form = np.sin(2 * np.pi * np.cumsum(pitch * 2.0**bend) / RATE)
        if KINDS[kind] == "square":
            wave_form = np.sign(wave_form)
        if KINDS[kind] == "plucked":
            wave_form = wave_form * np.exp(-8 * t)
        sounds[i] = wave_form * draw.uniform(0.3, 1) + draw.normal(0, 0.15, len(t))
    return sounds, kinds


def recordings(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The WAV files (16 bits) below `folder`, their first SECONDS, and their kinds: the names of their folders."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files = [(path, kind) for kind, name in enumerate(names) for path in sorted((folder / name).glob("*.wav"))]
    sounds = np.zeros((len(files), int(RATE * SECONDS)))
    for row, (path, _) in zip(sounds, files, strict=True):
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())[:, 0]
            places = np.arange(min(len(row), len(samples) * RATE // file.getframerate())) * file.getframerate() // RATE
        row[: len(places)] = samples[places] / 32768
    return sounds, np.array([kind for _, kind in files]), names


def spectra(sounds: np.ndarray) -> np.ndarray:
    """log(1 + |spectrum|) of each frame, half overlapping, (count, frames, FRAME / 2)."""
    frames = np.lib.stride_tricks.sliding_window_view(sounds, FRAME, axis=1)[:, :: FRAME // 2]
    return np.log1p(np.abs(np.fft.rfft(frames * np.hanning(FRAME))[..., 1:])).astype("float32")


def main(small: bool = False, output: str = "sound_classification.png", folder: Path | None = None) -> float:
    from matplotlib.figure import Figure

    lm.set_seed(1)
    sounds, kinds, names = recordings(folder) if folder else (*synthetic(1500 if small else 3000, seed=0), KINDS)
    order = np.random.default_rng(0).permutation(len(sounds))
    x, y = spectra(sounds[order]), kinds[order]
    train = len(x) * 4 // 5
    model = Sequential([
        Input((None, x.shape[2])), Conv1D(32, 3, activation="relu"), GRU(32), Dense(len(names), activation="softmax")
    ])  # fmt: skip
    model.compile(optimizer=lm.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:train], y[:train], epochs=25 if small else 30, verbose=0 if small else 1)
    said = model.predict(x[train:], verbose=0).argmax(axis=1)
    accuracy = float((said == y[train:]).mean())
    print(f"sounds: {accuracy:.1%} of {len(said)} held out are named rightly")
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, spectrum, kind, heard in zip(figure.subplots(2, 6).flat, x[train:], y[train:], said, strict=False):
        axes.imshow(spectrum.T, origin="lower", aspect="auto", extent=(0, SECONDS, 0, RATE / 2000))
        axes.set_title(names[heard], color="black" if kind == heard else "tab:red")
    figure.supxlabel("seconds")
    figure.supylabel("kHz")
    figure.savefig(output, dpi=120)
    return accuracy


if __name__ == "__main__":
    from command_line import run

    run(main, folder={"type": Path, "help": "a folder with a folder of WAV files for each kind"})
