"""Model: a layer that is trained. compile, fit, evaluate, predict, summary, save."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina import backend, losses, metrics, optimizers
from lamina.autograd.tape import no_grad, state
from lamina.autograd.tensor import Tensor, Variable
from lamina.layers.layer import Layer, shape_of_batch
from lamina.models import saving
from lamina.models.batches import (
    Batches,
    arrays_in,
    as_arrays,
    class_weights,
    make_batches,
    map_arrays,
    split_end,
)
from lamina.models.callbacks import CallbackList, History
from lamina.models.progress import Progress, verbosity
from lamina.models.summary import summary_text

Logs = dict[str, float]


class Model(Layer):
    """A layer that is trained. Subclass it: make layers in ``__init__``, use them in ``call``; or take Sequential.

    Example:
        >>> import lamina as lm, numpy as np
        >>> class Network(lm.models.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = lm.layers.Dense(8, activation="relu")
        ...         self.out = lm.layers.Dense(1)
        ...     def call(self, x):
        ...         return self.out(self.hidden(x))
        >>> model = Network()
        >>> model.compile(optimizer="adam", loss="mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=2, verbose=0)
        >>> model.predict(np.ones((3, 2)), verbose=0).shape
        (3, 1)
    """

    optimizer: Any = None
    loss: Any = None
    stop_training = False
    _metrics: list[Any] | None = None  # None until compile
    _weighted_metrics: Sequence[Any] = ()
    _regularized = False

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

    def build(self, input_shape: Any) -> None:
        """Makes all weights for inputs of this shape, (None, ...), by calling the model on zeros."""
        if input_shape is None:
            raise ValueError(f"{self.name}: build needs the shape of the inputs, (None, ...)")
        with no_grad():
            self.call(_zeros(input_shape, self._dtype))

    def _build_for(self, x: Any) -> None:
        if type(self).build is Model.build:  # the layers inside are built as the data come to them
            self._build_shape, self.built = shape_of_batch(x), True
        else:
            super()._build_for(x)

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
                val_x, val_y, val_weight, validation_batch_size or batch_size, False, validation_steps, "fit: validation"
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

    def _train_epoch(
        self, batches: Batches, epoch: int, hooks: CallbackList, progress: Progress, warned: bool
    ) -> bool:
        """One epoch; returns whether a loss was not finite. Weights are gathered once: steps do not change them."""
        begin, end = hooks.wants("on_train_batch_begin"), hooks.wants("on_train_batch_end")
        own_step = type(self).train_step is not Model.train_step
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
        return self._logs()

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
        if type(self).train_step is not Model.train_step:
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
        step = -1
        for step, (x, y, sample_weight) in enumerate(batches):
            hooks.call("on_test_batch_begin", step, {})
            self._own_logs = self.test_step(_packed(x, y, sample_weight))
            hooks.call("on_test_batch_end", step, self._own_logs)
            if progress is not None:
                progress.advance(self._logs)
        if step < 0:
            raise ValueError("evaluate: the data gave no batch")
        logs = dict(self._own_logs)
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
        return self._logs()

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics of one batch; returns as `evaluate`."""
        self._check_compiled("test_on_batch")
        x, y = _checked_batch(x, y, "test_on_batch")
        self.reset_metrics()
        return _result(self.test_step(_packed(x, y, sample_weight)), return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """The model's outputs in inference, as NumPy arrays.

        Args:
            x: array (N, ...), a list or dictionary of them, or an iterable of batches.
            batch_size: samples at a time; 32 by default. It changes no bit of the result.
            verbose: 0 for nothing, 1 or "auto" for a progress bar if it takes longer than half a second.
            steps: batches to take, if not all.
            callbacks: a list of Callbacks.

        Returns:
            Array (N, ...), or the structure of arrays that the model gives.
        """
        if callbacks is None and steps is None and self.built and type(x) is np.ndarray:
            if x.ndim > 0 and len(x) <= (batch_size or 32):  # one batch: nothing to show, nothing to join
                recording, state.recording = state.recording, False
                try:
                    return _numpy(self(Tensor(x) if x.dtype.kind == "f" else x, training=False))
                finally:
                    state.recording = recording
        if steps is None and is_empty(x):
            return self.predict_on_batch(x)
        batches = make_batches(x, None, None, batch_size, False, steps, "predict")
        hooks = CallbackList(callbacks, self, {})
        progress = Progress("Predicting", len(batches), verbosity(verbose, "predict"), delay=0.5)
        parts: list[Any] = []
        try:
            hooks.call("on_predict_begin", {})
            for step, (part, _, _) in enumerate(batches):
                hooks.call("on_predict_batch_begin", step, {})
                parts.append(self.predict_on_batch(part))
                hooks.call("on_predict_batch_end", step, {})
                progress.advance(dict)
            hooks.call("on_predict_end", {})
        finally:
            progress.close()
        if not parts:
            raise ValueError("predict: the data gave no batch")
        return _joined(parts)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        with no_grad():
            return _numpy(self(x, training=False))

    # Logs

    def reset_metrics(self) -> None:
        """Forgets the loss and metrics gathered so far."""
        self._loss_total = self._loss_count = 0.0
        self._own_logs: Logs = {}
        for metric in self.metrics:
            metric.reset_state()

    def _update_metrics(self, loss: float, y: Any, y_pred: Any, sample_weight: Any) -> None:
        n = len(y)
        self._loss_total += loss * n
        self._loss_count += n
        for group, weights in ((self._metrics or [], None), (self._weighted_metrics, sample_weight)):
            for i, metric in enumerate(group):
                if isinstance(metric, _Accuracy):
                    group[i] = metric = metrics.accuracy_for(np.shape(y), y_pred.shape, metric.name)
                if weights is None:
                    metric.update_state(y, y_pred)
                else:
                    metric.update_state(y, y_pred, weights)

    def _logs(self) -> Logs:
        if self._own_logs:
            return self._own_logs
        logs = {"loss": self._loss_total / self._loss_count if self._loss_count else 0.0}
        for metric in self.metrics:
            logs[metric.name] = metric.result()
        return logs

    def _check_compiled(self, who: str) -> None:
        if self._metrics is None:
            raise RuntimeError(f"{who}: compile the model first: model.compile(optimizer, loss)")

    # Words and files

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside."""
        return [layer for _, layer in self.children()]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place.

        Raises:
            ValueError: if there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"get_layer: {self.name} has {len(layers)} layers, got index {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"get_layer: {self.name} has {[layer.name for layer in layers]}, got {name!r}")

    def flops(self, input_shape: Any) -> int:
        return sum(layer.flops(layer._build_shape) for layer in self.layers)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Prints layers, output shapes, parameters, FLOPs, and whether the network is shallow or deep.

        Raises:
            ValueError: before the model knows its inputs.
        """
        print_fn(summary_text(self))

    def save(self, filepath: str | Path, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Writes architecture, weights and optimizer to one file, "m.safetensors": whole, or not at all.

        Raises:
            FileExistsError: if the file is there and overwrite is False.
            OSError: if it cannot be written; a file that was there stays as it was.
            ValueError: if a part of the model cannot be told in JSON (a function of your own).
        """
        saving.save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Writes the weights alone, by their places in the model."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | Path, skip_mismatch: bool = False) -> None:
        """Reads weights that `save` or `save_weights` wrote.

        Args:
            filepath: the file.
            skip_mismatch: whether to leave alone weights that are missing or differ in shape.

        Raises:
            ValueError: if names or shapes differ; all are listed, and nothing is changed.
        """
        saving.load_weights(self, filepath, skip_mismatch)


def _zeros(shape: Any, dtype: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _zeros(value, dtype) for key, value in shape.items()}
    if any(isinstance(n, list | tuple) for n in shape):
        return [_zeros(s, dtype) for s in shape]
    return Tensor(np.zeros([1 if n is None else n for n in shape], dtype))


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


def _numpy(y: Any) -> Any:
    return y.array if isinstance(y, Tensor) else map_arrays(lambda t: np.asarray(t), y)


def _joined(parts: list[Any]) -> Any:
    """The arrays of all batches, one after the other, in each place of the structure."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return {key: _joined([part[key] for part in parts]) for key in first}
    if isinstance(first, list | tuple):
        return type(first)([_joined([part[i] for part in parts]) for i in range(len(first))])
    whole = backend.empty((sum(len(part) for part in parts), *first.shape[1:]), first.dtype)
    return np.concatenate(parts, out=whole)


def is_empty(x: Any) -> bool:
    """Whether x is an array without samples."""
    return isinstance(x, np.ndarray | Tensor) and x.ndim > 0 and x.shape[0] == 0
