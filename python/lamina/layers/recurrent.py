"""RNN: any cell, run over sequences. Lamina's own cells run in one op, others step by step."""

from __future__ import annotations

from typing import Any

from lamina import backend, ops, recording
from lamina.autograd.symbolic import SymbolicTensor, leaves_of, map_leaves
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.autograd.variable import Variable
from lamina.layers.layer import Layer, register, registry
from lamina.layers.masks import step_mask
from lamina.layers.recurrent_base import RecurrentCell
from lamina.layers.recurrent_stack import (
    StackedRNNCells,
    check_cell,
    dtype_of,
    output_size_of,
    sizes_of,
    told,
    zero_states,
)
from lamina.layers.shapes import Shape


@register
class RNN(Layer):
    """Runs a cell over sequences (N, T, ...), step by step.

    A cell is anything that is called as ``cell(x, states)`` on one step x (N, ...) and a list of states, gives
    ``(output, new states)``, and has a ``state_size``: an integer, or a list of them. Best is a Layer, whose weights
    are then trained; `SimpleRNNCell`, `LSTMCell`, `GRUCell` and `StackedRNNCells` are cells.

    The layer is called as ``layer(x, mask=None, initial_state=None)``. Where the mask (N, T) is False a step is passed
    over: states stay, and the output is that of the step before, or 0 where there was none.

    Args:
        cell: the cell.
        return_sequences: whether the outputs of all steps are given, (N, T, outputs), or the last one's, (N, outputs).
        return_state: whether the last states are given too: (output, state, ...).
        go_backwards: whether steps are taken from the last to the first; outputs come in the order of the steps taken.
        stateful: whether sequence n of a batch goes on from the states that sequence n of the batch before ended with;
            until `reset_state`. All batches must be of one size.
        unroll: accepted for Keras's sake; it changes nothing.
        zero_output_for_mask: whether the outputs of masked steps are 0.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: those of the cell.

    SimpleRNNCell, LSTMCell and GRUCell with the activations that they come with (the first also with relu, sigmoid and
    linear) run in one op, forward and backward, stacked ones in one each; other cells step by step.

    Raises:
        TypeError: if the cell is none.
        ValueError: if the cell's dtype is another than the layer's; in a call, for states of another number or shape,
            masks of another shape, and, if stateful, for another batch size.

    Example of a cell of one's own:
        >>> import lamina as lm
        >>> class Sum(lm.layers.Layer):
        ...     state_size = 1
        ...     def call(self, x, states):
        ...         total = states[0] + x
        ...         return total, [total]
        >>> x = lm.tensor([[[1.0], [2.0], [3.0]]])
        >>> lm.layers.RNN(Sum(), return_sequences=True)(x).numpy().ravel().tolist()
        [1.0, 3.0, 6.0]
    """

    supports_masking = True
    _makes_masks = False
    _takes_step_mask = True
    _states: list[Any] | None = None

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        cell = StackedRNNCells(cell) if isinstance(cell, list | tuple) else check_cell(cell, type(self).__name__)
        super().__init__(**dtype_of(cell, kwargs))
        if isinstance(cell, Layer) and cell.dtype_policy != self.dtype_policy:
            raise ValueError(
                f"{self.name}: the cell computes in {cell.dtype_policy.name}, the layer in {self.dtype_policy.name}: "
                "give both one"
            )
        self.cell = cell
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.state_size = sizes_of(self.cell, self.name)

    def build(self, input_shape: Any, initial_state_shape: Any = None) -> None:
        if len(input_shape) < 3:
            raise ValueError(f"{self.name}: x must have shape (N, T, features), got {input_shape}")
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((input_shape[0], *input_shape[2:]))

    # States

    @property
    def states(self) -> list[Any] | None:
        """The states that the next batch goes on from, if stateful and called before; else None."""
        return self._states

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states that sequences begin with."""
        return zero_states(self.cell, batch_size, self._dtype)

    def reset_state(self) -> None:
        """Has the next batch begin anew. The size of a batch stays."""
        for variable in leaves_of(self._states or []):
            # another array: a tape may hold the old one
            variable.array = backend.zeros(variable.shape, variable.dtype, like=variable.array)

    def _follow_to(self, device: str) -> None:
        for variable in leaves_of(self._states or []):
            variable.place(device)

    def reset_states(self) -> None:
        """Another name for `reset_state`."""
        self.reset_state()

    def _first_states(self, given: Any, x: Any) -> list[Any] | None:
        """The states to begin with: those that were passed, those of the batch before, or None for zeros."""
        batch = x.shape[0]
        before = self._states
        if self.stateful:
            if before is None:
                zeros = map_leaves(lambda t: ops.to(t, x.device), self.get_initial_state(batch))
                self._states = before = map_leaves(lambda t: Variable(t.array, "rnn_state", False), zeros)
            known = leaves_of(before)[0].shape[0]
            if known != batch:
                raise ValueError(
                    f"{self.name}: a stateful layer takes batches of one size: it has states for {known} sequences, "
                    f"got {batch}"
                )
            if given is None:
                return map_leaves(lambda v: Tensor(v.array), before)
        return None if given is None else self.checked_states(given, x)

    def checked_states(self, given: Any, x: Any) -> list[Any]:
        """States that the caller passed, as tensors of the layer's dtype.

        Raises:
            ValueError: if there are more or fewer, or in other shapes.
        """
        batch = x.shape[0]
        shapes = self._state_shapes(x.shape)
        sizes = leaves_of(shapes)
        own = isinstance(self.cell, RecurrentCell | StackedRNNCells)  # of others' states more axes may be unknown
        flat = leaves_of(list(given) if isinstance(given, list | tuple) else [given])
        wanted = ", ".join(str(("N" if batch is None else batch, *n.sizes)).replace("'", "") for n in sizes)
        if len(flat) != len(sizes):
            raise ValueError(f"{self.name}: initial_state must be {len(sizes)} tensors, {wanted}; got {len(flat)}")
        states = []
        for state, n in zip(flat, sizes, strict=True):
            if not isinstance(state, SymbolicTensor):
                state = as_tensor(state, like=x) if isinstance(x, Tensor) else as_tensor(state)
            known = state.shape if own or len(state.shape) < 3 else (state.shape[0], *n.sizes)
            if not _fits(known, (batch, *n.sizes)):
                raise ValueError(f"{self.name}: initial_state must have shapes {wanted}, got {tuple(state.shape)}")
            states.append(state if isinstance(state, SymbolicTensor) else ops.cast(state, self._dtype))
        return map_leaves(lambda _: states.pop(0), shapes)

    def _keep_states(self, states: list[Any]) -> None:
        """Remembers copies of the last states, in other arrays: a tape may hold the old ones."""
        recording.refuse(f"{self.name}: states that go on from batch to batch")
        for variable, state in zip(leaves_of(self._states), leaves_of(states), strict=True):
            variable.array = state.array.copy()

    # Running

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if sequences.ndim < 3:
            raise ValueError(f"{self.name}: x must have shape (N, T, features), got {sequences.shape}")
        if isinstance(mask, list | tuple) and len(mask) == 1:
            mask = mask[0]
        kept = step_mask(mask, sequences.shape[:2], self.name)
        states = self._first_states(initial_state, sequences)
        try:
            y, states = self._run(sequences, states, kept, training)
        finally:
            if training:
                self._forget_dropout()
        if self.stateful:
            self._keep_states(states)
        return (y, *states) if self.return_state else y

    def _run(self, x: Any, states: list[Any] | None, mask: Any, training: bool) -> tuple[Any, list[Any]]:
        """The output (of all steps or the last one) and the last states."""
        length = x.shape[1]
        if length and fused_cell(self.cell, training):
            return self._run_fused(x, states, mask, training)
        if states is None:
            states = map_leaves(lambda t: ops.to(t, x.device), self.get_initial_state(x.shape[0]))
        if length == 0:
            shape = (x.shape[0], 0) if self.return_sequences else (x.shape[0],)
            return Tensor(backend.zeros((*shape, *self._step_shape(x.shape)), self._dtype, like=x.array)), states
        x, step = self._prepared(x, training)
        steps = ops.unstack(x, axis=1)
        outputs: list[Any] = []
        before: Any = None
        for t in reversed(range(length)) if self.go_backwards else range(length):
            y, new = step(steps[t], states)
            new = list(new) if isinstance(new, list | tuple) else [new]
            if mask is not None and not (backend.on_host(mask) and mask[:, t].all()):
                counts = mask[:, t]
                if before is None or self.zero_output_for_mask:
                    before = Tensor(backend.zeros(y.shape, y.dtype, like=y.array))
                y = _chosen(counts, y, before)
                new = _chosen_states(counts, new, states)
            before, states = y, new
            if self.return_sequences:
                outputs.append(y)
        return ops.stack(outputs, 1) if self.return_sequences else before, states

    def _prepared(self, x: Any, training: bool) -> tuple[Any, Any]:
        """What is cut into steps, and what is called with each of them and the states."""
        cell = self.cell
        if isinstance(cell, RecurrentCell) and cell.by_parts():
            return cell.project(x, training), lambda z, states: cell.advance(z, states, training)
        return x, cell

    def _step_shape(self, input_shape: Any) -> Shape:
        """The shape of a sequence's output at one step."""
        return (output_size_of(self.cell),)

    def _state_shapes(self, input_shape: Any) -> Any:
        """The shapes of a sequence's states, in their structure."""
        return map_leaves(lambda n: Sizes((int(n),)), self.state_size)

    def _run_fused(self, x: Any, states: list[Any] | None, mask: Any, training: bool) -> tuple[Any, list[Any]]:
        """The same, all steps in one op; of stacked cells in one op a cell."""
        stacked = isinstance(self.cell, StackedRNNCells)
        cells = self.cell.cells if stacked else [self.cell]
        begin: list[Any] = [None for _ in cells]
        if states is not None:
            begin = [s if isinstance(s, list) else [s] for s in states] if stacked else [states]
        ends: list[Any] = []
        y, backwards = x, self.go_backwards
        for cell, first in zip(cells, begin, strict=True):
            scale = None
            if training:
                y, scale = _dropped(cell, y)
            zero = self.zero_output_for_mask
            y, *last = cell.run(
                y, first, mask=mask, recurrent_scale=scale, go_backwards=backwards, zero_output_for_mask=zero
            )
            ends.append(last)
            if backwards:  # what the first cell gives is in the order of its steps
                backwards, mask = False, None if mask is None else backend.contiguous(mask[:, ::-1])
        if not self.return_sequences:
            # where it can, the state, for it is the last output; y has no part in the gradient then
            y = last[0] if mask is None or (states is None and not self.zero_output_for_mask) else y[:, -1]
        if not stacked:
            return y, last
        return y, [end if isinstance(n, list) else end[0] for end, n in zip(ends, self.state_size, strict=True)]

    def _forget_dropout(self) -> None:
        """The next sequences get dropout masks of their own."""
        cell = self.cell
        if isinstance(cell, RecurrentCell):
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()
        elif isinstance(cell, Layer):
            for inner in cell.layers_inside():
                if isinstance(inner, RecurrentCell):
                    inner.reset_dropout_mask()
                    inner.reset_recurrent_dropout_mask()

    # Shapes and masks

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask, *[None for _ in leaves_of(self.state_size)]] if self.return_state else mask

    def compute_output_shape(self, input_shape: Any, initial_state_shape: Any = None) -> Any:
        if len(input_shape) < 3:
            raise ValueError(f"{self.name}: x must have shape (N, T, features), got {tuple(input_shape)}")
        batch, step = input_shape[0], self._step_shape(input_shape)
        y = (batch, input_shape[1], *step) if self.return_sequences else (batch, *step)
        if not self.return_state:
            return y
        return (y, *map_leaves(lambda n: (batch, *n.sizes), self._state_shapes(input_shape)))

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        given = args[1] if len(args) > 1 else kwargs.get("initial_state")
        if given is not None:
            self.checked_states(given, x)
        return _specs(self.compute_output_shape(tuple(x.shape)), self._dtype)

    def flops(self, input_shape: Shape) -> int:
        if not isinstance(self.cell, Layer) or input_shape[1] is None:
            return 0
        return int(input_shape[1]) * self.cell.flops((input_shape[0], *input_shape[2:]))

    def get_config(self) -> dict[str, Any]:
        if registry.get(type(self).__name__) is not type(self):
            return super().get_config()  # a subclass with arguments of its own
        config = {
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
        }
        if type(self) is RNN:
            config["cell"] = told(self.cell, self.name)  # type: ignore[assignment]
        return {**super().get_config(), **config}


class Sizes:
    """The shape of a state, without the batch: a leaf in a structure of them."""

    __slots__ = ("sizes",)

    def __init__(self, sizes: Shape) -> None:
        self.sizes = sizes


def _fits(shape: Any, wanted: Shape) -> bool:
    """Whether a shape is the one that is wanted, as far as both are known."""
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(None in (m, n) or m == n for m, n in pairs)


def fused_cell(cell: Any, training: bool) -> bool:
    """Whether an op runs a whole sequence as this cell would, step by step."""
    if type(cell) is StackedRNNCells:
        return all(fused_cell(inner, training) for inner in cell.cells)
    if not isinstance(cell, RecurrentCell) or not cell.fused():
        return False
    return not (training and cell.implementation == 1 and (cell.dropout or cell.recurrent_dropout))


def _dropped(cell: RecurrentCell, x: Any) -> tuple[Any, Any]:
    """The inputs of all steps with some features dropped, and what the state is multiplied with, or None."""
    scale = None
    if cell.dropout > 0:
        drop: Any = cell.get_dropout_mask(x[:, 0])
        x = x * ops.expand_dims(drop[0], 1)
    if cell.recurrent_dropout > 0:
        masks: Any = cell.get_recurrent_dropout_mask(
            Tensor(backend.empty((x.shape[0], cell.units), cell._dtype, like=x.array))
        )
        scale = masks[0]
    return x, scale


def _chosen(counts: Any, new: Any, old: Any) -> Any:
    """new in the rows that count, old in the others."""
    return ops.where(counts.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _chosen_states(counts: Any, new: Any, old: Any) -> Any:
    """The same for states, or lists of them."""
    if isinstance(new, list | tuple):
        return [_chosen_states(counts, a, b) for a, b in zip(new, old, strict=True)]
    return _chosen(counts, new, old)


def _specs(shapes: Any, dtype: Any) -> Any:
    """(shape, dtype) for each shape; those of (output, state, ...) may be nested."""
    if not isinstance(shapes[0], tuple | list):
        return tuple(shapes), dtype
    return tuple([_specs(shape, dtype) for shape in shapes])
