"""The activations that products and convolutions can apply themselves (csrc/ops/activation.h)."""

from __future__ import annotations

from typing import Any

from lamina.autograd import operators
from lamina.autograd.tensor import Tensor

NUMBERS = {None: 0, "linear": 0, "relu": 1, "sigmoid": 2, "tanh": 3}


def activation_number(activation: str | None, op: str) -> int:
    """The number that kernels take for an activation.

    Raises:
        ValueError: for an unknown name.
    """
    try:
        return NUMBERS[activation]
    except (KeyError, TypeError):
        names = ", ".join(f'"{name}"' for name in NUMBERS if name)
        raise ValueError(f"{op}: activation must be None or one of {names}, got {activation!r}") from None


def before_activation(dy: Tensor, y: Any, number: int) -> Tensor:
    """The gradient of what went into the activation of this number, made of ops; y is what came out, None for none."""
    if number == 0:
        return dy
    if number == NUMBERS["relu"]:
        return operators.multiply(dy, Tensor((y.array > 0).astype(dy.dtype)))
    if number == NUMBERS["sigmoid"]:
        return operators.multiply(dy, operators.multiply(y, operators.subtract(1, y)))
    return operators.multiply(dy, operators.subtract(1, operators.multiply(y, y)))
