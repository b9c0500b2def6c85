"""Making, joining, cutting and reading arrays beside PyTorch: values, dtypes, and gradients where there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
ops = lm.ops
X, Y = (np.random.default_rng(i).standard_normal((3, 4, 5)) for i in range(2))
ONE = X[:, :1]
TWO_AXES = np.random.default_rng(2).standard_normal((2, 1, 3, 1))
ROWS = np.array([[2], [0], [1], [0]])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])

Case = tuple[list[Any], Callable[..., Any], Callable[..., Any]]
CASES: dict[str, Case] = {
    **{f"concatenate-{a}": ([X, Y], lambda *x, a=a: ops.concatenate(x, a), lambda *u, a=a: torch.cat(u, a))
       for a in (0, 1, -1)},
    "concatenate-uneven": ([X, ONE], lambda *x: ops.concatenate(x, 1), lambda *u: torch.cat(u, 1)),
    **{f"stack-{a}": ([X, Y], lambda *x, a=a: ops.stack(x, a), lambda *u, a=a: torch.stack(u, a))
       for a in (0, 2, -1)},
    "split": ([X], lambda x: ops.split(x, 2, 1), lambda u: torch.tensor_split(u, 2, 1)),
    "split-places": ([X], lambda x: ops.split(x, [1, 3], 2), lambda u: torch.tensor_split(u, [1, 3], 2)),
    "unstack": ([X], lambda x: ops.unstack(x, axis=1), lambda u: torch.unbind(u, 1)),
    "reshape": ([X], lambda x: ops.reshape(x, (5, -1, 2)), lambda u: u.reshape(5, -1, 2)),
    "flatten": ([X], ops.flatten, lambda u: u.flatten(1)),
    "transpose": ([X], ops.transpose, lambda u: u.permute(2, 1, 0)),
    "transpose-axes": ([X], lambda x: ops.transpose(x, (1, 0, 2)), lambda u: u.permute(1, 0, 2)),
    "expand_dims": ([X], lambda x: ops.expand_dims(x, -2), lambda u: u.unsqueeze(-2)),
    "squeeze": ([TWO_AXES], ops.squeeze, torch.squeeze),
    "squeeze-axis": ([TWO_AXES], lambda x: ops.squeeze(x, -1), lambda u: u.squeeze(-1)),
    "squeeze-axes": ([TWO_AXES], lambda x: ops.squeeze(x, (1, 3)), lambda u: u.squeeze((1, 3))),
    "getitem": ([X], lambda x: ops.getitem(x, (slice(None), [3, 0, 3], None)), lambda u: u[:, [3, 0, 3], None]),
    "copy": ([X], ops.copy, torch.clone),
    "cast": ([X], lambda x: ops.cast(ops.cast(x, "float64"), "float32"), lambda u: u.double().float()),
    "dot-vectors": ([X[0, 0], Y[0, 0]], ops.dot, torch.dot),
    "dot": ([X, Y[0, 0]], ops.dot, lambda u, v: torch.tensordot(u, v, ([2], [0]))),
    "dot-matrices": ([X, Y.transpose(0, 2, 1)], ops.dot, lambda u, v: torch.tensordot(u, v, ([2], [1]))),
    "vdot": ([X, Y], ops.vdot, lambda u, v: torch.vdot(u.flatten(), v.flatten())),
    "scatter": ([X[:, 0].repeat(2, 0)[:4]], lambda v: ops.scatter(ROWS, v, (3, 5)),
                lambda v: torch.zeros(3, 5, dtype=v.dtype).index_add(0, torch.tensor(ROWS[:, 0]), v)),
    "scatter_update": ([X, Y[:2]], lambda x, v: ops.scatter_update(x, ROWS[:2], v),
                       lambda u, v: u.index_copy(0, torch.tensor(ROWS[:2, 0]), v)),
    "select": ([X, Y], lambda x, y: ops.select([X > 1, Y > 0], [x, y], 0.5),
               lambda u, v: torch.where(torch.tensor(X > 1), u, torch.where(torch.tensor(Y > 0), v, 0.5))),
    "stop_gradient": ([X], lambda x: ops.stop_gradient(x) * x, lambda u: u.detach() * u),
}  # fmt: skip


@DTYPES
@pytest.mark.parametrize("name", CASES)
def test_op(name: str, dtype: str) -> None:
    arrays, ours, theirs = CASES[name]
    x = [lm.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    u = [torch.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    outputs, wanted = ours(*x), theirs(*u)
    if not isinstance(outputs, tuple):
        outputs, wanted = (outputs,), (wanted,)
    random = np.random.default_rng(9)
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    for y, v in zip(outputs, wanted, strict=True):
        assert (y.shape, str(y.dtype)) == (tuple(v.shape), str(v.dtype).removeprefix("torch."))
        np.testing.assert_allclose(y.numpy(), v.detach().numpy(), rtol=tolerance, atol=tolerance)
        dy = random.standard_normal(y.shape).astype(y.dtype)
        y.backward(dy, retain_graph=True)
        v.backward(torch.tensor(dy), retain_graph=True)
    for a, b in zip(x, u, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
def test_filled(dtype: str) -> None:
    kind = getattr(torch, dtype)
    like = np.zeros((2, 3), dtype)
    for ours, theirs in [
        (ops.zeros((2, 0, 3), dtype), torch.zeros(2, 0, 3, dtype=kind)),
        (ops.ones((2, 3), dtype), torch.ones(2, 3, dtype=kind)),
        (ops.full((2,), 1, dtype), torch.full((2,), 1, dtype=kind)),
        (ops.zeros_like(like), torch.zeros_like(torch.tensor(like))),
        (ops.ones_like(like), torch.ones_like(torch.tensor(like))),
        (ops.full_like(like, 1), torch.full_like(torch.tensor(like), 1)),
        (ops.eye(3, 5, dtype=dtype), torch.eye(3, 5, dtype=kind)),
        (ops.identity(4, dtype), torch.eye(4, dtype=kind)),
        (ops.convert_to_tensor(like), torch.tensor(like)),
    ]:
        assert str(ours.dtype) == dtype
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("arguments", [(5,), (2, 9), (1, 9, 3), (9, 1, -2), (0.0, 1.0, 0.25), (3, 1), (-1.5, 2.0)])
def test_arange(arguments: Any) -> None:
    if len(arguments) == 2 and arguments[0] > arguments[1]:
        assert ops.arange(*arguments).shape == (0,)  # an error to the peer
        return
    wanted = torch.arange(*arguments)
    y = ops.arange(*arguments)
    assert str(y.dtype) == str(wanted.dtype).removeprefix("torch.")
    np.testing.assert_array_equal(y.numpy(), wanted.numpy())


@DTYPES
@pytest.mark.parametrize("arguments", [(0, 1, 7), (-3, 2, 2), (5, -5, 11), (1, 1, 3), (2, 9, 1), (0, 1, 0)])
def test_linspace(arguments: Any, dtype: str) -> None:
    wanted = torch.linspace(*arguments, dtype=getattr(torch, dtype))
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(ops.linspace(*arguments, dtype=dtype).numpy(), wanted.numpy(), tolerance, tolerance)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_truth_over_axes(axis: Any, keepdims: bool, dtype: str) -> None:
    x = (np.random.default_rng(1).random((3, 4, 5)) > 0.2).astype(dtype)
    x[1] = 0
    u = torch.tensor(x)
    given = {} if axis is None else {"dim": axis, "keepdim": keepdims}
    if axis is not None or not keepdims:
        for name in ("any", "all"):
            y = getattr(ops, name)(x, axis, keepdims)
            assert y.dtype == np.bool_
            np.testing.assert_array_equal(y.numpy(), getattr(torch, name)(u, **given).bool().numpy())
    counted = torch.count_nonzero(u, axis).numpy()
    np.testing.assert_array_equal(ops.count_nonzero(x, axis).numpy(), counted)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64"])
def test_bits(dtype: str) -> None:
    random = np.random.default_rng(0)
    low, high = (0, 2) if dtype == "bool" else (0 if dtype == "uint8" else -100, 100)
    a, b = (random.integers(low, high, shape).astype(dtype) for shape in ((4, 5), (5,)))
    for name in ("and", "or", "xor"):
        wanted = getattr(torch, f"bitwise_{name}")(torch.tensor(a), torch.tensor(b)).numpy()
        y = getattr(ops, f"bitwise_{name}")(a, b)
        assert y.dtype == wanted.dtype
        np.testing.assert_array_equal(y.numpy(), wanted)
    np.testing.assert_array_equal(ops.bitwise_not(a).numpy(), torch.bitwise_not(torch.tensor(a)).numpy())


@DTYPES
@pytest.mark.parametrize("equal_nan", [False, True])
@pytest.mark.parametrize(("rtol", "atol"), [(1e-5, 1e-8), (0.1, 0.0), (0.0, 0.5)])
def test_isclose(rtol: float, atol: float, equal_nan: bool, dtype: str) -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0, 1, 1 + 1e-6, 1.09, 1.5, -1, 1e-9], dtype)
    wanted = torch.isclose(torch.tensor(special[:, None]), torch.tensor(special), rtol, atol, equal_nan).numpy()
    np.testing.assert_array_equal(ops.isclose(special[:, None], special, rtol, atol, equal_nan).numpy(), wanted)


def test_histogram() -> None:
    for bins, bounds in ((6, (-2.0, 2.0)), (1, (0.0, 1.0)), (10, None)):
        counts, edges = ops.histogram(X, bins, bounds)
        low, high = bounds or (X.min(), X.max())
        wanted = torch.histogram(torch.tensor(X).flatten(), bins, range=(float(low), float(high)))
        np.testing.assert_array_equal(counts.numpy(), wanted.hist.numpy())
        np.testing.assert_allclose(edges.numpy(), wanted.bin_edges.numpy(), atol=1e-12)


def test_multi_hot() -> None:
    x = np.random.default_rng(0).integers(0, 6, (3, 2, 4))
    wanted = torch.nn.functional.one_hot(torch.tensor(x), 6).amax(-2)
    np.testing.assert_array_equal(ops.multi_hot(x, 6, "int64").numpy(), wanted.numpy())


def test_what_is_told_of_a_tensor() -> None:
    x, u = lm.tensor(X), torch.tensor(X)
    assert (ops.shape(x), ops.ndim(x), ops.size(x)) == (tuple(u.shape), u.ndim, u.numel())
    assert f"torch.{ops.dtype(x)}" == str(u.dtype)
    assert (ops.is_tensor(x), ops.is_tensor(X)) == (torch.is_tensor(u), torch.is_tensor(X))
    np.testing.assert_array_equal(ops.convert_to_numpy(x), u.numpy())


@DTYPES
def test_binary_step(dtype: str) -> None:
    """PyTorch's heaviside, whose value at 0 is an argument; no gradient flows."""
    x = np.array([-np.inf, -1, -0.0, 0.0, 1e-30, 2, np.inf], dtype)
    wanted = torch.heaviside(torch.tensor(x), torch.tensor(ops.binary_step([0.0]).item(), dtype=getattr(torch, dtype)))
    for step in (ops.binary_step, lm.activations.binary_step):
        t = lm.tensor(x, requires_grad=True)
        y = step(t)
        np.testing.assert_array_equal(y.numpy(), wanted.numpy())
        if y.requires_grad:
            y.sum().backward()
            assert not t.grad.numpy().any()
