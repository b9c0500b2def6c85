"""TimeDistributed: any layer on every step of a sequence."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.symbolic import leaves_of, map_leaves
from lamina.autograd.tensor import Tensor
from lamina.layers.layer import Layer, class_named, register
from lamina.layers.masks import step_mask, with_masks
from lamina.layers.normalization import BatchNormalization
from lamina.layers.shapes import Shape, is_shape, map_shapes, shape_leaves


@register
class TimeDistributed(Layer):
    """A layer applied to every step of sequences (N, T, ...): to all N T steps at once, with the same weights.

    A layer that looks at a whole batch (BatchNormalization in training, one that is stateful) gets a step of all
    sequences at a time.

    Args:
        layer: the layer, for x of shape (N, ...).
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: those of the layer.

    A mask (N, T) goes on to the layers that follow, and its steps (N,) go to the layer inside where its ``call`` takes
    ``mask``. Where the steps are sequences themselves, a mask (N, T, steps) is that of these sequences.

    Raises:
        TypeError: if it is given no layer.
        ValueError: for sequences without steps' features, and masks of another shape.

    Example:
        >>> import lamina as lm, numpy as np
        >>> frames = np.ones((2, 5, 8, 8, 3), "float32")
        >>> lm.layers.TimeDistributed(lm.layers.Conv2D(4, 3))(frames).shape
        (2, 5, 6, 6, 4)
    """

    _makes_masks = False
    _takes_step_mask = True

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(layer, dict):
            layer = class_named(layer.get("class_name")).from_config(layer.get("config", {}))
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: expected a layer, got {type(layer).__name__}")
        self.layer = layer
        self.autocast = layer.autocast

    def _of_step(self, shape: Any) -> Any:
        if len(shape) < 3:
            raise ValueError(f"{self.name}: x must have shape (N, T, ...) with at least 3 axes, got {tuple(shape)}")
        return (shape[0], *shape[2:])

    def build(self, input_shape: Any) -> None:
        shape = map_shapes(self._of_step, input_shape)
        if not self.layer.built:
            self.layer.build(shape)

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        first = leaves_of(x)[0]
        self._of_step(first.shape)
        n, length = first.shape[:2]
        kept = self._mask_of(mask, first)
        if length and self._by_steps(training):
            steps = [self._inside(_step_of(x, t), None if kept is None else kept[:, t]) for t in range(length)]
            parts = [leaves_of(step) for step in steps]
            joined = iter([ops.stack([part[i] for part in parts], 1) for i in range(len(parts[0]))])
            return map_leaves(lambda _: next(joined), steps[0])
        flat = map_leaves(lambda a: ops.reshape(a, (n * length, *a.shape[2:])), x)
        y = self._inside(flat, None if kept is None else kept.reshape(-1, *kept.shape[2:]))
        return map_leaves(lambda a: _unfolded(a, n, length), y)

    def _mask_of(self, mask: Any, x: Any) -> Any:
        """The mask as booleans: (N, T), or more where the steps of x are sequences themselves."""
        mask = next(iter(leaves_of(mask)), None) if isinstance(mask, list | tuple | dict) else mask
        if mask is None:
            return None
        shape = tuple(mask.shape)
        deep = x.ndim > 3 and len(shape) > 2
        return step_mask(mask, (*x.shape[:2], *(shape[2:] if deep else ())), self.name)

    def _inside(self, x: Any, mask: Any) -> Any:
        """The layer on one step, or on all of them; a mask of its inputs' steps goes along with these."""
        if mask is None:
            return self.layer(x)
        if mask.ndim > 1:
            return self.layer(with_masks(x, mask) if isinstance(x, Tensor) else x)
        if self.layer._mask_arguments.own and not self.layer._takes_step_mask:
            return self.layer(x, mask=mask)
        return self.layer(x)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Which steps count: those of which any part does."""
        mask = next(iter(leaves_of(mask)), None) if isinstance(mask, list | tuple | dict) else mask
        if mask is None or len(mask.shape) < 3:
            return mask
        return ops.any(mask, tuple(range(2, len(mask.shape))))

    def _by_steps(self, training: bool) -> bool:
        return any(
            (training and isinstance(inner, BatchNormalization)) or getattr(inner, "stateful", False)
            for inner in self.layer.layers_inside()
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        step = self.layer.compute_output_shape(map_shapes(self._of_step, input_shape))
        length = input_shape[1] if is_shape(input_shape) else shape_leaves(input_shape)[0][1]
        return map_shapes(lambda shape: (shape[0], length, *shape[1:]), step)

    def flops(self, input_shape: Shape) -> int:
        return 0 if input_shape[1] is None else int(input_shape[1]) * self.layer.flops(self._of_step(input_shape))

    def get_config(self) -> dict[str, Any]:
        layer = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {**super().get_config(), "layer": layer}


def _step_of(x: Any, t: int) -> Any:
    """Step t of all sequences."""
    return map_leaves(lambda a: a[:, t], x)


def _unfolded(y: Any, n: int, length: int) -> Any:
    """(N T, ...) as (N, T, ...); so its mask, if it has one of steps."""
    z = ops.reshape(y, (n, length, *y.shape[1:]))
    if y._mask is not None and len(y._mask.shape) > 1:
        z._mask = ops.reshape(y._mask, (n, length, *y._mask.shape[1:]))
    return z
