"""Initializers that keep signals' size from layer to layer: VarianceScaling and its kin, Orthogonal."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops, random
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.initializers.initializer import Array, Initializer, Shape, checked_seed, number, sizes

STDDEV_AFTER_CUT = 0.8796256610342398  # of a standard normal distribution cut at -2 and 2


def fans(shape: Shape, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """How many numbers enter a unit of a kernel of this shape, and how many leave an input.

    Args:
        shape: of the kernel; (..., inputs, outputs).
        input_axes, output_axes: None, or which sizes make the one and the other.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.fans((3, 3, 8, 16))
        (72, 144)
    """
    if input_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        n = shape[0] if shape else 1
        return n, n
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class VarianceScaling(Initializer):
    """Values of variance scale / n, so that signals keep their size from layer to layer.

    n is the number of inputs of a unit ("fan_in"), of outputs ("fan_out") or their mean ("fan_avg"). For a kernel
    (..., inputs, outputs) all sizes before the last two multiply both. "uniform" draws from [-limit, limit] with
    limit = sqrt(3 scale / n), "untruncated_normal" from a normal distribution of that variance, "truncated_normal"
    from one that has that variance after the cut at two standard deviations.

    Args:
        scale: positive factor of the variance.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: None, or the axes whose sizes make the number of inputs and that of outputs, for
            kernels of another layout.

    Example:
        >>> import lamina as lm
        >>> values = lm.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1)((50, 600))
        >>> bool(abs(values).max() <= 0.1)
        True

    Reference:
        Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks"; He et al.
        2015, arXiv:1502.01852; LeCun et al. 1998, "Efficient BackProp".
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: random.Seed = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        scale = number(scale, "scale")
        if not scale > 0:
            raise ValueError(f"VarianceScaling: scale must be positive, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f'VarianceScaling: mode must be "fan_in", "fan_out" or "fan_avg", got {mode!r}')
        distribution = distribution.lower() if isinstance(distribution, str) else distribution
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                'VarianceScaling: distribution must be "truncated_normal", "untruncated_normal" or "uniform", '
                f"got {distribution!r}"
            )
        if (input_axes is None) != (output_axes is None):
            raise ValueError("VarianceScaling: give both input_axes and output_axes, or neither")
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, checked_seed(seed)
        self.input_axes = None if input_axes is None else [int(a) for a in input_axes]
        self.output_axes = None if output_axes is None else [int(a) for a in output_axes]

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        shape = sizes(shape)
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed).array
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, self.seed).array
        return random.truncated_normal(shape, 0.0, math.sqrt(variance) / STDDEV_AFTER_CUT, dtype, self.seed).array


class Scaled(VarianceScaling):
    """A VarianceScaling with a name of its own: only the seed is left to choose."""

    rule: tuple[float, str, str]

    def __init__(self, seed: random.Seed = None, input_axes: Any = None, output_axes: Any = None) -> None:
        super().__init__(*self.rule, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


class GlorotUniform(Scaled):
    """Uniform over [-limit, limit], limit = sqrt(6 / (inputs + outputs)). The layers' default.

    Args:
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: see `VarianceScaling`.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.GlorotUniform(seed=1)((3, 3, 8, 16)).shape
        (3, 3, 8, 16)
    """

    rule = (1.0, "fan_avg", "uniform")


class GlorotNormal(Scaled):
    """Truncated normal of variance 2 / (inputs + outputs).

    Args:
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: see `VarianceScaling`.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.GlorotNormal(seed=1)((3, 3, 8, 16)).shape
        (3, 3, 8, 16)
    """

    rule = (1.0, "fan_avg", "truncated_normal")


class HeUniform(Scaled):
    """Uniform over [-limit, limit], limit = sqrt(6 / inputs): for relu.

    Args:
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: see `VarianceScaling`.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.HeUniform(seed=1)((3, 3, 8, 16)).shape
        (3, 3, 8, 16)
    """

    rule = (2.0, "fan_in", "uniform")


class HeNormal(Scaled):
    """Truncated normal of variance 2 / inputs: for relu.

    Args:
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: see `VarianceScaling`.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.HeNormal(seed=1)((3, 3, 8, 16)).shape
        (3, 3, 8, 16)
    """

    rule = (2.0, "fan_in", "truncated_normal")


class LecunUniform(Scaled):
    """Uniform over [-limit, limit], limit = sqrt(3 / inputs).

    Args:
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: see `VarianceScaling`.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.LecunUniform(seed=1)((3, 3, 8, 16)).shape
        (3, 3, 8, 16)
    """

    rule = (1.0, "fan_in", "uniform")


class LecunNormal(Scaled):
    """Truncated normal of variance 1 / inputs.

    Args:
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.
        input_axes, output_axes: see `VarianceScaling`.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.LecunNormal(seed=1)((3, 3, 8, 16)).shape
        (3, 3, 8, 16)
    """

    rule = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """A matrix with orthonormal columns (or rows, where it is wider than tall), uniform among all such.

    A shape of more than two sizes is filled as the matrix (product of all but the last, last).

    Args:
        gain: factor of the result.
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.

    Example:
        >>> import lamina as lm
        >>> w = lm.initializers.Orthogonal(seed=1)((8, 4), "float64")
        >>> bool(abs(w.T @ w - lm.initializers.Identity()((4, 4))).max() < 1e-12)
        True

    Reference:
        Saxe et al. 2014, arXiv:1312.6120.
    """

    def __init__(self, gain: float = 1.0, seed: random.Seed = None) -> None:
        self.gain, self.seed = number(gain, "gain"), checked_seed(seed)

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        shape = sizes(shape)
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected a shape of at least two sizes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        matrix = _orthonormal_columns(random.normal(tall, 0.0, 1.0, "float64", self.seed).array)
        if rows < columns:
            matrix = matrix.T
        return (self.gain * matrix).reshape(shape).astype(dtype)


def _orthonormal_columns(a: Array) -> Array:
    """Gram and Schmidt's method, in blocks of columns and twice for accuracy, from our own products: LAPACK's factors
    differ in the last bits from one machine and number of threads to the next."""
    block = 32
    for start in range(0, a.shape[1], block):
        part = a[:, start : start + block]
        for _ in range(2 if start else 0):
            part -= _matmul(a[:, :start], _matmul(a[:, :start].T, part))
        for i in range(part.shape[1]):
            column = part[:, i : i + 1]
            for _ in range(2 if i else 0):
                column -= _matmul(part[:, :i], _matmul(part[:, :i].T, column))
            column /= math.sqrt(_matmul(column.T, column).item())
    return a


@no_grad()
def _matmul(a: Array, b: Array) -> Array:
    return ops.matmul(Tensor(a), Tensor(b)).array
