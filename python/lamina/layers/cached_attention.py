"""CachedMultiHeadAttention: attention to keys and values that earlier calls left behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers.attention_heads import _keys_seen
from lamina.layers.layer import register
from lamina.layers.multi_head_attention import MultiHeadAttention
from lamina.layers.shapes import Shape


@register
class CachedMultiHeadAttention(MultiHeadAttention):
    """MultiHeadAttention that keeps keys and values, so that a sequence is written one step at a time.

    Called as MultiHeadAttention is, or with two arguments more: ``cache``, a pair of tensors (keys, values) of shape
    (B, S, heads, size) each, see `make_cache`; and ``cache_update_index``. The call then gives (y, cache):

    - With cache_update_index i, the keys and values of `value`, (B, n, features), are written to the places i to
      i + n - 1 of the cache, in place, and query j sees the places up to i + j: what was written before and itself.
    - Without it the cache is taken as it is: all its places are seen but those that value_mask leaves out, and `value`
      is not looked at. So the keys and values of an encoder's output are computed once.

    No gradient flows through a cache: it is for decoding.

    Args:
        *args, **kwargs: see `MultiHeadAttention`.

    Raises:
        ValueError: if a cache has another shape, or ends before i + n.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.random.default_rng(0).normal(size=(1, 3, 8)).astype("float32")
        >>> layer = lm.layers.CachedMultiHeadAttention(num_heads=2, key_dim=4)
        >>> whole = layer(x, x, use_causal_mask=True)
        >>> cache = layer.make_cache(batch=1, length=3)
        >>> steps = [layer(x[:, i : i + 1], x[:, i : i + 1], cache=cache, cache_update_index=i)[0] for i in range(3)]
        >>> bool((lm.ops.concatenate(steps, 1).numpy() == whole.numpy()).all())
        True

    Reference:
        Shazeer 2019, arXiv:1911.02150, section 2.4: incremental attention.
    """

    def make_cache(self, batch: int, length: int) -> tuple[Tensor, Tensor]:
        """Room for the keys and values of `length` steps, zeros.

        Args:
            batch: how many sequences.
            length: how many steps at most.

        Returns:
            Two tensors, (batch, length, heads, key_dim) and (batch, length, heads, value_dim), where the weights are.
        """
        like = self._like
        return tuple(
            Tensor(backend.zeros((batch, length, self.heads, size), self._dtype, like=like))
            for size in (self.size, self.value_size)
        )  # type: ignore[return-value]

    def project_cache(self, value: Any) -> tuple[Tensor, Tensor]:
        """The keys and values of a whole sequence, (B, S, features), as a cache to be taken as it is."""
        with no_grad():
            return self._project(self.key_dense, value), self._project(self.value_dense, value)

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
        cache: Any = None,
        cache_update_index: int | None = None,
    ) -> Any:
        if cache is None:
            return super().call(
                query, value, key, query_mask, value_mask, key_mask, attention_mask, return_attention_scores, training,
                use_causal_mask,
            )  # fmt: skip
        with no_grad():
            keys, values = cache
            room = keys.shape[1]
            self._check_cache(keys.shape, values.shape, query.shape[0])
            q = self._project(self.query_dense, query)
            seen: dict[str, Any] = {}
            if cache_update_index is not None:
                seen = self._write(self._accept(value), keys.array, values.array, cache_update_index)
            elif value_mask is not None:
                lengths, visible = _keys_seen([value_mask], (query.shape[0], room), self.name, query)
                seen = {"lengths": lengths} if visible is None else {"mask": visible[:, None, None]}
            y = ops.attention(q, keys, values, return_scores=return_attention_scores, **seen)
            y, scores = y if return_attention_scores else (y, None)
            y = self._project(self.output_dense, y, bound=2)
        return (y, scores, cache) if return_attention_scores else (y, cache)

    def _write(self, value: Any, keys: Any, values: Any, index: int) -> dict[str, Any]:
        """Puts the keys and values of new steps into the cache; what a query then sees, as arguments of attention."""
        batch, new = value.shape[:2]
        room, end = keys.shape[1], index + new
        if index < 0 or end > room:
            raise ValueError(f"{self.name}: the cache has {room} places, got steps {index} to {end - 1}")
        keys[:, index:end] = self._project(self.key_dense, value).array
        values[:, index:end] = self._project(self.value_dense, value).array
        seen: dict[str, Any] = {"lengths": np.full(batch, end)}
        if index == 0:
            seen["causal"] = new > 1
        elif new > 1:
            seen["mask"] = np.arange(room) <= index + np.arange(new)[:, None]
        return seen

    def _check_cache(self, keys: Shape, values: Shape, batch: int) -> None:
        for what, shape, size in (("keys", keys, self.size), ("values", values, self.value_size)):
            if len(shape) != 4 or shape != (batch, keys[1], self.heads, size):
                expected = f"({batch}, steps, {self.heads}, {size})"
                raise ValueError(f"{self.name}: the cache's {what} must have shape {expected}, got {shape}")
