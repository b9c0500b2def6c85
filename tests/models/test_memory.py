"""Resident memory stays flat, however often a model predicts or trains."""

import gc

import numpy as np
import psutil
import pytest

from lamina.layers import Conv2D, Dense, Flatten, MaxPooling2D
from lamina.models import Sequential

MEGABYTE = 1 << 20


def growth(work, times):
    """By how many bytes resident memory grows over so many calls, after a tenth as many to warm up."""
    process = psutil.Process()
    for _ in range(times // 10):
        work()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(times):
        work()
    gc.collect()
    return process.memory_info().rss - before


@pytest.mark.slow
def test_a_hundred_thousand_predictions():
    model = Sequential([Dense(4, "relu", input_shape=(18,)), Dense(3, "relu"), Dense(1, "sigmoid")])
    row = np.ones((1, 18), "float32")
    assert growth(lambda: model.predict(row, verbose=0), 100_000) < MEGABYTE


def test_a_thousand_steps():
    model = Sequential([Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)), MaxPooling2D(), Flatten(), Dense(3)])
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.ones((160, 8, 8, 1), "float32"), np.ones((160, 3), "float32")
    assert growth(lambda: model.fit(x, y, batch_size=16, verbose=0), 100) < MEGABYTE
