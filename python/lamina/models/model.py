"""Model: a layer that is trained, predicts, tells of itself, and is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tape import no_grad, state
from lamina.autograd.tensor import Tensor
from lamina.layers.layer import Layer
from lamina.layers.shapes import shape_of_batch
from lamina.models import saving
from lamina.models.batches import make_batches, map_arrays
from lamina.models.callbacks import CallbackList
from lamina.models.progress import Progress, verbosity
from lamina.models.summary import summary_text
from lamina.models.training import Trained


class Model(Trained):
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
                return _numpy(self(x, training=False))
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
            return _numpy(self(x, training=False))

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
