"""Arrays of more than 2^31 elements: places are counted in 64 bits. Pages that are only read take no memory."""

from collections.abc import Iterator

import numpy as np
import psutil
import pytest

import lamina as lm

N = 2**31 + 24
FAR = (2**31 + 5, N - 1)  # places that 32 bits cannot count


@pytest.fixture
def x() -> Iterator[np.ndarray]:
    """Zeros but for two of the last places."""
    if psutil.virtual_memory().available < 10e9:  # a system may give huge pages to what is only read
        pytest.skip("needs 10 GB of memory")
    try:
        array = np.zeros(N, np.float32)
    except MemoryError:
        pytest.skip("the system gives no 8 GB of addresses")
    array[list(FAR)] = 3.0, 4.0
    yield array
    del array


@pytest.mark.slow
def test_sums_and_extremes(x: np.ndarray) -> None:
    assert lm.ops.sum(x).item() == 7
    assert lm.ops.max(x).item() == 4
    assert lm.ops.argmax(x).item() == FAR[1]


@pytest.mark.slow
def test_a_row_of_a_table(x: np.ndarray) -> None:
    assert lm.ops.embedding(np.array([FAR[0], 0, FAR[1]]), x[:, None]).numpy()[:, 0].tolist() == [3, 0, 4]
    with pytest.raises(ValueError, match=f"must be from 0 to {N - 1}, got {N}"):
        lm.ops.embedding(np.array([0, N]), x[:, None])
    assert lm.ops.take(x, np.array([FAR[0], FAR[1]])).numpy().tolist() == [3, 4]


@pytest.mark.slow
def test_a_product_along_the_long_axis(x: np.ndarray) -> None:
    assert lm.ops.matmul(x[None], x[:, None]).item() == 25
