"""Preprocessing of numbers, categories and texts: values, what is learned, configurations, refusals."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina.data import Dataset
from lamina.layers import (
    CategoryEncoding,
    Dense,
    Discretization,
    Hashing,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
    TextVectorization,
)
from lamina.layers.fingerprints import fingerprint64, siphash24
from lamina.models import Sequential


def again(layer):
    """The layer made anew from its configuration, by way of JSON."""
    return type(layer).from_config(json.loads(json.dumps(layer.get_config(), allow_nan=False)))


def values(x):
    return x.tolist() if isinstance(x, np.ndarray) else x.numpy().tolist()


RNG = np.random.default_rng(0)
NUMBERS = RNG.standard_normal((20, 3)).astype("float32")
WORDS = np.array([["a", "b", ""], ["c", "zebra", "a"]])
TEXTS = ["The cat, the dog!", "a bird  and THE cat", ""]


@pytest.mark.parametrize(("layer", "x"), [
    (Rescaling(2.0, [1.0, 2.0, 3.0]), NUMBERS),
    (Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]), NUMBERS),
    (Normalization(axis=None, mean=1.0, variance=4.0, invert=True), NUMBERS),
    (Discretization([0.0, 1.0], output_mode="one_hot"), NUMBERS), (CategoryEncoding(4), [[0, 3], [1, 1]]),
    (CategoryEncoding(4, "one_hot"), [0, 3]), (Hashing(5, mask_value="a", salt=3, output_mode="count"), WORDS),
    (Hashing(7), [[1, 2], [3, 400]]), (StringLookup(vocabulary=["a", "b"], num_oov_indices=3, mask_token=""), WORDS),
    (StringLookup(vocabulary=["a", "b"], output_mode="tf_idf", idf_weights=[0.5, 0.25]), WORDS),
    (StringLookup(vocabulary=["a", "b"], output_mode="count", pad_to_max_tokens=True, max_tokens=9, salt=5), WORDS),
    (IntegerLookup(vocabulary=[5, 7], num_oov_indices=2, oov_method="farmhash"), [[5, 7, 9], [-1, 0, 8]]),
    (IntegerLookup(vocabulary=[5, 7], invert=True, mask_token=0), [0, 1, 2, 3]),
    (TextVectorization(vocabulary=["the", "cat"], output_sequence_length=4), TEXTS),
    (TextVectorization(vocabulary=["t", "h", "t h"], split="character", ngrams=2, output_mode="count"), TEXTS),
    (TextVectorization(vocabulary=["cat"], standardize=None, output_mode="multi_hot"), TEXTS),
], ids=lambda v: type(v).__name__)  # fmt: skip
def test_configurations(layer, x):
    y = layer(x)
    same = again(layer)
    np.testing.assert_array_equal(np.asarray(same(x)), np.asarray(y))
    assert same.get_config() == layer.get_config()
    shape = (None, *np.shape(x)[1:])
    expected = layer.compute_output_shape(shape)
    assert len(expected) == np.ndim(y)
    assert all(e in (None, n) for e, n in zip(expected, np.shape(y), strict=True))


def test_normalization_adapts_to_arrays_lists_and_datasets():
    x = (RNG.standard_normal((50, 4, 3)) * 5 + 100).astype("float32")
    whole = Normalization()
    whole.adapt(x)
    np.testing.assert_allclose(whole.get_weights()[0], x.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(whole.get_weights()[1], x.var((0, 1)), rtol=1e-4)
    assert whole.get_weights()[2] == 200
    for data in ([x[:7], x[7:]], Dataset.from_arrays((x, np.zeros(50))).batch(8), (part for part in np.split(x, 5))):
        parts = Normalization()
        parts.adapt(data)
        for one, other in zip(parts.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
    y = whole(x).numpy()
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-5)
    inverse = Normalization(invert=True)
    inverse.adapt(x)
    np.testing.assert_allclose(inverse(y).numpy(), x, rtol=1e-5)
    double = Normalization(dtype="float64")
    double.adapt(x.astype("float64"))
    assert double(x.astype("float64")).dtype == np.float64
    exact = x.astype("float64")
    expected = (exact - exact.mean((0, 1))) / exact.std((0, 1))
    np.testing.assert_allclose(double(exact).numpy(), expected, atol=1e-9)


def test_state_goes_with_the_model():
    x = (RNG.standard_normal((30, 3)) * 9 + 4).astype("float32")
    normalization, bins = Normalization(), Discretization(num_bins=4, output_mode="multi_hot")
    normalization.adapt(x)
    bins.adapt(normalization(x).numpy())
    model = Sequential([normalization, bins, Dense(2)])
    model.build((None, 3))
    same = Sequential.from_config(json.loads(json.dumps(model.get_config())))
    same.set_weights(model.get_weights())
    np.testing.assert_array_equal(same.predict(x, verbose=0), model.predict(x, verbose=0))
    assert not normalization.trainable_weights


def test_gradients_pass_through_rescaling_and_normalization():
    x = lm.tensor(NUMBERS, requires_grad=True)
    layer = Normalization(mean=1.0, variance=4.0)
    (Rescaling(3.0)(layer(x))).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1.5)


def test_discretization():
    layer = Discretization(num_bins=4)
    with pytest.raises(ValueError, match="no boundaries yet"):
        layer(NUMBERS)
    layer.adapt(np.arange(100.0))
    np.testing.assert_allclose(layer.bin_boundaries, [24, 49, 74], rtol=1e-5)
    assert values(layer([[-5.0, 24.5, 50.0, 1e9, np.nan]])) == [[0, 1, 2, 3, 3]]
    assert again(layer).bin_boundaries == layer.bin_boundaries
    batched = Discretization(num_bins=4)
    batched.adapt(Dataset.from_arrays(np.random.default_rng(1).permutation(1000).astype("float32")).batch(64))
    np.testing.assert_allclose(batched.bin_boundaries, [250, 500, 750], atol=20)
    batched.adapt([np.arange(10.0), np.arange(1e6)], steps=1)
    assert max(batched.bin_boundaries) < 10


def test_hashes():
    for text, expected in {"": 0x9AE16A3B2F90404F, "ab": 0xAA8D6E5242ADA51E, "abcd": 0x1A5502DE4A1F8101,
                           "abcdefgh": 0xFEE9D22990C82909, "/dWQW6&i7h$1@": 11452602314494946942,
                           "&&3gRU?[^&ok:He[|K:": 11792583603419566171}.items():  # fmt: skip
        assert fingerprint64(text.encode()) == expected
    text = "abcdefghijklmnopqrstuvwxyz" * 6
    lengths = {33: 0x1BD257E2FC3DA812, 63: 0xD52B7A8646A91B9E, 64: 0x9C4A595C23BB9BFA, 65: 0x2434D8917886FE2A,
               128: 0xC3244D5EC8A4474A, 129: 0x9B1CA0571B8CEFD4}  # fmt: skip
    for length, expected in lengths.items():
        assert fingerprint64(text[:length].encode()) == expected
    key = int.from_bytes(bytes(range(8)), "little"), int.from_bytes(bytes(range(8, 16)), "little")
    assert siphash24(bytes(range(15)), key) == 0xA129CA6149BE45E5  # the example of the paper's appendix


def test_hashing_as_keras_documents_it():
    x = [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert values(Hashing(3)(x)) == [[1], [0], [1], [1], [2]]
    assert values(Hashing(3, mask_value="")([["A"], ["B"], [""], ["C"], ["D"]])) == [[1], [1], [0], [2], [2]]
    assert values(Hashing(3, salt=[133, 137])(x)) == [[1], [2], [1], [0], [2]]
    assert values(Hashing(3, salt=133)(x)) == [[0], [0], [2], [1], [0]]
    assert values(Hashing(3)([11])) == values(Hashing(3)(["11"]))
    assert Hashing(3, output_mode="one_hot")(x).shape == (5, 3)
    assert values(Hashing(3)([b"A", b"B"])) == [1, 0]


def test_string_lookup_as_keras_documents_it():
    data = [["a", "c", "d"], ["d", "z", "b"]]
    vocabulary = ["a", "b", "c", "d"]
    assert values(StringLookup(vocabulary=vocabulary)(data)) == [[1, 3, 4], [4, 0, 2]]
    learned = StringLookup()
    learned.adapt(data)
    assert learned.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert values(learned(data)) == [[5, 3, 1], [1, 2, 4]]
    many = StringLookup(vocabulary=vocabulary, num_oov_indices=2)
    found = values(many([["a", "c", "d"], ["m", "z", "b"]]))
    assert found[0] == [2, 4, 5]
    assert found[1][2] == 3
    assert set(found[1][:2]) <= {0, 1}
    flat = ["a", "b", "c", "d", "z"]
    expected = [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    assert values(StringLookup(vocabulary=vocabulary, output_mode="one_hot")(flat)) == expected
    rows = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
    assert values(StringLookup(vocabulary=vocabulary, output_mode="multi_hot")(rows)) == [
        [0, 1, 0, 1, 1],
        [1, 0, 1, 0, 1],
    ]
    assert values(StringLookup(vocabulary=vocabulary, output_mode="count")(rows)) == [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    weighted = StringLookup(output_mode="tf_idf", vocabulary=vocabulary, idf_weights=[0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(weighted(rows).numpy(), [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]], rtol=1e-6)
    inverse = StringLookup(vocabulary=vocabulary, invert=True)
    assert values(inverse([[1, 3, 4], [4, 0, 2]])) == [["a", "c", "d"], ["d", "[UNK]", "b"]]


def test_integer_lookup_as_keras_documents_it():
    data = [[12, 1138, 42], [42, 1000, 36]]
    vocabulary = [12, 36, 1138, 42]
    assert values(IntegerLookup(vocabulary=vocabulary)(data)) == [[1, 3, 4], [4, 0, 2]]
    learned = IntegerLookup()
    learned.adapt(data)
    assert learned.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]
    many = IntegerLookup(vocabulary=vocabulary, num_oov_indices=2)
    assert values(many([[12, 1138, 42], [37, 1000, 36]])) == [[2, 4, 5], [1, 0, 3]]
    inverse = IntegerLookup(vocabulary=vocabulary, invert=True)
    assert values(inverse([[1, 3, 4], [4, 0, 2]])) == [[12, 1138, 42], [42, -1, 36]]
    masked = IntegerLookup(vocabulary=[5], mask_token=0, output_mode="count")
    assert values(masked([[0, 5, 5, 9]])) == [[1, 2]]
    assert values(IntegerLookup(vocabulary=[5], mask_token=0)([0, 5, 9])) == [0, 2, 1]


def test_vectors_of_integers_as_keras_documents_them():
    vocabulary, flat = [12, 36, 1138, 42], [12, 36, 1138, 42, 7]
    rows = [[12, 1138, 42, 42], [42, 7, 36, 7]]
    expected = [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    assert values(IntegerLookup(vocabulary=vocabulary, output_mode="one_hot")(flat)) == expected
    multi = IntegerLookup(vocabulary=vocabulary, output_mode="multi_hot")
    assert values(multi(rows)) == [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]
    count = IntegerLookup(vocabulary=vocabulary, output_mode="count")
    assert values(count(rows)) == [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    weighted = IntegerLookup(vocabulary=vocabulary, output_mode="tf_idf", idf_weights=[0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(weighted(rows).numpy(), [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]], rtol=1e-6)
    whole = [-1, *vocabulary], [0.9, 0.25, 0.75, 0.6, 0.4]
    weighted = IntegerLookup(output_mode="tf_idf", vocabulary=whole[0], idf_weights=whole[1])
    np.testing.assert_allclose(weighted(rows).numpy(), [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]], rtol=1e-6)


def test_text_vectorization_as_keras_documents_it():
    layer = TextVectorization(max_tokens=5000, output_mode="int", output_sequence_length=4)
    layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    assert values(layer([["foo qux bar"], ["qux baz"]])) == [[4, 1, 3, 0], [1, 2, 0, 0]]
    given = TextVectorization(
        max_tokens=5000, output_mode="int", output_sequence_length=4, vocabulary=["earth", "wind", "and", "fire"]
    )
    assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]


def test_lookups_learn():
    layer = StringLookup(max_tokens=4, mask_token="")
    layer.adapt(np.array(["x", "y", "x", "z", "y", "x", "", "w"]))
    assert layer.get_vocabulary() == ["", "[UNK]", "x", "y"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["x", "y"]
    assert layer.vocabulary_size() == 4
    layer.adapt(Dataset.from_arrays((np.array([["q"], ["q"], ["r"]]), np.arange(3))).batch(2))
    assert layer.get_vocabulary() == ["", "[UNK]", "q", "r"]
    layer.adapt([np.array(["k"]), np.array(["never"])], steps=1)
    assert layer.get_vocabulary(False) == ["k"]
    rare = StringLookup(output_mode="tf_idf")
    rare.adapt([["a", "b"], ["a", "c"]])
    idf = np.log(1 + 2 / (1 + np.array([2, 1, 1])))
    np.testing.assert_allclose(rare(["a"]).numpy(), [0, idf[0], 0, 0], rtol=1e-6)
    np.testing.assert_allclose(rare([["?"]]).numpy(), [[idf.mean(), 0, 0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(again(rare)([["a", "c", "?"]]).numpy(), rare([["a", "c", "?"]]).numpy())


@pytest.mark.parametrize(("make", "first", "second"), [
    (lambda **k: StringLookup(**k), ["a", "b", "a"], ["c"]), (lambda **k: IntegerLookup(**k), [3, 4, 3], [5]),
    (lambda **k: TextVectorization(output_mode="tf_idf", **k), ["a b a"], ["c"]),
])  # fmt: skip
def test_what_was_learned_is_kept_and_can_be_learned_anew(make, first, second):
    layer = make()
    layer.adapt(first)
    same = again(layer)
    np.testing.assert_array_equal(same(first).numpy(), layer(first).numpy())
    assert same.get_config() == layer.get_config()
    same.adapt(second)
    assert len(same.get_vocabulary(include_special_tokens=False)) == 1
    given = again(again(StringLookup(vocabulary=["a"])))
    with pytest.raises(ValueError, match="a vocabulary was given"):
        given.adapt(["b"])


def test_vocabulary_files(tmp_path):
    (tmp_path / "words.txt").write_text("eins\nzwei\n", encoding="utf-8")
    assert values(StringLookup(vocabulary=str(tmp_path / "words.txt"))(["zwei", "drei"])) == [2, 0]
    (tmp_path / "numbers.txt").write_text("12\n7\n", encoding="utf-8")
    assert values(IntegerLookup(vocabulary=tmp_path / "numbers.txt")([7, 8])) == [2, 0]


def test_vocabulary_files_of_another_kind(tmp_path):
    (tmp_path / "words.txt").write_bytes("\u00e9".encode("latin-1"))
    with pytest.raises(ValueError, match=r"words\.txt is no text in utf-8"):
        StringLookup(vocabulary=tmp_path / "words.txt")
    with pytest.raises(FileNotFoundError):
        StringLookup(vocabulary=tmp_path / "none.txt")


@pytest.mark.parametrize("make", [StringLookup, IntegerLookup, TextVectorization])
def test_no_model_file_has_another_file_read(make, tmp_path):
    """A configuration from elsewhere may not name a path: its text would be in the model, and go where that goes."""
    (tmp_path / "secret.txt").write_text("1\n2\n")
    for path in (str(tmp_path / "secret.txt"), "https://example.org/words.txt"):
        config = {**make().get_config(), "vocabulary": path}
        for load in (make.from_config, lambda c: lm.layers.deserialize({"class_name": make.__name__, "config": c})):
            with pytest.raises(ValueError, match="never the path of a file"):
                load(config)


def test_text_vectorization():
    layer = TextVectorization()
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == ["", "[UNK]", "the", "cat", "dog", "bird", "and", "a"]
    assert values(layer(TEXTS)) == [[2, 3, 2, 4, 0], [7, 5, 6, 2, 3], [0, 0, 0, 0, 0]]
    assert values(layer([["the cat"], ["cow"]])) == [[2, 3], [1, 0]]
    assert values(layer("the cat")) == [2, 3]
    fixed = TextVectorization(output_sequence_length=2, vocabulary=["the", "cat"])
    assert values(fixed(TEXTS)) == [[2, 3], [1, 1], [0, 0]]
    assert values(TextVectorization(vocabulary=["É", "e"], standardize="lower")(["É E"])) == [[2, 3]]
    assert values(TextVectorization(vocabulary=["a.b"], standardize=None)(["a.b A.B"])) == [[2, 1]]
    grams = TextVectorization(ngrams=2, output_mode="count", vocabulary=["the", "the cat", "cat sat"])
    assert values(grams(["the cat sat"])) == [[2 + 1 - 1, 1, 1, 1]]
    only = TextVectorization(ngrams=(2,), vocabulary=["the cat"])
    assert values(only(["the cat sat"])) == [[2, 1]]
    characters = TextVectorization(split="character", vocabulary=["a", "ü"])
    assert values(characters(["aüb"])) == [[2, 3, 1]]
    tokens = TextVectorization(split=None, standardize=None, vocabulary=["a b"])
    assert values(tokens([["a b", "c"]])) == [[2, 1]]
    own = TextVectorization(standardize=lambda texts: [t.replace("x", "") for t in texts],
                            split=lambda texts: [t.split("-") for t in texts], vocabulary=["a", "b"])  # fmt: skip
    assert values(own(["ax-b"])) == [[2, 3]]
    with pytest.raises(ValueError, match="cannot be saved"):
        own.get_config()
    idf = TextVectorization(output_mode="tf_idf", pad_to_max_tokens=True, max_tokens=12)
    idf.adapt(Dataset.from_arrays(np.array(TEXTS)).batch(2))
    assert idf(TEXTS).shape == (3, 12)
    np.testing.assert_array_equal(again(idf)(TEXTS).numpy(), idf(TEXTS).numpy())
    assert values(idf([""])) == [[0.0] * 12]
    assert values(idf(np.zeros((0,), "U3"))) == []


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Rescaling("a"), TypeError, "scale must be a number"),
    (lambda: Normalization(mean=1.0), ValueError, "mean and variance come together"),
    (lambda: Normalization(mean=1.0, variance=[1.0]), ValueError, "variance"),
    (lambda: Normalization(mean=1.0, variance=-1.0), ValueError, "at least 0"),
    (lambda: Normalization(axis=None, mean=[1.0], variance=[1.0]), ValueError, "for the axes"),
    (lambda: Normalization(mean=[[1.0, 2.0]], variance=[[1.0, 2.0]]), ValueError, "for the axes"),
    (lambda: Normalization(axis=3)(NUMBERS), ValueError, "does not fit x"),
    (lambda: Normalization(axis=0)(NUMBERS), ValueError, "must be known"),
    (lambda: Normalization(axis=1.5), TypeError, "axis must be integers"),
    (lambda: Normalization(mean=1.0, variance=1.0).adapt(NUMBERS), ValueError, "were given"),
    (lambda: Normalization().adapt([]), ValueError, "no data"),
    (lambda: Normalization().adapt(5), TypeError, "iterable"),
    (lambda: Normalization().adapt([NUMBERS, NUMBERS[:, :2]]), ValueError, r"expected sizes \[3\] on axes \(1,\)"),
    (lambda: Normalization().adapt([NUMBERS[:, :1], NUMBERS]), ValueError, r"expected sizes \[1\] on axes \(1,\)"),
    (lambda: Discretization(), ValueError, "either bin_boundaries or num_bins"),
    (lambda: Discretization([1.0], 3), ValueError, "either"),
    (lambda: Discretization([2.0, 1.0]), ValueError, "ascend"),
    (lambda: Discretization([1.0], output_mode="hot"), ValueError, "output_mode must be 'int' or 'one_hot'"),
    (lambda: Discretization([1.0], epsilon=0), ValueError, "epsilon"),
    (lambda: Discretization([1.0], sparse=True), ValueError, "sparse=True is not supported"),
    (lambda: Discretization([1.0]).adapt(NUMBERS), ValueError, "were given"),
    (lambda: Discretization(num_bins=2).adapt([np.nan]), ValueError, "NaN"),
    (lambda: Discretization(num_bins=2).adapt(np.zeros(0)), ValueError, "no data"),
    (lambda: CategoryEncoding(), TypeError, "num_tokens"), (lambda: CategoryEncoding(0), ValueError, "num_tokens"),
    (lambda: CategoryEncoding(3)([[0, 3]]), ValueError, r"from 0 to 2, got 3 at \(0, 1\)"),
    (lambda: CategoryEncoding(3)([[0, -1]]), ValueError, "got -1"),
    (lambda: CategoryEncoding(3)([[0.5]]), ValueError, "whole numbers, got 0.5"),
    (lambda: CategoryEncoding(3)([[np.nan]]), ValueError, "whole numbers, got nan"),
    (lambda: IntegerLookup(vocabulary=[1.5, 2.0]), TypeError, "expected integers, got 1.5"),
    (lambda: IntegerLookup(vocabulary=["a"]), TypeError, "expected integers, got 'a'"),
    (lambda: StringLookup(max_tokens=2.5), TypeError, "max_tokens must be a positive integer, got 2.5"),
    (lambda: StringLookup(max_tokens="9"), TypeError, "max_tokens must be a positive integer, got '9'"),
    (lambda: CategoryEncoding(3)([[0, 1]], count_weights=[[1.0, 2.0]]), ValueError, "count_weights go with"),
    (lambda: CategoryEncoding(3, "count")([[0, 1]], count_weights=[1.0]), ValueError, "must have the shape of x"),
    (lambda: Hashing(0), ValueError, "num_bins"), (lambda: Hashing(3, salt="x"), ValueError, "salt must be"),
    (lambda: Hashing(3)([0.5]), ValueError, "whole numbers"),
    (lambda: StringLookup(vocabulary=["a", "a"]), ValueError, r"twice: \['a'\]"),
    (lambda: StringLookup(vocabulary=[]), ValueError, "is empty"),
    (lambda: StringLookup(max_tokens=1), ValueError, "max_"),
    (lambda: StringLookup(max_tokens=2, vocabulary=["a", "b"]), ValueError, "max_tokens is 2"),
    (lambda: StringLookup(mask_token="m", vocabulary=["a", "m"]), ValueError, "holds the mask"),
    (lambda: StringLookup(vocabulary=["[UNK]x", "[UNK]", "a"], invert=True), ValueError, "holds the unknown"),
    (lambda: StringLookup(num_oov_indices=0, vocabulary=["a"])(["b"]), ValueError, "'b' is not in the vocabulary"),
    (lambda: StringLookup(num_oov_indices=-1), ValueError, "num_oov_indices"),
    (lambda: StringLookup(vocabulary=["a"])([1]), TypeError, "x must be strings, got int64"),
    (lambda: StringLookup()(["a"]), ValueError, "has no vocabulary yet"),
    (lambda: StringLookup(vocabulary=["a"]).adapt(["b"]), ValueError, "a vocabulary was given"),
    (lambda: StringLookup().adapt([]), ValueError, "there are no tokens"),
    (lambda: StringLookup(output_mode="tf_idf", vocabulary=["a"]), ValueError, "needs idf_weights"),
    (lambda: StringLookup(output_mode="tf_idf", vocabulary=["a"], idf_weights=[1.0, 2.0]), ValueError, r"shape \(1,\)"),
    (lambda: StringLookup(idf_weights=[1.0]), ValueError, "idf_weights go with"),
    (lambda: StringLookup(invert=True, output_mode="count"), ValueError, "invert goes with"),
    (lambda: StringLookup(vocabulary=["a"], invert=True)([-1]), ValueError, "got -1"),
    (lambda: StringLookup(pad_to_max_tokens=True), ValueError, "needs max_tokens"),
    (lambda: StringLookup(encoding="latin-1"), ValueError, "encoding"),
    (lambda: StringLookup(vocabulary=["a"])([None]), TypeError, "expected strings, got None"),
    (lambda: IntegerLookup(vocabulary=[1])(["a"]), TypeError, "x must be integers"),
    (lambda: IntegerLookup(salt=3), ValueError, "salt goes with"),
    (lambda: IntegerLookup(oov_method="x"), ValueError, "oov"),
    (lambda: TextVectorization(standardize="upper"), ValueError, "standardize must be"),
    (lambda: TextVectorization(split="words"), ValueError, "split must be"),
    (lambda: TextVectorization(ngrams=0), ValueError, "ngrams must be"),
    (lambda: TextVectorization(ngrams="2"), ValueError, "ngrams must be"),
    (lambda: TextVectorization(output_mode="count", output_sequence_length=3), ValueError, "output_sequence"),
    (lambda: TextVectorization(output_sequence_length=0), ValueError, "must be positive"),
    (lambda: TextVectorization(ragged=True), ValueError, "ragged=True is not supported"),
    (lambda: TextVectorization(vocabulary=["a"])([["a", "b"]]), ValueError, r"must have shape \(N,\) or \(N, 1\)"),
    (lambda: TextVectorization(vocabulary=["a"])([1, 2]), TypeError, "x must be strings"),
    (lambda: TextVectorization()(["a"]), ValueError, "no vocabulary yet"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
