"""dropout: zeroes elements at random, scales the rest."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor

STEPS = 65536  # the rate is a whole number of these
WORD = (1 << 64) - 1


class DropoutFunction(Function):
    """Keeps no mask: backward draws the same random numbers again."""

    def forward(self, x: Any, dropped: int, seed: int, stream: int) -> Any:
        self.saved = dropped, seed, stream
        return self._dropout(x)

    def backward(self, dy: Any) -> Any:
        return self._dropout(dy)

    def _dropout(self, x: Any) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        backend.kernels(x).dropout(x, *self.saved, y)
        return y


def dropout(x: Any, rate: float, seed: int, stream: int) -> Tensor:
    """Sets each element to 0 with probability `rate` and scales the others by 1 / (1 - rate), so that the mean stays.

    Which elements stay depends on seed, stream and the element's index alone (Philox4x32-10), on every device and for
    any number of threads. The rate is rounded to a multiple of 1/65536 and the scale follows the rounded rate.

    Args:
        x: tensor of any shape, float32 or float64.
        rate: the fraction to drop, in [0, 1]; 1 gives zeros.
        seed: integer; its lower 64 bits count.
        stream: integer, another for every call that shall drop other elements; its lower 64 bits count. See
            `lamina.random.next_stream`.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the rate is outside [0, 1] or NaN.
        TypeError: if x is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> y = lm.ops.dropout(lm.tensor([1.0] * 1000), rate=0.25, seed=7, stream=0)
        >>> sorted({round(v, 4) for v in y.numpy().tolist()})
        [0.0, 1.3333]

    Reference:
        Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    """
    x = float_tensor(x, "dropout")
    if isinstance(rate, bool) or not 0 <= rate <= 1:
        raise ValueError(f"dropout: rate must be in [0, 1], got {rate}")
    dropped = math.floor(rate * STEPS + 0.5)
    return DropoutFunction.apply((x,), dropped, seed & WORD, stream & WORD)
