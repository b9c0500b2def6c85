"""Symbolic tensors: a shape and a dtype without values, and the graph of calls that they come from.

Ops of `lamina.ops` that meet one record a node instead of computing. An op is remembered by its public name, which is
all that a saved graph holds of it: no code.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd import narrow, operators
from lamina.autograd.structures import leaves_of as leaves_of
from lamina.autograd.structures import map_leaves as map_leaves
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable

public_ops: dict[str, Callable[..., Any]] = {}  # what a graph may name
numbers = itertools.count()  # of nodes: each is greater than those it came from

# What sizes of None stand for in a trial, batch and others: two trials, whose shapes differ where any size may come.
TRIALS = (((2, 48), (4, 96)), ((2, 240), (4, 480)), ((2, 8), (4, 16)))


class Op:
    """An op of `lamina.ops` in a graph."""

    __slots__ = ("function", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.function = public_ops[name]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if backend.narrow:
            return narrow.call(self.name, self.function, args, kwargs)
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"ops.{self.name}"


class Node:
    """One call of a layer or an op on symbolic tensors.

    Attributes:
        operation: the layer, or an Op.
        args, kwargs: what it was called with; symbolic tensors anywhere inside.
        inputs: the symbolic tensors among them, in order.
        outputs: a symbolic tensor, or a structure of them.
        number: greater than those of the nodes that the inputs came from.
    """

    __slots__ = ("args", "inputs", "kwargs", "number", "operation", "outputs")

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.operation = operation
        self.args, self.kwargs = args, kwargs
        self.inputs = symbols_in((args, kwargs))
        self.outputs: Any = None
        self.number = next(numbers)

    def give(self, specs: Any, name: str) -> Any:
        """Makes the outputs for a structure of (shape, dtype), and returns them."""
        places = itertools.count()
        self.outputs = map_specs(lambda spec: SymbolicTensor(spec[0], spec[1], name, self, next(places)), specs)
        return self.outputs


class SymbolicTensor:
    """A tensor without values: what `lamina.layers.Input` gives, and layers and ops called on it.

    Attributes:
        shape: sizes; None where any may come, as the batch in (None, 28, 28, 1).
        dtype: NumPy's.
        name: that of what made it.
        node: the call that made it.
        index: which of its outputs.
    """

    __slots__ = ("__weakref__", "_mask", "dtype", "index", "name", "node", "shape")
    __array_ufunc__ = None  # array + symbol is a symbol

    def __init__(self, shape: Any, dtype: Any, name: str, node: Node | None = None, index: int = 0) -> None:
        self.shape: tuple[Any, ...] = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.name = name
        self.node = node
        self.index = index
        self._mask: Any = None  # the symbolic mask, where layers made one

    @property
    def _keras_mask(self) -> Any:
        """The mask, by the name that Keras's code asks for it."""
        return self._mask

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<SymbolicTensor {self.name} shape={self.shape} dtype={self.dtype.name}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(f"{self!r} has no values: it takes part in ops of lamina.ops and layers, and in a Model")

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no values to decide by")

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError(f"{self!r} has no length yet")
        return int(self.shape[0])

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} cannot be iterated over; take lamina.ops.split")

    def __add__(self, other: Any) -> Any:
        return operators.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return operators.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return operators.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return operators.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return operators.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return operators.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return operators.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return operators.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return operators.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return operators.power(other, self)

    def __neg__(self) -> Any:
        return operators.negative(self)

    def __matmul__(self, other: Any) -> Any:
        return operators.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return operators.matmul(other, self)

    def __eq__(self, other: Any) -> Any:
        return operators.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return operators.not_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return operators.less(self, other)

    def __le__(self, other: Any) -> Any:
        return operators.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return operators.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return operators.greater_equal(self, other)

    __hash__ = object.__hash__

    def __mod__(self, other: Any) -> Any:
        return operators.mod(self, other)

    def __rmod__(self, other: Any) -> Any:
        return operators.mod(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return operators.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return operators.floor_divide(other, self)

    def __and__(self, other: Any) -> Any:
        return operators.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Any:
        return operators.bitwise_and(other, self)

    def __or__(self, other: Any) -> Any:
        return operators.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Any:
        return operators.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Any:
        return operators.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Any:
        return operators.bitwise_xor(other, self)

    def __invert__(self) -> Any:
        return operators.bitwise_not(self)

    def __abs__(self) -> Any:
        return operators.abs(self)

    def __getitem__(self, key: Any) -> Any:
        return operators.getitem(self, key)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return operators.sum(self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        return operators.mean(self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        return operators.max(self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        return operators.min(self, axis, keepdims)

    def reshape(self, *shape: Any) -> Any:
        return operators.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        return operators.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    @property
    def T(self) -> Any:
        return operators.transpose(self, None)

    def astype(self, dtype: Any) -> Any:
        return operators.cast(self, dtype)


# Structures: lists, tuples and dictionaries


def symbols_in(data: Any) -> list[SymbolicTensor]:
    """All symbolic tensors, in order."""
    return [leaf for leaf in leaves_of(data) if isinstance(leaf, SymbolicTensor)]


def has_symbols(data: Any) -> bool:
    """Whether there is a symbolic tensor anywhere."""
    kind = type(data)
    if kind is SymbolicTensor:
        return True
    if kind is list or kind is tuple:
        return any(has_symbols(value) for value in data)
    if kind is dict:
        return any(has_symbols(value) for value in data.values())
    return False


def is_spec(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], np.dtype)


def map_specs(function: Callable[[Any], Any], specs: Any) -> Any:
    """The function of each (shape, dtype) in a structure."""
    if is_spec(specs):
        return function(specs)
    if isinstance(specs, dict):
        return {key: map_specs(function, value) for key, value in specs.items()}
    return type(specs)([map_specs(function, value) for value in specs])


# Trials


def try_out(function: Callable[..., Any], args: Any, kwargs: Any, who: str) -> Any:
    """What the function gives for symbolic tensors: a structure of (shape, dtype), found by running it on ones.

    Raises:
        TypeError: if it gives something other than tensors.
    """
    symbols = symbols_in((args, kwargs))
    trials = TRIALS if any(None in t.shape[1:] for t in symbols) else TRIALS[:1]
    if not any(None in t.shape for t in symbols):
        return _trial(function, args, kwargs, (1, 1), who)
    error: Exception | None = None
    for one, other in trials:
        try:
            first, second = (_trial(function, args, kwargs, sizes, who) for sizes in (one, other))
        except (ValueError, TypeError, IndexError) as problem:
            error = error or problem
        else:
            return _united(first, second)
    assert error is not None
    raise error


def _trial(function: Callable[..., Any], args: Any, kwargs: Any, sizes: tuple[int, int], who: str) -> Any:
    def filled(leaf: Any) -> Any:
        if not isinstance(leaf, SymbolicTensor):
            return leaf
        shape = tuple([sizes[i > 0] if n is None else n for i, n in enumerate(leaf.shape)])
        if leaf.dtype.kind == "U":  # strings never are tensors
            return np.zeros(shape, leaf.dtype)
        return Tensor(backend.full(shape, 1 if backend.is_float(leaf.dtype) else 0, leaf.dtype, like=backend.here))

    def spec(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            raise TypeError(f"{who}: gives {type(leaf).__name__} for symbolic tensors, which cannot be part of a graph")
        return leaf.shape, leaf.dtype

    with no_grad(), np.errstate(all="ignore"):
        return map_leaves(spec, function(*map_leaves(filled, args), **map_leaves(filled, kwargs)))


def _united(first: Any, second: Any) -> Any:
    """One structure of specs, with None where two trials differ."""
    if is_spec(first):
        (a, dtype), (b, _) = first, second
        if len(a) != len(b):
            raise ValueError(f"the number of dimensions depends on the size of the batch: got {a} and {b}")
        return tuple([m if m == n else None for m, n in zip(a, b, strict=True)]), dtype
    if isinstance(first, dict):
        return {key: _united(value, second[key]) for key, value in first.items()}
    return type(first)([_united(a, b) for a, b in zip(first, second, strict=True)])


# Ops


def record(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The symbolic result of an op."""
    if any(isinstance(leaf, Variable) for leaf in leaves_of((args, kwargs))):
        raise TypeError(f"{name}: weights and symbolic tensors meet in layers only; make a Layer that holds the weight")
    op = Op(name)
    return Node(op, args, kwargs).give(try_out(op, args, kwargs, name), name)


def accept(namespace: dict[str, Any]) -> None:
    """Has all public functions of a module, those of `lamina.ops`, take symbolic tensors too."""
    made: dict[Any, Any] = {}  # two names of one function stay one
    for name, function in list(namespace.items()):
        if isinstance(function, FunctionType) and not name.startswith("_"):
            public_ops[name] = function
            if function not in made:
                made[function] = _accepting(name, function)
            namespace[name] = made[function]


def _accepting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; where it fails on symbolic tensors, as all do, it is recorded. Others pay for a call, no more.

    Once floats of 16 bits are in use, they are looked for; see autograd/narrow.py.
    """

    @functools.wraps(function)
    def op(*args: Any, **kwargs: Any) -> Any:
        if backend.narrow:
            return with_narrow(args, kwargs)
        try:
            return function(*args, **kwargs)
        except Exception:
            if not has_symbols((args, kwargs)):
                if backend.narrow:  # which came into use in this very call
                    return with_narrow(args, kwargs)
                raise
        return record(name, args, kwargs)

    def with_narrow(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return narrow.call(name, function, args, kwargs)
        except Exception:
            if not has_symbols((args, kwargs)):
                raise
        return record(name, args, kwargs)

    return op
