"""Recurrent layers over whole sequences: the CPU's bits, with resident weights and without, dense and packed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, Output, check_kernel, emulated
from lamina.ops.recurrent import Kind
from lamina.ops.recurrent_rows import dense_rows, masked_rows
from recurrent_layer import Layer

FEW = (("forward", True), ("random:1", False))


def check(kind: Kind, layers: list[Layer], activation: int = 3, schedules: Any = FEW) -> None:
    def named(tuples: list[Any]) -> dict[str, Any]:
        return {"kind": kind, "activation": activation, "layers": tuples, "schedules": schedules}

    check_kernel("recurrent_forward", **named([layer.forward(True) for layer in layers]))
    check_kernel("recurrent_forward", **named([layer.forward(False) for layer in layers]))
    check_kernel("recurrent_backward", **named([layer.backward(activation) for layer in layers]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", Kind)
def test_dense(kind: Kind, dtype: Any) -> None:
    for shape, options in [((5, 3, 4, 7), {}), ((1, 2, 1, 1), {"state": False, "bias": False}), ((3, 1, 2, 9), {})]:
        rows = dense_rows(*shape[:2], False, False, False)
        check(kind, [Layer(kind, rows, shape, dtype, 1, **options)])
    rows = dense_rows(4, 3, True, True, True)
    check(kind, [Layer(kind, rows, (4, 3, 2, 6), dtype, 2, scale=True)], activation=1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", Kind)
def test_tiles_that_blocks_take_by_turns(kind: Kind, dtype: Any) -> None:
    """More units than resident blocks have, and rows for several of a thread."""
    one = (("random:1", True),)
    for shape in [(3, 2, 2, 114), (70, 2, 1, 35), (20, 1, 1, 18)]:
        rows = dense_rows(*shape[:2], False, False, False)
        check(kind, [Layer(kind, rows, shape, dtype, 1)], schedules=one)


def test_products_of_several_chains() -> None:
    """Forward over the units, backward over the columns of the gates."""
    for kind, units in [(Kind.simple, 521), (Kind.gru, 173), (Kind.gru_reset_before, 260), (Kind.lstm, 130)]:
        rows = dense_rows(2, 2, False, False, False)
        check(kind, [Layer(kind, rows, (2, 2, 1, units), np.float32, 1)], schedules=(("forward", True),))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", Kind)
def test_packed_rows_of_both_directions(kind: Kind, dtype: Any) -> None:
    mask = np.random.default_rng(1).random((6, 5)) < 0.6
    mask[2] = False
    for in_time, zero_output in [(True, True), (False, False)]:
        rows = [masked_rows(mask, back, False, in_time, zero_output, np.zeros(1)) for back in (False, True)]
        check(kind, [Layer(kind, r, (6, 5, 3, 10), dtype, i, scale=True) for i, r in enumerate(rows)])


@pytest.mark.parametrize("kind", Kind)
def test_slots_and_steps_that_no_row_has(kind: Kind) -> None:
    """As where only a GPU knows how many there are."""
    mask = np.random.default_rng(2).random((6, 5)) < 0.4
    rows = masked_rows(mask, False, False, True, False, np.zeros(1))
    spare, more = np.zeros(4, np.int64), 7 - rows.kernel[0]
    at, active, order, y_rows, repeats = rows.kernel[8:]
    packed = np.append(at, [at[-1]] * more), np.append(active, [0] * more), order
    packed = (*packed, np.append(y_rows, spare), np.append(repeats, spare + 1))
    packed[0][len(at) :] = len(y_rows)
    longer = rows._replace(kernel=(7, *rows.kernel[1:8], *packed), source=np.append(rows.source, spare))
    layer = Layer(kind, longer, (6, 5, 3, 10), np.float32, 1)
    for keep in (True, False):
        check_kernel("recurrent_forward", kind=kind, activation=3, layers=[layer.forward(keep)], schedules=FEW)


@pytest.mark.parametrize("kind", Kind)
def test_no_rows_and_no_steps(kind: Kind) -> None:
    for shape in [(0, 3, 2, 4), (3, 0, 2, 4)]:
        rows = dense_rows(*shape[:2], False, False, False)
        check(kind, [Layer(kind, rows, shape, np.float32, 1)])


@pytest.mark.parametrize("kind", Kind)
def test_gradients_that_nobody_wants_are_left_out(kind: Kind) -> None:
    layer = Layer(kind, dense_rows(3, 2, False, False, False), (3, 2, 2, 5), np.float32, 1)
    check_kernel("recurrent_backward", kind=kind, activation=3, layers=[layer.backward(3, wanted=False)])


def test_places_out_of_range_are_passed_over() -> None:
    mask = np.ones((3, 4), bool)
    mask[0, 2:] = False
    rows = masked_rows(mask, False, False, True, True, np.zeros(1))

    for entry, bad in [(8, 1 << 40), (8, -9), (10, 3), (10, -1), (11, 12), (11, -1)]:
        kernel = list(rows.kernel)
        kernel[entry] = np.full_like(kernel[entry], bad)
        layer = Layer(Kind.lstm, rows, (3, 4, 2, 5), np.float32, 1)
        layer.rows = tuple(kernel)
        given = tuple(a.start if isinstance(a, Output) else a for a in layer.forward(True))
        emulated().recurrent_forward(Kind.lstm, 3, [given], 0)
        assert not given[12].any()
