"""The steps of a Dataset: each gives a new one, of other elements, in another order, or in batches."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lamina.data import element, nests, sampling, workers
from lamina.data.checks import check_function, not_negative, positive, seed_of

if TYPE_CHECKING:
    from lamina.data.dataset import Dataset

Make = Callable[[int], Iterator[Any]]  # number of the pass -> its elements


class Steps:
    """What a Dataset can be made into. A subclass has `_make`, `_size` and `_of`, which makes a Dataset of two such."""

    _make: Make
    _size: float | None
    _of: Callable[[Make, float | None], Dataset]

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

        return self._of(make, self._size)

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

        return self._of(make, None)

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

        return self._of(make, batches(self._size, batch_size, drop_remainder))

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
                for i in range(len(arrays[0])):
                    yield nests.row(values, i)

        return self._of(make, None)

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

        return self._of(make, self._size)

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
            for i in itertools.count() if count is None else range(count):
                empty = True
                for value in self._make(first + i):
                    empty = False
                    yield value
                if empty:
                    return

        size = math.inf if count is None and self._size else None if self._size is None else self._size * (count or 0)
        return self._of(make, size)

    def take(self, count: int) -> Dataset:
        """The first elements, so many at most.

        Example:
            >>> import lamina as lm
            >>> len(lm.data.Dataset.range(9).take(4))
            4
        """
        not_negative(count, "take: count")
        size = None if self._size is None else min(count, self._size)
        return self._of(lambda number: itertools.islice(self._make(number), count), size)

    def skip(self, count: int) -> Dataset:
        """All but the first so many elements.

        Example:
            >>> import lamina as lm
            >>> [int(i) for i in lm.data.Dataset.range(4).skip(3)]
            [3]
        """
        not_negative(count, "skip: count")
        size = None if self._size is None else max(self._size - count, 0)
        return self._of(lambda number: itertools.islice(self._make(number), count, None), size)

    def concatenate(self, other: Dataset) -> Dataset:
        """These elements, then those.

        Example:
            >>> import lamina as lm
            >>> len(lm.data.Dataset.range(3).concatenate(lm.data.Dataset.range(4)))
            7
        """
        check_dataset(other, "concatenate")
        size = None if self._size is None or other._size is None else self._size + other._size
        return self._of(lambda number: itertools.chain(self._make(number), other._make(number)), size)

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

        return self._of(make, self._size)

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
        return self._of(lambda number: workers.prefetched(functools.partial(self._make, number), count), self._size)


def _mapped(function: Callable[[Any], Any], values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        yield function(value)


def _numbered(values: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    yield from enumerate(values)


def batches(size: float | None, batch_size: int, drop_remainder: bool) -> float | None:
    """How many batches so many elements make: None if nobody knows."""
    if size is None or size == math.inf:
        return size
    return int(size) // batch_size if drop_remainder else -(-int(size) // batch_size)


def check_dataset(dataset: Any, who: str) -> None:
    """Raises TypeError unless this is a Dataset."""
    if not isinstance(dataset, Steps):
        raise TypeError(f"{who}: expected a Dataset, got {dataset!r}")
