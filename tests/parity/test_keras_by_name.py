"""What users stumble over when they change libraries, by name: defaults, "same" under stride, edges of averages,
float64."""

import inspect

import numpy as np
import pytest

import lamina as lm

pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

MODULES = {
    "layers": (lm.layers, keras.layers),
    "losses": (lm.losses, keras.losses),
    "metrics": (lm.metrics, keras.metrics),
    "optimizers": (lm.optimizers, keras.optimizers),
    "schedules": (lm.optimizers.schedules, keras.optimizers.schedules),
    "initializers": (lm.initializers, keras.initializers),
    "regularizers": (lm.regularizers, keras.regularizers),
    "constraints": (lm.constraints, keras.constraints),
    "callbacks": (lm.callbacks, keras.callbacks),
}
# Names that depend on the class, layouts that only we refuse, and what Keras spells in other ways but means the same.
NEVER_COMPARED = {"self", "name", "data_format"}
REQUIRED = inspect.Parameter.empty


def defaults(cls):
    return {p.name: p.default for p in inspect.signature(cls.__init__).parameters.values()}


def plain(value):
    """One form for what means the same: (2, 2) and 2, "Zeros" and "zeros"."""
    if isinstance(value, tuple | list) and len(set(value)) == 1:
        value = value[0]
    return value.lower() if isinstance(value, str) else value


@pytest.mark.parametrize("module", MODULES)
def test_defaults_are_those_of_keras(module):
    ours, theirs = MODULES[module]
    different, compared = [], 0
    for name, cls in vars(ours).items():
        peer = getattr(theirs, name, None)
        if not (inspect.isclass(cls) and inspect.isclass(peer)) or name == "CallbackList":
            continue
        mine = defaults(cls)
        for argument, value in defaults(peer).items():
            if argument in NEVER_COMPARED or argument not in mine or value is REQUIRED:
                continue
            compared += 1
            if plain(mine[argument]) != plain(value):
                different.append(f"{name}({argument}={mine[argument]!r}), Keras has {value!r}")
    assert not different
    assert compared > 5


@pytest.mark.parametrize("module", MODULES)
def test_arguments_come_in_the_order_of_keras(module):
    """What is passed by place means the same: shared arguments stand in one order, and none of ours between them."""
    ours, theirs = MODULES[module]
    different, compared = [], 0
    for name, cls in vars(ours).items():
        peer = getattr(theirs, name, None)
        if not (inspect.isclass(cls) and inspect.isclass(peer)) or name in ("CallbackList", "Metric", "Optimizer"):
            continue
        mine, others = list(inspect.signature(cls).parameters), list(inspect.signature(peer).parameters)
        if "args" in mine:  # handed on
            continue
        shared = [argument for argument in mine if argument in others and argument not in ("name", "dtype", "kwargs")]
        compared += len(shared)
        if shared != [argument for argument in others if argument in shared]:
            different.append(f"{name}({', '.join(shared)}), Keras has {others}")
        own = [argument for argument in mine[: mine.index(shared[-1])] if argument not in others] if shared else []
        if own:
            different.append(f"{name} has {own} among the arguments of Keras, {others}")
    assert not different
    assert compared > 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BatchNormalization", {"momentum": 0.99, "epsilon": 1e-3}),
        ("LayerNormalization", {"epsilon": 1e-3}),
        ("GroupNormalization", {"epsilon": 1e-3}),
        ("RMSNormalization", {"epsilon": 1e-6}),
    ],
)
def test_epsilon_and_momentum(name, expected):
    assert {k: defaults(getattr(lm.layers, name))[k] for k in expected} == expected
    assert {k: defaults(getattr(keras.layers, name))[k] for k in expected} == expected


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_under_stride(size, kernel, stride):
    """The odd pixel of padding comes after, and the output has ceil(size / stride) pixels."""
    x = np.random.default_rng(0).normal(size=(2, size, size + 1, 3)).astype("float32")
    ours = lm.layers.Conv2D(4, kernel, stride, padding="same")
    theirs = keras.layers.Conv2D(4, kernel, stride, padding="same")
    y = ours(x).numpy()
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    assert y.shape[1:3] == (-(-size // stride), -(-(size + 1) // stride))
    np.testing.assert_allclose(y, theirs(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "window", "stride"), [(6, 2, 2), (7, 3, 1), (8, 5, 1), (9, 3, 3), (5, 3, 1)])
def test_average_pooling_at_edges(size, window, stride, padding):
    """What lies outside the image does not count: a window at the edge is divided by the pixels that it has."""
    x = np.random.default_rng(1).normal(size=(2, size, size, 3)).astype("float32")
    y = lm.layers.AveragePooling2D(window, stride, padding)(x).numpy()
    theirs = keras.layers.AveragePooling2D(window, stride, padding)(x)
    np.testing.assert_allclose(y, theirs.detach().numpy(), atol=1e-6)


FLOAT64 = [
    (lm.layers.Dense(3, activation="gelu", dtype="float64"), (2, 5)),
    (lm.layers.Conv1D(3, 2, dtype="float64"), (2, 5, 4)),
    (lm.layers.Conv2D(3, 2, activation="relu", dtype="float64"), (2, 5, 5, 4)),
    (lm.layers.Conv3D(3, 2, dtype="float64"), (2, 4, 4, 4, 3)),
    (lm.layers.Conv2DTranspose(3, 2, 2, dtype="float64"), (2, 5, 5, 4)),
    (lm.layers.DepthwiseConv2D(3, dtype="float64"), (2, 5, 5, 4)),
    (lm.layers.SeparableConv2D(3, 2, dtype="float64"), (2, 5, 5, 4)),
    (lm.layers.MaxPooling2D(2, dtype="float64"), (2, 5, 5, 4)),
    (lm.layers.GlobalAveragePooling2D(dtype="float64"), (2, 5, 5, 4)),
    (lm.layers.BatchNormalization(dtype="float64"), (2, 5)),
    (lm.layers.LayerNormalization(dtype="float64"), (2, 5)),
    (lm.layers.GroupNormalization(2, dtype="float64"), (2, 5, 4)),
    (lm.layers.PReLU(dtype="float64"), (2, 5)),
    (lm.layers.Dropout(0.5, dtype="float64"), (2, 5)),
    (lm.layers.GaussianNoise(0.5, dtype="float64"), (2, 5)),
    (lm.layers.UpSampling2D(2, interpolation="bilinear", dtype="float64"), (2, 3, 3, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), FLOAT64, ids=lambda v: getattr(v, "name", None))
def test_float64_stays_float64(layer, shape):
    x = lm.tensor(np.random.default_rng(2).normal(size=shape), requires_grad=True)
    y = layer(x, training=True)
    assert y.dtype == np.float64
    (y * y).sum().backward()
    assert x.grad.dtype == np.float64
    for weight in layer.trainable_weights:
        assert weight.dtype == weight.grad.dtype == np.float64
    fine = 1 + 2.0**-40  # lost in float32
    same = lm.layers.Activation("linear", dtype="float64")(np.array([[fine]])).item()
    assert same == fine
