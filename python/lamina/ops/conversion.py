"""convert_to_tensor, convert_to_numpy, stop_gradient: the same values as something else."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor


def convert_to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """A tensor of any array-like; x itself if it is a tensor of that dtype.

    Args:
        x: tensor, array, number or nested list. Python floats become float32.
        dtype: another dtype than its own.

    Raises:
        TypeError: if the values are no numbers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.convert_to_tensor([1, 2], dtype="float64").dtype
        dtype('float64')
    """
    if isinstance(x, Tensor) and (dtype is None or x.dtype == backend.dtype_of(dtype)):
        return x
    if isinstance(x, Tensor):
        return Tensor(backend.as_array(x.array, dtype))
    return Tensor(backend.as_array(x, dtype, like=backend.here))


def convert_to_numpy(x: Any) -> np.ndarray[Any, Any]:
    """The values as a NumPy array; no copy on the CPU.

    Example:
        >>> import lamina as lm
        >>> lm.ops.convert_to_numpy(lm.tensor([1.0, 2.0])).tolist()
        [1.0, 2.0]
    """
    return as_tensor(x).numpy()


def stop_gradient(x: Any) -> Tensor:
    """The same values, through which no gradient flows.

    Example:
        >>> import lamina as lm
        >>> lm.ops.stop_gradient(lm.tensor([1.0], requires_grad=True)).requires_grad
        False
    """
    return as_tensor(x).detach()
