"""Ops and their gradients beside PyTorch's, on the same inputs. Skipped unless torch is installed (".[parity]")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional

Case = tuple[str, list[np.ndarray[Any, Any]], Callable[..., Any], Callable[..., Any]]


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def nchw(x: Any) -> Any:
    return x.permute(0, 3, 1, 2)


def nhwc(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def conv2d(
    name: str,
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: int = 1,
    pad: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Case:
    def ours(x: Any, kernel: Any, bias: Any) -> Any:
        return lm.ops.conv2d(x, kernel, bias, strides=strides, padding=pad, dilation_rate=dilation, groups=groups)

    def theirs(x: Any, kernel: Any, bias: Any) -> Any:
        weight = kernel.permute(3, 2, 0, 1)
        return nhwc(functional.conv2d(nchw(x), weight, bias, strides, pad, dilation, groups))

    return f"conv2d-{name}", [values(*x), values(*kernel), values(kernel[-1])], ours, theirs


def pool(kind: str, size: int, strides: int, pad: int) -> Case:
    def ours(x: Any) -> Any:
        op = lm.ops.max_pool2d if kind == "max" else lm.ops.avg_pool2d
        return op(
            x, pool_size=size, strides=strides, padding="same" if pad else "valid"
        )  # odd sizes: same on both sides

    def theirs(x: Any) -> Any:
        if kind == "max":
            return nhwc(functional.max_pool2d(nchw(x), size, strides, pad))
        return nhwc(functional.avg_pool2d(nchw(x), size, strides, pad, count_include_pad=False))

    return f"{kind}_pool2d-{size}-{strides}-{pad}", [values(3, 11, 9, 20)], ours, theirs


def batch_norm(training: bool) -> Case:
    mean, variance = values(12), abs(values(12)) + 0.5

    def ours(x: Any, gamma: Any, beta: Any) -> Any:
        moving = [lm.Variable(a.astype(x.dtype), trainable=False) for a in (mean, variance)]
        return lm.ops.batch_norm(x, gamma, beta, *moving, training=training)

    def theirs(x: Any, gamma: Any, beta: Any) -> Any:
        moving = [torch.tensor(a, dtype=x.dtype) for a in (mean, variance)]
        return nhwc(functional.batch_norm(nchw(x), *moving, gamma, beta, training, 0.01, 1e-3))

    return f"batch_norm-{training}", [values(4, 7, 6, 12) * 3 + 1, values(12), values(12)], ours, theirs


def activation(name: str, theirs: Callable[..., Any]) -> Case:
    return name, [values(33, 65) * 3], lambda x: getattr(lm.ops, name)(x), theirs


LABELS = np.arange(33) * 7 % 65
TARGETS = np.random.default_rng(9).uniform(0, 1, (33, 65))


def against(target: np.ndarray[Any, Any], op: Callable[..., Any], convert: Callable[..., Any]) -> Callable[..., Any]:
    """op(x, target), the target in the dtype of x unless it holds labels."""

    def run(x: Any) -> Any:
        typed = (
            target if target.dtype.kind == "i" else target.astype(np.float32 if "32" in str(x.dtype) else np.float64)
        )
        return op(x, convert(typed))

    return run


def loss(name: str, target: np.ndarray[Any, Any], theirs: Callable[..., Any]) -> Case:
    def ours(x: Any, target: Any) -> Any:
        op = getattr(lm.ops, name)
        return op(target, x) if name.startswith("mean") else op(x, target)

    return name, [values(33, 65)], against(target, ours, lm.tensor), against(target, theirs, torch.from_numpy)


CASES = [
    ("dense", [values(33, 70), values(70, 45), values(45)], lambda *a: lm.ops.dense(*a), lambda x, w, b: x @ w + b),
    ("matmul", [values(5, 17, 30), values(5, 30, 11)], lambda *a: lm.ops.matmul(*a), torch.matmul),
    conv2d("3x3", (2, 9, 11, 8), (3, 3, 8, 16)),
    conv2d("3x3-wide", (2, 14, 14, 64), (3, 3, 64, 64), pad=1),
    conv2d("3x3-odd", (1, 13, 10, 37), (3, 3, 37, 51), pad=1),
    conv2d("1x1", (2, 7, 7, 48), (1, 1, 48, 33)),
    conv2d("first", (2, 32, 32, 3), (7, 7, 3, 16), strides=2, pad=3),
    conv2d("one-channel", (4, 28, 28, 1), (3, 3, 1, 32)),
    conv2d("strides", (2, 14, 14, 24), (3, 3, 24, 40), strides=2, pad=1),
    conv2d("dilation", (1, 15, 15, 4), (3, 3, 4, 6), dilation=2, pad=2),
    conv2d("groups", (2, 9, 9, 12), (3, 3, 4, 15), groups=3, pad=1),
    conv2d("depthwise", (2, 12, 12, 40), (5, 5, 1, 40), groups=40, pad=2),
    pool("max", 2, 2, 0),
    pool("max", 3, 2, 1),
    pool("avg", 2, 2, 0),
    pool("avg", 3, 2, 1),
    batch_norm(True),
    batch_norm(False),
    activation("relu", torch.relu),
    activation("sigmoid", torch.sigmoid),
    activation("tanh", torch.tanh),
    activation("softmax", lambda x: torch.softmax(x, -1)),
    loss("softmax_cross_entropy", LABELS, functional.cross_entropy),
    loss("softmax_cross_entropy", TARGETS / TARGETS.sum(-1, keepdims=True), functional.cross_entropy),
    loss("sigmoid_cross_entropy", TARGETS, functional.binary_cross_entropy_with_logits),
    loss("mean_squared_error", TARGETS, functional.mse_loss),
    loss("mean_absolute_error", TARGETS, functional.l1_loss),
]


def assert_close(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any], tolerance: float, what: str) -> None:
    assert ours.shape == theirs.shape, what
    scale = np.sqrt(np.mean(theirs**2)) or 1.0
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.fixture(autouse=True)
def _accurate() -> Iterator[None]:
    """Winograd F(4x4), the default, errs by more than 1e-5 in float32 (docs/numerics.md)."""
    lm.set_convolution("accurate")
    yield
    lm.set_convolution("fast")


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-10)], ids=["float32", "float64"])
@pytest.mark.parametrize(("arrays", "ours", "theirs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_op(
    arrays: list[Any], ours: Callable[..., Any], theirs: Callable[..., Any], dtype: Any, tolerance: float
) -> None:
    arrays = [a.astype(dtype) for a in arrays]
    x = [lm.tensor(a, requires_grad=True) for a in arrays]
    u = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, v = ours(*x), theirs(*u)
    assert_close(y.numpy(), v.detach().numpy(), tolerance, "forward")
    dy = np.random.default_rng(1234).standard_normal(tuple(v.shape)).astype(dtype)  # nothing like any input
    y.backward(lm.tensor(np.asarray(dy)))
    v.backward(torch.tensor(dy))
    for i, (a, b) in enumerate(zip(x, u, strict=True)):
        assert_close(a.grad.numpy(), b.grad.numpy(), tolerance, f"gradient of input {i}")
