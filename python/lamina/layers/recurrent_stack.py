"""StackedRNNCells, several cells as one, and what cells have to be."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.autograd.symbolic import leaves_of
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.layer import Layer, class_named, register
from lamina.layers.shapes import Shape


def check_cell(cell: Any, owner: str) -> Any:
    """A cell, made anew if it is a configuration.

    Raises:
        TypeError: if it cannot be called, or has no state_size.
    """
    if isinstance(cell, dict) and "class_name" in cell:
        cell = class_named(cell["class_name"]).from_config(cell.get("config", {}))
    if not callable(cell) or not hasattr(cell, "state_size"):
        raise TypeError(f"{owner}: a cell must be callable, as cell(x, states), and have a state_size; got {cell!r}")
    return cell


def told(cell: Any, owner: str) -> dict[str, Any]:
    """A cell as class name and configuration.

    Raises:
        ValueError: if it has no get_config.
    """
    if not hasattr(cell, "get_config"):
        raise ValueError(f"{owner}: the cell {type(cell).__name__} has no get_config, so it cannot be saved")
    return {"class_name": type(cell).__name__, "config": cell.get_config()}


def sizes_of(cell: Any, owner: str) -> list[Any]:
    """The state sizes of a cell as a list, nested for stacked cells.

    Raises:
        TypeError: if they are no integers.
    """
    sizes = cell.state_size
    sizes = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    for n in leaves_of(sizes):
        if not is_integer(n):
            raise TypeError(f"{owner}: the cell's state_size must be an integer or a list of them, got {sizes!r}")
    return sizes


def output_size_of(cell: Any) -> int:
    """How many numbers a cell gives: its output_size, or the size of its first state."""
    size = getattr(cell, "output_size", None)
    return int(leaves_of(cell.state_size)[0] if size is None else size)


def dtype_of(cell: Any, options: dict[str, Any]) -> dict[str, Any]:
    """A layer's options with the dtype of its cell, where they name none."""
    return options if not isinstance(cell, Layer) else {"dtype": cell.dtype_policy, **options}


def zero_states(cell: Any, batch: int, dtype: Any) -> list[Any]:
    """The states that a cell begins with."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch)
        return list(states) if isinstance(states, list | tuple) else [states]
    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    return [Tensor(np.zeros((batch, int(n)), dtype)) for n in sizes]


@register
class StackedRNNCells(Layer):
    """Several cells as one: each takes what the one before gave.

    Args:
        cells: the cells.
        **kwargs: name, trainable, dtype: see Layer.

    Its states are a list with the states of each cell.

    Raises:
        TypeError: if one is no cell.
        ValueError: if there are none.

    Example:
        >>> import lamina as lm
        >>> cells = [lm.layers.LSTMCell(4), lm.layers.LSTMCell(5)]
        >>> lm.layers.RNN(lm.layers.StackedRNNCells(cells))(lm.ops.ones((2, 7, 3))).shape
        (2, 5)
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        cells = [check_cell(cell, type(self).__name__) for cell in cells]
        super().__init__(**(dtype_of(cells[0], kwargs) if cells else kwargs))
        self.cells = cells
        if not self.cells:
            raise ValueError(f"{self.name}: expected at least one cell")

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states that the cells begin with, a list (or a tensor) for each."""
        found = [zero_states(cell, batch_size, self._dtype) for cell in self.cells]
        nested = [isinstance(cell.state_size, list | tuple) for cell in self.cells]
        return [states if many else states[0] for states, many in zip(found, nested, strict=True)]

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def call(self, x: Any, states: Any, training: bool = False) -> Any:  # type: ignore[override]
        if not isinstance(states, list | tuple) or len(states) != len(self.cells):
            raise ValueError(f"{self.name}: expected the states of {len(self.cells)} cells, got {len(states)}")
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            many = isinstance(state, list | tuple)
            x, after = cell(x, list(state) if many else [state])
            if not many and isinstance(after, list | tuple):
                (after,) = after
            new.append(after)
        return x, new

    def flops(self, input_shape: Shape) -> int:
        total = 0
        for cell in self.cells:
            total += cell.flops(input_shape) if isinstance(cell, Layer) else 0
            input_shape = (None, output_size_of(cell))
        return total

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [told(cell, self.name) for cell in self.cells]}
