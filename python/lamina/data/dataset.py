"""Dataset: a chain of steps from samples to batches, that can be gone through again and again."""

from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from lamina.data import element, nests, sampling, workers
from lamina.data.checks import check_function, not_negative, positive, seed_of
from lamina.data.class_balance import ClassBalance

Array = Any
Make = Callable[[int], Iterator[Any]]  # number of the pass -> its elements

_builtin_range = range
_builtin_zip = zip


class Dataset:
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
            _check_dataset(dataset, "zip")
        sizes = [d.size for d in datasets]
        known = [size for size in sizes if size is not None]
        size = min(known) if len(known) == len(sizes) else None

        def make(number: int) -> Iterator[Any]:
            return _builtin_zip(*[d._make(number) for d in datasets], strict=False)

        return Dataset._of(make, size)

    # Steps

    def map(self, function: Callable[..., Any], threads: int = 0, seed: int = 0) -> Dataset:
        """function of each element (of each value of it, if it is a tuple).

        Args:
            function: returns the new element. Lamina's random layers draw by the element's place, so that the same
                numbers come for any number of threads. NumPy's generators know nothing of that: take
                `random_generator()` in the function.
            threads: how many work at it; 0 for none beside the one that iterates. The order stays.
            seed: of the random numbers; each element of each pass has its own.

        Raises:
            ValueError: if threads is negative.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(3).map(lambda i: i * 10, threads=2)]
            [0, 10, 20]
        """
        check_function(function, "map")
        not_negative(threads, "map: threads")
        seed = seed_of(seed, "map")

        def apply(numbered: tuple[int, Any], number: int) -> Any:
            place, value = numbered
            arguments = value if isinstance(value, tuple) else (value,)
            return element.run(function, arguments, element.mixed(seed, number, place))

        def make(number: int) -> Iterator[Any]:
            numbered = _numbered(self._make(number))
            one = functools.partial(apply, number=number)
            return workers.ordered_map(one, numbered, threads) if threads else _mapped(one, numbered)

        return Dataset._of(make, self._size)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which the function (of each value, if they are tuples) is true.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(6).filter(lambda i: i % 2 == 0)]
            [0, 2, 4]
        """
        check_function(predicate, "filter")

        def make(number: int) -> Iterator[Any]:
            for value in self._make(number):
                if predicate(*value) if isinstance(value, tuple) else predicate(value):
                    yield value

        return Dataset(make)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Batches: elements stacked along a new first axis.

        Args:
            batch_size: elements a batch.
            drop_remainder: whether to leave out a last batch that is smaller.

        Raises:
            ValueError: if batch_size is not positive; while iterating, if elements differ in shape.

        Example:
            >>> import lamina as lm
            >>> [batch.tolist() for batch in lm.data.Dataset.range(5).batch(2)]
            [[0, 1], [2, 3], [4]]
        """
        batch_size = positive(batch_size, "batch: batch_size")

        def make(number: int) -> Iterator[Any]:
            values = self._make(number)
            while part := list(itertools.islice(values, batch_size)):
                if len(part) == batch_size or not drop_remainder:
                    yield nests.stacked(part)

        return Dataset._of(make, _batches(self._size, batch_size, drop_remainder))

    def unbatch(self) -> Dataset:
        """The rows of batches, one by one.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(5).batch(2).unbatch()]
            [0, 1, 2, 3, 4]
        """

        def make(number: int) -> Iterator[Any]:
            for values in self._make(number):
                arrays = nests.leaves(values)
                for i in _builtin_range(len(arrays[0])):
                    yield nests.row(values, i)

        return Dataset(make)

    def shuffle(self, seed: int = 0, buffer: int | None = None) -> Dataset:
        """A random order, another for each pass.

        Args:
            seed: of the orders.
            buffer: None shuffles all elements (those of arrays by number; others are first gathered in memory). A
                number keeps so many at hand and draws from these: for data that do not fit in memory.

        Raises:
            ValueError: if buffer is not positive, or all elements of data without end are asked for.

        Example:
            >>> import lamina as lm
            >>> data = lm.data.Dataset.range(6).shuffle(seed=3)
            >>> first, second = [[int(i) for i in data] for _ in range(2)]
            >>> first != second, sorted(first)
            (True, [0, 1, 2, 3, 4, 5])
        """
        seed = seed_of(seed, "shuffle")
        if buffer is None and self._size == math.inf:
            raise ValueError("shuffle: data without end need a buffer")
        room = None if buffer is None else positive(buffer, "shuffle: buffer")

        def make(number: int) -> Iterator[Any]:
            random = sampling.generator(seed, number)
            values = self._make(number)
            if room is None:
                kept = list(values)
                for i in sampling.permutation(len(kept), random):
                    yield kept[i]
                return
            kept = list(itertools.islice(values, room))
            for value in values:
                i = int(random.random() * room)
                yield kept[i]
                kept[i] = value
            for i in sampling.permutation(len(kept), random):
                yield kept[i]

        return Dataset._of(make, self._size)

    def repeat(self, count: int | None = None) -> Dataset:
        """So many passes one after the other, without end by default: for ``steps_per_epoch``.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(2).repeat(2)]
            [0, 1, 0, 1]
        """
        if count is not None:
            not_negative(count, "repeat: count")

        def make(number: int) -> Iterator[Any]:
            first = number * ((1 << 32) if count is None else count)
            for i in itertools.count() if count is None else _builtin_range(count):
                empty = True
                for value in self._make(first + i):
                    empty = False
                    yield value
                if empty:
                    return

        size = math.inf if count is None and self._size else None if self._size is None else self._size * (count or 0)
        return Dataset._of(make, size)

    def take(self, count: int) -> Dataset:
        """The first elements, so many at most.

        Example:
            >>> import lamina as lm
            >>> len(lm.data.Dataset.range(9).take(4))
            4
        """
        not_negative(count, "take: count")
        size = None if self._size is None else min(count, self._size)
        return Dataset._of(lambda number: itertools.islice(self._make(number), count), size)

    def skip(self, count: int) -> Dataset:
        """All but the first so many elements.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(4).skip(3)]
            [3]
        """
        not_negative(count, "skip: count")
        size = None if self._size is None else max(self._size - count, 0)
        return Dataset._of(lambda number: itertools.islice(self._make(number), count, None), size)

    def concatenate(self, other: Dataset) -> Dataset:
        """These elements, then those.

        Example:
            >>> import lamina as lm
            >>> len(lm.data.Dataset.range(3).concatenate(lm.data.Dataset.range(4)))
            7
        """
        _check_dataset(other, "concatenate")
        size = None if self._size is None or other._size is None else self._size + other._size
        return Dataset._of(lambda number: itertools.chain(self._make(number), other._make(number)), size)

    def cache(self) -> Dataset:
        """Keeps the elements of the first whole pass in memory; later passes go through those. Put what is random
        after it: before it, it would be drawn once.

        Example:
            >>> import lamina as lm
            >>> data = lm.data.Dataset.range(3).map(lambda i: i * 2).cache()
            >>> len(list(data)) + len(list(data))
            6
        """
        kept: list[list[Any]] = []

        def make(number: int) -> Iterator[Any]:
            if kept:
                yield from kept[0]
                return
            values = []
            for value in self._make(number):
                values.append(value)
                yield value
            kept[:] = [values]

        return Dataset._of(make, self._size)

    def prefetch(self, count: int = 2) -> Dataset:
        """Makes elements in a thread of its own while the last is used: reading and training at the same time.

        Errors come out where the elements do, and the thread ends when the iterator is dropped.

        Args:
            count: how many elements may wait.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(3).prefetch()]
            [0, 1, 2]
        """
        count = positive(count, "prefetch: count")
        return Dataset._of(lambda number: workers.prefetched(functools.partial(self._make, number), count), self._size)


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

        return Dataset._of(make, _batches(self._size, batch_size, drop_remainder))


def _mapped(function: Callable[[Any], Any], values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        yield function(value)


def _numbered(values: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    yield from enumerate(values)


def _batches(size: float | None, batch_size: int, drop_remainder: bool) -> float | None:
    if size is None or size == math.inf:
        return size
    return int(size) // batch_size if drop_remainder else -(-int(size) // batch_size)


def _check_dataset(dataset: Any, who: str) -> None:
    if not isinstance(dataset, Dataset):
        raise TypeError(f"{who}: expected a Dataset, got {dataset!r}")
