"""Data sets that come with scikit-learn: nothing is downloaded."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from lamina.data.digits import digits
from lamina.data.split import split

Array = Any
Parts = tuple[tuple[Array, Array], tuple[Array, Array]]

load_digits = digits


def load_iris(test: float = 0.2, seed: int = 0, stratify: bool = True) -> Parts:
    """Irises: 150 flowers of 3 kinds, 50 each, by length and width of sepals and petals in cm.

    Args:
        test: the share of the rows in the second part.
        seed: of the order in which they are drawn.
        stratify: whether both parts have the classes in the same shares.

    Returns:
        (x, y), (x_test, y_test): features (N, 4), float32, in cm; classes (N,), int64: setosa, versicolor, virginica.

    Raises:
        ImportError: without scikit-learn: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm
        >>> (x, y), (x_test, y_test) = lm.data.load_iris()
        >>> x.shape, x_test.shape
        ((120, 4), (30, 4))

    Reference:
        Fisher 1936, "The Use of Multiple Measurements in Taxonomic Problems"; measured by Anderson 1935. The copy in
        scikit-learn is R's, in which two rows differ from the one at UCI.
    """
    return _classes("load_iris", test, seed, stratify)


def load_wine(test: float = 0.2, seed: int = 0, stratify: bool = True) -> Parts:
    """Wines: 178 of 3 Italian growers (59, 71, 48), by 13 measures of a chemical analysis in their own units.

    Args:
        test: the share of the rows in the second part.
        seed: of the order in which they are drawn.
        stratify: whether both parts have the classes in the same shares.

    Returns:
        (x, y), (x_test, y_test): features (N, 13), float32, of very different sizes (normalise them), and classes
        (N,), int64, from 0 to 2.

    Raises:
        ImportError: without scikit-learn: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm
        >>> (x, y), _ = lm.data.load_wine()
        >>> x.shape
        (142, 13)

    Reference:
        Aeberhard & Forina 1992, "Wine", UCI Machine Learning Repository.
    """
    return _classes("load_wine", test, seed, stratify)


def load_breast_cancer(test: float = 0.2, seed: int = 0, stratify: bool = True) -> Parts:
    """Breast cancer (Wisconsin, diagnostic): 569 lumps by 30 measures of cell nuclei in pictures of punctures.

    Args:
        test: the share of the rows in the second part.
        seed: of the order in which they are drawn.
        stratify: whether both parts have the classes in the same shares.

    Returns:
        (x, y), (x_test, y_test): features (N, 30), float32, of very different sizes (normalise them), and classes
        (N,), int64: 0 malignant (212), 1 benign (357).

    Raises:
        ImportError: without scikit-learn: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm
        >>> (x, y), _ = lm.data.load_breast_cancer()
        >>> x.shape
        (455, 30)

    Reference:
        Street, Wolberg & Mangasarian 1993, "Nuclear Feature Extraction for Breast Tumor Diagnosis".
    """
    return _classes("load_breast_cancer", test, seed, stratify)


def load_diabetes(test: float = 0.2, seed: int = 0) -> Parts:
    """Diabetes: 442 patients by 10 measures, and how far the disease had come a year later. A regression.

    Args:
        test: the share of the rows in the second part.
        seed: of the order in which they are drawn.

    Returns:
        (x, y), (x_test, y_test): features (N, 10), float32, and progressions (N,), float32, from 25 to 346. As it
        comes with scikit-learn every feature has mean 0 and a sum of squares of 1 over all 442 rows: the test rows
        took part in that.

    Raises:
        ImportError: without scikit-learn: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm
        >>> (x, y), _ = lm.data.load_diabetes()
        >>> x.shape, y.shape
        ((354, 10), (354,))

    Reference:
        Efron, Hastie, Johnstone & Tibshirani 2004, "Least Angle Regression".
    """
    x, y = _datasets("load_diabetes").load_diabetes(return_X_y=True)
    (x, x_test), (y, y_test) = split(x.astype(np.float32), y.astype(np.float32), test=test, seed=seed)
    return (x, y), (x_test, y_test)


def load_sample_images() -> tuple[Array, list[str]]:
    """Two photographs: a temple in China and a flower.

    Returns:
        Pictures (2, 427, 640, 3), float32 from 0 to 1, and their file names.

    Raises:
        ImportError: without scikit-learn and Pillow: pip install "lamina[demo,images]".

    Example:
        >>> import lamina as lm
        >>> pictures, names = lm.data.load_sample_images()
        >>> pictures.shape, names
        ((2, 427, 640, 3), ['china.jpg', 'flower.jpg'])

    Reference:
        Photographs under the licence CC BY 2.0, as scikit-learn's note beside them says: china.jpg by danielbuechele,
        flower.jpg from the pages of vultilion, both of flickr.com. Decoders of JPEG may differ in the last bit.
    """
    try:
        found = _datasets("load_sample_images").load_sample_images()
    except ImportError as error:
        raise ImportError('load_sample_images needs scikit-learn and Pillow: pip install "lamina[demo,images]"'
                          ) from error  # fmt: skip
    pictures = np.stack([np.asarray(picture) for picture in found.images])
    return pictures.astype(np.float32) / np.float32(255), [str(name).rsplit("/", 1)[-1] for name in found.filenames]


def _classes(name: str, test: float, seed: int, stratify: bool) -> Parts:
    x, labels = getattr(_datasets(name), name)(return_X_y=True)
    y = labels.astype(np.int64)
    (x, x_test), (y, y_test) = split(x.astype(np.float32), y, test=test, seed=seed, stratify=y if stratify else None)
    return (x, y), (x_test, y_test)


def _datasets(who: str) -> Any:
    try:
        return importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(f'data.{who} needs scikit-learn: pip install "lamina[demo]"') from error
