"""Relatives of Adam: Adamax and Nadam."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.checks import fraction, integer_power, positive
from lamina.optimizers.optimizer import Optimizer


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the root mean square: m = beta_1 m + (1 - beta_1) g;
    u = max(beta_2 u, |g|); w -= learning_rate / (1 - beta_1^t) * m / (u + epsilon), at step t from 1.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        beta_1: how long gradients are remembered: at least 0, less than 1.
        beta_2: the same of their sizes.
        epsilon: keeps the division finite; positive.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.Adamax(0.25).apply([[123.0]], [w])
        >>> round(w.item(), 5)
        0.75

    Reference:
        Kingma & Ba 2015, arXiv:1412.6980, section 7.1.
    """

    slot_names = ("momentum", "norm")
    arguments = ("beta_1", "beta_2", "epsilon")
    rule = "adamax"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = fraction(beta_1, self.name, "beta_1")
        self.beta_2 = fraction(beta_2, self.name, "beta_2")
        self.epsilon = positive(epsilon, self.name, "epsilon")

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.beta_1, self.beta_2, self.epsilon


class Nadam(Adamax):
    """Adam with Nesterov's look ahead: m and v as in Adam; with u_t = beta_1 (1 - 0.96^t / 2) and U_t = u_1 ... u_t,
    w -= learning_rate * (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        beta_1: how long gradients are remembered: at least 0, less than 1.
        beta_2: the same of their squares.
        epsilon: keeps the division finite; positive.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.Nadam(0.25, beta_1=0.0).apply([[123.0]], [w])
        >>> round(w.item(), 5)
        0.75

    Reference:
        Dozat 2016, "Incorporating Nesterov Momentum into Adam".
    """

    slot_names = ("momentum", "velocity")
    rule = "nadam"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self._product, self._known = 1.0, 0  # U, and the step that it belongs to

    def _share(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * integer_power(0.96, step))

    def _product_until(self, step: int) -> float:
        if self._known > step:
            self._product, self._known = 1.0, 0
        while self._known < step and self._product:  # from some thousand steps on it is 0
            self._known += 1
            self._product *= self._share(self._known)
        self._known = step
        return self._product

    def settings(self) -> tuple[float, ...]:
        step = self.iterations + 1
        now, ahead, product = self._share(step), self._share(step + 1), self._product_until(step)
        of_m, of_g = ahead / (1 - product * ahead), (1 - now) / (1 - product)
        return self.learning_rate, self.beta_1, self.beta_2, self.epsilon, of_m, of_g
