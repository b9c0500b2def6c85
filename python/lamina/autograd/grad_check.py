"""grad_check: the gradients of the tape against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor


def grad_check(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    places: int | None = None,
) -> bool:
    """Compares the gradients of a function on the tape with central differences, both in float64.

    With a fixed random u of the outputs' shape, the derivative of f = sum(u * function(x)) at every place i of every
    input is measured, (f(x + eps e_i) - f(x - eps e_i)) / 2 eps, and must lie within atol + rtol * |measured| of what
    `backward(u)` left there.

    Args:
        function: takes tensors, returns a tensor or a tuple of them. It must be smooth within eps of the inputs.
        inputs: tensors, arrays or numbers. Those of floating point are checked, in float64; others are handed on.
        eps: half the step of the differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        places: check that many places of an input, spread at random (the same in every run), instead of all.

    Returns:
        True, so that it can stand behind an `assert`.

    Raises:
        AssertionError: if a gradient is wrong or missing; names the input, the place and both values.

    Example:
        >>> import lamina as lm
        >>> lm.grad_check(lm.ops.relu, [[-1.0, 0.5, 2.0]])
        True

    Reference:
        The tolerances are those of PyTorch's gradcheck.
    """
    random = np.random.default_rng(0)
    arrays = [None if x is None else _prepared(x) for x in inputs]
    checked = [i for i, array in enumerate(arrays) if array is not None and array.dtype == np.float64]
    if not checked:
        raise AssertionError("grad_check: no input of floating point")

    tensors = [None if array is None else Tensor(array, i in checked) for i, array in enumerate(arrays)]
    outputs = _as_tuple(function(*tensors))
    directions = [random.uniform(-1, 1, y.shape) for y in outputs]
    for y, direction in zip(outputs, directions, strict=True):
        if y.dtype == np.float64 and y.requires_grad:
            y.backward(direction, retain_graph=True)

    def measured(array: np.ndarray[Any, Any], place: tuple[Any, ...]) -> float:
        before = array[place]
        with no_grad():
            array[place] = before + eps
            above = [np.array(y.array) for y in _as_tuple(function(*tensors))]
            array[place] = before - eps
            below = [np.array(y.array) for y in _as_tuple(function(*tensors))]
        array[place] = before
        pairs = zip(above, below, directions, strict=True)
        return float(sum(np.sum((a - b) * u) for a, b, u in pairs if a.dtype == np.float64)) / (2 * eps)

    for i in checked:
        array, tensor = arrays[i], tensors[i]
        assert array is not None
        assert tensor is not None
        grad = np.zeros(array.shape) if tensor.grad is None else tensor.grad.array
        if grad.shape != array.shape or grad.dtype != array.dtype:
            raise AssertionError(
                f"grad_check: input {i} has shape {array.shape} and dtype {array.dtype}, "
                f"its gradient {grad.shape} and {grad.dtype}"
            )
        if places is None or places >= array.size:
            flat = np.arange(array.size)
        else:
            flat = np.sort(random.choice(array.size, places, replace=False))
        for k in flat:
            place = tuple(int(p) for p in np.unravel_index(k, array.shape))
            expected = measured(array, place)
            if not abs(grad[place] - expected) <= atol + rtol * abs(expected):
                raise AssertionError(
                    f"grad_check: input {i} at {place}: backward gives {grad[place]:.9g}, differences {expected:.9g}"
                )
    return True


def _prepared(x: Any) -> np.ndarray[Any, Any]:
    """A C-contiguous copy that may be written to, in float64 if of floating point."""
    array = np.asarray(x.array if isinstance(x, Tensor) else x)
    return np.array(array, dtype=np.float64 if array.dtype.kind == "f" else None, order="C")


def _as_tuple(outputs: Any) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
