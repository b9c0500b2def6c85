"""Draws docs/images/scene_augmentation.png: a generated scene and five changed ones, with their boxes and masks.

python docs/draw_scene_augmentation.py
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

import lamina as lm


def main() -> None:
    scenes = lm.data.load_scenes(count=8, size=(96, 128), max_objects=4, min_objects=4, seed=1)
    seen = lm.data.LabelledImage(
        scenes.images[3], scenes.boxes[3], scenes.labels[3], scenes.masks[3], scenes.semantic[3]
    )
    augment = lm.data.Augment(rotation=0.08, shift=0.2, zoom=(0.7, 1.5), brightness=0.2, seed=3)
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    colours = lm.data.palette() / 255
    for number, axes in enumerate(figure.subplots(2, 3).ravel()):
        shown = augment(seen) if number else seen
        axes.imshow(lm.data.overlay(shown.image, shown.semantic, alpha=0.4))
        for label, (x_min, y_min, x_max, y_max) in zip(shown.labels, shown.boxes, strict=True):
            corner, width, height = (x_min - 0.5, y_min - 0.5), x_max - x_min, y_max - y_min
            edge = np.minimum(colours[label + 1] * 1.9, 1)
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=edge, linewidth=1.5))
        axes.set(xticks=[], yticks=[])
        axes.set_title("as it was" if not number else f"{len(shown.boxes)} of {len(seen.boxes)} objects", fontsize=9)
    path = Path(__file__).parent / "images" / "scene_augmentation.png"
    figure.savefig(path, dpi=80)
    few = Image.open(path).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)  # small enough for a repository


if __name__ == "__main__":
    main()
