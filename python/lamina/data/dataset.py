"""Dataset: a chain of steps from samples to batches, that can be gone through again and again."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from lamina.data import nests, sampling
from lamina.data.checks import not_negative, positive, seed_of
from lamina.data.class_balance import ClassBalance
from lamina.data.steps import Make, Steps, batches, check_dataset

Array = Any

_builtin_range = range
_builtin_zip = zip


class Dataset(Steps):
    """Samples or batches, made when they are asked for. Every method gives a new Dataset; none changes its own.

    A Dataset can be iterated again and again. Passes are numbered from 0: each has a new order where it is shuffled,
    and another draw where it is random, but the same Dataset made anew gives the same passes again: whatever the
    number of threads. Elements that are tuples count as several values: (x, y) or (x, y, sample_weight), as
    ``model.fit`` takes them. ``len`` works where the length is known.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x, y = np.arange(10.0), np.arange(10)
        >>> data = lm.data.Dataset.from_arrays((x, y)).shuffle(seed=1).map(lambda x, y: (x + 1, y), threads=2).batch(4)
        >>> [batch_x.shape for batch_x, batch_y in data], len(data)
        ([(4,), (4,), (2,)], 3)
    """

    def __init__(self, make: Make, size: float | None = None) -> None:
        self._make = make
        self._size = size
        self._passes = 0
        self._lock = threading.Lock()

    @staticmethod
    def _of(make: Make, size: float | None) -> Dataset:
        return Dataset(make, size) if size is None or size == math.inf else SizedDataset(make, size)

    @property
    def size(self) -> float | None:
        """How many elements a pass has: None if nobody knows, infinity for `repeat` without end."""
        return self._size

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            number = self._passes
            self._passes += 1
        return self._make(number)

    def set_pass(self, number: int) -> None:
        """Has the next pass be the one of this number, from 0 on: what training that goes on after a break begins with.

        Example:
            >>> import lamina as lm
            >>> data = lm.data.Dataset.range(9).shuffle(seed=1)
            >>> orders = [list(data) for _ in range(3)]
            >>> data.set_pass(1)
            >>> list(data) == orders[1]
            True
        """
        not_negative(number, "set_pass: number")
        with self._lock:
            self._passes = int(number)

    def __repr__(self) -> str:
        return f"<Dataset of {'unknown' if self._size is None else self._size} elements>"

    # Sources

    @staticmethod
    def from_arrays(arrays: Any) -> ArrayDataset:
        """The rows of arrays: x, (x, y), (x, y, sample_weight), or dictionaries of arrays in their places.

        Args:
            arrays: an array (N, ...), or a tuple or dictionary of arrays of as many rows each. Lists become arrays.

        Returns:
            A Dataset of N elements. Batches of it are cut at once, without making single samples.

        Raises:
            ValueError: if there is none, or lengths differ.

        Example:
            >>> import lamina as lm
            >>> list(lm.data.Dataset.from_arrays(([1.0, 2.0], [0, 1])))[1]
            (np.float32(2.0), np.int64(1))
        """
        return ArrayDataset(arrays)

    @staticmethod
    def from_generator(function: Callable[[], Iterable[Any]], size: int | None = None) -> Dataset:
        """What a function's iterable yields; the function is called anew for each pass.

        Args:
            function: takes nothing, returns an iterable: a generator function.
            size: how many elements it yields, where that is known.

        Raises:
            TypeError: if it cannot be called: an iterator would be spent after one pass.

        Example:
            >>> import lamina as lm
            >>> data = lm.data.Dataset.from_generator(lambda: (i * i for i in range(4)))
            >>> list(data), list(data)
            ([0, 1, 4, 9], [0, 1, 4, 9])
        """
        if not callable(function):
            raise TypeError(f"from_generator: expected a function that returns an iterable, got {function!r}")
        if size is not None:
            not_negative(size, "from_generator: size")
        return Dataset._of(lambda number: iter(function()), size)

    @staticmethod
    def range(*bounds: int) -> ArrayDataset:
        """The integers that Python's range gives.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(2, 5)]
            [2, 3, 4]
        """
        return ArrayDataset(np.arange(*bounds, dtype=np.int64))

    @staticmethod
    def zip(*datasets: Dataset) -> Dataset:
        """Tuples of one element of each; ends with the shortest.

        Example:
            >>> import lamina as lm
            >>> data = lm.data.Dataset
            >>> [(int(a), int(b)) for a, b in data.zip(data.range(3), data.range(5, 9))]
            [(0, 5), (1, 6), (2, 7)]
        """
        if not datasets:
            raise ValueError("zip: expected at least one Dataset")
        for dataset in datasets:
            check_dataset(dataset, "zip")
        sizes = [d.size for d in datasets]
        known = [size for size in sizes if size is not None]
        size = min(known) if len(known) == len(sizes) else None

        def make(number: int) -> Iterator[Any]:
            return _builtin_zip(*[d._make(number) for d in datasets], strict=False)

        return Dataset._of(make, size)


class SizedDataset(Dataset):
    """A Dataset of known length."""

    def __len__(self) -> int:
        return int(self._size or 0)


class ArrayDataset(ClassBalance, SizedDataset):
    """Rows of arrays, in an order that each pass may have anew: `Dataset.from_arrays` makes it.

    Shuffling, taking, skipping and evening out classes work on the order alone, and `batch` cuts whole batches.
    """

    def __init__(self, arrays: Any, order: Callable[[int], Array] | None = None, size: int | None = None) -> None:
        self.arrays = nests.map_leaves(nests.checked_array, arrays)
        lengths = [len(a) for a in nests.leaves(self.arrays)]
        if len(set(lengths)) != 1:
            raise ValueError(f"from_arrays: expected arrays of as many rows each, got {lengths}")
        self._order = order or (lambda number: np.arange(lengths[0]))
        super().__init__(self._rows, lengths[0] if size is None else size)

    def _rows(self, number: int) -> Iterator[Any]:
        for i in self._order(number):
            yield nests.row(self.arrays, i)

    def _reordered(self, change: Callable[[Array, int], Array], size: int) -> ArrayDataset:
        return ArrayDataset(self.arrays, lambda number: change(self._order(number), number), size)

    def shuffle(self, seed: int = 0, buffer: int | None = None) -> Dataset:
        if buffer is not None:
            return super().shuffle(seed, buffer)
        seed = seed_of(seed, "shuffle")
        return self._reordered(
            lambda order, number: order[sampling.permutation(len(order), sampling.generator(seed, number))], len(self)
        )

    def take(self, count: int) -> ArrayDataset:
        not_negative(count, "take: count")
        return self._reordered(lambda order, number: order[:count], min(count, len(self)))

    def skip(self, count: int) -> ArrayDataset:
        not_negative(count, "skip: count")
        return self._reordered(lambda order, number: order[count:], max(len(self) - count, 0))

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        batch_size = positive(batch_size, "batch: batch_size")

        def make(number: int) -> Iterator[Any]:
            order = self._order(number)
            end = len(order) - (len(order) % batch_size if drop_remainder else 0)
            for start in _builtin_range(0, end, batch_size):
                part = order[start : start + batch_size]
                yield nests.rows(self.arrays, part)

        return Dataset._of(make, batches(self._size, batch_size, drop_remainder))
