"""Training: fit, and steps on single batches."""

from __future__ import annotations

import functools
import math
import time
import warnings
from typing import Any

import numpy as np

from lamina import random
from lamina.autograd.variable import Variable
from lamina.layers.checks import real
from lamina.models.batches import Batches, Weighed, as_arrays, is_arrays, make_batches, placed, split_end
from lamina.models.callbacks import CallbackList, History
from lamina.models.callbacks.base import loss_in
from lamina.models.class_weights import class_weights
from lamina.models.compiling import number_of
from lamina.models.evaluating import Evaluated, Logs, checked_batch, packed, result
from lamina.models.progress import Progress, verbosity
from lamina.models.resuming import Resume


class Trained(Evaluated):
    """A layer that learns from data: what Model has of training."""

    stop_training = False
    resume: Resume | None = None  # where a callback wants training to go on
    epoch_random: tuple[int, int] = (0, 0)  # where the random numbers of the epoch begin

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[Any, Any] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Trains. An epoch is one pass over the data, ceil(N / batch_size) iterations.

        Args:
            x: array (N, ...), or a list or dictionary of them for several inputs; or an iterable of batches x, (x, y)
                or (x, y, sample_weight): a generator, a `lamina.data.Dataset`.
            y: the targets, N of them; a list, or a dictionary by name, for several outputs; None where they come with
                x.
            batch_size: samples an iteration; 32 by default.
            epochs: train up to this epoch.
            verbose: 0 for nothing, 1 or "auto" for a progress bar, 2 for one line an epoch.
            callbacks: a list of Callbacks.
            validation_split: the share of the samples, the last ones, to keep for validation.
            validation_data: (x, y) or (x, y, sample_weight) for validation, or an iterable of batches.
            shuffle: whether each epoch has a new order, by `lamina.set_seed`.
            class_weight: {class: weight of its samples}; for several outputs {name: {class: weight}}.
            sample_weight: (N,), how much each sample counts; a list, or a dictionary by name, for several outputs.
            initial_epoch: the epoch to begin with.
            steps_per_epoch: iterations an epoch, if not a whole pass.
            validation_steps, validation_batch_size: the same for validation.
            validation_freq: validate after every so many epochs.

        Returns:
            The History: ``history.history["loss"]``, ``history.plot()``.

        Raises:
            RuntimeError: before compile.
            ValueError: if there are no samples, or x and y differ in length.
        """
        self._check_compiled("fit")
        verbose = verbosity(verbose, "fit")
        if not real(validation_split) or not 0 <= validation_split < 1:
            raise ValueError(f"fit: validation_split must be at least 0 and less than 1, got {validation_split!r}")
        weigh = None
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("fit: give class_weight or sample_weight, not both")
            table, names = class_weight, self._known_outputs()
            if is_arrays(x):
                sample_weight = class_weights(as_arrays(y), table, names)
            else:
                weigh = functools.partial(class_weights, class_weight=table, names=names)
        for value, what, least in ((epochs, "epochs", 0), (initial_epoch, "initial_epoch", 0),
                                   (validation_freq, "validation_freq", 1)):  # fmt: skip
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
                raise ValueError(f"fit: {what} must be an integer of at least {least}, got {value!r}")
        if validation_split and validation_data is None and not is_arrays(x):
            raise ValueError(
                "fit: validation_split needs arrays; give validation_data where x is an iterable of batches"
            )
        if validation_split and validation_data is None:
            make_batches(x, y, sample_weight, batch_size, False, None, "fit")  # lengths are checked before the cut
            (x, val_x), (y, val_y), (sample_weight, val_weight) = (
                split_end(part, validation_split) for part in (x, y, sample_weight)
            )
            validation_data = (val_x, val_y, val_weight)
        batches = make_batches(x, y, sample_weight, batch_size, shuffle, steps_per_epoch, "fit")
        if weigh is not None:
            batches = Weighed(batches, weigh, "fit")
        validation = None
        if validation_data is not None:
            validation = _validation(validation_data, validation_batch_size or batch_size, validation_steps)
        self.history = History()
        every = 1 if validation is None else validation_freq
        params = {"epochs": epochs, "steps": len(batches) or None, "verbose": verbose, "validation_freq": every}
        hooks = CallbackList(callbacks, self, params)
        hooks = CallbackList([*hooks.callbacks, self.history], self, params)
        self.stop_training = False
        self.resume = None
        hooks.call("on_train_begin", {})
        warned = False
        logs: Logs = {}
        began = time.perf_counter()
        first = initial_epoch
        if self.resume is not None:
            first = self.resume.epoch
            for callback, state in self.resume.callbacks.items():
                callback.set_state(state)
        _set_pass(x, first)
        for epoch in range(first, epochs):
            hooks.call("on_epoch_begin", epoch, {})
            self.reset_metrics()
            progress = Progress(f"Epoch {epoch + 1}/{epochs}", len(batches), verbose)
            try:
                warned |= self._train_epoch(batches, epoch, hooks, progress, warned)
                logs = self._logs()
                if validation is not None and (epoch + 1) % validation_freq == 0:
                    logs |= {f"val_{name}": value for name, value in self._test(validation, hooks).items()}
                left = (time.perf_counter() - began) / (epoch + 1 - first) * (epochs - epoch - 1)
                progress.close(logs, left)
            except BaseException:
                progress.close()
                raise
            hooks.call("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        hooks.call("on_train_end", logs)
        if getattr(self.optimizer, "use_ema", False):
            self.optimizer.finalize_variable_values(self.trainable_weights)
        return self.history

    def _train_epoch(self, batches: Batches, epoch: int, hooks: CallbackList, progress: Progress, warned: bool) -> bool:
        """One epoch; returns whether a loss was not finite. Weights are gathered once: steps do not change them."""
        begin, end = hooks.wants("on_train_batch_begin"), hooks.wants("on_train_batch_end")
        own_step = type(self).train_step is not Trained.train_step
        weights: list[Variable] | None = None
        loss: Any = 0.0
        step, iterator = -1, enumerate(batches)
        self.epoch_random = random.get_state()
        resumed = self.resume is not None and self.resume.batch > 0
        if self.resume is not None and self.resume.batch:  # in the middle of an epoch: its order, from there on
            random.set_state(self.resume.epoch_random)
            self.epoch_random = self.resume.epoch_random
            for _ in range(self.resume.batch):
                next(iterator, None)
            random.set_state(self.resume.random)
            self._check_compiled("fit").set_state(self.resume.logs)
        self.resume = None
        for step, (x, y, sample_weight) in iterator:
            if begin:
                hooks.call("on_train_batch_begin", step, {})
            if own_step:
                self._own_logs = self.train_step(packed(x, y, sample_weight))
                loss = loss_in(self._own_logs)
            else:
                loss = self._train_batch(x, y, sample_weight, weights)
                weights = weights or self.trainable_weights
            if not warned and isinstance(loss, float) and not math.isfinite(loss):
                warned = True
                warnings.warn(
                    f"fit: the loss is {loss} in epoch {epoch + 1}, batch {step + 1}; a smaller learning rate or "
                    "scaled inputs may help; the callback TerminateOnNaN stops training here",
                    RuntimeWarning,
                    stacklevel=3,
                )
            progress.advance(self._logs)
            if end:
                hooks.call("on_train_batch_end", step, self._logs())
            if self.stop_training:
                break
        if not warned and not isinstance(loss, float) and not math.isfinite(self._logs().get("loss", 0.0)):
            warned = True
            warnings.warn(
                f"fit: the loss is not finite in epoch {epoch + 1}; a smaller learning rate or scaled inputs may help; "
                "the callback TerminateOnNaN stops training here",
                RuntimeWarning,
                stacklevel=3,
            )
        if step < 0 and not resumed:
            raise ValueError(f"fit: the data gave no batch in epoch {epoch + 1}")
        return warned

    def _train_batch(self, x: Any, y: Any, sample_weight: Any, weights: list[Variable] | None = None) -> Any:
        """One step of gradient descent; the loss: a float, or on a GPU an array that the program has not waited for."""
        if self._captured is not None and self._device == "cuda":
            return self._captured(x, y, sample_weight, weights)
        if self._device is not None:
            x, y, sample_weight = (placed(part, self._device) for part in (x, y, sample_weight))
        y_pred = self(x, training=True)
        if weights is None:
            weights = self.trainable_weights
            self._look_at(weights)
            for v in weights:  # what a backward of the user's own left, or a step that was broken off
                v.grad_array = None
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        self.optimizer.scale_loss(loss).backward()
        self.optimizer.step(weights)
        array = loss.array
        value = array.item() if type(array) is np.ndarray else number_of(loss)
        self._compiled.update(value, y, y_pred, sample_weight)  # type: ignore[union-attr]
        return value

    def train_step(self, data: Any) -> Logs:
        """One step on a batch (x,), (x, y) or (x, y, sample_weight): override it for training of another kind.

        Returns:
            The logs, {"loss": ...}.
        """
        self._train_batch(*(*data, None, None)[:3])
        return self._check_compiled("fit").logs()

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[Any, Any] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch.

        Returns:
            The loss, or [loss, metric, ...] where there are metrics; a dictionary with ``return_dict``.
        """
        objective = self._check_compiled("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("train_on_batch: give class_weight or sample_weight, not both")
            sample_weight = class_weights(as_arrays(y), class_weight, self._known_outputs())
        if type(x) is not np.ndarray or type(y) is not np.ndarray or not x.ndim or x.shape[:1] != y.shape[:1] \
                or not len(x):  # fmt: skip
            x, y = checked_batch(x, y, "train_on_batch")
        self.reset_metrics()
        if type(self).train_step is not Trained.train_step:
            self._own_logs = self.train_step(packed(x, y, sample_weight))
            return result(self._own_logs, return_dict)
        loss = self._train_batch(x, y, sample_weight)
        if not return_dict and len(objective.outputs) == 1 and not objective.has_metrics:
            return float(loss)
        return result(self._logs(), return_dict)


def _set_pass(data: Any, number: int) -> None:
    """Tells data that count their passes where to go on."""
    if number and hasattr(data, "set_pass"):
        data.set_pass(number)


def _validation(data: Any, batch_size: int | None, steps: int | None) -> Batches:
    """The batches of fit's validation_data."""
    x, y, weights = data, None, None
    if isinstance(data, tuple | list):
        if not 1 <= len(data) <= 3:
            raise ValueError(f"fit: validation_data must be (x, y) or (x, y, sample_weight), got {len(data)} entries")
        x, y, weights = (*data, None, None)[:3]
    return make_batches(x, y, weights, batch_size, False, steps, "fit: validation")
