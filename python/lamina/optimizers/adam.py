"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.checks import fraction, positive
from lamina.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Steps of about the learning rate, whatever the gradients' size:
    m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2;
    w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon), at step t from 1.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        beta_1: how long gradients are remembered: at least 0, less than 1.
        beta_2: the same of their squares.
        epsilon: keeps the division finite; positive.
        amsgrad: whether to divide by the largest v so far.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.Adam(0.25).apply([[123.0]], [w])
        >>> round(w.item(), 5)
        0.75

    Reference:
        Kingma & Ba 2015, arXiv:1412.6980; epsilon as in the form before its section 2.1. AMSGrad: Reddi et al. 2018,
        "On the Convergence of Adam and Beyond".
    """

    slot_names: tuple[str, ...] = ("momentum", "velocity")
    arguments = ("beta_1", "beta_2", "epsilon", "amsgrad")
    rule = "adam"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = fraction(beta_1, self.name, "beta_1")
        self.beta_2 = fraction(beta_2, self.name, "beta_2")
        self.epsilon = positive(epsilon, self.name, "epsilon")
        self.amsgrad = bool(amsgrad)
        if self.amsgrad:
            self.slot_names = (*self.slot_names, "velocity_hat")

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.beta_1, self.beta_2, self.epsilon


class AdamW(Adam):
    """Adam with weights that decay apart from the gradient: before each step, w -= learning_rate * weight_decay * w.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        weight_decay: at least 0.
        beta_1, beta_2, epsilon, amsgrad: see Adam.
        **kwargs: clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> lm.optimizers.AdamW(0.25, weight_decay=1.0).apply([[123.0]], [w])
        >>> round(w.item(), 5)
        0.5

    Reference:
        Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("adamw: weight_decay must be a number, got None; Adam has none")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)
