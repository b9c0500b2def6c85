"""RMSprop."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.checks import fraction, positive
from lamina.optimizers.optimizer import Array, Optimizer


class RMSprop(Optimizer):
    """Divides gradients by their root mean square: v = rho v + (1 - rho) g^2;
    w -= learning_rate * g / sqrt(v + epsilon). centered: v minus the square of the mean gradient, which
    is the variance. With momentum the steps add up: m = momentum m + step, w -= m.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        rho: how long squares are remembered: at least 0, less than 1.
        momentum: at least 0, less than 1.
        epsilon: keeps the division finite; positive.
        centered: whether to divide by the standard deviation.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.RMSprop(0.25, rho=0.75).apply([[123.0]], [w])
        >>> round(w.item(), 5)
        0.5

    Reference:
        Hinton 2012, "Neural Networks for Machine Learning", lecture 6; centered: Graves 2013, arXiv:1308.0850.
    """

    arguments = ("rho", "momentum", "epsilon", "centered")
    rule = "rmsprop"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = fraction(rho, self.name, "rho")
        self.momentum = fraction(momentum, self.name, "momentum")
        self.epsilon = positive(epsilon, self.name, "epsilon")
        self.centered = bool(centered)
        names = ["velocity"]
        if self.momentum:
            names.append("momentum")
        if self.centered:
            names.append("average_gradient")
        self.slot_names = tuple(names)

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.rho, self.momentum, self.epsilon

    def kernel_slots(self, slots: tuple[list[Array], ...]) -> tuple[Any, ...]:
        given = dict(zip(self.slot_names, slots, strict=True))
        return slots[0], given.get("momentum"), given.get("average_gradient")
