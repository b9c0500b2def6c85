"""Data in batches: arrays that are cut and shuffled, or iterables that come in batches already."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lamina import backend, random
from lamina.autograd.structures import map_leaves
from lamina.autograd.tensor import Tensor

Array = Any
Batch = tuple[Any, Any, Any]  # x, y and sample weights; the latter two may be None


def map_arrays(function: Callable[[Array], Any], data: Any) -> Any:
    """The function of an array, or of each one in lists, tuples and dictionaries; None stays None."""
    return map_leaves(lambda leaf: None if leaf is None else function(leaf), data)


def arrays_in(data: Any) -> list[Array]:
    """All arrays in lists, tuples and dictionaries."""
    if type(data) is np.ndarray:  # as most are
        return [data]
    found: list[Array] = []
    map_arrays(found.append, data)
    return found


def as_arrays(data: Any, strings: bool = False) -> Any:
    """Tensors and array-likes as arrays. A list of arrays stays a list; one of numbers becomes an array.

    Args:
        data: what the user passed.
        strings: whether arrays of strings may be among them: inputs, for layers that look them up.
    """
    if type(data) is np.ndarray and data.dtype.isnative and data.dtype.kind in "fiub":
        return backend.as_array(data)
    if data is None:
        return None
    if isinstance(data, dict):
        return {key: as_arrays(value, strings) for key, value in data.items()}
    if isinstance(data, list | tuple) and any((isinstance(v, Tensor) or backend.is_array(v)) and v.ndim for v in data):
        return type(data)([as_arrays(value, strings) for value in data])
    if isinstance(data, Tensor):
        return data.array
    words = backend.as_strings(data) if strings else None
    return backend.as_array(data) if words is None else words


def is_arrays(data: Any) -> bool:
    """Whether the data are arrays, rather than an iterable of batches."""
    return isinstance(data, dict | list | tuple | np.ndarray | Tensor) or hasattr(data, "__array__")


def placed(data: Any, device: str | None) -> Any:
    """The arrays of a batch on the model's device; strings stay in memory."""
    if device is None:
        return data
    like = backend.on(device)
    return map_arrays(lambda a: _placed(a, like), data)


def _placed(value: Any, like: Any) -> Any:
    if isinstance(value, Tensor):
        return value
    return backend.moved(value, like) if backend.is_array(value) and value.dtype.kind != "U" else value


class ArrayBatches:
    """Arrays in batches; the last may be smaller. Each pass with `shuffle` has a new order, by Lamina's seed.

    Args:
        x: array (N, ...), or a list, tuple or dictionary of arrays.
        y: None or the same for the targets.
        sample_weight: None or array (N,).
        batch_size: samples a batch.
        shuffle: whether each pass has a new order.
        who: the caller, for errors.

    Raises:
        ValueError: if lengths differ or there are no samples.
    """

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int | None, shuffle: bool = False, who: str = "fit"
    ) -> None:
        self.x = as_arrays(x, strings=True)
        self.y = None if y is None else as_arrays(y)
        self.weights = None if sample_weight is None else as_arrays(sample_weight)
        lengths = [len(a) if a.ndim else 1 for part in (self.x, self.y, self.weights) for a in arrays_in(part)]
        if len(set(lengths)) != 1:
            raise ValueError(f"{who}: x, y and sample_weight must have as many samples each, got {lengths}")
        self.samples = lengths[0]
        if self.samples == 0:
            raise ValueError(f"{who}: there are no samples (x has shape {arrays_in(self.x)[0].shape})")
        self.batch_size = 32 if batch_size is None else _count(batch_size, who, "batch_size")
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = permutation(self.samples) if self.shuffle else None
        simple = isinstance(self.x, np.ndarray) and isinstance(self.y, np.ndarray) and self.weights is None
        for start in range(0, self.samples, self.batch_size):
            part: Any = slice(start, start + self.batch_size)
            if order is not None:
                part = order[part]
            if simple:
                yield _rows(self.x, part), _rows(self.y, part), None
            else:
                take = functools.partial(_rows, part=part)
                x, y, weights = (None if d is None else map_arrays(take, d) for d in (self.x, self.y, self.weights))
                yield x, y, weights


class IterableBatches:
    """An iterable of batches: each x alone, (x, y) or (x, y, sample_weight); or batches by number, shuffled or not."""

    def __init__(self, iterable: Any, who: str, shuffle: bool = False) -> None:
        if not hasattr(iterable, "__iter__"):
            if not (hasattr(iterable, "__getitem__") and hasattr(iterable, "__len__")):
                raise TypeError(f"{who}: x must be an array or an iterable of batches, got {type(iterable).__name__}")
            iterable = _Indexed(iterable, shuffle)
        self.iterable = iterable
        self.who = who

    def __len__(self) -> int:
        return len(self.iterable) if hasattr(self.iterable, "__len__") else 0

    def __iter__(self) -> Iterator[Batch]:
        for item in self.iterable:
            batch = tuple(item) if isinstance(item, tuple | list) else (item,)
            if not 1 <= len(batch) <= 3:
                raise ValueError(f"{self.who}: a batch must be x, (x, y) or (x, y, sample_weight), got {len(batch)}")
            x, y, weights = (*batch, None, None)[:3]
            yield (
                as_arrays(x, True),
                None if y is None else as_arrays(y),
                None if weights is None else as_arrays(weights),
            )


class _Indexed:
    """Batches by number, as an iterable; with `shuffle` each pass has a new order, by Lamina's seed."""

    def __init__(self, sequence: Any, shuffle: bool) -> None:
        self._sequence, self._shuffle = sequence, shuffle

    def __len__(self) -> int:
        return len(self._sequence)

    def __iter__(self) -> Iterator[Any]:
        count = len(self._sequence)
        for i in permutation(count).tolist() if self._shuffle else range(count):
            yield self._sequence[i]
        if hasattr(self._sequence, "on_epoch_end"):
            self._sequence.on_epoch_end()


class Weighed:
    """Batches with a function of y as their weights."""

    def __init__(self, batches: Batches, weigh: Callable[[Any], Any], who: str) -> None:
        self.batches, self.weigh, self.who = batches, weigh, who

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for x, y, weights in self.batches:
            if weights is not None:
                raise ValueError(f"{self.who}: give class_weight or sample_weight, not both")
            yield x, y, self.weigh(y)


class Repeated:
    """Data whose passes are `steps` batches: they go on where the last pass ended, and begin anew at their end."""

    def __init__(self, batches: ArrayBatches | IterableBatches, steps: int, who: str) -> None:
        self.batches, self.steps, self.who = batches, _count(steps, who, "steps"), who
        self._iterator = iter(batches)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.steps):
            batch = next(self._iterator, None)
            if batch is None:
                self._iterator = iter(self.batches)
                batch = next(self._iterator, None)
                if batch is None:
                    raise ValueError(f"{self.who}: the data ended before {self.steps} batches had come")
            yield batch


Batches = ArrayBatches | IterableBatches | Repeated | Weighed


def make_batches(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, shuffle: bool, steps: int | None, who: str
) -> Batches:
    """Batches of what a user passed to fit, evaluate or predict."""
    batches: ArrayBatches | IterableBatches
    if is_arrays(x):
        batches = ArrayBatches(x, y, sample_weight, batch_size, shuffle, who)
    else:
        if y is not None or sample_weight is not None:
            raise ValueError(f"{who}: y and sample_weight come with the batches when x is an iterable of them")
        batches = IterableBatches(x, who, shuffle)
    return batches if steps is None else Repeated(batches, steps, who)


def _count(value: Any, who: str, name: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{who}: {name} must be a positive integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{who}: {name} must be positive, got {value}")
    return int(value)


def permutation(n: int) -> Array:
    """A random order of n, by Lamina's seed."""
    keys = backend.empty(n, backend.float64)
    backend.kernels(keys).random_uniform(keys, random.get_seed(), random.next_stream(), 0.0, 1.0)
    return keys.argsort(kind="stable")


def split_end(data: Any, fraction: float) -> tuple[Any, Any]:
    """Arrays cut in two: the last samples, `fraction` of all, apart."""
    if data is None:
        return None, None
    data = as_arrays(data, strings=True)
    n = len(arrays_in(data)[0])
    cut = int(n * (1 - fraction))
    return map_arrays(lambda a: a[:cut], data), map_arrays(lambda a: a[cut:], data)


def _rows(array: Array, part: Any) -> Array:
    """Some rows. Of a list of numbers a copy in the pool's memory, made without numpy's bounds-checking buffer."""
    if isinstance(part, slice):
        return array[part]
    if not backend.on_host(array):
        return backend.array_module(array).take(array, backend.moved(part, array), axis=0)
    if not array.dtype.isnative or array.dtype.kind == "U":
        return array[part]
    rows = backend.empty((len(part), *array.shape[1:]), array.dtype)
    return array.take(part, axis=0, out=rows, mode="clip")
