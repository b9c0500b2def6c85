"""Activations, and their layers, beside Keras's. Skipped unless keras is installed (".[parity]")."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's set_weights

X = np.random.default_rng(0).normal(0, 3, (4, 6, 5, 8))
# No sparsemax: with PyTorch, Keras adds up the cumulative sums of the support, and what it gives does not sum to 1.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}),
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 6}),
    ("relu", {"max_value": 2.5, "negative_slope": 0.3}),
    ("relu", {"threshold": 1.0}),
    ("relu", {"threshold": 0.5, "max_value": 3.0, "negative_slope": 0.2}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.01}),
    ("relu6", {}),
    ("softmax", {}),
    ("softmax", {"axis": 1}),
    ("softmax", {"axis": 0}),
    ("elu", {}),
    ("elu", {"alpha": 0.5}),
    ("selu", {}),
    ("softplus", {}),
    ("softsign", {}),
    ("soft_shrink", {}),
    ("soft_shrink", {"threshold": 1.5}),
    ("sparse_plus", {}),
    ("silu", {}),
    ("swish", {}),
    ("squareplus", {}),
    ("squareplus", {"b": 0.5}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("celu", {}),
    ("celu", {"alpha": 2.0}),
    ("glu", {}),
    ("glu", {"axis": 1}),
    ("tanh", {}),
    ("tanh_shrink", {}),
    ("hard_tanh", {}),
    ("hard_shrink", {}),
    ("hard_shrink", {"threshold": 2.0}),
    ("threshold", {"threshold": 0.5, "default_value": -1.0}),
    ("sigmoid", {}),
    ("exponential", {}),
    ("hard_sigmoid", {}),
    ("hard_silu", {}),
    ("hard_swish", {}),
    ("log_sigmoid", {}),
    ("sparse_sigmoid", {}),
    ("linear", {}),
    ("mish", {}),
    ("log_softmax", {}),
    ("log_softmax", {"axis": 2}),
]
DTYPES = [("float32", 1e-5), ("float64", 1e-9)]


def compare(ours: Any, theirs: Any, x: np.ndarray[Any, Any], tolerance: float) -> None:
    """Values and gradients."""
    a, b = lm.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, v = ours(a), theirs(b)
    assert str(y.dtype) == str(x.dtype)
    np.testing.assert_allclose(y.numpy(), v.detach().numpy(), rtol=tolerance, atol=tolerance)
    dy = np.random.default_rng(1).normal(size=tuple(v.shape)).astype(x.dtype)
    y.backward(dy)
    v.backward(torch.tensor(dy))
    if ours is lm.activations.hard_sigmoid:
        tolerance = max(tolerance, 1e-7)  # the peer's gradient takes 1/6 from float32
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=[f"{n}-{'-'.join(map(str, a.values()))}" for n, a in CASES])
def test_activation(name: str, arguments: dict[str, Any], dtype: str, tolerance: float) -> None:
    ours, theirs = getattr(lm.activations, name), getattr(keras.activations, name, None)
    if theirs is None:
        theirs = keras.activations.get(name)
    compare(partial(ours, **arguments) if arguments else ours, partial(theirs, **arguments), X.astype(dtype), tolerance)


LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("ReLU", {"max_value": 6.0}),
    ("ReLU", {"max_value": 2.0, "negative_slope": 0.1, "threshold": 0.5}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.05}),
    ("PReLU", {"alpha_initializer": "ones"}),
    ("PReLU", {"shared_axes": [1, 2]}),
    ("PReLU", {"shared_axes": [2]}),
    ("PReLU", {"shared_axes": [1, 2, 3]}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.3}),
    ("Softmax", {}),
    ("Softmax", {"axis": 1}),
    ("Softmax", {"axis": [1, 2]}),
    ("Softmax", {"axis": [-1]}),
]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(
    ("name", "arguments"), LAYERS, ids=[f"{n}-{'-'.join(map(str, a.values()))}" for n, a in LAYERS]
)
def test_layer(name: str, arguments: dict[str, Any], dtype: str, tolerance: float) -> None:
    x = X.astype(dtype)
    ours = getattr(lm.layers, name)(dtype=dtype, **arguments)
    theirs = getattr(keras.layers, name)(dtype=dtype, **arguments)
    ours(x)
    theirs(torch.tensor(x))
    weights = [np.random.default_rng(3).normal(size=w.shape).astype(dtype) for w in ours.get_weights()]
    assert [w.shape for w in theirs.get_weights()] == [w.shape for w in weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    compare(ours, theirs, x, tolerance)
    if weights:
        np.testing.assert_allclose(
            ours.alpha.grad.numpy(), theirs.alpha.value.grad.numpy(), rtol=10 * tolerance, atol=10 * tolerance
        )
    assert ours.compute_output_shape((None, 6, 5, 8)) == theirs.compute_output_shape((None, 6, 5, 8))


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("axis", [-1, 1, [1, 3]])
def test_masked_softmax(axis: Any, dtype: str, tolerance: float) -> None:
    mask = np.random.default_rng(2).random(X.shape) > 0.4
    mask[0, 0, 0] = False
    for kind in (mask, mask.astype(dtype), mask[:1, :, :1]):
        y = lm.layers.Softmax(axis, dtype=dtype)(X.astype(dtype), mask=kind)
        v = keras.layers.Softmax(axis, dtype=dtype)(torch.tensor(X.astype(dtype)), mask=torch.tensor(kind))
        np.testing.assert_allclose(y.numpy(), v.numpy(), rtol=tolerance, atol=tolerance)


def test_names() -> None:
    """Every name that Keras's layers take is known here too."""
    for name in keras.activations.__dict__:
        function = getattr(keras.activations, name)
        if callable(function) and name not in ("get", "serialize", "deserialize", "threshold"):
            assert callable(lm.activations.get(name)), name
