"""The metrics' base: state in float64, weights, and means of values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from lamina import backend, initializers
from lamina.autograd.tape import no_grad
from lamina.autograd.variable import Variable

Array = Any


class Metric:
    """A metric. A subclass gives ``update_state(y_true, y_pred, sample_weight=None)``, ``result()``, ``reset_state()``.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake; sums are float64.

    Example:
        >>> import lamina as lm
        >>> class Largest(lm.metrics.Metric):
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.most = max(getattr(self, "most", 0.0), float(y_pred.max()))
        ...     def result(self):
        ...         return self.most
        ...     def reset_state(self):
        ...         self.most = 0.0
        >>> Largest()(lm.tensor([0.0]), lm.tensor([3.0]))
        3.0
    """

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or snake_case(type(self).__name__)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Takes in a batch."""
        raise NotImplementedError(f"{type(self).__name__}.update_state")

    def result(self) -> Any:
        """The metric over all batches since the last reset: a number, or an array of several."""
        raise NotImplementedError(f"{type(self).__name__}.result")

    def reset_state(self) -> None:
        """Forgets all batches: sets the variables to 0."""
        if not self.variables:
            raise NotImplementedError(f"{type(self).__name__}.reset_state")
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None, aggregation: Any = None, name: Any = None
    ) -> Variable:
        """A number or array that the metric gathers in; `reset_state` sets it to 0.

        Args:
            shape: its sizes; () for a number.
            initializer: its first values.
            dtype: "float32" or "float64"; the former by default.
            aggregation: has no say: there is one device.
            name: what it is called.
        """
        value = initializers.get(initializer)(tuple(shape), dtype=np.dtype(dtype or "float32"))
        variable = Variable(value, name or "variable", trainable=False)
        self.__dict__.setdefault("_variables", []).append(variable)
        return variable

    def add_weight(self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: Any = None) -> Variable:
        """Another name for `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """What `add_variable` made."""
        return list(self.__dict__.get("_variables", ()))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Mean(Metric):
    """The weighted mean of all values; 0 without any.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> mean = lm.metrics.Mean()
        >>> mean.update_state([1.0, 3.0])
        >>> mean.update_state(5.0)
        >>> mean.result()
        3.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total: Any = 0.0
        self.count: Any = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values = getattr(values, "array", values)
        if backend.is_array(values) and not backend.on_host(values):
            self._update_there(values, sample_weight)
            return
        values = array_of(values)
        if sample_weight is None:
            # Keras counts samples, each with the mean of its values
            self.total += float(np.mean(values, axis=tuple(range(1, values.ndim)), dtype=np.float64).sum())
            self.count += len(values) if values.ndim else 1
            return
        weights = weights_for(sample_weight, values.shape, self.name)
        values = np.mean(values, axis=tuple(range(weights.ndim, values.ndim)), dtype=np.float64)
        self.total += float(np.mean(values * weights, axis=tuple(range(1, weights.ndim))).sum())
        self.count += float(np.mean(weights, axis=tuple(range(1, weights.ndim))).sum())

    def _update_there(self, values: Array, sample_weight: Any) -> None:
        """The same on a GPU: total and count become arrays there, for which the program does not wait."""
        values = values.astype(backend.float64)
        if sample_weight is None:
            self.total = self.total + _means(values, 1).sum()
            self.count += len(values) if values.ndim else 1
            return
        weights = weights_for(sample_weight, values.shape, self.name, values)
        self.total = self.total + _means(_means(values, weights.ndim) * weights, 1).sum()
        self.count = self.count + _means(weights, 1).sum()

    def result(self) -> float:
        count = float(self.count)
        return float(self.total) / count if count else 0.0

    def reset_state(self) -> None:
        self.total = self.count = 0.0


class Sum(Metric):
    """The weighted sum of all values.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.Sum()([1.0, 3.0, 5.0], [1.0, 1.0, 0.5])
        6.5
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values = np.asarray(array_of(values), np.float64)
        if sample_weight is not None:
            weights = weights_for(sample_weight, values.shape, self.name)
            values = values * weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
        self.total += float(values.sum())

    def result(self) -> float:
        return self.total

    def reset_state(self) -> None:
        self.total = 0.0


class MeanMetricWrapper(Mean):
    """The mean of a function of (y_true, y_pred) that gives a value for each sample.

    Args:
        fn: the function; gets arrays, and the further arguments by name.
        name: what the history calls it; by default the function's name.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> near = lm.metrics.MeanMetricWrapper(lambda t, p, by: abs(t - p) < by, name="near", by=0.5)
        >>> near([1.0, 2.0], [1.25, 3.0])
        0.5
    """

    anywhere: ClassVar[bool] = False  # whether the function takes arrays of a GPU, as NumPy's

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self.function = fn
        self.arguments = kwargs

    @no_grad()
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> None:
        """Takes in a batch; mask: which samples count, if not all; None: the mask that y_pred carries, if any."""
        mask = getattr(y_pred, "_mask", None) if mask is None else mask
        y_true, y_pred = array_of(y_true, self.anywhere), array_of(y_pred, self.anywhere)
        if type(y_true) is not type(y_pred) and self.anywhere:
            y_true = backend.moved(y_true, y_pred)
        values = array_of(self.function(y_true, y_pred, **self.arguments), self.anywhere)
        if mask is not None:
            counts = weights_for(mask, values.shape, self.name, values)
            given = None if sample_weight is None else weights_for(sample_weight, values.shape, self.name, values)
            sample_weight = counts if given is None else times(counts, given)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.arguments}


def snake_case(name: str) -> str:
    """TopKCategoricalAccuracy: top_k_categorical_accuracy."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def array_of(value: Any, anywhere: bool = False) -> Array:
    """The NumPy array of a tensor, array or number; of what is on a GPU a copy, or with `anywhere` its array there.

    Floats of 16 bits become float32.
    """
    array = getattr(value, "array", value)
    if backend.is_array(array):
        if backend.is_narrow(array.dtype):
            array = backend.cast(array, backend.float32)
        return array if anywhere else backend.to_host(array)
    return np.asarray(array)


def _means(values: Array, axes: int) -> Array:
    """The means over what comes after the first axes."""
    return values if values.ndim <= axes else values.mean(axis=tuple(range(axes, values.ndim)))


def weights_for(sample_weight: Any, shape: tuple[int, ...], name: str, like: Array | None = None) -> Array:
    """Weights as float64: a number, one for each sample, or for each of its values: the first axes of `shape`.
    On the device of `like`, without it the CPU.

    Raises:
        ValueError: if they have another shape; a last axis of length 1 may be there or not.
    """
    weights = backend.moved(array_of(sample_weight, True), like).astype(np.float64, copy=False)
    while weights.ndim and weights.shape[-1] == 1 and weights.shape != shape[: weights.ndim]:
        weights = weights[..., 0]
    if weights.ndim == 0 and shape:
        weights = backend.array_module(weights).broadcast_to(weights, shape[:1])
    if weights.shape != shape[: weights.ndim]:
        raise ValueError(f"{name}: sample_weight must have a number for each of {shape}, got {weights.shape}")
    return weights


def times(a: Array, b: Array) -> Array:
    """a * b, the one of fewer axes spread over the other's last ones."""
    if a.ndim < b.ndim:
        a, b = b, a
    return a * b.reshape(b.shape + (1,) * (a.ndim - b.ndim))


def aligned(y_true: Array, y_pred: Array, name: str) -> tuple[Array, Array]:
    """(N,) and (N, 1) stand for each other; nothing is broadcast.

    Raises:
        ValueError: if the shapes do not fit.
    """
    if y_true.shape != y_pred.shape:
        if (*y_true.shape, 1) != y_pred.shape and y_true.shape != (*y_pred.shape, 1):
            raise ValueError(f"{name}: y_true must have y_pred's shape {y_pred.shape}, got {y_true.shape}")
        y_true = y_true.reshape(y_pred.shape)
    return y_true, y_pred


def divide(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)


def plain(value: Any) -> Any:
    """A float for an array of one number without axes, else the array."""
    array = np.asarray(value, np.float64)
    return array.item() if array.ndim == 0 else array
