"""Policies of 16 bits against Keras: dtypes, outputs within their rounding, the loss's scale, training."""

import numpy as np
import pytest

import lamina as lm
from lamina import backend

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras's own arrays

POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2e-6}


@pytest.fixture(autouse=True)
def _policy_restored():
    before = backend.narrow
    keras.utils.set_random_seed(0)  # whichever tests ran before in this process
    yield
    lm.set_dtype_policy("float32")
    keras.config.set_dtype_policy("float32")
    backend.narrow = before


def as_floats(y):
    return keras.ops.cast(keras.ops.convert_to_tensor(y), "float32").detach().cpu().numpy()


@pytest.mark.parametrize("name", [*POLICIES, "float32", "float64"])
def test_policies(name):
    ours, theirs = lm.dtype_policies.DTypePolicy(name), keras.dtype_policies.DTypePolicy(name)
    for attribute in ("name", "compute_dtype", "variable_dtype", "quantization_mode"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert repr(ours) == repr(theirs)
    assert ours.get_config() == theirs.get_config()
    assert lm.dtype_policies.deserialize(keras.dtype_policies.serialize(theirs)) == ours


PLAIN = {"recurrent_initializer": "glorot_uniform"}  # PyTorch has no orthogonal matrices of 16 bits
LAYERS = [
    ("Dense", {"units": 5, "activation": "tanh"}, (7,)),
    ("Dense", {"units": 5, "use_bias": False}, (3, 7)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"}, (6, 5, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "strides": 2}, (9, 3)),
    ("DepthwiseConv2D", {"kernel_size": 3}, (6, 5, 3)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2}, (4, 4, 3)),
    ("MaxPooling2D", {}, (6, 6, 3)),
    ("AveragePooling2D", {"pool_size": 2}, (6, 6, 3)),
    ("GlobalAveragePooling2D", {}, (6, 6, 3)),
    ("BatchNormalization", {}, (6, 3)),
    ("LayerNormalization", {}, (6, 8)),
    ("GroupNormalization", {"groups": 2}, (6, 8)),
    ("Activation", {"activation": "gelu"}, (6,)),
    ("Softmax", {}, (6,)),
    ("Rescaling", {"scale": 0.5, "offset": 1.0}, (6,)),
    ("Flatten", {}, (6, 2)),
    ("LSTM", {"units": 4, "return_sequences": True, **PLAIN}, (5, 3)),
    ("GRU", {"units": 4, **PLAIN}, (5, 3)),
    ("SimpleRNN", {"units": 4, **PLAIN}, (5, 3)),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("name", "arguments", "shape"), LAYERS)
def test_layers(policy, name, arguments, shape):
    ours = getattr(lm.layers, name)(**arguments, dtype=policy)
    theirs = getattr(keras.layers, name)(**arguments, dtype=policy)
    x = np.random.default_rng(0).standard_normal((4, *shape)).astype("float32")
    ours.build((None, *shape))
    theirs.build((None, *shape))
    for attribute in ("compute_dtype", "variable_dtype", "dtype"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    weights = [as_floats(w) for w in theirs.weights]
    assert [w.shape for w in ours.weights] == [w.shape for w in weights]
    if policy.startswith("mixed"):
        assert [w.dtype.name for w in ours.weights] == [
            keras.backend.standardize_dtype(w.dtype) for w in theirs.weights
        ]
    ours.set_weights(weights)
    for training in (False, True):
        y, wanted = ours(x, training=training), theirs(x, training=training)
        assert y.dtype.name == keras.backend.standardize_dtype(wanted.dtype)
        wanted = as_floats(wanted)
        np.testing.assert_allclose(
            y.numpy().astype("float32"), wanted, rtol=4 * EPS[y.dtype.name],
            atol=8 * EPS[y.dtype.name] * max(1, np.abs(wanted).max()),
        )  # fmt: skip


def test_embedding():
    index = np.array([[1, 3, 1]])
    ours, theirs = (
        lm.layers.Embedding(5, 4, dtype="mixed_bfloat16"),
        keras.layers.Embedding(5, 4, dtype="mixed_bfloat16"),
    )
    ours.build(None), theirs.build(None)
    ours.set_weights([as_floats(w) for w in theirs.weights])
    np.testing.assert_array_equal(ours(index).numpy().astype("float32"), as_floats(theirs(index)))


def test_what_goes_with_what():
    kinds = ("float16", "bfloat16", "float32")
    for a in kinds:
        for b in kinds:
            wanted = keras.ops.add(keras.ops.ones((2,), a), keras.ops.ones((2,), b))
            got = lm.ops.add(lm.ops.ones((2,), a), lm.ops.ones((2,), b))
            assert got.dtype.name == keras.backend.standardize_dtype(wanted.dtype), (a, b)
        wanted = keras.ops.add(keras.ops.ones((2,), a), 2.5)
        assert lm.ops.add(lm.ops.ones((2,), a), 2.5).dtype.name == keras.backend.standardize_dtype(wanted.dtype)


def test_losses_are_float32():
    p = np.array([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1]], "float16")
    vectors = np.eye(3)[[1, 0]]
    for name, y in (("SparseCategoricalCrossentropy", [1, 0]), ("CategoricalCrossentropy", vectors),
                    ("MeanSquaredError", p * 0), ("BinaryCrossentropy", vectors), ("Huber", p * 0)):  # fmt: skip
        ours = getattr(lm.losses, name)()(y, lm.tensor(p))
        theirs = getattr(keras.losses, name)()(np.asarray(y), keras.ops.convert_to_tensor(p))
        assert ours.dtype.name == keras.backend.standardize_dtype(theirs.dtype) == "float32"
        np.testing.assert_allclose(ours.item(), float(theirs), rtol=1e-5)


def test_loss_scale_step_by_step():
    ours = lm.optimizers.LossScaleOptimizer(lm.optimizers.Adam(0.1), initial_scale=8.0, dynamic_growth_steps=3)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1), initial_scale=8.0, dynamic_growth_steps=3)
    w, v = lm.Variable([1.0, -2.0]), keras.Variable([1.0, -2.0])
    assert ours.scale_loss(2.0) == float(theirs.scale_loss(2.0))
    rng = np.random.default_rng(0)
    for step in range(14):
        grad = rng.standard_normal(2).astype("float32") * 8
        if step in (2, 3, 9):
            grad[step % 2] = np.inf if step % 2 else np.nan
        ours.apply([grad], [w])
        theirs.apply([keras.ops.convert_to_tensor(grad)], [v])
        assert ours.dynamic_scale == float(theirs.dynamic_scale)
        assert ours.step_counter == int(theirs.step_counter)
        assert ours.iterations == int(theirs.iterations)
        np.testing.assert_allclose(w.numpy(), as_floats(v), atol=1e-5)
    ours_config, theirs_config = ours.get_config(), theirs.get_config()
    assert {k: ours_config[k] for k in ("initial_scale", "dynamic_growth_steps")} == {
        k: theirs_config[k] for k in ("initial_scale", "dynamic_growth_steps")
    }


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_training_follows(policy):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((64, 6)).astype("float32")
    y = (x[:, :2].sum(1) > 0).astype("int64")
    built = []
    for library in (lm, keras):
        (lm.set_dtype_policy if library is lm else keras.config.set_dtype_policy)(policy)
        layers = library.layers
        model = library.Sequential(
            [library.Input((6,)), layers.Dense(8, "relu"), layers.Dense(2), layers.Softmax(dtype="float32")]
        )
        model.compile(library.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        built.append(model)
    ours, theirs = built
    assert type(ours.optimizer).__name__ == type(theirs.optimizer).__name__
    ours.set_weights([as_floats(w) for w in theirs.weights])
    first = ours.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history["loss"]
    second = theirs.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(first, second, rtol=2e-2)
    for a, b in zip(ours.get_weights(), theirs.weights, strict=True):
        np.testing.assert_allclose(a, as_floats(b), atol=2e-2)
