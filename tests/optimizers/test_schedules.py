"""Learning rate schedules against their formulas, in float64."""

import json
import math

import numpy as np
import pytest

from lamina.optimizers import checks, schedules

STEPS = [0, 1, 7, 9, 10, 11, 19, 20, 21, 30, 69, 70, 71, 1000, 123456]


def restarts(step, t_mul, m_mul, alpha):
    """Walks from restart to restart."""
    start, length, height = 0.0, 10.0, 1.0
    while step >= start + length:
        start, length, height = start + length, length * t_mul, height * m_mul
    cosine = 0.5 * height * (1 + math.cos(math.pi * (step - start) / length))
    return 0.3 * ((1 - alpha) * cosine + alpha)


CASES = [
    (schedules.ExponentialDecay(0.3, 10, 0.9), lambda t: 0.3 * 0.9 ** (t / 10)),
    (schedules.ExponentialDecay(0.3, 10, 0.9, True), lambda t: 0.3 * 0.9 ** (t // 10)),
    (schedules.StepDecay(0.3, 10), lambda t: 0.3 * 0.1 ** (t // 10)),
    (schedules.InverseTimeDecay(0.3, 10, 0.9), lambda t: 0.3 / (1 + 0.9 * t / 10)),
    (schedules.InverseTimeDecay(0.3, 10, 0.9, True), lambda t: 0.3 / (1 + 0.9 * (t // 10))),
    (schedules.PolynomialDecay(0.3, 20, 0.1, 0.7), lambda t: 0.2 * (1 - min(t, 20) / 20) ** 0.7 + 0.1),
    (
        schedules.PolynomialDecay(0.3, 20, 0.1, 2.0, True),
        lambda t: 0.2 * (1 - t / (20 * max(1, math.ceil(t / 20)))) ** 2 + 0.1,
    ),
    (schedules.PiecewiseConstantDecay([10, 20], [3, 2, 1]), lambda t: 3 if t <= 10 else 2 if t <= 20 else 1),
    (
        schedules.CosineDecay(0.3, 70, 0.1),
        lambda t: 0.3 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(t, 70) / 70)) + 0.1),
    ),
    (
        schedules.CosineDecay(0.1, 60, 0.0, warmup_target=0.3, warmup_steps=10),
        lambda t: 0.1 + 0.2 * t / 10 if t < 10 else 0.3 * 0.5 * (1 + math.cos(math.pi * min(t - 10, 60) / 60)),
    ),
    (schedules.CosineDecayRestarts(0.3, 10), lambda t: restarts(t, 2, 1, 0)),
    (schedules.CosineDecayRestarts(0.3, 10, 1.0, 0.5, 0.1), lambda t: restarts(t, 1, 0.5, 0.1)),
    (schedules.CosineDecayRestarts(0.3, 10, 1.5, 0.5, 0.1), lambda t: restarts(t, 1.5, 0.5, 0.1)),
    (schedules.LinearWarmup(0.3, 20, 0.1), lambda t: 0.1 + 0.2 * min(t, 20) / 20),
    (
        schedules.LinearWarmup(schedules.StepDecay(0.3, 10), 20),
        lambda t: 0.3 * t / 20 if t < 20 else 0.3 * 0.1 ** ((t - 20) // 10),
    ),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_formulas(schedule, formula, step):
    assert schedule(step) == pytest.approx(formula(step), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("schedule", [case[0] for case in CASES])
def test_configuration_round_trip(schedule):
    config = schedules.serialize(schedule)
    again = schedules.deserialize(config)
    assert type(again) is type(schedule)
    assert schedules.serialize(again) == config


def test_numbers_of_arrays_can_be_saved():
    schedule = schedules.PiecewiseConstantDecay(np.array([10, 20]), np.array([3.0, 2.0, 1.0], "float32"))
    assert json.loads(json.dumps(schedule.get_config())) == schedule.get_config()
    with pytest.raises(TypeError, match="boundaries must be a number"):
        schedules.PiecewiseConstantDecay(["10"], [2, 1])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: schedules.ExponentialDecay(-0.1, 10, 0.9), ValueError, "initial_learning_rate must be at least 0"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.9), ValueError, "decay_steps must be greater than 0"),
        (lambda: schedules.ExponentialDecay(0.1, 10, float("nan")), ValueError, "decay_rate must be a finite"),
        (lambda: schedules.ExponentialDecay("0.1", 10, 0.9), TypeError, "initial_learning_rate must be a number"),
        (lambda: schedules.InverseTimeDecay(0.1, -1, 0.9), ValueError, "decay_steps must be"),
        (lambda: schedules.PolynomialDecay(0.1, 0), ValueError, "decay_steps must be"),
        (lambda: schedules.PolynomialDecay(0.1, 10, power=-1), ValueError, "power must be"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]), ValueError, "one value more"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]), ValueError, "boundaries must grow"),
        (lambda: schedules.PiecewiseConstantDecay([2], [0.1, -0.2]), ValueError, "values must be"),
        (lambda: schedules.CosineDecay(0.1, 0), ValueError, "decay_steps must be"),
        (lambda: schedules.CosineDecay(0.1, 10, warmup_steps=-1), ValueError, "warmup_steps must be"),
        (lambda: schedules.CosineDecayRestarts(0.1, 0), ValueError, "first_decay_steps must be"),
        (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), ValueError, "t_mul must be at least 1"),
        (lambda: schedules.LinearWarmup(0.1, 0), ValueError, "warmup_steps must be at least 1"),
        (lambda: schedules.deserialize({"class_name": "os.system"}), ValueError, "expected one of"),
        (lambda: schedules.deserialize("StepDecay"), ValueError, "expected one of"),
        (lambda: schedules.serialize(schedules.LearningRateSchedule()), ValueError, "cannot be saved"),
    ],
)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_arithmetic():
    for x in [k / 97 for k in range(-200, 300)]:
        assert checks.cosine_of_pi(x) == pytest.approx(math.cos(math.pi * x), abs=1e-15)
    for base in (0.0, 0.5, 0.9, 1.0, 3.7):
        for exponent in (0.0, 0.5, 1, 3, 7.3, 0.01):
            assert checks.power(base, exponent) == pytest.approx(base**exponent, rel=1e-14)
    assert checks.power(4.0, -0.8) == pytest.approx(4.0**-0.8, rel=1e-14)
    assert checks.integer_power(0.999, 12345) == pytest.approx(0.999**12345, rel=1e-12)
