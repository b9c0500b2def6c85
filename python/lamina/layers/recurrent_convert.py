"""Weights of PyTorch's recurrent layers as those of SimpleRNN, LSTM and GRU."""

from __future__ import annotations

from typing import Any

import numpy as np

Weights = list[Any]


def _matrix(value: Any) -> Any:
    return np.ascontiguousarray(np.asarray(value).T)


def _blocks(name: str, gates: int, weights: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arrays of one layer and direction, their shapes checked."""
    w, u, *biases = (None if a is None else np.asarray(a) for a in weights)
    units = u.shape[1] if u is not None and u.ndim == 2 else 0
    rows = (gates * units,)
    fits = w is not None and w.ndim == 2 and w.shape[:1] == rows and u is not None and u.shape == (*rows, units)
    if not fits or any(b is not None and b.shape != rows for b in biases) or (biases[0] is None) != (biases[1] is None):
        shapes = [None if a is None else a.shape for a in (w, u, *biases)]
        raise ValueError(
            f"{name}: expected weight_ih ({gates} * units, features), weight_hh ({gates} * units, units) "
            f"and two biases ({gates} * units,) or none, got {shapes}"
        )
    return w, u, *biases


def from_torch_rnn(weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None) -> Weights:
    """The weights of a `torch.nn.RNN`, one layer and direction of it, for `SimpleRNN` and `ops.simple_rnn`.

    PyTorch keeps matrices transposed, and two biases whose sum is what counts.

    Args:
        weight_ih: array of shape (H, I): `weight_ih_l0` of the layer, detached.
        weight_hh: array of shape (H, H).
        bias_ih: array of shape (H,), or None where the layer has no biases.
        bias_hh: the same.

    Returns:
        [kernel, recurrent_kernel, bias], without the bias where there is none.

    Raises:
        ValueError: for shapes that are no layer's.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> [w.shape for w in lm.layers.from_torch_rnn(np.ones((5, 3)), np.ones((5, 5)), np.ones(5), np.ones(5))]
        [(3, 5), (5, 5), (5,)]
    """
    w, u, b, c = _blocks("from_torch_rnn", 1, (weight_ih, weight_hh, bias_ih, bias_hh))
    return [_matrix(w), _matrix(u)] + ([] if b is None else [b + c])


def from_torch_lstm(weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None) -> Weights:
    """The weights of a `torch.nn.LSTM`, one layer and direction of it, for `LSTM` and `ops.lstm`.

    Both have their gates in the order i, f, g, o. PyTorch keeps matrices transposed, and two biases whose sum is what
    counts.

    Args:
        weight_ih: array of shape (4H, I): `weight_ih_l0` of the layer, detached.
        weight_hh: array of shape (4H, H).
        bias_ih: array of shape (4H,), or None where the layer has no biases.
        bias_hh: the same.

    Returns:
        [kernel, recurrent_kernel, bias], without the bias where there is none.

    Raises:
        ValueError: for shapes that are no layer's.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> [w.shape for w in lm.layers.from_torch_lstm(np.ones((20, 3)), np.ones((20, 5)))]
        [(3, 20), (5, 20)]
    """
    w, u, b, c = _blocks("from_torch_lstm", 4, (weight_ih, weight_hh, bias_ih, bias_hh))
    return [_matrix(w), _matrix(u)] + ([] if b is None else [b + c])


def from_torch_gru(weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None) -> Weights:
    """The weights of a `torch.nn.GRU`, one layer and direction of it, for `GRU` and `ops.gru` with reset_after.

    PyTorch has its gates in the order r, z, n, Keras and Lamina in the order z, r, n; matrices are transposed.

    Args:
        weight_ih: array of shape (3H, I): `weight_ih_l0` of the layer, detached.
        weight_hh: array of shape (3H, H).
        bias_ih: array of shape (3H,), or None where the layer has no biases.
        bias_hh: the same.

    Returns:
        [kernel, recurrent_kernel, bias], the bias of shape (2, 3H), left out where there is none.

    Raises:
        ValueError: for shapes that are no layer's.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> w, u, b = [[1.0], [2.0], [3.0]], np.ones((3, 1)), np.ones(3)
        >>> kernel, recurrent_kernel, bias = lm.layers.from_torch_gru(w, u, b, b)
        >>> kernel.tolist(), bias.shape
        ([[2.0, 1.0, 3.0]], (2, 3))
    """
    blocks = _blocks("from_torch_gru", 3, (weight_ih, weight_hh, bias_ih, bias_hh))
    n = blocks[1].shape[1]
    turned: list[Any] = [None if a is None else np.concatenate([a[n : 2 * n], a[:n], a[2 * n :]]) for a in blocks]
    return [_matrix(turned[0]), _matrix(turned[1])] + ([] if turned[2] is None else [np.stack(turned[2:])])
