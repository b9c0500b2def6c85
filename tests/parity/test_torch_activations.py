"""Activations and their gradients beside PyTorch's. Skipped unless torch is installed (".[parity]")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional
ops = lm.ops


def values(*shape: int, scale: float = 3) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape) * scale


X = values(17, 65)
IMAGES = values(3, 6, 5, 8)


def prelu(x: Any, weight: Any) -> Any:
    return functional.prelu(x.movedim(-1, 1), weight).movedim(1, -1)


CASES: list[tuple[str, list[np.ndarray[Any, Any]], Callable[..., Any], Callable[..., Any]]] = [
    ("relu6", [X], ops.relu6, functional.relu6),
    ("leaky_relu-0.2", [X], ops.leaky_relu, partial(functional.leaky_relu, negative_slope=0.2)),
    ("leaky_relu-0.01", [X], partial(ops.leaky_relu, negative_slope=0.01), functional.leaky_relu),
    ("leaky_relu-0", [X], partial(ops.leaky_relu, negative_slope=0), partial(functional.leaky_relu, negative_slope=0)),
    ("prelu-channels", [IMAGES, values(8)], ops.prelu, prelu),
    ("prelu-one", [IMAGES, values(1)], ops.prelu, prelu),
    ("elu", [X], ops.elu, functional.elu),
    ("elu-0.3", [X], partial(ops.elu, alpha=0.3), partial(functional.elu, alpha=0.3)),
    ("celu", [X], ops.celu, functional.celu),
    ("celu-2", [X], partial(ops.celu, alpha=2), partial(functional.celu, alpha=2.0)),
    ("selu", [X], ops.selu, functional.selu),
    ("gelu", [X], ops.gelu, functional.gelu),
    ("gelu-tanh", [X], partial(ops.gelu, approximate=True), partial(functional.gelu, approximate="tanh")),
    ("silu", [X], ops.silu, functional.silu),
    ("softplus", [X], ops.softplus, functional.softplus),
    ("softplus-3", [X], partial(ops.softplus, beta=3), partial(functional.softplus, beta=3, threshold=40)),
    ("log_sigmoid", [X], ops.log_sigmoid, functional.logsigmoid),
    ("softsign", [X], ops.softsign, functional.softsign),
    ("mish", [X], ops.mish, functional.mish),
    ("mish-wide", [X * 20], ops.mish, functional.mish),
    ("hard_sigmoid", [X], ops.hard_sigmoid, functional.hardsigmoid),
    ("hard_silu", [X], ops.hard_silu, functional.hardswish),
    ("hard_tanh", [X], ops.hard_tanh, functional.hardtanh),
    ("hard_tanh-wide", [X], partial(ops.hard_tanh, min_value=-2, max_value=0.5),
     partial(functional.hardtanh, min_val=-2, max_val=0.5)),
    ("hard_shrink", [X], ops.hard_shrink, functional.hardshrink),
    ("hard_shrink-2", [X], partial(ops.hard_shrink, threshold=2), partial(functional.hardshrink, lambd=2)),
    ("soft_shrink", [X], ops.soft_shrink, functional.softshrink),
    ("soft_shrink-0", [X], partial(ops.soft_shrink, threshold=0), partial(functional.softshrink, lambd=0)),
    ("tanh_shrink", [X], ops.tanh_shrink, functional.tanhshrink),
    ("threshold", [X], partial(ops.threshold, threshold=0.5, default_value=-3),
     partial(functional.threshold, threshold=0.5, value=-3)),
    ("glu", [X[:, :64]], ops.glu, functional.glu),
    ("glu-1", [IMAGES], partial(ops.glu, axis=1), partial(functional.glu, dim=1)),
    *[(f"{name}-{axis}", [IMAGES], partial(getattr(ops, name), axis=axis), partial(getattr(torch, name), dim=axis))
      for name in ("softmax", "log_softmax") for axis in (0, 1, 2, -1)],
    ("softmax-long", [values(2, 1100, 9)], partial(ops.softmax, axis=1), partial(torch.softmax, dim=1)),
]  # fmt: skip


def assert_close(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any], tolerance: float, what: str) -> None:
    assert ours.shape == theirs.shape, what
    scale = np.sqrt(np.mean(theirs**2)) or 1.0
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-9)], ids=["float32", "float64"])
@pytest.mark.parametrize(("arrays", "ours", "theirs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_activation(
    arrays: list[Any], ours: Callable[..., Any], theirs: Callable[..., Any], dtype: Any, tolerance: float
) -> None:
    arrays = [a.astype(dtype) for a in arrays]
    x = [lm.tensor(a, requires_grad=True) for a in arrays]
    u = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, v = ours(*x), theirs(*u)
    assert_close(y.numpy(), v.detach().numpy(), tolerance, "forward")
    dy = np.random.default_rng(1234).standard_normal(tuple(v.shape)).astype(dtype)
    y.backward(lm.tensor(dy))
    v.backward(torch.tensor(dy))
    if ours is ops.hard_sigmoid:
        tolerance = max(tolerance, 1e-7)  # the peer's gradient takes 1/6 from float32
    for i, (a, b) in enumerate(zip(x, u, strict=True)):
        assert_close(a.grad.numpy(), b.grad.numpy(), tolerance, f"gradient of input {i}")
