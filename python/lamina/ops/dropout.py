"""dropout: zeroes elements at random, scales the rest."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import multiply
from lamina.ops.checks import float_tensor

STEPS = 65536  # the rate is a whole number of these
WORD = (1 << 64) - 1


class DropoutFunction(Function):
    """Keeps no mask: backward draws the same random numbers again."""

    linear = True

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


def dropout(x: Any, rate: float, seed: int, stream: int, noise_shape: Any = None) -> Tensor:
    """Sets each element to 0 with probability `rate` and scales the others by 1 / (1 - rate), so that the mean stays.

    Which elements stay depends on seed, stream and the element's index alone (Philox4x32-10), on every device and for
    any number of threads. The rate is rounded to a multiple of 1/65536 and the scale follows the rounded rate.

    Args:
        x: tensor of any shape, float32 or float64.
        rate: the fraction to drop, in [0, 1]; 1 gives zeros.
        seed: integer; its lower 64 bits count.
        stream: integer, another for every call that shall drop other elements; its lower 64 bits count. See
            `lamina.random.next_stream`.
        noise_shape: the shape of the mask, which is broadcast over x: where it has a 1, elements are dropped together
            along that axis; where it has None, it is as long as x. None: every element by itself.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the rate is outside [0, 1] or NaN, or the noise_shape does not broadcast to x.
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
    shape = x.shape if noise_shape is None else mask_shape("dropout", noise_shape, x.shape)
    if shape == x.shape:
        return DropoutFunction.apply((x,), dropped, seed & WORD, stream & WORD)
    ones = Tensor(backend.full(shape, 1.0, x.dtype, like=x.array))
    return multiply(x, DropoutFunction.apply((ones,), dropped, seed & WORD, stream & WORD))


def mask_shape(op: str, noise_shape: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A mask's shape for inputs of this one.

    Raises:
        ValueError: if it does not broadcast to them.
    """
    sizes = tuple(noise_shape) if isinstance(noise_shape, tuple | list) else (noise_shape,)
    if len(sizes) != len(shape) or any(n is not None and n != 1 and n != m for n, m in zip(sizes, shape, strict=True)):
        raise ValueError(
            f"{op}: noise_shape must have 1, None or the size of x for each axis of {shape}, got {noise_shape}"
        )
    return tuple([m if n is None else int(n) for n, m in zip(sizes, shape, strict=True)])
