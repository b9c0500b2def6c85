"""Gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from lamina.optimizers.checks import fraction
from lamina.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate * g; with momentum
    v = momentum * v - learning_rate * g, then w += v, or with Nesterov's w += momentum * v - learning_rate * g.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        momentum: at least 0 and less than 1.
        nesterov: whether to look ahead along the velocity.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> optimizer = lm.optimizers.SGD(0.5, momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.apply([[1.0]], [w])
        >>> w.item()
        -0.25

    Reference:
        Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    slot_names: tuple[str, ...] = ("velocity",)
    arguments = ("momentum", "nesterov")
    rule = "sgd"

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = fraction(momentum, self.name, "momentum")
        self.nesterov = bool(nesterov)
        if self.momentum == 0:
            self.slot_names = ()

    @property
    def keeps_without_gradient(self) -> bool:
        return self.momentum == 0

    def settings(self) -> tuple[float, ...]:
        return self.learning_rate, self.momentum, float(self.nesterov)
