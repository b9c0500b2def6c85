"""Designs: codes of a generator that people choose from, and new codes around those that they chose."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np

from lamina import data, optimizers, random
from lamina.applications.gan_callbacks import shades
from lamina.applications.networks import last_activation
from lamina.applications.variational_autoencoder import VariationalAutoencoder
from lamina.models.saving import load_model

Array = Any
NAME = re.compile(r"design_\d{4}\.png")


class Designs:
    """A generator, and the codes on show.

    Args:
        generator: model (N, latent) -> pictures (N, H, W, 1 or 3).
        folder: where chosen pictures are saved.
        low, high: the values that are black and white.
        count: how many pictures are on show.
        seed: of all codes.

    Raises:
        ValueError: if the generator takes no codes, or gives no pictures.

    Example:
        >>> import lamina as lm
        >>> designs = Designs(lm.applications.dcgan_generator(8, (8, 8, 1), 4), "designs", low=-1.0, count=6)
        >>> designs.refine([0, 3], variation=0.5).shape
        (6, 8)
    """

    def __init__(
        self, generator: Any, folder: Any, low: float = 0.0, high: float = 1.0, count: int = 24, seed: int = 0
    ) -> None:
        taken, given = generator.inputs[0].shape[1:], generator.outputs[0].shape[1:]
        if len(generator.inputs) != 1 or len(taken) != 1 or len(given) != 3 or given[-1] not in (1, 3):
            raise ValueError(
                "designer: the model must take codes (N, latent) and give pictures (N, H, W, 1 or 3), it takes "
                f"{taken} and gives {given}"
            )
        self.generator, self.folder = generator, Path(folder)
        self.low, self.high, self.count, self.latent = low, high, count, int(taken[0])
        self._seeds = random.SeedGenerator(seed)
        self.codes: Array = self._drawn(count)

    def _drawn(self, count: int) -> Array:
        return random.normal((count, self.latent), seed=self._seeds).numpy()

    def renew(self) -> Array:
        """New codes from N(0, 1), all of them; returns them."""
        self.codes = self._drawn(self.count)
        return self.codes

    def refine(self, picks: list[int], variation: float = 0.5) -> Array:
        """New codes around those picked, which stay in front.

        Each new code takes every number from one of two picks, drawn anew, and moves off by noise: c' = sqrt(1 - v^2) c
        + v e, which keeps the spread of N(0, 1).

        Args:
            picks: places of the codes picked, at least one.
            variation: v, from 0 (nothing but the picks' own numbers) to 1 (nothing of them).

        Raises:
            ValueError: for no picks, places that are not there, or a variation outside of 0 to 1.
        """
        picks = list(dict.fromkeys(picks))
        self._check(picks)
        if not 0 <= variation <= 1:
            raise ValueError(f"designer: variation must be from 0 to 1, got {variation}")
        parents, left = self.codes[picks], self.count - len(picks)
        if left > 0:
            pairs = random.randint((2, left), 0, len(picks), seed=self._seeds).numpy()
            share = random.uniform((left, self.latent), seed=self._seeds).numpy() < 0.5
            children = np.where(share, parents[pairs[0]], parents[pairs[1]])
            noise = self._drawn(left)
            children = np.sqrt(1 - variation**2) * children + variation * noise
            parents = np.concatenate([parents, children.astype(parents.dtype)])
        self.codes = parents
        return self.codes

    def _check(self, picks: list[int]) -> None:
        most = len(self.codes) - 1
        if not picks or not all(type(i) is int and 0 <= i <= most for i in picks):
            raise ValueError(f"designer: picks must be places from 0 to {most}, at least one, got {picks}")

    def pictures(self) -> list[bytes]:
        """The pictures of the codes on show, as PNG files."""
        return [_png(picture) for picture in self._shades(self.codes)]

    def save(self, picks: list[int]) -> list[str]:
        """Writes the picked pictures to the folder, four times as large; returns the files' names."""
        self._check(picks)
        self.folder.mkdir(parents=True, exist_ok=True)
        names = []
        free = (f"design_{i:04d}.png" for i in itertools.count(1))
        for picture in self._shades(self.codes[picks]):
            name = next(name for name in free if not (self.folder / name).exists())
            (self.folder / name).write_bytes(_png(picture.repeat(4, axis=0).repeat(4, axis=1)))
            names.append(name)
        return names

    def saved(self) -> list[str]:
        """The names of what was saved, the newest first."""
        names = (path.name for path in self.folder.glob("design_*.png")) if self.folder.is_dir() else ()
        return sorted((name for name in names if NAME.fullmatch(name)), reverse=True)

    def _shades(self, codes: Array) -> Array:
        return shades(self.generator.predict(codes, verbose=0), self.low, self.high)


def _png(picture: Array) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[-1] == 1 else picture).save(file, "PNG")
    return file.getvalue()


def load_generator(path: Any) -> tuple[Any, float]:
    """A generator of a saved model, or the decoder of a variational autoencoder; and the value that is black.

    Raises:
        FileNotFoundError, ValueError: if it cannot be loaded.
    """
    model = load_model(path)
    if isinstance(model, VariationalAutoencoder):
        return model.decoder, 0.0
    return model, -1.0 if last_activation(model) == "tanh" else 0.0


def train_generator(epochs: int = 30, seed: int = 1, verbose: int = 1) -> Any:
    """The decoder of a small variational autoencoder that has learned the drawn garments (synthetic).

    They are plain ones: it would average their stripes away. Its pictures have soft edges all the same.
    """
    random.set_seed(seed)
    x = data.load_garments(3000, size=32, style="plain", seed=0).images.astype("float32") / 255
    model = VariationalAutoencoder(x.shape[1:], 12, units=(128,), filters=(16, 32), beta=1.0)
    model.compile(optimizers.Adam(optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(x) // 64))))
    model.fit(x, x, epochs=epochs, batch_size=64, verbose=verbose)
    return model.decoder
