"""LossScaleOptimizer: losses scaled up, so that gradients of float16 do not vanish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lamina import backend, recording
from lamina.autograd.row_sparse import RowSparse
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable
from lamina.optimizers import preparation
from lamina.optimizers.checks import positive, whole
from lamina.optimizers.optimizer import Array, Optimizer

STATE = "loss_scale"  # how the scale and the counter are saved


class LossScaleOptimizer(Optimizer):
    """Another optimizer, for losses that are scaled up: gradients too small for float16 vanish no more.

    The loss is multiplied by the scale before `backward` (`scale_loss`), and gradients are divided by it again in the
    step. The scale goes by what it meets: where a gradient is not finite the step is left out and the scale halved;
    after `dynamic_growth_steps` steps without such a one it is doubled. On a GPU the program waits for these sums, in a
    captured step too (`jit_compile`), which is several graphs then.

    `compile` puts it around the optimizer of a model whose policy is "mixed_float16" (`auto_scale_loss`), and `fit`
    scales losses. bfloat16 has the range of float32 and needs none of this.

    Args:
        inner_optimizer: the optimizer that takes the steps. Its clipping, weight decay and averages are of gradients
            that are divided already.
        initial_scale: the first scale, positive.
        dynamic_growth_steps: after how many steps it is doubled.
        name: what it is called.

    Attributes:
        dynamic_scale: the scale now.
        step_counter: how many steps were taken since it changed.

    Raises:
        TypeError: if inner_optimizer is none, or is one of this kind itself; for what is no number.
        ValueError: for a number out of range, or settings that belong to the inner optimizer.

    Example, a training loop:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> optimizer = lm.optimizers.LossScaleOptimizer(lm.optimizers.SGD(0.25))
        >>> loss = (w * w).sum()
        >>> optimizer.scale_loss(loss).backward()
        >>> w.grad.numpy().tolist()
        [65536.0]
        >>> optimizer.step([w])
        >>> w.numpy().tolist()
        [0.5]

    Reference:
        Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740.
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = "loss_scale_optimizer" if name is None else str(name)
        if not isinstance(inner_optimizer, Optimizer) or isinstance(inner_optimizer, LossScaleOptimizer):
            raise TypeError(f"{self.name}: inner_optimizer must be another optimizer, got {inner_optimizer!r}")
        given = [key for key, value in kwargs.items() if value is not None and value is not False]
        if given:
            raise ValueError(f"{self.name}: set {', '.join(given)} on the inner optimizer")
        if inner_optimizer.loss_scale_factor is not None:
            raise ValueError(f"{self.name}: inner_optimizer must not have a loss_scale_factor of its own, "
                             f"got {inner_optimizer.loss_scale_factor}")  # fmt: skip
        self.inner_optimizer = inner_optimizer
        self.initial_scale = positive(initial_scale, self.name, "initial_scale")
        self.dynamic_growth_steps = whole(dynamic_growth_steps, self.name, "dynamic_growth_steps", 1)
        self.dynamic_scale = self.initial_scale
        self.step_counter = 0

    def __getattr__(self, name: str) -> Any:
        """What is not said here is what the inner optimizer says."""
        if name.startswith("_") or name == "inner_optimizer":
            raise AttributeError(name)
        return getattr(self.inner_optimizer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """What the inner optimizer has and this one lacks is set there."""
        inner = self.__dict__.get("inner_optimizer")
        own = (
            inner is None
            or name.startswith("_")
            or name in self.__dict__
            or isinstance(vars(type(self)).get(name), property)
        )
        object.__setattr__(self if own or not hasattr(inner, name) else inner, name, value)

    @property
    def learning_rate(self) -> float:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> int:
        """How many steps the inner optimizer has taken."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, value: int) -> None:
        self.inner_optimizer.iterations = value

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale, to be called before `backward`."""
        recorder = recording.state.recorder
        if recorder is None:
            return loss * self.dynamic_scale
        scale = recorder.floats(lambda: [self.dynamic_scale])
        return loss * Tensor(backend.cast(scale, loss.dtype).reshape(()))

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """See Optimizer."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    # Steps

    def build(self, variables: Iterable[Variable]) -> None:
        """See Optimizer."""
        self.inner_optimizer.build(variables)

    def apply(self, grads: Any, variables: Any = None) -> None:
        """See Optimizer. The gradients are those of a scaled loss."""
        grads = list(grads)
        given = self.inner_optimizer._given if variables is None else list(variables)
        self._step_if_finite([_values(g) for g in grads], given, lambda: self.inner_optimizer.apply(grads, given))

    def step(self, variables: Any = None) -> None:
        """See Optimizer. The gradients are those of a scaled loss; they are used up even where the step is left out."""
        variables = self.inner_optimizer._given if variables is None else list(variables)
        self.inner_optimizer._given = variables  # whether or not this step is left out
        grads = [v.grad_array for v in variables]
        self._step_if_finite(grads, variables, lambda: self.inner_optimizer.step(variables))
        for variable in variables:
            variable.grad_array = None

    def zero_grad(self) -> None:
        """See Optimizer."""
        self.inner_optimizer.zero_grad()

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """See Optimizer."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def _step_if_finite(self, grads: list[Array], variables: list[Variable], step: Callable[[], None]) -> None:
        """Has the inner optimizer take the step, by divided gradients, if they are finite."""
        sums, recorder, inner = sums_of_squares(grads), recording.state.recorder, self.inner_optimizer
        if recorder is None:
            if self._go_on(sums):
                with self._dividing():
                    step()
                self._grow()
            else:  # a later one may be captured, where no state can be made
                seen = [v for g, v in zip(grads, variables, strict=False) if g is not None]
                if any(v not in inner._slots for v in seen):
                    inner._gather(seen)
            return
        if recorder.steps.get(inner):
            recording.refused(f"{self.name}: a second step, which hangs on whether the first was left out")
        calls = inner._calls
        with recorder.only_if(lambda: self._go_on(sums)):
            with self._dividing():
                step()
            recorder.act(self._grow)
        inner._calls = calls  # until it is known that the step is taken

    def _go_on(self, sums: list[Any]) -> bool:
        """Whether all sums are finite; where they are not, the scale is halved."""
        if all_finite(sums):
            return True
        self.dynamic_scale, self.step_counter = self.dynamic_scale / 2, 0
        return False

    @contextmanager
    def _dividing(self) -> Iterator[None]:
        """Has the inner optimizer divide gradients by the scale."""
        inner = self.inner_optimizer
        before = inner._plain
        inner._divisor, inner._plain = lambda: self.dynamic_scale, False
        try:
            yield
        finally:
            inner._divisor, inner._plain = None, before

    def _grow(self) -> None:
        """Counts a step that was taken, and doubles the scale in time."""
        self.step_counter += 1
        if self.step_counter >= self.dynamic_growth_steps:
            self.dynamic_scale, self.step_counter = self.dynamic_scale * 2, 0

    # State, for saving

    def get_state(self, names: dict[str, Variable]) -> dict[str, Array]:
        """See Optimizer; also the scale and the counter."""
        state = self.inner_optimizer.get_state(names)
        return {**state, STATE: np.array([self.dynamic_scale, self.step_counter])}

    def set_state(self, state: dict[str, Array], names: dict[str, Variable]) -> None:
        """See Optimizer."""
        if STATE in state:
            scale, counter = state[STATE].tolist()
            self.dynamic_scale, self.step_counter = float(scale), int(counter)
        self.inner_optimizer.set_state(state, names)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as values that JSON takes."""
        inner = self.inner_optimizer
        return {
            "name": self.name,
            "inner_optimizer": {"class_name": type(inner).__name__, "config": inner.get_config()},
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An optimizer made from what `get_config` gave.

        Raises:
            ValueError: if the inner optimizer is unknown.
        """
        inner = config.get("inner_optimizer")
        if isinstance(inner, dict):
            for known in _kinds(Optimizer):
                if known.__name__ == inner.get("class_name") and known.__module__.startswith("lamina.optimizers."):
                    return cls(**{**config, "inner_optimizer": known.from_config(inner["config"])})
        if not isinstance(inner, Optimizer):
            raise ValueError(f"loss_scale_optimizer: unknown inner optimizer {inner!r}")
        return cls(**config)


def sums_of_squares(grads: list[Array]) -> list[list[float] | Array]:
    """Finite where all gradients, of those that are not None, are: one reduction a dtype.

    Gradients beyond 1e18, which no training wants, have sums that count as infinite.
    """
    arrays = [backend.contiguous(a) for a in preparation.values_of([g for g in grads if g is not None])]
    arrays = [backend.cast(a, backend.float32) if backend.is_narrow(a.dtype) else a for a in arrays]
    groups = [[a for a in arrays if a.dtype == dtype] for dtype in dict.fromkeys(a.dtype for a in arrays)]
    return [preparation.sums_of_squares(group) for group in groups]


def all_finite(sums: list[Any]) -> bool:
    """Whether all sums are finite; waits for those on a GPU."""
    return all(np.isfinite(s if isinstance(s, list) else backend.to_host(s)).all() for s in sums)


def _values(grad: Any) -> Any:
    """A gradient as `Optimizer.apply` takes it, as an array; None and row-sparse ones as they are."""
    return grad if grad is None or isinstance(grad, RowSparse) else backend.as_array(getattr(grad, "array", grad))


def _kinds(cls: type[Any]) -> Iterator[type[Any]]:
    for kind in cls.__subclasses__():
        yield kind
        yield from _kinds(kind)
