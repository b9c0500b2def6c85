"""Permute, RepeatVector, Cropping, ZeroPadding: other shapes, no weights."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.layers.checks import channels_last, positive, several
from lamina.layers.layer import Layer, register
from lamina.ops.checks import pair

AXES = {1: "N, T, C", 2: "N, H, W, C", 3: "N, D, H, W, C"}


def check_axes(shape: Any, spatial: int, owner: str) -> None:
    """Raises ValueError unless the shape has a batch, so many axes, and channels."""
    if len(shape) != spatial + 2:
        raise ValueError(f"{owner}: x must have shape ({AXES[spatial]}), got {tuple(shape)}")


def sides(value: Any, spatial: int, owner: str, name: str) -> tuple[tuple[int, int], ...]:
    """A pair (before, after) for each axis, from one integer, one an axis, or pairs.

    Raises:
        TypeError: if they are no integers.
        ValueError: if one is negative, or there are not as many as axes.
    """
    if not isinstance(value, tuple | list):
        return (pair(value, owner, name, 0),) * spatial
    if spatial == 1:
        return (pair(value, owner, name, 0),)
    if len(value) != spatial:
        raise ValueError(f"{owner}: {name} must be an integer, {spatial} of them, or {spatial} pairs, got {value!r}")
    return tuple([pair(v, owner, name, 0) for v in value])


def as_lists(values: tuple[tuple[int, int], ...]) -> Any:
    """What JSON takes; for one axis its pair alone."""
    return list(values[0]) if len(values) == 1 else [list(v) for v in values]


@register
class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: for each new axis the old one; the first axis after the batch is 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Permute((2, 1))(np.zeros((1, 10, 64), "float32")).shape
        (1, 64, 10)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple([positive(d, self.name, "dims") for d in several(dims, self.name, "dims")])
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"{self.name}: dims must be 1 to {len(self.dims)}, each once, got {dims!r}")

    def call(self, x: Any) -> Any:
        self._check(x.shape)
        return ops.transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._check(input_shape)
        return (input_shape[0], *[input_shape[d] for d in self.dims])

    def _check(self, shape: Any) -> None:
        if len(shape) != len(self.dims) + 1:
            raise ValueError(f"{self.name}: x must have {len(self.dims) + 1} axes, got shape {tuple(shape)}")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}


@register
class RepeatVector(Layer):
    """Each sample's vector n times: (N, C) -> (N, n, C).

    Args:
        n: how often, positive.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.RepeatVector(2)([[1.0, 2.0]]).numpy().tolist()
        [[[1.0, 2.0], [1.0, 2.0]]]
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive(n, self.name, "n")

    def call(self, x: Any) -> Any:
        self._check(x.shape)
        return ops.repeat(ops.expand_dims(x, 1), self.n, 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._check(input_shape)
        return (input_shape[0], self.n, input_shape[1])

    def _check(self, shape: Any) -> None:
        if len(shape) != 2:
            raise ValueError(f"{self.name}: x must have shape (N, C), got {tuple(shape)}")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class Cropping(Layer):
    """What the croppings share."""

    spatial: int

    def __init__(self, cropping: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self._sides = sides(cropping, self.spatial, self.name, "cropping")
        self.cropping = self._sides[0] if self.spatial == 1 else self._sides

    def call(self, x: Any) -> Any:
        sizes = self.compute_output_shape(x.shape)[1:-1]
        inside = [slice(first, first + n) for (first, _), n in zip(self._sides, sizes, strict=True)]
        return x[(slice(None), *inside)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(input_shape, self.spatial, self.name)
        sizes = []
        for n, (first, last) in zip(input_shape[1:-1], self._sides, strict=True):
            if n is not None and first + last >= n:
                raise ValueError(
                    f"{self.name}: cropping {self.cropping} leaves nothing of inputs of shape {tuple(input_shape)}"
                )
            sizes.append(None if n is None else n - first - last)
        return (input_shape[0], *sizes, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": as_lists(self._sides)}


@register
class Cropping1D(Cropping):
    """Drops time steps at the beginning and the end: (N, T, C) -> (N, T - cropping, C).

    Args:
        cropping: how many, at both ends or (first, last); not negative.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Cropping1D((1, 2))(np.zeros((1, 8, 4), "float32")).shape
        (1, 5, 4)
    """

    spatial = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, None, **kwargs)


@register
class Cropping2D(Cropping):
    """Drops pixels at the edges of images (N, H, W, C).

    Args:
        cropping: how many: one integer, (height, width), or ((top, bottom), (left, right)); not negative.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Cropping2D(((1, 0), (2, 2)))(np.zeros((1, 8, 8, 3), "float32")).shape
        (1, 7, 4, 3)
    """

    spatial = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


@register
class Cropping3D(Cropping):
    """Drops voxels at the faces of volumes (N, D, H, W, C).

    Args:
        cropping: how many: one integer, one an axis, or three pairs; not negative.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Cropping3D(1)(np.zeros((1, 8, 6, 4, 2), "float32")).shape
        (1, 6, 4, 2, 2)
    """

    spatial = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class ZeroPadding(Layer):
    """What the paddings share."""

    spatial: int

    def __init__(self, padding: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self._sides = sides(padding, self.spatial, self.name, "padding")
        self.padding = self._sides[0] if self.spatial == 1 else self._sides

    def call(self, x: Any) -> Any:
        check_axes(x.shape, self.spatial, self.name)
        return ops.pad(x, ((0, 0), *self._sides, (0, 0)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(input_shape, self.spatial, self.name)
        sizes = [None if n is None else n + sum(s) for n, s in zip(input_shape[1:-1], self._sides, strict=True)]
        return (input_shape[0], *sizes, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": as_lists(self._sides)}


@register
class ZeroPadding1D(ZeroPadding):
    """Zeros before and after the time steps: (N, T, C) -> (N, T + padding, C).

    Args:
        padding: how many, at both ends or (first, last); not negative.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.ZeroPadding1D((1, 2))([[[5.0]]]).numpy().reshape(-1).tolist()
        [0.0, 5.0, 0.0, 0.0]
    """

    spatial = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


@register
class ZeroPadding2D(ZeroPadding):
    """Zeros around images (N, H, W, C).

    Args:
        padding: how many: one integer, (height, width), or ((top, bottom), (left, right)); not negative.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.ZeroPadding2D(((1, 0), (2, 2)))(np.ones((1, 8, 8, 3), "float32")).shape
        (1, 9, 12, 3)
    """

    spatial = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


@register
class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes (N, D, H, W, C).

    Args:
        padding: how many: one integer, one an axis, or three pairs; not negative.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.ZeroPadding3D((1, 0, 2))(np.ones((1, 4, 4, 4, 2), "float32")).shape
        (1, 6, 4, 8, 2)
    """

    spatial = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)
