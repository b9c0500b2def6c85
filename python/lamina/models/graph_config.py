"""Layers and calls of a graph as data, and back: names and values only, nothing that could run."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.symbolic import Node, SymbolicTensor, symbols_in
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable
from lamina.layers.layer import Layer, class_named

MOST = 1 << 24  # bytes of a constant in a graph
DTYPES = frozenset({"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                    "float16", "bfloat16", "float32", "float64"})  # fmt: skip


class _Shared(threading.local):
    """The layers told so far of the outermost model: one that comes again is told by its number."""

    numbers: dict[Layer, int] | None = None
    made: list[Any] | None = None


_shared = _Shared()


class sharing:
    """A context in which all layers that are told, or made, belong to one model: what comes twice is one layer."""

    def __enter__(self) -> None:
        self._outermost = _shared.numbers is None
        if self._outermost:
            _shared.numbers, _shared.made = {}, []

    def __exit__(self, *_: object) -> None:
        if self._outermost:
            _shared.numbers = _shared.made = None


def stored_layer(layer: Layer) -> dict[str, Any]:
    """A layer as class name and configuration; the second time, within one model, as a number."""
    with sharing():
        numbers: Any = _shared.numbers
        if layer in numbers:
            return {"class_name": type(layer).__name__, "shared": numbers[layer]}
        numbers[layer] = len(numbers)
        return {"class_name": type(layer).__name__, "config": layer.get_config()}


def restore_layer(entry: Any) -> Any:
    """The layer that `stored_layer` told.

    Raises:
        ValueError: if the class is unknown, or no layer.
    """
    with sharing():
        made: Any = _shared.made
        if "shared" in entry:
            number = entry["shared"]
            if not isinstance(number, int) or not 0 <= number < len(made) or made[number] is None:
                raise ValueError(f"the configuration shares a layer, {number!r}, that it did not tell of before")
            return made[number]
        place = len(made)
        made.append(None)
        layer = class_named(entry.get("class_name")).from_config(entry.get("config", {}))
        if not isinstance(layer, Layer):
            raise ValueError(f"{entry.get('class_name')} is no Layer")
        made[place] = layer
        return layer


class Encoder:
    """Arguments of calls as JSON: tensors by the number of the call that made them."""

    def __init__(self, nodes: list[Node], loose: list[SymbolicTensor]) -> None:
        self._places = {
            id(t): [i, k] for i, node in enumerate(nodes) for k, t in enumerate(symbols_in(node.outputs))
        } | {id(t): [-1, k] for k, t in enumerate(loose)}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            return {"tensor": self._places[id(value)]}
        if isinstance(value, dict):
            if any(not isinstance(key, str) for key in value):
                raise ValueError(f"a graph's dictionaries must have names as keys to be saved, got {list(value)}")
            return {"dict": {key: self(item) for key, item in value.items()}}
        if isinstance(value, tuple):
            return {"tuple": [self(item) for item in value]}
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, slice):
            return {"slice": [self(value.start), self(value.stop), self(value.step)]}
        if value is Ellipsis:
            return {"ellipsis": True}
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return {"float": value.hex()}
        if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
            return {"dtype": backend.dtype_of(value).name}
        known = isinstance(value, Tensor | np.generic) or backend.is_array(value)
        if known and not isinstance(value, Variable):
            array = np.asarray(backend.to_host(value.array if isinstance(value, Tensor) else value))
            if array.dtype.name in DTYPES and array.nbytes <= MOST:
                import base64

                data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
                kind = "tensor" if isinstance(value, Tensor) else "array"
                return {"array": data, "dtype": array.dtype.name, "shape": list(array.shape), "kind": kind}
        raise ValueError(f"a graph holds {value!r} of type {type(value).__name__}, which cannot be saved")


def decode(value: Any, outputs: list[Any], loose: list[Any]) -> Any:
    """What an Encoder told, with the tensors that the calls so far gave.

    Raises:
        ValueError: if it names a tensor that was not made before (a cycle), or is nothing that an Encoder tells.
    """
    if isinstance(value, list):
        return [decode(item, outputs, loose) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        node, place = value["tensor"]
        found = loose if node == -1 else symbols_in(outputs[node]) if 0 <= node < len(outputs) else []
        if not 0 <= place < len(found):
            raise ValueError(
                f"the graph has a cycle, or a hole: call {len(outputs)} needs output {place} of call {node}, which "
                "does not come before it"
            )
        return found[place]
    if "tuple" in value:
        return tuple(decode(item, outputs, loose) for item in value["tuple"])
    if "dict" in value:
        return {key: decode(item, outputs, loose) for key, item in value["dict"].items()}
    if "slice" in value:
        return slice(*[decode(item, outputs, loose) for item in value["slice"]])
    if "ellipsis" in value:
        return Ellipsis
    if "float" in value:
        return float.fromhex(value["float"])
    if value.get("dtype") not in DTYPES:
        raise ValueError(f"the graph holds {value!r}, which is no value")
    dtype = backend.dtype_of(value["dtype"])
    if "array" not in value:
        return dtype
    import base64

    array = np.frombuffer(base64.b64decode(value["array"]), dtype).reshape(value["shape"]).copy()
    return Tensor(array) if value.get("kind") == "tensor" else array
