"""Draws docs/images/augmentation.png, pictures that each layer changed at random."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from PIL import Image

import lamina as lm
from lamina import layers

LAYERS = [
    layers.RandomFlip(seed=4), layers.RandomRotation(0.15, seed=1), layers.RandomTranslation(0.3, 0.3, seed=1),
    layers.RandomZoom(0.5, seed=1), layers.RandomShear(0.5, seed=1), layers.RandomCrop(56, 56, seed=1),
    layers.RandomContrast(0.9, (0, 1), seed=1), layers.RandomBrightness(0.4, (0, 1), seed=1),
    layers.RandomGrayscale(0.6, seed=3), layers.RandomInvert((0.6, 0.6), (0, 1), seed=1),
]  # fmt: skip


def draw(path: Path) -> None:
    china, flower = layers.Resizing(96, 96, crop_to_aspect_ratio=True, antialias=True)(
        lm.data.load_sample_images()[0]
    ).numpy()
    digits = lm.data.digits()[0][0][:1]
    digit = np.repeat(layers.Resizing(96, 96, "nearest")(digits).numpy(), 3, axis=-1)[0]
    pictures = np.stack([flower, china, digit, flower])
    figure, axes = pyplot.subplots(len(pictures), len(LAYERS) + 1, figsize=(13, 5), layout="constrained")
    columns = [("as they are", pictures), *[(type(la).__name__, la(pictures, training=True).numpy()) for la in LAYERS]]
    for column, (name, changed) in enumerate(columns):
        for row, picture in enumerate(changed):
            axes[row, column].imshow(picture.clip(0, 1), interpolation="nearest")
            axes[row, column].axis("off")
        axes[0, column].set_title(name.removeprefix("Random"), fontsize=9)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    with Image.open(path) as sheet:
        sheet.convert("RGB").quantize(96).save(path, optimize=True)


if __name__ == "__main__":
    draw(Path(__file__).parent / "images" / "augmentation.png")
