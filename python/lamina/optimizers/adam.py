"""Adam."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.optimizers.optimizer import Array, Optimizer, fraction


class Adam(Optimizer):
    """Steps of about the learning rate, whatever the gradients' size:
    m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2;
    w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon), at step t from 1.

    Args:
        learning_rate: the step size, at least 0.
        beta_1: how long gradients are remembered: at least 0, less than 1.
        beta_2: the same of their squares.
        epsilon: keeps the division finite; positive.
        name: what it is called.

    Reference:
        Kingma & Ba 2015, arXiv:1412.6980; epsilon as in the form before its section 2.1.
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "adam",
    ) -> None:
        super().__init__(learning_rate, name)
        self.beta_1 = fraction(beta_1, name, "beta_1")
        self.beta_2 = fraction(beta_2, name, "beta_2")
        self.epsilon = float(epsilon)
        if not self.epsilon > 0:
            raise ValueError(f"{name}: epsilon must be positive, got {epsilon}")

    def update(self, weights: list[Array], grads: list[Array], slots: list[list[Array]]) -> None:
        m, v = slots
        backend.kernels(weights[0]).adam_step(
            weights, grads, m, v, self._learning_rate, self.beta_1, self.beta_2, self.epsilon, self.iterations
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
