"""What layers share that change pictures at random."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.symbolic import has_symbols
from lamina.autograd.tensor import Tensor
from lamina.data import element
from lamina.layers.checks import real
from lamina.layers.image_preprocessing import ImageLayer
from lamina.layers.layer import MISSING, call_state
from lamina.layers.on_host import HostLayer
from lamina.layers.seeded import Seeded

Array = Any


class RandomImageLayer(Seeded, HostLayer, ImageLayer):
    """A layer that changes pictures at random while training, and passes them on otherwise.

    Called by itself, not within a model or another layer, it changes them unless ``training=False``, as Keras's do.
    It also takes a dictionary of "images" and "labels" and gives one.

    A subclass says how many `numbers` it draws for a picture, and gives ``_changed(images, draws)``: draws (N, numbers)
    from 0 to 1; and ``_changed_labels(labels, draws)`` where labels change with the pictures.
    """

    numbers = 1

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
        return super()._stream()

    def _draws(self, count: int) -> Array:
        draws = backend.empty((count, self.numbers), backend.float64)
        backend.kernels(draws).random_uniform(draws, *self._stream(), 0.0, 1.0)
        return draws

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


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
