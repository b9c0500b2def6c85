"""The Frechet distance against its closed form."""

import numpy as np
import pytest

import lamina as lm
from lamina.metrics import frechet_distance


def test_of_normal_sets():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(5000, 4))
    assert frechet_distance(x, x) == 0
    assert frechet_distance(x, x + 2) == pytest.approx(16)
    scaled = frechet_distance(x, 3 * x)  # (3 - 1)^2 trace(S) + |2 m|^2
    assert scaled == pytest.approx(4 * np.trace(np.cov(x.T)) + (4 * x.mean(0) ** 2).sum(), rel=1e-6)
    assert frechet_distance(x, draw.normal(size=(5000, 4))) < 0.02


def test_one_feature_and_fewer_rows_than_features():
    x = np.random.default_rng(0).normal(size=(10, 1))
    assert frechet_distance(x, x * 2) == pytest.approx(x.var(ddof=1) + x.mean() ** 2)
    assert np.isfinite(frechet_distance(np.random.default_rng(0).normal(size=(5, 20)), np.ones((3, 20))))


def test_refused():
    for a, b in ((np.ones((3, 2)), np.ones((3, 3))), (np.ones(3), np.ones(3)), (np.ones((1, 2)), np.ones((3, 2)))):
        with pytest.raises(ValueError, match="features must have shapes"):
            frechet_distance(a, b)
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(np.full((3, 2), np.nan), np.ones((3, 2)))
    assert lm.metrics.frechet_distance is frechet_distance
