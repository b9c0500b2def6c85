"""Embedding: vectors for whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, constraints, initializers, ops, regularizers
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import positive
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape


@register
class Embedding(Layer):
    """y[..., j] = embeddings[x[...], j]: a vector that is learned for every whole number from 0 to input_dim - 1.

    Args:
        input_dim: how many numbers there are.
        output_dim: the length of a vector.
        embeddings_initializer: first values.
        embeddings_regularizer: a penalty added to the loss.
        embeddings_constraint: what the vectors are held to after each step of training.
        mask_zero: whether 0 is padding: layers behind leave those places out (`compute_mask`).
        weights: the first values themselves, (input_dim, output_dim), or a list of that one array.
        lora_rank, lora_alpha, quantization_config: accepted for Keras's sake; only None.
        sparse: whether a step of training changes the vectors of the numbers in the batch and no others. Without it a
            step is the one that optimizers define for all vectors: with Adam or momentum they go on moving after
            their number was met, and decay where weights do; SGD without momentum and Adagrad are fast either way.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: embeddings (input_dim, output_dim).

    Called on integers of any shape, or on floating-point numbers that are whole; gives (*x.shape, output_dim).

    Raises:
        ValueError: called on a number out of range (names it and its place), or one that is not whole.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.Embedding(3, 2, weights=[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]], mask_zero=True)
        >>> layer([[2, 1, 0]]).numpy().tolist()
        [[[3.0, 4.0], [1.0, 2.0], [0.0, 0.0]]]
        >>> layer.compute_mask([[2, 1, 0]]).numpy().tolist()
        [[True, True, False]]

    Reference:
        Bengio et al. 2003, "A Neural Probabilistic Language Model".
    """

    autocast = False

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: None = None,
        sparse: bool = False,
        input_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        if input_length is not None and "input_shape" not in kwargs:
            kwargs["input_shape"] = (input_length,)
        super().__init__(**kwargs)
        self.input_dim = positive(input_dim, self.name, "input_dim")
        self.output_dim = positive(output_dim, self.name, "output_dim")
        for key, value in (
            ("lora_rank", lora_rank),
            ("lora_alpha", lora_alpha),
            ("quantization_config", quantization_config),
        ):
            if value is not None:
                raise ValueError(f"{self.name}: {key} must be None: low-rank adaptation and quantisation are not there")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        self.sparse = bool(sparse)
        self.embeddings: Any = None
        if weights is not None:
            self.build(None)
            given = weights[0] if isinstance(weights, list | tuple) and len(weights) == 1 else weights
            self.set_weights([np.asarray(given, self._variable_dtype)])

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            name="embeddings",
            constraint=self.embeddings_constraint,
        )

    def call(self, x: Any) -> Any:
        return ops.embedding(whole_numbers(x, self.name), self.embeddings, self.sparse)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Which places hold a number other than 0, where 0 is padding; else None."""
        return ops.not_equal(x, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def flops(self, input_shape: Shape) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "sparse": self.sparse,
        }


def whole_numbers(x: Tensor, owner: str) -> Tensor:
    """x, as integers where it came in floating point.

    Raises:
        ValueError: if a number is not whole; names it and its place.
    """
    if not backend.is_float(x.dtype):
        return x
    if not backend.on_host(x.array):
        return Tensor(x.array.astype(np.int64))
    if backend.is_narrow(x.dtype):
        x = Tensor(backend.cast(x.array, backend.float32))
    whole = np.isfinite(x.array) & (np.trunc(x.array) == x.array) & (abs(x.array) < 2.0**62)
    if not whole.all():
        place = tuple([int(i) for i in np.argwhere(~whole)[0]])
        raise ValueError(f"{owner}: expected whole numbers, got {x.array[place]} at {place}")
    return Tensor(x.array.astype(np.int64))
