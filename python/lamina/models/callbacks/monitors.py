"""Callbacks that watch a value: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from lamina.layers.checks import number
from lamina.models.callbacks.base import Callback, Logs, epochs_of, frequency

LARGER_IS_BETTER = (
    "accuracy", "acc", "auc", "precision", "recall", "f1_score", "fbeta_score", "r2_score", "iou", "io_u", "dice",
    "cosine_similarity", "specificity", "sensitivity",
)  # fmt: skip


class _Monitor(Callback):
    """Watches one of the logs' values and knows which of two is better."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'{type(self).__name__}: mode must be "auto", "min" or "max", got {mode!r}')
        if not isinstance(monitor, str):
            raise TypeError(f"{type(self).__name__}: monitor must be the name of a log, got {monitor!r}")
        self.monitor, self.mode = monitor, mode
        self.min_delta = abs(number(min_delta, type(self).__name__, "min_delta"))
        if not math.isfinite(self.min_delta):
            raise ValueError(f"{type(self).__name__}: min_delta must be finite, got {min_delta}")

    def _is_better(self, value: float, best: float | None) -> bool:
        if best is None:
            return not math.isnan(value)
        if self._larger_is_better():
            return value - self.min_delta > best
        return value + self.min_delta < best

    def _larger_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        return self.monitor.removeprefix("val_").endswith(LARGER_IS_BETTER)

    def _value(self, logs: Logs | None) -> float | None:
        """The value watched; None in an epoch without the validation that it comes from.

        Raises:
            ValueError: if there is no such value at all.
        """
        logs = logs or {}
        if self.monitor not in logs:
            if self.monitor.startswith("val_") and getattr(self, "params", {}).get("validation_freq", 1) > 1:
                return None  # validation comes every few epochs
            raise ValueError(
                f"{type(self).__name__}: there is no {self.monitor!r} to monitor; there is {sorted(logs)}"
                + (" (fit got no validation data)" if self.monitor.startswith("val_") else "")
            )
        value = logs[self.monitor]
        if np.ndim(value):
            raise ValueError(f"{type(self).__name__}: {self.monitor!r} must be one number to monitor, got an array of "
                             f"shape {np.shape(value)}")  # fmt: skip
        return value


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

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.models.Sequential([lm.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> stop = lm.models.EarlyStopping(monitor="loss", patience=2)
        >>> len(model.fit(np.ones((4, 2)), np.zeros((4, 1)), epochs=9, callbacks=[stop], verbose=0).epoch)
        3
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
        self.patience = epochs_of(patience, "EarlyStopping", "patience")
        self.start_from_epoch = epochs_of(start_from_epoch, "EarlyStopping", "start_from_epoch")
        self.verbose, self.baseline, self.restore_best_weights = verbose, baseline, restore_best_weights

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray[Any, Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._value(logs)
        if value is None or epoch < self.start_from_epoch:
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

    def get_state(self) -> dict[str, Any]:
        kept = {"best_weights": self.best_weights} if self.best_weights is not None else {}
        return {"wait": self.wait, "best": self.best, "best_epoch": self.best_epoch, **kept}

    def set_state(self, state: dict[str, Any]) -> None:
        self.wait, self.best, self.best_epoch = state["wait"], state["best"], state["best_epoch"]
        self.best_weights = state.get("best_weights")

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
        filepath: where; it ends in ".safetensors" and may name logs: "{epoch:02d}-{val_loss:.2f}.safetensors". Folders
            that are missing are made.
        monitor: which value tells what is best.
        verbose: 1 to say when it saves.
        save_best_only: whether to save only when the value became better.
        save_weights_only: whether to leave out the architecture and the optimizer's state.
        mode: "min" (less is better), "max", or "auto" by the name.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: the value that the first epoch must be better than.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.models.Sequential([lm.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> save = lm.models.ModelCheckpoint("{epoch}.safetensors", monitor="loss", save_best_only=True)
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), callbacks=[save], verbose=0)
        >>> lm.models.load_model("1.safetensors").count_params()
        3
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
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.save_freq = frequency(save_freq, "ModelCheckpoint")
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

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "batches": self._batches}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self._batches = state["best"], state["batches"]

    def _save(self, logs: Logs | None, batch: int | None) -> None:
        if self.save_best_only:
            value = self._value(logs)
            if value is None or not self._is_better(value, self.best):
                return
            self.best = value
        path = self.filepath.format(epoch=self._epoch + 1, batch=0 if batch is None else batch + 1, **(logs or {}))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {self._epoch + 1}: saved {path}")


class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate when a value has not become better for a number of epochs.

    Args:
        monitor: which value: "val_loss", "accuracy", ...
        factor: what the learning rate is multiplied by, from 0 on and less than 1.
        patience: so many epochs without a better value are borne.
        verbose: 1 to say when it acts.
        mode: "min" (less is better), "max", or "auto" by the name.
        min_delta: a smaller change does not count as better.
        cooldown: so many epochs after a change are not looked at.
        min_lr: the learning rate never becomes less.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.models.Sequential([lm.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(lm.optimizers.SGD(0.5), "mse")
        >>> reduce = lm.models.ReduceLROnPlateau(monitor="loss", patience=1)
        >>> history = model.fit(np.ones((4, 2)), np.zeros((4, 1)), epochs=3, callbacks=[reduce], verbose=0)
        >>> [round(rate, 4) for rate in history.history["learning_rate"]]
        [0.5, 0.5, 0.05]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 <= number(factor, "ReduceLROnPlateau", "factor") < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be at least 0 and less than 1, got {factor}")
        if not 0 <= number(min_lr, "ReduceLROnPlateau", "min_lr") < math.inf:
            raise ValueError(f"ReduceLROnPlateau: min_lr must be finite and at least 0, got {min_lr}")
        self.factor, self.verbose, self.min_lr = float(factor), verbose, float(min_lr)
        self.patience = epochs_of(patience, "ReduceLROnPlateau", "patience")
        self.cooldown = epochs_of(cooldown, "ReduceLROnPlateau", "cooldown")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best: float | None = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(optimizer.learning_rate)
        value = self._value(logs)
        if value is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_better(value, self.best):
            self.best, self.wait = value, 0
            return
        if self.cooldown_counter:
            return
        self.wait += 1
        rate = float(optimizer.learning_rate)
        if self.wait >= self.patience and rate > self.min_lr:
            optimizer.learning_rate = max(rate * self.factor, self.min_lr)
            self.wait, self.cooldown_counter = 0, self.cooldown
            if self.verbose:
                print(f"Epoch {epoch + 1}: the learning rate becomes {optimizer.learning_rate:.6g}")

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]
