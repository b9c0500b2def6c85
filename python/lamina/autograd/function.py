"""Function: one op on the tape, its forward and its gradient rule side by side."""

from __future__ import annotations

import inspect
import re
from typing import Any

from lamina import backend
from lamina.autograd.tape import numbers, state
from lamina.autograd.tensor import Tensor


class Function:
    """An op. A subclass has two methods over plain arrays; `apply` runs it and puts it on the tape.

    ``forward(self, *arrays, *parameters)`` returns one array, or a tuple of them. It keeps what its gradient needs in
    ``self.saved``; ``self.needs[i]`` says whether input i wants a gradient, ``self.recording`` whether any does
    (if not, nothing needs to be saved).

    ``backward(self, dy)`` takes the gradient of each output (None for an output of several that nothing used) and
    returns a gradient an input, or None where there is none. It never writes to what it is given: the same array may
    be somebody else's gradient too.
    """

    __slots__ = ("freed", "inputs", "needs", "number", "outputs", "parameters", "recording", "saved")
    takes_unpooled = False  # whether backward knows gradients that are `Unpooled`
    takes_unsummed = False  # whether backward knows gradients that are `Unsummed`
    linear = False  # whether the one output is linear in the one input: then nothing else is needed for create_graph
    freed: bool
    inputs: tuple[Tensor | None, ...]
    needs: list[bool]
    number: int  # greater than the numbers of the nodes that it came from
    outputs: int
    parameters: tuple[Any, ...]  # of a linear function
    recording: bool
    saved: Any

    def forward(self, *args: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, *grads: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def graph_backward(self, *grads: Any) -> Any:
        """The same rule made of ops, on tensors: what `create_graph` records, so that it has gradients itself.

        It finds the inputs in ``self.inputs``; `output` gives an output as the tensor that it was.
        """
        if not self.linear:
            raise NotImplementedError(
                f"backward: {self.op_name()} has no rule made of ops, so create_graph finds no gradients of its "
                "gradients"
            )
        return AdjointFunction.apply(grads, self)

    def output(self, array: Any, i: int = 0) -> Tensor:
        """The tensor that this function gave, by its array."""
        return Tensor(array, True, self, i)

    @classmethod
    def op_name(cls) -> str:
        """The name of the op, for messages: ConvolutionFunction is "convolution"."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__.removesuffix("Function")).lower()

    @classmethod
    def apply(cls, inputs: tuple[Tensor | None, ...], *parameters: Any) -> Any:
        """Runs forward on the inputs' arrays and the parameters; records the node where gradients are wanted."""
        self = cls()
        arrays: list[Any] = []
        needs: list[bool] = []
        for tensor in inputs:
            if tensor is None:
                arrays.append(None)
                needs.append(False)
            else:
                arrays.append(tensor.array)
                needs.append(tensor.requires_grad)
        if backend.cuda is not None:
            cls._refuse_mixed(arrays)
        recording = True in needs and state.recording
        self.needs = needs if recording else [False] * len(needs)
        self.recording = recording
        result = self.forward(*arrays, *parameters)
        several = isinstance(result, tuple)
        if not recording:
            return tuple([Tensor(array) for array in result]) if several else Tensor(result)
        self.inputs = inputs
        self.freed = False
        self.number = next(numbers)
        if cls.linear:
            self.parameters = parameters
        self.outputs = len(result) if several else 1
        if several:
            return tuple([Tensor(array, True, self, i) for i, array in enumerate(result)])
        return Tensor(result, True, self)

    @classmethod
    def _refuse_mixed(cls, arrays: list[Any]) -> None:
        """Raises TypeError unless all arrays are on one device, in the words of the op: its name, its arguments."""
        if len({type(array) for array in arrays if array is not None}) < 2:
            return
        op = cls.op_name()
        names: list[str] = []
        for parameter in [*inspect.signature(cls.forward).parameters.values()][1:]:
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                names += [f"{parameter.name}[{i}]" for i in range(len(arrays) - len(names))]
            else:
                names.append(parameter.name)
        backend.refuse_mixed(op, **dict(zip(names, arrays, strict=False)))

    def free(self) -> None:
        """Drops what backward needed, as it goes."""
        self.freed = True
        self.saved = None
        self.inputs = ()


class AdjointFunction(Function):
    """The gradient of a linear function: linear too, and its gradient is the function itself."""

    def forward(self, dy: Any, node: Function) -> Any:
        self.saved = node
        dx = node.backward(dy)
        return dx[0] if isinstance(dx, tuple) else dx

    def backward(self, d: Any) -> Any:
        node = self.saved
        again = type(node)()
        again.needs, again.recording = [False], False
        return again.forward(d, *node.parameters)

    def graph_backward(self, d: Any) -> Any:
        return type(self.saved).apply((d,), *self.saved.parameters)
