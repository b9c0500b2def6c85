import numpy as np
import pytest

import lamina as lm
from lamina.layers import PositionalEncoding, PositionEmbedding, RotaryEmbedding, SinePositionEncoding

LAYERS = [
    (SinePositionEncoding, {"max_wavelength": 50}),
    (PositionalEncoding, {"max_wavelength": 50.0}),
    (PositionEmbedding, {"sequence_length": 11}),
    (RotaryEmbedding, {"max_wavelength": 50.0, "scaling_factor": 2.0, "sequence_axis": 1, "feature_axis": 2}),
]


@pytest.mark.parametrize(("kind", "arguments"), LAYERS)
def test_shapes_gradients_and_configuration(kind, arguments):
    layer = kind(**arguments, dtype="float64", name="p")
    x = np.random.default_rng(0).normal(size=(3, 5, 4))
    y = layer(x)
    assert y.shape == layer.compute_output_shape((3, 5, 4)) == (3, 5, 4)
    assert y.dtype == np.float64
    config = layer.get_config()
    again = kind.from_config(config)
    assert again.get_config() == config
    assert {key: config[key] for key in arguments} == arguments
    again.build((3, 5, 4))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x, start_index=2).numpy(), layer(x, start_index=2).numpy())
    if kind in (PositionalEncoding, RotaryEmbedding):
        lm.grad_check(lambda x: layer(x), [x])
    inputs = lm.layers.Input((5, 4))
    assert layer(inputs).shape == (None, 5, 4)


def test_sines():
    x = np.ones((2, 5, 6), np.float32)
    sines = SinePositionEncoding()(x, start_index=3).numpy()
    np.testing.assert_array_equal(sines[1], lm.ops.sine_positions(5, 6, start_index=3).numpy())
    np.testing.assert_array_equal(PositionalEncoding()(x, start_index=3).numpy(), sines + 1)
    places = [[4, 3, 2, 1, 0], [0, 0, 0, 0, 7]]
    each = SinePositionEncoding()(x, positions=places).numpy()
    np.testing.assert_array_equal(each[0], SinePositionEncoding()(x).numpy()[0, ::-1])
    with pytest.raises(ValueError, match=r"positions must have shape \(5,\) or \(N, 5\), got \(2,\)"):
        SinePositionEncoding()(x, positions=[1, 2])
    with pytest.raises(ValueError, match="must have shape"):
        SinePositionEncoding()(np.ones(5))
    with pytest.raises(ValueError, match="max_wavelength must be positive, got 0"):
        SinePositionEncoding(0)


def test_learned():
    layer = PositionEmbedding(7, "random_normal")
    y = layer(np.zeros((2, 3, 4)), start_index=2)
    np.testing.assert_array_equal(y.numpy()[1], layer.get_weights()[0][2:5])
    y.backward(np.ones((2, 3, 4), np.float32))
    expected = np.zeros((7, 4))
    expected[2:5] = 2
    np.testing.assert_array_equal(layer.weights[0].grad.numpy(), expected)
    assert layer.weights[0].name == "embeddings"
    for start in (5, -1):
        with pytest.raises(ValueError, match="positions must be from 0 to 6, got"):
            layer(np.zeros((2, 3, 4)), start_index=start)
    with pytest.raises(ValueError, match="sequence_length must be positive, got 0"):
        PositionEmbedding(0)
    with pytest.raises(TypeError, match="sequence_length must be an integer"):
        PositionEmbedding(None)


def test_rotary_with_heads():
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 8)).astype("float32")
    y = RotaryEmbedding()(x, start_index=4)
    np.testing.assert_array_equal(y.numpy(), lm.ops.rotary_embedding(x, start_index=4).numpy())
    np.testing.assert_allclose((y.numpy() ** 2).sum(), (x**2).sum(), rtol=1e-5)  # a rotation
    with pytest.raises(ValueError, match="number of features must be even"):
        RotaryEmbedding()(np.zeros((1, 2, 3)))
    with pytest.raises(TypeError, match="scaling_factor must be a number"):
        RotaryEmbedding(scaling_factor="2")
