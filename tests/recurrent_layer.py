"""The arguments of recurrent_forward and recurrent_backward, for their tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernel_testing import numbers, updated, written
from lamina import _cpu
from lamina.ops.recurrent import GATES, Kind


class Layer:
    """The arrays of one layer, and the tuples that the kernels take."""

    def __init__(self, kind: Kind, rows: Any, shape: tuple[int, ...], dtype: Any, seed: int, **options: bool):
        self.kind, self.rows, self.dtype = kind, rows.kernel, dtype
        count, steps, inputs, units = shape
        columns = GATES[kind] * units
        self.slots = count * steps if rows.source is None else len(rows.source)
        self.states, self.y_shape = (count, units), (count * steps, units)
        state, bias = options.get("state", True), options.get("bias", True)

        def array(shape: Any, wanted: bool, number: int, scale: float = 1.0) -> np.ndarray | None:
            return numbers(shape, dtype, 10 * seed + number, scale=scale) if wanted else None

        self.inputs = [
            array((self.slots, inputs), True, 1),
            array((inputs, columns), True, 2, inputs**-0.5),
            array((units, columns), True, 3, units**-0.5),
            array(columns, bias, 4),
            array(columns, bias and kind is Kind.gru, 5),
            array(self.states, state, 6),
            array(self.states, state and kind is Kind.lstm, 7),
            array(self.states, options.get("scale", False), 8),
        ]
        self.saved_shapes = [(self.slots, units if kind is Kind.simple else 4 * units)]
        self.saved_shapes += [(self.slots, units)] * 2

    def forward(self, keep: bool) -> tuple[Any, ...]:
        lstm = self.kind is Kind.lstm
        gates, c, h = (written(shape, self.dtype) for shape in self.saved_shapes)
        saved = (gates, c if keep and lstm else None, h if keep else None)
        ends = (written(self.states, self.dtype), written(self.states, self.dtype) if lstm else None)
        return (self.rows, *self.inputs, *saved, updated(np.zeros(self.y_shape, self.dtype)), *ends)

    def backward(self, activation: int, wanted: bool = True) -> tuple[Any, ...]:
        """After the CPU's forward."""
        plain = [a if isinstance(a, np.ndarray | tuple | None) else a.start.copy() for a in self.forward(True)]
        _cpu.recurrent_forward(self.kind, activation, [tuple(plain)])
        lstm, gru = self.kind is Kind.lstm, self.kind is Kind.gru
        x, w, u = self.inputs[:3]
        dy, dh, dc = (numbers(shape, self.dtype, n) for n, shape in enumerate((self.y_shape, self.states, self.states)))
        columns = w.shape[1]
        shapes = [x.shape, w.shape, u.shape, columns, columns if gru else None, self.states]
        shapes += [self.states if lstm else None]
        gradients = [None if s is None or not wanted else written(s, self.dtype) for s in shapes]
        if not wanted:
            gradients[1] = written(w.shape, self.dtype)
        given = (dy, dh if wanted else None, dc if wanted and lstm else None)
        return (*plain[:9], updated(plain[9]), *plain[10:12], *given, *gradients)
