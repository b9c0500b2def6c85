"""Tensor: an array, its gradient, and the node of the tape that made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import backend
from lamina.autograd import operators, tape
from lamina.autograd.row_sparse import RowSparse

if TYPE_CHECKING:
    from lamina.autograd.function import Function


class Tensor:
    """An array on the tape. Make one with `lamina.tensor`; operators and methods are those of `lamina.ops`.

    Attributes:
        array: the NumPy (or CuPy) array itself. Treat it as read-only while a tape refers to it.
        requires_grad: whether `backward` shall leave a gradient here, or passes through.
        node: the Function whose output this is; None for a leaf.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad.numpy().tolist()
        [2.0, 4.0]
    """

    __slots__ = ("__weakref__", "_grad_tensor", "_mask", "array", "grad_array", "node", "output", "requires_grad")
    _grad_tensor: Tensor  # the gradient with its own tape: only after backward(create_graph=True)
    __array_priority__ = 1000  # numpy_array + tensor is a tensor

    def __init__(self, array: Any, requires_grad: bool = False, node: Function | None = None, output: int = 0) -> None:
        self.array = array
        self.requires_grad = requires_grad
        self.node = node
        self.output = output  # which of the node's outputs
        self.grad_array: Any = None
        self._mask: Any = None  # which steps of a sequence count; layers hand it on, ops drop it

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def size(self) -> int:
        return self.array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def device(self) -> str:
        return backend.device_of(self.array)

    @property
    def is_leaf(self) -> bool:
        return self.node is None

    @property
    def _keras_mask(self) -> Any:
        """The mask, by the name that Keras's code asks for it."""
        return self._mask

    def __len__(self) -> int:
        return len(self.array)

    def __repr__(self) -> str:
        grad = ", requires_grad=True" if self.requires_grad else ""
        text = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        return f"tensor({text}, dtype={self.dtype.name}{grad})"

    # Out of the tape

    def numpy(self) -> np.ndarray[Any, Any]:
        """The values as a NumPy array: no copy on the CPU; from a GPU a copy, for which the program waits."""
        array = self.array
        return array if type(array) is np.ndarray else backend.to_host(array)

    def to(self, device: str) -> Tensor:
        """This tensor on a device, "cpu" or "cuda": itself if it is there. Gradients flow back to where it was."""
        return operators.to(self, device)

    def cpu(self) -> Tensor:
        """This tensor on the CPU; see `to`."""
        return operators.to(self, "cpu")

    def cuda(self) -> Tensor:
        """This tensor on the GPU; see `to`."""
        return operators.to(self, "cuda")

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if self.size != 1:
            raise ValueError(f"item: expected a tensor of one element, got shape {self.shape}")
        return self.array.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a tensor without axes")
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        """A tensor of one element is formatted as its number: f"{loss:.4f}"."""
        return format(self.item(), spec) if spec else str(self)

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def detach(self) -> Tensor:
        """The same array, off the tape."""
        return Tensor(self.array)

    # Gradients

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, summed over calls; None before."""
        array = self.grad_array
        if type(array) is RowSparse:
            lazy, array = array.lazy, array.dense()
            if not lazy:  # what is written to it from here on counts
                self.grad_array = array
        if array is None:
            return None
        graph = getattr(self, "_grad_tensor", None)
        return graph if graph is not None and graph.array is array else Tensor(array)

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self.grad_array = None
            return
        backend.refuse_mixed("grad", tensor=self.array, gradient=getattr(value, "array", None))
        array = backend.as_array(getattr(value, "array", value), self.dtype, like=self.array)
        if array.shape != self.shape:
            raise ValueError(f"grad: expected shape {self.shape}, got {array.shape}")
        self.grad_array = backend.contiguous(array)

    def zero_grad(self) -> None:
        """Forgets the gradient."""
        self.grad_array = None

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Runs the tape backwards from here and adds gradients to every leaf that requires them.

        Args:
            gradient: d(loss)/d(self), of this tensor's shape, and cast to its dtype; may be left out for a tensor of
                one element (then 1).
            retain_graph: keep what the ops saved, so that backward can run again.
            create_graph: record how the gradients come about, so that they have gradients themselves (gradient
                penalties need that): ``x.grad`` is then a tensor on the tape, and the graph is retained. See also
                `lamina.grad`, which leaves nothing in the leaves.

        Raises:
            RuntimeError: if nothing on the tape led here, or its graph was freed by an earlier call.
            ValueError: if the gradient is missing or has another shape.
            NotImplementedError: with create_graph, for an op whose rule is not made of ops: it is named.
        """
        if not create_graph:
            tape.backward(self, gradient, retain_graph)
            return
        for leaf, grad in tape.graph_backward(self, self._starting_gradient(gradient))[0].items():
            if leaf.grad_array is not None:
                grad = operators.add(leaf.grad, grad)
            leaf.grad_array, leaf._grad_tensor = grad.array, grad

    def _starting_gradient(self, gradient: Any) -> Tensor:
        """What backward begins with, as a tensor: that which was given, if it will do, with the tape that it is on."""
        array = tape.starting_gradient(self, gradient)
        if not isinstance(gradient, Tensor):
            return Tensor(array)
        return gradient if gradient.dtype == self.dtype else operators.cast(gradient, self.dtype)

    # Operators

    def __add__(self, other: Any) -> Tensor:
        return operators.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return operators.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return operators.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return operators.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return operators.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return operators.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return operators.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return operators.divide(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return operators.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return operators.power(other, self)

    def __neg__(self) -> Tensor:
        return operators.negative(self)

    def __matmul__(self, other: Any) -> Tensor:
        return operators.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return operators.matmul(other, self)

    # Comparison gives tensors of booleans, element by element; a tensor is hashed as the object that it is.

    __hash__ = object.__hash__

    def __eq__(self, other: Any) -> Any:
        return operators.equal(self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: Any) -> Any:
        return operators.not_equal(self, other) if _comparable(other) else NotImplemented

    def __lt__(self, other: Any) -> Tensor:
        return operators.less(self, other)

    def __le__(self, other: Any) -> Tensor:
        return operators.less_equal(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return operators.greater(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return operators.greater_equal(self, other)

    def __mod__(self, other: Any) -> Tensor:
        return operators.mod(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return operators.mod(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return operators.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return operators.floor_divide(other, self)

    def __and__(self, other: Any) -> Tensor:
        return operators.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Tensor:
        return operators.bitwise_and(other, self)

    def __or__(self, other: Any) -> Tensor:
        return operators.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Tensor:
        return operators.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Tensor:
        return operators.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return operators.bitwise_xor(other, self)

    def __invert__(self) -> Tensor:
        return operators.bitwise_not(self)

    def __abs__(self) -> Tensor:
        return operators.abs(self)

    def __getitem__(self, key: Any) -> Tensor:
        return operators.getitem(self, key)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return operators.sum(self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return operators.mean(self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return operators.max(self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return operators.min(self, axis, keepdims)

    def reshape(self, *shape: Any) -> Tensor:
        return operators.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        return operators.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    @property
    def T(self) -> Tensor:
        return operators.transpose(self, None)

    def astype(self, dtype: Any) -> Tensor:
        return operators.cast(self, dtype)


def _comparable(other: Any) -> bool:
    """Whether == compares element by element: None, words and the like are simply not equal."""
    return isinstance(other, Tensor | np.generic | int | float | list | tuple) or backend.is_array(other)


def tensor(value: Any, requires_grad: bool = False, device: str | None = None, dtype: Any = None) -> Tensor:
    """A tensor of an array or nested list.

    Python floats become float32; arrays keep their dtype and, where they are on the device already, their memory.

    Args:
        value: anything that NumPy takes, an array of CuPy, or a Tensor.
        requires_grad: whether `backward` shall leave a gradient in it.
        device: "cpu" or "cuda". By default a tensor, or an array of a GPU, stays where it is; anything else goes to
            the device that `lamina.device` set.
        dtype: another dtype than the value's own.

    Raises:
        TypeError: if the values are no numbers, or gradients are asked of integers.
        ValueError: for an unknown device.
        RuntimeError: for "cuda", if there is no GPU, or what it needs is missing.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad.numpy().tolist()
        [2.0, 4.0, 6.0]
    """
    if isinstance(value, Tensor):
        array = backend.as_array(value.array, dtype)
    else:
        array = backend.as_array(value, dtype, like=backend.here if device is None else None)
    if device is not None:
        array = backend.moved(array, backend.on(device))
    if requires_grad and not backend.is_float(array.dtype):
        raise TypeError(f"tensor: only floating-point tensors can require gradients, got {array.dtype}")
    return Tensor(array, requires_grad)


def from_dlpack(value: Any) -> Tensor:
    """A tensor over the memory of another library's array: PyTorch's, JAX's, CuPy's, NumPy's. Nothing is copied.

    What is written to one is seen by the other. Work that either has put on the GPU is waited for in the order of the
    current stream, not by the program. Back again: ``torch.from_dlpack(tensor)``, ``numpy.from_dlpack(tensor)``.

    Args:
        value: an array with ``__dlpack__``, on the CPU or an NVIDIA GPU.

    Raises:
        TypeError: if it has none, or holds no numbers.
        RuntimeError: if it is on a GPU, and Lamina has none: says what to install.

    Example:
        >>> import lamina as lm, numpy as np
        >>> array = np.zeros(2, "float32")
        >>> x = lm.from_dlpack(array)
        >>> array[0] = 7
        >>> x.numpy().tolist()
        [7.0, 0.0]
    """
    if not hasattr(value, "__dlpack__") or not hasattr(value, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: expected an array with __dlpack__, got {type(value).__name__}")
    return Tensor(backend.as_array(backend.from_dlpack(value)))


def as_tensor(value: Any, like: Tensor | None = None) -> Tensor:
    """The value if it is a Tensor, else a tensor of it, on the device of `like` (without it, the default one).

    Python numbers take the dtype of `like` if it can hold them, and so do lists of Python floats.
    """
    if isinstance(value, Tensor):
        return value
    if like is None:
        return Tensor(backend.as_array(value, like=backend.here))
    array = like.array
    dtype = array.dtype
    if isinstance(value, bool | int | float):
        fits = backend.is_float(dtype) or (dtype.kind in "iu" and not isinstance(value, float))
        return Tensor(backend.scalar(value, array) if fits else backend.as_array(value, like=array))
    return Tensor(backend.as_array(value, floats=dtype if backend.is_float(dtype) else backend.float32, like=array))


def as_tensors(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors. What is Python's own takes the dtype of the other if that can hold it; see `as_tensor`."""
    if isinstance(a, Tensor):
        return a, as_tensor(b, like=a)
    if isinstance(b, Tensor) or hasattr(b, "dtype"):
        b = as_tensor(b)
        return as_tensor(a, like=b), b
    a = as_tensor(a)
    return a, as_tensor(b, like=a)


def as_tensor_list(values: Sequence[Any]) -> list[Tensor]:
    """Each as a tensor. What is Python's own takes the dtype of the first that has one; see `as_tensor`."""
    like = next((as_tensor(v) for v in values if hasattr(v, "dtype")), None)
    return [as_tensor(v, like) for v in values]
