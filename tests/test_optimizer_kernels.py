"""The optimizers' kernels: every rule against its formula in float64, all parameters in one call, the same bits."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu

SHAPES = [(3,), (64, 100), (), (5, 1), (9, 4097), (0,)]
DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: {"rtol": 2e-5, "atol": 2e-6}, np.float64: {"rtol": 1e-12, "atol": 1e-12}}
STEP = 3


def arrays(dtype, seed, positive=False):
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    return [np.asarray(abs(a) if positive else a, dtype) for a in made]


# Each formula: weight, gradient, slots, settings -> weight, slots


def sgd(w, g, slots, s):
    rate, momentum, nesterov = s
    if not slots:
        return w - rate * g, []
    velocity = momentum * slots[0] - rate * g
    return w + (momentum * velocity - rate * g if nesterov else velocity), [velocity]


def rmsprop(w, g, slots, s):
    rate, rho, momentum, epsilon = s
    v, m, a = slots
    v = rho * v + (1 - rho) * g * g
    a = None if a is None else rho * a + (1 - rho) * g
    change = rate * g / np.sqrt(v - (0 if a is None else a * a) + epsilon)
    if m is None:
        return w - change, [v, m, a]
    m = momentum * m + change
    return w - m, [v, m, a]


def moments(g, slots, s):
    m, v = slots[:2]
    return m + (g - m) * (1 - s[1]), v + (g * g - v) * (1 - s[2])


def adam(w, g, slots, s):
    m, v = moments(g, slots, s)
    alpha = s[0] * np.sqrt(1 - s[2] ** STEP) / (1 - s[1] ** STEP)
    if len(slots) == 2:
        return w - alpha * m / (np.sqrt(v) + s[3]), [m, v]
    most = np.maximum(slots[2], v)
    return w - alpha * m / (np.sqrt(most) + s[3]), [m, v, most]


def adagrad(w, g, slots, s):
    a = slots[0] + g * g
    return w - s[0] * g / np.sqrt(a + s[1]), [a]


def adadelta(w, g, slots, s):
    rate, rho, epsilon = s
    a, d = slots
    a = rho * a + (1 - rho) * g * g
    u = g * np.sqrt(d + epsilon) / np.sqrt(a + epsilon)
    return w - rate * u, [a, rho * d + (1 - rho) * u * u]


def adamax(w, g, slots, s):
    m = slots[0] + (g - slots[0]) * (1 - s[1])
    u = np.maximum(s[2] * slots[1], abs(g))
    return w - s[0] / (1 - s[1] ** STEP) * m / (u + s[3]), [m, u]


def nadam(w, g, slots, s):
    m, v = moments(g, slots, s)
    return w - s[0] * (s[4] * m + s[5] * g) / (np.sqrt(v / (1 - s[2] ** STEP)) + s[3]), [m, v]


def ftrl(w, g, slots, s):
    rate, p, l1, l2, shrinkage = s
    a, z = slots
    b = a + g * g
    z = z + g + 2 * shrinkage * w - (b**p - a**p) / rate * w
    return (np.clip(z, -l1, l1) - z) / (b**p / rate + 2 * l2), [b, z]


def lion(w, g, slots, s):
    rate, beta_1, beta_2 = s
    m = slots[0]
    return w - rate * np.sign(beta_1 * m + (1 - beta_1) * g), [beta_2 * m + (1 - beta_2) * g]


def lamb(w, g, slots, s):
    m, v = moments(g, slots, s)
    u = m / (1 - s[1] ** STEP) / (np.sqrt(v / (1 - s[2] ** STEP)) + s[3])
    sizes = np.sqrt((w * w).sum()), np.sqrt((u * u).sum())
    return w - s[0] * (sizes[0] / sizes[1] if min(sizes) > 0 else 1) * u, [m, v]


BETAS = (1e-2, 0.9, 0.99, 1e-3)
# the rule, which slots there are (None: not kept; +: no value below 0), settings
CASES = {
    "sgd": (sgd, "", (0.1, 0.0, 0.0)),
    "sgd-momentum": (sgd, "m", (0.1, 0.9, 0.0)),
    "sgd-nesterov": (sgd, "m", (0.1, 0.9, 1.0)),
    "rmsprop": (rmsprop, "+..", (1e-2, 0.9, 0.0, 1e-3)),
    "rmsprop-momentum": (rmsprop, "+m.", (1e-2, 0.9, 0.5, 1e-3)),
    "rmsprop-centred": (rmsprop, "v.c", (1e-2, 0.9, 0.5, 1e-3)),
    "adam": (adam, "m+", BETAS),
    "adam-amsgrad": (adam, "m++", BETAS),
    "adagrad": (adagrad, "+", (1e-2, 1e-3)),
    "adadelta": (adadelta, "++", (0.5, 0.9, 1e-3)),
    "adamax": (adamax, "m+", BETAS),
    "nadam": (nadam, "m+", (*BETAS, 0.7, 0.3)),
    "ftrl": (ftrl, "+m", (0.1, 0.5, 0.3, 0.1, 0.01)),
    "ftrl-power": (ftrl, "+m", (0.1, 0.8, 0.3, 0.1, 0.0)),
    "ftrl-fixed": (ftrl, "+m", (0.1, 0.0, 0.3, 0.1, 0.0)),
    "lion": (lion, "m", (1e-2, 0.9, 0.99)),
    "lamb": (lamb, "m+", BETAS),
}


def slots_of(kinds, dtype):
    made = []
    for k, kind in enumerate(kinds):
        if kind == ".":
            made.append(None)
        elif kind == "v":  # larger than the square of c
            made.append([np.asarray(a * a + 0.5, dtype) for a in arrays(dtype, 4)])
        elif kind == "c":
            made.append(arrays(dtype, 4))
        else:
            made.append(arrays(dtype, 2 + k, kind == "+"))
    return tuple(made)


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
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_rules(name, prepared, dtype):
    formula, kinds, settings = CASES[name]
    scales, decays, clip = ([0.5, 2.0, 1.0, 1.0, 0.25, 1.0], [0.1, 0.0, 0.2, 0.0, 0.01, 0.5], 0.7)
    extra = (scales, decays, clip) if prepared else ()

    def step():
        w, slots = arrays(dtype, 0), slots_of(kinds, dtype)
        getattr(_cpu, name.split("-")[0] + "_step")(w, arrays(dtype, 1), slots, settings, STEP, *extra)
        return [*w, *[a for slot in slots if slot is not None for a in slot]]

    got = run_on_all(step)
    before = slots_of(kinds, dtype)
    columns = []
    for i, (w, g) in enumerate(zip(arrays(np.float64, 0), arrays(np.float64, 1), strict=True)):
        w, g = w.astype(dtype).astype(float), g.astype(dtype).astype(float)
        if prepared:
            w, g = w * (1 - decays[i]), np.clip(g * scales[i], -clip, clip)
        kept = [None if slot is None else slot[i].astype(float) for slot in before]
        with np.errstate(all="ignore"):
            new, kept = formula(w, g, kept, settings)
        columns.append([new, *[k for k in kept if k is not None]])
    for y, expected in zip(got, [a for row in zip(*columns, strict=True) for a in row], strict=True):
        tolerance = TOLERANCE[dtype]
        if formula is ftrl and dtype == np.float32:  # z is a difference, and so is the weight
            tolerance = {"rtol": 2e-5, "atol": 2e-5}
        np.testing.assert_allclose(y, expected, **tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_squares(dtype):
    def squares():
        sums = np.empty(len(SHAPES))
        _cpu.gradient_squares(arrays(dtype, 1), sums)
        return [sums]

    expected = [(a.astype(float) ** 2).sum() for a in arrays(dtype, 1)]
    np.testing.assert_allclose(run_on_all(squares)[0], expected, rtol=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 5), (700, 33), (3, 3, 19, 40), (2, 1, 1), (1300, 1), (50,), (), (0, 4), (0,)])
def test_adafactor(shape, dtype):
    def start():
        rng = np.random.default_rng(3)
        w, g = rng.normal(size=shape), rng.normal(size=shape)
        row, column = (shape, (0,)) if len(shape) < 2 else (shape[:-1], (*shape[:-2], shape[-1]))
        made = w, g, abs(rng.normal(size=row)), abs(rng.normal(size=column))
        return [np.asarray(a, dtype) for a in made]

    rate, beta, epsilon_1, epsilon_2, threshold = settings = 0.1, 0.3, 1e-30, 1e-3, 0.8

    def step():
        w, g, row, column = start()
        _cpu.adafactor_step([w], [g], [row], [column], *settings)
        return [w, row, column]

    got = run_on_all(step)
    w, g, row, column = [a.astype(float) for a in start()]
    if w.size:
        h = g * g + epsilon_1
        if len(shape) < 2:
            row = beta * row + (1 - beta) * h
            u = g / np.sqrt(row)
        else:
            row, column = beta * row + (1 - beta) * h.mean(-1), beta * column + (1 - beta) * h.mean(-2)
            u = g / np.sqrt((row / row.mean(-1, keepdims=True))[..., None] * column[..., None, :])
        sizes = np.sqrt((w * w).mean()), np.sqrt((u * u).mean())
        w = w - rate * max(epsilon_2, sizes[0]) * u / max(1, sizes[1] / threshold)
    for y, expected in zip(got, [w, row, column], strict=True):
        np.testing.assert_allclose(y, expected, **TOLERANCE[dtype])


def test_nan_is_not_clipped_away():
    w, g = [np.zeros(3, np.float32)], [np.array([np.nan, np.inf, -np.inf], np.float32)]
    _cpu.sgd_step(w, g, (), (1.0, 0.0, 0.0), 1, None, None, 2.0)
    np.testing.assert_array_equal(w[0], [np.nan, -2, 2])


def test_parameters_without_a_gradient_are_left_alone():
    w, g = arrays(np.float32, 0), arrays(np.float32, 1)
    g[1] = None
    before = [a.copy() for a in w]
    _cpu.sgd_step(w, g, (), (0.1, 0.0, 0.0))
    np.testing.assert_array_equal(w[1], before[1])
    assert (w[0] != before[0]).all()
    _cpu.sgd_step([], [], (), (0.1, 0.0, 0.0))
    for rule in ("sgd", "lamb"):
        slots = (arrays(np.float32, 2), arrays(np.float32, 3, positive=True))
        getattr(_cpu, f"{rule}_step")(w, [None] * len(w), slots, (0.1, 0.0, 0.0))


def test_memory_is_guarded():
    w, g, rate = [np.zeros((4, 4), np.float32)], [np.zeros((4, 4), np.float32)], (0.1, 0.0, 0.0)
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.sgd_step(w, [], (), rate)
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.sgd_step([], g, (), rate)
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.sgd_step(w, g, ([],), rate)
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.sgd_step(w, g, (), rate, 1, [], [1.0, 2.0])
    with pytest.raises(ValueError, match="array has 3 elements, expected 16"):
        _cpu.sgd_step(w, [np.zeros(3, np.float32)], (), rate)
    with pytest.raises(ValueError, match="array has 3 elements, expected 16"):
        _cpu.adam_step(w, g, (w, [np.zeros(3, np.float32)]), rate)
    with pytest.raises(ValueError, match="C-contiguous"):
        _cpu.sgd_step(w, [np.zeros((4, 4), np.float32).T[::-1]], (), rate)
    with pytest.raises(TypeError, match="wrong dtype"):
        _cpu.sgd_step(w, [np.zeros((4, 4))], (), rate)
    with pytest.raises(TypeError, match="expected an array or None"):
        _cpu.sgd_step(w, ["no array"], (), rate)
    with pytest.raises(TypeError, match="expected lists"):
        _cpu.sgd_step(w, g, (3,), rate)
    with pytest.raises(ValueError, match="a slot is missing"):
        _cpu.adam_step(w, g, (w,), rate)
    with pytest.raises(ValueError, match="too many slots"):
        _cpu.sgd_step(w, g, (w, w, w, w), rate)
    with pytest.raises(ValueError, match="too many settings"):
        _cpu.sgd_step(w, g, (), (0.1,) * 7)
    with pytest.raises(ValueError, match="steps count from 1"):
        _cpu.adam_step(w, g, (w, w), rate, 0)
    with pytest.raises(ValueError, match="array has 1 elements, expected 2"):
        _cpu.gradient_squares(g * 2, np.zeros(1))
    with pytest.raises(ValueError, match="array has 3 elements, expected 4"):
        _cpu.adafactor_step(w, g, [np.zeros(3, np.float32)], [np.zeros(4, np.float32)], 0.1, 0.5, 1e-30, 1e-3, 1.0)
    with pytest.raises(ValueError, match="the lists differ in length"):
        _cpu.adafactor_step(w, g, [], [], 0.1, 0.5, 1e-30, 1e-3, 1.0)
