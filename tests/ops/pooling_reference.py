"""What the tests of pooling share: the windows of x (N, ..., C), in plain Python."""

import itertools

import numpy as np


def several(value, count):
    return value if isinstance(value, tuple) else (value,) * count


def spans(size, kernel, stride, padding):
    """(begin, end) of each window along an axis, cut to the input."""
    if padding == "same":
        count = -(-size // stride)
        before = max((count - 1) * stride + kernel - size, 0) // 2
    else:
        before, after = (0, 0) if padding == "valid" else several(padding, 2)
        count = (size + before + after - kernel) // stride + 1
    starts = [o * stride - before for o in range(count)]
    return [(max(start, 0), min(start + kernel, size)) for start in starts]


def adaptive_spans(size, outputs):
    return [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]


def all_spans(x, pool_size, strides, padding):
    count = x.ndim - 2
    kernel = several(pool_size, count)
    stride = kernel if strides is None else several(strides, count)
    paddings = padding if isinstance(padding, tuple) else (padding,) * count
    return [spans(*a) for a in zip(x.shape[1:-1], kernel, stride, paddings, strict=True)]


def reduce_windows(x, spans_of_axes, function):
    """y[n, ..., c] = function(window as (N, ..., C)) for each window."""
    y = np.empty((x.shape[0], *(len(s) for s in spans_of_axes), x.shape[-1]))
    for place in itertools.product(*(range(len(s)) for s in spans_of_axes)):
        cut = tuple(slice(*s[i]) for s, i in zip(spans_of_axes, place, strict=True))
        y[(slice(None), *place)] = function(x[(slice(None), *cut)])
    return y


def largest(window):
    return window.max(tuple(range(1, window.ndim - 1)))


def mean(window):
    return window.mean(tuple(range(1, window.ndim - 1)))


def apart(shape, seed=0):
    """Values that differ by at least 0.01: differences do not change which one wins."""
    values = np.random.default_rng(seed).permutation(int(np.prod(shape)))
    return (values * 0.01 - values.size * 0.005).reshape(shape)


CASES = [  # shape, pool_size, strides, padding
    ((2, 6, 6, 5), 2, None, "valid"),
    ((3, 9, 8, 16), 3, 2, "same"),
    ((2, 7, 9, 35), (3, 2), (2, 3), "same"),
    ((2, 5, 5, 3), 3, 1, "same"),
    ((1, 4, 4, 1), 4, 4, "valid"),
    ((2, 3, 3, 2), 2, 5, "valid"),
    ((2, 2, 3, 4), 5, 1, "same"),
    ((2, 11, 5, 17), (1, 3), (4, 1), "valid"),
    ((2, 6, 7, 5), 3, 2, 1),
    ((2, 6, 7, 5), (3, 4), 2, (1, (2, 0))),
    ((2, 13, 5), 3, 2, "same"),
    ((5, 12, 17), 2, None, "valid"),
    ((5, 9, 6), 4, 3, (2,)),
    ((3, 10, 3), 5, 1, ((1, 2),)),
    ((2, 4, 6, 5, 5), 2, None, "valid"),
    ((2, 5, 4, 7, 16), 3, 2, "same"),
    ((2, 3, 6, 5, 3), (1, 3, 2), (2, 1, 3), (0, 1, (1, 0))),
    ((3, 4, 3, 4, 17), 3, 1, 1),
]
OPS = {3: "pool1d", 4: "pool2d", 5: "pool3d"}
