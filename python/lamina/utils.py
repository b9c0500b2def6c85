"""What scripts need besides models: labels as vectors, rows of length 1, sequences of one length, batches by number,
the seed of everything."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np

from lamina import backend, ops, random
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.models.attention_plot import plot_attention as plot_attention
from lamina.models.detection_plot import plot_detections as plot_detections
from lamina.models.plotting import plot_model as plot_model
from lamina.models.segmentation_plot import plot_segmentation as plot_segmentation

Array = Any


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Classes as vectors: 1 at the place of the class, 0 elsewhere.

    Args:
        x: whole numbers from 0 on, of shape (N,), (N, 1) or any other; a last axis of one entry is left out.
        num_classes: how many there are; None for the greatest number and one.

    Returns:
        NumPy array of shape (..., num_classes) of float64, as Keras gives.

    Raises:
        TypeError: if num_classes is no integer.
        ValueError: if a number is not whole or not from 0 to num_classes - 1, or x is empty without num_classes.

    Example:
        >>> import lamina as lm
        >>> lm.utils.to_categorical([0, 2, 1]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    given = backend.as_array(x.array if isinstance(x, Tensor) else x)
    with np.errstate(invalid="ignore"):  # NaN is found below
        classes = given.astype(np.int64)
    if not np.array_equal(classes, given):
        raise ValueError(f"to_categorical: x must be whole numbers, got {given.ravel()[(classes != given).argmax()]}")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    if num_classes is not None and (isinstance(num_classes, bool) or not hasattr(num_classes, "__index__")):
        raise TypeError(f"to_categorical: num_classes must be an integer, got {num_classes!r}")
    if num_classes is None:
        if not classes.size:
            raise ValueError("to_categorical: x is empty: num_classes must be given")
        num_classes = int(classes.max()) + 1
    wrong = (classes < 0) | (classes >= num_classes)
    if wrong.any():
        raise ValueError(f"to_categorical: x must be from 0 to {num_classes - 1}, got {classes[wrong].flat[0]}")
    vectors = np.zeros((classes.size, num_classes))
    vectors[np.arange(classes.size), classes.ravel()] = 1
    return vectors.reshape(*classes.shape, num_classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Array:
    """Rows over their norms; rows of zeros stay.

    Args:
        x: numbers, of any shape.
        axis: along which the norm is taken.
        order: of the norm: 2 for the Euclidean.

    Returns:
        NumPy array of the shape of x.

    Example:
        >>> import lamina as lm
        >>> lm.utils.normalize([[3.0, 4.0]]).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    array = np.atleast_1d(backend.as_array(x.array if isinstance(x, Tensor) else x))
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    norm = ops.norm(Tensor(array), order, axis=axis, keepdims=True).array
    result: Array = array / np.where(norm == 0, 1, norm)
    return result


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> Array:
    """Sequences of different lengths as one array, filled up before or after them.

    Args:
        sequences: a list of N sequences, each of shape (length, ...): of numbers, or of vectors of one shape.
        maxlen: the length of all, T; None for that of the longest. Longer ones are cut.
        dtype: of the result.
        padding: "pre" or "post": where `value` goes, before a sequence or after it.
        truncating: "pre" or "post": which end of a sequence that is too long is cut off.
        value: what the sequences are filled up with.

    Returns:
        NumPy array (N, T, ...).

    Raises:
        TypeError: if maxlen is no integer, dtype not of numbers, or something in `sequences` is no sequence.
        ValueError: if padding or truncating is another word, maxlen is negative, the entries of sequences differ in
            shape, or dtype is of integers and a number is not whole or too large for it.

    Example:
        >>> import lamina as lm
        >>> lm.utils.pad_sequences([[1], [2, 3], [4, 5, 6, 7]], maxlen=3).tolist()
        [[0, 0, 1], [0, 2, 3], [5, 6, 7]]
        >>> lm.utils.pad_sequences([[1], [2, 3]], padding="post").tolist()
        [[1, 0], [2, 3]]
    """
    for word, name in ((padding, "padding"), (truncating, "truncating")):
        if word not in ("pre", "post"):
            raise ValueError(f'pad_sequences: {name} must be "pre" or "post", got {word!r}')
    if maxlen is not None and not is_integer(maxlen):
        raise TypeError(f"pad_sequences: maxlen must be an integer, got {maxlen!r}")
    kind = np.dtype(dtype)
    if kind.kind not in "biuf":
        raise TypeError(f"pad_sequences: dtype must be of numbers, got {dtype!r}")
    rows = []
    for i, sequence in enumerate(sequences):
        if isinstance(sequence, str) or not hasattr(sequence, "__len__"):
            raise TypeError(f"pad_sequences: expected sequences, got {sequence!r} at {i}")
        rows.append(_held(backend.to_host(sequence.array) if isinstance(sequence, Tensor) else sequence, kind))
    length = max(map(len, rows), default=0) if maxlen is None else int(maxlen)
    if length < 0:
        raise ValueError(f"pad_sequences: maxlen must be at least 0, got {maxlen}")
    shape = next((row.shape[1:] for row in rows if len(row)), ())
    result = np.full((len(rows), length, *shape), _held(value, kind), kind)
    for i, row in enumerate(rows):
        if len(row) and row.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: entries must have one shape, {shape}, got {row.shape[1:]} in sequence {i}"
            )
        kept = row[max(len(row) - length, 0) :] if truncating == "pre" else row[:length]
        if len(kept):
            start = length - len(kept) if padding == "pre" else 0
            result[i, start : start + len(kept)] = kept
    return result


def _held(values: Any, dtype: np.dtype[Any]) -> Array:
    """The values in a dtype; ValueError if it is of integers and has no room for one of them."""
    array = np.asarray(values)
    with np.errstate(invalid="ignore"):  # NaN is found below
        typed = array.astype(dtype)
    wrong = np.atleast_1d(typed != array)
    if dtype.kind in "iu" and wrong.any():
        raise ValueError(f"pad_sequences: {dtype} has no room for {np.atleast_1d(array)[wrong].flat[0]}; give dtype=")
    return typed


def set_random_seed(seed: int) -> None:
    """Starts all random numbers anew: Lamina's, NumPy's and Python's.

    Args:
        seed: an integer from 0 to 2^32 - 1.

    Raises:
        TypeError: if it is no integer.
        ValueError: if NumPy cannot take it.

    Example:
        >>> import lamina as lm
        >>> lm.utils.set_random_seed(7)
        >>> lm.random.get_seed()
        7
    """
    random.set_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  scripts that draw from NumPy's global generator count on it
    python_random.seed(seed)


class PyDataset:
    """Batches by number: a subclass gives ``__len__``, how many there are, and ``__getitem__``, one of them.

    `fit`, `evaluate` and `predict` take it as they take a `lamina.data.Dataset`: `fit` in a new order each epoch, by
    `lamina.set_seed`, unless ``shuffle=False``; the others in order. ``on_epoch_end`` is called after each pass.

    Args:
        workers, use_multiprocessing, max_queue_size: have no say: batches are made when they are asked for. A
            `lamina.data.Dataset` with ``prefetch`` makes them ahead, in threads.

    Example:
        >>> import lamina as lm, numpy as np
        >>> class Squares(lm.utils.PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         return np.full((2, 1), index, "float32"), np.full((2, 1), index**2, "float32")
        >>> model = lm.Sequential([lm.Input((1,)), lm.layers.Dense(1)])
        >>> model.predict(Squares(), verbose=0).shape
        (6, 1)
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self): how many batches there are")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index): a batch")

    @property
    def num_batches(self) -> int:
        """How many batches there are."""
        return len(self)

    def on_epoch_end(self) -> None:
        """Called after each pass."""


Sequence = PyDataset
