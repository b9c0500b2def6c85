"""Calls of a graph that one op does together: convolution and pooling; normalisation or convolution, addition, relu."""

from __future__ import annotations

from typing import Any

from lamina.autograd.symbolic import Node, SymbolicTensor
from lamina.autograd.tensor import Tensor
from lamina.layers.advanced_activations import ReLU
from lamina.layers.conv import Conv2D
from lamina.layers.core import Activation
from lamina.layers.layer import Layer
from lamina.layers.merging import Add
from lamina.layers.normalization import BatchNormalization
from lamina.layers.pooling import MaxPooling2D


class Chain:
    """Several calls, each of which takes what the one before gave.

    Attributes:
        nodes: the calls.
        inputs: the symbolic tensors that come in: the first call's, then what else there is to add.
        outputs: the last call's.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.first: Any = nodes[0].operation
        before = nodes[0].outputs
        others = [t for node in nodes[1:] for t in node.inputs if t is not before and t.node not in nodes]
        self.args = self.inputs = [*nodes[0].inputs, *others]
        self.kwargs: dict[str, Any] = {}
        self.outputs = nodes[-1].outputs
        self.operation = self._pooled if type(nodes[1].operation) is MaxPooling2D else self._summed
        self.relu = "relu" if is_relu(nodes[-1].operation) else None

    def _pooled(self, x: Tensor) -> Any:
        pool: Any = self.nodes[1].operation
        return self._apart(x) if x._mask is not None else self.first(x, pool=pool)

    def _summed(self, x: Tensor, residual: Tensor | None = None) -> Any:
        alike = residual is None or (residual._mask is None and residual.shape[:-1] == x.shape[:-1])
        plain = x._mask is None and alike
        return self.first(x, residual=residual, activation=self.relu) if plain else self._apart(x, residual)

    def _apart(self, x: Any, residual: Tensor | None = None) -> Any:
        """Layer by layer, for masks and for sums that broadcast."""
        for node in self.nodes:
            if isinstance(node.operation, Add):
                first = node.args[0][0]
                here = first is not node.args[0][1] and first.node in self.nodes
                x = node.operation([x, residual] if here else [residual, x])
            else:
                x = node.operation(x)
        return x


def is_relu(layer: Any) -> bool:
    """Whether a layer is max(x, 0) and nothing else."""
    if type(layer) is ReLU:
        return layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
    return type(layer) is Activation and layer._activation_name == "relu"


class Readers:
    """Which calls take what each of them gives.

    Args:
        calls: all of them.
        outputs: the tensors that are needed by others besides.
    """

    def __init__(self, calls: list[Node], outputs: list[SymbolicTensor]) -> None:
        self._of: dict[int, list[Node]] = {}
        for node in calls:
            for tensor in node.inputs:
                self._of.setdefault(id(tensor), []).append(node)
        self._kept = {id(t) for t in outputs}

    def only(self, node: Node) -> Node | None:
        """The one call that takes a call's one output; None if that is needed elsewhere too."""
        y = node.outputs
        if not isinstance(y, SymbolicTensor) or id(y) in self._kept or len(self._of.get(id(y), ())) != 1:
            return None
        return self._of[id(y)][0]


def fused(calls: list[Node], outputs: list[SymbolicTensor]) -> list[Any]:
    """The calls in an order that works, those that one op can do together as one `Chain`.

    Args:
        calls: each after those that it needs.
        outputs: the tensors that must come out whatever is fused.
    """
    readers = Readers(calls, outputs)
    last: dict[Node, Chain] = {}
    taken: set[Node] = set()
    for kind in (BatchNormalization, Conv2D):  # the one has a pass of its own to save, training too
        for node in reversed(calls):  # of two that meet in a sum, the one that is computed last
            chain = _chain(node, readers) if type(node.operation) is kind else []
            if len(chain) > 1 and not taken.intersection(chain):
                taken.update(chain)
                last[chain[-1]] = Chain(chain)
    return [last.get(node, node) for node in calls if node in last or node not in taken]


def _chain(node: Node, readers: Readers) -> list[Node]:
    """A call and those behind it that its layer can do the work of."""
    layer, chain = node.operation, [node]
    if not simple(node):
        return chain
    if type(layer) is Conv2D:
        after = readers.only(node)
        pool = after.operation if after is not None and simple(after) else None
        if after is not None and layer.takes_pool(pool):
            return [node, after]
        if after is None or not sum_of_two(after):
            return chain
    elif type(layer) is not BatchNormalization:
        return chain
    after = readers.only(node)
    if after is not None and sum_of_two(after):
        chain.append(after)
        after = readers.only(after)
    if after is not None and is_relu(after.operation) and simple(after):
        chain.append(after)
    followers: list[Layer] = [n.operation for n in chain[1:]]
    return chain if layer.takes_sum(*followers) else [node]


def simple(node: Node) -> bool:
    """Whether a call takes one tensor and nothing else."""
    return len(node.args) == 1 and isinstance(node.args[0], SymbolicTensor) and not node.kwargs


def sum_of_two(node: Node) -> bool:
    x = node.args[0] if len(node.args) == 1 and not node.kwargs else None
    two = type(node.operation) is Add and isinstance(x, list | tuple) and len(x) == 2
    return two and x[0] is not x[1] and x[0].shape[1:] == x[1].shape[1:]  # type: ignore[index]
