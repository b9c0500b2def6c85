"""Models of graphs: symbolic tensors, calls, plans, configurations, clones, pictures."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina import backend
from lamina.layers import BatchNormalization, Conv2D, Dense, Dropout, Input, InputLayer, Layer
from lamina.models import Model, Sequential, clone_model, load_model, plot_model

random = np.random.default_rng(0)
A = random.normal(size=(9, 4)).astype("float32")
B = random.normal(size=(9, 3)).astype("float32")


def two(name=None):
    """Two inputs, a layer used twice, ops in between, two outputs."""
    a, b = Input((4,), name="a"), Input((3,), name="b")
    shared = Dense(5, "relu", name="shared")
    x = lm.ops.concatenate([shared(a), shared(a * 2), b], axis=-1)
    x = x[:, 1:] @ np.ones((12, 6), "float32") + 1.0
    return Model([a, b], [Dense(1, name="left")(x), Dense(2, name="right")(lm.ops.tanh(x))], name=name)


def by_hand(model, a, b):
    shared, left, right = (model.get_layer(name) for name in ("shared", "left", "right"))
    a, b = lm.tensor(a), lm.tensor(b)
    x = lm.ops.concatenate([shared(a), shared(a * 2), b], axis=-1)
    x = x[:, 1:] @ np.ones((12, 6), "float32") + 1.0
    return left(x).numpy(), right(lm.ops.tanh(x)).numpy()


def test_a_graph_gives_the_bits_of_the_calls():
    model = two()
    for x in ([A, B], (A, B), {"a": A, "b": B}, {"b": B, "a": A}, [A.astype("float64"), B.tolist()]):
        for y, expected in zip(model(x), by_hand(model, A, B), strict=True):
            np.testing.assert_array_equal(y.numpy(), expected)
    left, right = model.predict([A, B], batch_size=4, verbose=0)
    np.testing.assert_array_equal(left, by_hand(model, A, B)[0])
    assert right.shape == (9, 2)


def test_what_a_graph_knows_of_itself():
    model = two("both")
    assert model.name == "both"
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["left", "right"]
    assert model.input_shape == [(None, 4), (None, 3)]
    assert model.output_shape == [(None, 1), (None, 2)]
    assert [t.shape for t in model.inputs] == [(None, 4), (None, 3)]
    assert [t.name for t in model.outputs] == ["left", "right"]
    assert [layer.name for layer in model.layers] == ["a", "shared", "b", "left", "right"]
    assert model.count_params() == 25 + 7 + 14
    assert model.flops(None) == 2 * 5 * 9 + 13 + 2 * 13
    assert model.compute_output_shape([(7, 4), (7, 3)]) == [(7, 1), (7, 2)]
    assert model.built


def test_summary_of_a_graph(capsys):
    two("both").summary()
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["Layer", "(type)", "Output", "shape", "Parameters", "FLOPs", "Connected", "to"]
    rows = {line.split()[0]: line for line in lines[4:]}
    assert rows["concatenate"].endswith("shared, b")
    assert rows["shared"].split()[-2:] == ["45", "multiply"]
    assert "shared" in rows["shared"].split()[4:]
    assert "Parameters: 46 (184 B), 46 of them trainable" in "\n".join(lines)


def test_gradients_reach_shared_layers():
    model = two()
    left, right = model([A, B])
    (left.sum() + right.sum()).backward()
    found = [v.grad.numpy() for v in model.trainable_weights]
    left, right = by_hand_tensors(model)
    for v in model.trainable_weights:
        v.zero_grad()
    (left.sum() + right.sum()).backward()
    for v, grad in zip(model.trainable_weights, found, strict=True):
        np.testing.assert_array_equal(v.grad.numpy(), grad)


def by_hand_tensors(model):
    shared, left, right = (model.get_layer(name) for name in ("shared", "left", "right"))
    a, b = lm.tensor(A), lm.tensor(B)
    x = lm.ops.concatenate([shared(a), shared(a * 2), b], axis=-1)
    x = x[:, 1:] @ np.ones((12, 6), "float32") + 1.0
    return left(x), right(lm.ops.tanh(x))


def test_single_tuples_and_dictionaries():
    a, b = Input((4,)), Input((3,))
    x = Dense(2)(a)
    assert Model(a, x)(A).shape == (9, 2)
    assert isinstance(Model(a, (x, x * 2))(A), tuple)
    model = Model({"first": a, "second": b}, {"sum": x + 1, "other": Dense(1)(b)})
    y = model({"second": B, "first": A})
    assert list(y) == ["sum", "other"]
    assert model.input_names == ["first", "second"]
    assert model.output_names == ["sum", "other"]
    assert list(model.predict({"first": A, "second": B}, verbose=0)) == ["sum", "other"]
    nested = Model([a, {"b": b}], [x, {"b": Dense(1)(b)}])
    assert nested([A, {"b": B}])[1]["b"].shape == (9, 1)
    one = Model([a], [x])
    assert one(A)[0].shape == one([A])[0].shape == (9, 2)


def test_operators_and_methods_of_symbols():
    x = Input((4, 6))
    cases = {
        (None, 4, 6): [
            x + 1,
            1 - x,
            x * x,
            x / 2,
            2 / x,
            x**2,
            2.0**x,
            -x,
            x - 1,
            1 + x,
            x + np.ones(6, "float32"),
            np.ones(6, "float32") * x,
        ],
        (None, 6): [x[:, 0], x.sum(1), x.mean(axis=1), x.max(1), x.min(1)],
        (None, 2, 6): [x[:, 1:3], x[:, ::2]],
        (None, 24): [x.reshape(-1, 24), lm.ops.flatten(x)],
        (None, 6, 4): [x.transpose(0, 2, 1), x.transpose((0, 2, 1))],
        (6, 4, None): [x.T],
        (None, 4, 4): [x @ lm.ops.transpose(x, (0, 2, 1))],
        (None, 4, 1): [x.mean(-1, keepdims=True)],
    }
    cases[None, 4, 6] += [x > 0, x <= 1, x == 1, x != 1, x % 2, x // 2, abs(-x), ~(x > 0), (x > 0) & (x < 1), x >= 1]
    data = random.uniform(0.5, 1.5, (3, 4, 6)).astype("float32")
    for shape, symbols in cases.items():
        for symbol in symbols:
            assert symbol.shape == shape
            expected = tuple(3 if n is None else n for n in shape)
            assert Model(x, symbol)(data).shape == expected
    assert x.astype("float64").dtype == np.float64
    parts = lm.ops.split(x, 2, axis=2)
    assert [part.shape for part in parts] == [(None, 4, 3), (None, 4, 3)]
    np.testing.assert_array_equal(Model(x, parts[1])(data).numpy(), data[:, :, 3:])
    assert repr(x) == f"<SymbolicTensor {x.name} shape=(None, 4, 6) dtype=float32>"
    assert x.ndim == 3


def test_symbols_have_no_values():
    x = Input((4,), name="x")
    for use in (np.asarray, bool, list, len):
        with pytest.raises(TypeError, match="SymbolicTensor x"):
            use(x)
    assert len(Input((4,), batch_size=3)) == 3
    with pytest.raises(ValueError, match="matmul"):
        x @ np.ones((5, 2), "float32")
    with pytest.raises(TypeError, match="weights and symbolic tensors meet in layers only"):
        x * lm.Variable([1.0])
    with pytest.raises(ValueError, match="dense_error: x must have shape"):
        Dense(1, name="dense_error")(Input(()))


def test_unknown_sizes():
    x = Input((None, None, 3))
    y = Conv2D(2, 3, padding="same", strides=2)(x)
    assert y.shape == (None, None, None, 2)
    z = lm.ops.max_pool2d(y * 2, 2)
    assert z.shape == (None, None, None, 2)
    model = Model(x, z)
    assert model(np.ones((1, 9, 12, 3), "float32")).shape == (1, 2, 3, 2)
    assert model.compute_output_shape((None, 16, 16, 3)) == (None, 4, 4, 2)
    assert len(model.layers[1]._nodes) == 1
    assert model(Input((32, 32, 3))).shape == (None, 8, 8, 2)


def test_integers_stay_integers():
    class Lookup(Layer):
        autocast = False

        def build(self, input_shape):
            self.table = self.add_weight((10, 3), name="table")

        def call(self, x):
            return self.table[x]

    x = Input((5,), dtype="int32")
    model = Model(x, Lookup()(x).mean(1))
    indices = random.integers(0, 10, (2, 5))
    assert model(indices).shape == (2, 3)
    assert model.predict(indices, verbose=0).shape == (2, 3)
    assert Sequential([Input((5,), dtype="int64"), Lookup()])(indices).shape == (2, 5, 3)


def test_training_reaches_the_layers_of_a_graph():
    x = Input((4,))
    free, fixed = Model(x, Dropout(0.5)(x)), Model(x, Dropout(0.5)(x, training=True))
    data = np.ones((50, 4), "float32")
    assert (free(data).numpy() == 1).all()
    assert (free(data, training=True).numpy() == 0).any()
    assert (fixed(data, training=False).numpy() == 0).any()


def test_nested_and_intermediate_models():
    model = two()
    a, b = Input((4,)), Input((3,))
    left, right = model([a, b])
    outer = Model([a, b], left + lm.ops.sum(right, axis=1, keepdims=True) + model([a * 3, b])[0])
    assert outer.count_params() == model.count_params()
    expected = by_hand(model, A, B)
    y = expected[0] + expected[1].sum(1, keepdims=True) + by_hand(model, 3 * A, B)[0]
    np.testing.assert_allclose(outer([A, B]).numpy(), y, rtol=1e-5)
    part = Model(model.inputs, model.get_layer("shared").output)
    np.testing.assert_array_equal(part([A, B]).numpy(), model.get_layer("shared")(A).numpy())
    tail = Model(model.get_layer("shared").output, model.get_layer("shared").output * 2)
    np.testing.assert_array_equal(tail(np.ones((2, 5))).numpy(), np.full((2, 5), 2))
    assert Model.from_config(json.loads(json.dumps(tail.get_config())))(np.ones((2, 5))).shape == (2, 5)


def test_sequential_in_a_graph_and_its_parts():
    inner = Sequential([Dense(4, "relu"), Dense(3)])
    x = Input((6,))
    model = Model(x, inner(x))
    assert inner.built
    assert model.output_shape == (None, 3)
    features = Model(inner.inputs, inner.layers[0].output)
    data = np.ones((2, 6), "float32")
    np.testing.assert_array_equal(features(data).numpy(), inner.layers[0](data).numpy())
    assert inner.input.shape == (None, 6)
    assert inner.output.shape == (None, 3)
    assert inner.output_names == [inner.layers[-1].name]
    with pytest.raises(AttributeError, match="no graph of layers"):
        Sequential([Dense(2)]).inputs  # noqa: B018
    with pytest.raises(AttributeError, match="never called on a symbolic tensor"):
        Dense(2).output  # noqa: B018


def test_layers_with_several_inputs_and_by_keyword():
    class Attend(Layer):
        def build(self, input_shape):
            self.scale = self.add_weight((), "ones", name="scale")

        def call(self, query, value=None, mask=None):
            y = query * value * self.scale
            return (y, y * mask) if mask is not None else y

    a, b = Input((4,)), Input((4,))
    layer = Attend()
    first, second = layer(a, value=b, mask=a)
    third = layer(query=a, value=b)
    model = Model([a, b], [second, third, first])
    result = model([A, A + 1])
    np.testing.assert_allclose(result[0].numpy(), A * (A + 1) * A, rtol=1e-6)
    np.testing.assert_allclose(result[1].numpy(), A * (A + 1), rtol=1e-6)
    with pytest.raises(TypeError, match="called without query"):
        layer(value=b)

    class Pair(Layer):
        def call(self, pair):
            return {"sum": pair["a"] + pair["b"]}

    assert Pair()({"a": a, "b": b})["sum"].shape == (None, 4)

    class Sum(Layer):
        def call(self, x):
            return x[0] + x[1]

    total = Sum()
    assert total([a, b]).shape == (None, 4)
    assert total.compute_output_shape([(None, 4), (None, 4)]) == (None, 4)
    np.testing.assert_array_equal(Model([a, b], total([a, b]))([A, A]).numpy(), 2 * A)


def test_a_subclass_made_of_a_graph():
    class Net(Model):
        def __init__(self, units, **kwargs):
            x = Input((4,))
            super().__init__(inputs=x, outputs=Dense(units)(x), **kwargs)
            self.units = units
            self.extra = Dense(1)

        def get_config(self):
            return {"units": self.units, "name": self.name}

    model = Net(3)
    assert model(A).shape == (9, 3)
    assert model.count_params() == 15
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense", "Dense"]
    assert Net.from_config(model.get_config()).units == 3


def test_refused_graphs():
    a, b = Input((4,), name="a"), Input((3,), name="b")
    x = lm.ops.concatenate([Dense(2)(a), b], axis=-1)
    with pytest.raises(
        ValueError, match=r"disconnected: 'concatenate' needs the input 'b' .* not among the inputs \(a\)"
    ):
        Model(a, x)
    with pytest.raises(ValueError, match="disconnected: an output is the input 'b'"):
        Model(a, b)
    with pytest.raises(TypeError, match=r"inputs must be symbolic tensors.*got ndarray"):
        Model(A, x)
    with pytest.raises(TypeError, match=r"outputs must be symbolic tensors.*got Dense"):
        Model(a, Dense(2))
    with pytest.raises(ValueError, match="an input is given twice"):
        Model([a, a], x)
    with pytest.raises(ValueError, match="needs inputs and outputs"):
        Model(inputs=a)
    with pytest.raises(ValueError, match="outputs: there are none"):
        Model(a, [])
    with pytest.raises(ValueError, match="there are two 'same'"):
        Model(a, Dense(1, name="same")(Dense(1, name="same")(a)))
    with pytest.raises(NotImplementedError, match="must define call"):
        Model()(A)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        ([A], r"expected 2 inputs, a \(None, 4\), b \(None, 3\), got 1 of shapes \[\(9, 4\)\]"),
        ([A, B, B], r"expected 2 inputs.*got 3 of shapes"),
        (A, r"expected 2 inputs.*got one of shape \(9, 4\)"),
        ([B, A], r"input 'a' must have shape \(N, 4\), got \(9, 3\)"),
        ([A, B[:, :, None]], r"input 'b' must have shape \(N, 3\), got \(9, 3, 1\)"),
        ({"a": A}, r"names \['a', 'b'\], got \['a'\]: missing \['b'\]"),
        ({"a": A, "b": B, "c": B}, r"unknown \['c'\]"),
        ([A, B.astype(complex)], "array of numbers"),
    ],
)
def test_wrong_inputs(x, text):
    with pytest.raises((ValueError, TypeError), match=text):
        two()(x)


def test_wrong_symbols():
    model = two()
    with pytest.raises(ValueError, match=r"input 'b' must have shape \(None, 3\), got \(None, 2\)"):
        model([Input((4,)), Input((2,))])
    with pytest.raises(ValueError, match="expected 2 inputs"):
        model([Input((4,))])
    with pytest.raises(ValueError, match=r"must have shape \(N, 4\), got \(None, 3\)"):
        Sequential([Input((4,)), Dense(1)])(Input((3,)))


def test_inputs():
    assert Input(batch_shape=(2, 3)).shape == (2, 3)
    assert Input((3,), batch_size=2, dtype="float64").dtype == np.float64
    assert InputLayer((3,), name="i").get_config() == {"batch_shape": [None, 3], "dtype": "float32", "name": "i"}
    x = Input((4,), batch_size=2)
    with pytest.raises(ValueError, match=r"must have shape \(2, 4\), got \(3, 4\)"):
        Model(x, x * 2)(A[:3])
    for arguments, text in (
        ({}, "give either shape or batch_shape"),
        ({"shape": (3,), "batch_shape": (None, 3)}, "give either shape or batch_shape"),
        ({"shape": (0,)}, "positive integers"),
        ({"shape": (3,), "batch_size": 0}, "batch_size must be a positive integer"),
        ({"shape": (3,), "dtype": "complex64"}, "dtype must be"),
        ({"shape": (3,), "sparse": True}, "sparse inputs"),
        ({"batch_shape": ()}, "must begin with the size of a batch"),
    ):
        with pytest.raises(ValueError, match=text):
            Input(**arguments)


def same(model, again, x):
    again.set_weights(model.get_weights())
    for a, b in zip(model.predict(x, verbose=0), again.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(a, b)


def test_configuration_round_trip():
    model = two("both")
    config = json.loads(json.dumps(model.get_config()))
    again = Model.from_config(config)
    assert again.get_config() == model.get_config()
    assert again.name == "both"
    assert again.count_params() == model.count_params()
    assert list(again.named_weights()) == list(model.named_weights())
    same(model, again, [A, B])


def test_all_kinds_of_arguments_are_told():
    x = Input((4, 6))
    y = x[..., 1:5:2, :][:, None]
    y = lm.ops.cast(y, np.float64) * np.float64(1.1) + lm.tensor(np.array([-np.inf, 0.1] * 3))
    y = lm.ops.maximum(lm.ops.transpose(y, axes=(0, 1, 3, 2)), -1e30)
    model = Model(x, {"y": y, "parts": lm.ops.split(x, [1, 3], axis=1)})
    again = Model.from_config(json.loads(json.dumps(model.get_config(), allow_nan=False)))
    data = random.normal(size=(2, 4, 6)).astype("float32")
    one, other = model(data), again(data)
    np.testing.assert_array_equal(one["y"].numpy(), other["y"].numpy())
    assert other["y"].dtype == np.float64
    assert [part.shape for part in other["parts"]] == [(2, 1, 6), (2, 2, 6), (2, 1, 6)]


def test_what_no_file_can_hold():
    x = Input((2,))

    class Odd(Layer):
        def call(self, x, function=None):
            return function(x)

    model = Model(x, Odd()(x, function=lm.ops.relu))
    assert model(np.ones((1, 2))).shape == (1, 2)
    with pytest.raises(ValueError, match="which cannot be saved"):
        model.get_config()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c["calls"].__setitem__(2, {"op": "eval", "args": [], "kwargs": {"dict": {}}}), "unknown op 'eval'"),
        (
            lambda c: c["calls"].__setitem__(2, {"op": "__import__", "args": ["os"], "kwargs": {"dict": {}}}),
            "unknown op",
        ),
        (
            lambda c: c["calls"].__setitem__(2, {"op": "set_convolution", "args": [], "kwargs": {"dict": {}}}),
            "unknown op",
        ),
        (
            lambda c: c["calls"][2].update(args=[{"tensor": [2, 0]}]),
            "cycle, or a hole: call 2 needs output 0 of call 2",
        ),
        (lambda c: c["calls"][2].update(args=[{"tensor": [99, 0]}]), "cycle, or a hole"),
        (lambda c: c["calls"][2].update(args=[{"call": "x"}]), "is no value"),
        (lambda c: c["layers"].append({"class_name": "os.system"}), "unknown layer class"),
        (lambda c: c["layers"].append({"class_name": "Dense", "shared": 77}), "shares a layer"),
        (lambda c: c.pop("calls"), "is no graph"),
        (lambda c: c["calls"][2].update(layer=99), "is no graph"),
    ],
)
def test_configurations_that_are_no_graph(change, text):
    config = two().get_config()
    change(config)
    with pytest.raises(ValueError, match=text):
        Model.from_config(config)


def test_saved_and_loaded_nested_and_shared(tmp_path):
    inner = two("inner")
    core = Sequential([Input((1,)), Dense(3, "relu"), BatchNormalization()], name="core")
    a, b = Input((4,)), Input((3,))
    left, right = inner([a, b])
    deep = inner.get_layer("shared")  # a layer of the model inside, used outside too
    y = core(left) + core(right[:, :1]) + Dense(3, name="mix")(deep(a))
    model = Model([a, b], y)
    model.compile(lm.optimizers.Adam(0.01), "mse")
    t = np.ones((9, 3), "float32")
    model.fit([A, B], t, epochs=2, verbose=0)
    path = tmp_path / "m.safetensors"
    model.save(path)
    again = load_model(path)
    np.testing.assert_array_equal(again.predict([A, B], verbose=0), model.predict([A, B], verbose=0))
    assert again.count_params() == model.count_params()
    for m in (model, again):
        m.fit([A, B], t, epochs=2, shuffle=False, verbose=0)
    for v, w in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    model.save_weights(tmp_path / "w.safetensors")
    again.load_weights(tmp_path / "w.safetensors")


def test_clones():
    model = two("both")
    copy = clone_model(model)
    assert copy.name == "both"
    assert [v.shape for v in copy.weights] == [v.shape for v in model.weights]
    assert not set(copy.weights) & set(model.weights)
    assert not np.array_equal(copy.get_weights()[0], model.get_weights()[0])
    same(model, copy, [A, B])
    a = Input((4,))
    built = clone_model(model, input_tensors=[a * 2, Input((3,))])
    assert built.count_params() == model.count_params()
    wide = clone_model(model, clone_function=lambda layer: Dense(2) if layer.name == "right" else layer)
    assert wide.get_layer("shared") is model.get_layer("shared")
    assert wide([A, B])[1].shape == (9, 2)
    sequential = Sequential([Input((4,)), Dense(3), Sequential([Dense(2), Dropout(0.1)])])
    other = clone_model(sequential)
    assert other.count_params() == sequential.count_params()
    assert clone_model(sequential, input_tensors=Input((4,))).count_params() == other.count_params()
    lazy = Sequential([Dense(3)])
    assert not clone_model(lazy).built
    sequential.trainable = False
    assert not clone_model(sequential).trainable
    assert clone_model(sequential).trainable_weights == []

    class Own(Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="Sequential or made of a graph"):
        clone_model(Own())
    with pytest.raises(ValueError, match="has 2 inputs, got 1"):
        clone_model(model, input_tensors=[a])
    with pytest.raises(TypeError, match="clone_function must give a Layer"):
        clone_model(model, clone_function=lambda layer: 3)


def test_pictures(tmp_path):
    model = two("both")
    figure = plot_model(model, tmp_path / "m.png", show_shapes=True, show_dtype=True, show_layer_names=True, dpi=50)
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    texts = [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    assert len(texts) == len(model._graph.nodes)
    assert "a (InputLayer)\nout: (None, 4)\nout: float32" in texts
    a, b = Input((4,)), Input((3,))
    inner = Sequential([Input((1,)), Dense(3, "relu"), Dense(2)])
    outer = Model([a, b], inner(model([a, b])[0]))
    outer.layers[-1].trainable = False
    counts = []
    for direction, expand in (("LR", False), ("BT", True), ("RL", True)):
        figure = plot_model(outer, None, rankdir=direction, expand_nested=expand, show_trainable=True,
                            show_layer_activations=True)  # fmt: skip
        counts.append(sum(bool(text.get_text()) for text in figure.axes[0].texts))
    assert counts == [4, 2 + 10 + 2, 2 + 10 + 2]
    with pytest.raises(ValueError, match="rankdir must be one of"):
        plot_model(model, None, rankdir="up")
    with pytest.raises(ValueError, match=r"plot_model: .* no graph of layers"):
        plot_model(Sequential([Dense(2)]), None)


def test_inputs_too_large_for_16_bits_become_infinite_in_silence(recwarn):
    before = backend.narrow
    try:
        inputs = lm.layers.Input((1,), dtype="float16")
        model = lm.models.Model(inputs, lm.layers.Flatten(dtype="float16")(inputs))
        assert model(np.array([[1e6]], "float32")).numpy().tolist() == [[np.inf]]
        assert not recwarn.list
    finally:
        backend.narrow = before


def test_a_constant_of_16_bits_takes_part():
    before = backend.narrow
    try:
        inputs = lm.layers.Input((3,))
        constant = np.array([[1, 2, 4]], "float16")
        added = lm.models.Model(inputs, lm.ops.add(inputs, lm.ops.cast(lm.tensor([[1.0, 2, 4]]), "float16")))
        product = lm.models.Model(inputs, lm.ops.matmul(inputs, constant.T))
        x = np.ones((2, 3), "float32")
        assert added(x).numpy().tolist() == [[2, 3, 5]] * 2
        assert product(x).numpy().tolist() == [[7], [7]]
    finally:
        backend.narrow = before
