"""Denoising: patches of two real photographs with noise in, clean patches out.

One network learns on normal noise, another on salt and pepper. No pixel that they are tested on is one that they
learned on.

Needs: pip install "lamina[examples,images]"
"""

import numpy as np

import lamina as lm
from lamina.applications import denoising_autoencoder
from lamina.layers import GaussianNoise, SaltAndPepperNoise


def decibels(clean: np.ndarray, found: np.ndarray) -> float:
    """The peak signal-to-noise ratio of pictures from 0 to 1."""
    return float(-10 * np.log10(((clean - np.clip(found, 0, 1)) ** 2).mean()))


def main(small: bool = False, output: str = "denoising.png") -> dict[str, tuple[float, float]]:
    lm.set_seed(1)
    size = 16 if small else 32
    x, x_test = lm.data.load_patches(400 if small else 4000, size)
    ratios, pictures = {}, {"clean": x_test}
    for name, noise in {"normal noise": GaussianNoise(0.2), "salt and pepper": SaltAndPepperNoise(0.2)}.items():
        model = denoising_autoencoder((size, size, 1), noise, filters=(16, 32) if small else (32, 64))
        model.compile(lm.optimizers.Adam(lm.optimizers.schedules.CosineDecay(3e-3, 300 if small else 1500)), "mse")
        model.fit(x, x, epochs=24 if small else 12, verbose=0 if small else 1)
        noisy = noise(x_test, training=True).numpy()
        restored = model.predict(noisy, verbose=0)
        ratios[name] = decibels(x_test, noisy), decibels(x_test, restored)
        pictures[name], pictures[f"{name}, restored"] = noisy, restored
        before, after = ratios[name]
        print(f"{name}: {before:.1f} dB noisy, {after:.1f} dB restored: a gain of {after - before:.1f} dB")
    draw(output, pictures, ratios)
    return ratios


def draw(output, pictures, ratios) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    figure.suptitle("Patches of two photographs that the networks have not seen")
    for axes, (name, patches) in zip(figure.subplots(len(pictures), 1), pictures.items(), strict=True):
        axes.imshow(np.hstack([np.pad(patch[:, :, 0], 1) for patch in patches[:10]]), cmap="gray", vmin=0, vmax=1)
        kind = name.split(",")[0]
        ratio = f"\n{ratios[kind]['restored' in name]:.1f} dB" if kind in ratios else ""
        axes.set_ylabel(name.replace(", ", ",\n") + ratio, rotation=0, ha="right", va="center")
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main)
