"""Random tensors, the seed, and who draws next. Each draw takes a stream of its own from Lamina's counter-based
generator, so that no draw depends on how many numbers another took, nor on threads or device."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from lamina import backend, recording
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.broadcasting import broadcast_shape
from lamina.ops.checks import integer, sizes
from lamina.ops.shapes import one_axis

_lock = threading.Lock()
_seed = 0
_stream = 0


def set_seed(seed: int) -> None:
    """Starts all random numbers anew: weights, shuffling, dropout. The same script then gives the same bits.

    Args:
        seed: any integer; its lowest 64 bits count.

    Raises:
        TypeError: if it is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(7)
        >>> lm.random.get_seed(), lm.random.next_stream(), lm.random.next_stream()
        (7, 1, 2)
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"set_seed: expected an integer, got {seed!r}")
    global _seed, _stream
    with _lock:
        _seed, _stream = seed.__index__() & 0xFFFF_FFFF_FFFF_FFFF, 0


def get_seed() -> int:
    """The seed in force.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(3)
        >>> lm.random.get_seed()
        3
    """
    return recording.number(_current_seed)


def _current_seed() -> int:
    return _seed


def next_stream() -> int:
    """The number of the next draw, from 1 on after `set_seed`; never the same twice, whichever thread asks.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(3)
        >>> lm.random.next_stream()
        1
    """
    return recording.number(_advanced, draws=True)


def _advanced() -> int:
    global _stream
    with _lock:
        _stream += 1
        return _stream


def get_state() -> tuple[int, int]:
    """The seed and the number of the last draw: what `set_state` goes on from.

    Example:
        >>> import lamina as lm
        >>> lm.set_seed(7)
        >>> state = lm.random.get_state()
        >>> lm.random.next_stream()
        1
        >>> lm.random.set_state(state)
        >>> lm.random.next_stream()
        1
    """
    with _lock:
        return _seed, _stream


def set_state(state: tuple[int, int]) -> None:
    """Goes on with the random numbers from where `get_state` was called.

    Args:
        state: what it gave.

    Example:
        >>> import lamina as lm
        >>> lm.random.set_state((3, 5))
        >>> lm.random.next_stream()
        6
    """
    global _seed, _stream
    seed, stream = state
    with _lock:
        _seed, _stream = int(seed) & 0xFFFF_FFFF_FFFF_FFFF, int(stream)


class SeedGenerator:
    """A seed that goes on: each draw with it gives other numbers, and the same ones in every run.

    Args:
        seed: an integer; None for the seed of `set_seed` and its next streams.

    Raises:
        TypeError: if it is no integer.

    Example:
        >>> import lamina as lm
        >>> def two_draws():
        ...     seed = lm.random.SeedGenerator(1337)
        ...     return [lm.random.normal((1,), seed=seed).item() for _ in range(2)]
        >>> first, second = two_draws()
        >>> first != second, two_draws() == [first, second]
        (True, True)
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__")):
            raise TypeError(f"SeedGenerator: seed must be None or an integer, got {seed!r}")
        self.seed = seed
        self._numbers = itertools.count()

    def next(self) -> tuple[int, int]:
        """The seed and the stream of the next draw."""
        if self.seed is None:
            return get_seed(), next_stream()
        return self.seed.__index__() & 0xFFFF_FFFF_FFFF_FFFF, recording.number(self._numbers.__next__, draws=True)


Seed = int | SeedGenerator | None


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Seed = None) -> Tensor:
    """Numbers of a normal distribution.

    Args:
        shape: sizes.
        mean: its mean.
        stddev: its standard deviation, at least 0.
        dtype: "float32" or "float64".
        seed: None draws from the next stream of `set_seed`'s seed; an integer gives the same numbers at every call;
            a SeedGenerator goes on.

    Returns:
        Tensor of that shape; number i depends on the seed, the stream and i alone.

    Raises:
        ValueError: for negative sizes, or a negative stddev.
        TypeError: for another dtype, or a seed that is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.random.normal((2, 3), seed=7).shape
        (2, 3)
    """
    _at_least("normal", "stddev", stddev, 0)
    array = _empty("normal", shape, dtype, backend.here)
    backend.kernels(array).random_normal(array, *next(_draws("normal", seed)), float(mean), float(stddev))
    return Tensor(array)


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = "float32", seed: Seed = None) -> Tensor:
    """Numbers of equal likelihood in [minval, maxval). See `normal` for shape, dtype and seed.

    Args:
        shape: sizes.
        minval: the lower bound.
        maxval: the upper bound, which rounding may reach.
        dtype: "float32" or "float64".
        seed: None, or an integer for the same numbers at every call.

    Raises:
        ValueError: for negative sizes, or minval > maxval.

    Example:
        >>> import lamina as lm
        >>> x = lm.random.uniform((1000,), -1, 1, seed=7).numpy()
        >>> bool((x >= -1).all() and (x <= 1).all())
        True
    """
    if not minval <= maxval:
        raise ValueError(f"uniform: minval must be at most maxval, got {minval} and {maxval}")
    array = _empty("uniform", shape, dtype, backend.here)
    backend.kernels(array).random_uniform(array, *next(_draws("uniform", seed)), float(minval), float(maxval))
    return Tensor(array)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Seed = None
) -> Tensor:
    """Numbers of a normal distribution; what lies beyond two standard deviations is drawn again. See `normal`.

    Example:
        >>> import lamina as lm
        >>> bool(abs(lm.random.truncated_normal((1000,), seed=7).numpy()).max() <= 2)
        True
    """
    _at_least("truncated_normal", "stddev", stddev, 0)
    array = _empty("truncated_normal", shape, dtype, None)  # what lies beyond is looked for: the CPU's work
    draws = _draws("truncated_normal", seed)
    backend.kernels(array).random_normal(array, *next(draws), 0.0, 1.0)
    while (out := np.abs(array) > 2).any():
        again = backend.empty((int(out.sum()),), array.dtype)
        backend.kernels(again).random_normal(again, *next(draws), 0.0, 1.0)
        array[out] = again
    array *= stddev
    array += mean
    return Tensor(array if backend.here is None else backend.moved(array, backend.here))


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Seed = None) -> Tensor:
    """Whole numbers of equal likelihood in [minval, maxval). See `normal` for shape and seed.

    Args:
        shape: sizes.
        minval: the smallest.
        maxval: the first that is too large; at most 2^52 more.
        dtype: an integer dtype.
        seed: None, or an integer for the same numbers at every call.

    Raises:
        ValueError: if there is no number in the range, or it does not fit the dtype.
        TypeError: if the bounds are no integers, or the dtype is none of integers.

    Example:
        >>> import lamina as lm
        >>> x = lm.random.randint((1000,), 3, 6, seed=7).numpy()
        >>> sorted(set(x.tolist()))
        [3, 4, 5]
    """
    minval, maxval = integer(minval, "randint", "minval"), integer(maxval, "randint", "maxval")
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise TypeError(f"randint: dtype must be one of integers, got {kind}")
    if not 1 <= maxval - minval <= 1 << 52:
        raise ValueError(f"randint: maxval must be 1 to 2^52 more than minval, got {minval} and {maxval}")
    limits = np.iinfo(kind)
    if minval < limits.min or maxval - 1 > limits.max:
        raise ValueError(f"randint: {minval} to {maxval - 1} do not fit {kind}")
    drawn = _units("randint", shape, seed)
    drawn *= float(maxval - minval)
    return Tensor((drawn.astype(np.int64) + minval).astype(kind))


def bernoulli(shape: Any, p: Any = 0.5, dtype: Any = "float32", seed: Seed = None) -> Tensor:
    """1 with probability p, else 0. See `normal` for shape and seed.

    Args:
        shape: sizes.
        p: a number, or a tensor that broadcasts to the shape, in [0, 1].
        dtype: of the result: booleans, integers or floats.
        seed: None, or an integer for the same numbers at every call.

    Raises:
        ValueError: if p is outside of [0, 1], or does not broadcast to the shape.

    Example:
        >>> import lamina as lm
        >>> 400 < lm.random.bernoulli((1000,), 0.5, seed=7).sum().item() < 600
        True
    """
    chance = as_tensor(p).array
    if not ((chance >= 0) & (chance <= 1)).all():
        raise ValueError(f"bernoulli: p must be in [0, 1], got {p}")
    shape = sizes(shape, "bernoulli")
    if len(shape) < chance.ndim or broadcast_shape("bernoulli", chance.shape, shape) != shape:
        raise ValueError(f"bernoulli: p of shape {chance.shape} does not broadcast to {shape}")
    return Tensor((_units("bernoulli", shape, seed, chance) < chance).astype(dtype))


def permutation(n: int, seed: Seed = None) -> Tensor:
    """The numbers from 0 to n - 1 in random order.

    Args:
        n: how many.
        seed: None, or an integer for the same order at every call.

    Returns:
        Tensor of int64 of shape (n,).

    Raises:
        ValueError: if n is negative.

    Example:
        >>> import lamina as lm
        >>> sorted(lm.random.permutation(4, seed=7).numpy().tolist())
        [0, 1, 2, 3]
    """
    n = integer(n, "permutation", "n", 0)
    units = _units("permutation", (n,), seed)
    return Tensor(backend.array_module(units).argsort(units, kind="stable"))


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Tensor:
    """The slices of x along an axis in random order; x stays as it is. No gradient.

    Args:
        x: tensor of any shape and dtype.
        axis: the axis.
        seed: None, or an integer for the same order at every call.

    Raises:
        ValueError: if the axis is out of range.

    Example:
        >>> import lamina as lm
        >>> sorted(lm.random.shuffle(lm.tensor([1.0, 2.0, 3.0]), seed=7).numpy().tolist())
        [1.0, 2.0, 3.0]
    """
    array = as_tensor(x).array
    axis = one_axis("shuffle", axis, array.ndim)
    order = backend.moved(permutation(array.shape[axis], seed).array, array)
    return Tensor(backend.array_module(array).take(array, order, axis))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Seed = None) -> Tensor:
    """Classes drawn by their logarithmic probabilities, which need not be normalised: argmax(logits + Gumbel noise).

    Args:
        logits: tensor of shape (N, classes), floats.
        num_samples: how many to draw for each row.
        dtype: of the result: integers.
        seed: None, or an integer for the same numbers at every call.

    Returns:
        Tensor of shape (N, num_samples).

    Raises:
        ValueError: if logits have another number of axes or no classes, or num_samples is negative.
        TypeError: if the dtype is none of integers.

    Example:
        >>> import lamina as lm
        >>> lm.random.categorical(lm.tensor([[0.0, 100.0]]), 3, seed=7).numpy().tolist()
        [[1, 1, 1]]

    Reference:
        Maddison et al. 2014, "A* Sampling", arXiv:1411.0030.
    """
    array = as_tensor(logits).array
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"categorical: logits must have shape (N, classes), got {array.shape}")
    num_samples = integer(num_samples, "categorical", "num_samples", 0)
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise TypeError(f"categorical: dtype must be one of integers, got {kind}")
    noise = _units("categorical", (array.shape[0], num_samples, array.shape[1]), seed, array)
    kernels = backend.kernels(noise)
    xp = backend.array_module(noise)
    xp.subtract(1, noise, out=noise)  # in (0, 1]: its logarithm is finite
    for _ in range(2):  # Gumbel's distribution: -log(-log(u))
        kernels.log_forward(noise, noise)
        xp.negative(noise, out=noise)
    noise += array.astype(np.float64)[:, None, :]
    return Tensor(noise.argmax(-1).astype(kind))


def _draws(op: str, seed: Seed) -> Iterator[tuple[int, int]]:
    """(seed, stream) for one draw after the other: streams of the seed in force, or of one of one's own."""
    if isinstance(seed, SeedGenerator):
        while True:
            yield seed.next()
    if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__")):
        raise TypeError(f"{op}: seed must be None or an integer, got {seed!r}")
    for count in itertools.count():
        if seed is None:
            yield get_seed(), next_stream()
        else:
            yield seed.__index__() & 0xFFFF_FFFF_FFFF_FFFF, count


def _units(op: str, shape: Any, seed: Seed, like: Any = None) -> Any:
    """Uniform numbers of 53 bits in [0, 1), on the default device without another."""
    array = _empty(op, shape, "float64", backend.here if like is None else like)
    backend.kernels(array).random_uniform(array, *next(_draws(op, seed)), 0.0, 1.0)
    return array


def _empty(op: str, shape: Any, dtype: Any, like: Any) -> Any:
    kind = np.dtype(dtype)
    if kind not in (backend.float32, backend.float64):
        raise TypeError(f"{op}: dtype must be float32 or float64, got {kind}")
    return backend.empty(sizes(shape, op), kind, like)


def _at_least(op: str, name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{op}: {name} must be at least {least}, got {value}")
