"""Initializers: fans, ranges, moments, seeds."""

import json
import math

import numpy as np
import pytest

import lamina as lm
from lamina import initializers as init

RANDOM = [
    init.RandomNormal, init.RandomUniform, init.TruncatedNormal, init.VarianceScaling, init.GlorotUniform,
    init.GlorotNormal, init.HeUniform, init.HeNormal, init.LecunUniform, init.LecunNormal, init.Orthogonal,
]  # fmt: skip


def test_constants():
    assert init.Zeros()((2, 3)).tolist() == [[0.0] * 3] * 2
    assert init.Ones()((2,), "float64").dtype == np.float64
    assert init.Constant(2.5)(3).tolist() == [2.5] * 3
    assert init.get(1.5)((1,)).tolist() == [1.5]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((5,), (5, 5)), ((3, 4), (3, 4)), ((3, 3, 8, 16), (72, 144)), ((2, 3, 4, 5, 6), (120, 144))],
)
def test_fans(shape, expected):
    assert init.fans(shape) == expected


@pytest.mark.parametrize("shape", [(300, 200), (3, 3, 40, 80)])
@pytest.mark.parametrize(
    ("cls", "scale", "mode"),
    [
        (init.GlorotUniform, 1, "avg"), (init.GlorotNormal, 1, "avg"), (init.HeUniform, 2, "in"),
        (init.HeNormal, 2, "in"), (init.LecunUniform, 1, "in"), (init.LecunNormal, 1, "in"),
    ],
)  # fmt: skip
def test_variance(cls, scale, mode, shape):
    fan_in, fan_out = init.fans(shape)
    variance = scale / (fan_in if mode == "in" else (fan_in + fan_out) / 2)
    values = cls(seed=1)(shape)
    assert abs(values.mean()) < 0.02 * math.sqrt(variance)
    assert abs(values.var() / variance - 1) < 0.02
    limit = math.sqrt(3 * variance) if "Uniform" in cls.__name__ else 2 * math.sqrt(variance) / 0.87962566
    assert 0.98 * limit < np.abs(values).max() <= limit * (1 + 1e-6)


def test_fan_out_and_untruncated():
    values = init.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=2)((50, 400))
    assert abs(values.var() * 400 / 3 - 1) < 0.03
    assert np.abs(values).max() > 3 * math.sqrt(3 / 400)


def test_normal_and_uniform():
    values = init.RandomNormal(1.0, 2.0, seed=0)((200, 200))
    assert abs(values.mean() - 1) < 0.05
    assert abs(values.std() - 2) < 0.05
    values = init.RandomUniform(-1, 3, seed=0)((200, 200))
    assert -1 <= values.min() < -0.99
    assert 2.99 < values.max() <= 3
    values = init.TruncatedNormal(1.0, 0.5, seed=0)((200, 200))
    assert np.abs(values - 1).max() <= 1.0 + 1e-6
    assert abs(values.std() - 0.5 * 0.8796) < 0.01


@pytest.mark.parametrize("shape", [(40, 40), (100, 70), (30, 90), (3, 3, 8, 20), (1, 5), (5, 1)])
def test_orthogonal(shape):
    matrix = init.Orthogonal(gain=2.0, seed=3)(shape, "float64").reshape(-1, shape[-1])
    smaller = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(smaller, 4 * np.eye(len(smaller)), atol=1e-12)


def test_orthogonal_has_the_same_bits_for_any_threads():
    results = []
    for threads in (1, 2):
        lm.set_num_threads(threads)
        results.append(init.Orthogonal(seed=3)((150, 100)))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("cls", RANDOM, ids=lambda c: c.__name__)
def test_seeds(cls):
    shape = (6, 7)
    np.testing.assert_array_equal(cls(seed=4)(shape), cls(seed=4)(shape))
    assert not np.array_equal(cls(seed=4)(shape), cls(seed=5)(shape))
    lm.set_seed(9)
    first, second = cls()(shape), cls()(shape)
    assert not np.array_equal(first, second)
    lm.set_seed(9)
    np.testing.assert_array_equal(cls()(shape), first)
    assert cls()(shape, "float64").dtype == np.float64


@pytest.mark.parametrize("cls", [init.Zeros, init.Ones, init.Constant, *RANDOM], ids=lambda c: c.__name__)
def test_configuration_round_trip(cls):
    config = init.serialize(cls())
    again = init.get(config)
    assert type(again) is cls
    assert init.serialize(again) == config
    assert type(init.get(cls.__name__)) is cls


def test_names():
    for name, cls in {"zeros": init.Zeros, "glorot_uniform": init.GlorotUniform, "he_normal": init.HeNormal}.items():
        assert type(init.get(name)) is cls
    function = lambda shape, dtype: np.full(shape, 3, dtype)  # noqa: E731
    assert init.get(function) is function
    assert lm.layers.Dense(1, kernel_initializer=function)(np.ones((1, 1))).item() == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: init.get("glorot"),
        lambda: init.get({"class_name": "os.system", "config": {}}),
        lambda: init.RandomNormal(stddev=-1),
        lambda: init.RandomUniform(2, 1),
        lambda: init.VarianceScaling(scale=0),
        lambda: init.VarianceScaling(mode="fan"),
        lambda: init.VarianceScaling(distribution="cauchy"),
        lambda: init.Orthogonal()((3,)),
        lambda: init.serialize(lambda shape, dtype: None),
    ],
)
def test_refused(make):
    with pytest.raises(ValueError):
        make()


def test_identity():
    assert init.Identity(2.0)((2, 3)).tolist() == [[2, 0, 0], [0, 2, 0]]
    assert init.get("identity")((2, 2), "float64").dtype == np.float64
    with pytest.raises(ValueError, match=r"Identity: expected a shape of two sizes, got \(2, 2, 2\)"):
        init.Identity()((2, 2, 2))


def test_arrays():
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(init.get(values)((2, 3)), values)
    with pytest.raises(ValueError, match=r"the array has shape \(2, 3\), the weight \(3, 2\)"):
        init.get(values)((3, 2))
    np.testing.assert_array_equal(init.Constant([1.0, 2.0])((3, 2)), [[1, 2]] * 3)
    assert init.get(init.serialize(init.Constant([1.0, 2.0])))((1, 2)).tolist() == [[1, 2]]


def test_axes():
    assert init.fans((4, 5, 6), [0], [1, 2]) == (4, 30)
    values = init.HeNormal(seed=1, input_axes=[1], output_axes=[0])((400, 50))
    assert abs(values.var() * 50 / 2 - 1) < 0.05
    again = init.get(init.serialize(init.HeNormal(1, [1], [0])))
    assert again.input_axes == [1]
    with pytest.raises(ValueError, match="both input_axes and output_axes"):
        init.VarianceScaling(input_axes=[0])


def test_small_letters_and_clones():
    assert init.glorot_uniform is init.GlorotUniform
    first = init.RandomNormal(1.0, 2.0, seed=5)
    np.testing.assert_array_equal(first.clone()((4, 4)), first((4, 4)))


@pytest.mark.parametrize("cls", RANDOM, ids=lambda c: c.__name__)
def test_seeds_of_any_kind(cls):
    shape = (4, 5)
    np.testing.assert_array_equal(cls(seed=-1)(shape), cls(seed=2**64 - 1)(shape))
    np.testing.assert_array_equal(cls(seed=np.int64(3))(shape), cls(seed=3)(shape))
    going_on = cls(seed=lm.random.SeedGenerator(3))
    first, second = going_on(shape), going_on(shape)
    np.testing.assert_array_equal(first, cls(seed=3)(shape))
    assert not np.array_equal(first, second)
    assert json.loads(json.dumps(init.serialize(going_on))) == init.serialize(cls(seed=3))
    for wrong in (1.5, "7", True):
        with pytest.raises(TypeError, match="initializers: seed must be an integer, got"):
            cls(seed=wrong)


@pytest.mark.parametrize("cls", [init.Zeros, init.Ones, *RANDOM], ids=lambda c: c.__name__)
def test_shapes_refused(cls):
    with pytest.raises(TypeError, match=r"initializers: shape must be integers, got \(2\.5, 3\)"):
        cls()((2.5, 3))
    with pytest.raises(ValueError, match=r"initializers: sizes must be at least 0, got \(-2, 3\)"):
        cls()((-2, 3))
