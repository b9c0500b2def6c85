"""First values of weights. Called with a shape and a dtype, an initializer gives an array.

Random ones draw from Lamina's counter-based generator: with ``seed=None`` the next stream of `lamina.set_seed`'s seed,
with an integer the same values at every call.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lamina import backend, ops, random
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor

Array = Any
Shape = tuple[int, ...]


class Initializer:
    """First values of a weight: ``__call__(shape, dtype)`` gives an array."""

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        raise NotImplementedError(f"{type(self).__name__}.__call__")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)


class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return backend.zeros(_shape(shape), dtype)


class Ones(Initializer):
    """All 1."""

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return backend.full(_shape(shape), 1, dtype)


class Constant(Initializer):
    """All one value.

    Args:
        value: the number.
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = float(value)

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return backend.full(_shape(shape), self.value, dtype)


class RandomNormal(Initializer):
    """A normal distribution.

    Args:
        mean: its mean.
        stddev: its standard deviation, at least 0.
        seed: None, or an integer for the same values at every call.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = float(mean), _not_negative(stddev, "stddev"), seed

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return _normal(_shape(shape), dtype, self.mean, self.stddev, *next(_streams(self.seed)))


class RandomUniform(Initializer):
    """A uniform distribution over [minval, maxval).

    Args:
        minval: the least value.
        maxval: the bound above, not less than minval.
        seed: None, or an integer for the same values at every call.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = float(minval), float(maxval), seed
        if not self.minval <= self.maxval:
            raise ValueError(f"RandomUniform: expected minval <= maxval, got {minval} and {maxval}")

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return _uniform(_shape(shape), dtype, self.minval, self.maxval, *next(_streams(self.seed)))


class TruncatedNormal(Initializer):
    """A normal distribution without what lies more than two standard deviations from the mean: that is drawn anew.

    Args:
        mean: its mean.
        stddev: the standard deviation before the cut, at least 0.
        seed: None, or an integer for the same values at every call.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = float(mean), _not_negative(stddev, "stddev"), seed

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return _truncated_normal(_shape(shape), dtype, self.mean, self.stddev, self.seed)


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
        seed: None, or an integer for the same values at every call.

    Reference:
        Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks"; He et al.
        2015, arXiv:1502.01852; LeCun et al. 1998, "Efficient BackProp".
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if not scale > 0:
            raise ValueError(f"VarianceScaling: scale must be positive, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f'VarianceScaling: mode must be "fan_in", "fan_out" or "fan_avg", got {mode!r}')
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                'VarianceScaling: distribution must be "truncated_normal", "untruncated_normal" or "uniform", '
                f"got {distribution!r}"
            )
        self.scale, self.mode, self.distribution, self.seed = float(scale), mode, distribution, seed

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        shape = _shape(shape)
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _uniform(shape, dtype, -limit, limit, *next(_streams(self.seed)))
        if self.distribution == "untruncated_normal":
            return _normal(shape, dtype, 0.0, math.sqrt(variance), *next(_streams(self.seed)))
        return _truncated_normal(shape, dtype, 0.0, math.sqrt(variance) / STDDEV_AFTER_CUT, self.seed)


class _Scaled(VarianceScaling):
    """A VarianceScaling with a name of its own: only the seed is left to choose."""

    rule: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.rule, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform over [-limit, limit], limit = sqrt(6 / (inputs + outputs)). The layers' default."""

    rule = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance 2 / (inputs + outputs)."""

    rule = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform over [-limit, limit], limit = sqrt(6 / inputs): for relu."""

    rule = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance 2 / inputs: for relu."""

    rule = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform over [-limit, limit], limit = sqrt(3 / inputs)."""

    rule = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance 1 / inputs."""

    rule = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """A matrix with orthonormal columns (or rows, where it is wider than tall), uniform among all such.

    A shape of more than two sizes is filled as the matrix (product of all but the last, last).

    Args:
        gain: factor of the result.
        seed: None, or an integer for the same values at every call.

    Reference:
        Saxe et al. 2014, arXiv:1312.6120.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain, self.seed = float(gain), seed

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        shape = _shape(shape)
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected a shape of at least two sizes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        matrix = _orthonormal_columns(_normal(tall, np.float64, 0.0, 1.0, *next(_streams(self.seed))))
        if rows < columns:
            matrix = matrix.T
        return (self.gain * matrix).reshape(shape).astype(dtype)


STDDEV_AFTER_CUT = 0.8796256610342398  # of a standard normal distribution cut at -2 and 2


def fans(shape: Shape) -> tuple[int, int]:
    """How many numbers enter a unit of a kernel of this shape, and how many leave an input."""
    if len(shape) < 2:
        n = shape[0] if shape else 1
        return n, n
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _shape(shape: Any) -> Shape:
    return (int(shape),) if hasattr(shape, "__index__") else tuple(int(n) for n in shape)


def _not_negative(value: float, name: str) -> float:
    if not value >= 0:
        raise ValueError(f"initializers: {name} must be at least 0, got {value}")
    return float(value)


def _streams(seed: int | None) -> Iterator[tuple[int, int]]:
    """(seed, stream) for one draw after the other: the global seed's next streams, or those of a seed of one's own."""
    for count in itertools.count():
        yield (random.get_seed(), random.next_stream()) if seed is None else (int(seed), count)


def _uniform(shape: Shape, dtype: Any, low: float, high: float, seed: int, stream: int) -> Array:
    array = backend.empty(shape, np.dtype(dtype))
    backend.kernels(array).random_uniform(array, seed, stream, low, high)
    return array


def _normal(shape: Shape, dtype: Any, mean: float, stddev: float, seed: int, stream: int) -> Array:
    array = backend.empty(shape, np.dtype(dtype))
    backend.kernels(array).random_normal(array, seed, stream, mean, stddev)
    return array


def _truncated_normal(shape: Shape, dtype: Any, mean: float, stddev: float, seed: int | None) -> Array:
    streams = _streams(seed)
    array = _normal(shape, dtype, 0.0, 1.0, *next(streams))
    while (out := np.abs(array) > 2).any():
        array[out] = _normal((int(out.sum()),), dtype, 0.0, 1.0, *next(streams))
    array *= stddev
    array += mean
    return array


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


_classes: dict[str, type[Initializer]] = {
    c.__name__: c
    for c in (
        Zeros, Ones, Constant, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, GlorotUniform,
        GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
    )
}  # fmt: skip
_names: dict[str, type[Initializer]] = {
    **_classes, "zeros": Zeros, "ones": Ones, "zero": Zeros, "one": Ones, "constant": Constant,
    "random_normal": RandomNormal, "normal": RandomNormal, "random_uniform": RandomUniform, "uniform": RandomUniform,
    "truncated_normal": TruncatedNormal, "variance_scaling": VarianceScaling, "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal, "he_uniform": HeUniform, "he_normal": HeNormal, "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal, "orthogonal": Orthogonal,
}  # fmt: skip


def get(identifier: Any) -> Callable[..., Array]:
    """An initializer by name, by configuration, of a number, or as it is.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.
    """
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, int | float) and not isinstance(identifier, bool):
        return Constant(identifier)
    if callable(identifier):
        return identifier() if isinstance(identifier, type) else identifier
    raise ValueError(f"initializers: expected one of {sorted(_names)}, got {identifier!r}")


def serialize(initializer: Any) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Raises:
        ValueError: for functions and classes of the user's own.
    """
    if type(initializer).__name__ not in _classes:
        raise ValueError(f"initializers: {initializer!r} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}
