"""Callbacks for adversarial training: when to stop, what to draw, what to warn of."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lamina.models.callbacks import Callback
from lamina.ops.checks import integer


class EqualJudges(Callback):
    """Stops once the discriminator's accuracy has stayed near one half: it cannot tell real samples from invented ones.

    Args:
        margin: how far from 0.5 d_accuracy may be.
        patience: for how many epochs in a row.
        start: epochs before which nothing is counted: untrained networks cannot tell either.

    Attributes:
        stopped_epoch: the epoch after which training was stopped; None before.

    Raises:
        ValueError: for a margin outside of 0 to 0.5, or patience below 1.

    Example:
        >>> import lamina as lm
        >>> lm.applications.EqualJudges(margin=0.1, patience=5).stopped_epoch is None
        True

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, section 4.1.
    """

    def __init__(self, margin: float = 0.1, patience: int = 5, start: int = 10) -> None:
        if not 0 <= margin <= 0.5:
            raise ValueError(f"EqualJudges: margin must be from 0 to 0.5, got {margin}")
        if patience < 1:
            raise ValueError(f"EqualJudges: patience must be at least 1, got {patience}")
        self.margin, self.patience, self.start = margin, patience, start
        self.stopped_epoch: int | None = None
        self._equal = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._equal, self.stopped_epoch = 0, None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch < self.start:
            return
        self._equal = self._equal + 1 if abs((logs or {})["d_accuracy"] - 0.5) <= self.margin else 0
        if self._equal >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True


class CollapseWarning(Callback):
    """Warns after an epoch whose samples hardly differ from each other, as those of a collapsed generator do.

    `GAN.fit` adds one by itself. The spread is the standard deviation over samples, averaged over their values; of a
    conditional generator it is that within each class, beside that class's real samples in the epoch's last batch (at
    least two: else the class is not looked at).

    Args:
        ratio: warn where the spread of invented samples is below this share of that of real ones.
        start: epochs before which nothing is said: the samples of an untrained generator differ little.
        count: how many samples are invented, shared among the classes: at least 8 of each.

    Example:
        >>> import lamina as lm
        >>> lm.applications.CollapseWarning(ratio=0.2).ratio
        0.2
    """

    def __init__(self, ratio: float = 0.1, start: int = 5, count: int = 64) -> None:
        self.ratio, self.start, self.count = ratio, start, count
        self._warned = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model: Any = self.model
        real = model.last_real
        if self._warned or epoch < self.start:
            return
        if model.classes is None:
            collapsed = [""] if self._alike(model.sample(self.count, seed=0), real) else []
        else:
            kinds = np.repeat(np.arange(model.classes), max(8, self.count // model.classes))
            found, own = model.sample(len(kinds), kinds, seed=0), np.asarray(model.last_labels).reshape(len(real))
            collapsed = [str(k) for k in range(model.classes) if self._alike(found[kinds == k], real[own == k])]
        if collapsed:
            self._warned = True
            of = f" of class {', '.join(collapsed)}" if collapsed[0] else ""
            warnings.warn(
                f"fit: after epoch {epoch + 1} the generator's samples{of} hardly differ: it has collapsed to a few; "
                'another seed, a slower generator, label smoothing or the loss "wasserstein" may help',
                RuntimeWarning,
                stacklevel=2,
            )

    def _alike(self, invented: Any, real: Any) -> bool:
        return len(real) > 1 and bool(invented.std(axis=0).mean() < self.ratio * real.std(axis=0).mean())


class SampleGrid(Callback):
    """Draws a grid of samples of the same codes after an epoch: PNG files, and an animated GIF of them all.

    Args:
        folder: where "epoch_0001.png" and so on go; None for no files but the GIF.
        gif: the GIF's path; None for none.
        rows, columns: of the grid; conditional networks show a class a row.
        every: draw after every so many epochs.
        low, high: the values that are black and white.
        scale: points of the picture for one of a sample.
        seed: of the codes.

    Raises:
        ValueError: unless low is below high, and rows, columns, every and scale are at least 1.
        ImportError: without Pillow: pip install "lamina[images]".

    Example:
        >>> import lamina as lm
        >>> lm.applications.SampleGrid("pictures", gif="training.gif", rows=4, columns=8).frames
        []
    """

    def __init__(
        self, folder: Any = None, gif: Any = None, rows: int = 6, columns: int = 10, every: int = 1,
        low: float = -1.0, high: float = 1.0, scale: int = 2, seed: int = 0,
    ) -> None:  # fmt: skip
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"SampleGrid: low must be below high, got {low} and {high}")
        self.folder, self.gif = None if folder is None else Path(folder), gif
        self.rows, self.columns, self.every, self.scale = (
            integer(value, "SampleGrid", what, 1)
            for value, what in ((rows, "rows"), (columns, "columns"), (every, "every"), (scale, "scale"))
        )
        self.low, self.high, self.seed = low, high, seed
        self.frames: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if (epoch + 1) % self.every:
            return
        from PIL import Image

        model: Any = self.model
        count = self.rows * self.columns
        labels = None if model.classes is None else np.arange(count) // self.columns % model.classes
        samples = model.sample(count, labels, seed=self.seed)
        picture = Image.fromarray(tiled(shades(samples, self.low, self.high), self.rows, self.scale))
        self.frames.append(picture)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            picture.save(self.folder / f"epoch_{epoch + 1:04d}.png")

    def on_train_end(self, logs: Any = None) -> None:
        if self.gif is not None and self.frames:
            frames = [frame.quantize(32) for frame in self.frames]
            pauses = [150] * (len(frames) - 1) + [1500]
            frames[0].save(self.gif, save_all=True, append_images=frames[1:], duration=pauses, loop=0, optimize=True)


def shades(pictures: Any, low: float, high: float) -> Any:
    """Pictures as bytes: 0 for low and what is below, 255 for high and what is above.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.applications.gan_callbacks.shades(np.array([-2.0, -1.0, 0.2, 1.0]), -1.0, 1.0).tolist()
        [0, 0, 153, 255]
    """
    return (np.clip((pictures - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)


def tiled(pictures: Any, rows: int, scale: int = 1) -> Any:
    """Pictures (N, H, W, C), C of 1 or 3, in rows side by side: (rows H, N / rows W), or with 3 channels at the end.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.applications.gan_callbacks.tiled(np.zeros((6, 8, 8, 1), np.uint8), rows=2, scale=2).shape
        (32, 48)
    """
    count, height, width, channels = pictures.shape
    grid = pictures.reshape(rows, count // rows, height, width, channels).transpose(0, 2, 1, 3, 4)
    grid = grid.reshape(rows * height, -1, channels).repeat(scale, axis=0).repeat(scale, axis=1)
    return grid[:, :, 0] if channels == 1 else grid
