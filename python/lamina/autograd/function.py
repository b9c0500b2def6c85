"""Function: one op on the tape, its forward and its gradient rule side by side."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tape import state
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

    __slots__ = ("freed", "grads", "inputs", "needs", "number", "recording", "saved")
    freed: bool
    grads: list[Any]
    inputs: tuple[Tensor | None, ...]
    needs: tuple[bool, ...]
    number: int
    recording: bool
    saved: Any

    def forward(self, *args: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, *grads: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.backward")

    @classmethod
    def apply(cls, inputs: tuple[Tensor | None, ...], *parameters: Any) -> Any:
        """Runs forward on the inputs' arrays and the parameters; records the node where gradients are wanted."""
        self = cls()
        if state.recording:
            self.needs = needs = tuple([t is not None and t.requires_grad for t in inputs])
            self.recording = recording = True in needs
        else:
            self.needs = (False,) * len(inputs)
            self.recording = recording = False
        result = self.forward(*[None if t is None else t.array for t in inputs], *parameters)
        if not recording:
            return tuple([Tensor(array) for array in result]) if isinstance(result, tuple) else Tensor(result)
        self.inputs = inputs
        self.freed = False
        state.count = self.number = state.count + 1
        if isinstance(result, tuple):
            self.grads = [None] * len(result)
            return tuple([Tensor(array, True, self, i) for i, array in enumerate(result)])
        self.grads = [None]
        return Tensor(result, True, self)

    def free(self) -> None:
        """Drops what backward needed, as it goes."""
        self.freed = True
        self.saved = None
        self.inputs = ()
