"""plot_segmentation: pictures with the classes of their pixels as colours over them, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data.palette import overlay, palette
from lamina.metrics.metric import array_of

WIDTH = 1.9  # inches of a picture


def plot_segmentation(
    images: Any,
    masks: Any,
    truth: Any = None,
    class_names: Sequence[str] | None = None,
    path: str | Path | None = "segmentation.png",
    alpha: float = 0.75,
    colors: Any = None,
    title: str | None = None,
    dpi: int = 100,
) -> Any:
    """Draws pictures in a row, below each the answer as coloured masks over it in grey, and below that the truth.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), uint8 or floating from 0 to 1.
        masks: (N, H, W) class numbers, 0 the background; or scores (N, H, W, classes) whose largest one is the answer.
        truth: (N, H, W) class numbers, or None. 255 (no label) is drawn white.
        class_names: of all classes from 0 on, for the legend; None for none.
        path: where to write the picture, in the format of its ending (png, svg, pdf); None to write none.
        alpha: how much of the colours, from 0 to 1.
        colors: (classes, 3) of uint8, or None for `lamina.data.palette`.
        title: above all.
        dpi: dots an inch.

    Returns:
        matplotlib's Figure.

    Raises:
        ValueError: if there are no pictures, or not as many masks, or of another size.
        ImportError: without matplotlib: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm, numpy as np
        >>> images, masks = np.zeros((2, 8, 8, 3), "uint8"), np.ones((2, 8, 8), "int64")
        >>> figure = lm.utils.plot_segmentation(images, masks, class_names=["field", "cow"], path=None)
        >>> len(figure.axes)
        4
    """
    pictures, answers = array_of(images), array_of(masks)
    if answers.ndim == 4:
        answers = answers.argmax(axis=-1)
    rows = [answers] if truth is None else [answers, array_of(truth)]
    if pictures.ndim not in (3, 4) or not len(pictures):
        raise ValueError(f"plot_segmentation: images must have shape (N, H, W[, C]), N > 0, got {pictures.shape}")
    for name, row in zip(("masks", "truth"), rows, strict=False):
        if row.shape != pictures.shape[:3]:
            raise ValueError(
                f"plot_segmentation: {name} must have the pictures' shape, {pictures.shape[:3]}, got {row.shape}"
            )
    table = np.array(palette() if colors is None else colors)
    if colors is None:
        table[255] = 255
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    count, height, width = pictures.shape[:3]
    tall = WIDTH * height / width
    figure = Figure(figsize=(WIDTH * count + 0.3, tall * (1 + len(rows)) + 0.7), layout="constrained")
    grid = figure.subplots(1 + len(rows), count, squeeze=False)
    for row, name in zip(grid, ("picture", "answer", "truth"), strict=False):
        row[0].set_ylabel(name)
        for axes in row:
            axes.set(xticks=[], yticks=[])
    for i, picture in enumerate(pictures):
        shown = overlay(picture, np.zeros((height, width), np.int64))
        grey = shown.mean(axis=-1).astype(np.uint8)  # so that the colours are the classes' alone
        for axes, mask in zip(grid[:, i], [None, *rows], strict=True):
            drawn = shown if mask is None else overlay(grey, mask[i], alpha, table)
            axes.imshow(drawn, interpolation="nearest")
    if class_names is not None:
        entries = [
            Patch(color=table[number] / 255, label=str(name)) for number, name in enumerate(class_names) if number
        ]
        figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 10), frameon=False)
    if title is not None:
        figure.suptitle(title)
    if path is not None:
        figure.savefig(path, dpi=dpi)
    return figure
