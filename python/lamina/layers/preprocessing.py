"""Numbers made fit for a network: Rescaling, Normalization, Discretization, CategoryEncoding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.categories import ENCODINGS, as_indices, encode, encoded_shape
from lamina.layers.checks import choice, positive
from lamina.layers.layer import Layer, register
from lamina.layers.on_host import HostLayer

Array = Any

EPSILON = 1e-7  # the smallest standard deviation that is divided by


@register
class Rescaling(Layer):
    """y = x * scale + offset.

    Args:
        scale: a number, or one a channel.
        offset: the same.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Rescaling(1 / 127.5, offset=-1)(np.array([[0, 255]], "uint8")).numpy().tolist()
        [[-1.0, 1.0]]
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = numbers(scale, self.name, "scale")
        self.offset = numbers(offset, self.name, "offset")

    def call(self, x: Any) -> Any:
        scale, offset = (Tensor(backend.as_array(value, x.dtype, like=x.array)) for value in (self.scale, self.offset))
        return x * scale + offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@register
class Normalization(Layer):
    """y = (x - mean) / max(sqrt(variance), 1e-7): features with mean 0 and variance 1.

    Args:
        axis: the axis, or axes, each index of which has a mean and variance of its own; None for one of each for all.
        mean: what to take off, in place of `adapt`.
        variance: likewise; given together with mean, in its shape.
        invert: whether to go the other way: y = x * max(sqrt(variance), 1e-7) + mean.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: mean, variance (of the axes' sizes), count (1), unless they are given.

    Example:
        >>> import lamina as lm, numpy as np
        >>> layer = lm.layers.Normalization()
        >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
        >>> layer(np.array([[2.0, 20.0]])).numpy().tolist()
        [[1.0, 0.0]]
    """

    supports_masking = True
    _in_float32 = True

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        axes = () if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
        if any(not is_integer(a) for a in axes):
            raise TypeError(f"{self.name}: axis must be integers or None, got {axis!r}")
        self.axis = tuple(int(a) for a in axes)
        if (mean is None) != (variance is None):
            raise ValueError(f"{self.name}: mean and variance come together, got {mean!r} and {variance!r}")
        self.input_mean: Any = None if mean is None else numbers(mean, self.name, "mean")
        self.input_variance: Any = None if variance is None else numbers(variance, self.name, "variance")
        shapes = [() if given is None else np.shape(given) for given in (self.input_mean, self.input_variance)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{self.name}: mean has shape {shapes[0]}, variance {shapes[1]}")
        if len(shapes[0]) > len(self.axis):
            raise ValueError(f"{self.name}: mean has shape {shapes[0]} for the axes {self.axis}")
        if variance is not None and np.min(variance) < 0:
            raise ValueError(f"{self.name}: variance must be at least 0, got {variance!r}")
        self.invert = bool(invert)
        self.mean: Any = None
        self.variance: Any = None
        self.count: Any = None
        self._kept: tuple[int, ...] = ()
        self._broadcast: tuple[int, ...] = ()

    def build(self, input_shape: Any) -> None:
        n = len(input_shape)
        if any(not -n <= a < n for a in self.axis) or len({a % n for a in self.axis}) != len(self.axis):
            raise ValueError(f"{self.name}: axis {self.axis} does not fit x of shape {input_shape}")
        self._kept = tuple(sorted(a % n for a in self.axis))
        if any(input_shape[a] is None for a in self._kept):
            raise ValueError(f"{self.name}: the size along axis {self.axis} must be known, x has shape {input_shape}")
        self._broadcast = tuple(input_shape[a] if a in self._kept else 1 for a in range(n))
        if self.input_mean is None:
            shape = tuple(input_shape[a] for a in self._kept)
            kept = backend.state_dtype(self._variable_dtype)  # counts and squares pass what 16 bits hold
            self.mean = self.add_weight(shape, "zeros", kept, trainable=False, name="mean")
            self.variance = self.add_weight(shape, "ones", kept, trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", kept, trainable=False, name="count")
        else:
            self.mean, self.variance = (
                np.ascontiguousarray(np.broadcast_to(self._aligned(value, n), self._broadcast))
                for value in (self.input_mean, self.input_variance)
            )

    def _aligned(self, value: Any, n: int) -> Array:
        """Given numbers along the kept axes, right to left."""
        array = np.asarray(value, backend.state_dtype(self._variable_dtype))
        shape = [1] * n
        for i in range(1, array.ndim + 1):
            shape[self._kept[-i]] = array.shape[-i]
        return array.reshape(shape)

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from data, in place of what was there.

        Args:
            data: an array, or an iterable of batches x or (x, y): a Dataset.

        Raises:
            ValueError: if mean and variance were given to the constructor, there are no data, or their shape differs.
        """
        if self.input_mean is not None:
            raise ValueError(f"{self.name}: adapt: mean and variance were given")
        count, mean, m2 = 0.0, np.zeros(()), np.zeros(())
        with no_grad():
            for batch in batches_of(data, self.name):
                x = backend.to_host(batch.array) if isinstance(batch, Tensor) else backend.as_array(batch)
                x = x.astype(np.float64)
                if not self.built:
                    self.build((None, *x.shape[1:]) if 0 not in {a % max(x.ndim, 1) for a in self.axis} else x.shape)
                expected = [self._broadcast[a] for a in self._kept]
                if x.ndim != len(self._broadcast) or [x.shape[a] for a in self._kept] != expected:
                    raise ValueError(f"{self.name}: adapt: expected sizes {expected} on axes {self._kept}, "
                                     f"got data of shape {x.shape}")  # fmt: skip
                if not x.size:
                    continue
                axes = tuple(a for a in range(x.ndim) if a not in self._kept)
                found = x.size / max(np.prod([x.shape[a] for a in self._kept]), 1)
                part = ops.mean(Tensor(x), axis=axes).array if axes else x
                spread = ops.var(Tensor(x), axis=axes).array if axes else np.zeros_like(x)
                # Chan et al. 1979: two sets' means and sums of squares, together.
                difference, both = part - mean, count + found
                mean = mean + difference * (found / both)
                m2 = m2 + spread * found + difference * difference * (count * found / both)
                count = both
        if not count:
            raise ValueError(f"{self.name}: adapt: there are no data")
        self.mean.assign(mean.astype(self.mean.dtype))
        self.variance.assign((m2 / count).astype(self.variance.dtype))
        self.count.assign(np.asarray(count, self.count.dtype))

    def call(self, x: Any) -> Any:
        mean, variance = (
            backend.moved(value if backend.is_array(value) else value.array, x.array).reshape(self._broadcast)
            for value in (self.mean, self.variance)
        )
        xp = backend.array_module(x.array)
        deviation = xp.maximum(xp.sqrt(variance), variance.dtype.type(EPSILON))
        if self.invert:
            return x * Tensor(deviation) + Tensor(mean)
        return (x - Tensor(mean)) / Tensor(deviation)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": list(self.axis) or None,
            "mean": self.input_mean,
            "variance": self.input_variance,
            "invert": self.invert,
        }


@register
class Discretization(HostLayer):
    """The number of the bin that a value falls in: how many boundaries are not above it.

    Args:
        bin_boundaries: the boundaries, ascending: [0, 1] makes the bins below 0, from 0 to below 1, from 1.
        num_bins: how many bins `adapt` shall make, with about as many values in each, instead.
        epsilon: how exactly `adapt` knows the quantiles; 0.01 keeps a hundred values.
        output_mode: "int": the numbers; "one_hot": a vector for each, 1 at the number; "multi_hot": a vector for each
            sample (the last axis), 1 at all of its numbers; "count": how often each came.
        sparse: False.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Returns:
        int64 of the shape of x for "int", otherwise the layer's dtype with the bins along the last axis.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]]).numpy().tolist()
        [[0, 2, 3, 1]]
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(f"{self.name}: give either bin_boundaries or num_bins")
        if not 0 < epsilon < 1:
            raise ValueError(f"{self.name}: epsilon must lie between 0 and 1, got {epsilon!r}")
        not_sparse(sparse, self.name)
        self.num_bins = None if num_bins is None else positive(num_bins, self.name, "num_bins")
        self.epsilon = float(epsilon)
        self.output_mode = choice(output_mode, ("int", *ENCODINGS), self.name, "output_mode")
        self.bin_boundaries: list[float] | None = None
        if bin_boundaries is not None:
            self._set_boundaries(bin_boundaries)

    def _set_boundaries(self, boundaries: Any) -> None:
        values = [float(value) for value in np.asarray(boundaries, np.float64).ravel()]
        if any(not a <= b for a, b in itertools.pairwise(values)) or np.isnan(values).any():
            raise ValueError(f"{self.name}: bin_boundaries must ascend, got {boundaries!r}")
        self.bin_boundaries = values

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learns the boundaries: quantiles of the data.

        Args:
            data: an array, or an iterable of batches x or (x, y): a Dataset.
            steps: how many batches to take; None for all.

        Raises:
            ValueError: if the boundaries were given, there are no data, or a value is NaN.
        """
        if self.num_bins is None:
            raise ValueError(f"{self.name}: adapt: bin_boundaries were given")
        summary = np.zeros((2, 0), np.float32)
        for i, batch in enumerate(batches_of(data, self.name)):
            if steps is not None and i >= steps:
                break
            values = np.sort(np.asarray(batch, np.float32).ravel())
            if np.isnan(values).any():
                raise ValueError(f"{self.name}: adapt: the data hold NaN")
            if len(values):
                step = max(len(values) * self.epsilon, 1.0)
                chosen = values[int(step - 1) :: int(step)]
                merged = np.concatenate([np.stack([chosen, np.full_like(chosen, step)]), summary], axis=1)
                summary = _compressed(merged[:, merged[0].argsort(kind="stable")], self.epsilon)
        if not summary.size:
            raise ValueError(f"{self.name}: adapt: there are no data")
        self._set_boundaries(_compressed(summary, 1.0 / self.num_bins)[0, :-1])

    def call(self, x: Any) -> Any:
        if self.bin_boundaries is None:
            raise ValueError(f"{self.name}: has no boundaries yet: call adapt(data)")
        boundaries = np.asarray(self.bin_boundaries, x.dtype)
        indices = np.searchsorted(boundaries, x.array, side="right").astype(np.int64)
        return Tensor(encode(indices, self.output_mode, len(boundaries) + 1, self._dtype, self.name))

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Numbers of bins are integers, whatever the dtype of what falls into them."""
        shape = self.compute_output_shape(tuple(args[0].shape))
        return shape, np.dtype(np.int64) if self.output_mode == "int" else self._dtype

    def compute_output_shape(self, input_shape: Any) -> Any:
        bins = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, bins)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        learned = config.pop("bin_boundaries", None) if config.get("num_bins") is not None else None
        layer = cls(**config)
        if learned is not None:
            layer._set_boundaries(learned)
        return layer


@register
class CategoryEncoding(HostLayer):
    """Numbers of categories as vectors.

    Args:
        num_tokens: how many categories there are; x holds integers from 0 up to it.
        output_mode: "one_hot": a vector for each number (in place of a last axis of 1); "multi_hot": one for each
            sample (the last axis), 1 at all of its numbers; "count": how often each came.
        sparse: False.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.CategoryEncoding(4)([[0, 1], [3, 3]]).numpy().tolist()
        [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
        >>> count = lm.layers.CategoryEncoding(4, output_mode="count")
        >>> count([[0, 1], [3, 3]], count_weights=[[0.5, 1.0], [1.0, 1.0]]).numpy().tolist()
        [[0.5, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]
    """

    autocast = False

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_tokens = positive(num_tokens, self.name, "num_tokens")
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        self.output_mode = choice(output_mode, ENCODINGS, self.name, "output_mode")
        not_sparse(sparse, self.name)

    def call(self, x: Any, count_weights: Any = None) -> Any:
        """x: integers; count_weights: with "count", how much each counts, in the shape of x."""
        weights = None
        if count_weights is not None:
            if self.output_mode != "count":
                raise ValueError(f'{self.name}: count_weights go with output_mode="count"')
            weights = np.asarray(count_weights, self._dtype)
        indices = as_indices(x.array, self.name)
        return Tensor(encode(indices, self.output_mode, self.num_tokens, self._dtype, self.name, weights))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}


def batches_of(data: Any, owner: str) -> Iterator[Any]:
    """The batches of x in what a user passed to adapt: one array, or batches x or (x, y).

    Raises:
        TypeError: for anything else.
    """
    if isinstance(data, np.ndarray | Tensor) or hasattr(data, "__array__"):
        yield data
        return
    if isinstance(data, list | tuple) and not any(isinstance(v, np.ndarray | Tensor) and v.ndim for v in data):
        yield np.asarray(data)
        return
    if not hasattr(data, "__iter__") or isinstance(data, str | bytes | dict):
        raise TypeError(f"{owner}: adapt: expected an array or an iterable of batches, got {type(data).__name__}")
    for batch in data:
        yield batch[0] if isinstance(batch, tuple) else batch


def numbers(value: Any, owner: str, name: str) -> Any:
    """A number, or numbers as lists, as a configuration can hold them.

    Raises:
        TypeError: if they are no numbers.
    """
    array = np.asarray(value.array if isinstance(value, Tensor) else value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{owner}: {name} must be a number or numbers, got {value!r}")
    return array.tolist()


def not_sparse(sparse: Any, owner: str) -> None:
    """Raises ValueError if sparse output is asked for."""
    if sparse:
        raise ValueError(f"{owner}: sparse=True is not supported: arrays are dense")


def _compressed(summary: Array, epsilon: float) -> Array:
    """Values and their weights (2, n), ascending, as about 1 / epsilon of them at even steps of the weight."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    sums = summary[1].cumsum()
    reached = sums / sums[-1]
    weights = np.diff(np.interp(shares, reached, sums), prepend=0.0)
    return np.stack([np.interp(shares, reached, summary[0]), weights]).astype(np.float32)
