"""The graph behind `Model(inputs, outputs)`: its order, the flat plan that a call runs, and its configuration."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.symbolic import (
    Node,
    Op,
    SymbolicTensor,
    has_symbols,
    leaves_of,
    map_leaves,
    public_ops,
    record,
    symbols_in,
)
from lamina.autograd.tensor import Tensor
from lamina.layers.core import InputLayer
from lamina.layers.layer import Layer
from lamina.layers.masks import with_masks
from lamina.models.fusing import fused
from lamina.models.graph_arguments import array_like, checked, filler, match, nested, said, spreader
from lamina.models.graph_config import Encoder, decode, restore_layer, sharing, stored_layer

Step = tuple[Callable[..., Any], int, int, Any, tuple[int, ...]]


class Graph:
    """All that lies between some symbolic tensors and others.

    Args:
        inputs, outputs: symbolic tensors, or lists, tuples or dictionaries of them.
        owner: the model's name, for errors.

    Raises:
        TypeError: if there is something else among them.
        ValueError: if an output cannot be reached from the inputs, or two layers have one name.
    """

    def __init__(self, inputs: Any, outputs: Any, owner: str) -> None:
        self.owner = owner
        self.inputs, self.outputs = inputs, outputs
        self.flat_inputs = _symbols(inputs, f"{owner}: inputs")
        self.flat_outputs = _symbols(outputs, f"{owner}: outputs")
        if len({id(t) for t in self.flat_inputs}) != len(self.flat_inputs):
            raise ValueError(f"{owner}: an input is given twice")
        self.nodes = self._nodes_between()
        self.depths = self._depths()
        self.layers = self._layers_in_order()
        names = [layer.name for layer in self.layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{owner}: all layers must have names of their own, there are two {twice[0]!r}")
        self.node_names = self._names(set(names))
        self.input_names = self._tensor_names(inputs, self.flat_inputs)
        self.output_names = self._tensor_names(outputs, self.flat_outputs)
        self._compile()

    # Order

    def _nodes_between(self) -> list[Node]:
        """All calls that the outputs need, in the order of birth: each after those that it needs."""
        given = {id(t) for t in self.flat_inputs}
        found: dict[Node, None] = {}
        waiting: list[Any] = [(t, None) for t in reversed(self.flat_outputs)]
        while waiting:
            tensor, consumer = waiting.pop()
            if id(tensor) in given:
                continue
            node = tensor.node
            if isinstance(node.operation, InputLayer):
                where = f"{_named(consumer)} needs" if consumer is not None else "an output is"
                known = ", ".join(t.name for t in self.flat_inputs)
                raise ValueError(
                    f"{self.owner}: the graph is disconnected: {where} the input {tensor.name!r} of shape "
                    f"{tensor.shape}, which is not among the inputs ({known})"
                )
            if node not in found:
                found[node] = None
                waiting.extend((t, node) for t in reversed(node.inputs))
        for t in self.flat_inputs:
            if isinstance(t.node.operation, InputLayer):  # type: ignore[union-attr]
                found[t.node] = None  # type: ignore[index]
        return sorted(found, key=lambda node: node.number)

    def _depths(self) -> dict[Node, int]:
        """How many calls lie at most between a call and the outputs; calls of one layer count as one place."""
        given = {id(t) for t in self.flat_inputs}
        depths: dict[Node, int] = {}
        of_operation: dict[int, int] = {}
        for node in reversed(self.nodes):
            depth = max(depths.get(node, 0), of_operation.get(id(node.operation), 0))
            of_operation[id(node.operation)] = depths[node] = depth
            for tensor in node.inputs:
                if id(tensor) not in given or isinstance(tensor.node.operation, InputLayer):  # type: ignore[union-attr]
                    parent = tensor.node
                    depths[parent] = max(depth + 1, depths.get(parent, 0))  # type: ignore[index, arg-type]
        return depths

    def _layers_in_order(self) -> list[Layer]:
        """The layers from the inputs on: deepest first, those of one depth as they are met from the outputs."""
        given = {id(t) for t in self.flat_inputs}
        met: dict[int, int] = {}
        seen: set[Node] = set()
        for output in self.flat_outputs:
            waiting = [output]
            while waiting:
                tensor = waiting.pop()
                node = tensor.node
                inside = id(tensor) not in given or (node and isinstance(node.operation, InputLayer))
                if inside and node not in seen:
                    seen.add(node)  # type: ignore[arg-type]
                    met.setdefault(id(node.operation), len(met))  # type: ignore[union-attr]
                    waiting.extend(reversed(node.inputs))  # type: ignore[union-attr]
        depth: dict[Layer, int] = {}
        for node in self.nodes:
            if isinstance(node.operation, Layer):
                depth[node.operation] = max(depth.get(node.operation, 0), self.depths[node])
        return sorted(depth, key=lambda layer: (-depth[layer], met.get(id(layer), -1)))

    def _names(self, taken: set[str]) -> dict[Node, str]:
        """What summaries call each call: the layer's name, or the op's with a number."""
        result: dict[Node, str] = {}
        for node in self.nodes:
            if isinstance(node.operation, Layer):
                result[node] = node.operation.name
            else:
                name = next(n for n in _numbered(node.operation.name) if n not in taken)
                taken.add(name)
                result[node] = name
        return result

    def _tensor_names(self, structure: Any, tensors: list[SymbolicTensor]) -> list[str]:
        """The names of inputs or outputs: the keys of a dictionary, else those of what made them."""
        if isinstance(structure, dict) and all(isinstance(value, SymbolicTensor) for value in structure.values()):
            return [str(key) for key in structure]
        names: list[str] = []
        for tensor in tensors:
            base = self.source(tensor)
            names.append(next(n for n in _numbered(base) if n not in names))
        return names

    def source(self, tensor: SymbolicTensor) -> str:
        """The name of the call that a tensor comes from."""
        return tensor.name if tensor.node is None else self.node_names.get(tensor.node, tensor.name)

    # Running

    def _compile(self) -> None:
        """The plan: for each call the function, the place of its input, that of its output, what else there is to do,
        and the places that nothing needs any more."""
        places = {id(t): i for i, t in enumerate(self.flat_inputs)}
        calls = fused([node for node in self.nodes if not isinstance(node.operation, InputLayer)], self.flat_outputs)
        for node in calls:
            for tensor in symbols_in(node.outputs):
                places.setdefault(id(tensor), len(places))
        last: dict[int, int] = {}
        for i, node in enumerate(calls):
            for tensor in node.inputs:
                last[places[id(tensor)]] = i
        kept = {places[id(t)] for t in self.flat_outputs}
        self._steps: list[Step] = []
        for i, node in enumerate(calls):
            dead = tuple(place for place, step in last.items() if step == i and place not in kept)
            simple = (
                len(node.args) == 1
                and isinstance(node.args[0], SymbolicTensor)
                and not node.kwargs
                and isinstance(node.outputs, SymbolicTensor)
            )
            target = places[id(symbols_in(node.outputs)[0])]
            source = places[id(node.inputs[0])]
            detail = None if simple else (filler(node, places), spreader(node, places))
            function: Any = node.operation
            if isinstance(function, Op) and not _narrow(node):
                function = function.function
            self._steps.append((function, source, target, detail, dead))
        self._places = len(places)
        self._single_output = places[id(self.outputs)] if isinstance(self.outputs, SymbolicTensor) else None
        self._output_places = map_leaves(lambda t: places[id(t)], self.outputs)
        self._single_input = isinstance(self.inputs, SymbolicTensor) or (
            len(self.flat_inputs) == 1 and not nested(self.inputs)
        )
        self._tail = [None] * (self._places - len(self.flat_inputs))
        first = self.flat_inputs[0]
        self._sample, self._dtype = first.shape[1:], first.dtype
        self._batch = first.shape[0] if first.shape else None

    def run(self, x: Any) -> Any:
        """The outputs for tensors in the structure of the inputs."""
        if self._single_input and type(x) is Tensor and self._batch is None and x.array.dtype is self._dtype \
                and x.array.shape[1:] == self._sample and x.array.ndim:  # fmt: skip
            values = [x, *self._tail]
        else:
            values = [*self.accept(x), *self._tail]
        for function, source, target, detail, dead in self._steps:
            if detail is None:
                values[target] = function(values[source])
            else:
                args, kwargs = detail[0](values)
                detail[1](values, function(*args, **kwargs))
            for place in dead:
                values[place] = None
        if self._single_output is not None:
            return values[self._single_output]
        return map_leaves(lambda place: values[place], self._output_places)

    def accept(self, x: Any) -> list[Tensor]:
        """The inputs in order, as tensors of the declared dtypes.

        Raises:
            ValueError: if there are more or fewer of them, under other names, or in other shapes.
        """
        given = self._flatten(x)
        triples = zip(given, self.flat_inputs, self.input_names, strict=True)
        return [checked(value, expected, name, self.owner) for value, expected, name in triples]

    def with_masks(self, x: Any, mask: Any) -> Any:
        """The inputs, in order, with the masks that the caller passed: one, or a list or dictionary of them."""
        given = self._flatten(x)
        masks = [mask] if self._single_input and not isinstance(mask, list | dict) else self._flatten(mask)
        tensors = [value if isinstance(value, Tensor) else Tensor(backend.as_array(value)) for value in given]
        masked = [with_masks(value, m) for value, m in zip(tensors, masks, strict=True)]
        if isinstance(x, dict):
            return dict(zip(self.input_names, masked, strict=True))
        return masked[0] if self._single_input else masked

    def _flatten(self, x: Any) -> list[Any]:
        if self._single_input:
            if isinstance(x, dict) and len(x) == 1 and self.input_names[0] in x:
                return [x[self.input_names[0]]]
            one: Any = x[0] if isinstance(x, list | tuple) and len(x) == 1 else None
            if (isinstance(one, Tensor) or backend.is_array(one)) and one.ndim == self.flat_inputs[0].ndim:
                return [x[0]]
            if isinstance(x, dict | list | tuple) and not array_like(x):
                raise ValueError(f"{self.owner}: expected one input, {self._expected()}, got {said(x)}")
            return [x]
        if isinstance(x, dict) and not nested(self.inputs):
            unknown, missing = [k for k in x if k not in self.input_names], [k for k in self.input_names if k not in x]
            if unknown or missing:
                raise ValueError(
                    f"{self.owner}: expected inputs by the names {self.input_names}, got {list(x)}"
                    + (f": unknown {unknown}" if unknown else "")
                    + (f": missing {missing}" if missing else "")
                )
            return [x[name] for name in self.input_names]
        found: list[Any] = []
        if not match(self.inputs, x, found):
            raise ValueError(
                f"{self.owner}: expected {len(self.flat_inputs)} inputs, {self._expected()}, got {said(x)}"
            )
        return found

    def _expected(self) -> str:
        return ", ".join(f"{name} {t.shape}" for name, t in zip(self.input_names, self.flat_inputs, strict=True))

    def apply(self, inputs: list[Any], remember: bool = True, swap: dict[Layer, Layer] | None = None) -> Any:
        """The outputs for other symbolic tensors: calls every layer (or another one instead) and op anew."""
        values: dict[int, Any] = {id(t): x for t, x in zip(self.flat_inputs, inputs, strict=True)}
        for node in self.nodes:
            operation = node.operation
            if isinstance(operation, InputLayer):
                continue
            args, kwargs = map_leaves(lambda leaf: values.get(id(leaf), leaf), (node.args, node.kwargs))
            operation = operation if swap is None else swap.get(operation, operation)
            if not isinstance(operation, Layer):
                called = record(operation.name, args, kwargs)
            elif remember:
                called = operation(*args, **kwargs)
            else:
                called = Node(operation, args, kwargs).give(operation._output_specs(args, kwargs), operation.name)
            for old, new in zip(symbols_in(node.outputs), symbols_in(called), strict=True):
                values[id(old)] = new
        return map_leaves(lambda t: values[id(t)], self.outputs)

    def accept_symbols(self, x: Any) -> list[Any] | None:
        """The shapes of symbolic inputs; None where they are those that the graph was made for.

        Raises:
            ValueError: as `accept`.
        """
        given = self._flatten(x)
        shapes = []
        for value, expected, name in zip(given, self.flat_inputs, self.input_names, strict=True):
            shape, sizes = (
                tuple(np.shape(value) if not isinstance(value, SymbolicTensor) else value.shape),
                expected.shape,
            )
            if len(shape) != len(sizes) or any(
                None not in (e, n) and e != n for e, n in zip(sizes, shape, strict=True)
            ):
                raise ValueError(f"{self.owner}: input {name!r} must have shape {sizes}, got {shape}")
            shapes.append(shape)
        return None if shapes == [t.shape for t in self.flat_inputs] else shapes

    def for_shapes(self, shapes: list[Any]) -> Any:
        """The outputs, as symbolic tensors, for inputs of other shapes. No layer remembers these calls."""
        fresh = [SymbolicTensor(s, t.dtype, t.name) for s, t in zip(shapes, self.flat_inputs, strict=True)]
        return self.apply(fresh, remember=False)

    # Configuration

    def get_config(self) -> dict[str, Any]:
        """Layers, calls, inputs and outputs, as values that JSON takes."""
        made = {id(t) for node in self.nodes for t in symbols_in(node.outputs)}
        loose = [t for t in self.flat_inputs if id(t) not in made]  # inputs from the middle of another graph
        index = {layer: i for i, layer in enumerate(self.layers)}
        with sharing():
            layers = [stored_layer(layer) for layer in self.layers]
        encoder = Encoder(self.nodes, loose)
        calls = []
        for node in self.nodes:
            operation = node.operation
            what: dict[str, Any] = (
                {"layer": index[operation]} if isinstance(operation, Layer) else {"op": operation.name}
            )
            calls.append({**what, "args": encoder(list(node.args)), "kwargs": encoder(node.kwargs)})
        return {
            "layers": layers,
            "loose_inputs": [[list(t.shape), t.dtype.name, t.name] for t in loose],
            "calls": calls,
            "inputs": encoder(self.inputs),
            "outputs": encoder(self.outputs),
        }


def from_config(config: dict[str, Any]) -> tuple[Any, Any]:
    """Inputs and outputs, made from what `Graph.get_config` gave.

    Raises:
        ValueError: if the configuration is no graph: unknown layers and ops, calls that need what comes later.
    """
    with sharing():
        layers = [restore_layer(entry) for entry in config["layers"]]
    loose = [InputLayer(batch_shape=s, dtype=dtype, name=name).tensor for s, dtype, name in config["loose_inputs"]]
    outputs: list[Any] = []
    for call in config["calls"]:
        args = decode(call["args"], outputs, loose)
        kwargs = decode(call["kwargs"], outputs, loose)
        if "op" in call:
            if call["op"] not in public_ops:
                raise ValueError(f"the graph names an unknown op {call['op']!r}")
            if not has_symbols((args, kwargs)):
                raise ValueError(f"the graph calls the op {call['op']} without inputs")
            outputs.append(getattr(ops, call["op"])(*args, **kwargs))
            continue
        layer = layers[call["layer"]]
        if isinstance(layer, InputLayer):
            outputs.append(layer.tensor)
        elif has_symbols(args):
            outputs.append(layer(*args, **kwargs))
        else:
            raise ValueError(f"the graph calls {layer.name} without inputs")
    return decode(config["inputs"], outputs, loose), decode(config["outputs"], outputs, loose)


def _narrow(node: Node) -> bool:
    """Whether a call takes anything of 16 bits: a symbolic tensor, or a constant."""
    return any(
        isinstance(leaf, Tensor | SymbolicTensor | np.ndarray) and backend.is_narrow(np.dtype(leaf.dtype))
        for leaf in leaves_of((node.args, node.kwargs))
    )


def _numbered(base: str) -> Any:
    return itertools.chain([base], (f"{base}_{i}" for i in itertools.count(1)))


def _symbols(structure: Any, what: str) -> list[SymbolicTensor]:
    """The symbolic tensors of inputs or outputs."""
    found = leaves_of(structure)
    for leaf in found:
        if not isinstance(leaf, SymbolicTensor):
            raise TypeError(f"{what} must be symbolic tensors, as lamina.layers.Input and layers called on them give, "
                            f"got {type(leaf).__name__}")  # fmt: skip
    if not found:
        raise ValueError(f"{what}: there are none")
    return found


def _named(node: Node) -> str:
    return repr(node.operation.name)
