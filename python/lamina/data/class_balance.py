"""Choosing rows by their classes, so that rare ones are met as often as the others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina.data import nests, sampling
from lamina.data.checks import positive, seed_of

Array = Any


class ClassBalance:
    """What a Dataset of arrays can do with the classes of its rows: the steps work on their order alone."""

    arrays: Any
    _size: float | None
    __len__: Any
    _reordered: Any  # (order, number of the pass) -> order, and its length: a Dataset

    def oversample(self, labels: Any = None, seed: int = 0) -> Any:
        """As many rows of each class as the largest has: all rows at least once, those of small classes more often, in
        a random order, another for each pass.

        Args:
            labels: the class of each row (N,); None takes y of (x, y).
            seed: of the draws.

        Raises:
            ValueError: if there are no labels, or not one for each row.

        Example:
            >>> import lamina as lm, numpy as np
            >>> data = lm.data.Dataset.from_arrays((np.arange(5.0), [0, 0, 0, 0, 1])).oversample()
            >>> np.bincount([y for _, y in data]).tolist()
            [4, 4]
        """
        labels = self._labels(labels, "oversample")
        seed = seed_of(seed, "oversample")
        counts = np.unique(labels, return_counts=True)[1]
        return self._reordered(
            lambda order, number: order[sampling.oversampled(labels[order], sampling.generator(seed, number))],
            int(counts.max(initial=0)) * len(counts),
        )

    def sample_by_class(
        self, weights: dict[Any, float] | None = None, count: int | None = None, labels: Any = None, seed: int = 0
    ) -> Any:
        """Rows drawn with replacement: a class in the share of its weight, within a class every row alike.

        Args:
            weights: {class: weight}; classes that are not named weigh 0. None weighs all alike.
            count: rows a pass; by default as many as there are.
            labels: the class of each row (N,); None takes y of (x, y).
            seed: of the draws; each pass has its own.

        Raises:
            ValueError: if there are no labels, a weight is negative, a class has no rows, or all weigh 0.

        Example:
            >>> import lamina as lm, numpy as np
            >>> data = lm.data.Dataset.from_arrays((np.arange(100.0), np.arange(100) < 90))
            >>> sum(bool(y) for _, y in data.sample_by_class(count=1000)) // 100
            5
        """
        labels = self._labels(labels, "sample_by_class")
        seed = seed_of(seed, "sample_by_class")
        present = np.unique(labels).tolist()
        weights = dict.fromkeys(present, 1.0) if weights is None else dict(weights)
        strange = [name for name in weights if name not in present]
        if strange or any(not 0 <= w < math.inf for w in weights.values()) or not sum(weights.values()):
            raise ValueError(
                f"sample_by_class: weights must be at least 0, not all 0, and of classes {present}, got {weights}"
            )
        count = len(self) if count is None else positive(count, "sample_by_class: count")
        return self._reordered(
            lambda order, number: order[
                sampling.weighted(labels[order], weights, count, sampling.generator(seed, number))
            ],
            count,
        )

    def _labels(self, labels: Any, who: str) -> Array:
        if self._size != len(nests.leaves(self.arrays)[0]):
            raise ValueError(f"{who}: must come before take, skip and other choices of rows")
        if labels is None:
            if not isinstance(self.arrays, tuple) or len(self.arrays) < 2 or isinstance(self.arrays[1], tuple | dict):
                raise ValueError(f"{who}: give labels, or data of (x, y)")
            labels = self.arrays[1]
        labels = np.asarray(labels)
        if labels.shape != (len(nests.leaves(self.arrays)[0]),) or labels.dtype.kind not in "biuSU":
            raise ValueError(f"{who}: labels must be {len(self)} classes, (N,), got {labels.shape}, {labels.dtype}")
        return labels
