"""Compiling and evaluating: what training and testing share."""

from __future__ import annotations

from typing import Any

from lamina import optimizers
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable
from lamina.layers.layer import Layer, call_state
from lamina.models.batches import Batches, arrays_in, as_arrays, make_batches, placed
from lamina.models.callbacks import CallbackList, History
from lamina.models.capture import CapturedStep
from lamina.models.compiling import Objective, number_of
from lamina.models.progress import Progress, verbosity

Logs = dict[str, float]


class Evaluated(Layer):
    """A layer with a loss and metrics: compile, evaluate, and the logs."""

    optimizer: Any = None
    loss: Any = None
    _compiled: Objective | None = None
    _regularized = False  # whether weights have regularizers
    _captured: CapturedStep | None = None  # fit's step on a GPU, if it shall be a CUDA graph
    _own_logs: Logs | None = None  # those of a train_step of the user's own

    # Set-up

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how to train.

        Args:
            optimizer: "adam", "sgd", or an Optimizer.
            loss: a name, a Loss, or a function (y_true, y_pred) -> tensor; for several outputs one for all, a list of
                them, or a dictionary by the outputs' names (None: this output has no loss). None if `train_step` is
                your own.
            loss_weights: factors of the outputs' losses: a list, or a dictionary by name; 1 by default.
            metrics: a list of names, Metrics or functions (y_true, y_pred) -> array, for the history; for several
                outputs a list of lists, or a dictionary by name. "accuracy" chooses the accuracy by the shapes.
            weighted_metrics: the same, but heeding sample_weight.
            run_eagerly, steps_per_execution: accepted for Keras's sake; they change nothing.
            jit_compile: True captures the step of `fit` and `train_on_batch` as a CUDA graph for each shape of a batch,
                and replays it, where the model is on a GPU: the same bits with one launch. What a step may not do then
                is in docs/devices.md; it is refused by name. "auto" and False capture nothing. On the CPU, and with a
                `train_step` of your own (see `lamina.cuda_graph`), all three are the same.

            auto_scale_loss: whether a model of the policy "mixed_float16", or with layers of it, gets a
                `LossScaleOptimizer` around the optimizer.

        Raises:
            ValueError: for an unknown name, another number of entries than outputs, or another jit_compile.
        """
        if jit_compile != "auto" and not isinstance(jit_compile, bool):
            raise ValueError(f'compile: jit_compile must be "auto", True or False, got {jit_compile!r}')
        self.optimizer = optimizers.get(optimizer)
        if auto_scale_loss and not isinstance(self.optimizer, optimizers.LossScaleOptimizer) and any(
                layer.dtype_policy.name == "mixed_float16" for layer in self.layers_inside()):  # fmt: skip
            self.optimizer = optimizers.LossScaleOptimizer(self.optimizer)
        objective = Objective(loss, loss_weights, metrics, weighted_metrics, self._known_outputs())
        self.loss = objective.loss
        if len(objective.outputs) == 1 and isinstance(self.loss, list | dict):
            self.loss = objective.outputs[0].loss
        self._compiled = objective
        self._captured = CapturedStep(self) if jit_compile is True else None
        self.history = History()

    def _known_outputs(self) -> list[str] | None:
        """The names of the outputs, where they are known before a call."""
        return None

    @property
    def compiled(self) -> bool:
        """Whether compile was called."""
        return self._compiled is not None

    @property
    def metrics(self) -> list[Any]:
        """The metrics of compile, in the order of the logs."""
        return [] if self._compiled is None else self._compiled.all_metrics()

    def _look_at(self, weights: list[Variable]) -> None:
        """Whether any of the weights has a regularizer."""
        self._regularized = False
        for v in weights:
            if v.regularizer is not None:
                self._regularized = True

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Tensor:
        """The loss of a batch, penalties and what layers added included: a scalar tensor."""
        if self._compiled is None:
            raise RuntimeError("compute_loss: compile the model first: model.compile(optimizer, loss)")
        added = call_state.losses
        if added and self._compiled.loss is None:
            loss = added[0][1]
            added = added[1:]
        else:
            loss = self._compiled(y, y_pred, sample_weight)
        if added:
            for _, penalty in added:
                loss = loss + penalty
        if self._regularized:
            for v in self.trainable_weights:
                if v.regularizer is not None:
                    loss = loss + v.regularizer(v)
        return loss

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
        return result(logs, return_dict)

    def _test(self, batches: Batches, hooks: CallbackList, progress: Progress | None = None) -> Logs:
        hooks.call("on_test_begin", {})
        self.reset_metrics()
        logs: Logs = {}
        for step, (x, y, sample_weight) in enumerate(batches):
            hooks.call("on_test_batch_begin", step, {})
            logs = self.test_step(packed(x, y, sample_weight))
            hooks.call("on_test_batch_end", step, logs)
            if progress is not None:
                progress.advance(logs.copy)
        if not logs:
            raise ValueError("evaluate: the data gave no batch")
        hooks.call("on_test_end", logs)
        return logs

    def test_step(self, data: Any) -> Logs:
        """The logs of all batches since the last reset, this one (x, y, sample_weight) included."""
        x, y, sample_weight = (placed(part, self._device) for part in (*data, None, None)[:3])
        with no_grad():
            y_pred = self(x, training=False)
            self._look_at(self.trainable_weights)
            loss = self.compute_loss(x, y, y_pred, sample_weight)
        objective = self._check_compiled("evaluate")
        objective.update(number_of(loss), y, y_pred, sample_weight)
        return objective.logs()

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics of one batch; returns as `evaluate`."""
        self._check_compiled("test_on_batch")
        x, y = checked_batch(x, y, "test_on_batch")
        self.reset_metrics()
        return result(self.test_step(packed(x, y, sample_weight)), return_dict)

    # Logs

    def reset_metrics(self) -> None:
        """Forgets the loss and metrics gathered so far."""
        self._own_logs = None
        if self._compiled is not None:
            self._compiled.reset()

    def _logs(self) -> Logs:
        return self._check_compiled("fit").logs() if self._own_logs is None else self._own_logs

    def _check_compiled(self, who: str) -> Objective:
        if self._compiled is None:
            raise RuntimeError(f"{who}: compile the model first: model.compile(optimizer, loss)")
        return self._compiled


def packed(x: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
    if sample_weight is not None:
        return x, y, sample_weight
    return (x,) if y is None else (x, y)


def checked_batch(x: Any, y: Any, who: str) -> tuple[Any, Any]:
    x = as_arrays(x, strings=True)
    if y is None:
        return x, None
    y = as_arrays(y)
    lengths = {a.shape[:1] for part in (x, y) for a in arrays_in(part)}
    if len(lengths) != 1 or lengths == {(0,)}:
        raise ValueError(f"{who}: x and y must have as many samples each, at least one, got {sorted(lengths)}")
    return x, y


def result(logs: Logs, return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
