"""TimeDistributed: any layer on every step of a sequence."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.symbolic import leaves_of, map_leaves
from lamina.layers.layer import Layer, class_named, register
from lamina.layers.masks import step_mask
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
    ``mask``.

    Raises:
        TypeError: if it is given no layer.
        ValueError: for sequences without steps' features, and masks of another shape.

    Example:
        >>> import lamina as lm, numpy as np
        >>> frames = np.ones((2, 5, 8, 8, 3), "float32")
        >>> lm.layers.TimeDistributed(lm.layers.Conv2D(4, 3))(frames).shape
        (2, 5, 6, 6, 4)
    """

    supports_masking = True

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
        kept: Any = step_mask(mask, (n, length), self.name)
        takes_mask = kept is not None and self.layer._mask_arguments.own
        if length and self._by_steps(training):
            steps = [self.layer(_step_of(x, t), **({"mask": kept[:, t]} if takes_mask else {})) for t in range(length)]
            parts = [leaves_of(step) for step in steps]
            joined = iter([ops.stack([part[i] for part in parts], 1) for i in range(len(parts[0]))])
            return map_leaves(lambda _: next(joined), steps[0])
        flat = map_leaves(lambda a: ops.reshape(a, (n * length, *a.shape[2:])), x)
        y = self.layer(flat, **({"mask": kept.reshape(-1)} if takes_mask else {}))
        return map_leaves(lambda a: ops.reshape(a, (n, length, *a.shape[1:])), y)

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
