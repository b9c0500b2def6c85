"""Saving and loading: the same model comes back, nothing is lost, and no file can run code."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina as lm
from lamina import backend
from lamina.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, Layer
from lamina.models import Model, Sequential, load_model, saving

random = np.random.default_rng(0)
x = random.normal(size=(12, 6)).astype("float32")
y = (x[:, 0] > 0).astype("int64")


def make():
    model = Sequential([Dense(5, "relu", input_shape=(6,), name="first"), BatchNormalization(), Dense(2, "softmax")])
    model.compile(lm.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Mine(Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [Dense(units, "tanh"), Dense(units)]
        self.out = Dense(2)

    def call(self, x):
        for layer in self.blocks:
            x = layer(x)
        return self.out(x)


def test_the_same_model_comes_back_and_trains_on(tmp_path):
    model = make()
    model.fit(x, y, epochs=2, verbose=0)
    path = tmp_path / "m.safetensors"
    model.save(path)
    again = load_model(path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.get_config() == model.get_config()
    assert again.optimizer.iterations == model.optimizer.iterations == 2
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    for m in (model, again):
        m.fit(x, y, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_the_optimizer(tmp_path):
    model = make()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "a.safetensors", include_optimizer=False)
    assert not load_model(tmp_path / "a.safetensors").compiled
    model.save(tmp_path / "b.safetensors")
    assert not load_model(tmp_path / "b.safetensors", compile=False).compiled
    assert (tmp_path / "a.safetensors").stat().st_size < (tmp_path / "b.safetensors").stat().st_size


def test_frozen_layers_stay_frozen(tmp_path):
    model = make()
    model.layers[0].trainable = False
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert [v.name for v in again.trainable_weights] == ["gamma", "beta", "kernel", "bias"]


def test_a_model_of_ones_own(tmp_path):
    model = Mine(units=3)
    model.compile("sgd", "mse")
    t = np.ones((12, 2), "float32")
    model.fit(x, t, verbose=0)
    path = tmp_path / "m.safetensors"
    model.save(path)
    with pytest.raises(ValueError, match=r"unknown layer class 'Mine'.*custom_objects"):
        load_model(path)
    again = load_model(path, custom_objects={"Mine": Mine})
    assert again.units == 3
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_layers_and_activations_of_ones_own(tmp_path):
    class Scale(Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

    model = Sequential([Input((6,)), Scale(2.5), Dense(2, lm.layers.Activation("relu"))])
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", custom_objects={"Scale": Scale})
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_what_cannot_be_told_is_refused(tmp_path):
    model = Sequential([Dense(2, lambda t: t, input_shape=(6,))])
    with pytest.raises(ValueError, match="cannot be saved"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []
    model.save_weights(tmp_path / "m.safetensors")
    model = Mine(units=3, name=b"bytes")
    with pytest.raises(ValueError, match="is not JSON"):
        model.save(tmp_path / "m.safetensors")
    model = make()
    model.compile("adam", lambda y_true, y_pred: lm.ops.mean(y_pred))
    with pytest.warns(UserWarning, match="how the model was compiled is left out"):
        model.save(tmp_path / "m.safetensors")
    assert not load_model(tmp_path / "m.safetensors").compiled


def test_weights_alone(tmp_path):
    model, other = make(), make()
    path = tmp_path / "w.safetensors"
    model.save_weights(path)
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(FileExistsError):
        model.save_weights(path, overwrite=False)
    model.save(path)  # a whole model's file has the weights too
    other.load_weights(path)


def test_names_of_weights_do_not_depend_on_what_was_made_before(tmp_path):
    first = [make(), Mine(3)]
    first[1](x)
    assert list(first[0].named_weights()) == list(make().named_weights())
    assert list(first[0].named_weights())[:3] == ["dense/kernel", "dense/bias", "batch_normalization/gamma"]
    assert list(first[1].named_weights())[-3:] == ["blocks/1/bias", "out/kernel", "out/bias"]


def test_other_libraries_can_read_it(tmp_path):
    from safetensors.numpy import load_file

    model = make()
    model.save(tmp_path / "m.safetensors")
    arrays = load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(arrays["dense/kernel"], model.get_weights()[0])


def test_every_wrong_weight_is_named(tmp_path):
    model = make()
    path = tmp_path / "w.safetensors"
    model.save_weights(path)
    other = Sequential([Dense(4, input_shape=(6,)), Dense(2), Dense(2)])
    before = other.get_weights()
    with pytest.raises(ValueError) as error:
        other.load_weights(path)
    for text in (
        "dense_2/kernel is missing",
        "dense_2/bias is missing",
        "batch_normalization/gamma is not in the model",
        "dense/kernel must have shape (6, 4), got (6, 5)",
        "dense_1/kernel must have shape (4, 2), got (5, 2)",
    ):
        assert text in str(error.value)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[3], model.get_weights()[-1])


def test_before_the_model_knows_its_inputs(tmp_path):
    make().save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="has no weights yet"):
        Sequential([Dense(2)]).load_weights(tmp_path / "w.safetensors")


def test_an_unbuilt_model(tmp_path):
    Sequential([Dense(2)]).save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").predict(x, verbose=0).shape == (12, 2)


def test_files_cut_short(tmp_path):
    path = tmp_path / "m.safetensors"
    make().save(path)
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no safetensors file, or not a whole one"):
            load_model(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(ValueError, match="no safetensors file"):
        load_model(path)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x04\x95", b"PK\x03\x04" + bytes(60), bytes(1000), b"\xff" * 64])
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no safetensors file"):
        load_model(path)
    with pytest.raises(ValueError, match="no safetensors file"):
        make().load_weights(path)


def test_a_safetensors_file_that_is_no_model(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save_file({"a": np.ones(3)}, path)
    with pytest.raises(ValueError, match="holds no Lamina model"):
        load_model(path)
    for text in ("", "[]", "{}", "null", '{"class_name": 3}', "x"):
        save_file({"a": np.ones(3)}, path, metadata={"lamina": text})
        with pytest.raises(ValueError, match="holds no Lamina model"):
            load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize(
    "description",
    [
        {"format": 1, "class_name": "os.system", "config": {"command": "true"}},
        {"format": 1, "class_name": "builtins.eval", "config": {}},
        {"format": 1, "class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}},
        {"format": 1, "class_name": "Dense", "config": {"units": 1, "__class__": "x"}},
        {"format": 1, "class_name": "Dense", "config": {"units": 1, "activation": {"class_name": "eval"}}},
        {"format": 1, "class_name": "Dense", "config": {"units": 1, "activation": "os.system"}},
        {"format": 1, "class_name": "Dense", "config": {"units": 1, "kernel_initializer": {"class_name": "eval"}}},
        {"format": 2, "class_name": "Dense", "config": {"units": 1}},
    ],
)
def test_no_code_is_loaded_from_a_file(tmp_path, description):
    path = tmp_path / "m.safetensors"
    saving._write(path, {}, {"lamina": json.dumps(description)}, True)
    with pytest.raises(ValueError):
        load_model(path)


def test_a_file_name_of_another_kind(tmp_path):
    for name in ("m.h5", "m.keras", "m"):
        with pytest.raises(ValueError, match="must end in"):
            make().save(tmp_path / name)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.safetensors"
    make().save(path)
    old = path.read_bytes()
    large = Sequential([Dense(500, input_shape=(500,))])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as error:
            large.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "was not changed" in error.value.__notes__[0]
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError):
        make().save(tmp_path / "nothing" / "m.safetensors")


def test_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "m.safetensors", tmp_path / "m.safetensors"
    make().save(target)
    link.symlink_to(target)
    make().save(link)
    assert link.is_symlink()
    load_model(target)


KILLED = """
import sys
import numpy as np
from lamina.layers import Dense
from lamina.models import Sequential
model = Sequential([Dense(600, input_shape=(600,))])
print("ready", flush=True)
i = 0
while True:
    i += 1
    model.set_weights([np.full((600, 600), i), np.full(600, i)])
    model.save(sys.argv[1])
"""


def test_killed_while_saving(tmp_path):
    path = tmp_path / "m.safetensors"
    for i in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, env={**os.environ}
        )
        process.stdout.readline()
        while not path.exists() and process.poll() is None:
            time.sleep(0.001)
        assert process.poll() is None, "the process that saves ended by itself"
        time.sleep(0.01 + 0.003 * i)
        process.kill()
        process.wait()
        process.stdout.close()
        kernel, bias = load_model(path).get_weights()
        assert (kernel == bias[0]).all()


def test_convolutional_model(tmp_path):
    model = Sequential([Input((8, 8, 1)), Conv2D(3, 3, 1, "same"), Flatten(), Dense(2)])
    model.save(tmp_path / "m.safetensors")
    data = random.normal(size=(2, 8, 8, 1))
    again = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def graph():
    a, b = Input((6,), name="a"), Input((6,), name="b")
    shared = Dense(3, "tanh", kernel_regularizer="l2", name="shared")
    y = lm.ops.concatenate([shared(a), shared(b) * 2.0], axis=-1)
    model = Model([a, b], [Dense(1, name="p")(y), BatchNormalization(name="q")(y[:, :2])])
    model.compile(lm.optimizers.RMSprop(0.01), ["mse", "mae"], metrics=[["mae"], None])
    return model


def descriptions():
    """How a Sequential and a graph are told of in files, and their arrays."""
    for model in (make(), graph()):
        model.optimizer.build(model.trainable_weights)
        names = model.named_weights()
        arrays = {name: v.array for name, v in names.items()}
        arrays |= {f"optimizer/{name}": array for name, array in model.optimizer.get_state(names).items()}
        text = json.loads(model.to_json())
        text |= {"frozen": [], "random": {"state": [1, 2], "layers": []}, "iterations": 0}
        yield json.dumps({**text, "compile": saving._compile_config(model)}), arrays


TOLD = list(descriptions())


def places(value, path=()):
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


JUNK = [None, True, -1, 0, 2, 1.5, "x", "", [], {}, [None], [-1], [[2]], {"x": 1}, ["Dense"], {"tensor": [0, 9]},
        {"tensor": 0}, {"class_name": "Dense", "config": {}}, {"tuple": 3}, {"slice": [1]}]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.data())
def test_changed_descriptions_are_loaded_or_refused(tmp_path_factory, data):
    """Whatever stands anywhere in the description: a model, or a ValueError; no other exception."""
    text, arrays = data.draw(st.sampled_from(TOLD))
    description = json.loads(text)
    *path, last = data.draw(st.sampled_from([p for p in places(description) if p]))
    target = description
    for key in path:
        target = target[key]
    if data.draw(st.booleans()):
        target[last] = data.draw(st.sampled_from(JUNK))
    else:
        del target[last]
    file = tmp_path_factory.mktemp("changed") / "m.safetensors"
    saving._write(file, arrays, {"lamina": json.dumps(description)}, True)
    try:
        model = load_model(file, restore_random=True)
    except ValueError:
        return
    assert isinstance(model, Layer)


def test_descriptions_without_end(tmp_path):
    file = tmp_path / "m.safetensors"
    for text in ("[" * 100_000, '{"class_name": ' * 100_000):
        saving._write(file, {}, {"lamina": text}, True)
        with pytest.raises(ValueError, match="holds no Lamina model"):
            load_model(file)
        with pytest.raises(ValueError, match=r"expected what Model\.to_json gave"):
            lm.models.model_from_json(text)


def test_ops_that_need_no_input_are_not_called(tmp_path):
    """A file may not have an op make arrays as large as it likes."""
    a = Input((3,))
    description = json.loads(Model(a, lm.ops.relu(a)).to_json())
    (call,) = [call for call in description["config"]["calls"] if "op" in call]
    call |= {"op": "ones", "args": [[2**40]]}
    with pytest.raises(ValueError, match="calls the op ones without inputs"):
        lm.models.model_from_json(json.dumps(description))


FIRST = '"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}'


@pytest.mark.parametrize(("header", "size"), [
    (FIRST + ', "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}', 12),
    (FIRST + ', "b": {"dtype": "F32", "shape": [2], "data_offsets": [12, 20]}', 20),
    (FIRST + ", " + FIRST, 8), (FIRST, 4), (FIRST, 12),
    ('"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}', 8),
    ('"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}', 8),
    ('"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}', 8),
    ('"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}', 0),
    ('"a": {"dtype": "Q7", "shape": [2], "data_offsets": [0, 8]}', 8),
    ('"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 18446744073709551624]}', 8),
    ('"a": {"dtype": "F32", "shape": [2]}', 8), ('"__metadata__": {"lamina": 3}', 0), (FIRST + ', "b"', 8),
], ids=["overlap", "hole", "twice", "too short", "too long", "other shape", "backwards", "negative", "overflow",
        "dtype", "beyond 64 bits", "no place", "metadata", "no JSON"])  # fmt: skip
def test_malformed_safetensors(tmp_path, header, size):
    path = tmp_path / "m.safetensors"
    text = f"{{{header}}}".encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    for load in (load_model, make().load_weights):
        with pytest.raises(ValueError, match=r"m\.safetensors is no safetensors file, or not a whole one"):
            load(path)


@pytest.mark.parametrize("length", [101_000_000, 2**63, 2**64 - 1])
def test_headers_that_claim_to_be_huge(tmp_path, length):
    path = tmp_path / "m.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b"{}" + bytes(100))
    with pytest.raises(ValueError, match="no safetensors file"):
        load_model(path)


def test_an_optimizer_that_scales_no_losses_is_loaded_so(tmp_path):
    before = backend.narrow
    try:
        for scaled in (False, True):
            model = Sequential([Dense(1, input_shape=(2,), dtype="mixed_float16")])
            model.compile("sgd", "mse", auto_scale_loss=scaled)
            model.save(tmp_path / "m.safetensors")
            loaded = load_model(tmp_path / "m.safetensors")
            assert isinstance(loaded.optimizer, lm.optimizers.LossScaleOptimizer) is scaled
    finally:
        backend.narrow = before
