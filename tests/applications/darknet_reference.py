"""Darknet's layers once more, in plain NumPy and its own order (channels, rows, columns), for one picture."""

import numpy as np


class Numbers:
    """Takes numbers from the front."""

    def __init__(self, values):
        self.values, self.place = values, 0

    def take(self, *shape):
        count = int(np.prod(shape))
        self.place += count
        return self.values[self.place - count : self.place].reshape(shape).astype(np.float64)


def activated(x, name):
    return {
        "linear": lambda: x, "leaky": lambda: np.where(x > 0, x, 0.1 * x), "relu": lambda: np.maximum(x, 0),
        "logistic": lambda: 1 / (1 + np.exp(-x)),
    }[name]()  # fmt: skip


def convolutional(x, numbers, filters, size, stride, padding, groups, normalized, activation):
    channels = x.shape[0] // groups
    beta = numbers.take(filters)
    gamma, mean, variance = (numbers.take(filters) for _ in range(3)) if normalized else (1, 0, 1)
    kernel = numbers.take(filters, channels, size, size)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height, width = ((n + 2 * padding - size) // stride + 1 for n in x.shape[1:])
    y = np.zeros((filters, height, width))
    for f, i, j in np.ndindex(*y.shape):
        group = f // (filters // groups)
        window = padded[group * channels :, i * stride : i * stride + size, j * stride : j * stride + size][:channels]
        y[f, i, j] = (window * kernel[f]).sum()
    if normalized:
        y = (y - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None] * gamma[:, None, None]
    return activated(y + beta[:, None, None], activation)


def local(x, numbers, filters, size, stride, padding, activation):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height, width = ((n + 2 * padding - size) // stride + 1 for n in x.shape[1:])
    y = numbers.take(filters, height, width)
    kernel = numbers.take(height, width, filters, x.shape[0], size, size)
    for i, j in np.ndindex(height, width):
        window = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
        y[:, i, j] += (kernel[i, j] * window).sum(axis=(1, 2, 3))
    return activated(y, activation)


def connected(x, numbers, outputs, activation):
    bias = numbers.take(outputs)
    return activated(numbers.take(outputs, x.size) @ x.reshape(-1) + bias, activation)


def maxpool(x, size, stride, padding):
    height, width = ((n + padding - size) // stride + 1 for n in x.shape[1:])
    y = np.full((x.shape[0], height, width), -np.inf)
    for i, j, a, b in np.ndindex(height, width, size, size):
        row, column = i * stride + a - padding // 2, j * stride + b - padding // 2
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            y[:, i, j] = np.maximum(y[:, i, j], x[:, row, column])
    return y


def reorg(x, s):
    """The loops of Darknet's reorg, with their odd order."""
    c, h, w = x.shape
    flat, out, out_c = x.reshape(-1), np.zeros(x.size), c // (s * s)
    for k, j, i in np.ndindex(c, h, w):
        offset, c2 = divmod(k, out_c)
        w2, h2 = i * s + offset % s, j * s + offset // s
        out[i + w * (j + h * k)] = flat[w2 + w * s * (h2 + h * s * c2)]
    return out.reshape(c * s * s, h // s, w // s)
