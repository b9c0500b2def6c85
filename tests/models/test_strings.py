"""Strings as inputs of models: looked up by layers inside, through fit, evaluate, predict, files and Datasets."""

import numpy as np
import pytest

import lamina as lm
from lamina import layers

COLOURS = np.array([["red"], ["blue"], ["green"], ["red"]] * 5)
AMOUNTS = np.arange(20, dtype="float32").reshape(-1, 1) / 20
CODES = np.array([[10], [11], [12], [13]] * 5)
TARGETS = np.arange(20) % 2
DATA = {"colour": COLOURS, "amount": AMOUNTS, "code": CODES}


def make_model():
    lookup = layers.StringLookup()
    lookup.adapt(COLOURS)
    codes = layers.IntegerLookup(output_mode="multi_hot")
    codes.adapt(CODES)
    colour = lm.Input((1,), dtype="string", name="colour")
    amount = lm.Input((1,), name="amount")
    code = lm.Input((1,), dtype="int64", name="code")
    vector = layers.CategoryEncoding(num_tokens=lookup.vocabulary_size(), output_mode="one_hot")(lookup(colour))
    y = layers.Dense(1, activation="sigmoid")(layers.concatenate([vector, amount, codes(code)]))
    model = lm.Model([colour, amount, code], y)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def test_a_functional_model_takes_strings():
    model = make_model()
    history = model.fit(DATA, TARGETS, epochs=2, batch_size=8, validation_split=0.2, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    assert len(model.evaluate(DATA, TARGETS, verbose=0)) == 2
    whole = model.predict(DATA, verbose=0)
    parts = model.predict([COLOURS, AMOUNTS, CODES], batch_size=3, verbose=0)
    np.testing.assert_array_equal(whole, parts)
    for colours in (COLOURS.tolist(), COLOURS.astype("S5"), COLOURS.astype(object), COLOURS[:, 0]):
        np.testing.assert_array_equal(model.predict({**DATA, "colour": colours}, verbose=0), whole)
    assert model.train_on_batch(DATA, TARGETS)[0] > 0


def test_unknown_strings_count_as_one():
    model = make_model()
    row = {"amount": AMOUNTS[:1], "code": CODES[:1]}
    first, second = (model.predict({**row, "colour": np.array([[c]])}, verbose=0) for c in ("pink", "violet"))
    np.testing.assert_array_equal(first, second)


def test_files_and_datasets(tmp_path):
    model = make_model()
    data = lm.data.Dataset.from_arrays((DATA, TARGETS)).shuffle(seed=1).batch(8)
    model.fit(data, epochs=1, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(DATA, verbose=0), model.predict(DATA, verbose=0))
    assert again.inputs[0].dtype.kind == "U"
    assert again.get_layer("colour").dtype == "string"
    assert "colour" in str(again.get_config())


@pytest.mark.parametrize("with_input", [True, False])
def test_sequential_takes_texts(with_input):
    texts = np.array(["the cat sat", "the dog ran", "a cat"])
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(texts)
    begin = [lm.Input((1,), dtype="string")] if with_input else []
    model = lm.Sequential([*begin, vectorize, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(texts, np.ones(3), epochs=1, verbose=0)
    many = model.predict(texts, verbose=0)
    np.testing.assert_array_equal(model.predict(np.array(["a cat"]), verbose=0), many[2:])


def test_numbers_of_tokens_are_integers_in_a_graph():
    x = lm.Input((3,), dtype="string")
    numbers = layers.StringLookup(vocabulary=["a", "b"])(x)
    assert numbers.dtype == np.int64
    words = layers.StringLookup(vocabulary=["a", "b"], invert=True)(numbers)
    assert words.dtype.kind == "U"
    assert lm.Model(x, words).predict(np.array([["a", "c", "b"]]), verbose=0).tolist() == [["a", "[UNK]", "b"]]
    assert layers.Hashing(5)(x).dtype == np.int64
    number = lm.Input((3,))
    assert layers.Discretization([0.0, 1.0])(number).dtype == np.int64
    assert layers.Discretization([0.0, 1.0], output_mode="count")(number).dtype == np.float32
    assert layers.StringLookup(vocabulary=["a"], output_mode="count")(x).dtype == np.float32


def test_what_strings_are_refused():
    model = make_model()
    with pytest.raises(TypeError, match="input 'colour' must hold strings, got float32"):
        model.predict({**DATA, "colour": AMOUNTS}, verbose=0)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        model.predict({**DATA, "amount": COLOURS}, verbose=0)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        model.fit(DATA, COLOURS, verbose=0)
    with pytest.raises(TypeError, match="expected strings, got 3 among them"):
        model.predict({**DATA, "colour": np.array([["a"], [3]] * 10, dtype=object)}, verbose=0)
    with pytest.raises(ValueError, match=r"input 'colour' must have shape \(N, 1\), got \(20, 2\)"):
        model.predict({**DATA, "colour": np.repeat(COLOURS, 2, 1)}, verbose=0)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        layers.Dense(2)(COLOURS)
