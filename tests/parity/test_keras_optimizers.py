"""Optimizers and learning rate schedules against Keras: weights after several steps, in both dtypes."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import lamina as lm  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own use of NumPy

SHAPES = [(7, 5), (5,), (3, 3, 4, 6), ()]
OWN = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{}, {"rho": 0.5, "momentum": 0.9}, {"centered": True, "epsilon": 1e-3}],
    "Adam": [{}, {"amsgrad": True, "beta_2": 0.9}, {"epsilon": 1e-2, "beta_1": 0.5}],
    "AdamW": [{}, {"weight_decay": 0.1, "amsgrad": True}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.0, "epsilon": 1e-3}],
    "Adadelta": [{}, {"rho": 0.5, "epsilon": 1e-3}],
    "Adamax": [{}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}],
    "Nadam": [{}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}],
    "Ftrl": [
        {},
        {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.1},
        {"learning_rate_power": -0.7, "l2_shrinkage_regularization_strength": 0.1},
    ],
    "Lion": [{}, {"beta_1": 0.5, "beta_2": 0.8}],
    "Lamb": [{}, {"beta_1": 0.5, "epsilon": 1e-3}],
    "Adafactor": [{}, {"beta_2_decay": -0.5, "clip_threshold": 0.5, "epsilon_2": 0.1}],
}
COMMON = [
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7, "weight_decay": 0.01},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 3, "clipnorm": 0.5},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 2},
    {"loss_scale_factor": 16.0},
]
CASES = [(name, own) for name, several in OWN.items() for own in several] + [
    (name, common) for name in ("SGD", "Adam", "RMSprop", "Lion") for common in COMMON
]


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Keras keeps the learning rate in its own default dtype, whatever the weights have."""
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(before)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_steps(name, arguments, dtype):
    random = np.random.default_rng(0)
    starts = [random.normal(size=shape).astype(dtype) for shape in SHAPES]
    theirs = [keras.Variable(w, dtype=dtype) for w in starts]
    ours = [lm.Variable(np.array(w)) for w in starts]
    peer = getattr(keras.optimizers, name)(0.01, **arguments)
    optimizer = getattr(lm.optimizers, name)(0.01, **arguments)
    for _ in range(7):
        grads = [random.normal(size=shape).astype(dtype) for shape in SHAPES]
        peer.apply([keras.ops.convert_to_tensor(g) for g in grads], theirs)
        optimizer.apply(grads, ours)
    if arguments.get("use_ema"):
        peer.finalize_variable_values(theirs)
        optimizer.finalize_variable_values(ours)
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    if dtype == "float64" and (name == "Adafactor" or "global_clipnorm" in arguments):
        tolerance = 1e-7  # minimum and maximum of numbers are float32 in Keras on PyTorch
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


SCHEDULES = [
    ("ExponentialDecay", (0.3, 10, 0.9)),
    ("ExponentialDecay", (0.3, 10, 0.9, True)),
    ("PiecewiseConstantDecay", ([10, 20], [0.3, 0.2, 0.1])),
    ("PolynomialDecay", (0.3, 20, 0.1, 0.7)),
    ("PolynomialDecay", (0.3, 20, 0.1, 2.0, True)),
    ("InverseTimeDecay", (0.3, 10, 0.9)),
    ("InverseTimeDecay", (0.3, 10, 0.9, True)),
    ("CosineDecay", (0.3, 70, 0.1)),
    ("CosineDecay", (0.1, 60, 0.0, "name", 0.3, 10)),
    ("CosineDecayRestarts", (0.3, 10)),
    ("CosineDecayRestarts", (0.3, 10, 1.0, 0.5, 0.1)),
    ("CosineDecayRestarts", (0.3, 10, 1.5, 0.5, 0.1)),
]


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_schedules(name, arguments, dtype):
    """Ours are float64; Keras computes them in its default dtype."""
    tolerance = {"rel": 2e-5, "abs": 1e-6} if dtype == "float32" else {"rel": 1e-9, "abs": 1e-12}
    peer = getattr(keras.optimizers.schedules, name)(*arguments)
    ours = getattr(lm.optimizers.schedules, name)(*arguments)
    for step in (0, 1, 7, 9, 11, 19, 21, 31, 65, 71, 99, 1000):
        assert ours(step) == pytest.approx(float(peer(step)), **tolerance)


def test_a_schedule_inside():
    arguments = (0.1, 2, 0.5)
    peer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(*arguments))
    ours = lm.optimizers.Adam(lm.optimizers.schedules.ExponentialDecay(*arguments))
    a, b = lm.Variable(np.ones(3, "float32")), keras.Variable(np.ones(3, "float32"))
    for _ in range(6):
        ours.apply([np.ones(3, "float32")], [a])
        peer.apply([keras.ops.ones(3)], [b])
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)
    assert ours.learning_rate == pytest.approx(float(peer.learning_rate), rel=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_defaults(name):
    """Every argument that both have has the same default."""
    theirs, ours = getattr(keras.optimizers, name)().get_config(), getattr(lm.optimizers, name)().get_config()
    assert set(ours) >= set(theirs) - {"loss_scale_factor", "gradient_accumulation_steps"}
    for key in set(ours) & set(theirs) - {"name"}:
        if isinstance(ours[key], float):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-6), key
        else:
            assert ours[key] == theirs[key], key
