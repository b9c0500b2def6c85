"""simple_rnn: the plain recurrent layer over whole sequences."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.activations import activation_number
from lamina.ops.recurrent import Kind, recurrent


def simple_rnn(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    *,
    activation: str | None = "tanh",
    mask: Any = None,
    lengths: Any = None,
    recurrent_scale: Any = None,
    go_backwards: bool = False,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Tensor, Tensor]:
    """The plain recurrent layer, h_t = f(x_t . kernel + h_{t-1} . recurrent_kernel + bias), for all steps in one node.

    Args:
        x: tensor of shape (N, T, I), float32 or float64.
        kernel: tensor of shape (I, H).
        recurrent_kernel: tensor of shape (H, H).
        bias: tensor of shape (H,), or None.
        initial_state: h before the first step, of shape (N, H); None for zeros.
        activation: f, one of "tanh", "relu", "sigmoid", "linear" (or None for that).
        mask: booleans of shape (N, T); where False the step is left out: h is carried over, and y repeats what came
            before (0 at the beginning).
        lengths: integers of shape (N,) instead of a mask: the steps from there on are masked.
        recurrent_scale: tensor of shape (N, H) that h is multiplied by where it meets recurrent_kernel (recurrent
            dropout: one mask for all steps). A constant.
        go_backwards: steps from the last to the first; y in the order of the steps.
        time_major: x and y are (T, N, ...), without a copy. The mask stays (N, T).
        zero_output_for_mask: y is 0 at masked steps.

    Returns:
        y, of shape (N, T, H), and h after the last step, of shape (N, H).

    Raises:
        ValueError: if shapes do not fit, lengths are below 0 or beyond T, or mask and lengths are both given.
        TypeError: if dtypes differ or are not float32 or float64, or for a mask that is not boolean.

    Example:
        >>> import lamina as lm
        >>> x = lm.ops.ones((1, 3, 1))
        >>> y, h = lm.ops.simple_rnn(x, [[1.0]], [[2.0]], activation="linear")
        >>> y.numpy().ravel().tolist(), h.numpy().tolist()
        ([1.0, 3.0, 7.0], [[7.0]])

    Reference:
        Elman 1990, "Finding Structure in Time".
    """
    y, h = recurrent(
        "simple_rnn",
        Kind.simple,
        x,
        ((kernel, recurrent_kernel, bias),),
        (initial_state,),
        (recurrent_scale,),
        activation=activation_number(activation, "simple_rnn"),
        mask=mask,
        lengths=lengths,
        go_backwards=go_backwards,
        time_major=time_major,
        zero_output_for_mask=zero_output_for_mask,
    )
    return y, h


def bidirectional_simple_rnn(
    x: Any,
    forward_weights: tuple[Any, Any, Any],
    backward_weights: tuple[Any, Any, Any],
    initial_states: tuple[Any, Any] | None = None,
    *,
    activation: str | None = "tanh",
    mask: Any = None,
    lengths: Any = None,
    recurrent_scales: tuple[Any, Any] | None = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Two plain recurrent layers over the same x, one from each end, side by side on the threads: see `simple_rnn`.

    Args:
        x: tensor of shape (N, T, I), float32 or float64.
        forward_weights: kernel, recurrent_kernel and bias (or None) of the layer that goes forwards.
        backward_weights: the same of the one that goes backwards, of the same number of units.
        initial_states: the initial state of each, or None.
        activation: of both.
        mask: as in `simple_rnn`.
        lengths: as in `simple_rnn`.
        recurrent_scales: the recurrent scale of each, or None.
        time_major: as in `simple_rnn`.
        zero_output_for_mask: as in `simple_rnn`.

    Returns:
        (y, h) of the forward layer and (y, h) of the backward one, whose y is in the order of x's steps (that of
        `simple_rnn(go_backwards=True)`, reversed).

    Raises:
        ValueError: as `simple_rnn`, or if the two have different numbers of units.
        TypeError: as `simple_rnn`.

    Example:
        >>> import lamina as lm
        >>> weights = [[1.0]], [[2.0]], None
        >>> x = lm.tensor([[[1.0], [0.0]]])
        >>> there, back = lm.ops.bidirectional_simple_rnn(x, weights, weights, activation="linear")
        >>> there[0].numpy().ravel().tolist(), back[0].numpy().ravel().tolist()
        ([1.0, 2.0], [1.0, 0.0])

    Reference:
        Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks".
    """
    y, h, y_back, h_back = recurrent(
        "bidirectional_simple_rnn",
        Kind.simple,
        x,
        (tuple(forward_weights), tuple(backward_weights)),
        initial_states or (None, None),
        recurrent_scales or (None, None),
        activation=activation_number(activation, "bidirectional_simple_rnn"),
        mask=mask,
        lengths=lengths,
        go_backwards=False,
        time_major=time_major,
        zero_output_for_mask=zero_output_for_mask,
    )
    return (y, h), (y_back, h_back)
