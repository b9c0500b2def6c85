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
        used: which saved rows are of steps, (rows, 1), where only a GPU knows how many there are; None: all.
        complete: whether every row of y is written.
    """

    kernel: tuple[Any, ...]
    source: Any = None
    used: Any = None
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
        mask: (count, steps) of booleans, in the order of x's time. One on a GPU is not looked at: masked steps then
            have saved rows too, behind the others.
        go_backwards: whether steps are taken from the end.
        time_major: whether x and y are (steps, count, ...).
        in_time: see dense_rows.
        zero_output: whether y is 0 at a masked step; else it repeats what came before.
        x: the arrays of the order go to its device.
    """
    count, steps = mask.shape
    if mask.size == 0:
        return dense_rows(count, steps, go_backwards, time_major, in_time)
    looked_at = backend.on_host(mask)
    xp = backend.array_module(mask)
    slots = count * steps
    if go_backwards:
        mask = mask[:, ::-1]
    kept = mask.sum(1)
    order = xp.argsort(-kept, kind="stable")
    mask = mask[order]
    active = (kept[:, None] > xp.arange(steps + 1)).sum(0)
    at = xp.cumsum(active) - active
    step = xp.cumsum(mask, 1, dtype=np.int64) - 1  # of a masked one: the step before it
    behind = at[-1] + xp.cumsum(~mask.reshape(-1), dtype=np.int64).reshape(mask.shape) - 1
    slot = xp.where(mask, at[step] + xp.arange(count)[:, None], behind)
    place = xp.empty(slots, np.int64)  # of each slot in mask
    place[slot.reshape(-1)] = xp.arange(slots)
    longest, used = steps, None
    if looked_at:
        longest, slots = int(kept.max(initial=0)), int(at[-1])
        place = place[:slots]
    else:
        used = (xp.arange(slots) < at[-1])[:, None]
    row, time = place // steps, place % steps
    step = step.reshape(-1)[place] + 1
    following = time[(at[step] + row).clip(0, slots - 1)]
    following = xp.where(row < active[step], following, steps)
    x_time = steps - 1 - time if go_backwards else time
    across, along = (1, count) if time_major else (steps, 1)
    first = order[row] * across
    y_rows = first + (x_time if in_time else time) * along
    repeats = xp.ones(slots, np.int64) if zero_output else following - time
    direction = -along if go_backwards and in_time else along
    arrays = at[:longest].copy(), active[: longest + 1].copy(), order.astype(np.int64), y_rows, repeats
    return Rows(
        (longest, count, 0, 0, 0, 0, direction, 0, *[backend.moved(a, x) for a in arrays]),
        backend.moved(first + x_time * along, x),
        used,
        False,
    )


def given_mask(op: str, mask: Any, lengths: Any, count: int, steps: int, to_host: bool) -> Any:
    """The boolean (count, steps) array that a mask or lengths stand for; None without either.

    Args:
        op: for errors.
        mask, lengths: one of them, or neither.
        count, steps: its shape.
        to_host: whether it shall be NumPy's; the program waits for one that is on a GPU. Else it stays where it is.

    Raises:
        ValueError: for a wrong shape, lengths below 0 or beyond `steps` (on the CPU), or both at once.
        TypeError: for a mask that is not boolean, or lengths that are no integers.
    """
    if mask is None and lengths is None:
        return None
    if mask is not None and lengths is not None:
        raise ValueError(f"{op}: give a mask or lengths, not both")
    given = as_tensor(lengths if mask is None else mask).array
    if to_host:
        given = backend.to_host(given)
    if mask is not None:
        if given.shape != (count, steps):
            raise ValueError(f"{op}: mask must have shape (batch, steps) = {(count, steps)}, got {given.shape}")
        if given.dtype != np.bool_:
            raise TypeError(f"{op}: mask must be boolean, got {given.dtype}")
        return given
    if given.shape != (count,):
        raise ValueError(f"{op}: lengths must have shape (batch,) = {(count,)}, got {given.shape}")
    if given.dtype.kind not in "iu":
        raise TypeError(f"{op}: lengths must be integers, got {given.dtype}")
    if backend.on_host(given) and (outside := (given < 0) | (given > steps)).any():
        place = int(np.argmax(outside))
        raise ValueError(f"{op}: lengths must be from 0 to {steps} steps, got {given[place]} at {place}")
    return backend.array_module(given).arange(steps) < given[:, None]
