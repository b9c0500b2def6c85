"""Parts of pictures replaced at random, while training: mixed with other pictures (and their labels), or erased."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import real
from lamina.layers.color_augmentation import RandomColorLayer
from lamina.layers.image_augmentation import RandomImageLayer, between, span
from lamina.layers.layer import register

Array = Any

LEAST = 2.0**-64  # the smallest number that a logarithm is taken of


class MixingLayer(RandomImageLayer):
    """A layer that mixes each picture with another of its batch, and their labels in the same shares.

    A subclass gives ``_weights(count)``: (count,), how much of each picture stays.
    """

    def _draws(self, count: int) -> Array:
        """For each picture a key, which orders the others, the share that stays, and what a subclass draws."""
        draws = super()._draws(count)
        return np.concatenate([draws, self._weights(count)[:, None]], axis=1)

    def _weights(self, count: int) -> Array:
        raise NotImplementedError(f"{type(self).__name__}._weights")

    def _beta(self, alpha: Array) -> Array:
        """Draws from beta distributions of alpha and alpha, above 0 and up to 1 each, by Joehnk's rejection."""
        count = len(alpha)
        found, missing = np.zeros(count), np.ones(count, bool)
        units = backend.empty((count, 2), backend.float64)
        with no_grad():
            while missing.any():
                backend.kernels(units).random_uniform(units, *self._stream(), 0.0, 1.0)
                logs = ops.log(Tensor(np.maximum(units, LEAST))).array / alpha[:, None]
                taken = missing & (ops.exp(Tensor(logs)).array.sum(axis=1) <= 1)
                share = ops.sigmoid(Tensor(logs[:, 0] - logs[:, 1])).array  # u / (u + v), of their logarithms
                found[taken] = share[taken]
                missing &= ~taken
        return found

    def _changed_labels(self, labels: Array, draws: Array) -> Array:
        if labels.dtype.kind in "iu" and labels.ndim == 1:
            raise ValueError(f"{self.name}: labels must be one-hot, (N, classes), to be mixed, got class numbers")
        if labels.dtype.kind != "f":
            labels = labels.astype(self._dtype)
        weights = draws[:, -1].reshape(-1, *(1,) * (labels.ndim - 1)).astype(labels.dtype)
        return weights * labels + (1 - weights) * labels[_order(draws)]


def _order(draws: Array) -> Array:
    """Which picture each is mixed with: a permutation of them."""
    return draws[:, 0].argsort(kind="stable")


@register
class MixUp(MixingLayer):
    """In training mixes each picture with another of the batch: y = w x + (1 - w) x', labels likewise.

    Called on a dictionary of "images" and "labels" (one-hot, or numbers) it gives both; called on pictures, these.

    Args:
        alpha: w is drawn from the beta distribution of alpha and alpha, above 0 and up to 1: the smaller, the nearer to
            0 or 1.
        data_format: None or "channels_last".
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> labels = np.eye(2, dtype="float32")
        >>> mixed = lm.layers.MixUp(seed=1)({"images": np.ones((2, 4, 4, 3)), "labels": labels}, training=True)
        >>> mixed["images"].shape, mixed["labels"].numpy().sum(1).tolist()
        ((2, 4, 4, 3), [1.0, 1.0])

    Reference:
        Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", arXiv:1710.09412.
    """

    def __init__(self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, data_format=data_format, **kwargs)
        if not real(alpha) or not 0 < alpha <= 1:
            raise ValueError(f"{self.name}: alpha must be above 0 and at most 1, got {alpha!r}")
        self.alpha = float(alpha)

    def _weights(self, count: int) -> Array:
        return self._beta(np.full(count, self.alpha))

    def _changed(self, images: Array, draws: Array) -> Array:
        weights = draws[:, -1, None, None, None].astype(images.dtype)
        return weights * images + (1 - weights) * images[_order(draws)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


@register
class CutMix(MixingLayer):
    """In training pastes a rectangle of another picture of the batch into each; labels are mixed by its area.

    Called on a dictionary of "images" and "labels" (one-hot, or numbers) it gives both; called on pictures, these.

    Args:
        factor: the share that stays is drawn from the beta distribution of alpha and alpha, with alpha drawn from
            factor: (least, most), from 0 to 1; one number draws from 0 up to it.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.stack([np.zeros((8, 8, 1)), np.ones((8, 8, 1))])
        >>> sorted(set(lm.layers.CutMix(seed=1)(x, training=True).numpy().ravel().tolist()))
        [0.0, 1.0]

    Reference:
        Yun et al. 2019, "CutMix", arXiv:1905.04899.
    """

    numbers = 3  # a key, and where the rectangle lies across and down

    def __init__(
        self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format=data_format, **kwargs)
        self.factor = span(factor, self.name, "factor", 0.0, 1.0)

    def _weights(self, count: int) -> Array:
        alpha = backend.empty(count, backend.float64)
        backend.kernels(alpha).random_uniform(alpha, *self._stream(), 0.0, 1.0)
        return self._beta(np.minimum(between(self.factor, alpha) + 1e-6, 1.0))

    def _changed(self, images: Array, draws: Array) -> Array:
        side = np.sqrt(1 - draws[:, -1])
        inside = _rectangles(images.shape, draws[:, 1:3], np.stack([side, side], axis=1))
        return np.where(inside, images[_order(draws)], images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


@register
class RandomErasing(RandomColorLayer):
    """In training fills a rectangle of some pictures with noise, or one colour.

    Args:
        factor: each picture's chance is drawn from it: (least, most), from 0 to 1; one number draws from 0 up to it.
        scale: the squares of the rectangle's shares of width and height are drawn from it, each by itself: (least,
            most), from 0 to 1; one number draws from 0 up to it.
        fill_value: a number, or three for red, green and blue; None fills with normal noise of the deviation
            value_range[1].
        value_range: of the values; what is filled in is cut to it.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> erase = lm.layers.RandomErasing((1.0, 1.0), scale=(0.25, 0.25), fill_value=7.0, seed=1)
        >>> int((erase(np.zeros((1, 8, 8, 1)), training=True).numpy() == 7).sum())
        16

    Reference:
        Zhong et al. 2020, "Random Erasing Data Augmentation", arXiv:1708.04896.
    """

    numbers = 6  # chance and threshold, place across and down, width and height

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = span(factor, self.name, "factor", 0.0, 1.0)
        self.scale = span(scale, self.name, "scale", 0.0, 1.0)
        several = isinstance(fill_value, tuple | list) and len(fill_value) == 3 and all(map(real, fill_value))
        if fill_value is not None and not several and not real(fill_value):
            raise ValueError(f"{self.name}: fill_value must be a number, three of them, or None, got {fill_value!r}")
        self.fill_value = (
            [float(v) for v in fill_value] if several else None if fill_value is None else float(fill_value)
        )

    def _changed(self, images: Array, draws: Array) -> Array:
        if isinstance(self.fill_value, list) and images.shape[-1] != 3:
            raise ValueError(f"{self.name}: fill_value is for 3 channels, got {images.shape[-1]}")
        if self.fill_value is None:
            filling = backend.empty(images.shape, images.dtype)
            backend.kernels(filling).random_normal(filling, *self._stream(), 0.0, 1.0)
            filling *= images.dtype.type(self.value_range[1])
        else:
            filling = np.asarray(self.fill_value, images.dtype)
        filling = np.clip(filling, *self.value_range)
        inside = _rectangles(images.shape, draws[:, 2:4], np.sqrt(between(self.scale, draws[:, 4:6])))
        erased = draws[:, 1] < between(self.factor, draws[:, 0])
        return np.where(inside & erased[:, None, None, None], filling, images)

    def get_config(self) -> dict[str, Any]:
        config = {"factor": list(self.factor), "scale": list(self.scale), "fill_value": self.fill_value}
        return {**super().get_config(), **config}


def _rectangles(shape: tuple[int, ...], places: Array, shares: Array) -> Array:
    """Which points of pictures (N, H, W, C) lie in each one's rectangle, (N, H, W, 1).

    Args:
        shape: that of the pictures.
        places: (N, 2), from 0 (left, above) to 1 (right, below).
        shares: (N, 2), of the width and of the height.
    """
    sizes = np.array([shape[2], shape[1]])
    lengths = shares * sizes
    first = places * (sizes - lengths)
    last = first + lengths
    inside = [(np.arange(sizes[i]) >= first[:, i, None]) & (np.arange(sizes[i]) < last[:, i, None]) for i in range(2)]
    return (inside[1][:, :, None] & inside[0][:, None, :])[..., None]
