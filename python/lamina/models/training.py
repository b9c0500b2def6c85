"""Training: compile, fit, evaluate, and steps on single batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import losses, metrics, optimizers
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor, Variable
from lamina.layers.layer import Layer
from lamina.models.batches import Batches, arrays_in, as_arrays, class_weights, make_batches, split_end
from lamina.models.callbacks import CallbackList, History
from lamina.models.progress import Progress, verbosity

Logs = dict[str, float]


class Trained(Layer):
    """A layer that learns from data: what Model has of training and evaluation."""

    optimizer: Any = None
    loss: Any = None
    stop_training = False
    _metrics: list[Any] | None = None  # None until compile
    _weighted_metrics: Sequence[Any] = ()
    _regularized = False
    _own_logs: Logs | None = None  # those of a train_step of the user's own

    # Set-up

    def compile(
        self,
        optimizer: Any,
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
    ) -> None:
        """Says how to train.

        Args:
            optimizer: "adam", "sgd", or an Optimizer.
            loss: a name, a Loss, or a function (y_true, y_pred) -> tensor; None if `train_step` is your own.
            metrics: a list of names, Metrics or functions (y_true, y_pred) -> array, for the history. "accuracy"
                chooses the accuracy by the shapes.
            weighted_metrics: the same, but heeding sample_weight.
            run_eagerly, steps_per_execution, jit_compile: accepted for Keras's sake; they change nothing.

        Raises:
            ValueError: for an unknown name.
        """
        self.optimizer = optimizers.get(optimizer)
        self.loss = losses.get(loss)
        self._metrics = [_metric(m) for m in _listed(metrics)]
        self._weighted_metrics = [_metric(m) for m in _listed(weighted_metrics)]
        self._loss_total = self._loss_count = 0.0
        self.history = History()

    @property
    def compiled(self) -> bool:
        """Whether compile was called."""
        return self._metrics is not None

    @property
    def metrics(self) -> list[Any]:
        """The metrics of compile, in the order of the logs."""
        return [m for m in [*(self._metrics or ()), *self._weighted_metrics] if not isinstance(m, _Accuracy)]

    # Training

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
        class_weight: dict[int, float] | None = None,
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
                or (x, y, sample_weight).
            y: the targets, N of them; None where they come with x.
            batch_size: samples an iteration; 32 by default.
            epochs: train up to this epoch.
            verbose: 0 for nothing, 1 or "auto" for a progress bar, 2 for one line an epoch.
            callbacks: a list of Callbacks.
            validation_split: the share of the samples, the last ones, to keep for validation.
            validation_data: (x, y) or (x, y, sample_weight) for validation, or an iterable of batches.
            shuffle: whether each epoch has a new order, by `lamina.set_seed`.
            class_weight: {class: weight of its samples}.
            sample_weight: (N,), how much each sample counts.
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
        if not 0 <= validation_split < 1:
            raise ValueError(f"fit: validation_split must be at least 0 and less than 1, got {validation_split}")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("fit: give class_weight or sample_weight, not both")
            sample_weight = class_weights(y, class_weight)
        if validation_split and validation_data is None:
            make_batches(x, y, sample_weight, batch_size, False, None, "fit")  # lengths are checked before the cut
            (x, val_x), (y, val_y), (sample_weight, val_weight) = (
                split_end(part, validation_split) for part in (x, y, sample_weight)
            )
            validation_data = (val_x, val_y, val_weight)
        batches = make_batches(x, y, sample_weight, batch_size, shuffle, steps_per_epoch, "fit")
        validation = None
        if validation_data is not None:
            whole = isinstance(validation_data, tuple | list)
            val_x, val_y, val_weight = (*validation_data, None, None)[:3] if whole else (validation_data, None, None)
            validation = make_batches(
                val_x,
                val_y,
                val_weight,
                validation_batch_size or batch_size,
                False,
                validation_steps,
                "fit: validation",
            )
        self.history = History()
        params = {"epochs": epochs, "steps": len(batches) or None, "verbose": verbose}
        hooks = CallbackList(callbacks, self, params)
        hooks = CallbackList([self.history, *hooks.callbacks], self, params)
        self.stop_training = False
        hooks.call("on_train_begin", {})
        warned = False
        logs: Logs = {}
        for epoch in range(initial_epoch, epochs):
            hooks.call("on_epoch_begin", epoch, {})
            self.reset_metrics()
            progress = Progress(f"Epoch {epoch + 1}/{epochs}", len(batches), verbose)
            try:
                warned |= self._train_epoch(batches, epoch, hooks, progress, warned)
                logs = self._logs()
                if validation is not None and (epoch + 1) % validation_freq == 0:
                    logs |= {f"val_{name}": value for name, value in self._test(validation, hooks).items()}
                progress.close(logs)
            except BaseException:
                progress.close()
                raise
            hooks.call("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        hooks.call("on_train_end", logs)
        return self.history

    def _train_epoch(self, batches: Batches, epoch: int, hooks: CallbackList, progress: Progress, warned: bool) -> bool:
        """One epoch; returns whether a loss was not finite. Weights are gathered once: steps do not change them."""
        begin, end = hooks.wants("on_train_batch_begin"), hooks.wants("on_train_batch_end")
        own_step = type(self).train_step is not Trained.train_step
        weights: list[Variable] | None = None
        step = -1
        for step, (x, y, sample_weight) in enumerate(batches):
            if begin:
                hooks.call("on_train_batch_begin", step, {})
            if own_step:
                self._own_logs = self.train_step(_packed(x, y, sample_weight))
                loss = float(self._own_logs.get("loss", 0.0))
            else:
                loss = self._train_batch(x, y, sample_weight, weights)
                weights = weights or self.trainable_weights
            if not warned and not math.isfinite(loss):
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
        if step < 0:
            raise ValueError(f"fit: the data gave no batch in epoch {epoch + 1}")
        return warned

    def _train_batch(self, x: Any, y: Any, sample_weight: Any, weights: list[Variable] | None = None) -> float:
        """One step of gradient descent; the loss."""
        y_pred = self(x, training=True)
        if weights is None:
            weights = self.trainable_weights
            self._regularized = any(v.regularizer is not None for v in weights)
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        loss.backward()
        self.optimizer.step(weights)
        value: float = loss.array.item()
        self._update_metrics(value, y, y_pred, sample_weight)
        return value

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Tensor:
        """The loss of a batch, regularizers' penalties included: a scalar tensor."""
        if self.loss is None:
            raise RuntimeError("fit: compile was given no loss; give one, or override compute_loss or train_step")
        if y is None:
            raise ValueError("fit: the loss needs targets y")
        loss: Tensor = self.loss(y, y_pred, sample_weight)
        if loss.array.ndim:
            raise ValueError(f'fit: the loss must be one number, got shape {loss.shape} (reduction="none"?)')
        if self._regularized:
            for penalty in self.losses:
                loss = loss + penalty
        return loss

    def train_step(self, data: Any) -> Logs:
        """One step on a batch (x,), (x, y) or (x, y, sample_weight): override it for training of another kind.

        Returns:
            The logs, {"loss": ...}.
        """
        self._train_batch(*(*data, None, None)[:3])
        return self._mean_logs()

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch.

        Returns:
            The loss, or [loss, metric, ...] where there are metrics; a dictionary with ``return_dict``.
        """
        self._check_compiled("train_on_batch")
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight)
        x, y = _checked_batch(x, y, "train_on_batch")
        self.reset_metrics()
        if type(self).train_step is not Trained.train_step:
            self._own_logs = self.train_step(_packed(x, y, sample_weight))
            return _result(self._own_logs, return_dict)
        loss = self._train_batch(x, y, sample_weight)
        if not self._metrics and not self._weighted_metrics and not return_dict:
            return loss
        return _result(self._logs(), return_dict)

    # Evaluation

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss and metrics on data; arguments as in `fit`.

        Returns:
            The loss, or [loss, metric, ...] where there are metrics; a dictionary with ``return_dict``.
        """
        self._check_compiled("evaluate")
        batches = make_batches(x, y, sample_weight, batch_size, False, steps, "evaluate")
        progress = Progress("Evaluating", len(batches), verbosity(verbose, "evaluate"))
        try:
            logs = self._test(batches, CallbackList(callbacks, self, {}), progress)
        except BaseException:
            progress.close()
            raise
        progress.close(logs)
        return _result(logs, return_dict)

    def _test(self, batches: Batches, hooks: CallbackList, progress: Progress | None = None) -> Logs:
        hooks.call("on_test_begin", {})
        self.reset_metrics()
        logs: Logs = {}
        for step, (x, y, sample_weight) in enumerate(batches):
            hooks.call("on_test_batch_begin", step, {})
            logs = self.test_step(_packed(x, y, sample_weight))
            hooks.call("on_test_batch_end", step, logs)
            if progress is not None:
                progress.advance(logs.copy)
        if not logs:
            raise ValueError("evaluate: the data gave no batch")
        hooks.call("on_test_end", logs)
        return logs

    def test_step(self, data: Any) -> Logs:
        """The logs of all batches since the last reset, this one (x, y, sample_weight) included."""
        x, y, sample_weight = (*data, None, None)[:3]
        with no_grad():
            y_pred = self(x, training=False)
            self._regularized = any(v.regularizer is not None for v in self.trainable_weights)
            loss = self.compute_loss(x, y, y_pred, sample_weight)
        self._update_metrics(loss.array.item(), y, y_pred, sample_weight)
        return self._mean_logs()

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics of one batch; returns as `evaluate`."""
        self._check_compiled("test_on_batch")
        x, y = _checked_batch(x, y, "test_on_batch")
        self.reset_metrics()
        return _result(self.test_step(_packed(x, y, sample_weight)), return_dict)

    # Logs

    def reset_metrics(self) -> None:
        """Forgets the loss and metrics gathered so far."""
        self._loss_total = self._loss_count = 0.0
        self._own_logs = None
        for metric in self.metrics:
            metric.reset_state()

    def _update_metrics(self, loss: float, y: Any, y_pred: Any, sample_weight: Any) -> None:
        n = len(y)
        self._loss_total += loss * n
        self._loss_count += n
        groups: Any = ((self._metrics or (), None), (self._weighted_metrics, sample_weight))
        for group, weights in groups:
            for i, metric in enumerate(group):
                if isinstance(metric, _Accuracy):
                    group[i] = metric = metrics.accuracy_for(np.shape(y), y_pred.shape, metric.name)
                if weights is None:
                    metric.update_state(y, y_pred)
                else:
                    metric.update_state(y, y_pred, weights)

    def _logs(self) -> Logs:
        return self._mean_logs() if self._own_logs is None else self._own_logs

    def _mean_logs(self) -> Logs:
        """The means of the loss and metrics over all batches since the last reset."""
        logs = {"loss": self._loss_total / self._loss_count if self._loss_count else 0.0}
        for metric in self.metrics:
            logs[metric.name] = metric.result()
        return logs

    def _check_compiled(self, who: str) -> None:
        if self._metrics is None:
            raise RuntimeError(f"{who}: compile the model first: model.compile(optimizer, loss)")


class _Accuracy:
    """The metric "accuracy" until shapes say which is meant."""

    def __init__(self, name: str) -> None:
        self.name = name


def _metric(identifier: Any) -> Any:
    if isinstance(identifier, str) and identifier in ("accuracy", "acc"):
        return _Accuracy(identifier)
    return metrics.get(identifier)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _packed(x: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
    if sample_weight is not None:
        return x, y, sample_weight
    return (x,) if y is None else (x, y)


def _checked_batch(x: Any, y: Any, who: str) -> tuple[Any, Any]:
    x = as_arrays(x)
    if y is None:
        return x, None
    y = as_arrays(y)
    lengths = {a.shape[:1] for part in (x, y) for a in arrays_in(part)}
    if len(lengths) != 1 or lengths == {(0,)}:
        raise ValueError(f"{who}: x and y must have as many samples each, at least one, got {sorted(lengths)}")
    return x, y


def _result(logs: Logs, return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
