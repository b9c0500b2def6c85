import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)


def angles(places, size, wavelength=10000.0):
    return np.asarray(places, float)[..., None] * wavelength ** (-np.arange(0, size, 2) / size)


def sines(places, size, wavelength=10000.0):
    y = np.empty((*np.shape(places), size))
    found = angles(places, size, wavelength)
    y[..., 0::2], y[..., 1::2] = np.sin(found), np.cos(found)[..., : size // 2]
    return y


@pytest.mark.parametrize(
    ("length", "size", "wavelength", "start"), [(50, 16, 10000, 0), (7, 5, 100.0, 3), (0, 4, 10, 0), (3, 1, 10, 2**20)]
)
def test_sine_positions(length, size, wavelength, start):
    expected = sines(np.arange(start, start + length), size, wavelength)
    y = lm.ops.sine_positions(length, size, wavelength, start, dtype="float64")
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-9)
    y = lm.ops.sine_positions(length, size, wavelength, start)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-6)
    y = lm.ops.sine_positions(0, 6, positions=[[3, 1.5], [0, 9]])
    np.testing.assert_allclose(y.numpy(), sines([[3, 1.5], [0, 9]], 6), atol=1e-6)


def rotated(x, places, along, axis, wavelength=10000.0, scaling=1.0):
    x = np.moveaxis(np.moveaxis(x, axis, -1), along if along < axis else along - 1, -2)
    size = x.shape[-1]
    a = angles(np.asarray(places) / scaling, size, wavelength)
    if a.ndim == 3:
        a = a.reshape(len(a), *[1] * (x.ndim - 3), *a.shape[1:])
    low, high = x[..., : size // 2], x[..., size // 2 :]
    y = np.concatenate([low * np.cos(a) - high * np.sin(a), high * np.cos(a) + low * np.sin(a)], -1)
    return np.moveaxis(np.moveaxis(y, -2, along if along < axis else along - 1), -1, axis)


@pytest.mark.parametrize(
    ("shape", "along", "axis"),
    [((3, 9, 4, 6), 1, 3), ((3, 4, 9, 6), 2, 3), ((3, 9, 8), 1, 2), ((3, 6, 9), 2, 1), ((2, 9, 2), 1, 2)],
)
def test_rotary_embedding(shape, along, axis):
    def op(x):
        return lm.ops.rotary_embedding(x, 100.0, 2.0, along, axis, start_index=5)

    places = np.arange(5, 5 + shape[along])
    check_op(op, [random.normal(size=shape)], lambda x: rotated(x, places, along, axis, 100.0, 2.0))


def test_positions_of_each_sample():
    x, places = random.normal(size=(3, 5, 2, 4)), random.integers(0, 50, (3, 5))
    y = lm.ops.rotary_embedding(x, positions=places)
    for i in range(3):
        np.testing.assert_allclose(y.numpy()[i : i + 1], rotated(x[i : i + 1], places[i], 1, 3), atol=1e-12)
        one = lm.ops.rotary_embedding(x[i : i + 1], positions=places[i])
        np.testing.assert_array_equal(one.numpy(), y.numpy()[i : i + 1])


def test_products_depend_on_the_distance_alone():
    q, k = random.normal(size=(2, 1, 1, 8))
    products = [
        (lm.ops.rotary_embedding(q[None], start_index=p) * lm.ops.rotary_embedding(k[None], start_index=p + 7))
        .sum()
        .item()
        for p in (0, 3, 1000)
    ]
    np.testing.assert_allclose(products, products[0], rtol=1e-10)


def test_bad_arguments():
    x = np.zeros((2, 3, 4))
    for arguments, error, message in (
        ({"x": np.zeros((2, 3, 5))}, ValueError, "number of features must be even"),
        ({"sequence_axis": 3}, ValueError, "axis"),
        ({"sequence_axis": 2}, ValueError, "must differ"),
        ({"scaling_factor": 0.0}, ValueError, "scaling_factor must be positive, got 0"),
        ({"max_wavelength": -1.0}, ValueError, "max_wavelength must be positive, got -1"),
        ({"positions": [1, 2]}, ValueError, r"positions must have shape \(3,\) or \(batch, 3\), got \(2,\)"),
        ({"start_index": 1.5}, TypeError, "start_index must be an integer"),
    ):
        with pytest.raises(error, match="rotary_embedding: .*" + message):
            lm.ops.rotary_embedding(**({"x": x} | arguments))
    with pytest.raises(ValueError, match="sine_positions: length must be at least 0, got -1"):
        lm.ops.sine_positions(-1, 4)
    with pytest.raises(TypeError, match="sine_positions: size must be an integer"):
        lm.ops.sine_positions(1, 4.0)
