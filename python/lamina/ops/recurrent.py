"""What simple_rnn, gru and lstm share: the op on the tape, for one layer or both directions at once, and its checks."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor, same_dtype
from lamina.ops.recurrent_rows import Rows, dense_rows, given_mask, masked_rows


class Kind(IntEnum):
    """RecurrentKind of csrc/ops/recurrent.h."""

    simple = 0
    gru = 1
    gru_reset_before = 2
    lstm = 3


GATES = {Kind.simple: 1, Kind.gru: 3, Kind.gru_reset_before: 3, Kind.lstm: 4}  # blocks of columns of a kernel
INPUTS = 5  # a layer's: kernel, recurrent kernel, bias, h, c


class RecurrentFunction(Function):
    """x, then for each layer its kernel, recurrent kernel, bias, h and c; gives y and h (and c) of each layer."""

    __slots__ = ("spent",)
    spent: bool  # backward has put gradients in the place of the saved gates

    def forward(self, x: Any, *given: Any) -> Any:
        *arrays, kind, activation, scales, rows = given
        x = backend.contiguous(x)
        flat = x.reshape(math.prod(x.shape[:2]), x.shape[2])
        layers, results, sources = [], [], []
        like = {"dtype": x.dtype, "like": x}
        for i, (scale, order) in enumerate(zip(scales, rows, strict=True)):
            own: Any = [None if a is None else backend.contiguous(a) for a in arrays[i * INPUTS : (i + 1) * INPUTS]]
            w, u, b, h, c = own
            count, units = order.kernel[1], u.shape[0]
            steps = flat
            if order.source is not None:
                steps = backend.empty((len(order.source), x.shape[2]), **like)
                steps[...] = _cleared(flat[order.source], order.used if self.recording else None)
            slots = len(steps)
            gates = backend.empty((slots, units if kind is Kind.simple else 4 * units), **like)
            kept_c = kept_h = None
            if self.recording:
                kept_h = (backend.empty if order.used is None else backend.zeros)((slots, units), **like)
                kept_c = backend.empty_like(kept_h) if kind is Kind.lstm else None
            bias, recurrent_bias = (b[0], b[1]) if b is not None and b.ndim == 2 else (b, None)
            y = (backend.empty if order.complete else backend.zeros)((*x.shape[:2], units), **like)
            last = backend.empty((count, units), **like)
            last_c = backend.empty_like(last) if kind is Kind.lstm else None
            kept = order.kernel, steps, w, u, bias, recurrent_bias, h, c, scale, gates, kept_c, kept_h
            layers.append((*kept, y, last, last_c))
            results += [y, last] if last_c is None else [y, last, last_c]
            sources.append((kept, order, None if b is None else b.shape))
        backend.kernels(x).recurrent_forward(kind, activation, layers)
        if self.recording:
            self.saved, self.spent = (kind, activation, x.shape, sources), False
        return tuple(results)

    def backward(self, *grads: Any) -> Any:
        kind, activation, shape, sources = self.saved
        outputs = len(grads) // len(sources)
        if self.spent:
            self._restore()
        self.spent = True
        layers, results, dx_rows = [], [], []
        for i, (kept, order, bias_shape) in enumerate(sources):
            x, w, u, h, c = kept[1], kept[2], kept[3], kept[6], kept[7]
            if order.used is not None:
                kept[9][...] = _cleared(kept[9], order.used)
            needs_w, needs_u, needs_b, needs_h, needs_c = self.needs[1 + i * INPUTS : 1 + (i + 1) * INPUTS]
            given = [None if g is None else backend.contiguous(g) for g in grads[i * outputs : (i + 1) * outputs]]
            db = backend.empty(bias_shape, x.dtype, like=x) if needs_b else None
            db_input, db_recurrent = (db[0], db[1]) if db is not None and db.ndim == 2 else (db, None)
            dx = backend.empty_like(x) if self.needs[0] else None
            own = [
                backend.empty_like(a) if needs else None
                for a, needs in ((w, needs_w), (u, needs_u), (h, needs_h), (c, needs_c))
            ]
            ends = [*given, *([None] * (3 - outputs)), dx]
            layers.append((*kept, *ends, *own[:2], db_input, db_recurrent, *own[2:]))
            results += [*own[:2], db, *own[2:]]
            dx_rows.append(dx)
        backend.kernels(layers[0][1]).recurrent_backward(kind, activation, layers)
        return (_joined(dx_rows, [order.source for _, order, _ in sources], shape), *results)

    def _restore(self) -> None:
        """Forward again, for the saved gates: backward runs twice where a graph is retained."""
        kind, activation, shape, sources = self.saved
        layers = []
        for kept, _, _ in sources:
            x, u = kept[1], kept[3]
            last = backend.empty((kept[0][1], len(u)), x.dtype, like=x)
            y = backend.empty((*shape[:2], len(u)), x.dtype, like=x)
            layers.append((*kept, y, last, backend.empty_like(last) if kind is Kind.lstm else None))
        backend.kernels(layers[0][1]).recurrent_forward(kind, activation, layers)


def _cleared(saved: Any, used: Any) -> Any:
    """Saved rows with 0 in those that are of no step."""
    return saved if used is None else backend.array_module(saved).where(used, saved, saved.dtype.type(0))


def _joined(parts: list[Any], sources: list[Any], shape: tuple[int, ...]) -> Any:
    """The gradient of x from those of the layers' steps; 0 at steps that none has."""
    total: Any = None
    for part, source in zip(parts, sources, strict=True):
        if part is None:
            return None
        if source is not None:
            steps = backend.zeros((shape[0] * shape[1], shape[2]), part.dtype, like=part)
            steps[source] = part
            part = steps
        if total is None:
            total = part
        else:
            backend.kernels(total).add(total, part, total)
    return total.reshape(shape)


def _checked(op: str, name: str, value: Any, shape: tuple[int, ...], meaning: str) -> Tensor | None:
    if value is None:
        return None
    value = float_tensor(value, op, name)
    if value.shape != shape:
        raise ValueError(f"{op}: {name} must have shape {meaning} = {shape}, got {value.shape}")
    return value


def _layer(
    op: str, kind: Kind, x: Tensor, count: int, weights: Any, states: tuple[Any, ...], scale: Any, prefix: str
) -> tuple[tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None], Any]:
    """The checked inputs of one layer, and the array of its recurrent scale."""
    kernel, recurrent, bias = weights
    gates, lstm = GATES[kind], kind is Kind.lstm
    kernel = float_tensor(kernel, op, f"{prefix}kernel")
    recurrent = float_tensor(recurrent, op, f"{prefix}recurrent_kernel")
    units = recurrent.shape[0] if recurrent.ndim == 2 else 0
    columns = f"{gates} * units" if gates > 1 else "units"
    if units < 1 or recurrent.shape != (units, gates * units):
        raise ValueError(
            f"{op}: {prefix}recurrent_kernel must have shape (units, {columns}) with at least one unit, "
            f"got {recurrent.shape}"
        )
    _checked(op, f"{prefix}kernel", kernel, (x.shape[2], gates * units), f"(features of x, {columns})")
    wanted = (2, 3 * units) if kind is Kind.gru else (gates * units,)
    bias = _checked(op, f"{prefix}bias", bias, wanted, f"(2, {columns})" if kind is Kind.gru else f"({columns},)")
    h, c = (*states, None, None)[:2]
    h = _checked(op, f"{prefix}initial_state" + "[0]" * lstm, h, (count, units), "(batch, units)")
    c = _checked(op, f"{prefix}initial_state[1]", c, (count, units), "(batch, units)")
    scale = _checked(op, f"{prefix}recurrent_scale", scale, (count, units), "(batch, units)")
    if scale is not None and scale.requires_grad:
        raise ValueError(f"{op}: {prefix}recurrent_scale is a constant, it must not require a gradient")
    same_dtype(
        op, x=x, kernel=kernel, recurrent_kernel=recurrent, bias=bias, initial_state=h, c=c, recurrent_scale=scale
    )
    return (kernel, recurrent, bias, h, c), None if scale is None else backend.contiguous(scale.array)


def _states(op: str, kind: Kind, given: Any, name: str) -> tuple[Any, ...]:
    """h, and c of an lstm, from an initial state; empty for None."""
    if given is None:
        return ()
    several = isinstance(given, tuple | list)
    if kind is not Kind.lstm:
        return (given,)
    if not several or len(given) != 2:
        got = f"{len(given)} of them" if several else type(given).__name__
        raise ValueError(f"{op}: {name} must be a pair (h, c), got {got}")
    return tuple(given)


def recurrent(
    op: str,
    kind: Kind,
    x: Any,
    weights: tuple[tuple[Any, Any, Any], ...],
    initial_states: Any,
    scales: Any,
    *,
    activation: int = 0,
    mask: Any,
    lengths: Any,
    go_backwards: bool,
    time_major: bool,
    zero_output_for_mask: bool,
) -> Any:
    """One layer, or two, forwards and backwards, with their outputs in the order of x's time."""
    x = float_tensor(x, op)
    if x.ndim != 3:
        order = "(steps, batch, features)" if time_major else "(batch, steps, features)"
        raise ValueError(f"{op}: x must have shape {order}, got {x.shape}")
    steps, count = x.shape[:2] if time_major else (x.shape[1], x.shape[0])
    both = len(weights) == 2
    inputs: list[Tensor | None] = [x]
    arrays = []
    rows: list[Rows] = []
    units: list[int] = []
    mask = given_mask(op, mask, lengths, count, steps, to_host=backend.on_host(x.array))
    for i, own in enumerate(weights):
        prefix = ("forward ", "backward ")[i] if both else ""
        states = _states(op, kind, initial_states[i], f"{prefix}initial_state")
        given, scale = _layer(op, kind, x, count, own, states, scales[i], prefix)
        inputs += given
        arrays.append(scale)
        back = i == 1 if both else bool(go_backwards)
        if mask is None:
            rows.append(dense_rows(count, steps, back, bool(time_major), both))
        else:
            rows.append(masked_rows(mask, back, bool(time_major), both, bool(zero_output_for_mask), x.array))
        units.append(given[1].shape[0])
    if units[0] != units[-1]:
        raise ValueError(f"{op}: both directions must have the same number of units, got {units[0]} and {units[1]}")
    return RecurrentFunction.apply(tuple(inputs), kind, activation, tuple(arrays), tuple(rows))
