"""Lion."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.checks import fraction
from lamina.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """Steps of exactly the learning rate, up or down: w -= learning_rate * sign(beta_1 m + (1 - beta_1) g);
    then m = beta_2 m + (1 - beta_2) g. Half of Adam's memory; rates a third to a tenth of Adam's suit it.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        beta_1: how much of the direction is momentum: greater than 0, less than 1.
        beta_2: how long gradients are remembered: at least 0, less than 1.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0, 1.0, 1.0])
        >>> lm.optimizers.Lion(0.25).apply([[123.0, 0.0, -0.1]], [w])
        >>> w.numpy().tolist()
        [0.75, 1.0, 1.25]

    Reference:
        Chen et al. 2023, arXiv:2302.06675.
    """

    slot_names = ("momentum",)
    arguments = ("beta_1", "beta_2")
    rule = "lion"

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = fraction(beta_1, self.name, "beta_1")
        if self.beta_1 == 0:
            raise ValueError(f"{self.name}: beta_1 must be greater than 0, got {beta_1}")
        self.beta_2 = fraction(beta_2, self.name, "beta_2")

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.beta_1, self.beta_2
