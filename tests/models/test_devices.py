"""Models on the device "cuda" (a GPU, or the stand-in): the same script, the same numbers as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import lamina as lm
from lamina import backend
from lamina.layers import (
    GRU,
    LSTM,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    Input,
    LayerNormalization,
    MaxPooling2D,
    MultiHeadAttention,
    Normalization,
    RandomFlip,
    ReLU,
)
from lamina.models import Model, Sequential, fold_batch_norm

DEVICES = ("cpu", "cuda")


def mlp():
    return Sequential([Input((6,)), Dense(8, activation="relu"), Dropout(0.25), Dense(3, activation="softmax")])


def cnn():
    return Sequential([
        Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
        BatchNormalization(),
        MaxPooling2D(2),
        Flatten(),
        Dense(3),
    ])  # fmt: skip


def recurrent():
    return Sequential([
        Input((5,), dtype="int64"),
        Embedding(11, 4, mask_zero=True),
        Bidirectional(LSTM(3, return_sequences=True)),
        GRU(4),
        Dense(3, activation="softmax"),
    ])  # fmt: skip


def attention():
    x = Input((5, 4))
    y = LayerNormalization()(x + MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))
    return Model(x, Dense(3, activation="softmax")(GlobalAveragePooling1D()(y)))


def several():
    picture, age = Input((4, 4, 1), name="picture"), Input((1,), name="age")
    x = lm.ops.concatenate([Flatten()(picture), age / 10], axis=-1)
    shared = Dense(4, activation="tanh", kernel_regularizer="l2")(x)
    return Model([picture, age], [Dense(3, activation="softmax", name="kind")(shared), Dense(1, name="size")(shared)])


def data(name):
    random = np.random.default_rng(3)
    y = random.integers(0, 3, 20)
    x = {
        "mlp": random.normal(size=(20, 6)).astype("float32"),
        "cnn": random.normal(size=(20, 8, 8, 1)).astype("float32"),
        "recurrent": random.integers(0, 11, (20, 5)),
        "attention": random.normal(size=(20, 5, 4)).astype("float32"),
    }[name]
    return x, y


MODELS = {"mlp": mlp, "cnn": cnn, "recurrent": recurrent, "attention": attention}


def trained(name, device, **options):
    lm.set_seed(7)
    model = MODELS[name]().to(device)
    from_logits = name == "cnn"
    model.compile(
        optimizer=options.pop("optimizer", "adam"),
        loss=lm.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
        metrics=["accuracy"],
    )
    x, y = data(name)
    history = model.fit(x, y, epochs=2, batch_size=8, verbose=0, **options)
    return model, history


def assert_same(a, b):
    for u, v in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(u, v, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_training_gives_the_same_numbers(name):
    x, y = data(name)
    (here, history), (there, other) = (trained(name, device, validation_split=0.2) for device in DEVICES)
    assert all(type(v.array) is not np.ndarray for v in there.weights)
    assert_same(here, there)
    assert history.history.keys() == other.history.keys()
    for key, values in history.history.items():
        np.testing.assert_allclose(values, other.history[key], rtol=2e-4, atol=2e-5, err_msg=key)
        assert all(isinstance(value, float) for value in other.history[key])
    predicted = there.predict(x, verbose=0)
    assert type(predicted) is np.ndarray
    np.testing.assert_allclose(predicted, here.predict(x, verbose=0), rtol=2e-4, atol=2e-5)
    told = there.evaluate(x, y, verbose=0)
    assert all(isinstance(value, float) for value in told)
    np.testing.assert_allclose(told, here.evaluate(x, y, verbose=0), rtol=2e-4, atol=2e-5)
    assert isinstance(there.train_on_batch(x, y)[0], float)


def residual():
    """Blocks as a ResNet has them: sums behind a normalisation, with a relu and two readers."""
    x = inputs = Input((6, 6, 4))
    for stride in (1, 2, 1):
        y = ReLU()(BatchNormalization()(Conv2D(4, 1, use_bias=False)(x)))
        y = ReLU()(BatchNormalization()(Conv2D(4, 3, stride, "same", use_bias=False)(y)))
        y = BatchNormalization()(Conv2D(8, 1, use_bias=False)(y))
        short = x if x.shape == y.shape else BatchNormalization()(Conv2D(8, 1, stride, use_bias=False)(x))
        x = ReLU()(Add()([y, short]))
    return Model(inputs, Dense(3)(GlobalAveragePooling2D()(x)))


def test_residual_blocks_have_the_bits_of_the_cpu(monkeypatch):
    """Sums of gradients and of residuals are part of the kernels beside them."""
    calls = {"batch_norm_backward": 0, "gemm": 0}
    kernels = backend.on("cuda") is not None and backend.cuda.kernels
    gemm, batch_norm_backward = kernels.gemm, kernels.batch_norm_backward

    def spy_gemm(*args):
        calls["gemm"] += len(args) == 8
        return gemm(*args)

    def spy_backward(*args, **kwargs):
        calls["batch_norm_backward"] += "more_dy" in kwargs
        return batch_norm_backward(*args, **kwargs)

    monkeypatch.setitem(kernels.__dict__, "gemm", spy_gemm)
    monkeypatch.setitem(kernels.__dict__, "batch_norm_backward", spy_backward)
    random = np.random.default_rng(3)
    x, y = random.normal(size=(20, 6, 6, 4)).astype("float32"), random.integers(0, 3, 20)
    lm.set_convolution("direct")  # as on a GPU
    try:
        found = []
        for device in DEVICES:
            lm.set_seed(7)
            model = residual().to(device)
            model.compile("sgd", lm.losses.SparseCategoricalCrossentropy(True))
            model.fit(x, y, epochs=2, batch_size=8, verbose=0)
            folded = fold_batch_norm(model).to(device)
            found.append([*model.get_weights(), model.predict(x, verbose=0), folded.predict(x, verbose=0)])
    finally:
        lm.set_convolution("fast")
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(calls.values()), calls


def test_several_inputs_and_outputs():
    random = np.random.default_rng(3)
    x = [random.normal(size=(12, 4, 4, 1)).astype("float32"), random.normal(size=(12, 1)).astype("float32")]
    y = [random.integers(0, 3, 12), random.normal(size=(12, 1)).astype("float32")]
    found = []
    for device in DEVICES:
        lm.set_seed(7)
        model = several().to(device)
        model.compile("adam", ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], ["mae"]])
        history = model.fit(x, y, sample_weight=random.random(12) * 0 + 2, epochs=2, verbose=0)
        found.append((model, history.history, model.predict(x, verbose=0)))
    (here, told, predicted), (there, other, elsewhere) = found
    assert_same(here, there)
    for key in told:
        np.testing.assert_allclose(told[key], other[key], rtol=2e-4, atol=2e-5)
    for a, b in zip(predicted, elsewhere, strict=True):
        assert type(b) is np.ndarray
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("optimizer", [
    lm.optimizers.SGD(0.1, momentum=0.9, clipnorm=0.5),
    lm.optimizers.RMSprop(global_clipnorm=0.5, use_ema=True),
    lm.optimizers.Adafactor(),
    lm.optimizers.Ftrl(),
    lm.optimizers.AdamW(gradient_accumulation_steps=2),
    lm.optimizers.Lamb(clipvalue=0.1),
])  # fmt: skip
def test_optimizers(optimizer):
    models = []
    for device in DEVICES:
        again = type(optimizer).from_config(optimizer.get_config())
        models.append(trained("mlp", device, optimizer=again)[0])
    assert_same(*models)


def test_a_default_device_holds_for_what_is_made_in_it():
    with lm.device("cuda"):
        assert lm.tensor([1.0]).device == "cuda"
        assert lm.ops.zeros((2,)).device == lm.ops.arange(3).device == lm.random.normal((2,)).device == "cuda"
        assert lm.Variable([1.0]).device == "cuda"
        model = attention()
    assert lm.tensor([1.0]).device == "cpu"
    assert {v.device for v in model.weights} == {"cuda"}
    assert model.predict(data("attention")[0], verbose=0).shape == (20, 3)
    layer = Dense(2)  # made for the CPU, but first called on a GPU
    assert layer(lm.tensor([[1.0]], device="cuda")).device == "cuda"
    assert layer([[1.0]]).device == "cuda"


def test_the_same_first_weights_on_both_devices():
    models = []
    for device in DEVICES:
        lm.set_seed(1)
        with lm.device(device):
            models.append(cnn())
            models[-1].build((None, 8, 8, 1))
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_moving_to_and_fro_while_training():
    x, y = data("mlp")
    lm.set_seed(7)
    model = mlp()
    model.compile("adam", "sparse_categorical_crossentropy")
    lm.set_seed(7)
    for device in ("cpu", "cuda", "cpu", "cuda"):
        assert model.to(device) is model
        model.train_on_batch(x, y)
        assert {slot for v in model.weights for s in model.optimizer._slots[v] for slot in [backend.device_of(s)]} == {
            device
        }
    lm.set_seed(7)
    other = mlp()
    other.compile("adam", "sparse_categorical_crossentropy")
    lm.set_seed(7)
    for _ in range(4):
        other.train_on_batch(x, y)
    assert_same(model, other)


def test_saving_writes_the_same_file(tmp_path):
    x, _ = data("mlp")
    for device in DEVICES:
        model, _ = trained("mlp", "cpu")
        model.to(device).save(tmp_path / f"{device}.safetensors")
        model.save_weights(tmp_path / f"{device}_weights.safetensors")
    files = [(tmp_path / f"{device}_weights.safetensors").read_bytes() for device in DEVICES]
    assert files[0] == files[1]
    loaded = lm.models.load_model(tmp_path / "cuda.safetensors")
    assert {v.device for v in loaded.weights} == {"cpu"}
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.to("cpu").predict(x, verbose=0))
    with lm.device("cuda"):
        there = lm.models.load_model(tmp_path / "cpu.safetensors")
    assert {v.device for v in there.weights} == {"cuda"}
    there.load_weights(tmp_path / "cpu_weights.safetensors")
    assert {v.device for v in there.weights} == {"cuda"}


def test_resuming_on_the_device(tmp_path):
    x, y = data("mlp")

    class Broken(lm.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.batches == 4:
                raise KeyboardInterrupt
            self.batches += 1

    def run(broken):
        lm.set_seed(7)
        model = mlp().to("cuda")
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        counter = Broken()
        counter.batches = 0 if broken else 5
        callbacks = [lm.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=2), counter]
        if broken:
            with pytest.raises(KeyboardInterrupt):
                model.fit(x, y, epochs=2, batch_size=8, verbose=0, callbacks=callbacks)
            counter.batches = 5
        return model, model.fit(x, y, epochs=2, batch_size=8, verbose=0, callbacks=callbacks).history

    (whole, history), (resumed, other) = run(False), run(True)
    assert_same(whole, resumed)
    assert history["accuracy"][-1] == other["accuracy"][-1]


def test_preparing_layers_work_on_the_cpu_within_a_model():
    x = np.arange(48, dtype="float32").reshape(3, 4, 4, 1)
    model = Sequential([Input((4, 4, 1)), RandomFlip("horizontal", seed=1), Flatten(), Dense(2)]).to("cuda")
    assert model(x, training=True).device == "cuda"
    layer = Normalization().to("cuda")
    layer.adapt(x)
    y = layer(x)
    assert y.device == "cuda"
    here = Normalization()
    here.adapt(x)
    np.testing.assert_allclose(y.numpy(), here(x).numpy(), rtol=1e-6)
    words = lm.layers.StringLookup(vocabulary=["a", "b"]).to("cuda")
    assert words(np.array(["a", "b", "c"])).numpy().tolist() == [1, 2, 0]


def test_a_loop_of_ones_own():
    x, y = data("mlp")
    weights = []
    for device in DEVICES:
        with lm.device(device):
            lm.set_seed(7)
            model = mlp()
            optimizer, loss_of = lm.optimizers.Adam(), lm.losses.SparseCategoricalCrossentropy()
            for _ in range(3):
                loss = loss_of(y, model(x, training=True))
                loss.backward()
                optimizer.step(model.trainable_weights)
            assert loss.device == device
        weights.append(model)
    assert_same(*weights)


def test_metrics_of_a_users_own_get_numpy_arrays():
    kinds = []

    def share(y_true, y_pred):
        kinds.append((type(y_true), type(y_pred)))
        return np.asarray(y_pred)[:, 0] > 0.5

    x, y = data("mlp")
    model = mlp().to("cuda")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[share, "accuracy"])
    model.fit(x, y, epochs=1, verbose=0)
    assert set(kinds) == {(np.ndarray, np.ndarray)}
