"""gru: the gated recurrent unit over whole sequences."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.recurrent import Kind, recurrent


def gru(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    *,
    reset_after: bool = True,
    mask: Any = None,
    lengths: Any = None,
    recurrent_scale: Any = None,
    go_backwards: bool = False,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Tensor, Tensor]:
    """The gated recurrent unit, for all steps in one node.

    With kernel and recurrent_kernel as columns z, r and g, and a bias for each:
    z, r = sigmoid(x_t . kernel + h_{t-1} . recurrent_kernel + biases);
    g = tanh(x_t . kernel + bias + r * (h_{t-1} . recurrent_kernel + recurrent bias)), or with reset_after=False
    g = tanh(x_t . kernel + bias + (r * h_{t-1}) . recurrent_kernel);  h_t = z * h_{t-1} + (1 - z) * g.

    Args:
        x: tensor of shape (N, T, I), float32 or float64.
        kernel: tensor of shape (I, 3H), columns in the order z, r, g.
        recurrent_kernel: tensor of shape (H, 3H).
        bias: tensor of shape (2, 3H), of kernel and of recurrent_kernel; with reset_after=False (3H,); or None.
        initial_state: h before the first step, of shape (N, H); None for zeros.
        reset_after: whether r multiplies the product with recurrent_kernel (True; cuDNN's and PyTorch's form), or h
            before it (False; the form of the paper).
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
        >>> y, h = lm.ops.gru(x, [[0.0, 0.0, 99.0]], [[0.0, 0.0, 0.0]])
        >>> y.numpy().ravel().tolist(), h.numpy().tolist()
        ([0.5, 0.75, 0.875], [[0.875]])

    Reference:
        Cho et al. 2014, arXiv:1406.1078.
    """
    y, h = recurrent(
        "gru",
        Kind.gru if reset_after else Kind.gru_reset_before,
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
    return y, h


def bidirectional_gru(
    x: Any,
    forward_weights: tuple[Any, Any, Any],
    backward_weights: tuple[Any, Any, Any],
    initial_states: tuple[Any, Any] | None = None,
    *,
    reset_after: bool = True,
    mask: Any = None,
    lengths: Any = None,
    recurrent_scales: tuple[Any, Any] | None = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Two gated recurrent units over the same x, one from each end, side by side on the threads: see `gru`.

    Args:
        x: tensor of shape (N, T, I), float32 or float64.
        forward_weights: kernel, recurrent_kernel and bias (or None) of the layer that goes forwards.
        backward_weights: the same of the one that goes backwards, of the same number of units.
        initial_states: the initial state of each, or None.
        reset_after: of both.
        mask: as in `gru`.
        lengths: as in `gru`.
        recurrent_scales: the recurrent scale of each, or None.
        time_major: as in `gru`.
        zero_output_for_mask: as in `gru`.

    Returns:
        (y, h) of the forward layer and (y, h) of the backward one, whose y is in the order of x's steps (that of
        `gru(go_backwards=True)`, reversed).

    Raises:
        ValueError: as `gru`, or if the two have different numbers of units.
        TypeError: as `gru`.

    Example:
        >>> import lamina as lm
        >>> weights = [[0.0, 0.0, 99.0]], [[0.0, 0.0, 0.0]], None
        >>> there, back = lm.ops.bidirectional_gru(lm.ops.ones((1, 3, 1)), weights, weights)
        >>> there[0].numpy().ravel().tolist(), back[0].numpy().ravel().tolist()
        ([0.5, 0.75, 0.875], [0.875, 0.75, 0.5])

    Reference:
        Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks".
    """
    y, h, y_back, h_back = recurrent(
        "bidirectional_gru",
        Kind.gru if reset_after else Kind.gru_reset_before,
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
    return (y, h), (y_back, h_back)
