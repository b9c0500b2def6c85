"""Policies: names, dtypes, what layers do by them; training in 16 bits."""

import json
import subprocess
import sys

import numpy as np
import pytest

import device_stand_in
import lamina as lm
from lamina import backend
from lamina.dtype_policies import DTypePolicy
from lamina.layers import (
    LSTM,
    BatchNormalization,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    Input,
    LayerNormalization,
    MaxPooling2D,
    MultiHeadAttention,
    Normalization,
    Rescaling,
)
from lamina.models import Model, Sequential

MIXED = ("mixed_float16", "mixed_bfloat16")
device_stand_in.at_hand()


@pytest.fixture(autouse=True)
def _policy_restored():
    before = lm.dtype_policy(), backend.narrow
    yield
    lm.set_dtype_policy(before[0])
    backend.narrow = before[1]


@pytest.mark.parametrize(
    ("name", "compute", "variable"),
    [
        ("float32", "float32", "float32"), ("float64", "float64", "float64"), ("float16", "float16", "float16"),
        ("bfloat16", "bfloat16", "bfloat16"), ("mixed_float16", "float16", "float32"),
        ("mixed_bfloat16", "bfloat16", "float32"),
    ],
)  # fmt: skip
def test_names(name, compute, variable):
    policy = DTypePolicy(name)
    assert (policy.name, policy.compute_dtype, policy.variable_dtype) == (name, compute, variable)
    assert policy.quantization_mode is None
    assert repr(policy) == f'<DTypePolicy "{name}">'
    assert DTypePolicy.from_config(json.loads(json.dumps(policy.get_config()))) == policy
    assert lm.dtype_policies.deserialize(lm.dtype_policies.serialize(policy)) == policy
    assert lm.dtype_policies.get(name) == policy
    assert hash(policy) == hash(DTypePolicy(name))
    assert policy != DTypePolicy("float32" if name != "float32" else "float64")
    assert policy != name
    layer = Dense(2, dtype=name)
    assert (layer.compute_dtype, layer.variable_dtype, layer.dtype) == (compute, variable, variable)
    assert layer.dtype_policy == policy
    y = layer(np.ones((3, 4), "float32"))
    assert (y.dtype.name, layer.kernel.dtype.name, layer.bias.dtype.name) == (compute, variable, variable)


def test_refused():
    with pytest.raises(ValueError, match=r"dtype policy: expected one of \['float16', .*, got 'float8'"):
        DTypePolicy("float8")
    with pytest.raises(TypeError, match="dtype policy: name must be a string, got 16"):
        DTypePolicy(16)
    with pytest.raises(TypeError, match="set_dtype_policy: expected a policy or its name, got None"):
        lm.set_dtype_policy(None)
    with pytest.raises(TypeError, match="expected a policy, a dtype or a name"):
        lm.dtype_policies.get(3.5)
    with pytest.raises(ValueError, match="expected the configuration of a DTypePolicy"):
        lm.dtype_policies.deserialize({"class_name": "Dense", "config": {}})
    with pytest.raises(ValueError, match=r"dense.*: dtype must be one of \['float16', .*, got 'int32'"):
        Dense(2, dtype="int32")


def test_the_chosen_policy_is_that_of_layers_made_from_then_on():
    before = Dense(2)
    lm.set_dtype_policy("mixed_bfloat16")
    after, own = Dense(2), Dense(2, dtype="float32")
    assert lm.dtype_policy() == lm.mixed_precision.global_policy() == DTypePolicy()
    lm.set_dtype_policy(DTypePolicy("float32"))
    assert [layer.dtype_policy.name for layer in (before, after, own)] == ["float32", "mixed_bfloat16", "float32"]
    after.dtype_policy = "mixed_float16"
    assert after([[1.0]]).dtype == np.float16
    assert lm.mixed_precision.Policy is DTypePolicy


@pytest.mark.parametrize("policy", MIXED)
def test_weights_are_rounded_when_used(policy):
    layer = Dense(3, dtype=policy)
    x = np.random.default_rng(0).standard_normal((5, 4)).astype("float32")
    y = layer(x)
    dtype = y.dtype
    kernel = layer.kernel.numpy()
    assert kernel.dtype == np.float32
    assert not np.array_equal(kernel.astype(dtype).astype("float32"), kernel)
    wide = lm.ops.matmul(lm.tensor(x.astype(dtype).astype("float32")), kernel.astype(dtype).astype("float32"))
    np.testing.assert_array_equal(y.numpy(), wide.numpy().astype(dtype))
    (lm.ops.cast(y, "float32") ** 2).sum().backward()
    assert layer.kernel.grad.dtype == np.float32
    # A gradient leaves the op in 16 bits.
    grad = layer.kernel.grad.numpy()
    np.testing.assert_array_equal(grad.astype(dtype).astype("float32"), grad)


def test_a_layer_of_ones_own():
    class Scale(lm.layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
            self.count = self.add_weight((), "zeros", trainable=False, name="count", autocast=False)

        def call(self, x):
            seen.extend([x.dtype.name, (self.factor * 2).dtype.name, lm.ops.exp(self.factor).dtype.name])
            seen.append((self.count + 1).dtype.name)
            return x * self.factor + 1.5

    seen = []
    layer = Scale(dtype="mixed_bfloat16")
    assert layer(np.ones((2, 3), "float32")).dtype.name == "bfloat16"
    assert seen == ["bfloat16", "bfloat16", "bfloat16", "float32"]
    assert lm.ops.exp(layer.factor).dtype == np.float32


def test_a_layer_of_another_policy_inside():
    class Outer(lm.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Dense(2, dtype="float32")

        def call(self, x):
            y = self.inner(x)
            assert y.dtype == np.float32
            return y

    assert Outer(dtype="mixed_float16")([[1.0, 2.0]]).dtype == np.float32


LAYERS = [
    (lambda: Conv2D(3, 3, padding="same", activation="relu"), (6, 6, 2)),
    (lambda: BatchNormalization(), (6, 6, 2)),
    (lambda: LayerNormalization(), (7, 5)),
    (lambda: MaxPooling2D(), (6, 6, 2)),
    (lambda: LSTM(4, return_sequences=True), (5, 3)),
    (lambda: lm.layers.GRU(4), (5, 3)),
    (lambda: lm.layers.SimpleRNN(4), (5, 3)),
    (lambda: Rescaling(0.5, 1.0), (5, 3)),
    (lambda: lm.layers.Softmax(), (5,)),
    (lambda: lm.layers.Attention(), None),
]


@pytest.mark.parametrize("policy", MIXED)
@pytest.mark.parametrize(("make", "shape"), LAYERS[:-1])
def test_layers_follow_float32_within_16_bits(policy, make, shape):
    x = np.random.default_rng(1).standard_normal((4, *shape)).astype("float32")
    plain = make()
    plain(x)
    lm.set_dtype_policy(policy)
    layer = make()
    for training in (False, True):
        layer(x, training=training)
        layer.set_weights(plain.get_weights())
        t, u = lm.tensor(x, requires_grad=True), lm.tensor(x, requires_grad=True)
        y, wanted = layer(t, training=training), plain(u, training=training)
        assert y.dtype.name == layer.compute_dtype
        tolerance = 2e-2 if policy == "mixed_float16" else 1e-1
        np.testing.assert_allclose(y.numpy().astype("float32"), wanted.numpy(), atol=tolerance, rtol=tolerance)
        direction = np.random.default_rng(2).uniform(-1, 1, wanted.shape).astype("float32")
        (lm.ops.cast(y, "float32") * direction).sum().backward()
        (wanted * direction).sum().backward()
        scale = np.abs(u.grad.numpy()).max()
        np.testing.assert_allclose(t.grad.numpy() / scale, u.grad.numpy() / scale, atol=2 * tolerance)
        for v, w in zip(layer.weights, plain.weights, strict=True):
            assert v.dtype == np.float32
            np.testing.assert_allclose(v.numpy(), w.numpy(), atol=tolerance)


class Recording:
    """Kernels, and of what dtype the floats were that recurrent ones met."""

    def __init__(self, kernels):
        self.kernels, self.seen = kernels, set()

    def __getattr__(self, name):
        kernel = getattr(self.kernels, name)

        def call(kind, activation, layers):
            arrays = [a for layer in layers for a in layer[1:] if a is not None]
            self.seen |= {(name, a.dtype.name) for a in arrays}
            kernel(kind, activation, layers)

        return call if name.startswith("recurrent") else kernel


@pytest.mark.parametrize("policy", MIXED)
@pytest.mark.parametrize(
    "make", [lambda n: LSTM(n), lambda n: lm.layers.GRU(n), lambda n: lm.layers.GRU(n, reset_after=False),
             lambda n: lm.layers.SimpleRNN(n), lambda n: lm.layers.Bidirectional(LSTM(n))]
)  # fmt: skip
def test_recurrent_layers_stay_in_16_bits_on_a_gpu(policy, make, monkeypatch):
    lm.backend.on("cuda")
    if "recurrent_forward" not in lm.backend.cuda.narrow_kernels:
        pytest.skip("there are no kernels of 16 bits")
    kernels = Recording(lm.backend.cuda.kernels)
    monkeypatch.setattr(lm.backend.cuda, "kernels", kernels)
    lm.set_seed(1)
    lm.set_dtype_policy(policy)
    x = np.random.default_rng(0).standard_normal((64, 6, 3)).astype("float32")
    with lm.device("cuda"):
        model = Sequential([Input((6, 3)), make(8), Dense(1, dtype="float32")])
        model.compile(lm.optimizers.Adam(1e-2), "mse")
        losses = model.fit(x, x.sum((1, 2)), epochs=20, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    dtype = policy.removeprefix("mixed_")
    assert kernels.seen == {("recurrent_forward", dtype), ("recurrent_backward", dtype)}


def test_symbols_and_graphs_know_the_dtype():
    lm.set_dtype_policy("mixed_bfloat16")
    x = Input((6,))
    h = Dense(4, activation="relu")(x)
    y = Dense(2, dtype="float32")(h * 2.0 + 1.0)
    assert (x.dtype.name, h.dtype.name, y.dtype.name) == ("float32", "bfloat16", "float32")
    model = Model(x, y)
    assert model.predict(np.ones((3, 6)), verbose=0).dtype == np.float32
    again = lm.models.model_from_json(model.to_json())
    assert [layer.dtype_policy.name for layer in again.layers] == [layer.dtype_policy.name for layer in model.layers]
    again.set_weights(model.get_weights())
    data = np.random.default_rng(0).standard_normal((3, 6))
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def test_embedding_and_its_sparse_gradient():
    layer = Embedding(1000, 8, dtype="mixed_bfloat16")
    y = layer(np.array([[1, 5, 1]]))
    assert y.dtype.name == "bfloat16"
    np.testing.assert_array_equal(y.numpy()[0, 1], layer.embeddings.numpy()[5].astype(y.dtype))
    lm.ops.sum(lm.ops.cast(y, "float32")).backward()
    assert type(layer.embeddings.grad_array).__name__ == "RowSparse"
    assert layer.embeddings.grad.numpy()[1].tolist() == [2.0] * 8


def test_attention():
    rng = np.random.default_rng(0)
    q = rng.standard_normal((2, 5, 8)).astype("float32")
    for make in (lambda **k: MultiHeadAttention(2, 4, **k), lambda **k: lm.layers.Attention(**k),
                 lambda **k: lm.layers.AdditiveAttention(**k)):  # fmt: skip
        plain, layer = make(), make(dtype="mixed_float16")
        args = (q, q) if isinstance(plain, MultiHeadAttention) else ([q, q],)
        plain(*args), layer(*args)
        layer.set_weights(plain.get_weights())
        y = layer(*args)
        assert y.dtype == np.float16
        np.testing.assert_allclose(y.numpy().astype("float32"), plain(*args).numpy(), atol=1e-2)


def test_normalization_of_data():
    layer = Normalization(dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(100, 5, (50, 3))
    layer.adapt(x)
    y = layer(x)
    assert y.dtype.name == "bfloat16"
    assert layer.mean.dtype == np.float32
    np.testing.assert_allclose(y.numpy().astype("float32").std(0), 1, atol=0.02)


def digits():
    pytest.importorskip("sklearn")
    (x, y), (test_x, test_y) = lm.data.digits()
    return x, y, test_x, test_y


def network(kind):
    if kind == "cnn":
        return Sequential([Input((8, 8, 1)), Conv2D(8, 3, activation="relu"), BatchNormalization(momentum=0.9),
                           MaxPooling2D(),
                           Flatten(), Dense(10, activation="softmax")])  # fmt: skip
    return Sequential([Input((8, 8, 1)), Flatten(), Dense(32, activation="relu"), Dense(10, activation="softmax")])


def trained(kind, policy):
    lm.set_seed(3)
    lm.set_dtype_policy(policy)
    model = network(kind)
    model.compile(lm.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y, test_x, test_y = digits()
    model.fit(x, y, epochs=16, batch_size=64, verbose=0)
    return model, model.evaluate(test_x, test_y, verbose=0)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_training_reaches_the_accuracy_of_float32(kind):
    _, (_, wanted) = trained(kind, "float32")
    assert wanted > 0.95
    for policy in MIXED:
        model, (loss, accuracy) = trained(kind, policy)
        assert accuracy > wanted - 0.01
        assert np.isfinite(loss)
        assert all(v.dtype == np.float32 for v in model.weights)
        assert isinstance(model.optimizer, lm.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
        again, _ = trained(kind, policy)
        for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("policy", [*MIXED, "float16", "bfloat16"])
def test_saved_and_gone_on(policy, tmp_path):
    lm.set_seed(1)
    x, y, _, _ = digits()
    lm.set_dtype_policy(policy)
    model = network("mlp")
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "m.safetensors")
    lm.set_dtype_policy("float32")
    again = lm.models.load_model(tmp_path / "m.safetensors", restore_random=True)
    assert [layer.dtype_policy.name for layer in again.layers] == [layer.dtype_policy.name for layer in model.layers]
    assert type(again.optimizer) is type(model.optimizer)
    for a, b in zip(model.weights, again.weights, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    state = lm.random.get_state()
    model.fit(x, y, epochs=1, verbose=0)
    lm.random.set_state(state)
    again.fit(x, y, epochs=1, verbose=0)
    for a, b in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_weights_of_16_bits_are_changed_in_float32():
    w = lm.Variable(lm.tensor([1.0, 2.0], dtype="bfloat16"))
    optimizer = lm.optimizers.Adam(0.25)
    for _ in range(2):
        optimizer.apply([lm.tensor([1.0, -1.0], dtype="bfloat16")], [w])
    assert w.dtype.name == "bfloat16"
    np.testing.assert_allclose(w.numpy().astype("float32"), [0.5, 2.5], atol=1e-2)
    assert all(slot.dtype == np.float32 for slot in optimizer._slots[w])


@pytest.mark.parametrize("policy", MIXED)
def test_training_on_a_gpu(policy):
    lm.set_dtype_policy(policy)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 8, 8, 1)).astype("float32"), np.arange(16) % 10
    weights = []
    for device in ("cpu", "cuda"):
        lm.set_seed(2)
        model = network("cnn").to(device)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=8, verbose=0)
        assert model.predict(x, verbose=0).dtype.name == model.layers[-1].compute_dtype
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-2)


@pytest.mark.parametrize("policy", MIXED)
def test_a_captured_step_has_the_same_bits(policy):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((24, 8, 8, 1)).astype("float32"), np.arange(24) % 10
    weights = []
    lm.set_dtype_policy(policy)
    for jit in (False, True):
        lm.set_seed(2)
        model = network("cnn").to("cuda")
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_losses_and_metrics_are_float32():
    logits = lm.tensor(np.array([[12.0, -3.0, 1.0]]), requires_grad=True, dtype="float16")
    probabilities = lm.ops.softmax(logits)
    loss = lm.losses.SparseCategoricalCrossentropy()([0], probabilities)
    assert loss.dtype == np.float32
    exact = lm.losses.SparseCategoricalCrossentropy(from_logits=True)([0], lm.tensor([[12.0, -3.0, 1.0]]))
    np.testing.assert_allclose(loss.item(), exact.item(), rtol=1e-6)  # not of probabilities that were rounded
    assert lm.losses.MeanSquaredError()([1.0], lm.tensor([1.5], dtype="bfloat16")).dtype == np.float32
    metric = lm.metrics.MeanSquaredError()
    metric.update_state([1.0], lm.tensor([1.5], dtype="bfloat16"))
    assert metric.result() == 0.25


def test_summary_tells():
    lm.set_dtype_policy("mixed_bfloat16")
    model = network("mlp")
    lines = []
    model.summary(print_fn=lines.append)
    assert "Computes in bfloat16, weights in float32" in "\n".join(lines)


def test_nothing_is_looked_for_before_16_bits_are_in_use():
    """A program in float32 pays nothing, and does not import ml_dtypes."""
    code = (
        "import sys, numpy as np, lamina as lm\n"
        "model = lm.Sequential([lm.Input((3,)), lm.layers.Dense(2)])\n"
        "model.compile('adam', 'mse')\n"
        "model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)\n"
        "assert not lm.backend.narrow and 'ml_dtypes' not in sys.modules\n"
        "lm.tensor([1.0], dtype='bfloat16')\n"
        "assert lm.backend.narrow\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("policy", MIXED)
def test_integers_reach_the_layers_inside_as_they_are(policy):
    class Own(Model):
        def __init__(self):
            super().__init__(dtype=policy)
            self.table = Embedding(5000, 4, dtype=policy)
            self.dense = Dense(2, dtype=policy)

        def call(self, x):
            return self.dense(self.table(x))

    model = Own()
    y = model(np.array([[4097]]))
    expected = model.dense(model.table.embeddings.numpy()[[[4097]]])
    assert y.dtype.name == model.compute_dtype
    np.testing.assert_array_equal(y.numpy(), expected.numpy())
    lm.set_dtype_policy(policy)
    np.testing.assert_array_equal(Sequential([model])(np.array([[4097]])).numpy(), expected.numpy())


@pytest.mark.parametrize("policy", MIXED)
def test_library_layers_round_integers(policy):
    for layer in (Dense(2, dtype=policy), BatchNormalization(dtype=policy), Flatten(dtype=policy)):
        assert layer(np.array([[4097, 3]])).dtype.name == layer.compute_dtype


def test_inputs_of_layers_that_compute_in_float32_are_not_rounded():
    years = np.array([[1990.0], [2003.0], [2010.0]], "float32")
    exact = Normalization(mean=[2000.0], variance=[100.0])(years).numpy()
    for policy in MIXED:
        y = Normalization(mean=[2000.0], variance=[100.0], dtype=policy)(years)
        assert y.dtype.name == policy.removeprefix("mixed_")
        np.testing.assert_array_equal(y.numpy(), exact.astype(y.dtype))
    lm.set_dtype_policy("mixed_bfloat16")
    for shape in ({}, {"input_shape": (1,)}):
        model = Sequential([Normalization(mean=[2000.0], variance=[100.0], **shape)])
        np.testing.assert_array_equal(model(years).numpy(), y.numpy())
        assert model.predict(years, verbose=0).tolist() == y.numpy().tolist()
        dense = Dense(1, dtype="float32", **shape)
        nested = Sequential([Sequential([dense])])
        y_wide = nested(years)
        np.testing.assert_array_equal(y_wide.numpy(), dense(years).numpy())
        assert nested.input_shape == (None, 1)
        assert y_wide.numpy()[1] != dense(years.astype("bfloat16").astype("float32")).numpy()[1]
    model.build((None, 1))
    assert model.inputs[0].dtype == np.float32


def test_penalties_of_activities_are_summed_in_float32():
    x = np.full((1, 1000), 100.0, "float16")
    for layer in (
        lm.layers.ActivityRegularization(l2=1.0, dtype="mixed_float16"),
        Flatten(activity_regularizer=lm.regularizers.L2(1.0), dtype="mixed_float16"),
    ):
        layer(x)
        assert [loss.numpy().tolist() for loss in layer.losses] == [1e7]


def test_statistics_of_normalization_are_float32():
    data = np.array([[1000.0], [3000.0]], "float32")
    layer = Normalization(dtype="float16")
    layer.adapt(data)
    assert {w.dtype.name for w in (layer.mean, layer.variance, layer.count)} == {"float32"}
    assert layer.variance.numpy().tolist() == [1e6]
    given = Normalization(mean=[2000.0], variance=[1e6], dtype="float16")
    for y in (layer(data), given(data)):
        assert (y.dtype.name, y.numpy().tolist()) == ("float16", [[-1.0], [1.0]])
