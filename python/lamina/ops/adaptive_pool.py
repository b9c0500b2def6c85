"""Adaptive pooling: as many windows as outputs are asked for, spread evenly over x."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.avg_pool import AvgPoolFunction
from lamina.ops.checks import float_tensor
from lamina.ops.max_pool import apply_max_pool
from lamina.ops.pool import adaptive_pool


def _average(x: Any, count: int, output_size: Any, op: str) -> Tensor:
    x = float_tensor(x, op)
    return AvgPoolFunction.apply((x,), adaptive_pool(x, count, output_size, op), False)


def _largest(x: Any, count: int, output_size: Any, return_indices: bool, op: str) -> Any:
    x = float_tensor(x, op)
    return apply_max_pool(x, adaptive_pool(x, count, output_size, op), return_indices)


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Tensor:
    """The mean of each of output_size windows: along L of n places, window i covers those from
    floor(i n / outputs) to ceil((i + 1) n / outputs), as in PyTorch.

    Args:
        x: sequences (N, L, C), float32 or float64.
        output_size: the length of the output.

    Returns:
        Tensor (N, OL, C) of x's dtype.

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong shape, or sizes below 1.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[1.0], [2.0], [3.0], [4.0], [5.0]]])  # (1, 5, 1)
        >>> lm.ops.adaptive_avg_pool1d(x, 2).numpy().ravel().tolist()
        [2.0, 4.0]
    """
    return _average(x, 1, output_size, "adaptive_avg_pool1d")


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Tensor:
    """The mean of each of output_size windows: along an axis of n places, window i covers those from
    floor(i n / outputs) to ceil((i + 1) n / outputs), as in PyTorch.

    Args:
        x: images (N, H, W, C), float32 or float64.
        output_size: height and width of the output, or one number for both; None keeps an axis as it is.

    Returns:
        Tensor (N, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong shape, or sizes below 1.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
        >>> lm.ops.adaptive_avg_pool2d(x, 2).numpy().ravel().tolist()
        [2.0, 3.0, 5.0, 6.0]
    """
    return _average(x, 2, output_size, "adaptive_avg_pool2d")


def adaptive_avg_pool3d(x: Any, output_size: Any) -> Tensor:
    """The mean of each of output_size windows: along an axis of n places, window i covers those from
    floor(i n / outputs) to ceil((i + 1) n / outputs), as in PyTorch.

    Args:
        x: volumes (N, D, H, W, C), float32 or float64.
        output_size: depth, height and width of the output, or one number for all; None keeps an axis as it is.

    Returns:
        Tensor (N, OD, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong shape, or sizes below 1.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)
        >>> lm.ops.adaptive_avg_pool3d(x, (2, 1, 1)).numpy().ravel().tolist()
        [1.5, 5.5]
    """
    return _average(x, 3, output_size, "adaptive_avg_pool3d")


def adaptive_max_pool1d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of output_size windows: along L of n places, window i covers those from
    floor(i n / outputs) to ceil((i + 1) n / outputs), as in PyTorch.

    Args:
        x: sequences (N, L, C), float32 or float64.
        output_size: the length of the output.
        return_indices: whether to return the winners' places too, as `max_pool2d` does.

    Returns:
        Tensor (N, OL, C) of x's dtype; with return_indices also int64 indices of that shape.

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong shape, or sizes below 1.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[1.0], [2.0], [3.0], [4.0], [5.0]]])  # (1, 5, 1)
        >>> lm.ops.adaptive_max_pool1d(x, 2).numpy().ravel().tolist()
        [3.0, 5.0]
    """
    return _largest(x, 1, output_size, return_indices, "adaptive_max_pool1d")


def adaptive_max_pool2d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of output_size windows: along an axis of n places, window i covers those from
    floor(i n / outputs) to ceil((i + 1) n / outputs), as in PyTorch.

    Args:
        x: images (N, H, W, C), float32 or float64.
        output_size: height and width of the output, or one number for both; None keeps an axis as it is.
        return_indices: whether to return the winners' places too, as `max_pool2d` does.

    Returns:
        Tensor (N, OH, OW, C) of x's dtype; with return_indices also int64 indices of that shape.

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong shape, or sizes below 1.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
        >>> lm.ops.adaptive_max_pool2d(x, 2).numpy().ravel().tolist()
        [4.0, 5.0, 7.0, 8.0]
    """
    return _largest(x, 2, output_size, return_indices, "adaptive_max_pool2d")


def adaptive_max_pool3d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of output_size windows: along an axis of n places, window i covers those from
    floor(i n / outputs) to ceil((i + 1) n / outputs), as in PyTorch.

    Args:
        x: volumes (N, D, H, W, C), float32 or float64.
        output_size: depth, height and width of the output, or one number for all; None keeps an axis as it is.
        return_indices: whether to return the winners' places too, as `max_pool2d` does.

    Returns:
        Tensor (N, OD, OH, OW, C) of x's dtype; with return_indices also int64 indices of that shape.

    Raises:
        TypeError: if output_size is no integers.
        ValueError: for a wrong shape, or sizes below 1.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)
        >>> lm.ops.adaptive_max_pool3d(x, (2, 1, 1)).numpy().ravel().tolist()
        [3.0, 7.0]
    """
    return _largest(x, 3, output_size, return_indices, "adaptive_max_pool3d")
