"""Callbacks: what happens at the ends of batches and epochs. History, EarlyStopping, ModelCheckpoint and others."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lamina.models.model import Model

Logs = dict[str, float]

HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end", "on_predict_begin", "on_predict_end",
    "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip


class Callback:
    """A subclass overrides the hooks it wants. ``self.model`` is the model; ``self.model.stop_training = True`` ends
    training after the epoch. Epochs and batches count from 0; logs hold the means so far.
    """

    model: Model
    params: dict[str, Any]

    def set_model(self, model: Model) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch and its validation: logs hold "loss", "val_loss" and the metrics."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of a prediction."""


class CallbackList:
    """Callbacks as one: each hook calls those that override it.

    Args:
        callbacks: callbacks, one or many, or None.
        model: the model that they get.
        params: what they find in ``self.params``.
    """

    def __init__(self, callbacks: Any, model: Any, params: dict[str, Any]) -> None:
        if isinstance(callbacks, CallbackList):
            callbacks = callbacks.callbacks
        elif callbacks is None:
            callbacks = []
        elif isinstance(callbacks, Callback):
            callbacks = [callbacks]
        self.callbacks: list[Callback] = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be lamina.models.Callback objects, got {callback!r}")
            callback.set_model(model)
            callback.set_params(params)
        self._hooks = {hook: [getattr(c, hook) for c in self.callbacks if _overrides(c, hook)] for hook in HOOKS}

    def wants(self, hook: str) -> bool:
        """Whether any callback has this hook: a step need not make logs that nobody reads."""
        return bool(self._hooks[hook])

    def call(self, hook: str, *args: Any) -> None:
        """Calls a hook of all callbacks that have it."""
        for function in self._hooks[hook]:
            function(*args)


def _overrides(callback: Callback, hook: str) -> bool:
    return hook in callback.__dict__ or getattr(type(callback), hook) is not getattr(Callback, hook)


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
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def plot(self, path: str | Path | None = None) -> Any:
        """Draws the loss and each metric over the epochs, training and validation together.

        Args:
            path: where to write the picture, in the format of its ending; None to write none.

        Returns:
            matplotlib's Figure.

        Raises:
            ImportError: without matplotlib: pip install "lamina[demo]".
            ValueError: before an epoch has ended.
        """
        from matplotlib.figure import Figure

        names = [name for name in self.history if not name.startswith("val_")]
        if not names:
            raise ValueError("plot: there is no epoch to draw yet")
        figure = Figure(figsize=(4.8 * len(names), 3.6), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            self.draw(axes, name)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def draw(self, axes: Any, name: str) -> None:
        """Draws one loss or metric, training and validation, into matplotlib's axes."""
        for key, label, style in ((name, "training", "-"), (f"val_{name}", "validation", "--")):
            values = self.history.get(key)
            if values:
                epochs = [e + 1 for e in self.epoch[-len(values) :]]
                axes.plot(epochs, values, style, label=label, marker="." if len(values) < 30 else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)


class _Monitor(Callback):
    """Watches one of the logs' values and knows which of two is better."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'{type(self).__name__}: mode must be "auto", "min" or "max", got {mode!r}')
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(float(min_delta))

    def _is_better(self, value: float, best: float | None) -> bool:
        if best is None:
            return not math.isnan(value)
        if self._larger_is_better():
            return value - self.min_delta > best
        return value + self.min_delta < best

    def _larger_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        return self.monitor.removeprefix("val_").endswith(("accuracy", "acc", "auc", "precision", "recall"))

    def _value(self, logs: Logs | None) -> float:
        logs = logs or {}
        if self.monitor not in logs:
            raise ValueError(
                f"{type(self).__name__}: there is no {self.monitor!r} to monitor; there is {sorted(logs)}"
                + (" (fit got no validation data)" if self.monitor.startswith("val_") else "")
            )
        return logs[self.monitor]


class EarlyStopping(_Monitor):
    """Ends training when a value has not become better for a number of epochs.

    Args:
        monitor: which value: "val_loss", "accuracy", ...
        min_delta: a smaller change does not count as better.
        patience: so many epochs without a better value are borne.
        verbose: 1 to say when it stops.
        mode: "min" (less is better), "max", or "auto" by the name.
        baseline: the value that the first epoch must be better than.
        restore_best_weights: whether the model gets the weights of its best epoch back.
        start_from_epoch: epochs before this one are not looked at.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = int(patience), verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, int(start_from_epoch)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray[Any, Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._is_better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of epoch {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the model after epochs, or every so many batches.

    Args:
        filepath: where; it ends in ".safetensors" and may name logs: "{epoch:02d}-{val_loss:.2f}.safetensors".
        monitor: which value tells what is best.
        verbose: 1 to say when it saves.
        save_best_only: whether to save only when the value became better.
        save_weights_only: whether to leave out the architecture and the optimizer's state.
        mode: "min" (less is better), "max", or "auto" by the name.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: the value that the first epoch must be better than.
    """

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = str(filepath)
        if not self.filepath.endswith(".safetensors"):
            raise ValueError(f'ModelCheckpoint: filepath must end in ".safetensors", got {self.filepath!r}')
        if save_freq != "epoch" and (isinstance(save_freq, str | bool) or save_freq < 1):
            raise ValueError(f'ModelCheckpoint: save_freq must be "epoch" or a number of batches, got {save_freq!r}')
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches % self.save_freq == 0:
            self._save(logs, batch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs, None)

    def _save(self, logs: Logs | None, batch: int | None) -> None:
        if self.save_best_only:
            value = self._value(logs)
            if not self._is_better(value, self.best):
                return
            self.best = value
        path = self.filepath.format(epoch=self._epoch + 1, batch=0 if batch is None else batch + 1, **(logs or {}))
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {self._epoch + 1}: saved {path}")


class LambdaCallback(Callback):
    """A callback of functions, one a hook: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))``.

    Args:
        **hooks: functions by the names of Callback's methods, with the same arguments.
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for name, function in hooks.items():
            if name not in HOOKS:
                raise ValueError(f"LambdaCallback: expected hooks among {HOOKS}, got {name!r}")
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            print(f"Batch {batch + 1}: the loss is not a number, training ends")
            self.model.stop_training = True
