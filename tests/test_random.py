from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu

DTYPES = [np.float32, np.float64]


def uniform(count, low=0.0, high=1.0, dtype=np.float32, seed=1):
    y = np.empty(count, dtype)
    _cpu.random_uniform(y, seed, 0, low, high)
    return y


def normal(count, mean=0.0, stddev=1.0, dtype=np.float32, seed=1):
    y = np.empty(count, dtype)
    _cpu.random_normal(y, seed, 0, mean, stddev)
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("draw", [uniform, normal])
def test_same_bits_for_threads_and_isas(draw, dtype):
    unsigned = np.uint32 if dtype == np.float32 else np.uint64
    expected = draw(100_003, dtype=dtype, seed=3)
    assert expected.dtype == dtype
    for isa in _cpu.isas():
        for threads in (1, 2, 4):
            lm.set_isa(isa)
            lm.set_num_threads(threads)
            y = draw(100_003, dtype=dtype, seed=3)
            np.testing.assert_array_equal(y.view(unsigned), expected.view(unsigned))
    np.testing.assert_array_equal(draw(77, dtype=dtype, seed=3), expected[:77])


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_moments(dtype):
    y = uniform(10**6, -2, 3, dtype, seed=1)
    assert -2 <= y.min() < -1.99999 + 1e-3
    assert 3 - 1e-3 < y.max() <= 3
    assert abs(y.mean() - 0.5) < 0.01
    assert abs(y.std() - 5 / np.sqrt(12)) < 0.01
    assert np.histogram(y, 10, (-2, 3))[0].max() < 102_000


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_moments(dtype):
    y = normal(10**6, 5, 2, dtype, seed=1).astype(np.float64)
    z = (y - 5) / 2
    assert abs(z.mean()) < 0.005
    assert abs(z.std() - 1) < 0.005
    assert abs((z**3).mean()) < 0.02
    assert abs((z**4).mean() - 3) < 0.05
    assert 4.2 < abs(z).max() < 7
    for lag in (1, 16, 32):  # neighbours share radii and angles, and must not correlate
        assert abs((z[lag:] * z[:-lag]).mean()) < 0.005
    for limit, inside in ((0.6744897501960817, 0.5), (1, 0.6826894921370859), (2, 0.9544997361036416)):
        assert abs((abs(z) < limit).mean() - inside) < 0.002


def test_double_precision_normals_come_from_the_formula():
    y = normal(64, dtype=np.float64, seed=9)
    u = uniform(64, dtype=np.float64, seed=9)
    for tile in (0, 32):
        radius = np.sqrt(-2 * np.log(u[tile : tile + 16] + 2.0**-53))
        angle = 2 * np.pi * u[tile + 16 : tile + 32]
        np.testing.assert_allclose(y[tile : tile + 16], radius * np.cos(angle), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(y[tile + 16 : tile + 32], radius * np.sin(angle), rtol=1e-12, atol=1e-14)


def test_the_global_seed_counts_streams():
    lm.set_seed(-1)
    assert lm.random.get_seed() == 2**64 - 1
    assert [lm.random.next_stream() for _ in range(3)] == [1, 2, 3]
    lm.set_seed(np.int32(7))
    assert (lm.random.get_seed(), lm.random.next_stream()) == (7, 1)
    for wrong in (1.5, "7", None, True):
        with pytest.raises(TypeError, match="set_seed: expected an integer, got"):
            lm.set_seed(wrong)


def test_streams_taken_by_threads_are_all_different():
    lm.set_seed(7)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: lm.random.next_stream(), range(2000)))
    assert sorted(taken) == list(range(1, 2001))


DRAWS = {
    "normal": lambda seed: lm.random.normal((40, 50), seed=seed),
    "uniform": lambda seed: lm.random.uniform((40, 50), -1, 3, seed=seed),
    "truncated_normal": lambda seed: lm.random.truncated_normal((40, 50), 1, 2, seed=seed),
    "randint": lambda seed: lm.random.randint((40, 50), -3, 4, seed=seed),
    "bernoulli": lambda seed: lm.random.bernoulli((40, 50), 0.3, seed=seed),
    "permutation": lambda seed: lm.random.permutation(2000, seed),
    "shuffle": lambda seed: lm.random.shuffle(np.arange(2000), seed=seed),
    "categorical": lambda seed: lm.random.categorical(np.log([[0.2, 0.3, 0.5]]), 2000, seed=seed),
}


@pytest.mark.parametrize("name", DRAWS)
def test_tensors_follow_the_seed(name):
    draw = DRAWS[name]
    np.testing.assert_array_equal(draw(5).numpy(), draw(5).numpy())
    assert (draw(5).numpy() != draw(6).numpy()).any()
    lm.set_seed(3)
    first, second = draw(None).numpy(), draw(None).numpy()
    assert (first != second).any()
    lm.set_seed(3)
    np.testing.assert_array_equal(draw(None).numpy(), first)
    with pytest.raises(TypeError, match=rf"{name}: seed must be None or an integer, got 0\.5|permutation: seed"):
        draw(0.5)


def test_tensors_have_their_distributions():
    assert abs(DRAWS["normal"](1).numpy().mean()) < 0.1
    x = DRAWS["uniform"](1).numpy()
    assert x.min() >= -1
    assert x.max() <= 3
    assert abs(x.mean() - 1) < 0.1
    x = DRAWS["truncated_normal"](1).numpy()
    assert x.min() >= -3
    assert x.max() <= 5
    assert abs(x.std() - 2 * 0.87962566) < 0.1
    x = DRAWS["randint"](1).numpy()
    assert x.dtype == np.int32
    assert (np.bincount(x.ravel() + 3) > 200).all()
    assert abs(DRAWS["bernoulli"](1).numpy().mean() - 0.3) < 0.05
    assert sorted(DRAWS["permutation"](1).numpy().tolist()) == list(range(2000))
    assert sorted(DRAWS["shuffle"](1).numpy().tolist()) == list(range(2000))
    shares = np.bincount(DRAWS["categorical"](1).numpy()[0]) / 2000
    np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=0.05)
    rows = lm.random.shuffle(np.arange(12).reshape(3, 4), axis=1, seed=2).numpy()
    assert (rows - rows[0] == np.array([[0], [4], [8]])).all()
    assert lm.random.bernoulli((2, 3), np.array([0.0, 1.0, 0.0]), seed=1).numpy().tolist() == [[0, 1, 0]] * 2


def test_errors_of_tensors():
    with pytest.raises(ValueError, match="normal: stddev must be at least 0, got -1"):
        lm.random.normal(3, stddev=-1)
    with pytest.raises(ValueError, match="uniform: minval must be at most maxval, got 2 and 1"):
        lm.random.uniform(3, 2, 1)
    with pytest.raises(ValueError, match=r"normal: sizes must be at least 0, got \(2, -1\)"):
        lm.random.normal((2, -1))
    with pytest.raises(TypeError, match="normal: dtype must be float32 or float64, got int32"):
        lm.random.normal(3, dtype="int32")
    with pytest.raises(TypeError, match="uniform: shape must be integers"):
        lm.random.uniform(1.5)
    with pytest.raises(ValueError, match=r"randint: maxval must be 1 to 2\^52 more than minval, got 3 and 3"):
        lm.random.randint(3, 3, 3)
    with pytest.raises(ValueError, match="randint: 0 to 255 do not fit int8"):
        lm.random.randint(3, 0, 256, "int8")
    with pytest.raises(TypeError, match=r"randint: minval must be an integer, got 0\.5"):
        lm.random.randint(3, 0.5, 3)
    with pytest.raises(TypeError, match="randint: dtype must be one of integers, got float32"):
        lm.random.randint(3, 0, 3, "float32")
    with pytest.raises(ValueError, match=r"bernoulli: p must be in \[0, 1\], got 1\.5"):
        lm.random.bernoulli(3, 1.5)
    with pytest.raises(ValueError, match="permutation: n must be at least 0, got -1"):
        lm.random.permutation(-1)
    with pytest.raises(ValueError, match="shuffle: axis 1 is out of range for 1 dimensions"):
        lm.random.shuffle([1, 2], axis=1)
    with pytest.raises(ValueError, match=r"categorical: logits must have shape \(N, classes\), got \(3,\)"):
        lm.random.categorical([0.0, 1.0, 2.0], 1)


def test_seed_generator_goes_on():
    def draws(seed):
        return [lm.random.uniform((3,), seed=seed).numpy().tolist() for _ in range(3)]

    first = draws(lm.random.SeedGenerator(5))
    assert len({tuple(values) for values in first}) == 3
    assert draws(lm.random.SeedGenerator(5)) == first
    assert draws(5)[0] == first[0]
    lm.set_seed(1)
    own = draws(lm.random.SeedGenerator())
    lm.set_seed(1)
    assert draws(None) == own
    with pytest.raises(TypeError, match="SeedGenerator: seed must be None or an integer"):
        lm.random.SeedGenerator("a")


def test_probabilities_must_fit_the_shape():
    with pytest.raises(ValueError, match=r"bernoulli: p of shape \(2, 3\) does not broadcast to \(3,\)"):
        lm.random.bernoulli((3,), np.full((2, 3), 0.5))
    with pytest.raises(ValueError, match=r"bernoulli: shapes \(2,\) and \(3,\) do not broadcast"):
        lm.random.bernoulli((3,), np.full(2, 0.5))
    with pytest.raises(TypeError, match="categorical: dtype must be one of integers, got float32"):
        lm.random.categorical([[0.0, 1.0]], 2, "float32")
