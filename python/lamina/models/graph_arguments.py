"""What goes into a graph and its calls: checked against the inputs, put in and taken out of the plan's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.symbolic import Node, SymbolicTensor, leaves_of, map_leaves, symbols_in
from lamina.autograd.tensor import Tensor


def nested(structure: Any) -> bool:
    values = structure.values() if isinstance(structure, dict) else structure
    return any(isinstance(value, dict | list | tuple) for value in values)


def match(structure: Any, x: Any, found: list[Any]) -> bool:
    """Whether x has the structure, a list as good as a tuple; gathers the leaves."""
    if isinstance(structure, SymbolicTensor):
        found.append(x)
        return not isinstance(x, dict)
    if isinstance(structure, dict):
        return (
            isinstance(x, dict)
            and x.keys() == structure.keys()
            and all(match(value, x[key], found) for key, value in structure.items())
        )
    return (
        isinstance(x, list | tuple)
        and len(x) == len(structure)
        and all(match(value, item, found) for value, item in zip(structure, x, strict=True))
    )


def array_like(x: Any) -> bool:
    """Whether lists hold numbers rather than arrays."""
    return isinstance(x, list | tuple) and not any(
        isinstance(v, Tensor | SymbolicTensor | dict) or backend.is_array(v) for v in x
    )


def said(x: Any) -> str:
    if isinstance(x, dict):
        return f"a dictionary of {list(x)}"
    if isinstance(x, list | tuple) and not array_like(x):
        return f"{len(x)} of shapes {[shape(value) for value in x]}"
    return f"one of shape {shape(x)}"


def shape(x: Any) -> Any:
    return x.shape if hasattr(x, "shape") else np.shape(x)


def checked(x: Any, expected: SymbolicTensor, name: str, owner: str) -> Any:
    """One input as a tensor; strings as an array. (N,) goes for (N, 1), as in Keras."""
    if expected.dtype.kind == "U":
        words = None if isinstance(x, Tensor) else backend.as_strings(x)
        if words is None:
            raise TypeError(f"{owner}: input {name!r} must hold strings, got {np.asarray(x).dtype}")
        x = words
    elif not isinstance(x, Tensor):
        x = Tensor(backend.as_array(x))
    shape, sizes = x.shape, expected.shape
    mask = x._mask if isinstance(x, Tensor) else None
    if len(sizes) == len(shape) + 1 > 1 and sizes[-1] == 1:
        shape = (*shape, 1)
        x = ops.reshape(x, shape) if isinstance(x, Tensor) else x.reshape(shape)
    if len(shape) != len(sizes) or any(e is not None and e != n for e, n in zip(sizes, shape, strict=True)):
        text = str(("N", *sizes[1:]) if sizes and sizes[0] is None else sizes).replace("'N'", "N")
        raise ValueError(f"{owner}: input {name!r} must have shape {text}, got {shape}")
    if isinstance(x, Tensor) and x.array.dtype != expected.dtype:
        x = ops.cast(x, expected.dtype) if x.requires_grad else Tensor(backend.cast(x.array, expected.dtype))
    if mask is not None and x._mask is None:
        x._mask = mask
    return x


def filler(node: Node, places: dict[int, int]) -> Callable[[list[Any]], tuple[Any, Any]]:
    """What gives a call's arguments, out of the values so far."""
    args, kwargs = node.args, node.kwargs
    if not kwargs and len(args) == 1 and isinstance(args[0], list) and (
            all(isinstance(t, SymbolicTensor) for t in args[0])):  # fmt: skip
        sources = [places[id(t)] for t in args[0]]
        return lambda values: (([values[i] for i in sources],), {})
    if not kwargs and all(isinstance(t, SymbolicTensor) for t in args):
        sources = [places[id(t)] for t in args]
        return lambda values: ([values[i] for i in sources], {})

    def fill(values: list[Any]) -> tuple[Any, Any]:
        def leaf(item: Any) -> Any:
            return values[places[id(item)]] if isinstance(item, SymbolicTensor) else item

        return map_leaves(leaf, args), map_leaves(leaf, kwargs)

    return fill


def spreader(node: Node, places: dict[int, int]) -> Callable[[list[Any], Any], None]:
    """What puts a call's results in their places."""
    targets = [places[id(t)] for t in symbols_in(node.outputs)]
    if isinstance(node.outputs, SymbolicTensor):
        (target,) = targets

        def put(values: list[Any], result: Any) -> None:
            values[target] = result

        return put

    def spread(values: list[Any], result: Any) -> None:
        for place, value in zip(targets, leaves_of(result), strict=True):
            values[place] = value

    return spread
