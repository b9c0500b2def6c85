"""Adagrad and Adadelta."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.variable import Variable
from lamina.optimizers.checks import at_least_zero, fraction, positive
from lamina.optimizers.optimizer import Array, Optimizer


class Adagrad(Optimizer):
    """Smaller steps for weights with a long way behind them: a += g^2; w -= learning_rate * g / sqrt(a + epsilon).

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        initial_accumulator_value: the first a, at least 0.
        epsilon: keeps the division finite; positive.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.Adagrad(0.25, initial_accumulator_value=0.0).apply([[123.0]], [w])
        >>> round(w.item(), 5)
        0.75

    Reference:
        Duchi et al. 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization".
    """

    slot_names = ("accumulator",)
    arguments = ("initial_accumulator_value", "epsilon")
    rule = "adagrad"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = at_least_zero(
            initial_accumulator_value, self.name, "initial_accumulator_value"
        )
        self.epsilon = positive(epsilon, self.name, "epsilon")

    def new_slots(self, variable: Variable) -> tuple[Array, ...]:
        return (backend.full(variable.shape, self.initial_accumulator_value, variable.dtype, variable.array),)

    @property
    def keeps_without_gradient(self) -> bool:
        return True

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.epsilon


class Adadelta(Optimizer):
    """Steps in the units of the weights: a = rho a + (1 - rho) g^2; u = g sqrt(d + epsilon) / sqrt(a + epsilon);
    d = rho d + (1 - rho) u^2; w -= learning_rate * u.

    Args:
        learning_rate: a factor of the step, at least 0, or a schedule; 1 as in the paper.
        rho: how long squares are remembered: at least 0, less than 1.
        epsilon: positive; it sets the size of the first steps.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.Adadelta(1.0, rho=0.75, epsilon=0.0625).apply([[123.0]], [w])
        >>> round(w.item(), 3)
        0.5

    Reference:
        Zeiler 2012, arXiv:1212.5701.
    """

    slot_names = ("accumulated_grad", "accumulated_delta_var")
    arguments = ("rho", "epsilon")
    rule = "adadelta"

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = fraction(rho, self.name, "rho")
        self.epsilon = positive(epsilon, self.name, "epsilon")

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.rho, self.epsilon
