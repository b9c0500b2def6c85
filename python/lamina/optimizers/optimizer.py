"""Optimizer: what all have in common. Subclasses give one native call that updates all weights of one dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Variable, as_tensor

Array = Any


class Optimizer:
    """Changes weights by their gradients.

    A subclass names its state arrays in `slot_names` and gives `update`. The state of a weight is made when the
    weight is first seen.

    Args:
        learning_rate: the step size, at least 0. It may be set anew at any time.
        name: what it is called.

    Attributes:
        iterations: how many steps were taken.

    Example, a training loop:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0])
        >>> optimizer = lm.optimizers.SGD(0.25)
        >>> for _ in range(2):
        ...     loss = (w * w).sum()
        ...     loss.backward()
        ...     optimizer.step([w])
        >>> w.numpy().tolist()
        [0.25]
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, learning_rate: float, name: str) -> None:
        self.name = name
        self.learning_rate = learning_rate
        self.iterations = 0
        self._slots: dict[Variable, tuple[Array, ...]] = {}
        self._variables: list[Variable] = []  # those of the last step, and by dtype what update takes for them:
        self._groups: list[tuple[list[int], list[Array], list[list[Array]]]] = []

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        value = float(value)
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{self.name}: learning_rate must be a finite number of at least 0, got {value}")
        self._learning_rate = value

    def update(self, weights: list[Array], grads: list[Array], slots: list[list[Array]]) -> None:
        """One step, in place. slots holds a list of arrays for each of `slot_names`."""
        raise NotImplementedError(f"{type(self).__name__}.update")

    def build(self, variables: Any) -> None:
        """Makes the state for these weights; `step()` then takes them when called without any."""
        self._gather(list(variables))

    def apply(self, grads: Any, variables: Any = None) -> None:
        """Takes one step.

        Args:
            grads: a gradient (tensor or array) for each weight, in its shape; None leaves the weight as it is.
            variables: the weights; by default those given to `build` or the last step.

        Raises:
            ValueError: if numbers or shapes do not match, or there is no gradient at all.
        """
        variables = self._variables if variables is None else list(variables)
        arrays = [None if g is None else as_tensor(g).array for g in grads]
        if len(arrays) != len(variables):
            raise ValueError(f"{self.name}: got {len(arrays)} gradients for {len(variables)} weights")
        self._step(arrays, variables)

    def step(self, variables: Any = None) -> None:
        """Takes one step along the gradients that `backward` left in the weights, and uses them up.

        Gradients of several calls of `backward` add up until a step is taken. Weights without one stay as they are.

        Args:
            variables: the weights; by default those given to `build` or the last step.

        Raises:
            ValueError: if there is no gradient at all.
        """
        variables = self._variables if variables is None else list(variables)
        self._step([v.grad_array for v in variables], variables)
        for variable in variables:
            variable.grad_array = None

    def zero_grad(self) -> None:
        """Forgets the gradients in the weights of `build` or the last step. `step` has done so already."""
        for variable in self._variables:
            variable.grad_array = None

    def _step(self, grads: list[Array], variables: list[Variable]) -> None:
        for i, (grad, variable) in enumerate(zip(grads, variables, strict=True)):
            if grad is None:
                return self._step_without_missing(grads, variables)
            weight = variable.array
            if grad.shape != weight.shape:
                raise ValueError(f"{self.name}: the gradient of {variable.path} must have shape {weight.shape}, "
                                 f"got {grad.shape}")  # fmt: skip
            if grad.dtype is not weight.dtype:
                grad = backend.as_array(grad, weight.dtype)
            grads[i] = backend.contiguous(grad)
        if variables != self._variables:
            self._gather(variables)
        self.iterations += 1
        for places, weights, slots in self._groups:
            self.update(weights, grads if len(places) == len(grads) else [grads[i] for i in places], slots)
        return None

    def _step_without_missing(self, grads: list[Array], variables: list[Variable]) -> None:
        given = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not given:
            raise ValueError(f"{self.name}: no weight has a gradient; was backward called on the loss?")
        self._step([g for g, _ in given], [v for _, v in given])

    def _gather(self, variables: list[Variable]) -> None:
        """Makes the state that is missing, and the lists that every step passes on."""
        for variable in variables:
            if not isinstance(variable, Variable):
                raise TypeError(f"{self.name}: expected weights (lamina.Variable), got {type(variable).__name__}")
            if variable not in self._slots:
                self._slots[variable] = tuple(backend.zeros(variable.shape, variable.dtype) for _ in self.slot_names)
        if len({id(v) for v in variables}) != len(variables):
            raise ValueError(f"{self.name}: a weight was given twice")
        self._groups = []
        for dtype in dict.fromkeys(v.dtype for v in variables):
            places = [i for i, v in enumerate(variables) if v.dtype == dtype]
            weights = [variables[i].array for i in places]
            slots = [[self._slots[variables[i]][k] for i in places] for k in range(len(self.slot_names))]
            self._groups.append((places, weights, slots))
        self._variables = variables

    # State, for saving

    def get_state(self, names: dict[str, Variable]) -> dict[str, Array]:
        """The state arrays as "slot/name of the weight", for the weights that have any."""
        return {
            f"{slot}/{name}": array
            for name, variable in names.items()
            if variable in self._slots
            for slot, array in zip(self.slot_names, self._slots[variable], strict=True)
        }

    def set_state(self, state: dict[str, Array], names: dict[str, Variable]) -> None:
        """Takes back what `get_state` gave.

        Raises:
            ValueError: if a shape differs.
        """
        for name, variable in names.items():
            arrays = [state.get(f"{slot}/{name}") for slot in self.slot_names]
            if any(a is None for a in arrays):
                continue
            wrong = [a.shape for a in arrays if a is not None and a.shape != variable.shape]
            if wrong:
                raise ValueError(f"{self.name}: the state of {name} must have shape {variable.shape}, got {wrong[0]}")
            self._slots[variable] = tuple(backend.from_pool(np.asarray(a, variable.dtype)) for a in arrays)
        self._variables, self._groups = [], []

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"learning_rate": self.learning_rate, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def fraction(value: float, owner: str, name: str) -> float:
    """value as a number of at least 0 and less than 1."""
    value = float(value)
    if not 0 <= value < 1:
        raise ValueError(f"{owner}: {name} must be at least 0 and less than 1, got {value}")
    return value
