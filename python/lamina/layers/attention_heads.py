"""What MultiHeadAttention and GroupQueryAttention share: projections around the attention of many heads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, constraints, initializers, ops, regularizers
from lamina.autograd.symbolic import SymbolicTensor
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import positive, share
from lamina.layers.einsum_dense import EinsumDense
from lamina.layers.masks import step_mask, truths
from lamina.layers.regularization import Noise
from lamina.layers.shapes import Shape, full_shape, is_shape, shape_of_batch

INPUTS = ("query", "value", "key")


class HeadsAttention(Noise):
    """Attention between projections of query, key and value to heads, and a projection of what comes out."""

    supports_masking = True  # the output has the query's mask
    _tells_shape = False  # there may be scores beside it
    heads: int
    key_heads: int
    size: int  # of a head of query and key
    value_size: int
    axes: tuple[int, ...] = (1,)  # of the inputs, over which attention goes

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.dropout = share(dropout, self.name, "dropout")
        self.use_bias, self.use_gate = bool(use_bias), bool(use_gate)
        if sliding_window is not None:
            sliding_window = positive(sliding_window, self.name, "sliding_window")
        self.sliding_window = sliding_window
        self._settings = {
            "kernel_initializer": initializers.get(kernel_initializer),
            "bias_initializer": initializers.get(bias_initializer),
            "kernel_regularizer": regularizers.get(kernel_regularizer),
            "bias_regularizer": regularizers.get(bias_regularizer),
            "activity_regularizer": regularizers.get(activity_regularizer),
            "kernel_constraint": constraints.get(kernel_constraint),
            "bias_constraint": constraints.get(bias_constraint),
        }
        self.query_dense: Any = None  # in the order of their weights
        self.key_dense: Any = None
        self.gate_dense: Any = None
        self.value_dense: Any = None
        self.output_dense: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer for the shapes of all inputs, then calls it."""
        if not self.built:
            given = {
                **dict(zip(INPUTS, args, strict=False)),
                **{name: kwargs[name] for name in INPUTS if name in kwargs},
            }
            if "query" in given and "value" in given:
                inputs = [x if isinstance(x, Tensor | SymbolicTensor) else backend.as_array(x) for x in given.values()
                          if x is not None]  # fmt: skip
                with no_grad():
                    self.build([shape_of_batch(x) for x in inputs])
        return super().__call__(*args, **kwargs)

    # Weights

    def build(self, input_shape: Any) -> None:
        query, value, key = self._shapes(input_shape)
        self.query_dense = self._projection("query", query, (self.heads, self.size))
        self.key_dense = self._projection("key", key, (self.key_heads, self.size))
        if self.use_gate:
            self.gate_dense = self._projection("gate", query, (self.heads, self.value_size), "sigmoid")
        self.value_dense = self._projection("value", value, (self.key_heads, self.value_size))
        heads = (*query[:-1], self.heads, self.value_size)
        self.output_dense = self._projection("attention_output", heads, self._features(query), bound=2)

    def _shapes(self, input_shape: Any) -> list[Shape]:
        """The shapes of query, value and key; those of one shape are equal.

        Raises:
            ValueError: if they do not fit each other.
        """
        shapes = [full_shape(input_shape)] if is_shape(input_shape) else [full_shape(s) for s in input_shape]
        if not 1 <= len(shapes) <= 3:
            raise ValueError(f"{self.name}: expected the shapes of query, value and key, got {input_shape}")
        query, value, key = [*shapes, *shapes[-1:] * (3 - len(shapes))]
        if len({len(query), len(value), len(key)}) > 1 or len(query) < 3 or value[1:-1] != key[1:-1]:
            raise ValueError(
                f"{self.name}: query, value and key must have shapes (B, ..., features) of as many axes, value and key "
                f"the same but for the features; got {query}, {value} and {key}"
            )
        return [query, value, key]

    def _features(self, query: Shape) -> Shape:
        """The axes of the output in place of the query's last one."""
        return query[-1:]

    def _projection(
        self, name: str, shape: Shape, sizes: Shape, activation: str | None = None, bound: int = 1
    ) -> EinsumDense:
        """The layer of one projection, built: from the last `bound` axes to axes of these sizes."""
        letters = "abcdefghijklmnopqrstuvwxyz"
        free, summed = letters[: len(shape) - bound], letters[len(shape) - bound : len(shape)]
        made = letters[len(shape) : len(shape) + len(sizes)]
        settings = dict(self._settings)
        for which in ("kernel_initializer", "bias_initializer"):  # seeded ones begin anew
            settings[which] = initializers.get(initializers.serialize(settings[which]))
        layer = EinsumDense(
            f"{free}{summed},{summed}{made}->{free}{made}",
            (*[None] * (len(free) - 1), *sizes),
            activation,
            made if self.use_bias else None,
            name=name,
            dtype=self.dtype_policy,
            **settings,
        )
        layer.build(shape)
        return layer

    def _project(self, layer: EinsumDense, x: Any, bound: int = 1) -> Any:
        """One product with all heads' kernels side by side."""
        if layer.activity_regularizer is not None:
            return layer(x)
        return ops.dense(x, layer.kernel, layer.bias, layer._activation_name, axes=bound)

    # The call

    def call(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        value = self._accept(value)
        key = value if key is None else self._accept(key)
        self._shapes([query.shape, value.shape, key.shape])
        axes = self._axes(query.ndim)
        gate = self._project(self.gate_dense, query) if self.use_gate else None
        heads = [
            _batched(self._project(layer, x), axes)
            for layer, x in ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value))
        ]
        given = query_mask is not None or value_mask is not None or key_mask is not None
        if (given or use_causal_mask or self.sliding_window) and len(axes) > 1:
            raise ValueError(f"{self.name}: masks of steps need one attention axis, got attention_axes={axes}")
        if given and query.ndim != 3:
            raise ValueError(f"{self.name}: masks of steps need inputs of shape (B, T, features), got {query.shape}")
        sizes = [_sizes(x.shape, axes) for x in (query, value)]
        mask = self._mask(attention_mask, query, *sizes)
        steps = (value.shape[0], sizes[1][1][0])
        lengths, visible = _keys_seen([m for m in (value_mask, key_mask) if m is not None], steps, self.name, value)
        if visible is not None:
            mask = visible[:, None, None] if mask is None else mask & visible[:, None, None]
        chance: dict[str, Any] = {}
        if training and self.dropout > 0:
            chance = dict(zip(("dropout", "seed", "stream"), (self.dropout, *self._stream()), strict=True))
        y = ops.attention(
            *heads, mask=mask, lengths=lengths, causal=use_causal_mask, return_scores=return_attention_scores, **chance
        )
        scores = None
        if return_attention_scores:
            y, scores = y
            (batch, queries), (_, keys) = sizes
            scores = ops.reshape(scores, (*batch, self.heads, *queries, *keys))
        y = _unbatched(y, query.shape, axes)
        if query_mask is not None:
            seen = step_mask(query_mask, query.shape[:2], self.name, "query_mask", query)
            y = y * Tensor(seen.astype(self._dtype)[:, :, None, None])
        if gate is not None:
            y = y * gate
        y = self._project(self.output_dense, y, bound=2)
        return (y, scores) if return_attention_scores else y

    def _axes(self, rank: int) -> tuple[int, ...]:
        return self.axes

    def _mask(self, given: Any, query: Tensor, of_query: Any, of_value: Any) -> Any:
        """attention_mask and the window as booleans of four axes, or None."""
        (batch, queries), (_, keys) = of_query, of_value
        mask = None
        if given is not None:
            array = given.array if isinstance(given, Tensor) else np.asarray(given)
            mask = backend.moved(truths(array, self.name, "attention_mask"), query.array)
            shape = (*batch, self.heads, *queries, *keys)
            last = len(queries) + len(keys)
            if not last <= mask.ndim <= len(shape):
                raise ValueError(f"{self.name}: attention_mask must broadcast to {shape}, got {array.shape}")
            here = mask.ndim - last
            mask = mask.reshape(*mask.shape[:here], *[1] * (len(shape) - mask.ndim), *mask.shape[here:])
            if any(n not in (1, m) for n, m in zip(mask.shape, shape, strict=True)):
                raise ValueError(f"{self.name}: attention_mask must broadcast to {shape}, got {array.shape}")
            if mask.ndim != 4:
                mask = backend.array_module(mask).broadcast_to(mask, (*batch, mask.shape[len(batch)], *queries, *keys))
                mask = mask.reshape(math.prod(batch), -1, math.prod(queries), math.prod(keys))
        if self.sliding_window is not None:
            xp = backend.array_module(query.array)
            apart = abs(xp.arange(queries[0])[:, None] - xp.arange(keys[0]))
            window = (apart < self.sliding_window)[None, None]
            mask = window if mask is None else mask & window
        return mask

    # What others ask

    def compute_output_shape(self, input_shape: Any, value_shape: Any = None, key_shape: Any = None) -> Any:
        given = (
            input_shape if value_shape is None else [s for s in (input_shape, value_shape, key_shape) if s is not None]
        )
        query = self._shapes(given)[0]
        return (*query[:-1], *self._features(query))

    def flops(self, input_shape: Any) -> int:
        query, value, key = self._shapes(input_shape)
        if None in (*query[1:], *value[1:]):
            return 0
        pairs = self.heads * math.prod(query[1:-1])
        axes = self._axes(len(query))
        pairs *= math.prod(value[a] for a in axes)
        layers = [(self.query_dense, query), (self.key_dense, key), (self.value_dense, value)]
        if self.use_gate:
            layers.append((self.gate_dense, query))
        layers.append((self.output_dense, (*query[:-1], self.heads, self.value_size)))
        return 2 * pairs * (self.size + self.value_size) + sum(layer.flops(shape) for layer, shape in layers)

    def get_config(self) -> dict[str, Any]:
        settings = self._settings
        config = {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "sliding_window": self.sliding_window,
            "use_gate": self.use_gate,
        }
        for name, module in (("initializer", initializers), ("regularizer", regularizers), ("constraint", constraints)):
            for which in ("kernel", "bias"):
                config[f"{which}_{name}"] = module.serialize(settings[f"{which}_{name}"])
        config["activity_regularizer"] = regularizers.serialize(settings["activity_regularizer"])
        return config


def _keys_seen(masks: list[Any], shape: Shape, owner: str, value: Tensor) -> tuple[Any, Any]:
    """Which keys the masks of value and key leave: lengths where they end early and no more, else booleans."""
    if not masks:
        return None, None
    visible = step_mask(masks[0], shape, owner, "value_mask", value)
    for mask in masks[1:]:
        visible = visible & step_mask(mask, shape, owner, "key_mask", value)
    if backend.on_host(visible) and (visible[:, 1:] <= visible[:, :-1]).all():
        return visible.sum(axis=1), None
    return None, visible


def _sizes(shape: Shape, axes: tuple[int, ...]) -> tuple[Shape, Shape]:
    """The sizes of the axes that stay apart (the batch among them), and of those that attention goes over."""
    apart = tuple(n for a, n in enumerate(shape[:-1]) if a not in axes)
    return apart, tuple(shape[a] for a in axes)


def _order(rank: int, axes: tuple[int, ...]) -> list[int]:
    """Of an input's axes without the features: those that stay apart, then the others."""
    return [a for a in range(rank - 1) if a not in axes] + list(axes)


def _batched(x: Any, axes: tuple[int, ...]) -> Any:
    """(B, ..., heads, size) as (batches, steps, heads, size)."""
    if x.ndim == 4 and axes == (1,):
        return x
    order = _order(x.ndim - 1, axes)
    apart, steps = _sizes(x.shape[:-1], axes)
    x = ops.transpose(x, (*order, x.ndim - 2, x.ndim - 1))
    return ops.reshape(x, (math.prod(apart), math.prod(steps), *x.shape[-2:]))


def _unbatched(y: Any, shape: Shape, axes: tuple[int, ...]) -> Any:
    """The reverse, for a query of this shape."""
    if len(shape) == 3 and axes == (1,):
        return y
    order = _order(len(shape), axes)
    y = ops.reshape(y, (*[shape[a] for a in order], *y.shape[-2:]))
    back = tuple(int(a) for a in np.argsort(order))
    return ops.transpose(y, (*back, y.ndim - 2, y.ndim - 1))
