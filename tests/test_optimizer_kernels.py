"""_cpu.sgd_step and _cpu.adam_step: Keras's rules, all parameters in one call, the same bits everywhere."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu

SHAPES = [(3,), (64, 100), (), (5, 1), (9, 4097), (0,)]
DTYPES = [np.float32, np.float64]


def arrays(dtype, seed, positive=False):
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    return [np.asarray(abs(a) if positive else a, dtype) for a in made]


def adam(w, g, m, v, rate, beta_1, beta_2, epsilon, step):
    alpha = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    return w - alpha * m / (np.sqrt(v) + epsilon), m, v


def sgd(w, g, velocity, rate, momentum, nesterov):
    velocity = momentum * velocity - rate * g
    return w + (momentum * velocity - rate * g if nesterov else velocity), velocity


def run_on_all(step):
    """What step() returns, for every ISA and number of threads: once, after all were compared."""
    results = []
    for isa in _cpu.isas():
        for threads in (1, 2, 4):
            lm.set_isa(isa)
            lm.set_num_threads(threads)
            last = step()
            results.append([a.tobytes() for a in last])
    assert all(r == results[0] for r in results)
    return last


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step_number", [1, 2, 1000])
def test_adam(dtype, step_number):
    settings = (1e-2, 0.9, 0.999, 1e-7, step_number)

    def step():
        w, g, m, v = arrays(dtype, 0), arrays(dtype, 1), arrays(dtype, 2), arrays(dtype, 3, positive=True)
        _cpu.adam_step(w, g, m, v, *settings)
        return [*w, *m, *v]

    got = run_on_all(step)
    inputs = zip(arrays(dtype, 0), arrays(dtype, 1), arrays(dtype, 2), arrays(dtype, 3, positive=True), strict=True)
    rows = [adam(*(a.astype(np.float64) for a in row), *settings) for row in inputs]
    for y, expected in zip(got, [a for column in zip(*rows, strict=True) for a in column], strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(dtype, nesterov):
    def step():
        w, g, velocity = arrays(dtype, 0), arrays(dtype, 1), arrays(dtype, 2)
        _cpu.sgd_step(w, g, velocity, 0.1, 0.9, nesterov)
        return [*w, *velocity]

    got = run_on_all(step)
    rows = [
        sgd(*(a.astype(np.float64) for a in row), 0.1, 0.9, nesterov)
        for row in zip(arrays(dtype, 0), arrays(dtype, 1), arrays(dtype, 2), strict=True)
    ]
    for y, expected in zip(got, [a for column in zip(*rows, strict=True) for a in column], strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_sgd(dtype):
    def step():
        w = arrays(dtype, 0)
        _cpu.sgd_step(w, arrays(dtype, 1), None, 0.1, 0.0, False)
        return w

    for y, w, g in zip(run_on_all(step), arrays(dtype, 0), arrays(dtype, 1), strict=True):
        np.testing.assert_allclose(y, w - 0.1 * g, rtol=1e-5, atol=1e-6)


def test_parameters_without_a_gradient_are_left_alone():
    w, g = arrays(np.float32, 0), arrays(np.float32, 1)
    g[1] = None
    before = [a.copy() for a in w]
    _cpu.sgd_step(w, g, None, 0.1, 0.0, False)
    np.testing.assert_array_equal(w[1], before[1])
    assert (w[0] != before[0]).all()
    _cpu.sgd_step([], [], None, 0.1, 0.0, False)
    _cpu.sgd_step(w, [None] * len(w), None, 0.1, 0.0, False)


def test_memory_is_guarded():
    w, g = [np.zeros((4, 4), np.float32)], [np.zeros((4, 4), np.float32)]
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.sgd_step(w, [], None, 0.1, 0.0, False)
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.sgd_step(w, g, [], 0.1, 0.9, False)
    with pytest.raises(ValueError, match="array has 3 elements, expected 16"):
        _cpu.sgd_step(w, [np.zeros(3, np.float32)], None, 0.1, 0.0, False)
    with pytest.raises(ValueError, match="C-contiguous"):
        _cpu.sgd_step(w, [np.zeros((4, 4), np.float32).T[::-1]], None, 0.1, 0.0, False)
    with pytest.raises(TypeError, match="wrong dtype"):
        _cpu.sgd_step(w, [np.zeros((4, 4))], None, 0.1, 0.0, False)
    with pytest.raises(TypeError, match="expected an array or None"):
        _cpu.sgd_step(w, ["no array"], None, 0.1, 0.0, False)
    with pytest.raises(TypeError, match="expected lists"):
        _cpu.sgd_step(w, g, 3, 0.1, 0.9, False)
    with pytest.raises(ValueError, match="step counts from 1"):
        _cpu.adam_step(w, g, [np.zeros((4, 4), np.float32)], [np.zeros((4, 4), np.float32)], 0.1, 0.9, 0.99, 1e-7, 0)
