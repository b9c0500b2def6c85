"""Callback: what happens at the ends of batches and epochs; and many of them as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.models.model import Model

Logs = dict[str, float]

HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end", "on_predict_begin", "on_predict_end",
    "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip


def loss_in(logs: Logs) -> float:
    """The loss among logs; where several networks have one each, as d_loss and g_loss, and none together, their sum."""
    if "loss" in logs:
        return float(logs["loss"])
    return sum(float(value) for name, value in logs.items() if name.endswith("_loss") and not name.startswith("val_"))


class Callback:
    """A subclass overrides the hooks it wants. ``self.model`` is the model; ``self.model.stop_training = True`` ends
    training after the epoch. Epochs and batches count from 0; logs hold the means so far.

    Example:
        >>> import lamina as lm, numpy as np
        >>> class Once(lm.models.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         self.model.stop_training = True
        >>> model = lm.models.Sequential([lm.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=9, callbacks=[Once()], verbose=0).epoch
        [0]
    """

    model: Model
    params: dict[str, Any]
    siblings: list[Callback]  # all callbacks of this call, in order
    comes_last = False  # whether its hooks run after those of all others

    def set_model(self, model: Model) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """What a run that goes on after a break must know: values that JSON takes, and lists of arrays."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave, after `on_train_begin`."""

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

    Example:
        >>> import lamina as lm
        >>> tell = lm.models.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
        >>> lm.models.CallbackList([tell], None, {}).call("on_epoch_end", 0, {"loss": 1.0})
        0 {'loss': 1.0}
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
        self.callbacks.sort(key=lambda c: c.comes_last)  # stable
        for callback in self.callbacks:
            callback.set_model(model)
            callback.set_params(params)
            callback.siblings = self.callbacks
        self._hooks = {hook: [getattr(c, hook) for c in self.callbacks if _overrides(c, hook)] for hook in HOOKS}

    def wants(self, hook: str) -> bool:
        """Whether any callback has this hook: a step need not make logs that nobody reads."""
        return bool(self._hooks[hook])

    def call(self, hook: str, *args: Any) -> None:
        """Calls a hook of all callbacks that have it."""
        for function in self._hooks[hook]:
            function(*args)


def frequency(save_freq: Any, owner: str) -> str | int:
    """When to save: "epoch", or after every so many batches.

    Raises:
        ValueError: for anything else.
    """
    if save_freq == "epoch":
        return "epoch"
    if isinstance(save_freq, bool) or not hasattr(save_freq, "__index__") or save_freq < 1:
        raise ValueError(f'{owner}: save_freq must be "epoch" or a number of batches, got {save_freq!r}')
    return int(save_freq)


def epochs_of(value: Any, owner: str, name: str) -> int:
    """A number of epochs, not negative.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise ValueError(f"{owner}: {name} must be an integer of at least 0, got {value!r}")
    return int(value)


def _overrides(callback: Callback, hook: str) -> bool:
    return hook in callback.__dict__ or getattr(type(callback), hook) is not getattr(Callback, hook)
