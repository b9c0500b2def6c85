"""The tape: a graph of nodes, each a Function that knows its inputs; walked backwards in the order of birth.

Nodes are held by the tensors that they made, so what a program drops is freed at once and an unused branch costs
nothing.
"""

from __future__ import annotations

import functools
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import backend

if TYPE_CHECKING:
    from lamina.autograd.function import Function
    from lamina.autograd.tensor import Tensor


class _State(threading.local):
    recording = True
    count = 0  # nodes so far: a node's number is greater than those of its inputs


state = _State()


class no_grad:
    """A context, or a decorator, in which nothing is recorded.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([1.0], requires_grad=True)
        >>> with lm.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __enter__(self) -> None:
        self._before = state.recording
        state.recording = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state.recording = self._before

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return function(*args, **kwargs)

        return wrapped


def backward(root: Tensor, gradient: Any, retain_graph: bool) -> None:
    """See Tensor.backward."""
    if not root.requires_grad:
        raise RuntimeError(
            "backward: nothing here requires gradients (made under no_grad, or from inputs without them)"
        )
    if gradient is None:
        if root.size != 1:
            raise ValueError(f"backward: a gradient is needed for a tensor of shape {root.shape}")
        array = backend.full(root.shape, 1.0, root.dtype, like=root.array)
    else:
        array = getattr(gradient, "array", gradient)
        array = backend.contiguous(backend.as_array(array, root.dtype))
        if array.shape != root.shape:
            raise ValueError(f"backward: expected a gradient of shape {root.shape}, got {array.shape}")
    if root.node is None:
        _add_to_leaf(root, array)
        return
    nodes = _ancestors(root.node)
    root.node.grads[root.output] = array
    for node in nodes:
        grads, node.grads = node.grads, [None] * len(node.grads)
        if all(g is None for g in grads):  # no path from the root came through here
            continue
        given = node.backward(*grads)
        for tensor, grad in zip(node.inputs, given if isinstance(given, tuple) else (given,), strict=True):
            if grad is None or tensor is None or not tensor.requires_grad:
                continue
            if tensor.node is None:
                _add_to_leaf(tensor, grad)
            else:
                sums = tensor.node.grads
                before = sums[tensor.output]
                sums[tensor.output] = grad if before is None else _sum(before, grad)
        if not retain_graph:
            node.free()


def _ancestors(node: Function) -> list[Function]:
    """The node and all that it came from, youngest first."""
    seen = {node}
    todo = [node]
    while todo:
        current = todo.pop()
        if current.freed:
            raise RuntimeError(
                "backward: this graph was freed by an earlier backward; pass retain_graph=True to that one"
            )
        for tensor in current.inputs:
            if tensor is not None and tensor.requires_grad:
                parent = tensor.node
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
    return sorted(seen, key=lambda n: n.number, reverse=True)


def _add_to_leaf(leaf: Tensor, grad: Any) -> None:
    before = leaf.grad_array
    leaf.grad_array = grad if before is None else _sum(before, grad)


def _sum(a: Any, b: Any) -> Any:
    """A new array: either may be held elsewhere too, so neither is written to."""
    return np.add(a, b, out=backend.empty(a.shape, a.dtype))
