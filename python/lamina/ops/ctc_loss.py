"""ctc_loss: connectionist temporal classification, from logits and fused with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops.checks import float_tensor, in_place
from lamina.ops.gather import checked_indices
from lamina.ops.loss import constant, scaled


class CtcLossFunction(Function):
    def forward(self, x: Any, targets: Any, target_lengths: Any, input_lengths: Any, blank: int, zero: bool) -> Any:
        x = backend.contiguous(x)
        losses = backend.empty(x.shape[:1], x.dtype, like=x)
        dx = backend.empty_like(x) if self.needs[0] else None
        backend.kernels(x).ctc_loss(x, targets, target_lengths, input_lengths, blank, zero, losses, dx)
        self.saved = dx
        return losses

    def backward(self, dy: Any) -> Any:
        return scaled(self.saved, dy)


def ctc_loss(
    target: Any,
    output: Any,
    target_length: Any,
    output_length: Any,
    mask_index: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of the targets, over all the ways in which steps can spell them.

    At each step softmax(output) gives one of the classes. A sequence of steps spells what is left when repetitions,
    and then blanks (mask_index), are taken out. The gradient is computed in the same pass.

    Args:
        target: the labels, integers of shape (N, L); entries from a sample's target_length on are not read.
        output: logits of shape (N, T, C), float32 or float64.
        target_length: how many labels each sample has, integers from 0 to L of shape (N,).
        output_length: how many steps each sample has, integers from 0 to T of shape (N,).
        mask_index: the class of the blank, which is no label.
        zero_infinity: what to do where the labels want more steps than there are (one a label, and one more between
            two that are equal): False for a loss of infinity and a gradient of NaN, True for 0 and 0.

    Returns:
        Tensor of shape (N,), of the dtype of output.

    Raises:
        ValueError: if shapes do not fit, or a label or length is out of range; names it and its place.
        TypeError: if labels or lengths are no integers, or the output is not of floating point.

    Example:
        >>> import lamina as lm, numpy as np
        >>> logits = lm.tensor(np.zeros((1, 2, 3), "float32"), requires_grad=True)
        >>> loss = lm.ops.ctc_loss([[1]], logits, [1], [2])  # spelt by 1 1, 1 blank and blank 1, of 9 in all
        >>> round(loss.item(), 4) == round(float(-np.log(3 / 9)), 4)
        True
        >>> loss.backward()
        >>> (3 * logits.grad.numpy()).round().astype(int).tolist()
        [[[0, -1, 1], [0, -1, 1]]]

    Reference:
        Graves et al. 2006, "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with Recurrent
        Neural Networks".
    """
    x = float_tensor(output, "ctc_loss", "output")
    if x.ndim != 3 or x.shape[2] == 0:
        raise ValueError(f"ctc_loss: output must have shape (N, T, C), C at least 1, got {x.shape}")
    n, steps, classes = x.shape
    blank = index_of("ctc_loss", "mask_index", mask_index, classes)
    labels = constant(target, "ctc_loss", "target", x)
    if labels.ndim != 2 or labels.shape[0] != n:
        raise ValueError(f"ctc_loss: target must have shape ({n}, L), got {labels.shape}")
    target_lengths = lengths_of("ctc_loss", "target_length", target_length, x, labels.shape[1])
    input_lengths = lengths_of("ctc_loss", "output_length", output_length, x, steps)
    xp = backend.array_module(labels)
    used = xp.arange(labels.shape[1]) < target_lengths[:, None]
    if labels.dtype.kind in "iu":
        labels = xp.where(used, labels, blank)
    labels = checked_indices("ctc_loss", labels, classes, x.array, "target")
    if backend.on_host(labels) and (blanks := used & (labels == blank)).any():
        place = tuple(np.argwhere(blanks)[0].tolist())
        raise ValueError(f"ctc_loss: target must not hold the blank, {blank}, got it at {place}")
    return CtcLossFunction.apply((x,), labels, target_lengths, input_lengths, blank, bool(zero_infinity))


def lengths_of(op: str, name: str, lengths: Any, x: Tensor, most: int) -> Any:
    """Lengths as int64, one a sample of x, from 0 to `most`.

    Raises:
        ValueError: if one is out of range, or their number is another.
        TypeError: if they are no integers.
    """
    array, count = in_place(lengths, x, op, name), x.shape[0]
    if array.shape != (count,):
        raise ValueError(f"{op}: {name} must have shape ({count},), got {array.shape}")
    return checked_indices(op, array, most + 1, x.array, name)


def index_of(op: str, name: str, value: Any, count: int) -> int:
    """An integer from 0 to count - 1.

    Raises:
        ValueError: if it is out of range.
        TypeError: if it is none.
    """
    if not is_integer(value):
        raise TypeError(f"{op}: {name} must be an integer, got {value!r}")
    if not 0 <= value < count:
        raise ValueError(f"{op}: {name} must be from 0 to {count - 1}, got {value}")
    return int(value)
