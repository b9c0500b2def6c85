"""Spectral normalisation: a layer whose kernel's largest singular value is held at 1."""

from __future__ import annotations

from typing import Any

from lamina import initializers, ops
from lamina.autograd.tape import no_grad
from lamina.kinds import is_integer
from lamina.layers.layer import Layer, class_named, register
from lamina.layers.shapes import Shape


@register
class SpectralNormalization(Layer):
    """Divides the kernel of a layer by its largest singular value at each call in training, in place.

    The kernel is seen as a matrix with its last axis as columns; power iterations, which go on from call to call, find
    the singular value. A kernel of zeros stays.

    Args:
        layer: a layer with a kernel (or embeddings).
        power_iterations: how many at each call, at least 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: vector_u (1, columns), which training does not change by gradients; then those of the layer.

    Raises:
        TypeError: if it is given no layer.
        ValueError: for fewer than 1 iteration; when built, if the layer has no kernel.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.SpectralNormalization(lm.layers.Dense(2, kernel_initializer="ones"), power_iterations=3)
        >>> y = layer([[1.0, 1.0]], training=True)
        >>> layer.layer.kernel.numpy().round(4).tolist()
        [[0.5, 0.5], [0.5, 0.5]]

    Reference:
        Miyato et al. 2018, arXiv:1802.05957.
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(layer, dict):
            layer = class_named(layer.get("class_name")).from_config(layer.get("config", {}))
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: expected a layer, got {type(layer).__name__}")
        if not is_integer(power_iterations):
            raise TypeError(f"{self.name}: power_iterations must be an integer, got {power_iterations!r}")
        if power_iterations < 1:
            raise ValueError(f"{self.name}: power_iterations must be at least 1, got {power_iterations}")
        self.layer = layer
        self.power_iterations = int(power_iterations)

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
        kernel = self._kernel()
        first = initializers.TruncatedNormal(stddev=0.02)
        self.vector_u = self.add_weight((1, kernel.shape[-1]), first, kernel.dtype, False, None, "vector_u")

    def _kernel(self) -> Any:
        for name in ("kernel", "embeddings"):
            if getattr(self.layer, name, None) is not None:
                return getattr(self.layer, name)
        raise ValueError(f"{self.name}: {self.layer.name} ({type(self.layer).__name__}) has no kernel")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            with no_grad():
                self._normalize()
        return self.layer(x)

    def _normalize(self) -> None:
        kernel = self._kernel()
        if not kernel.array.any():
            return
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        u: Any = self.vector_u
        for _ in range(self.power_iterations):
            v = ops.unit_norm(ops.matmul(u, matrix, transpose_b=True))
            u = ops.unit_norm(ops.matmul(v, matrix))
        sigma = ops.matmul(ops.matmul(v, matrix), u, transpose_b=True).array.reshape(())
        self.vector_u.assign(u)
        kernel.assign(kernel.array / sigma)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def flops(self, input_shape: Shape) -> int:
        return self.layer.flops(input_shape)

    def get_config(self) -> dict[str, Any]:
        layer = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {**super().get_config(), "layer": layer, "power_iterations": self.power_iterations}
