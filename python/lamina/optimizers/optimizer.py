"""Optimizer: what all have in common. Subclasses give one native call that updates all weights of one dtype."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from lamina import backend, recording
from lamina.autograd.row_sparse import RowSparse
from lamina.autograd.tensor import as_tensor
from lamina.autograd.variable import Variable, placement
from lamina.optimizers import captured, preparation, schedules
from lamina.optimizers.checks import at_least_zero, positive, whole
from lamina.optimizers.schedules import LearningRateSchedule

Array = Any
AVERAGE = "average"  # the slot of exponential moving averages, as it is saved
ACCUMULATOR = "gradient_accumulator"
UNPREPARED = (None, None, 0.0)  # what kernels take for scales, decays and clip where there are none


class Optimizer:
    """Changes weights by their gradients.

    A subclass names its state arrays in `slot_names` and gives `update`. The state of a weight is made when the
    weight is first seen. Before each step gradients are divided by the loss's scale, accumulated and clipped, and
    weights decay: w -= learning_rate * weight_decay * w.

    The row-sparse gradient of an `Embedding` gives the step that the dense one would give. Where rows without a
    gradient stay as they are (SGD without momentum, Adagrad; no weight decay) only the others are touched at all.
    With ``Embedding(sparse=True)`` it is so for every rule but Lamb and Adafactor, and without accumulated gradients:
    rows without a gradient do not move, and their moments do not fade.

    Args:
        learning_rate: the step size, at least 0: a number, which may be set anew at any time, a schedule, or a
            function without arguments.
        weight_decay: the share of a weight, times the learning rate, that each step takes off; None for none.
        clipnorm: the most that the norm of one weight's gradient may be.
        clipvalue: the most that an entry of a gradient may be, up or down.
        global_clipnorm: the most that the norm of all gradients together may be. Only one of the three can be given.
        use_ema: whether to keep exponential moving averages of the weights.
        ema_momentum: how much of an average stays at each step, from 0 to 1.
        ema_overwrite_frequency: after how many steps the weights become their averages, again and again; None:
            only in `finalize_variable_values`.
        loss_scale_factor: what the loss was multiplied by (`scale_loss`): gradients are divided by it.
        gradient_accumulation_steps: how many calls' gradients are averaged for one step, at least 2; None for 1.
        name: what it is called.

    Attributes:
        iterations: how many steps were taken.

    Raises:
        ValueError: for a number out of range, or several kinds of clipping.
        TypeError: for what is no number.

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
    arguments: ClassVar[tuple[str, ...]] = ()  # the constructor's own, beside those of Optimizer: attributes
    rule: ClassVar[str] = ""  # the kernel that `update` calls

    def __init__(
        self,
        learning_rate: Any,
        name: str | None = None,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
    ) -> None:
        self.name = name = type(self).__name__.lower() if name is None else str(name)
        self._rate: float | Callable[..., Any] = 0.0
        self.learning_rate = learning_rate
        self.weight_decay = None if weight_decay is None else at_least_zero(weight_decay, name, "weight_decay")
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = [key for key, value in clips.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"{name}: only one of clipnorm, clipvalue and global_clipnorm can be given, got {given}")
        self.clipnorm, self.clipvalue, self.global_clipnorm = [
            None if value is None else positive(value, name, key) for key, value in clips.items()
        ]
        self.use_ema = bool(use_ema)
        self.ema_momentum = at_least_zero(ema_momentum, name, "ema_momentum")
        if self.ema_momentum > 1:
            raise ValueError(f"{name}: ema_momentum must be from 0 to 1, got {ema_momentum}")
        self.ema_overwrite_frequency = self._optional(ema_overwrite_frequency, "ema_overwrite_frequency", 1)
        self.loss_scale_factor = (
            None if loss_scale_factor is None else positive(loss_scale_factor, name, "loss_scale_factor")
        )
        self.gradient_accumulation_steps = self._optional(gradient_accumulation_steps, "gradient_accumulation_steps", 2)
        self._calls = 0  # of step and apply: with accumulation, several make an iteration
        self._plain = not (given or weight_decay or use_ema or loss_scale_factor or gradient_accumulation_steps)
        self._excluded: tuple[set[Variable], tuple[str, ...]] = (set(), ())
        self._slots: dict[Variable, tuple[Array, ...]] = {}
        self._extra: dict[str, dict[Variable, Array]] = {AVERAGE: {}, ACCUMULATOR: {}}
        self._given: list[Variable] = []  # of build or the last step, with those that had no gradient
        self._variables: list[Variable] = []  # those that had one, and by dtype what update takes for them:
        self._groups: list[tuple[list[int], list[Array], tuple[list[Array], ...]]] = []
        self._constrained: list[Variable] = []
        self._rounded: list[tuple[Variable, Array]] = []  # weights of 16 bits, with what steps change in float32
        self._placement = placement.version  # of the lists above: weights may go to another device
        self._prepared: tuple[Any, ...] = UNPREPARED  # scales, decays and clip for the kernel, where any are needed
        self._row_sparse = False  # whether a gradient of this step is
        self._divisor: Callable[[], float] | None = None  # of gradients, where LossScaleOptimizer goes by them

    def _optional(self, value: Any, name: str, minimum: int) -> int | None:
        return None if value is None else whole(value, self.name, name, minimum)

    # Learning rate and steps

    @property
    def learning_rate(self) -> float:
        """The step size now: that of the schedule, where there is one."""
        rate = self._rate
        if isinstance(rate, float):
            return rate
        value = rate(self._calls) if isinstance(rate, LearningRateSchedule) else rate()
        return at_least_zero(value, self.name, "learning_rate")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, dict):
            value = schedules.deserialize(value)
        if callable(value):
            self._rate = value
        elif isinstance(self._rate, LearningRateSchedule):
            raise TypeError(f"{self.name}: a schedule gives learning_rate; only another schedule can take its place")
        else:
            self._rate = at_least_zero(value, self.name, "learning_rate")

    @property
    def iterations(self) -> int:
        return self._calls // (self.gradient_accumulation_steps or 1)

    @iterations.setter
    def iterations(self, value: int) -> None:
        self._calls = whole(value, self.name, "iterations", 0) * (self.gradient_accumulation_steps or 1)

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, to be called before `backward`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Lets weights be that would decay otherwise.

        Args:
            var_list: the weights.
            var_names: pieces of names: every weight whose name contains one of them.

        Raises:
            TypeError: if var_names is one string.
        """
        if isinstance(var_names, str):
            raise TypeError(f"{self.name}: var_names must be a list of strings, got {var_names!r}")
        self._excluded = set(var_list or ()), tuple(var_names or ())

    def _decays(self, variable: Variable) -> bool:
        variables, names = self._excluded
        return variable not in variables and not any(piece in variable.name for piece in names)

    # What a subclass gives

    def update(self, weights: list[Array], grads: list[Array], slots: tuple[list[Array], ...]) -> None:
        """One step, in place, for weights of one dtype. slots holds a list of arrays for each of `slot_names`."""
        if not self.rule:
            raise NotImplementedError(f"{type(self).__name__}.update")
        kernel = getattr(backend.kernels(weights[0]), self.rule + "_step")
        rows = None
        if self._row_sparse:
            rows = [self._rows_of(grad, i) for i, grad in enumerate(grads)]
            grads = preparation.values_of(grads)
        settings = captured.settings(self.settings, lambda: self.iterations + 1)
        kernel(weights, grads, self.kernel_slots(slots), settings, self.iterations + 1, *self._prepared, rows)

    def kernel_slots(self, slots: tuple[list[Array], ...]) -> tuple[Any, ...]:
        """The slots as the kernel takes them: None for one that is not kept."""
        return slots

    def _rows_of(self, grad: Array, place: int) -> tuple[Array, bool] | None:
        """The rows of a row-sparse gradient, and whether the step changes others too."""
        if not isinstance(grad, RowSparse):
            return None
        scales, decays, _ = self._prepared
        still = self.keeps_without_gradient and (decays is None or (isinstance(decays, list) and not decays[place]))
        usual = scales is None or (
            isinstance(scales, list) and math.isfinite(scales[place])
        )  # 0 times infinity is not 0
        return grad.rows, not (grad.lazy or (still and usual))

    @property
    def keeps_without_gradient(self) -> bool:
        """Whether a gradient of 0 leaves a weight and its state as they are, but for decay."""
        return False

    def settings(self) -> tuple[float, ...]:
        """What the kernel of `rule` takes, the learning rate first."""
        raise NotImplementedError(f"{type(self).__name__}.update or settings")

    def new_slots(self, variable: Variable) -> tuple[Array, ...]:
        """First values of a weight's state, an array for each of `slot_names`."""
        return tuple([backend.zeros(variable.shape, variable.dtype, like=variable.array) for _ in self.slot_names])

    # Steps

    def build(self, variables: Iterable[Variable]) -> None:
        """Makes the state for these weights; `step()` then takes them when called without any."""
        self._given = list(variables)
        self._gather(self._given)

    def apply(self, grads: Any, variables: Any = None) -> None:
        """Takes one step.

        Args:
            grads: a gradient (tensor or array) for each weight, in its shape; None leaves the weight as it is.
            variables: the weights; by default those given to `build` or the last step.

        Raises:
            ValueError: if numbers or shapes do not match, or there is no gradient at all.
        """
        variables = self._given if variables is None else list(variables)
        arrays = [g if g is None or isinstance(g, RowSparse) else getattr(g, "array", g) for g in grads]
        if len(arrays) != len(variables):
            raise ValueError(f"{self.name}: got {len(arrays)} gradients for {len(variables)} weights")
        for i, (grad, variable) in enumerate(zip(arrays, variables, strict=True)):
            if grad is not None and not isinstance(grad, RowSparse):
                arrays[i] = grad = backend.as_array(grad, like=variable.array)
                backend.refuse_mixed(self.name, weight=variable.array, gradient=grad)
        self._step(arrays, variables)
        self._given = variables

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """`apply` for pairs of gradient and weight; the number of steps taken."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self.iterations

    def step(self, variables: Any = None) -> None:
        """Takes one step along the gradients that `backward` left in the weights, and uses them up.

        Gradients of several calls of `backward` add up until a step is taken. Weights without one stay as they are.

        Args:
            variables: the weights; by default those given to `build` or the last step.

        Raises:
            ValueError: if there is no gradient at all.
        """
        variables = self._given if variables is None else list(variables)
        self._step([v.grad_array for v in variables], variables)
        self._given = variables
        for variable in variables:
            variable.grad_array = None

    def zero_grad(self) -> None:
        """Forgets the gradients in the weights of `build` or the last step. `step` has done so already."""
        for variable in self._given:
            variable.grad_array = None

    def _step(self, grads: list[Array], variables: list[Variable]) -> None:
        self._row_sparse = False
        for i, (grad, variable) in enumerate(zip(grads, variables, strict=True)):
            if grad is None:
                return self._step_without_missing(grads, variables)
            weight = variable.array
            if grad.shape != weight.shape:
                raise ValueError(f"{self.name}: the gradient of {variable.path} must have shape {weight.shape}, "
                                 f"got {grad.shape}")  # fmt: skip
            if type(grad) is RowSparse:
                grads[i] = grad = self._accepted(grad, weight)
                if type(grad) is RowSparse:
                    self._row_sparse = True
                    continue
            if grad.dtype is not weight.dtype:
                grad = backend.as_array(grad, weight.dtype)
            grads[i] = backend.contiguous(grad)
        if self._placement is not placement.version or len(variables) != len(self._variables) or any(
                map(operator.is_not, variables, self._variables)):  # fmt: skip
            self._gather(variables)
        if self._rounded:
            grads = preparation.widened(grads, self._rounded)
        if self._plain:
            for places, weights, slots in self._groups:
                self.update(weights, grads if len(places) == len(grads) else [grads[i] for i in places], slots)
        else:
            self._prepared_step(grads)
        for variable, wide in self._rounded:
            variable.array[...] = backend.cast(wide, variable.dtype)
        if self.use_ema and not self._plain:  # behind the rounding, which would undo what it overwrites
            self._average()
        for variable in self._constrained:
            variable.array[...] = backend.moved(as_tensor(variable.constraint(variable.array)).array, variable.array)
        if recording.state.recorder is not None:
            captured.watch(self)
        self._calls += 1
        return None

    def _accepted(self, grad: RowSparse, weight: Array) -> Any:
        """A row-sparse gradient as it is, or dense for a rule that needs it whole."""
        if type(self).update is not Optimizer.update or self.rule == "lamb":
            return grad.dense()
        if grad.dtype == weight.dtype:
            return grad
        return RowSparse(grad.rows, backend.as_array(grad.values, weight.dtype), grad.shape, grad.lazy)

    def _step_without_missing(self, grads: list[Array], variables: list[Variable]) -> None:
        given = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not given:
            raise ValueError(f"{self.name}: no weight has a gradient; was backward called on the loss?")
        self._step([g for g, _ in given], [v for _, v in given])

    def _prepared_step(self, grads: list[Array]) -> None:
        """A step with anything beside the rule: accumulation, clipping, weight decay, averages."""
        divisor, steps = self._divisor, self.gradient_accumulation_steps

        def of_call() -> float:
            return 1.0 / ((self.loss_scale_factor or 1.0) if divisor is None else divisor())

        share: Callable[[], float] = of_call  # what gradients are multiplied by
        if steps:
            sums = [self._state(ACCUMULATOR, v) for v in self._variables]
            for places, _, _ in self._groups:
                chosen = [sums[i] for i in places]
                settings = captured.settings(lambda: (-of_call(), 0.0, 0.0))
                preparation.add(chosen, [grads[i] for i in places], settings)
            grads, share, self._row_sparse = sums, lambda: 1.0 / steps, False
        if not steps or (self._calls + 1) % steps == 0:
            scales = self._scales(grads, share)
            for places, weights, slots in self._groups:
                chosen = [grads[i] for i in places]
                decays = self._shares([self._variables[i] for i in places])
                own = preparation.of_places(scales, places)
                if self.rule:
                    self._prepared = own, decays, self.clipvalue or 0.0
                else:  # update gets gradients that are ready
                    chosen = preparation.scaled_and_clipped(chosen, own, self.clipvalue)
                    if decays is not None:
                        preparation.decay(weights, decays)
                self.update(weights, chosen, slots)
            self._prepared = UNPREPARED
            if steps:
                for array in sums:
                    array.fill(0)

    def _shares(self, variables: list[Variable]) -> list[float] | Array | None:
        """What decay takes off the weights, if anything: learning_rate * weight_decay of them."""
        if not self.weight_decay:
            return None
        weight_decay = self.weight_decay

        def shares() -> list[float]:
            rate = self.learning_rate * weight_decay
            return [rate if self._decays(variable) else 0.0 for variable in variables]

        if recording.state.recorder is not None:
            return recording.state.recorder.floats(shares)
        return shares() if self.learning_rate * weight_decay else None

    def _scales(self, grads: list[Array], share: Callable[[], float]) -> list[float] | Array | None:
        """What each gradient is multiplied by: for the loss's scale, the accumulated steps, and its norm."""
        limit = self.clipnorm or self.global_clipnorm
        if limit is None:
            return None if share() == 1 and self._divisor is None else captured.told(lambda: [share()] * len(grads))
        found = [(places, preparation.sums_of_squares([grads[i] for i in places])) for places, _, _ in self._groups]
        squares = preparation.together(found, len(grads))
        rule = preparation.scales_by_norm if self.clipnorm else preparation.scales_by_global_norm
        scale = captured.told(lambda: [share()])
        return rule(squares, scale[0] if isinstance(scale, list) else scale, limit)

    def _average(self) -> None:
        """Takes the weights into their moving averages; the first time, an average is the weight itself."""
        momentum = self.ema_momentum if self.iterations else 0.0
        for places, weights, _ in self._groups:
            averages = [self._state(AVERAGE, self._variables[i]) for i in places]
            preparation.average(averages, weights, momentum)
        every = self.ema_overwrite_frequency
        if every and (self.iterations + 1) % every == 0:
            self.finalize_variable_values(self._variables)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Gives the weights the values of their moving averages, where `use_ema` keeps them: the end of training."""
        averages = self._extra[AVERAGE]
        for variable in var_list:
            if variable in averages:
                variable.array[...] = backend.moved(averages[variable], variable.array)

    def _state(self, kind: str, variable: Variable) -> Array:
        known = self._extra[kind]
        if variable not in known:
            recording.refuse(f"{self.name}: state for weights that it has not seen before")
            known[variable] = backend.zeros(variable.shape, preparation.state_dtype(variable), like=variable.array)
            if kind == AVERAGE:  # at first the weight itself
                known[variable][...] = backend.cast(variable.array, known[variable].dtype)
        return known[variable]

    def _gather(self, variables: list[Variable]) -> None:
        """Makes the state that is missing, and the lists that every step passes on."""
        for variable in variables:
            if not isinstance(variable, Variable):
                raise TypeError(f"{self.name}: expected weights (lamina.Variable), got {type(variable).__name__}")
            if variable not in self._slots:
                recording.refuse(f"{self.name}: state for weights that it has not seen before")
                self._slots[variable] = self.new_slots(preparation.in_float32(variable))
            elif self._placement is not placement.version:
                self._follow(variable)
            if self.use_ema:
                self._state(AVERAGE, variable)
            if self.gradient_accumulation_steps:
                self._state(ACCUMULATOR, variable)
        if len({id(v) for v in variables}) != len(variables):
            raise ValueError(f"{self.name}: a weight was given twice")
        self._groups = []
        stand_ins = [preparation.in_float32(v) for v in variables]
        self._rounded = [(v, s.array) for v, s in zip(variables, stand_ins, strict=True) if s is not v]
        for dtype in dict.fromkeys(s.dtype for s in stand_ins):
            places = [i for i, s in enumerate(stand_ins) if s.dtype == dtype]
            weights = [stand_ins[i].array for i in places]
            slots = tuple([[self._slots[variables[i]][k] for i in places] for k in range(len(self.slot_names))])
            self._groups.append((places, weights, slots))
        self._variables, self._placement = variables, placement.version
        self._constrained = [v for v in variables if getattr(v, "constraint", None) is not None]

    def _follow(self, variable: Variable) -> None:
        """Takes a weight's state to the device that the weight is on."""
        weight = variable.array
        self._slots[variable] = tuple([backend.moved(slot, weight) for slot in self._slots[variable]])
        for known in self._extra.values():
            if variable in known:
                known[variable] = backend.moved(known[variable], weight)

    # State, for saving

    def get_state(self, names: dict[str, Variable]) -> dict[str, Array]:
        """The state arrays as "slot/name of the weight", for the weights that have any."""
        state = {
            f"{slot}/{name}": array
            for name, variable in names.items()
            if variable in self._slots
            for slot, array in zip(self.slot_names, self._slots[variable], strict=True)
        }
        for kind, arrays in self._extra.items():
            state |= {f"{kind}/{name}": arrays[variable] for name, variable in names.items() if variable in arrays}
        return state

    def set_state(self, state: dict[str, Array], names: dict[str, Variable]) -> None:
        """Takes back what `get_state` gave.

        Raises:
            ValueError: if a shape differs.
        """
        for name, variable in names.items():
            arrays = [state.get(f"{slot}/{name}") for slot in self.slot_names]
            if arrays and not any(a is None for a in arrays):
                shapes = [a.shape for a in self.new_slots(preparation.in_float32(variable))]
                self._slots[variable] = tuple(
                    [self._taken(a, shape, name, variable) for a, shape in zip(arrays, shapes, strict=True)]
                )
            for kind, known in self._extra.items():
                array = state.get(f"{kind}/{name}")
                if array is not None:
                    known[variable] = self._taken(array, variable.shape, name, variable)
        self._variables, self._groups = [], []

    def _taken(self, array: Array, shape: tuple[int, ...], name: str, variable: Variable) -> Array:
        if array.shape != shape:
            raise ValueError(f"{self.name}: the state of {name} must have shape {shape}, got {array.shape}")
        dtype = preparation.state_dtype(variable)
        return backend.from_pool(backend.moved(np.asarray(backend.to_host(array), dtype), variable.array))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as values that JSON takes.

        Raises:
            ValueError: if the learning rate is a function of the user's own.
        """
        common = (
            "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum",
            "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps",
        )  # fmt: skip
        rate: Any = self._rate
        if isinstance(rate, LearningRateSchedule):
            rate = schedules.serialize(rate)
        elif callable(rate):
            raise ValueError(f"{self.name}: a learning_rate that is a function cannot be saved; use a schedule")
        config = {"learning_rate": rate, "name": self.name}
        return config | {key: getattr(self, key) for key in (*self.arguments, *common)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An optimizer made from what `get_config` gave."""
        return cls(**config)
