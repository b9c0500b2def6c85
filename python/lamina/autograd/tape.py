"""The tape: a graph of nodes, each a Function that knows its inputs; walked backwards in the order of birth.

Nodes are held by the tensors that they made, so what a program drops is freed at once and an unused branch costs
nothing.
"""

from __future__ import annotations

import functools
import itertools
import operator
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lamina import backend
from lamina.autograd import operators, row_sparse
from lamina.autograd.unpooled import Unpooled
from lamina.autograd.unsummed import Unsummed

if TYPE_CHECKING:
    from lamina.autograd.function import Function
    from lamina.autograd.tensor import Tensor


class _State(threading.local):
    recording = True


state = _State()
numbers = itertools.count()  # of nodes, in the order of birth, whichever thread bears them


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

    _records = False

    def __init__(self) -> None:
        self._before: list[bool] = []  # one context may be entered again within itself

    def __enter__(self) -> None:
        self._before.append(state.recording)
        state.recording = self._records

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state.recording = self._before.pop()

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class enable_grad(no_grad):
    """A context, or a decorator, in which all is recorded, within `no_grad` too.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([1.0], requires_grad=True)
        >>> with lm.no_grad(), lm.enable_grad():
        ...     y = x * 2
        >>> y.requires_grad
        True
    """

    _records = True


def starting_gradient(root: Tensor, gradient: Any) -> Any:
    """What backward begins with: an array of the root's shape, dtype and device; of ones if there is no gradient."""
    if not root.requires_grad:
        raise RuntimeError(
            "backward: nothing here requires gradients (made under no_grad, or from inputs without them)"
        )
    if gradient is None:
        if root.size != 1:
            raise ValueError(f"backward: a gradient is needed for a tensor of shape {root.shape}")
        return backend.full(root.shape, 1.0, root.dtype, like=root.array)
    backend.refuse_mixed("backward", tensor=root.array, gradient=getattr(gradient, "array", None))
    array = backend.as_array(getattr(gradient, "array", gradient), root.dtype, like=root.array)
    if array.shape != root.shape:
        raise ValueError(f"backward: expected a gradient of shape {root.shape}, got {array.shape}")
    return array


def backward(
    root: Tensor, gradient: Any, retain_graph: bool, wanted: list[Tensor] | None = None
) -> tuple[dict[Tensor, Any], dict[tuple[Function, int], Any]]:
    """See Tensor.backward. With `wanted`, the gradients of these tensors alone are kept, not in leaves, but returned.

    Returns:
        Those of leaves, and those of outputs of nodes; None for what the root does not depend on.
    """
    array = starting_gradient(root, gradient)
    lent = None if gradient is None else array  # the caller's: it may change later
    leaves: dict[Tensor, Any] | None = None
    outputs: dict[tuple[Function, int], Any] = {}
    if wanted is not None:
        leaves = dict.fromkeys(x for x in wanted if x.node is None)
        outputs = {(x.node, x.output): None for x in wanted if x.node is not None}
    if root.node is None:
        _give(root, array, {}, lent, leaves)
        return leaves or {}, outputs
    grads: dict[Function, list[Any]] = {}  # of the outputs of nodes still to come
    _give(root, array, grads, lent)
    for node in _ancestors(root.node):
        given = grads.pop(node, None)
        if given is None:  # no path from the root came through here
            continue
        if outputs:
            outputs.update({(node, i): grad for i, grad in enumerate(given) if (node, i) in outputs})
        found = node.backward(*given)
        if not isinstance(found, tuple):
            found = (found,)
        if len(found) != len(node.inputs):
            raise RuntimeError(
                f"backward: {type(node).__name__} gave {len(found)} gradients for {len(node.inputs)} inputs"
            )
        for tensor, grad in zip(node.inputs, found):  # noqa: B905  (checked above, at less cost)
            if grad is not None and tensor is not None and tensor.requires_grad:
                _give(tensor, grad, grads, lent, leaves)
        if not retain_graph:
            node.free()
    return leaves or {}, outputs


def graph_backward(
    root: Tensor, gradient: Tensor, after: int = -1, wanted: list[Tensor] | None = None
) -> tuple[dict[Tensor, Tensor], dict[tuple[Function, int], Tensor]]:
    """The gradients of leaves, and of outputs of nodes, as tensors of a tape of their own: see `lamina.grad`.

    Only nodes born after the number `after` are walked through; with `wanted`, only those on the way to these tensors.
    """
    leaves: dict[Tensor, Tensor] = {}
    outputs: dict[tuple[Function, int], Tensor] = {}

    def give(tensor: Tensor, grad: Tensor) -> None:
        node = tensor.node
        if node is None:
            before = leaves.get(tensor)
            leaves[tensor] = grad if before is None else operators.add(before, grad)
        else:
            place = node, tensor.output
            before = outputs.get(place)
            outputs[place] = grad if before is None else operators.add(before, grad)

    recording, state.recording = state.recording, True
    try:
        give(root, gradient)
        nodes = [] if root.node is None else _ancestors(root.node, after)
        useful = None if wanted is None else _on_the_way(nodes, wanted)
        for node in nodes:
            given = [outputs.get((node, i)) for i in range(node.outputs)]
            if all(grad is None for grad in given):
                continue
            if useful is None:
                found = node.graph_backward(*given)
            elif node in useful:
                needs, node.needs = node.needs, useful[node]
                try:
                    found = node.graph_backward(*given)
                finally:
                    node.needs = needs
            else:
                continue
            for tensor, grad in zip(node.inputs, found if isinstance(found, tuple) else (found,), strict=True):
                if grad is not None and tensor is not None and tensor.requires_grad:
                    give(tensor, grad)
    finally:
        state.recording = recording
    return leaves, outputs


def _give(tensor: Tensor, grad: Any, grads: dict[Function, list[Any]], lent: Any = None, leaves: Any = None) -> None:
    """Adds a gradient to the leaf itself, or to what the tensor's node is going to be given.

    With `leaves`, only those that are in there take gradients, and do so there. No leaf keeps memory of `lent`:
    functions may have handed that on as it is, or a view of it.
    """
    if grad.shape != tensor.array.shape:
        raise RuntimeError(f"backward: a gradient of shape {grad.shape} for a tensor of shape {tensor.shape}")
    node = tensor.node
    if type(grad) is Unpooled and (node is None or not node.takes_unpooled):
        grad = grad.dense()
    if node is None:
        if leaves is None:
            before = tensor.grad_array
        elif tensor in leaves:
            before = leaves[tensor]
        else:
            return
        if before is not None:
            grad = _sum(before, grad)
        if type(grad) is not row_sparse.RowSparse:
            grad = backend.contiguous(grad)
            if lent is not None and backend.array_module(grad).may_share_memory(grad, lent):
                grad = backend.from_pool(grad)
        if leaves is None:
            tensor.grad_array = grad
        else:
            leaves[tensor] = grad
        return
    given = grads.get(node)
    if given is None:
        grads[node] = given = [None] * node.outputs
    before = given[tensor.output]
    if before is not None:
        plain = leaves is None and node.takes_unsummed and Unsummed.holds(before, grad)
        grad = Unsummed(before, grad) if plain else _sum(before, grad)
    given[tensor.output] = grad


def _ancestors(node: Function, after: int = -1) -> list[Function]:
    """The node and all that it came from, youngest first; only those born after the number `after`."""
    nodes = [node] if node.number > after else []
    seen = {node}
    for current in nodes:  # grows as it goes
        if current.freed:
            raise RuntimeError(
                "backward: this graph was freed by an earlier backward; pass retain_graph=True to that one"
            )
        for tensor in current.inputs:
            if tensor is not None:
                parent = tensor.node
                if parent is not None and parent.number > after and parent not in seen:
                    seen.add(parent)
                    nodes.append(parent)
    nodes.sort(key=operator.attrgetter("number"), reverse=True)
    return nodes


def _on_the_way(nodes: list[Function], wanted: list[Tensor]) -> dict[Function, list[bool]]:
    """Of nodes, youngest first, those from which one of the tensors can be reached, and through which inputs."""
    leaves = {x for x in wanted if x.node is None}
    places = {(x.node, x.output) for x in wanted if x.node is not None}
    useful: dict[Function, list[bool]] = {}
    for node in reversed(nodes):
        through = [
            x is not None and (x in leaves or (x.node, x.output) in places or x.node in useful) for x in node.inputs
        ]
        if True in through:
            useful[node] = through
    return useful


def _sum(a: Any, b: Any) -> Any:
    """A new array: either may be held elsewhere too, so neither is written to."""
    a, b = (g.dense() if type(g) in (Unpooled, Unsummed) else g for g in (a, b))
    if a.dtype != b.dtype:
        raise RuntimeError(f"backward: gradients of {a.dtype} and {b.dtype} for one tensor")
    if type(a) is row_sparse.RowSparse or type(b) is row_sparse.RowSparse:
        return row_sparse.add(a, b)
    if backend.narrow and backend.is_narrow(a.dtype):
        total = backend.empty(a.shape, a.dtype, like=a)
        total[...] = backend.cast(a, backend.float32) + backend.cast(b, backend.float32)
        return total
    return Unsummed(a, b).dense()
