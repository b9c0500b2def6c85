"""Sound restoration: voiced, speech-like sounds out of noise, by a denoising autoencoder over the samples.

The sounds are synthetic: glottal pulses of a pitch that glides, through three resonances as vowels have them. Writes
sound_restoration_noisy.wav and sound_restoration_restored.wav, which begin with what no network has heard.

Needs: pip install "lamina[examples]"
"""

import wave

import numpy as np

import lamina as lm
from lamina.applications import denoising_autoencoder
from lamina.layers import GaussianNoise

RATE, LENGTH, NOISE = 8000, 1024, 0.2
VOWELS = np.array([[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]])


def voices(count: int, length: int, seed: int) -> np.ndarray:
    """Sounds (count, length, 1) around 0: harmonics of a gliding pitch, as loud as a vowel's resonances make them."""
    draw = np.random.default_rng(seed)
    t = np.arange(length) / RATE
    pitch = draw.uniform(90, 250, (count, 1)) * 2 ** (draw.uniform(-0.3, 0.3, (count, 1)) * t * RATE / length)
    pitch = pitch * (1 + 0.02 * np.sin(2 * np.pi * draw.uniform(4, 7, (count, 1)) * t))
    phase = 2 * np.pi * np.cumsum(pitch, axis=1) / RATE
    formants = VOWELS[draw.integers(len(VOWELS), size=count)] * draw.uniform(0.9, 1.15, (count, 1))
    sound = np.zeros((count, length))
    for harmonic in range(1, 36):
        frequency = harmonic * pitch
        resonance = sum(1 / (1 + ((frequency - formants[:, i : i + 1]) / (80 + 40 * i)) ** 2) for i in range(3))
        sound += (frequency < RATE / 2) * resonance / harmonic**0.5 * np.sin(harmonic * phase)
    envelope = 0.4 + 0.6 * np.sin(np.pi * (t * draw.uniform(2, 6, (count, 1)) + draw.random((count, 1)))) ** 2
    sound = sound * envelope
    return (0.25 * sound / sound.std(axis=1, keepdims=True))[..., None].astype("float32")


def decibels(clean: np.ndarray, found: np.ndarray) -> float:
    """The ratio of signal to noise."""
    return float(10 * np.log10((clean**2).mean() / ((clean - found) ** 2).mean()))


def write(path: str, sounds: np.ndarray) -> None:
    """Sounds, one after the other, as a WAV file."""
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes((np.clip(sounds.ravel(), -1, 1) * 32767).astype("<i2").tobytes())


def main(small: bool = False, output: str = "sound_restoration.png") -> tuple[float, float]:
    lm.set_seed(1)
    x, x_test = voices(600 if small else 4000, LENGTH, seed=0), voices(100, LENGTH, seed=1)
    noise = GaussianNoise(NOISE)
    filters = (32, 64) if small else (48, 96)
    model = denoising_autoencoder((LENGTH, 1), noise, filters, kernel_size=9, strides=4)
    epochs = 12
    rate = lm.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // 16))
    model.compile(lm.optimizers.Adam(rate), loss="mse")
    model.fit(x, x, epochs=epochs, batch_size=16, verbose=0 if small else 1)
    noisy = noise(x_test, training=True).numpy()
    restored = model.predict(noisy, verbose=0)
    before, after = decibels(x_test, noisy), decibels(x_test, restored)
    print(f"sound: {before:.1f} dB noisy, {after:.1f} dB restored: a gain of {after - before:.1f} dB")
    write("sound_restoration_noisy.wav", noisy)
    write("sound_restoration_restored.wav", restored)
    draw(output, {"clean": x_test, f"noisy, {before:.1f} dB": noisy, f"restored, {after:.1f} dB": restored})
    return before, after


def draw(output, sounds) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    figure.suptitle("Voiced sounds (synthetic) that the network has not heard")
    for (wave_form, spectrum), (name, sound) in zip(figure.subplots(2, 3).T, sounds.items(), strict=True):
        wave_form.plot(np.arange(400) / RATE * 1000, sound[0, :400, 0], lw=0.8)
        wave_form.set(title=name, xlabel="time (ms)", ylim=(-1, 1))
        spectrum.specgram(sound[:8].ravel(), NFFT=256, Fs=RATE, noverlap=192, vmin=-110, vmax=-25, cmap="magma")
        spectrum.set(xlabel="time (s)", ylabel="frequency (Hz)")
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main)
