"""The Frechet distance between two sets of features, as if each were normally distributed."""

from __future__ import annotations

from typing import Any

import numpy as np


def frechet_distance(real: Any, invented: Any) -> float:
    """|m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2)), by means m and covariances S of two sets of features.

    With the features of a classifier it tells how far invented samples are, as a whole, from real ones: 0 for equal
    means and covariances. (With those of Inception-v3 it is known as FID; with others, values compare only with values
    of the same features.) Computed in float64.

    Args:
        real, invented: features (N, D) and (M, D), at least two rows each.

    Returns:
        The distance, at least 0.

    Raises:
        ValueError: if shapes do not fit, there is one row only, or a value is not finite.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> lm.metrics.frechet_distance(x, x + [3, 0, 4])
        25.0

    Reference:
        Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
        arXiv:1706.08500; Dowson & Landau 1982.
    """
    sets = [np.asarray(features, np.float64) for features in (real, invented)]
    if any(x.ndim != 2 or len(x) < 2 for x in sets) or sets[0].shape[1] != sets[1].shape[1]:
        raise ValueError(
            "frechet_distance: features must have shapes (N, D) and (M, D), two rows or more, got "
            f"{sets[0].shape} and {sets[1].shape}"
        )
    if not all(np.isfinite(x).all() for x in sets):
        raise ValueError("frechet_distance: features must be finite")
    means = [x.mean(axis=0) for x in sets]
    first, second = (np.cov(x, rowvar=False).reshape(x.shape[1], -1) for x in sets)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    distance = ((means[0] - means[1]) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * shared
    return max(0.0, round(float(distance), 9))
