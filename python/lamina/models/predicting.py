"""Predicting: a model's outputs, for data of any form, as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tape import no_grad, state
from lamina.autograd.tensor import Tensor
from lamina.models.batches import arrays_in, make_batches, map_arrays, placed
from lamina.models.callbacks import CallbackList
from lamina.models.progress import Progress, verbosity
from lamina.models.training import Trained


class Predictor(Trained):
    """A layer that is asked for its outputs: what Model has of predicting."""

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
        size = 32 if batch_size is None else batch_size
        if type(x) is np.ndarray and x.ndim and len(x) <= size and callbacks is None and steps is None:
            recording, state.recording = state.recording, False  # one batch: nothing to show, nothing to join
            try:
                return _numpy(self(placed(x, self._device), training=False), x)
            finally:
                state.recording = recording
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
            return _numpy(self(placed(x, self._device), training=False), x)


def _in_memory(array: Any) -> bool:
    return not isinstance(array, Tensor) or array.device == "cpu"


def _numpy(y: Any, x: Any) -> Any:
    """Tensors as arrays of their own: none shares memory with what went in, so that it can be written to."""
    if isinstance(y, Tensor) and type(x) is np.ndarray:
        array = y.numpy()
        return array.copy() if np.may_share_memory(array, x) else array
    given = [a.numpy() if isinstance(a, Tensor) else np.asarray(a) for a in arrays_in(x) if _in_memory(a)]

    def own(t: Any) -> Any:
        array = t.numpy() if isinstance(t, Tensor) else np.asarray(t)
        return array.copy() if any(np.may_share_memory(array, a) for a in given) else array

    return map_arrays(own, y)


def _joined(parts: list[Any]) -> Any:
    """The arrays of all batches, one after the other, in each place of the structure."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return {key: _joined([part[key] for part in parts]) for key in first}
    if isinstance(first, list | tuple):
        return type(first)([_joined([part[i] for part in parts]) for i in range(len(first))])
    if first.dtype.kind == "U":
        return np.concatenate(parts)
    whole = backend.empty((sum(len(part) for part in parts), *first.shape[1:]), first.dtype)
    return np.concatenate(parts, out=whole)
