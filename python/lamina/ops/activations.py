"""The activations that products and convolutions can apply themselves (csrc/ops/activation.h)."""

from __future__ import annotations

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
