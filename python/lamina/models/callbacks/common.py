"""LambdaCallback, TerminateOnNaN, LearningRateScheduler, CSVLogger, SwapEMAWeights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina.models.callbacks.base import HOOKS, Callback, Logs, loss_in


class LambdaCallback(Callback):
    """A callback of functions, one a hook: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))``.

    Args:
        **hooks: functions by the names of Callback's methods, with the same arguments.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.models.Sequential([lm.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> tell = lm.models.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, list(logs)))
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), callbacks=[tell], verbose=0)
        0 ['loss']
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **hooks: Callable[..., Any] | None,
    ) -> None:
        hooks |= {
            "on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, "on_train_begin": on_train_begin,
            "on_train_end": on_train_end, "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }  # fmt: skip
        for name, function in hooks.items():
            if name not in HOOKS:
                raise ValueError(f"LambdaCallback: expected hooks among {HOOKS}, got {name!r}")
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback: {name} must be a function, got {function!r}")
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite.

    Args:
        raise_error: whether to raise a RuntimeError instead.

    Example:
        >>> import lamina as lm
        >>> callbacks = [lm.models.TerminateOnNaN()]
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = loss_in(logs or {})
        if not math.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"TerminateOnNaN: the loss is {loss} in batch {batch + 1}")
            print(f"Batch {batch + 1}: the loss is not a number, training ends")
            self.model.stop_training = True


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with two arguments; one that does not tell is taken to be."""
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: a function (epoch, learning rate) -> learning rate, or of the epoch alone; epochs count from 0.
        verbose: 1 to say what it sets.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.models.Sequential([lm.layers.Dense(1)])
        >>> model.compile(lm.optimizers.SGD(0.5), "mse")
        >>> halve = lm.models.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=3, callbacks=[halve], verbose=0)
        >>> history.history["learning_rate"]
        [0.5, 0.25, 0.125]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"LearningRateScheduler: schedule must be a function, got {schedule!r}")
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        rate = self.schedule(epoch, float(optimizer.learning_rate)) if self._takes_rate else self.schedule(epoch)
        if isinstance(rate, bool | str) or not hasattr(rate, "__float__"):
            raise TypeError(f"LearningRateScheduler: schedule must give a number, got {rate!r}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {optimizer.learning_rate:.6g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class CSVLogger(Callback):
    """Writes a line an epoch into a file: the epoch and all logs, by name.

    Args:
        filename: where.
        separator: between entries.
        append: whether to go on in a file that is there; it must have the same columns then.

    Example:
        >>> import lamina as lm, numpy as np, pathlib
        >>> model = lm.models.Sequential([lm.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> log = lm.models.CSVLogger("log.csv")
        >>> history = model.fit(np.ones((4, 2)), np.zeros((4, 1)), epochs=2, callbacks=[log], verbose=0)
        >>> print(pathlib.Path("log.csv").read_text().strip())
        epoch,loss
        0,0.0
        1,0.0
    """

    comes_last = True  # other callbacks add to the logs

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be one character, got {separator!r}")
        self.filename, self.separator, self.append = Path(filename), separator, append
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys = None
        if self.append and self.filename.exists():
            self.keys = next(iter(self._read()), ["epoch"])[1:] or None
        else:
            self._write([], "w")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = list(logs)
            self._write([["epoch", *self.keys]])
        unknown = [name for name in logs if name not in self.keys]
        later = [name for name in unknown if not name.startswith("val_")]
        if later:
            raise ValueError(f"CSVLogger: {self.filename} has the columns {self.keys}, got {later} as well")
        if unknown:  # validation that comes every few epochs: its columns are added to the lines before
            rows = self._read()
            self.keys = [*self.keys, *unknown]
            self._write([["epoch", *self.keys], *[row + [""] * len(unknown) for row in rows[1:]]], "w")
        self._write([[epoch, *[logs.get(name, "") for name in self.keys]]])

    def _read(self) -> list[list[str]]:
        import csv

        with open(self.filename, newline="", encoding="utf-8") as file:
            return list(csv.reader(file, delimiter=self.separator))

    def _write(self, rows: list[list[Any]], mode: str = "a") -> None:
        import csv

        with open(self.filename, mode, newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.separator, lineterminator="\n").writerows(rows)


class SwapEMAWeights(Callback):
    """Has evaluation and prediction go by the moving averages of the weights, which an optimizer with
    ``use_ema=True`` keeps; training goes on with the weights themselves.

    Args:
        swap_on_epoch: whether the averages are in the model from the end of an epoch to the beginning of the next, so
            that callbacks save them. Give it before ModelCheckpoint then.

    Example:
        >>> import lamina as lm
        >>> callbacks = [lm.models.SwapEMAWeights(swap_on_epoch=True)]
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = bool(swap_on_epoch)
        self._swapped = False

    def _swap(self, wanted: bool) -> None:
        if self._swapped is wanted:
            return
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(f"SwapEMAWeights: the optimizer must have use_ema=True, got {optimizer!r}")
        names = {str(i): variable for i, variable in enumerate(self.model.trainable_weights)}
        for key, average in optimizer.get_state(names).items():
            kind, _, name = key.rpartition("/")
            if kind == "average":
                weight = names[name].array
                weight[...], average[...] = average.copy(), weight.copy()
        self._swapped = wanted

    def get_state(self) -> dict[str, Any]:
        return {"swapped": self._swapped}

    def set_state(self, state: dict[str, Any]) -> None:
        self._swapped = state["swapped"]

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap(False)
