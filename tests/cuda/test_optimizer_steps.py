"""Optimizers' steps over lists of parameters: the CPU's bits."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, updated, written
from lamina import _cpu

SHAPES = [(3,), (64, 70), (), (5, 1), (1031,), (0,)]
#: rule: (slots that it keeps, which of them may not be negative, settings)
RULES: dict[str, tuple[list[str], tuple[float, ...]]] = {
    "sgd": ([""], (0.1, 0.9, 0.0)),
    "rmsprop": (["+"], (0.01, 0.9, 0.5, 1e-7)),
    "adam": (["-", "+"], (0.01, 0.9, 0.999, 1e-7)),
    "adagrad": (["+"], (0.01, 1e-7)),
    "adadelta": (["+", "+"], (0.5, 0.95, 1e-7)),
    "adamax": (["-", "+"], (0.01, 0.9, 0.999, 1e-7)),
    "nadam": (["-", "+"], (0.01, 0.9, 0.999, 1e-7, 0.8, 0.2)),
    "ftrl": (["+", "-"], (0.1, -0.5, 0.1, 0.2, 0.3)),
    "lion": (["-"], (0.01, 0.9, 0.99)),
    "lamb": (["-", "+"], (0.01, 0.9, 0.999, 1e-6)),
}


def arrays(dtype: Any, seed: int, positive: bool = False) -> list[np.ndarray]:
    made = [numbers(shape, dtype, seed + i) for i, shape in enumerate(SHAPES)]
    return [np.abs(a) if positive else a for a in made]


def lists(dtype: Any, slots: list[str | None]) -> dict[str, Any]:
    kept = [None if s is None else [updated(a) for a in arrays(dtype, 90 * k, s == "+")] for k, s in enumerate(slots)]
    weights = [updated(w) for w in arrays(dtype, 1000)]
    return {"weights": weights, "grads": arrays(dtype, 2000), "slots": tuple(kept)}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rule", RULES)
def test_step(rule: str, dtype: Any) -> None:
    slots, settings = RULES[rule]
    check_kernel(f"{rule}_step", **lists(dtype, [s or "-" for s in slots]), settings=settings, step=3)
    prepared = {"scales": [0.5, 1.0, 2.0, 0.25, 3.0, 1.0], "decays": [0.0, 0.1, 0.01, 0.2, 0.0, 0.0], "clip": 0.6}
    check_kernel(f"{rule}_step", **lists(dtype, [s or "-" for s in slots]), settings=settings, **prepared)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("rule", "slots", "settings"),
    [
        ("sgd", [], (0.1, 0.0, 0.0)),
        ("sgd", ["-"], (0.1, 0.9, 1.0)),
        ("rmsprop", ["+", "-", "-"], (0.01, 0.9, 0.5, 2.0)),
        ("rmsprop", ["+", None, "-"], (0.01, 0.9, 0.0, 2.0)),
        ("adam", ["-", "+", "+"], (0.01, 0.9, 0.999, 1e-7)),
        ("ftrl", ["+", "-"], (0.1, 0.5, 0.1, 0.2, 0.3)),
        ("ftrl", ["+", "-"], (0.1, 0.0, 0.1, 0.2, 0.3)),
        ("ftrl", ["+", "-"], (0.1, 0.7, 0.1, 0.2, 0.3)),
    ],
)
def test_other_slots_and_settings(rule: str, slots: list[str | None], settings: tuple[float, ...], dtype: Any) -> None:
    check_kernel(f"{rule}_step", **lists(dtype, slots), settings=settings, step=2)


@pytest.mark.parametrize("dtype", FLOATS)
def test_parameters_without_a_gradient_stay_as_they_are(dtype: Any) -> None:
    given = lists(dtype, ["-", "+"])
    given["grads"][1] = None
    check_kernel("adam_step", **given, settings=RULES["adam"][1])
    check_kernel("lamb_step", **given, settings=RULES["lamb"][1])


@pytest.mark.parametrize("dtype", FLOATS)
def test_more_parameters_than_a_launch_carries(dtype: Any) -> None:
    shapes = [(1 + 7 * i % 5,) for i in range(130)]
    weights = [updated(numbers(s, dtype, i)) for i, s in enumerate(shapes)]
    grads = [numbers(s, dtype, 500 + i) for i, s in enumerate(shapes)]
    check_kernel("sgd_step", weights=weights, grads=grads, slots=(), settings=(0.1, 0.0, 0.0))
    check_kernel("gradient_squares", grads=grads, sums=written(len(shapes), np.float64))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("rule", ["sgd", "adam", "lion"])
def test_gradients_of_some_rows(rule: str, whole: bool, dtype: Any) -> None:
    slots, settings = RULES[rule]
    for rows in ([0, 3, 4, 10], [2], [], [11]):
        index = np.array(rows, np.int64)
        check_kernel(
            f"{rule}_step",
            weights=[updated(numbers((12, 6), dtype)), updated(numbers((5,), dtype, 1))],
            grads=[numbers((len(rows), 6), dtype, 2), numbers((5,), dtype, 3)],
            slots=tuple([updated(np.abs(numbers(s, dtype, 4 + k))) for s in ((12, 6), 5)] for k in range(len(slots))),
            settings=settings,
            scales=[0.5, 2.0],
            rows=[(index, whole), None],
        )


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradient_squares(dtype: Any) -> None:
    grads = [*arrays(dtype, 7), numbers((3, 4097), dtype, 50)]
    check_kernel("gradient_squares", grads=grads, sums=written(len(grads), np.float64))


@pytest.mark.parametrize("dtype", FLOATS)
def test_adafactor(dtype: Any) -> None:
    shapes = [(3,), (70, 33), (), (2, 3, 4, 5), (1100,), (0, 4), (530, 3), (2, 8200), (8200,)]
    weights, grads, rows, columns = [], [], [], []
    for i, shape in enumerate(shapes):
        weights.append(updated(numbers(shape, dtype, i)))
        grads.append(numbers(shape, dtype, 20 + i))
        r, c = (shape[:-1], (*shape[:-2], shape[-1])) if len(shape) > 1 else (shape, (0,))
        rows.append(updated(np.abs(numbers(r, dtype, 40 + i))))
        columns.append(updated(np.abs(numbers(c, dtype, 60 + i))))
    settings = {"learning_rate": 0.01, "beta": 0.8, "epsilon_1": 1e-30, "epsilon_2": 1e-3, "threshold": 1.0}
    for kind in (slice(None), slice(0, 1)):
        check_kernel(
            "adafactor_step",
            weights=weights[kind],
            grads=grads[kind],
            rows=rows[kind],
            columns=columns[kind],
            **settings,
        )


# Settings in device memory, as captured steps have them


def on_device(settings: tuple[float, ...], step: int) -> np.ndarray:
    return np.array([*settings, *[0.0] * (6 - len(settings)), step])


def by_the_cpu(rule: str, **arguments: Any) -> None:
    """The CPU's kernel, for numbers in memory those that they are."""
    settings = arguments["settings"]
    arguments |= {"settings": tuple(settings[:6].tolist()), "step": int(settings[6])}
    for name in ("scales", "decays"):
        if isinstance(arguments.get(name), np.ndarray):
            arguments[name] = arguments[name].tolist()
    getattr(_cpu, f"{rule}_step")(**arguments)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rule", RULES)
def test_settings_on_the_device(rule: str, dtype: Any) -> None:
    slots, settings = RULES[rule]
    given = lists(dtype, [s or "-" for s in slots])
    reference = functools.partial(by_the_cpu, rule)
    check_kernel(f"{rule}_step", **given, settings=on_device(settings, 3), reference=reference)
    check_kernel(
        f"{rule}_step",
        **given,
        settings=on_device(settings, 1000),
        scales=np.array([0.5, 1.0, 2.0, 0.25, 3.0, 1.0]),
        decays=np.array([0.0, 0.1, 0.01, 0.2, 0.0, 0.0]),
        clip=0.6,
        reference=reference,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rule", RULES)
def test_a_step_of_0_does_nothing(rule: str, dtype: Any) -> None:
    slots, settings = RULES[rule]
    given = lists(dtype, [s or "-" for s in slots])
    check_kernel(
        f"{rule}_step",
        **given,
        settings=on_device(settings, 0),
        decays=np.full(len(SHAPES), 0.1),
        reference=lambda **arguments: None,
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_settings_on_the_device_for_some_rows_and_many_parameters(dtype: Any) -> None:
    index = np.array([0, 3, 4, 10], np.int64)
    check_kernel(
        "adam_step",
        weights=[updated(numbers((12, 6), dtype)), updated(numbers((5,), dtype, 1)), updated(numbers((5,), dtype, 9))],
        grads=[numbers((4, 6), dtype, 2), None, numbers((5,), dtype, 3)],
        slots=tuple([updated(np.abs(numbers(s, dtype, 4 + k))) for s in ((12, 6), 5, 5)] for k in range(2)),
        settings=on_device(RULES["adam"][1], 2),
        scales=np.array([0.5, 7.0, 2.0]),
        rows=[(index, True), None, None],
        reference=functools.partial(by_the_cpu, "adam"),
    )
    shapes = [(1 + 7 * i % 5,) for i in range(130)]
    check_kernel(
        "sgd_step",
        weights=[updated(numbers(s, dtype, i)) for i, s in enumerate(shapes)],
        grads=[numbers(s, dtype, 500 + i) for i, s in enumerate(shapes)],
        slots=(),
        settings=on_device((0.1, 0.0, 0.0), 1),
        decays=np.linspace(0, 0.5, 130),
        reference=functools.partial(by_the_cpu, "sgd"),
    )


def test_settings_of_another_length_are_refused() -> None:
    module = emulated()
    weights, grads = [np.ones(3, np.float32)], [np.ones(3, np.float32)]
    with pytest.raises(ValueError, match="array has 6 elements, expected 7"):
        module.sgd_step(weights, grads, (), np.zeros(6), stream=0)
    with pytest.raises(ValueError, match="array has 2 elements, expected 1"):
        module.sgd_step(weights, grads, (), (0.1, 0.0, 0.0), 1, np.ones(2), stream=0)
    with pytest.raises(ValueError, match="settings must be a tuple of at most six numbers, or an array on the device"):
        module.sgd_step(weights, grads, (), [0.1], stream=0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_adafactor_with_rates_on_the_device(dtype: Any) -> None:
    def reference(**arguments: Any) -> None:
        arguments |= {name: arguments[name].item() for name in ("learning_rate", "beta")}
        _cpu.adafactor_step(**arguments)

    shapes = [(3,), (70, 33), (2, 3, 4, 5)]
    rows = [updated(np.abs(numbers(s[:-1] if len(s) > 1 else s, dtype, 40))) for s in shapes]
    columns = [updated(np.abs(numbers((*s[:-2], s[-1]) if len(s) > 1 else (0,), dtype, 60))) for s in shapes]
    check_kernel(
        "adafactor_step",
        weights=[updated(numbers(s, dtype)) for s in shapes],
        grads=[numbers(s, dtype, 20) for s in shapes],
        rows=rows,
        columns=columns,
        learning_rate=np.array([0.01]),
        beta=np.array([0.8]),
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        threshold=1.0,
        reference=reference,
    )
