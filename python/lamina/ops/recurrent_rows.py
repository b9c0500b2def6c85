"""Where the steps of a recurrent layer lie in x, y and the saved arrays (RecurrentRows of csrc/ops/recurrent.h)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lamina import backend
from lamina.autograd.tensor import as_tensor


class Rows(NamedTuple):
    """The order of the steps: what the kernel takes, and what Python does around it.

    Attributes:
        kernel: the tuple that the kernel takes.
        source: for masked sequences, the row of x for each saved row; None where they are the rows of x, in order.
        complete: whether every row of y is written.
    """

    kernel: tuple[Any, ...]
    source: Any = None
    complete: bool = True


@lru_cache(maxsize=256)
def dense_rows(count: int, steps: int, go_backwards: bool, time_major: bool, in_time: bool) -> Rows:
    """Every row has every step. in_time: y in the order of x's time, not of the steps, where they go backwards."""
    time, row = (count, 1) if time_major else (1, steps)
    begin = (steps - 1) * time if go_backwards else 0
    direction = -1 if go_backwards else 1
    y_direction = direction if in_time else 1
    return Rows(
        (steps, count, begin, direction * time, row, begin if in_time else 0, y_direction * time, row, *[None] * 5)
    )


def masked_rows(mask: Any, go_backwards: bool, time_major: bool, in_time: bool, zero_output: bool, x: Any) -> Rows:
    """Masked steps are left out: rows keep their other steps, sorted by their number, packed step by step.

    Args:
        mask: (count, steps) of booleans, in the order of x's time.
        go_backwards: whether steps are taken from the end.
        time_major: whether x and y are (steps, count, ...).
        in_time: see dense_rows.
        zero_output: whether y is 0 at a masked step; else it repeats what came before.
        x: the arrays of the order go to its device.
    """
    if mask.all():
        return dense_rows(*mask.shape, go_backwards, time_major, in_time)
    count, steps = mask.shape
    if go_backwards:
        mask = mask[:, ::-1]
    kept = mask.sum(1)
    order = np.argsort(-kept, kind="stable")
    longest = int(kept.max(initial=0))
    active = np.zeros(longest + 1, np.int64)
    active[:longest] = (kept[:, None] > np.arange(longest)).sum(0)
    at = np.cumsum(active) - active
    row, time = np.nonzero(mask[order])
    step = (np.cumsum(mask[order], 1) - 1)[row, time]
    slot = at[step] + row
    following = np.append(time[1:], steps)
    following[np.append(row[1:] != row[:-1], True)[: len(row)]] = steps
    source, y_rows, repeats = (np.empty(len(row), np.int64) for _ in range(3))
    x_time = steps - 1 - time if go_backwards else time
    y_time = x_time if in_time else time
    across, along = (1, count) if time_major else (steps, 1)
    source[slot] = order[row] * across + x_time * along
    y_rows[slot] = order[row] * across + y_time * along
    repeats[slot] = 1 if zero_output else following[: len(row)] - time
    direction = -along if go_backwards and in_time else along
    arrays = at[:longest].copy(), active, order.astype(np.int64), y_rows, repeats
    return Rows(
        (longest, count, 0, 0, 0, 0, direction, 0, *[backend.moved(a, x) for a in arrays]),
        backend.moved(source, x),
        False,
    )


def given_mask(op: str, mask: Any, lengths: Any, count: int, steps: int) -> Any:
    """The boolean (count, steps) array that a mask or lengths stand for, NumPy's: the order of the steps is the CPU's
    work, so that the program waits for a mask that is on a GPU. None without either.

    Raises:
        ValueError: for a wrong shape, lengths below 0 or beyond `steps`, or both at once.
        TypeError: for a mask that is not boolean, or lengths that are no integers.
    """
    if mask is None and lengths is None:
        return None
    if mask is not None and lengths is not None:
        raise ValueError(f"{op}: give a mask or lengths, not both")
    if mask is not None:
        mask = backend.to_host(as_tensor(mask).array)
        if mask.shape != (count, steps):
            raise ValueError(f"{op}: mask must have shape (batch, steps) = {(count, steps)}, got {mask.shape}")
        if mask.dtype != np.bool_:
            raise TypeError(f"{op}: mask must be boolean, got {mask.dtype}")
        return mask
    lengths = backend.to_host(as_tensor(lengths).array)
    if lengths.shape != (count,):
        raise ValueError(f"{op}: lengths must have shape (batch,) = {(count,)}, got {lengths.shape}")
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{op}: lengths must be integers, got {lengths.dtype}")
    outside = (lengths < 0) | (lengths > steps)
    if outside.any():
        place = int(np.argmax(outside))
        raise ValueError(f"{op}: lengths must be from 0 to {steps} steps, got {lengths[place]} at {place}")
    return np.arange(steps) < lengths[:, None]
