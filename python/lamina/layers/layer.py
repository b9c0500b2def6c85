"""Layer: what every layer and model has. Weights made on the first call, names, freezing, getting and setting."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np

from lamina import backend, initializers, ops, regularizers
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor, Variable
from lamina.layers.naming import snake_case, unique_name
from lamina.layers.shapes import Shape, full_shape, sample_shape, shape_of_batch

LayerType = TypeVar("LayerType", bound="type[Layer]")

registry: dict[str, type[Layer]] = {}  # the classes that a saved model may name


def register(cls: LayerType) -> LayerType:
    """Makes a layer class known to saved models by its name."""
    registry[cls.__name__] = cls
    return cls


class _Call(threading.local):
    training = False  # what the layers inside the current call take `training` to be
    custom_objects: dict[str, Any] = {}  # noqa: RUF012  classes and functions that the model being loaded may name too


call_state = _Call()
PLAIN = frozenset({int, float, str, bool, type(None)})  # attributes that hold no weights, as most do


def class_named(name: Any) -> Any:
    """The layer class of a name in a saved model: one of Lamina's, or of those that the loading user gave.

    Raises:
        ValueError: if there is none.
    """
    known = {**registry, **call_state.custom_objects}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"unknown layer class {name!r}: if it is your own, pass custom_objects={{{str(name)!r}: ...}}")
    return known[name]


class Layer:
    """A function with weights. A subclass gives `call`, and `build` where it has weights.

    ``build(self, input_shape)`` runs once, before the first call: it makes the weights with `add_weight`.
    ``call(self, x)`` computes; it may also take ``training`` and ``mask``. A layer inside another takes ``training``
    from the call around it where it is not said. Layers and variables found in attributes, and in lists and
    dictionaries there, belong to the layer.

    Args:
        name: its name; by default that of its class with a number: dense, dense_1.
        trainable: whether training changes its weights.
        dtype: "float32" or "float64", of weights and computation. Inputs are cast to it.
        input_shape: the shape of one sample, without the batch: a Sequential that begins with this layer is then
            built at once. ``input_dim=n`` is short for ``input_shape=(n,)``.

    Example:
        >>> import lamina as lm
        >>> class Scale(lm.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        ...     def call(self, x):
        ...         return x * self.factor
        >>> Scale()([[1.0, 2.0]]).numpy().tolist()
        [[1.0, 2.0]]
    """

    autocast: ClassVar[bool] = True  # False for layers that take integers as they are
    _takes_training: ClassVar[bool] = False

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]  # those of the constructor
    built = False
    _build_shape: Any = None  # the input shape that build was given

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
    ) -> None:
        self.name = unique_name(snake_case(type(self).__name__)) if name is None else str(name)
        self._dtype = np.dtype(dtype or "float32")
        if self._dtype not in (backend.float32, backend.float64):
            raise ValueError(f'{self.name}: dtype must be "float32" or "float64", got {dtype!r}')
        if input_dim is not None:
            input_shape = (input_dim,)
        self.batch_input_shape: Shape | None = None
        if input_shape is not None:
            self.batch_input_shape = (None, *sample_shape(input_shape, self.name))
        self._trainable = bool(trainable)
        self._variables: list[Variable] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__:
            cls._takes_training = "training" in inspect.signature(cls.call).parameters
        if "build" in cls.__dict__:
            cls.build = _recording_build(cls.build)  # type: ignore[method-assign]

    # What a subclass gives

    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of this shape (a tuple whose first entry, the batch, is None)."""
        self.built = True
        self._build_shape = input_shape

    def call(self, x: Any) -> Any:
        """The layer's output for a tensor x."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of this shape. By default the layer is tried on zeros."""
        if not isinstance(input_shape, tuple) or None in input_shape[1:]:
            raise ValueError(f"{self.name}: cannot tell the output shape for inputs of shape {input_shape}")
        with no_grad():
            y = self(Tensor(np.zeros((1, *input_shape[1:]), self._dtype)), training=False)
        return (input_shape[0], *y.shape[1:])

    def flops(self, input_shape: Shape) -> int:
        """Floating-point operations for one sample of this shape (None, ...); a multiply-add counts as two."""
        return 0

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as values that JSON takes. By default those that it was called with."""
        if registry.get(type(self).__name__) is not type(self):
            bound = inspect.signature(type(self)).bind(*self._arguments[0], **self._arguments[1]).arguments
            named = bound.pop("kwargs", {})
            return {**bound, **named}
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable, "dtype": self._dtype.name}
        if self.batch_input_shape is not None:
            config["input_shape"] = list(self.batch_input_shape[1:])
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made from what `get_config` gave."""
        return cls(**config)

    # Calling

    def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """The layer's output. `training` is also what every layer inside goes by."""
        if type(x) is not Tensor or x.array.dtype is not self._dtype:
            x = self._accept(x)
        if not self.built:
            self._build_for(x)
        outer = call_state.training
        if training is not None:
            call_state.training = training
        if self._takes_training:
            kwargs["training"] = call_state.training
        try:
            return self.call(x, *args, **kwargs)
        except (TypeError, ValueError) as error:
            error.add_note(f"in {self.name} ({type(self).__name__}), called on {_described(x)}")
            raise
        finally:
            call_state.training = outer

    def _accept(self, x: Any) -> Any:
        """x as a tensor of the layer's dtype; lists, tuples and dictionaries of tensors or arrays entry by entry."""
        if isinstance(x, dict):
            return {key: self._accept(value) for key, value in x.items()}
        if isinstance(x, list | tuple) and any(isinstance(value, Tensor | np.ndarray) for value in x):
            return type(x)([self._accept(value) for value in x])
        if not isinstance(x, Tensor):
            x = Tensor(backend.as_array(x))
        if self.autocast and x.dtype != self._dtype:
            x = ops.cast(x, self._dtype) if x.requires_grad else Tensor(x.array.astype(self._dtype))
        return x

    def _build_for(self, x: Any) -> None:
        if "name" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}.__init__ must begin with super().__init__()")
        with no_grad():
            self.build(shape_of_batch(x))
        self.built = True

    # Weights

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new weight of this layer.

        Args:
            shape: its shape.
            initializer: its first values: an initializer, the name of one, or a function (shape, dtype) -> array.
            dtype: by default the layer's.
            trainable: False for state that training does not change by gradients.
            regularizer: a penalty added to the loss.
            name: what it is within the layer ("kernel").
        """
        shape = tuple(int(n) for n in shape)
        value = initializers.get(initializer)(shape, dtype=np.dtype(dtype or self._dtype))
        variable = Variable(value, name or "variable", trainable)
        variable.path = f"{self.name}/{variable.name}"
        variable.requires_grad = trainable and self._trainable
        variable.regularizer = regularizers.get(regularizer)
        self._variables.append(variable)
        return variable

    def children(self) -> list[tuple[str, Layer]]:
        """The layers directly inside, each with the place where it hangs: "encoder", "blocks/0"."""
        found = [(place, item) for place, item in _tracked(self) if isinstance(item, Layer)]
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

    @property
    def weights(self) -> list[Variable]:
        """All weights, in the order of `get_weights`."""
        found: dict[Variable, None] = {}
        self._add_weights(found, set())
        return list(found)

    def _add_weights(self, found: dict[Variable, None], seen: set[Layer]) -> None:
        """What `named_weights` does without names, for every training step."""
        if self in seen:
            return
        seen.add(self)
        variables, layers = self._contents()
        state = [v for v in variables if not v.trainable]
        if state:
            variables = [v for v in variables if v.trainable] + state
        for variable in variables:
            found[variable] = None
        for layer in layers:
            layer._add_weights(found, seen)

    def _contents(self) -> tuple[list[Variable], list[Layer]]:
        """The variables of this layer and the layers directly inside."""
        variables, layers = list(self._variables), list[Layer]()
        for name, value in self.__dict__.items():
            kind = type(value)
            if kind in PLAIN or name == "_variables" or name == "_arguments":
                continue
            if kind is Variable:
                variables.append(value)
            elif isinstance(value, Layer):
                layers.append(value)
            elif kind is list or kind is tuple or kind is dict:
                for _, item in _find("", value):
                    if isinstance(item, Layer):
                        layers.append(item)
                    else:
                        variables.append(item)
        return variables, layers

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

    @property
    def losses(self) -> list[Tensor]:
        """The penalties of the weights' regularizers, one scalar tensor each."""
        return [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]

    # Shapes

    @property
    def input_shape(self) -> Any:
        """The shape of the inputs that it was built for; the batch is None."""
        shape = self._build_shape if self._build_shape is not None else self.batch_input_shape
        if shape is None:
            raise AttributeError(f"{self.name} does not know its input shape yet")
        return shape

    @property
    def output_shape(self) -> Any:
        """The shape of its outputs; the batch is None."""
        return self.compute_output_shape(self.input_shape)

    @property
    def dtype(self) -> str:
        return self._dtype.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _described(x: Any) -> str:
    return f"x of shape {x.shape}" if isinstance(x, Tensor) else f"x of type {type(x).__name__}"


def _recording_build(build: Callable[..., None]) -> Callable[..., None]:
    """Has the layer remember that it was built, and for which shape, whoever called build."""

    @functools.wraps(build)
    def wrapped(self: Layer, input_shape: Any = None) -> None:
        if self.built and self._variables:
            return
        if isinstance(input_shape, list | tuple) and all(n is None or hasattr(n, "__index__") for n in input_shape):
            input_shape = full_shape(input_shape)
        build(self, input_shape)
        self.built = True
        self._build_shape = input_shape

    return wrapped


def _tracked(layer: Layer) -> Iterator[tuple[str, Layer | Variable]]:
    """The layers and variables among the attributes of a layer, in order of assignment."""
    for name, value in layer.__dict__.items():
        if name != "_variables" and name != "_arguments":
            yield from _find(name.lstrip("_"), value)


def _find(place: str, value: Any) -> Iterator[tuple[str, Layer | Variable]]:
    if isinstance(value, Layer | Variable):
        yield place, value
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _find(f"{place}/{i}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _find(f"{place}/{key}", item)
