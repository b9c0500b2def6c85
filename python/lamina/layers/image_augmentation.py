"""Pictures changed at random, while training: flipped, turned, moved, zoomed, slanted, cropped.

Within a model they change pictures while it is trained; called by themselves, always but with ``training=False``. Each
picture has draws of its own, by seed, call and place in the batch. Within `Dataset.map` they go by the element, so
that they are the same for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, ops, random
from lamina.autograd.symbolic import has_symbols
from lamina.autograd.tensor import Tensor
from lamina.data import element, resample
from lamina.layers.checks import choice, positive, real, seed_of
from lamina.layers.image_preprocessing import ImageLayer
from lamina.layers.layer import MISSING, call_state, register

Array = Any

WORD = (1 << 64) - 1


class RandomImageLayer(ImageLayer):
    """A layer that changes pictures at random while training, and passes them on otherwise.

    Called by itself, not within a model or another layer, it changes them unless ``training=False``, as Keras's do.
    It also takes a dictionary of "images" and "labels" and gives one.

    A subclass says how many `numbers` it draws for a picture, and gives ``_changed(images, draws)``: draws (N, numbers)
    from 0 to 1; and ``_changed_labels(labels, draws)`` where labels change with the pictures.
    """

    numbers = 1

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed_of(seed, self.name)
        self._calls = 0

    def __call__(self, x: Any = MISSING, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        if training is None and call_state.training is None and not has_symbols(x):
            training = True
        return super().__call__(x, *args, training=training, **kwargs)

    def _accept(self, x: Any) -> Any:
        if not isinstance(x, dict):
            return super()._accept(x)
        if "images" not in x or not x.keys() <= {"images", "labels"}:
            raise ValueError(f"{self.name}: expected a dictionary of images and labels, got {list(x)}")
        accepted = {"images": super()._accept(x["images"])}
        if "labels" in x:
            labels = x["labels"] if isinstance(x["labels"], Tensor) else Tensor(backend.as_array(x["labels"]))
            if labels.shape[:1] != accepted["images"].shape[:1] and accepted["images"].ndim == 4:
                raise ValueError(f"{self.name}: expected labels for {accepted['images'].shape[0]} pictures, "
                                 f"got shape {labels.shape}")  # fmt: skip
            accepted["labels"] = labels
        return accepted

    def call(self, x: Any, training: bool = False) -> Any:
        images = x["images"] if isinstance(x, dict) else x
        if not training:
            return self._unchanged(x) if images is x else {**x, "images": self._unchanged(images)}
        self._check(images)
        if images.requires_grad:
            raise ValueError(f"{self.name}: has no gradient: it works on data, not within a network")
        single = images.ndim == 3
        pictures = images.array[None] if single else images.array
        draws = self._draws(len(pictures))
        y = self._changed(pictures, draws)
        changed = Tensor(y[0] if single else y)
        if images is x:
            return changed
        if "labels" not in x:
            return {"images": changed}
        labels = x["labels"].array
        labels = self._changed_labels(labels[None] if single else labels, draws)
        return {"images": changed, "labels": Tensor(labels[0] if single else labels)}

    def _unchanged(self, x: Any) -> Any:
        return x

    def _changed(self, images: Array, draws: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__}._changed")

    def _changed_labels(self, labels: Array, draws: Array) -> Array:
        return labels

    def _stream(self) -> tuple[int, int]:
        """Seed and stream of the next draw."""
        place = element.next_draw()
        if place is not None:
            return element.mixed(place[0], self.seed or 0), place[1]
        if self.seed is None:
            return random.get_seed(), random.next_stream()
        self._calls += 1
        return self.seed & WORD, self._calls - 1

    def _draws(self, count: int) -> Array:
        draws = backend.empty((count, self.numbers), backend.float64)
        backend.kernels(draws).random_uniform(draws, *self._stream(), 0.0, 1.0)
        return draws

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@register
class RandomFlip(RandomImageLayer):
    """In training flips half of the pictures.

    Args:
        mode: "horizontal" (left and right change places), "vertical", or "horizontal_and_vertical" (both at once, a
            half turn, as Keras 3 has it).
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(2.0).reshape(1, 1, 2, 1)
        >>> flip = lm.layers.RandomFlip("horizontal", seed=1)
        >>> {tuple(flip(x, training=True).numpy().ravel().tolist()) for _ in range(20)} == {(0.0, 1.0), (1.0, 0.0)}
        True
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format=data_format, **kwargs)
        self.mode = choice(mode, ("horizontal", "vertical", "horizontal_and_vertical"), self.name, "mode")

    def _changed(self, images: Array, draws: Array) -> Array:
        flipped = images
        if "horizontal" in self.mode:
            flipped = flipped[:, :, ::-1]
        if "vertical" in self.mode:
            flipped = flipped[:, ::-1]
        return np.where((draws <= 0.5)[:, :, None, None], flipped, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}


class RandomAffineLayer(RandomImageLayer):
    """A random layer that looks at pictures through an affine map; a subclass gives ``_maps(draws, height, width)``."""

    def __init__(self, fill_mode: str, interpolation: str, seed: int | None, fill_value: float, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.fill_mode = choice(fill_mode, resample.FILL_MODES, self.name, "fill_mode")
        self.interpolation = choice(interpolation, resample.AFFINE, self.name, "interpolation")
        self.fill_value = float(fill_value)

    def _changed(self, images: Array, draws: Array) -> Array:
        maps = self._maps(draws, images.shape[1], images.shape[2])
        return resample.affine(images, maps, self.interpolation, self.fill_mode, self.fill_value)

    def _maps(self, draws: Array, height: int, width: int) -> Array:
        raise NotImplementedError(f"{type(self).__name__}._maps")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


@register
class RandomRotation(RandomAffineLayer):
    """In training turns pictures about their middle.

    Args:
        factor: the angles to draw from, in full turns: (least, most), counterclockwise if positive, or one number for
            as far either way. From -1 to 1.
        fill_mode: what lies outside: "reflect" (d c b a | a b c d | d c b a), "constant" (fill_value), "wrap" (the
            other side) or "nearest" (the edge).
        interpolation: "bilinear" or "nearest".
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        fill_value: see above.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
        >>> lm.layers.RandomRotation((0.25, 0.25))(x, training=True).numpy().round(3).ravel().tolist()
        [1.0, 3.0, 0.0, 2.0]
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.factor = span(factor, self.name, "factor", -1.0, 1.0)

    def _maps(self, draws: Array, height: int, width: int) -> Array:
        return resample.rotations(between(self.factor, draws[:, 0]), height, width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


@register
class RandomTranslation(RandomAffineLayer):
    """In training moves pictures.

    Args:
        height_factor: how far down, in heights of the picture: (least, most), up if negative, or one number for as far
            either way. From -1 to 1.
        width_factor: how far to the right, in widths, likewise.
        fill_mode, interpolation, seed, fill_value, data_format: see RandomRotation.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(4, dtype="float32").reshape(1, 1, 4, 1)
        >>> move = lm.layers.RandomTranslation(0, (0.25, 0.25), fill_mode="constant")
        >>> move(x, training=True).numpy().ravel().tolist()
        [0.0, 0.0, 1.0, 2.0]
    """

    numbers = 2

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.height_factor = span(height_factor, self.name, "height_factor", -1.0, 1.0)
        self.width_factor = span(width_factor, self.name, "width_factor", -1.0, 1.0)

    def _maps(self, draws: Array, height: int, width: int) -> Array:
        down = between(self.height_factor, draws[:, 0]) * height
        right = between(self.width_factor, draws[:, 1]) * width
        return resample.translations(down, right)

    def get_config(self) -> dict[str, Any]:
        factors = {"height_factor": list(self.height_factor), "width_factor": list(self.width_factor)}
        return {**super().get_config(), **factors}


@register
class RandomZoom(RandomAffineLayer):
    """In training shows pictures smaller or larger about their middle.

    Args:
        height_factor: (least, most), or one number for as far either way: 0.2 shows a picture at 1 / 1.2 of its
            height, -0.2 at 1 / 0.8. More than -1, at most 1.
        width_factor: the same for the width; None takes the height's draw, so that proportions stay.
        fill_mode, interpolation, seed, fill_value, data_format: see RandomRotation.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((1, 4, 4, 1), "float32")
        >>> zoom = lm.layers.RandomZoom((1.0, 1.0), fill_mode="constant", interpolation="nearest")
        >>> int(zoom(x, training=True).numpy().sum())
        4
    """

    numbers = 2

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.height_factor = span(height_factor, self.name, "height_factor", -1.0, 1.0)
        self.width_factor = None if width_factor is None else span(width_factor, self.name, "width_factor", -1.0, 1.0)
        if min(self.height_factor[0], (self.width_factor or self.height_factor)[0]) <= -1:
            raise ValueError(f"{self.name}: height_factor and width_factor must be more than -1")

    def _maps(self, draws: Array, height: int, width: int) -> Array:
        vertical = 1 + between(self.height_factor, draws[:, 0])
        horizontal = vertical if self.width_factor is None else 1 + between(self.width_factor, draws[:, 1])
        return resample.zooms(vertical, horizontal, height, width)

    def get_config(self) -> dict[str, Any]:
        width_factor = None if self.width_factor is None else list(self.width_factor)
        return {**super().get_config(), "height_factor": list(self.height_factor), "width_factor": width_factor}


@register
class RandomShear(RandomAffineLayer):
    """In training slants pictures, to either side.

    Args:
        x_factor: how far a row is moved for each row down, in columns: (least, most) from 0 to 1, half of the pictures
            slanted the other way; or one number for as far either way.
        y_factor: how far a column is moved for each column to the right, likewise.
        interpolation, fill_mode, fill_value, data_format, seed: see RandomRotation.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.RandomShear(0.2, 0.1, seed=1)(np.ones((2, 5, 5, 3)), training=True).shape
        (2, 5, 5, 3)
    """

    numbers = 3

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.x_factor = self._slants(x_factor, "x_factor")
        self.y_factor = self._slants(y_factor, "y_factor")

    def _slants(self, factor: Any, name: str) -> tuple[float, float]:
        most = span(factor, self.name, name, 0.0, 1.0)
        return most if isinstance(factor, tuple | list) else (-most[1], most[1])

    def _maps(self, draws: Array, height: int, width: int) -> Array:
        side = np.where(draws[:, 2] > 0.5, -1.0, 1.0)
        horizontal, vertical = between(self.x_factor, draws[:, 0]), between(self.y_factor, draws[:, 1])
        return resample.shears(horizontal * side, vertical * side)

    def get_config(self) -> dict[str, Any]:
        x_factor, y_factor = (f[1] if f[0] == -f[1] else list(f) for f in (self.x_factor, self.y_factor))
        return {**super().get_config(), "x_factor": x_factor, "y_factor": y_factor}


@register
class RandomCrop(RandomImageLayer):
    """In training cuts a part out of each picture, at a place of its own.

    Otherwise, and for pictures that are too small, the largest middle part of the proportions asked for is resized.
    (Keras 3 cuts a whole batch at one place, and leaves pictures as large as they are when not training, against its
    own output shape.)

    Args:
        height, width: the size to cut out.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.RandomCrop(3, 2)(np.ones((4, 8, 8, 1)), training=True).shape
        (4, 3, 2, 1)
    """

    numbers = 2

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format=data_format, **kwargs)
        self.height = positive(height, self.name, "height")
        self.width = positive(width, self.name, "width")

    def _unchanged(self, x: Any) -> Any:
        self._check(x)
        return ops.resize(x, (self.height, self.width), crop_to_aspect_ratio=True)

    def _changed(self, images: Array, draws: Array) -> Array:
        count, height, width, _ = images.shape
        if height < self.height or width < self.width:
            return ops.resize(images, (self.height, self.width), crop_to_aspect_ratio=True).array
        top = (draws[:, 0] * (height - self.height + 1)).astype(np.int64)
        left = (draws[:, 1] * (width - self.width + 1)).astype(np.int64)
        rows, columns = top[:, None] + np.arange(self.height), left[:, None] + np.arange(self.width)
        return images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


def span(factor: Any, owner: str, name: str, least: float, most: float) -> tuple[float, float]:
    """(least, most) to draw from: two numbers, or one for as far either way (as far as is allowed).

    Raises:
        TypeError: if they are no numbers.
        ValueError: if they are outside of what is allowed.
    """
    if real(factor):
        values = max(-abs(float(factor)), least), abs(float(factor))
    elif isinstance(factor, tuple | list) and len(factor) == 2:
        if not all(real(value) for value in factor):
            raise TypeError(f"{owner}: {name} must hold numbers, got {factor!r}")
        first, second = sorted(float(value) for value in factor)
        values = first, second
    else:
        raise ValueError(f"{owner}: {name} must be a number or two, got {factor!r}")
    given = factor if isinstance(factor, tuple | list) else (factor,)
    if not all(least <= value <= most for value in (*values, *given)):
        raise ValueError(f"{owner}: {name} must lie from {least:g} to {most:g}, got {factor!r}")
    return values


def between(limits: tuple[float, float], draws: Array) -> Array:
    """Draws from 0 to 1 as draws from limits[0] to limits[1]."""
    return limits[0] + draws * (limits[1] - limits[0])
