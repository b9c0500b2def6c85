"""Recurrent layers in 16 bits, on tensor cores: the float32 results for the same numbers, within rounding."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from kernel_testing import NARROW, SCHEDULES, Output, check_kernel, emulated, in_float32, mapped, rounded, widened
from lamina.ops.recurrent import Kind
from lamina.ops.recurrent_rows import dense_rows, masked_rows
from recurrent_layer import Layer

FEW = (("reverse", True), ("random:1", False))
RELU, TANH = 1, 3


def narrowed(value: Any, dtype: str) -> Any:
    """An argument with its float32 arrays in 16 bits."""
    return mapped(value, lambda a: rounded(a, dtype)[0] if a.dtype == np.float32 else a)


def plain(value: Any) -> Any:
    """Arrays of their own in place of outputs."""
    if isinstance(value, Output):
        return value.start.copy()
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value


def check(name: str, kind: Kind, activation: int, layers: list[Any], dtype: str, schedules: Any, slack: float) -> None:
    """layers: with arrays of 16 bits. An output may be off by `slack` steps of the largest number in it."""
    arguments = {"kind": kind, "activation": activation, "layers": layers}
    wanted = plain(layers)
    in_float32(name, dtype, **{**arguments, "layers": wanted})
    tolerances = {}
    for i, (layer, results) in enumerate(zip(layers, wanted, strict=True)):
        for j, (entry, result) in enumerate(zip(layer, results, strict=True)):
            if isinstance(entry, Output):
                largest = float(np.nanmax(np.abs(widened(result)), initial=1))  # what nobody writes is NaN
                tolerances[f"layers[{i}][{j}]"] = slack * NARROW[dtype] * largest
    reference = functools.partial(in_float32, name, dtype)
    check_kernel(name, reference=reference, narrow=tolerances, schedules=schedules, **arguments)


def check_both(
    kind: Kind, layers: list[Layer], dtype: str, activation: int = TANH, schedules: Any = FEW, slack: float = 2
) -> None:
    """Forward with and without what is kept; backward for what forward keeps in 16 bits."""
    for keep in (True, False):
        given = [narrowed(layer.forward(keep), dtype) for layer in layers]
        check("recurrent_forward", kind, activation, given, dtype, schedules, slack)
    given = [narrowed(layer.backward(activation), dtype) for layer in layers]
    check("recurrent_backward", kind, activation, given, dtype, schedules, slack)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("kind", Kind)
def test_dense(kind: Kind, dtype: str) -> None:
    """Tails of every size: rows and units that fill no tile, one step and several."""
    for count, steps, inputs, units in [(1, 1, 1, 1), (3, 7, 5, 5), (17, 3, 8, 20), (5, 2, 4, 33), (16, 2, 16, 32)]:
        rows = dense_rows(count, steps, False, False, False)
        check_both(kind, [Layer(kind, rows, (count, steps, inputs, units), np.float32, 1)], dtype)
    rows = dense_rows(4, 3, True, True, True)
    check_both(kind, [Layer(kind, rows, (4, 3, 2, 6), np.float32, 2, scale=True)], dtype, RELU)
    rows = dense_rows(2, 4, False, False, False)
    check_both(kind, [Layer(kind, rows, (2, 4, 3, 9), np.float32, 3, state=False, bias=False)], dtype)


@pytest.mark.parametrize("kind", Kind)
def test_all_schedules(kind: Kind) -> None:
    rows = [dense_rows(3, 3, back, False, True) for back in (False, True)]
    layers = [Layer(kind, own, (3, 3, 2, 7), np.float32, i) for i, own in enumerate(rows)]
    check_both(kind, layers, "bfloat16", schedules=SCHEDULES)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("kind", Kind)
def test_packed_rows_of_both_directions(kind: Kind, dtype: str) -> None:
    mask = np.random.default_rng(1).random((6, 5)) < 0.6
    mask[2] = False
    for in_time, zero_output in [(True, True), (False, False)]:
        rows = [masked_rows(mask, back, False, in_time, zero_output, np.zeros(1)) for back in (False, True)]
        layers = [Layer(kind, r, (6, 5, 3, 10), np.float32, i, scale=True) for i, r in enumerate(rows)]
        check_both(kind, layers, dtype)


@pytest.mark.parametrize("kind", Kind)
def test_tiles_of_more_rows_and_by_turns(kind: Kind) -> None:
    """One, two and four rows a thread, beside weights that stay; more tiles than blocks, weights that come anew, and a
    depth of several stages and of more than there are."""
    once = (("random:1", True),)
    for dtype, count, units in [("float16", 40, 40), ("bfloat16", 70, 33), ("float16", 100, 49), ("float16", 3, 114)]:
        rows = dense_rows(count, 2, False, False, False)
        check_both(kind, [Layer(kind, rows, (count, 2, 1, units), np.float32, 1)], dtype, schedules=once)


def test_a_depth_of_many_stages() -> None:
    """Forward over the units, backward over the columns of the gates."""
    for kind, units in [(Kind.simple, 390), (Kind.lstm, 130)]:
        layer = Layer(kind, dense_rows(2, 2, False, False, False), (2, 2, 1, units), np.float32, 1)
        check_both(kind, [layer], "bfloat16", schedules=(("forward", True),))


@pytest.mark.parametrize("kind", Kind)
def test_no_rows_and_no_steps(kind: Kind) -> None:
    for shape in [(0, 3, 2, 4), (3, 0, 2, 4)]:
        rows = dense_rows(*shape[:2], False, False, False)
        check_both(kind, [Layer(kind, rows, shape, np.float32, 1)], "float16")


#: Entries of a layer with lines for the rows of a batch: x, states, what is saved; y and its gradient, or dx.
OF_ROWS = {"recurrent_forward": {1, *range(6, 15)}, "recurrent_backward": {1, *range(6, 16), 20, 21}}


def row_of(value: Any, row: int, count: int) -> Any:
    """One row of a batch, of arrays that have one, or one for every step, step by step."""
    return mapped(value, lambda a: a.reshape(-1, count, a.shape[-1])[:, row].copy())


@pytest.mark.parametrize("kind", Kind)
def test_a_row_has_the_same_bits_alone_and_in_any_batch(kind: Kind) -> None:
    """With resident weights and without, with one row a thread and with more."""
    count, steps = 66, 3
    rows, alone = (dense_rows(n, steps, False, True, False) for n in (count, 1))
    layer = Layer(kind, rows, (count, steps, 8, 40), np.float32, 1)
    for name, entries in [("recurrent_forward", layer.forward(True)), ("recurrent_backward", layer.backward(TANH))]:
        kernel, given = getattr(emulated(), name), narrowed(entries, "bfloat16")
        whole = plain(given)
        kernel(kind, TANH, [whole], 0)
        for row in (0, 37, 65):
            own = [row_of(v, row, count) if i in OF_ROWS[name] else v for i, v in enumerate(plain(given))]
            kernel(kind, TANH, [(alone.kernel, *own[1:])], 0)
            for i in OF_ROWS[name]:
                if own[i] is not None:
                    np.testing.assert_array_equal(own[i], row_of(whole[i], row, count), err_msg=f"{name} {i} {row}")


def test_places_out_of_range_are_passed_over() -> None:
    mask = np.ones((3, 4), bool)
    mask[0, 2:] = False
    rows = masked_rows(mask, False, False, True, True, np.zeros(1))
    for kind in Kind:
        layer = Layer(kind, rows, (3, 4, 2, 5), np.float32, 1)
        for name, entries in [("recurrent_forward", layer.forward(True)), ("recurrent_backward", layer.backward(TANH))]:
            for entry, bad in [(8, 1 << 40), (8, -9), (10, 3), (10, -1), (11, 12), (11, -1)]:
                kernel = list(rows.kernel)
                kernel[entry] = np.full_like(kernel[entry], bad)
                given = plain(narrowed(entries, "float16"))
                getattr(emulated(), name)(kind, TANH, [(tuple(kernel), *given[1:])], 0)
                assert name == "recurrent_backward" or not given[12].any()


def test_arrays_of_several_dtypes_are_refused() -> None:
    layer = Layer(Kind.lstm, dense_rows(3, 2, False, False, False), (3, 2, 2, 5), np.float32, 1)
    for entry in (2, 3, 4, 6, 9, 10, 12):
        given = list(plain(narrowed(layer.forward(True), "float16")))
        given[entry] = given[entry].astype(np.float32)
        with pytest.raises(TypeError, match="dtype"):
            emulated().recurrent_forward(Kind.lstm, TANH, [tuple(given)], 0)
