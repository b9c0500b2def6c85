"""What a layer holds: its variables, the layers inside, their order and places, freezing, getting and setting."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from lamina import backend, constraints, initializers, regularizers
from lamina.autograd.symbolic import SymbolicTensor
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable
from lamina.kinds import is_integer

# Attributes that hold no weights, as most do.
PLAIN = frozenset({int, float, str, bool, type(None), Tensor, np.ndarray, SymbolicTensor})
OWN = frozenset({
    "_variables", "_arguments", "_nodes", "_gathered", "_compiled", "_own_logs", "history", "resume", "epoch_random",
    "_states", "_input_masks", "_recurrent_masks",
})  # fmt: skip


class _Structure:
    """Anew whenever any layer anywhere gets an attribute that may hold weights: what was gathered before is stale."""

    version: object = object()


class Weighted:
    """Something with weights of its own and of others of its kind inside: what Layer has of them."""

    name: str
    built: bool
    _trainable: bool
    _dtype: Any
    _policy: Any
    _variables: list[Variable]
    _gathered: tuple[object, list[tuple[Any, Any]], list[Variable]] | None = None
    _device: str | None = None  # where weights are made and inputs go; None: the CPU
    _on_host = False  # whether its work is the CPU's, wherever its inputs are

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) not in PLAIN and name not in OWN:
            _Structure.version = object()
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        _Structure.version = object()
        object.__delattr__(self, name)

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        name: str | None = None,
        constraint: Any = None,
        autocast: bool = True,
    ) -> Variable:
        """A new weight of this layer.

        Args:
            shape: its shape: sizes, all known; an integer for one axis.
            initializer: its first values: an initializer, the name of one, or a function (shape, dtype) -> array.
            dtype: by default that of the layer's weights.
            trainable: False for state that training does not change by gradients.
            regularizer: a penalty added to the loss.
            name: what it is within the layer ("kernel").
            constraint: what the weight is held to after each step of training: a constraint, the name of one, or a
                function of the weight.
            autocast: whether ops within a layer of a mixed policy meet the weight in the dtype that it computes in.

        Raises:
            TypeError: if a size is no integer, or dtype is none of floats.
            ValueError: if a size is negative, or the initializer gives another shape.
        """
        sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        wanted = backend.dtype_of(dtype or self._variable_dtype)
        if any(not is_integer(n) for n in sizes):
            raise TypeError(f"{self.name}: add_weight: shape must hold integers, got {shape!r}")
        if any(n < 0 for n in sizes):
            raise ValueError(f"{self.name}: add_weight: sizes must be at least 0, got {shape!r}")
        if wanted not in (backend.float32, backend.float64) and not backend.is_narrow(wanted):
            raise TypeError(f'{self.name}: add_weight: dtype must be "float32", "float64", "float16" or "bfloat16", '
                            f"got {dtype!r}")  # fmt: skip
        drawn = backend.float32 if backend.is_narrow(wanted) else wanted
        full_shape = tuple([int(n) for n in sizes])
        with backend.device("cpu"):  # the same first values on every device
            value = backend.as_array(initializers.get(initializer)(full_shape, dtype=drawn), wanted)
        value = backend.moved(value, self._like)
        if value.shape != full_shape:
            raise ValueError(f"{self.name}: add_weight: the initializer must give {full_shape}, got {value.shape}")
        variable = Variable(value, name or "variable", trainable)
        variable.path = f"{self.name}/{variable.name}"
        variable.requires_grad = trainable and self._trainable
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.autocast = bool(autocast)
        self._variables.append(variable)
        _Structure.version = object()
        return variable

    @property
    def _variable_dtype(self) -> np.dtype[Any]:
        """The dtype of weights: that of computation, but for a mixed policy."""
        return backend.float32 if self._policy.mixed else self._dtype

    # Devices

    def to(self, device: str) -> Any:
        """Moves all weights, and their gradients, to a device; inputs that are no tensors yet go there from now on.

        Weights that are still to be made are made there. Optimizers' state follows with the next step.

        Args:
            device: "cpu" or "cuda".

        Returns:
            The layer itself.

        Raises:
            ValueError: for an unknown device.
            RuntimeError: for "cuda", if there is no GPU, or what it needs is missing: says what to install.

        Example:
            >>> import lamina as lm
            >>> lm.layers.Dense(2).to("cpu")(lm.tensor([[1.0, 2.0]])).device
            'cpu'
        """
        name = backend.device_name(device)
        backend.on(name)
        for layer in self.layers_inside():
            layer._device = name
            layer._follow_to(name)
        for variable in self.weights:
            variable.place(name)
        return self

    def _follow_to(self, device: str) -> None:
        """Moves what is neither a weight nor a layer."""

    @property
    def _like(self) -> Any:
        """What stands for the layer's device, as backend.on gives it."""
        return None if self._device is None else backend.on(self._device)

    # What is inside

    def children(self) -> list[tuple[str, Any]]:
        """The layers directly inside, each with the place where it hangs: "encoder", "blocks/0"."""
        found = [(place, item) for place, item in _tracked(self) if isinstance(item, Weighted)]
        return list({id(layer): (place, layer) for place, layer in reversed(found)}.values())[::-1]

    def named_weights(self) -> dict[str, Variable]:
        """Every weight by its place, in the order of `weights`: own ones first, then layer by layer."""
        result: dict[str, Variable] = {}
        self._collect("", result, set())
        return result

    def _collect(self, prefix: str, result: dict[str, Variable], seen: set[Any]) -> None:
        if self in seen:
            return
        seen.add(self)
        for variable in sorted(self._contents()[0], key=lambda v: not v.trainable):  # the sort is stable
            if variable not in seen:
                seen.add(variable)
                place = prefix + variable.name
                while place in result:
                    place += "_"
                result[place] = variable
        for place, layer in self.children():
            layer._collect(f"{prefix}{place}/", result, seen)

    def _contents(self) -> tuple[list[Variable], list[Any]]:
        """The variables of this layer and the layers directly inside."""
        variables, layers = list(self._variables), list[Any]()
        for name, value in self.__dict__.items():
            kind = type(value)
            if kind in PLAIN or name in OWN:
                continue
            if kind is Variable:
                variables.append(value)
            elif isinstance(value, Weighted):
                layers.append(value)
            elif isinstance(value, list | tuple | dict):
                for _, item in _find("", value):
                    if isinstance(item, Weighted):
                        layers.append(item)
                    else:
                        variables.append(item)
        return variables, layers

    def _containers(self) -> Iterator[Any]:
        """The lists and dictionaries in which layers and weights may come and go unseen."""
        yield self._variables
        for name, value in self.__dict__.items():
            if name not in OWN and isinstance(value, list | dict | tuple):
                yield from _nested(value)

    def layers_inside(self) -> list[Any]:
        """This layer and all inside, at any depth, each once."""
        found: dict[Any, None] = {}
        _walk(self, found)
        return list(found)

    @property
    def weights(self) -> list[Variable]:
        """All weights, in the order of `get_weights`."""
        gathered = self._gathered
        if gathered is not None and gathered[0] is _Structure.version:
            for container, copy in gathered[1]:
                if not _same(container, copy):
                    break
            else:
                return list(gathered[2])
        version = _Structure.version
        found: dict[Variable, None] = {}
        layers = self.layers_inside()
        for layer in layers:
            variables = layer._contents()[0]
            for variable in sorted(variables, key=lambda v: not v.trainable):
                found[variable] = None
        containers = [(c, c.copy()) for layer in layers for c in layer._containers() if _may_change(c)]
        self._gathered = version, containers, list(found)
        return list(found)

    @property
    def variables(self) -> list[Variable]:
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes: none of a frozen layer."""
        return [v for v in self.weights if v.trainable and v.requires_grad]

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone, or changes without gradients."""
        return [v for v in self.weights if not (v.trainable and v.requires_grad)]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets it in every layer inside too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        variables, layers = self._contents()
        for variable in variables:
            variable.requires_grad = variable.trainable and self._trainable
        for layer in layers:
            layer.trainable = value

    def zero_grad(self) -> None:
        """Forgets the gradients of all weights: before the `backward` of a training loop of one's own."""
        for variable in self.weights:
            variable.grad_array = None

    # Values

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """Copies of all weights' values."""
        return [np.array(v.numpy()) for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Overwrites all weights.

        Args:
            weights: arrays in the order and shapes of `get_weights`.

        Raises:
            ValueError: if there are too many or too few, or shapes differ; every wrong one is named. Nothing is
                changed then.
        """
        arrays = [w.array if isinstance(w, Tensor) else backend.as_array(w) for w in weights]
        variables = self.weights
        if len(arrays) != len(variables):
            raise ValueError(f"set_weights: {self.name} has {len(variables)} weights, got {len(arrays)}")
        wrong = [
            f"{v.path} has shape {v.shape}, got {a.shape}"
            for v, a in zip(variables, arrays, strict=True)
            if v.shape != a.shape
        ]
        if wrong:
            raise ValueError("set_weights: " + "; ".join(wrong))
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """The number of weights' elements.

        Raises:
            ValueError: before the layer is built.
        """
        if not self.built:
            raise ValueError(f"count_params: {self.name} has no weights yet; call it on data or build(input_shape)")
        return sum(v.size for v in self.weights)


def _walk(layer: Weighted, found: dict[Any, None]) -> None:
    if layer not in found:
        found[layer] = None
        for inner in layer._contents()[1]:
            _walk(inner, found)


def _tracked(layer: Weighted) -> Iterator[tuple[str, Weighted | Variable]]:
    """The layers and variables among the attributes of a layer, in order of assignment."""
    for name, value in layer.__dict__.items():
        if name not in OWN:
            yield from _find(name.lstrip("_"), value)


def _find(place: str, value: Any) -> Iterator[tuple[str, Weighted | Variable]]:
    if isinstance(value, Weighted | Variable):
        yield place, value
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _find(f"{place}/{i}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _find(f"{place}/{key}", item)


def _nested(value: Any) -> Iterator[Any]:
    """A list, tuple or dictionary and those inside."""
    yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list | dict | tuple):
            yield from _nested(item)


def _may_change(container: Any) -> bool:
    """Whether a layer or weight may come into it or leave it: not a tuple, and nothing that holds mere data."""
    if isinstance(container, tuple):
        return False
    items = container.values() if isinstance(container, dict) else container
    return not items or any(isinstance(item, Weighted | Variable | list | dict | tuple) for item in items)


def _same(container: Any, copy: Any) -> bool:
    """Whether the very same things are still in a list or dictionary."""
    if len(container) != len(copy) or not all(map(operator.is_, container, copy)):
        return False
    return not isinstance(container, dict) or all(map(operator.is_, container.values(), copy.values()))
