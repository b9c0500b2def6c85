"""grad: gradients as values, which can have gradients themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.autograd import tape
from lamina.autograd.tensor import Tensor


def grad(
    y: Tensor, inputs: Tensor | Sequence[Tensor], gradient: Any = None, create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Any:  # fmt: skip
    """The gradients of y to some tensors, leaves or not, as tensors; nothing is left in any leaf's `grad`.

    Without create_graph no other gradients are kept: memory does not grow with the length of the way.

    Args:
        y: what is differentiated.
        inputs: a tensor, or several, on the tape below y.
        gradient: of y's shape, and cast to its dtype; may be left out for a tensor of one element (then 1).
        create_graph: record how the gradients come about, so that they have gradients themselves.
        retain_graph: keep what the ops saved, so that backward can run again; as create_graph, if None.

    Returns:
        A tensor, or a list of them, of the inputs' shapes; None for one that y does not depend on.

    Raises:
        RuntimeError: if nothing on the tape led to y, or its graph was freed.
        TypeError: if one of the inputs is no tensor.
        ValueError: if the gradient is missing or has another shape.
        NotImplementedError: with create_graph, for an op whose rule is not made of ops: it is named.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([2.0], requires_grad=True)
        >>> dx = lm.grad((x * x * x).sum(), x, create_graph=True)
        >>> dx.item(), lm.grad(dx.sum(), x).item()  # 3 x^2, 6 x
        (12.0, 12.0)
    """
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for x in wanted:
        if not isinstance(x, Tensor):
            raise TypeError(f"grad: inputs must be tensors, got {type(x).__name__}")
    if create_graph:
        leaves, outputs = tape.graph_backward(y, y._starting_gradient(gradient), wanted=wanted)
    else:
        leaves, outputs = tape.backward(y, gradient, bool(retain_graph), wanted)
    found = [leaves.get(x) if x.node is None else outputs.get((x.node, x.output)) for x in wanted]
    if not create_graph:
        found = [None if a is None else Tensor(a.dense() if hasattr(a, "dense") else a) for a in found]
    return found[0] if isinstance(inputs, Tensor) else found
