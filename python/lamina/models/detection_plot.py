"""plot_detections: pictures with boxes, classes, scores and masks drawn over them, by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data.palette import palette
from lamina.metrics.metric import array_of

WIDTH = 2.4  # inches of a picture


def plot_detections(
    images: Any,
    detections: Sequence[dict[str, Any]],
    truth: Sequence[dict[str, Any]] | None = None,
    class_names: Sequence[str] | None = None,
    path: str | Path | None = "detections.png",
    alpha: float = 0.5,
    columns: int | None = None,
    title: str | None = None,
    dpi: int = 100,
) -> Any:
    """Draws pictures with what was found in them: a box with class and score, and a coloured mask where there are any.

    A class has the colour of `lamina.data.palette` for its number + 1, lightened.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), uint8 or floating from 0 to 1.
        detections: for each picture a dictionary: "boxes" (n, 4), x_min, y_min, x_max, y_max in pixels; "labels" (n,),
            from 0; if there are any "scores" (n,) and "masks" (n, H, W), of which True (or more than 0.5) is drawn.
        truth: the same of what is there, drawn as dashed white boxes; None for none.
        class_names: for the labels; None for numbers.
        path: where to write the picture, in the format of its ending (png, svg, pdf); None to write none.
        alpha: how much of the masks' colours, from 0 to 1.
        columns: how many pictures in a row; None for at most 4.
        title: above all.
        dpi: dots an inch.

    Returns:
        matplotlib's Figure.

    Raises:
        ValueError: if there are no pictures, not as many dictionaries, or arrays in them that do not fit.
        ImportError: without matplotlib: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm, numpy as np
        >>> found = [{"boxes": [[1, 2, 6, 7]], "labels": [0], "scores": [0.9]}]
        >>> figure = lm.utils.plot_detections(np.zeros((1, 8, 8, 3), "uint8"), found, class_names=["cow"], path=None)
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['cow 0.90']
    """
    pictures = array_of(images)
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.ndim != 4 or not len(pictures) or pictures.shape[3] not in (1, 3):
        raise ValueError(
            f"plot_detections: images must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), N > 0, got "
            f"{pictures.shape}"
        )
    pictures = np.broadcast_to(pictures, (*pictures.shape[:3], 3))
    found = _checked(detections, "detections", pictures.shape)
    there = None if truth is None else _checked(truth, "truth", pictures.shape)
    for i, entry in enumerate(found):
        if class_names is not None and not all(0 <= label < len(class_names) for label in entry["labels"]):
            raise ValueError(
                f"plot_detections: class_names has {len(class_names)} names, picture {i} the labels "
                f"{entry['labels'].tolist()}"
            )
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    count, height, width = pictures.shape[:3]
    across = min(columns or 4, count)
    down = math.ceil(count / across)
    figure = Figure(
        figsize=(WIDTH * across, WIDTH * height / width * down + (0.4 if title else 0)), layout="constrained"
    )
    for i, axes in enumerate(figure.subplots(down, across, squeeze=False).flat):
        axes.set_axis_off()
        if i >= count:
            continue
        shown = pictures[i].astype(np.float64) / (255 if pictures.dtype == np.uint8 else 1)
        for mask, label in zip(found[i].get("masks", ()), found[i]["labels"], strict=False):
            shown[mask] = (1 - alpha) * shown[mask] + alpha * color_of(label)
        axes.imshow(np.clip(shown, 0, 1), interpolation="nearest", extent=(0, width, height, 0))
        for x0, y0, x1, y1 in there[i]["boxes"] if there is not None else ():
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ls=(0, (4, 3)), lw=1, ec="white"))
        for k, ((x0, y0, x1, y1), label) in enumerate(zip(found[i]["boxes"], found[i]["labels"], strict=True)):
            color = color_of(label)
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, lw=1.6, ec=color))
            name = str(label) if class_names is None else str(class_names[label])
            said = name if "scores" not in found[i] else f"{name} {found[i]['scores'][k]:.2f}"
            inside = y0 < 0.09 * height  # no room above
            axes.text(
                x0, y0, said, fontsize=7, va="top" if inside else "bottom", clip_on=True,
                color="black" if color @ [0.3, 0.6, 0.1] > 0.45 else "white",
                bbox={"facecolor": color, "edgecolor": "none", "pad": 1, "alpha": 0.85},
            )  # fmt: skip
    if title is not None:
        figure.suptitle(title)
    if path is not None:
        figure.savefig(path, dpi=dpi)
    return figure


def color_of(label: int) -> Any:
    """A class's colour as red, green and blue from 0 to 1: the palette's, lightened, so that lines stand out."""
    return np.sqrt(palette()[1 + int(label) % 255] / 255)


def _checked(given: Any, name: str, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """The dictionaries' arrays, of the right shapes."""
    count, height, width, _ = shape
    if len(given) != count:
        raise ValueError(f"plot_detections: {count} pictures, {len(given)} dictionaries in {name}")
    checked = []
    for i, entry in enumerate(given):
        if "boxes" not in entry or "labels" not in entry:
            raise ValueError(f"plot_detections: {name} of picture {i} must have boxes and labels, got {list(entry)}")
        arrays = {key: array_of(entry[key]) for key in ("boxes", "labels", "scores", "masks") if key in entry}
        n = len(arrays["labels"])
        arrays["boxes"] = arrays["boxes"].reshape((0, 4) if not arrays["boxes"].size else arrays["boxes"].shape)
        arrays["labels"] = arrays["labels"].astype(np.int64)
        if "masks" in arrays:
            masks = arrays["masks"]
            arrays["masks"] = masks if masks.dtype == bool else masks > 0.5
        for key, expected in {"boxes": (n, 4), "labels": (n,), "scores": (n,), "masks": (n, height, width)}.items():
            if key in arrays and arrays[key].shape != expected:
                raise ValueError(
                    f"plot_detections: {name} of picture {i}: {key} must have shape {expected}, got {arrays[key].shape}"
                )
        checked.append(arrays)
    return checked
