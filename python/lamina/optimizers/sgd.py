"""Gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.optimizers.optimizer import Array, Optimizer, fraction


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate * g; with momentum
    v = momentum * v - learning_rate * g, then w += v, or with Nesterov's w += momentum * v - learning_rate * g.

    Args:
        learning_rate: the step size, at least 0.
        momentum: at least 0 and less than 1.
        nesterov: whether to look ahead along the velocity.
        name: what it is called.

    Reference:
        Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    slot_names: tuple[str, ...] = ("velocity",)

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, name: str = "SGD"
    ) -> None:
        super().__init__(learning_rate, name)
        self.momentum = fraction(momentum, name, "momentum")
        self.nesterov = bool(nesterov)
        if self.momentum == 0:
            self.slot_names = ()

    def update(self, weights: list[Array], grads: list[Array], slots: list[list[Array]]) -> None:
        velocities = slots[0] if slots else None
        backend.kernels(weights[0]).sgd_step(
            weights, grads, velocities, self._learning_rate, self.momentum, self.nesterov
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
