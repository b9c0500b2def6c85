"""Adafactor."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend, recording
from lamina.autograd.variable import Variable
from lamina.optimizers.checks import number, positive, power
from lamina.optimizers.optimizer import Array, Optimizer


class Adafactor(Optimizer):
    """Adam's division with the memory of a vector for a matrix: squares of gradients are remembered by row (r) and by
    column (c) of the last two axes. With beta = 1 - t^beta_2_decay and h = g^2 + epsilon_1:
    r = beta r + (1 - beta) mean(h, -1);  c = beta c + (1 - beta) mean(h, -2);  u = g / sqrt(r / mean(r) * c);
    w -= min(learning_rate, 1 / sqrt(t)) * max(epsilon_2, rms(w)) * u / max(1, rms(u) / clip_threshold).
    Weights of one axis have v = beta v + (1 - beta) h in place of r and c.

    Args:
        learning_rate: the largest relative step, at least 0, or a schedule.
        beta_2_decay: how the memory grows with time; at most 0.
        epsilon_1: keeps the division finite; positive.
        epsilon_2: the least size of a weight that steps are relative to; positive.
        clip_threshold: the most that the root mean square of u may be; positive.
        relative_step: kept for Keras's sake: the rate falls as 1 / sqrt(t) in any case.
        **kwargs: weight decay, clipping, averages, name: see Optimizer.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([[2.0, -2.0]])
        >>> lm.optimizers.Adafactor(0.25).apply([[[123.0, 123.0]]], [w])
        >>> w.numpy().round(5).tolist()
        [[1.5, -2.5]]

    Reference:
        Shazeer & Stern 2018, arXiv:1804.04235.
    """

    slot_names = ("row", "column")  # of weights with one axis: v, and nothing
    arguments = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = number(beta_2_decay, self.name, "beta_2_decay")
        if self.beta_2_decay > 0:
            raise ValueError(f"{self.name}: beta_2_decay must be at most 0, got {beta_2_decay}")
        self.epsilon_1 = positive(epsilon_1, self.name, "epsilon_1")
        self.epsilon_2 = positive(epsilon_2, self.name, "epsilon_2")
        self.clip_threshold = positive(clip_threshold, self.name, "clip_threshold")
        self.relative_step = bool(relative_step)

    def new_slots(self, variable: Variable) -> tuple[Array, ...]:
        shape, dtype, like = variable.shape, variable.dtype, variable.array
        if len(shape) < 2:
            return backend.zeros(shape, dtype, like), backend.zeros((0,), dtype, like)
        return backend.zeros(shape[:-1], dtype, like), backend.zeros((*shape[:-2], shape[-1]), dtype, like)

    def _rates(self) -> tuple[Any, Any]:
        """The largest step, and how much of the memory stays."""
        step = self.iterations + 1
        return min(self.learning_rate, 1 / math.sqrt(step)), 1 - power(float(step), self.beta_2_decay)

    def update(self, weights: list[Array], grads: list[Array], slots: tuple[list[Array], ...]) -> None:
        rate, beta = self._rates()
        if recording.state.recorder is not None:
            there = recording.state.recorder.floats(self._rates)
            rate, beta = there[:1], there[1:]
        rows, columns = slots
        backend.kernels(weights[0]).adafactor_step(
            weights, grads, rows, columns, rate, beta, self.epsilon_1, self.epsilon_2, self.clip_threshold
        )
