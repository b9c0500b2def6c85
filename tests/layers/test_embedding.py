import numpy as np
import pytest

import lamina as lm
from lamina.layers import Embedding


def test_values_shapes_and_gradients():
    layer = Embedding(11, 5, dtype="float64")
    x = np.random.default_rng(0).integers(0, 11, (3, 4))
    y = layer(x)
    np.testing.assert_array_equal(y.numpy(), layer.embeddings.numpy()[x])
    assert y.dtype == np.float64
    assert layer.compute_output_shape((None, 4)) == (None, 4, 5)
    assert abs(layer.embeddings.numpy()).max() <= 0.05
    lm.grad_check(lambda table: lm.ops.embedding(x, table), [layer.embeddings])
    assert layer.flops((None, 4)) == 0


def test_whole_numbers_in_floating_point():
    layer = Embedding(11, 5)
    x = np.array([[3.0, 10.0]], np.float32)
    np.testing.assert_array_equal(layer(x).numpy(), layer(x.astype(np.int64)).numpy())
    for bad in (0.5, np.nan, np.inf):
        x[0, 1] = bad
        with pytest.raises(ValueError, match=rf"embedding.*: expected whole numbers, got {bad} at \(0, 1\)"):
            layer(x)


def test_initial_weights():
    given = np.arange(6.0).reshape(3, 2)
    for weights in (given, [given], given.tolist()):
        layer = Embedding(3, 2, weights=weights)
        np.testing.assert_array_equal(layer.get_weights()[0], given)
    with pytest.raises(ValueError, match="shape"):
        Embedding(3, 3, weights=given)


def test_mask():
    x = [[1, 0, 2]]
    assert Embedding(3, 2).compute_mask(x) is None
    assert Embedding(3, 2, mask_zero=True).compute_mask(x).numpy().tolist() == [[True, False, True]]


def test_the_mask_goes_on():
    x = lm.tensor(np.array([[1, 0, 2]]))
    y = Embedding(3, 2, mask_zero=True)(x)
    for layer in (lm.layers.PositionalEncoding(), lm.layers.PositionEmbedding(5), lm.layers.RotaryEmbedding()):
        assert layer(y)._mask.numpy().tolist() == [[True, False, True]]
    assert Embedding(3, 2)(x)._mask is None
    symbol = Embedding(3, 2, mask_zero=True)(lm.layers.Input((None,), dtype="int32"))
    assert symbol._mask.shape == (None, None)


def test_configuration():
    layer = Embedding(
        5,
        3,
        "ones",
        embeddings_regularizer="l2",
        embeddings_constraint="non_neg",
        mask_zero=True,
        sparse=True,
        name="e",
    )
    config = layer.get_config()
    again = Embedding.from_config(config)
    assert again.get_config() == config
    assert (config["mask_zero"], config["sparse"], config["name"]) == (True, True, "e")
    again([[1]])
    assert again.embeddings.constraint is not None
    assert len(again.losses) == 1
    assert again(np.ones((1, 1), int)).numpy().tolist() == [[[1, 1, 1]]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_dim": 0}, "input_dim must be a positive integer, got 0"),
        ({"output_dim": -1}, "output_dim must be a positive integer, got -1"),
        ({"lora_rank": 4}, "lora_rank must be None"),
        ({"quantization_config": 4}, "quantization_config must be None"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Embedding(**{"input_dim": 3, "output_dim": 2, **arguments})
    with pytest.raises(TypeError, match=r"input_dim must be a positive integer, got 2\.5"):
        Embedding(2.5, 2)
    with pytest.raises(ValueError, match=r"must be from 0 to 2, got 3 at \(0, 1\)"):
        Embedding(3, 2)([[0, 3]])


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])
def test_training(optimizer, sparse):
    """Numbers of one kind in a row tell the class: a table of 1,000 vectors learns it."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 256)
    x = random.integers(0, 500, (256, 8)) * 2 + y[:, None]
    lm.set_seed(0)
    model = lm.models.Sequential([
        lm.layers.Input((8,), dtype="int32"),
        Embedding(1000, 8, sparse=sparse),
        lm.layers.GlobalAveragePooling1D(),
        lm.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    rate = {"sgd": 20.0, "adam": 0.02, "adagrad": 0.5}[optimizer]
    model.compile(type(lm.optimizers.get(optimizer))(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=15, batch_size=32, verbose=0)
    assert history.history["accuracy"][-1] > 0.95
    again = lm.models.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
