"""What the elementwise activations share: the family of kernels in csrc/ops/activation_function.h."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import multiply
from lamina.ops.checks import float_tensor, real_number


class Kind(IntEnum):
    """The kernels' numbers, in the order of csrc/ops/activation_function.h."""

    RECTIFIER = 0
    EXPONENTIAL_LINEAR = 1
    GELU = 2
    GELU_TANH = 3
    SILU = 4
    SOFTPLUS = 5
    LOG_SIGMOID = 6
    SOFTSIGN = 7
    MISH = 8
    RAMP = 9
    HARD_SILU = 10
    CLIP = 11
    HARD_SHRINK = 12
    SOFT_SHRINK = 13
    TANH_SHRINK = 14
    THRESHOLD = 15
    SQUAREPLUS = 16
    SPARSE_PLUS = 17
    CLAMP = 18


# Made of straight pieces: the slope does not depend on x but for where the pieces meet.
STRAIGHT = (Kind.RECTIFIER, Kind.RAMP, Kind.CLIP, Kind.HARD_SHRINK, Kind.SOFT_SHRINK, Kind.THRESHOLD, Kind.CLAMP)


class ActivationFunctionFunction(Function):
    """y = f(x; a, b, c). The input is what the gradient needs: nothing else is kept."""

    def forward(self, x: Any, kind: Kind, a: float, b: float, c: float) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        backend.kernels(x).activation_function_forward(kind, x, y, a, b, c)
        self.saved = x, kind, a, b, c
        return y

    def backward(self, dy: Any) -> Any:
        x, kind, a, b, c = self.saved
        dx = backend.empty_like(x)
        backend.kernels(x).activation_function_backward(kind, x, backend.contiguous(dy), dx, a, b, c)
        return dx

    def graph_backward(self, dy: Any) -> Any:
        x, kind, a, b, c = self.saved
        if kind not in STRAIGHT:
            raise NotImplementedError(
                f"backward: {kind.name.lower()} has no rule made of ops, so create_graph finds no gradients of its "
                f"gradients; of this family it does for {', '.join(k.name.lower() for k in STRAIGHT)}"
            )
        slope = backend.empty_like(x)
        ones = backend.full(x.shape, 1, x.dtype, like=x)
        backend.kernels(x).activation_function_backward(kind, x, ones, slope, a, b, c)
        return multiply(dy, Tensor(slope))


def activation(x: Any, op: str, kind: Kind, a: float = 0.0, b: float = 0.0, c: float = 0.0) -> Tensor:
    """The op of this name on x, with the kernel's parameters."""
    return ActivationFunctionFunction.apply((float_tensor(x, op),), kind, a, b, c)


def number(value: Any, op: str, name: str, least: float = -math.inf) -> float:
    """A parameter of an activation as a float.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is not finite, or below `least`.
    """
    found = real_number(value, op, name)
    if not math.isfinite(found) or found < least:
        bound = "finite" if least == -math.inf else f"finite and at least {least:g}"
        raise ValueError(f"{op}: {name} must be {bound}, got {value!r}")
    return found
