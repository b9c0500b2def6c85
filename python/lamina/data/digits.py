"""Handwritten digits: 1,797 real pictures of 8x8 points that come with scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.data.split import split

Array = Any


def digits(test: float = 0.2, seed: int = 0) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The digits, split into a part to learn from and a part to be tested on.

    Args:
        test: the share of the pictures in the second part.
        seed: of the order in which they are drawn.

    Returns:
        (x, y), (x_test, y_test): pictures (N, 8, 8, 1), float32 from 0 to 1, and class numbers (N,), int64.

    Raises:
        ImportError: without scikit-learn: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm
        >>> (x, y), (x_test, y_test) = lm.data.digits()
        >>> x.shape, x_test.shape
        ((1438, 8, 8, 1), (359, 8, 8, 1))

    Reference:
        Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError('data.digits needs scikit-learn: pip install "lamina[demo]"') from error
    pictures, labels = load_digits(return_X_y=True)
    x = (pictures.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    (x_train, x_test), (y_train, y_test) = split(x, labels.astype(np.int64), test=test, seed=seed)
    return (x_train, y_train), (x_test, y_test)
