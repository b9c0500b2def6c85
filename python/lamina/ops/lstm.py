"""lstm: the long short-term memory over whole sequences."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.recurrent import Kind, recurrent


def lstm(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    *,
    mask: Any = None,
    lengths: Any = None,
    recurrent_scale: Any = None,
    go_backwards: bool = False,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory, for all steps in one node.

    i, f, g, o = x_t . kernel + h_{t-1} . recurrent_kernel + bias, each of H columns;
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g);  h_t = sigmoid(o) * tanh(c_t).

    Args:
        x: tensor of shape (N, T, I), float32 or float64.
        kernel: tensor of shape (I, 4H), columns in the order i, f, g, o.
        recurrent_kernel: tensor of shape (H, 4H).
        bias: tensor of shape (4H,), or None.
        initial_state: (h, c) before the first step, each of shape (N, H); None for zeros.
        mask: booleans of shape (N, T); where False the step is left out: h and c are carried over, and y repeats what
            came before (0 at the beginning).
        lengths: integers of shape (N,) instead of a mask: the steps from there on are masked.
        recurrent_scale: tensor of shape (N, H) that h is multiplied by where it meets recurrent_kernel (recurrent
            dropout: one mask for all steps). A constant.
        go_backwards: steps from the last to the first; y in the order of the steps.
        time_major: x and y are (T, N, ...), without a copy. The mask stays (N, T).
        zero_output_for_mask: y is 0 at masked steps.

    Returns:
        y, of shape (N, T, H), and h and c after the last step, of shape (N, H).

    Raises:
        ValueError: if shapes do not fit, lengths are below 0 or beyond T, or mask and lengths are both given.
        TypeError: if dtypes differ or are not float32 or float64, or for a mask that is not boolean.

    Example:
        >>> import lamina as lm
        >>> x = lm.ops.ones((2, 3, 4))
        >>> y, h, c = lm.ops.lstm(x, lm.ops.ones((4, 20)), lm.ops.ones((5, 20)))
        >>> y.shape, h.shape, c.shape, bool((c.numpy() > 2.5).all())
        ((2, 3, 5), (2, 5), (2, 5), True)

    Reference:
        Hochreiter & Schmidhuber 1997, "Long Short-Term Memory"; Gers, Schmidhuber & Cummins 2000 (the forget gate).
    """
    y, h, c = recurrent(
        "lstm",
        Kind.lstm,
        x,
        ((kernel, recurrent_kernel, bias),),
        (initial_state,),
        (recurrent_scale,),
        mask=mask,
        lengths=lengths,
        go_backwards=go_backwards,
        time_major=time_major,
        zero_output_for_mask=zero_output_for_mask,
    )
    return y, h, c


def bidirectional_lstm(
    x: Any,
    forward_weights: tuple[Any, Any, Any],
    backward_weights: tuple[Any, Any, Any],
    initial_states: tuple[Any, Any] | None = None,
    *,
    mask: Any = None,
    lengths: Any = None,
    recurrent_scales: tuple[Any, Any] | None = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Two long short-term memories over the same x, one from each end, side by side on the threads: see `lstm`.

    Args:
        x: tensor of shape (N, T, I), float32 or float64.
        forward_weights: kernel, recurrent_kernel and bias (or None) of the layer that goes forwards.
        backward_weights: the same of the one that goes backwards, of the same number of units.
        initial_states: the initial state of each, or None.
        mask: as in `lstm`.
        lengths: as in `lstm`.
        recurrent_scales: the recurrent scale of each, or None.
        time_major: as in `lstm`.
        zero_output_for_mask: as in `lstm`.

    Returns:
        (y, h, c) of the forward layer and (y, h, c) of the backward one, whose y is in the order of x's steps (that of
        `lstm(go_backwards=True)`, reversed).

    Raises:
        ValueError: as `lstm`, or if the two have different numbers of units.
        TypeError: as `lstm`.

    Example:
        >>> import lamina as lm
        >>> weights = lm.ops.ones((1, 4)), lm.ops.zeros((1, 4)), None
        >>> there, back = lm.ops.bidirectional_lstm(lm.ops.ones((1, 3, 1)), weights, weights)
        >>> there[0].numpy().ravel().tolist() == back[0].numpy().ravel()[::-1].tolist()
        True

    Reference:
        Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks".
    """
    y, h, c, y_back, h_back, c_back = recurrent(
        "bidirectional_lstm",
        Kind.lstm,
        x,
        (tuple(forward_weights), tuple(backward_weights)),
        initial_states or (None, None),
        recurrent_scales or (None, None),
        mask=mask,
        lengths=lengths,
        go_backwards=False,
        time_major=time_major,
        zero_output_for_mask=zero_output_for_mask,
    )
    return (y, h, c), (y_back, h_back, c_back)
