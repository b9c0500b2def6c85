"""Lamb."""

from __future__ import annotations

from lamina.optimizers.adamax import Adamax


class Lamb(Adamax):
    """Adam for large batches: each weight's step is scaled to the weight's own size. m and v as in Adam;
    u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon); w -= learning_rate * |w| / |u| * u, or
    learning_rate * u where one of the norms is 0.

    Args:
        learning_rate: the step size, at least 0, or a schedule.
        beta_1: how long gradients are remembered: at least 0, less than 1.
        beta_2: the same of their squares.
        epsilon: keeps the division finite; positive.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([3.0, 4.0])
        >>> lm.optimizers.Lamb(0.5).apply([[123.0, 0.0]], [w])
        >>> w.numpy().round(4).tolist()
        [0.5, 4.0]

    Reference:
        You et al. 2020, arXiv:1904.00962.
    """

    slot_names = ("momentum", "velocity")
    rule = "lamb"
