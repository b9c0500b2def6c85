"""Sequential: adding, building, and the networks that users know from Keras."""

import numpy as np
import pytest

from lamina import _cpu
from lamina.layers import (
    LSTM,
    Conv2D,
    Dense,
    Discretization,
    Dropout,
    Embedding,
    Flatten,
    Hashing,
    Input,
    IntegerLookup,
    MaxPooling2D,
)
from lamina.models import Model, Sequential, clone_model


def test_keras_snippet_of_a_dense_network():
    model = Sequential()
    model.add(Dense(4, activation='relu', input_shape=(18,)))  # fmt: skip
    model.add(Dense(3, activation='relu'))  # fmt: skip
    model.add(Dense(1, activation='sigmoid'))  # fmt: skip
    assert model.count_params() == 95
    assert [w.shape for w in model.get_weights()] == [(18, 4), (4,), (4, 3), (3,), (3, 1), (1,)]
    assert model.predict(np.zeros((2, 18)), verbose=0).tolist() == [[0.5], [0.5]]


def test_keras_snippet_of_a_convolutional_network(capsys):
    input_shape = (28, 28, 1)
    model = Sequential()
    model.add(Conv2D(filters=32, kernel_size=3, activation='relu', input_shape=input_shape))  # fmt: skip
    model.add(MaxPooling2D(pool_size=2))
    model.add(Conv2D(filters=16, kernel_size=3, activation='relu'))  # fmt: skip
    model.add(MaxPooling2D(pool_size=2))
    model.add(Flatten())
    model.add(Dense(50, activation='relu'))  # fmt: skip
    model.add(Dense(2, activation='softmax'))  # fmt: skip
    assert model.count_params() == 25096
    assert [layer.output_shape[1] for layer in model.layers] == [26, 13, 11, 5, 400, 50, 2]
    assert model.output_shape == (None, 2)
    model.summary()
    text = capsys.readouterr().out
    assert "25,096" in text
    assert "Deep network: 3 hidden layers" in text
    y = model.predict(np.random.default_rng(0).random((3, 28, 28, 1)), verbose=0)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(np.zeros((4, 28, 28, 1)), np.eye(2)[[0, 1, 0, 1]], verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_built_with_the_first_data():
    model = Sequential([Dense(4), Dense(2)])
    assert not model.built
    assert model.weights == []
    assert model(np.ones((3, 5))).shape == (3, 2)
    assert model.input_shape == (None, 5)
    model.add(Dense(1))
    assert model.count_params() == 5 * 4 + 4 + 4 * 2 + 2 + 3


def test_input_says_the_shape():
    for first in (Input((5,)), Input(shape=(5,), batch_size=None)):
        model = Sequential([first, Dense(4)])
        assert model.count_params() == 24
        assert len(model.layers) == 1
    with pytest.raises(ValueError, match=r"x must have shape \(N, 5\), got \(3, 4\)"):
        model(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"x must have shape \(N, 5\), got \(5,\)"):
        model(np.ones(5))


def test_input_dim_and_unknown_sizes():
    assert Sequential([Dense(4, input_dim=5)]).count_params() == 24
    model = Sequential([Conv2D(2, 3, input_shape=(None, None, 1))])
    assert model.output_shape == (None, None, None, 2)
    assert model(np.ones((1, 5, 9, 1))).shape == (1, 3, 7, 2)
    model.summary(print_fn=lambda text: None)
    with pytest.raises(ValueError, match="x must have shape"):
        model(np.ones((1, 5, 9, 2)))


def test_pop():
    model = Sequential([Input((5,)), Dense(4), Dense(3)])
    last = model.layers[-1]
    assert model.pop() is last
    assert model.output_shape == (None, 4)
    model.add(Dense(2))
    assert model(np.ones((1, 5))).shape == (1, 2)
    while model._layers:
        model.pop()
    with pytest.raises(ValueError, match="there are no layers"):
        model.pop()


def test_nested():
    inner = Sequential([Dense(4, activation="relu"), Dropout(0.5)])
    model = Sequential([Input((5,)), inner, Dense(2)])
    assert model.count_params() == 24 + 10
    assert list(model.named_weights()) == [
        "sequential/dense/kernel", "sequential/dense/bias", "dense/kernel", "dense/bias",
    ]  # fmt: skip
    assert model.output_shape == (None, 2)
    model.summary(print_fn=lambda text: None)


def test_refused():
    model = Sequential()
    with pytest.raises(TypeError, match="expects a Layer"):
        model.add("dense")
    with pytest.raises(ValueError, match="cannot be built without layers"):
        model.predict(np.ones((1, 2)))
    with pytest.raises(ValueError, match="cannot be built"):
        model.build()
    with pytest.raises(ValueError, match="names of their own"):
        Sequential([Dense(1, name="a"), Dense(1, name="a")])
    with pytest.raises(ValueError, match="the window reaches over 3 rows"):
        Sequential([Conv2D(1, 3, input_shape=(2, 2, 1))])
    model = Sequential([Conv2D(1, 3, input_shape=(4, 4, 1))])
    with pytest.raises(ValueError, match="the window reaches"):
        model.add(Conv2D(1, 3))
    assert len(model.layers) == 1
    assert model(np.ones((1, 4, 4, 1))).shape == (1, 2, 2, 1)


def test_configuration_round_trip():
    model = Sequential([Input((8, 8, 1)), Conv2D(2, 3), Flatten(), Sequential([Dense(3), Dense(2, "relu")])])
    config = model.get_config()
    again = Sequential.from_config(config)
    assert again.get_config() == config
    assert [v.shape for v in again.weights] == [v.shape for v in model.weights]


def test_a_frozen_model_and_a_layer_in_it_that_is_not():
    frozen = Sequential([Dense(3, input_shape=(4,)), Dense(2)], trainable=False)
    assert frozen.trainable_weights == []
    frozen.add(Dense(1))
    assert frozen.trainable_weights == []
    lazy = Sequential([Dense(3)], trainable=False)
    lazy(np.ones((1, 4)))
    assert lazy.trainable_weights == []
    frozen.layers[-1].trainable = True
    for again in (Sequential.from_config(frozen.get_config()), clone_model(frozen)):
        assert [len(layer.trainable_weights) for layer in again.layers] == [0, 0, 2]
        assert not again.trainable
        again.add(Dense(1))
        assert len(again.trainable_weights) == 2


@pytest.mark.parametrize(
    "last",
    [
        lambda: Discretization(bin_boundaries=[0.0, 1.0]), lambda: IntegerLookup(vocabulary=[1, 2]),
        lambda: Hashing(num_bins=3), lambda: Dense(3), lambda: LSTM(3, return_state=True),
        lambda: Sequential([Discretization(bin_boundaries=[0.0])]),
    ],
)  # fmt: skip
def test_symbolic_outputs_have_the_dtypes_of_the_values(last):
    layer = last()
    inner = Sequential([layer])
    shape = (4, 2) if isinstance(layer, LSTM) else (2,)
    x = Input(shape, dtype="int64" if isinstance(layer, IntegerLookup | Hashing) else "float32")
    outer = inner(x)
    values = inner(np.ones((3, *shape), x.dtype))
    for symbol, value in zip(*(y if isinstance(y, list | tuple) else [y] for y in (outer, values)), strict=True):
        assert (symbol.shape[1:], symbol.dtype) == (value.shape[1:], value.dtype)


def test_integers_of_a_nested_sequential_reach_the_next_layer():
    x = Input((2,))
    bins = Sequential([Discretization(bin_boundaries=[0.0, 1.0])])(x)
    model = Model(x, Embedding(3, 4)(bins))
    assert model(np.array([[-1.0, 2.0]])).shape == (1, 2, 4)


def test_a_pool_behind_a_convolution_is_one_op_with_it(monkeypatch):
    seen = []
    before = _cpu.conv2d_pool_forward
    monkeypatch.setattr(_cpu, "conv2d_pool_forward", lambda *a: [seen.append(a), before(*a)][1])
    model = Sequential(
        [
            Conv2D(5, 3, activation="relu", input_shape=(12, 12, 1)),
            MaxPooling2D(2),
            Conv2D(4, 3, activation="sigmoid"),
            MaxPooling2D(2),
        ]
    )
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 1)).astype("float32")
    y = model.predict(x)
    assert len(seen) == 1  # sigmoid is an op of its own
    for layer in model.layers:
        x = layer(x)
    np.testing.assert_array_equal(y, x.numpy())
    assert len(seen) == 1
    assert model.layers[1].output_shape == (None, 5, 5, 5)


@pytest.mark.parametrize("dtype", ["mixed_float16", "float64"])
def test_a_pool_behind_a_convolution_in_other_dtypes(dtype):
    model = Sequential(
        [Conv2D(5, 3, activation="relu", input_shape=(12, 12, 1), dtype=dtype), MaxPooling2D(2, dtype=dtype)]
    )
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 1))
    np.testing.assert_array_equal(model.predict(x), model.layers[1](model.layers[0](x)).numpy())
