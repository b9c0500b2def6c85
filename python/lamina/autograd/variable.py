"""Variable: a tensor that a layer, an optimizer or a metric owns."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.row_sparse import RowSparse
from lamina.autograd.tensor import Tensor


class _Placement:
    """A new version whenever a variable anywhere went to another device: lists of arrays made before are stale."""

    version: object = object()


placement = _Placement()


class Variable(Tensor):
    """A leaf that training changes: a weight of a layer.

    Attributes:
        name: what it is within its layer ("kernel").
        trainable: whether optimizers may change it. The layer's own `trainable` counts as well.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([1.0, 2.0], name="scale")
        >>> w.assign([3.0, 4.0]).numpy().tolist()
        [3.0, 4.0]
    """

    __slots__ = ("autocast", "constraint", "name", "path", "regularizer", "trainable")

    def __init__(self, value: Any, name: str = "variable", trainable: bool = True) -> None:
        array = backend.as_array(getattr(value, "array", value), like=backend.here)
        super().__init__(backend.from_pool(array), requires_grad=trainable)
        self.name = name
        self.path = name
        self.trainable = trainable
        self.autocast = True  # whether ops within a layer of a mixed policy meet it in 16 bits
        self.regularizer: Any = None
        self.constraint: Any = None

    def assign(self, value: Any) -> Variable:
        """Overwrites the values, in place.

        Raises:
            ValueError: if the shape differs.
        """
        array = value.array if isinstance(value, Tensor) else backend.as_array(value)
        if array.shape != self.shape:
            raise ValueError(f"assign: {self.path} has shape {self.shape}, got {array.shape}")
        self.array[...] = backend.moved(array, self.array)
        return self

    def place(self, device: str) -> None:
        """Moves the values and the gradient to a device, "cpu" or "cuda": the variable stays the same one."""
        like = backend.on(device)
        if self.device == backend.device_name(device):
            return
        self.array = backend.from_pool(backend.moved(self.array, like))
        grad = self.grad_array
        if grad is not None:
            self.grad_array = grad.moved(like) if type(grad) is RowSparse else backend.moved(grad, like)
        placement.version = object()

    def assign_add(self, value: Any) -> Variable:
        """Adds to the values, in place; arguments as in `assign`."""
        return self.assign(self.array + self._change(value))

    def assign_sub(self, value: Any) -> Variable:
        """Subtracts from the values, in place; arguments as in `assign`."""
        return self.assign(self.array - self._change(value))

    def _change(self, value: Any) -> Any:
        array = value.array if isinstance(value, Tensor) else backend.as_array(value)
        return backend.moved(array, self.array).astype(self.dtype, copy=False)

    @property
    def value(self) -> Variable:
        """The variable itself: in Keras the tensor inside."""
        return self

    def __repr__(self) -> str:
        return f"<Variable {self.path} shape={self.shape} dtype={self.dtype.name}>"
