"""Convolutions of any number of axes in plain NumPy, and inputs for them."""

import numpy as np

random = np.random.default_rng(0)
ACTIVATIONS = {
    None: lambda y: y,
    "relu": lambda y: np.maximum(y, 0),
    "sigmoid": lambda y: 1 / (1 + np.exp(-y)),
    "tanh": np.tanh,
}


def reference(x, kernel, bias=None, strides=1, pads=0, dilation=1, groups=1, activation=None):
    """Any number of axes: tap by tap."""
    rank = x.ndim - 2
    strides, dilation = np.broadcast_to(strides, rank), np.broadcast_to(dilation, rank)
    pads = [tuple(p) for p in np.broadcast_to(pads, (rank, 2))]
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    taps, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    size = [(x.shape[i + 1] - (taps[i] - 1) * dilation[i] - 1) // strides[i] + 1 for i in range(rank)]
    y = np.zeros((x.shape[0], *size, groups, filters // groups))
    for tap in np.ndindex(*taps):
        place = [
            slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilation, size, strides, strict=True)
        ]
        seen = x[(slice(None), *place)].reshape(*y.shape[:-1], channels)
        y += np.einsum("...gc,cgk->...gk", seen, kernel[tap].reshape(channels, groups, filters // groups))
    y = y.reshape(*y.shape[:-2], filters) + (0 if bias is None else bias)
    return ACTIVATIONS[activation](y)


def transposed_reference(x, kernel, bias, strides, crop, output, activation=None):
    """Every input adds the kernel times its value; `output` places from `crop` on are kept."""
    rank = x.ndim - 2
    strides = np.broadcast_to(strides, rank)
    taps = kernel.shape[:-2]
    room = [
        max((n - 1) * s + k, c + o) for n, s, k, c, o in zip(x.shape[1:-1], strides, taps, crop, output, strict=True)
    ]
    y = np.zeros((x.shape[0], *room, kernel.shape[-2]))
    for tap in np.ndindex(*taps):
        place = [slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(tap, x.shape[1:-1], strides, strict=True)]
        y[(slice(None), *place)] += x @ kernel[tap].T
    y = y[(slice(None), *[slice(c, c + o) for c, o in zip(crop, output, strict=True)])]
    return ACTIVATIONS[activation](y + bias)


def inputs(x_shape, kernel_shape, filters, activation=None):
    x, kernel = random.normal(size=x_shape), random.normal(size=kernel_shape)
    bias = np.full(filters, 5 * np.sqrt(kernel.size)) if activation == "relu" else random.normal(size=filters)
    return [x, kernel / np.sqrt(np.prod(kernel_shape[:-1])), bias]
