"""Initializers against Keras 3: statistics, limits and shapes of odd ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import lamina as lm  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

RANDOM: list[tuple[str, dict[str, Any]]] = [
    ("RandomNormal", {"mean": 1.0, "stddev": 0.5}), ("RandomUniform", {"minval": -2.0, "maxval": 1.0}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 2.0}), ("GlorotUniform", {}), ("GlorotNormal", {}), ("HeUniform", {}),
    ("HeNormal", {}), ("LecunUniform", {}), ("LecunNormal", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "uniform"}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_in", "input_axes": [1], "output_axes": [0]}),
]  # fmt: skip


@pytest.mark.parametrize("shape", [(40_000,), (150, 300), (50, 30, 40), (3, 3, 60, 90), (2, 3, 2, 40, 90)])
@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_statistics(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    if "input_axes" in arguments and len(shape) == 1:
        shape = (200, 200)
    ours = getattr(lm.initializers, name)(**arguments, seed=1)(shape)
    theirs = keras.ops.convert_to_numpy(getattr(keras.initializers, name)(**arguments, seed=1)(shape))
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    spread = theirs.std()
    assert abs(ours.mean() - theirs.mean()) < 0.03 * spread
    assert abs(ours.std() / spread - 1) < 0.02
    limits = np.abs(ours - theirs.mean()).max() / np.abs(theirs - theirs.mean()).max()
    assert 0.9 < limits < 1.1 if "untruncated" in str(arguments) or name == "RandomNormal" else 0.99 < limits < 1.01
    for q in (0.1, 0.3, 0.6, 0.9):
        assert abs(np.quantile(ours, q) - np.quantile(theirs, q)) < 0.04 * spread


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 1, 1, 1), (0, 3)])
@pytest.mark.parametrize("name", ["Zeros", "Ones", "RandomNormal", "GlorotUniform", "HeNormal"])
def test_odd_shapes(name: str, shape: tuple[int, ...]) -> None:
    ours = getattr(lm.initializers, name)()(shape)
    theirs = keras.ops.convert_to_numpy(getattr(keras.initializers, name)()(shape))
    assert ours.shape == theirs.shape


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (2, 3, 4)])
def test_fixed_values(shape: tuple[int, ...]) -> None:
    def both(name: str, *arguments: Any) -> tuple[Any, Any]:
        ours = getattr(lm.initializers, name)(*arguments)(shape)
        return ours, keras.ops.convert_to_numpy(getattr(keras.initializers, name)(*arguments)(shape))

    np.testing.assert_array_equal(*both("Constant", 2.5))
    if len(shape) == 2:
        np.testing.assert_array_equal(*both("Identity", 0.5))
    ours, theirs = (m.reshape(-1, shape[-1]) for m in both("Orthogonal", 1.5))
    if ours.shape[0] < ours.shape[1]:
        ours, theirs = ours.T, theirs.T
    np.testing.assert_allclose(ours.T @ ours, theirs.T @ theirs, atol=1e-5)


def test_every_name_that_keras_knows() -> None:
    for name, cls in keras.src.initializers.ALL_OBJECTS_DICT.items():
        if cls.__name__ not in ("STFT", "Initializer", "RandomInitializer"):
            assert type(lm.initializers.get(name)).__name__ == cls.__name__
    for ours, theirs in ((lm.regularizers, keras.src.regularizers), (lm.constraints, keras.src.constraints)):
        for name, cls in theirs.ALL_OBJECTS_DICT.items():
            if cls.__name__ not in ("Regularizer", "Constraint"):
                assert type(ours.get(name)).__name__ == cls.__name__
