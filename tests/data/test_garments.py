"""Drawn garments and patches of photographs: forms, seeds, what is refused."""

import numpy as np
import pytest

import lamina as lm
from lamina.data.garments import polygon


def test_form():
    garments = lm.data.load_garments(100, size=28, seed=3)
    assert garments.images.shape == (100, 28, 28, 1)
    assert garments.images.dtype == np.uint8
    assert (np.bincount(garments.labels) == 10).all()
    assert len(garments.class_names) == 10
    filled = (garments.images > 0).mean(axis=(1, 2, 3))
    assert filled.min() > 0.03
    assert filled.max() < 0.7
    assert garments.images[:, 0].max() == garments.images[:, -1].max() == 0  # nothing is cut off above or below


def test_seeds_and_styles():
    plain, again = (lm.data.load_garments(40, style="plain", seed=1) for _ in range(2))
    striped = lm.data.load_garments(40, style="striped", seed=1)
    assert (plain.images == again.images).all()
    assert (plain.images != lm.data.load_garments(40, style="plain", seed=2).images).any()
    assert ((plain.images > 0) >= (striped.images > 0)).all()  # the same cuts
    assert striped.images.mean() < plain.images.mean()


def test_kinds_can_be_told_apart():
    x, y, _ = lm.data.load_garments(600, seed=1)
    test, truth, _ = lm.data.load_garments(200, seed=2)
    x, test = x.reshape(len(x), -1).astype(float), test.reshape(len(test), -1).astype(float)
    nearest = ((test[:, None] - x[None]) ** 2).sum(axis=-1).argmin(axis=1)
    assert (y[nearest] == truth).mean() > 0.9


def test_polygon():
    at = (np.arange(4) + 0.5) / 4
    py, px = np.meshgrid(at, at, indexing="ij")
    inside = polygon(px[None], py[None], [(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
    assert (inside[0] == (px < 0.5)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"count": 0}, "count must be"), ({"size": 4}, "size must be"), ({"style": "dotted"}, "style must be")],
)
def test_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        lm.data.load_garments(**arguments)


def test_patches():
    x, x_test = lm.data.load_patches(40, size=24, seed=1)
    assert (x.shape, x_test.shape, x.dtype) == ((40, 24, 24, 1), (10, 24, 24, 1), np.float32)
    assert 0 <= x.min() <= x.max() <= 1
    assert (x == lm.data.load_patches(40, size=24, seed=1)[0]).all()
    assert lm.data.load_patches(8, size=160, color=True)[1].shape == (2, 160, 160, 3)
    with pytest.raises(ValueError, match="size must be"):
        lm.data.load_patches(8, size=161)
    with pytest.raises(ValueError, match="count must be"):
        lm.data.load_patches(3)
