"""Norms made of ops: what `create_graph` puts in the place of the kernels, so that their gradients have gradients."""

from __future__ import annotations

from collections.abc import Callable

from lamina.autograd import operators, tape
from lamina.autograd.tensor import Tensor


def normalized(x: Tensor, axes: tuple[int, ...], epsilon: float, centred: bool = True) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon), over the axes; not centred: x / sqrt(mean(x^2) + epsilon)."""
    if centred:
        x = operators.subtract(x, operators.mean(x, axes, True))
    variance = operators.mean(operators.multiply(x, x), axes, True)
    return operators.divide(x, operators.power(operators.add(variance, epsilon), 0.5))


def gradients_through(
    composed: Callable[..., Tensor], dy: Tensor, inputs: tuple[Tensor | None, ...], needs: list[bool]
) -> tuple[Tensor | None, ...]:
    """The gradients of what is composed of the inputs, by ops, to those that need them: on the tape as well."""
    after = next(tape.numbers)
    leaves, outputs = tape.graph_backward(composed(*inputs), dy, after)
    found: list[Tensor | None] = []
    for i, (x, needed) in enumerate(zip(inputs, needs, strict=True)):
        if x is None or not needed or any(x is other for other in inputs[:i]):  # one given twice has one gradient
            found.append(None)
        else:
            found.append(leaves.get(x) if x.node is None else outputs.get((x.node, x.output)))
    return tuple(found)


def scaled_and_shifted(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
    """gamma x + beta; None leaves out."""
    x = x if gamma is None else operators.multiply(x, gamma)
    return x if beta is None else operators.add(x, beta)
