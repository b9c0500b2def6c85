"""Splitting data into a part to learn from and a part to be tested on."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def split(
    *arrays: Any, test: float = 0.2, shuffle: bool = True, seed: int = 0, stratify: Any = None
) -> list[tuple[Array, Array]]:
    """Splits arrays along their first axis, all in the same way.

    Args:
        *arrays: arrays of as many rows each.
        test: the share of the rows that goes to the second part, more than 0 and less than 1.
        shuffle: whether rows are drawn at random. False takes the last ones: right for time series, whose future must
            stay unseen.
        seed: of the order; the same seed gives the same split everywhere.
        stratify: None, or the class of each row (N,): both parts then have the classes in the same shares, as near as
            whole numbers come.

    Returns:
        (first part, second part) for each array.

    Raises:
        ValueError: if there is no array, lengths differ, or a part would be empty; if stratify comes without shuffle,
            or a class has a single row.

    Example:
        >>> import lamina as lm
        >>> (x, x_test), (y, y_test) = lm.data.split(range(5), range(5), test=0.4, shuffle=False)
        >>> x.tolist(), x_test.tolist()
        ([0, 1, 2], [3, 4])
        >>> (x, x_test), = lm.data.split(range(8), test=0.25, stratify=[0, 0, 0, 0, 1, 1, 1, 1])
        >>> (x_test < 4).tolist().count(True)
        1
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
    if stratify is not None:
        if not shuffle:
            raise ValueError("split: stratify needs shuffle=True")
        order = _stratified(order, np.asarray(stratify), count)
    return [(a[order[: n - count]], a[order[n - count :]]) for a in parts]


def _stratified(order: Array, classes: Array, count: int) -> Array:
    """The order with `count` rows at its end that have the classes in the shares of the whole."""
    n = len(order)
    if classes.shape != (n,):
        raise ValueError(f"split: stratify must have shape ({n},), got {classes.shape}")
    names, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        raise ValueError(f"split: stratify: class {names[sizes.argmin()]} has a single row")
    # Whole parts of each class's share first, then one more where most was cut off; the first class wins a tie.
    whole, rest = np.divmod(sizes * count, n)
    whole[np.argsort(-rest, kind="stable")[: count - whole.sum()]] += 1
    ranks = np.empty(n, np.int64)  # a row's place among those of its class, in the order drawn
    by_class = np.argsort(members[order], kind="stable")
    ranks[by_class] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    tested = ranks < whole[members[order]]
    return np.concatenate([order[~tested], order[tested]])
