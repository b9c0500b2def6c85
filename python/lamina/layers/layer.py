"""Layer: what every layer and model has. Weights made on the first call, names, freezing, getting and setting."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from lamina import backend, dtype_policies, ops, regularizers
from lamina.autograd import narrow
from lamina.autograd.symbolic import Node, SymbolicTensor, has_symbols, leaves_of, map_leaves, try_out
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers.masks import MaskArguments, hand_on, masks_of
from lamina.layers.naming import snake_case, unique_name
from lamina.layers.shapes import (
    Shape,
    full_shape,
    is_shape,
    map_shapes,
    sample_shape,
    shape_leaves,
    shape_of_batch,
    shapes_in,
    specs_of,
)
from lamina.layers.weights import Weighted

LayerType = TypeVar("LayerType", bound="type[Layer]")

registry: dict[str, type[Layer]] = {}  # the classes that a saved model may name


def register(cls: LayerType) -> LayerType:
    """Makes a layer class known to saved models by its name."""
    registry[cls.__name__] = cls
    return cls


class _Call(threading.local):
    training: bool | None = None  # what the layers inside the current call take `training` to be; None outside of any
    losses: list[tuple[Any, Tensor]] = []  # noqa: RUF012  what add_loss was given in the last outermost call
    custom_objects: dict[str, Any] = {}  # noqa: RUF012  classes and functions that the model being loaded may name too


call_state = _Call()
MISSING: Any = object()


def remember_own(name: str, item: Any) -> None:
    """Makes a class or function of the user's known to models that are loaded, under this name, in every thread."""
    _Call.custom_objects[name] = item


def class_named(name: Any) -> Any:
    """The layer class of a name in a saved model: one of Lamina's, or of those that the loading user gave.

    Raises:
        ValueError: if there is none.
    """
    known = {**registry, **call_state.custom_objects}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"unknown layer class {name!r}: if it is your own, pass custom_objects={{{str(name)!r}: ...}}")
    return known[name]


def signature_of(layer: type[Layer]) -> inspect.Signature:
    """What a class of layers is called with. inspect.signature tells of `__new__` where a base has `__init__`, before
    Python 3.11.4."""
    whole = inspect.signature(layer.__init__)
    return whole.replace(parameters=list(whole.parameters.values())[1:])


class Layer(Weighted):
    """A function with weights. A subclass gives `call`, and `build` where it has weights.

    ``build(self, input_shape)`` runs once, before the first call: it makes the weights with `add_weight`.
    ``call(self, x)`` computes; it may also take ``training`` and ``mask``. A layer inside another takes ``training``
    from the call around it where it is not said. Layers and variables found in attributes, and in lists and
    dictionaries there, belong to the layer.

    A mask says which steps of a sequence count. Tensors carry theirs from layer to layer: ``call`` gets it as ``mask``
    (or, for an argument called query, as ``query_mask``) where it names that. The output carries it on if the class
    sets ``supports_masking = True``, or carries what its ``compute_mask(self, x, mask=None)`` gives.

    Args:
        name: its name; by default that of its class with a number: dense, dense_1.
        trainable: whether training changes its weights.
        dtype: of weights and computation, "float32" or "float64" for example, or a policy for both, as
            "mixed_bfloat16": see `lamina.set_dtype_policy`, which is what None stands for. Inputs are cast to the one
            that it computes in.
        input_shape: the shape of one sample, without the batch: a Sequential that begins with this layer is then
            built at once. ``input_dim=n`` is short for ``input_shape=(n,)``.
        activity_regularizer: a penalty on the output, over the size of the batch, added to the loss.

    Called on symbolic tensors, as `Input` gives them, a layer gives symbolic tensors and remembers the call: `Model`
    makes a model of such a graph.

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

    autocast: bool = True  # False for layers that take integers as they are
    _in_float32: ClassVar[bool] = False  # whether it computes so under a policy of 16 bits too
    supports_masking: bool = False  # whether the mask of the input is that of the output too
    _takes_training: ClassVar[bool] = False
    _mask_arguments: ClassVar[MaskArguments] = MaskArguments(lambda self, x: None)
    _makes_masks: ClassVar[bool] = False  # whether compute_mask has something to say without a mask of the input too
    _takes_step_mask: ClassVar[bool] = False  # whether the mask that call takes is of the input's steps, (N, T)
    _mask_lost = False  # whether it was said that a mask ends here
    _tells_shape: bool = False  # whether there is a compute_output_shape of its own, not by trial

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]  # those of the constructor
    built = False
    _dtype: Any = None  # what it computes in; None until __init__ ran
    _policy: dtype_policies.DTypePolicy
    _build_shape: Any = None  # the input shape that build was given
    activity_regularizer: Any = None
    _nodes: list[Node] | tuple[()] = ()  # calls on symbolic tensors

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
        activity_regularizer: Any = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            known = [name for name in signature_of(type(self)).parameters if name not in ("args", "kwargs")]
            raise TypeError(
                f"{type(self).__name__}: unknown arguments {', '.join(unknown)}: it takes {', '.join(known)}, and "
                "what every layer takes (name, trainable, dtype, input_shape, input_dim, activity_regularizer)"
            )
        self.name = unique_name(snake_case(type(self).__name__)) if name is None else str(name)
        self._policy = _policy_of(dtype, self.name)
        if self._on_host and backend.is_narrow(self._policy.compute):  # the CPU has no use for less
            self._policy = dtype_policies.DTypePolicy("float32")
        self._dtype = self._policy.compute
        if input_dim is not None:
            input_shape = (input_dim,)
        self.batch_input_shape: Shape | None = None
        if input_shape is not None:
            self.batch_input_shape = (None, *sample_shape(input_shape, self.name))
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._trainable = bool(trainable)
        self._variables = []
        if backend.here is not None:
            self._device = backend.device_of(backend.here)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__:
            cls._takes_training = "training" in inspect.signature(cls.call).parameters
            cls._mask_arguments = cls.__dict__.get("_mask_arguments") or MaskArguments(cls.call)
        if "compute_mask" in cls.__dict__:
            cls.supports_masking = cls.__dict__.get("supports_masking", True)
            cls._makes_masks = cls.__dict__.get("_makes_masks", True)
        if "build" in cls.__dict__:
            cls.build = _recording_build(cls.build)  # type: ignore[method-assign]
        if "compute_output_shape" in cls.__dict__:
            cls._tells_shape = cls.__dict__.get("_tells_shape", True)

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
        single = is_shape(input_shape)
        shapes = shape_leaves(input_shape)
        if not shapes or any(not shape or None in shape[1:] for shape in shapes):
            raise ValueError(f"{self.name}: cannot tell the output shape for inputs of shape {input_shape}")
        like = self._like
        zeros = [Tensor(backend.zeros((1, *shape[1:]), self._dtype, like=like)) for shape in shapes]
        x = zeros[0] if single else map_shapes(lambda shape: zeros.pop(0), input_shape)
        with no_grad():
            y = self(x, training=False)
        return map_leaves(lambda t: (shapes[0][0], *t.shape[1:]), y)

    def flops(self, input_shape: Shape) -> int:
        """Floating-point operations for one sample of this shape (None, ...); a multiply-add counts as two."""
        return 0

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as values that JSON takes. By default those that it was called with."""
        if registry.get(type(self).__name__) is not type(self):
            return self._named_arguments()
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype_policy.name}
        if self.batch_input_shape is not None:
            config["input_shape"] = list(self.batch_input_shape[1:])
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def _named_arguments(self) -> dict[str, Any]:
        """What the constructor was called with, by name.

        Raises:
            TypeError: for arguments that have no name, which `from_config` could not pass again.
        """
        signature = signature_of(type(self))
        given = signature.bind(*self._arguments[0], **self._arguments[1]).arguments
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                given |= given.pop(name, {})
            elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY) and name in given:
                if "from_config" in vars(type(self)):
                    continue
                raise TypeError(f"{self.name}: get_config: {type(self).__name__}(...) takes {name!r} by place alone: "
                                "give it a name, or define get_config and from_config")  # fmt: skip
        return given

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made from what `get_config` gave."""
        return cls(**config)

    # Calling

    def __call__(self, x: Any = MISSING, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """The layer's output. `training` is also what every layer inside goes by."""
        if type(x) is not Tensor or x.array.dtype is not self._dtype:
            if x is MISSING:
                x, kwargs = self._first_by_name(kwargs)
            if has_symbols(x) or (args and has_symbols(args)) or (kwargs and has_symbols(kwargs)):
                return self._call_on_symbols((x, *args), kwargs, training)
            x = self._accept(x)
        elif (args and has_symbols(args)) or (kwargs and has_symbols(kwargs)):
            return self._call_on_symbols((x, *args), kwargs, training)
        if not self.built:
            self._build_for(x)
        arguments = self._mask_arguments
        mask = x._mask if type(x) is Tensor else masks_of(x)
        if kwargs or args:
            given = arguments.given(args, kwargs)
            mask = mask if given is None else given
        if mask is not None or arguments.others:
            arguments.fill(args, kwargs, mask)
        outer = call_state.training
        if outer is None:  # the outermost call
            call_state.training = bool(training)
            if call_state.losses:
                call_state.losses = []
        elif training is not None:
            call_state.training = training
        if self._takes_training:
            kwargs["training"] = call_state.training
        try:
            y = self._call_narrow(x, args, kwargs) if backend.narrow else self.call(x, *args, **kwargs)
            if self.activity_regularizer is not None:
                for output in leaves_of(y):  # a sample, so that the size of the batch does not matter
                    penalty = self.activity_regularizer(narrow.widened(output))  # sums pass what 16 bits hold
                    self.add_loss(penalty / max(1, output.shape[0] if output.ndim else 1))
            if mask is not None or self._makes_masks:
                self._mask_outputs(x, y, mask)
            return y
        except (TypeError, ValueError) as error:
            error.add_note(f"in {self.name} ({type(self).__name__}), called on {_described(x)}")
            raise
        finally:
            call_state.training = outer

    def _call_narrow(self, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`call` where floats of 16 bits are in use: its ops meet weights in the dtype that the layer computes in."""
        outer = narrow.scope.autocast
        rounds = self._policy.mixed and backend.is_narrow(self._dtype) and not self._in_float32
        narrow.scope.autocast = self._dtype if rounds else None
        try:
            if not self._in_float32:
                return self.call(x, *args, **kwargs)
            y = self.call(map_leaves(narrow.widened, x), *args, **kwargs)
            return map_leaves(lambda leaf: narrow.rounded(leaf, self._dtype), y)
        finally:
            narrow.scope.autocast = outer

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask of the output, or a structure of them, for inputs with this mask; None for no mask."""
        return mask

    def _mask_outputs(self, x: Any, y: Any, mask: Any) -> None:
        """Gives the outputs their masks."""
        if self.supports_masking:
            masks = self.compute_mask(x, mask)
            if masks is not None:
                hand_on(y, masks)
        elif mask is not None and not (self._mask_lost or self._mask_arguments.own) and masks_of(y) is None:
            self._mask_lost = True
            who = f"{self.name} ({type(self).__name__})"
            warnings.warn(f"{who} does not support masking: the mask of its input ends here", UserWarning, stacklevel=3)

    def _first_by_name(self, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What call takes first, where it was passed by name, and the others."""
        name = next(iter(inspect.signature(self.call).parameters), "x")
        if name not in kwargs:
            raise TypeError(f"{self.name}: called without {name}")
        return kwargs[name], {key: value for key, value in kwargs.items() if key != name}

    def _call_on_symbols(self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None) -> Any:
        """Records the call in the graph; builds the layer, computes nothing."""
        if not self.built:
            self._build_for(args[0])
        arguments = self._mask_arguments
        mask = arguments.given(args[1:], kwargs)
        mask = masks_of(args[0]) if mask is None else mask
        passed = kwargs
        if not self._tells_shape and (mask is not None or arguments.others):
            arguments.fill(args[1:], passed := {**kwargs}, mask)
        try:
            specs = self._output_specs(args, passed)
        except (TypeError, ValueError) as error:
            error.add_note(f"in {self.name} ({type(self).__name__}), called on {_described(args[0])}")
            raise
        if training is not None:
            kwargs = {**kwargs, "training": training}
        node = Node(self, args, kwargs)
        self._nodes = [*self._nodes, node]
        y = node.give(specs, self.name)
        if mask is not None or self._makes_masks:
            self._mask_outputs(args[0], y, mask)
        return y

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """(shape, dtype) of the outputs for symbolic tensors, or a structure of them."""
        if self._tells_shape and not has_symbols(args[1:]) and not has_symbols(kwargs):
            return specs_of(self.compute_output_shape(shapes_in(args[0])), self._dtype)
        with backend.device(self._device or "cpu"):
            return try_out(functools.partial(self, training=False), args, kwargs, self.name)

    def add_loss(self, loss: Any) -> None:
        """Called within `call`: adds a scalar tensor to the loss of this step."""
        if not isinstance(loss, Tensor):
            loss = Tensor(backend.as_array(loss, self._dtype, like=self._like))
        if loss.array.ndim:
            raise ValueError(f"{self.name}: add_loss expects one number, got shape {loss.shape}")
        if call_state.losses:
            call_state.losses.append((self, loss))
        else:
            call_state.losses = [(self, loss)]

    def _accept(self, x: Any) -> Any:
        """x as a tensor of the layer's dtype; lists, tuples and dictionaries of tensors or arrays entry by entry."""
        if isinstance(x, dict):
            return {key: self._accept(value) for key, value in x.items()}
        if isinstance(x, list | tuple) and any(isinstance(value, Tensor) or backend.is_array(value) for value in x):
            return type(x)([self._accept(value) for value in x])
        if not isinstance(x, Tensor):
            x = Tensor(backend.as_array(x, like=None if self._device is None or self._on_host else self._like))
        dtype = self._input_dtype
        if dtype is not None and self.autocast and x.dtype != dtype and not self._leaves_integers(x.dtype):
            mask = x._mask
            x = ops.cast(x, dtype) if x.requires_grad else Tensor(backend.cast(x.array, dtype))
            x._mask = mask
        return x

    @property
    def _input_dtype(self) -> Any:
        """The dtype that inputs are cast to; None until __init__ ran."""
        return backend.state_dtype(self._dtype) if self._in_float32 else self._dtype

    def _leaves_integers(self, dtype: np.dtype[Any]) -> bool:
        """Whether integers of this dtype stay so: 16 bits have no room for them, and a class of the user's own may hand
        them on to an Embedding."""
        if not backend.is_narrow(self._dtype) or dtype.kind not in "iu" or dtype.itemsize == 1:
            return False
        return registry.get(type(self).__name__) is not type(self)

    def _build_for(self, x: Any) -> None:
        if "name" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}.__init__ must begin with super().__init__()")
        if self._device is None:  # the weights are made where the first inputs are
            self._device = next((t.device for t in leaves_of(x) if isinstance(t, Tensor) and t.device != "cpu"), None)
        with no_grad():
            self.build(shape_of_batch(x))
        self.built = True

    @property
    def losses(self) -> list[Tensor]:
        """Scalar tensors: penalties of the regularizers, and what `add_loss` was given in the last call."""
        penalties = [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]
        if not call_state.losses:
            return penalties
        inside = set(self.layers_inside())
        return penalties + [loss for layer, loss in call_state.losses if layer in inside]

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
    def input(self) -> Any:
        """The symbolic tensor, or the structure of them, that the layer was first called on."""
        args = self._first_node("input").args
        return args[0] if len(args) == 1 else list(args)

    @property
    def output(self) -> Any:
        """The symbolic tensor, or the structure of them, that the first call gave."""
        return self._first_node("output").outputs

    def _first_node(self, what: str) -> Node:
        if not self._nodes:
            raise AttributeError(f"{self.name} has no {what}: it was never called on a symbolic tensor (Input(...))")
        return self._nodes[0]

    @property
    def dtype(self) -> str:
        """The dtype of its weights, as Keras has it."""
        return self.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that it computes in: inputs are cast to it."""
        return self._dtype.name

    @property
    def variable_dtype(self) -> str:
        """The dtype of its weights."""
        return self._variable_dtype.name

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        """The two together."""
        if self._policy.mixed or self._dtype.name not in dtype_policies.FLOATS:
            return self._policy
        return dtype_policies.DTypePolicy(self._dtype.name)

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._policy = _policy_of(value, self.name)
        self._dtype = self._policy.compute

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _policy_of(dtype: Any, name: str) -> dtype_policies.DTypePolicy:
    """The policy that a layer of this name was given as its dtype.

    Raises:
        ValueError: if it names none.
    """
    try:
        return dtype_policies.get(dtype)
    except (TypeError, ValueError):
        known = [*dtype_policies.FLOATS, *dtype_policies.MIXED]
        raise ValueError(f"{name}: dtype must be one of {known}, got {dtype!r}") from None


def _described(x: Any) -> str:
    return f"x of shape {x.shape}" if isinstance(x, Tensor | SymbolicTensor) else f"x of type {type(x).__name__}"


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
