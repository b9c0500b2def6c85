"""BackupAndRestore: a run that was killed goes on where it was, to the same bits."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from lamina import random
from lamina.models import saving
from lamina.models.callbacks.base import Callback, Logs, frequency
from lamina.models.resuming import Resume


class BackupAndRestore(Callback):
    """Keeps what a run needs to go on after it was broken off, in one file; `fit` called again goes on from there.

    The file holds the weights, the optimizer's state and learning rate, the epoch, the random numbers (also those of
    layers with a seed of their own), the history and what other callbacks count: training that was killed and started
    again gives the same bits as training that was not. The file is written whole or not at all. Data that come as an
    iterable must tell again what they told (a `set_pass(number)` method is called with the epoch, where there is one).

    Args:
        backup_dir: the folder; it is made where it is missing. Each run needs a folder of its own.
        save_freq: "epoch", or a number of batches after which to save as well.
        double_checkpoint: accepted for Keras's sake; one file that is never half written is enough.
        delete_checkpoint: whether the file is removed when training has come to its end.

    Raises:
        ValueError: for another save_freq, or if the file is not of this model.

    Example:
        >>> import lamina as lm, numpy as np
        >>> def train(epochs):
        ...     model = lm.models.Sequential([lm.layers.Dense(1)])
        ...     model.compile("adam", "mse")
        ...     keep = lm.models.BackupAndRestore("backup", delete_checkpoint=False)
        ...     return model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=epochs, callbacks=[keep], verbose=0)
        >>> train(2).epoch
        [0, 1]
        >>> train(3).epoch
        [0, 1, 2]
    """

    comes_last = True  # it keeps what the others count

    def __init__(
        self,
        backup_dir: str | Path,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        self.folder = Path(backup_dir)
        self.save_freq, self.delete_checkpoint = frequency(save_freq, "BackupAndRestore"), delete_checkpoint
        self._epoch = self._batches = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "backup.safetensors"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._batches = 0
        if self.path.exists():
            self._restore()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches % self.save_freq == 0:
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            self.path.unlink(missing_ok=True)

    def _save(self, epoch: int, batch: int) -> None:
        model = self.model
        arrays: dict[str, Any] = {}
        states = []
        for i, callback in enumerate(self.siblings):
            state = dict(callback.get_state())
            for key, value in list(state.items()):
                if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
                    arrays |= {f"callback/{i}/{key}/{k}": array for k, array in enumerate(value)}
                    state[key] = {"arrays": len(value)}
            states.append([type(callback).__name__, state])
        note = {
            "epoch": epoch,
            "batch": batch,
            "batches": self._batches,
            "epoch_random": model.epoch_random,
            "random": random.get_state(),
            "logs": model._compiled.get_state() if batch and model._compiled else {},
            "layers": saving.layer_streams(model),
            "learning_rate": float(model.optimizer.learning_rate),
            "iterations": model.optimizer.iterations,
            "callbacks": states,
        }
        saving.save_state(model, self.path, note, arrays)

    def _restore(self) -> None:
        model = self.model
        note, arrays = saving.load_state(model, self.path)
        saving.set_layer_streams(model, note["layers"])
        model.optimizer.iterations = note["iterations"]
        with contextlib.suppress(TypeError):  # where a schedule gives it, by the iterations
            model.optimizer.learning_rate = note["learning_rate"]
        random.set_state(note["random"])
        self._batches = note["batches"]
        model.resume = Resume(
            note["epoch"], note["batch"], tuple(note["epoch_random"]), tuple(note["random"]), note["logs"], {}
        )
        for i, (callback, (kind, state)) in enumerate(zip(self.siblings, note["callbacks"], strict=False)):
            if kind != type(callback).__name__:
                raise ValueError(
                    f"BackupAndRestore: {self.path} was written with other callbacks: {kind} in place of "
                    f"{type(callback).__name__}"
                )
            for key, value in state.items():
                if isinstance(value, dict) and set(value) == {"arrays"}:
                    state[key] = [arrays[f"callback/{i}/{key}/{k}"] for k in range(value["arrays"])]
            if state:
                model.resume.callbacks[callback] = state
