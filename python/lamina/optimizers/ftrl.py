"""Ftrl."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.variable import Variable
from lamina.optimizers.checks import at_least_zero, number, positive
from lamina.optimizers.optimizer import Array, Optimizer


class Ftrl(Optimizer):
    """Follow the regularized leader: for large sparse models whose weights shall become exactly 0. With p =
    -learning_rate_power: b = a + g^2; z += g + 2 shrinkage w - (b^p - a^p) / learning_rate * w; a = b;
    w = (clip(z, -l1, l1) - z) / (b^p / learning_rate + 2 l2 + beta / learning_rate).

    Args:
        learning_rate: the step size, greater than 0, or a schedule.
        learning_rate_power: how rates fall, at most 0; 0 for a fixed one.
        initial_accumulator_value: the first a, at least 0.
        l1_regularization_strength, l2_regularization_strength: l1 and l2, at least 0.
        l2_shrinkage_regularization_strength: shrinkage, a penalty on the weights as they are; at least 0.
        beta: as in the paper, at least 0.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Raises:
        ValueError: for a number out of range; at a step, if the learning rate is 0.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([0.0])
        >>> optimizer = lm.optimizers.Ftrl(0.5, initial_accumulator_value=0.0, l1_regularization_strength=1.0)
        >>> optimizer.apply([[1.0]], [w])
        >>> w.item()
        0.0
        >>> optimizer.apply([[1.0]], [w])
        >>> round(w.item(), 4)
        -0.3536

    Reference:
        McMahan et al. 2013, "Ad Click Prediction: a View from the Trenches".
    """

    slot_names = ("accumulator", "linear")
    arguments = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
        "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip
    rule = "ftrl"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.learning_rate_power = number(learning_rate_power, self.name, "learning_rate_power")
        if self.learning_rate_power > 0:
            raise ValueError(f"{self.name}: learning_rate_power must be at most 0, got {learning_rate_power}")
        self.initial_accumulator_value = at_least_zero(
            initial_accumulator_value, self.name, "initial_accumulator_value"
        )
        self.l1_regularization_strength = at_least_zero(
            l1_regularization_strength, self.name, "l1_regularization_strength"
        )
        self.l2_regularization_strength = at_least_zero(
            l2_regularization_strength, self.name, "l2_regularization_strength"
        )
        self.l2_shrinkage_regularization_strength = at_least_zero(
            l2_shrinkage_regularization_strength, self.name, "l2_shrinkage_regularization_strength"
        )
        self.beta = at_least_zero(beta, self.name, "beta")

    def new_slots(self, variable: Variable) -> tuple[Array, ...]:
        shape, dtype = variable.shape, variable.dtype
        like = variable.array
        return backend.full(shape, self.initial_accumulator_value, dtype, like), backend.zeros(shape, dtype, like)

    def settings(self) -> tuple[float, ...]:
        rate = positive(self.learning_rate, self.name, "learning_rate")
        l2 = self.l2_regularization_strength + self.beta / (2 * rate)
        shrinkage = self.l2_shrinkage_regularization_strength
        return rate, -self.learning_rate_power, self.l1_regularization_strength, l2, shrinkage
