"""History: the logs of all epochs, and their picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lamina.models.callbacks.base import Callback, Logs


class History(Callback):
    """What `fit` returns: `epoch`, a list of numbers, and `history`, a list of values for each loss and metric.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.models.Sequential([lm.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def get_state(self) -> dict[str, Any]:
        told = {name: [np.asarray(v).tolist() for v in values] for name, values in self.history.items()}
        return {"history": told, "epoch": self.epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        told = state["history"]
        self.history = {name: [np.array(v) if isinstance(v, list) else v for v in told[name]] for name in told}
        self.epoch = state["epoch"]

    def plot(self, path: str | Path | None = None) -> Any:
        """Draws the loss and each metric over the epochs, training and validation together; a line a value where a
        metric has several (one of more dimensions, as a confusion matrix, is left out).

        Args:
            path: where to write the picture, in the format of its ending; None to write none.

        Returns:
            matplotlib's Figure.

        Raises:
            ImportError: without matplotlib: pip install "lamina[demo]".
            ValueError: before an epoch has ended.
        """
        from matplotlib.figure import Figure

        names = [name for name in self.history if not name.startswith("val_") and np.ndim(self.history[name][0]) < 2]
        if not names:
            raise ValueError("plot: there is no epoch to draw yet")
        columns = min(len(names), 3) if len(names) != 4 else 2
        rows = -(-len(names) // columns)
        figure = Figure(figsize=(4.8 * columns, 3.6 * rows), layout="constrained")
        places = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, name in zip(places, names, strict=False):
            self.draw(axes, name)
        for axes in places[len(names) :]:
            axes.set_visible(False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def draw(self, axes: Any, name: str) -> None:
        """Draws one loss or metric, training and validation, into matplotlib's axes."""
        for key, label, style in ((name, "training", "-"), (f"val_{name}", "validation", "--")):
            values = self.history.get(key)
            if values:
                epochs = [e + 1 for e in self.epoch[-len(values) :]]
                several = np.ndim(values[0])
                labels = [f"{label} {i}" for i in range(len(values[0]))] if several else label
                axes.plot(epochs, np.array(values), style, label=labels, marker="." if len(values) < 30 else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
