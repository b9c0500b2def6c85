"""Splitting data into a part to learn from and a part to be tested on."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def split(*arrays: Any, test: float = 0.2, shuffle: bool = True, seed: int = 0) -> list[tuple[Array, Array]]:
    """Splits arrays along their first axis, all in the same way.

    Args:
        *arrays: arrays of as many rows each.
        test: the share of the rows that goes to the second part, more than 0 and less than 1.
        shuffle: whether rows are drawn at random. False takes the last ones: right for time series, whose future must
            stay unseen.
        seed: of the order; the same seed gives the same split everywhere.

    Returns:
        (first part, second part) for each array.

    Raises:
        ValueError: if there is no array, lengths differ, or a part would be empty.

    Example:
        >>> import lamina as lm
        >>> (x, x_test), (y, y_test) = lm.data.split(range(5), range(5), test=0.4, shuffle=False)
        >>> x.tolist(), x_test.tolist()
        ([0, 1, 2], [3, 4])
    """
    parts = [np.asarray(a) for a in arrays]
    lengths = [len(a) for a in parts]
    if len(set(lengths)) != 1:
        raise ValueError(f"split: expected arrays of as many rows each, got {lengths}")
    n = lengths[0]
    count = round(n * test)
    if not 0 < count < n:
        raise ValueError(f"split: a share of {test} of {n} rows leaves one part empty")
    order = np.random.Generator(np.random.Philox(seed)).random(n).argsort(kind="stable") if shuffle else np.arange(n)
    return [(a[order[: n - count]], a[order[n - count :]]) for a in parts]
