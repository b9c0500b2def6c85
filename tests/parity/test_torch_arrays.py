"""Array ops and their gradients beside PyTorch's. Skipped unless torch is installed (".[parity]")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
ops = lm.ops

Case = tuple[str, list[np.ndarray[Any, Any]], Callable[..., Any], Callable[..., Any]]
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-9)], ids=["32", "64"])


def values(*shape: int, low: float = -2, high: float = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape) + len(shape)).uniform(low, high, shape)


def unary(name: str, low: float = -2, high: float = 2, theirs: str | None = None) -> list[Case]:
    shapes = [(7,), (3, 1, 5), (33, 65)]
    return [
        (f"{name}-{shape}", [values(*shape, low=low, high=high)], getattr(ops, name), getattr(torch, theirs or name))
        for shape in shapes
    ]


def binary(name: str, low: float = -2, high: float = 2, theirs: str | None = None) -> list[Case]:
    shapes = [
        ((5, 7), (5, 7)),
        ((4, 5, 3), (3,)),
        ((4, 1, 3), (1, 6, 1)),
        ((40, 1), (40, 70)),
        ((9,), ()),
        ((2, 3, 4, 3), (4, 3)),
    ]
    return [
        (
            f"{name}-{a}-{b}",
            [values(*a, low=low, high=high), values(*b, low=low, high=high) + 0.001],
            getattr(ops, name),
            getattr(torch, theirs or name),
        )
        for a, b in shapes
    ]  # fmt: skip


def over_axes(name: str, theirs: Callable[..., Any], *, several: bool = True, positive: bool = False) -> list[Case]:
    cases: list[Case] = []
    for axis in [0, -1, 1, *([(0, 2), (1, 2), (0, 1, 2)] if several else [])]:
        for keepdims in (False, True):
            x = values(6, 5, 9, low=0.5 if positive else -2)
            cases.append(
                (
                    f"{name}-{axis}-{keepdims}",
                    [x],
                    lambda x, a=axis, k=keepdims: getattr(ops, name)(x, a, keepdims=k),
                    lambda x, a=axis, k=keepdims: theirs(x, a, keepdim=k),
                )
            )
    return cases


def case(name: str, arrays: list[Any], ours: Callable[..., Any], theirs: Callable[..., Any]) -> Case:
    return name, arrays, ours, theirs


def einsum(subscripts: str, *shapes: tuple[int, ...]) -> Case:
    arrays = [values(*shape) for shape in shapes]
    return case(
        f"einsum-{subscripts}",
        arrays,
        lambda *x: ops.einsum(subscripts, *x),
        lambda *x: torch.einsum(subscripts, *x),
    )


X = values(6, 5, 9)
INDEX = np.random.default_rng(1).integers(0, 6, (4, 7))
ALONG = np.random.default_rng(2).integers(0, 5, (6, 11, 9))
LONG = torch.from_numpy
CASES: list[Case] = [
    *[c for name in ("sin", "cos", "tan", "sinh", "cosh", "exp", "expm1", "tanh", "sigmoid", "erf", "square")
      for c in unary(name, -1.2, 1.2)],
    *[c for name in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal") for c in unary(name, 0.1, 4)],
    *unary("sin", -1e4, 1e4), *unary("cos", -1e4, 1e4), *unary("arcsin", -0.9, 0.9), *unary("arccos", -0.9, 0.9),
    *unary("arctan", -9, 9), *unary("arcsinh", -9, 9), *unary("arccosh", 1.1, 9), *unary("arctanh", -0.9, 0.9),
    *[c for name in ("floor", "ceil", "trunc", "round", "sign", "abs", "negative") for c in unary(name)],
    *[c for name in ("add", "subtract", "multiply", "maximum", "minimum", "arctan2", "hypot", "logaddexp")
      for c in binary(name)],
    *binary("divide", 0.5, 3), *binary("power", 0.2, 3, "pow"), *binary("mod", 0.3, 3, "remainder"),
    *[(n, x, o, lambda a, b: torch.floor_divide(a.detach(), b.detach()))  # torch has no gradient for it
      for n, x, o, _ in binary("floor_divide", 0.3, 3)],
    *[case(f"power-{p}", [values(5, 7, low=0.1)], lambda x, p=p: ops.power(x, p), lambda x, p=p: x**p)
      for p in (0, 1, 2, 3, -1, 0.5, -0.5, 2.5, 0.3, -1.7)],
    *over_axes("sum", torch.sum), *over_axes("mean", torch.mean), *over_axes("logsumexp", torch.logsumexp),
    *over_axes("max", torch.amax), *over_axes("min", torch.amin), *over_axes("prod", torch.prod, several=False),
    *over_axes("var", lambda x, a, keepdim: torch.var(x, a, correction=0, keepdim=keepdim)),
    *over_axes("std", lambda x, a, keepdim: torch.std(x, a, correction=0, keepdim=keepdim)),
    *[case(f"norm-{ord}-{axis}", [X], lambda x, o=ord, a=axis: ops.norm(x, o, a),
           lambda x, o=ord, a=axis: torch.linalg.vector_norm(x, 2 if o is None else o, a))
      for ord in (None, 1, 2, 3, 0.5, float("inf"), -float("inf")) for axis in (0, -1)],
    *[case(f"norm-{ord}-{axis}", [X], lambda x, o=ord, a=axis: ops.norm(x, o, a),
           lambda x, o=ord, a=axis: torch.linalg.matrix_norm(x, o, a))
      for ord in ("fro", 1, -1, float("inf")) for axis in ((0, 1), (2, 0))],
    *[case(f"{name}-{axis}", [X], lambda x, n=name, a=axis: getattr(ops, n)(x, a),
           lambda x, n=name, a=axis: getattr(torch, n)(x, a)) for name in ("cumsum", "cumprod") for axis in (0, 1, -1)],
    case("prod-zeros", [np.where(X > 1, 0, X)], lambda x: ops.prod(x, 1), lambda x: torch.prod(x, 1)),
    case("cumprod-zeros", [np.where(X > 1, 0, X)], lambda x: ops.cumprod(x, 1), lambda x: torch.cumprod(x, 1)),
    case("max-ties", [X.round()], lambda x: ops.max(x, (0, 2)), lambda x: torch.amax(x, (0, 2))),
    case("maximum-ties", [X.round(), -X.round()], ops.maximum, torch.maximum),
    case("clip", [X], lambda x: ops.clip(x, -1, 1.0), lambda x: torch.clamp(x, -1, 1)),
    case("clip-on-the-bounds", [X.round()], lambda x: ops.clip(x, -1, 1.0), lambda x: torch.clamp(x, -1, 1)),
    case("where", [X, X * 2], lambda x, y: ops.where(x > 0, x, y), lambda x, y: torch.where(x > 0, x, y)),
    *[case(f"take-{axis}", [X], lambda x, a=axis: ops.take(x, INDEX % 5, a),
           lambda x, a=axis: torch.index_select(x, a, LONG(INDEX % 5).reshape(-1)).reshape(
               *x.shape[:a], 4, 7, *x.shape[a + 1:])) for axis in (0, 1, 2)],
    case("embedding", [X[:, :, 0]], lambda x: ops.take(x, INDEX, 0),
         lambda x: torch.nn.functional.embedding(LONG(INDEX), x)),
    case("getitem", [X], lambda x: x[:, [0, 0, 3], 1:], lambda x: x[:, [0, 0, 3], 1:]),
    case("getitem-two", [X], lambda x: x[[0, 1, 0], [4, 4, 4]], lambda x: x[[0, 1, 0], [4, 4, 4]]),
    case("getitem-mask", [X], lambda x: x[lm.tensor(X > 0)], lambda x: x[LONG(X > 0)]),
    case("take_along_axis", [X], lambda x: ops.take_along_axis(x, ALONG, 1), lambda x: torch.gather(x, 1, LONG(ALONG))),
    case("scatter_add", [X, values(4, 7, 5, 9)], lambda x, v: ops.scatter_add(x, INDEX[..., None], v),
         lambda x, v: x.index_add(0, LONG(INDEX).reshape(-1), v.reshape(28, 5, 9))),
    case("put_along_axis", [X, values(6, 1, 9)], lambda x, v: ops.put_along_axis(x, ALONG[:, :1], v, 1),
         lambda x, v: torch.scatter(x, 1, LONG(ALONG[:, :1]), v)),
    *[case(f"sort-{axis}", [X], lambda x, a=axis: ops.sort(x, a), lambda x, a=axis: torch.sort(x, a).values)
      for axis in (0, 1, -1)],
    case("top_k", [X], lambda x: ops.top_k(x, 4)[0], lambda x: torch.topk(x, 4).values),
    einsum("ij,jk->ik", (7, 9), (9, 5)), einsum("bij,bjk->bik", (3, 7, 9), (3, 9, 5)),
    einsum("bihd,bjhd->bhij", (2, 7, 3, 5), (2, 6, 3, 5)), einsum("bhij,bjhd->bihd", (2, 3, 7, 6), (2, 6, 3, 5)),
    einsum("i,j->ij", (3,), (4,)), einsum("bi,bi->b", (3, 4), (3, 4)), einsum("ii->i", (4, 4)), einsum("ii", (4, 4)),
    einsum("...ij,...jk->...ik", (6, 1, 3, 4), (2, 4, 5)), einsum("ij,jk,kl->il", (3, 4), (4, 5), (5, 6)),
    einsum("ijk->k", (3, 4, 5)), einsum("bij,bi,j->b", (3, 4, 5), (3, 4), (5,)),
    *[case(f"matmul-{a}-{b}", [values(*a), values(*b)], ops.matmul, torch.matmul) for a, b in (
        ((5,), (5,)), ((5,), (5, 3)), ((4, 5), (5,)), ((2, 4, 5), (5,)), ((5,), (2, 5, 3)), ((2, 1, 4, 5), (3, 5, 2)),
        ((2, 4, 5), (5, 3)), ((4, 5), (2, 5, 3)), ((0, 4, 5), (5, 3)))],
    case("tensordot", [values(4, 5, 6), values(5, 6, 3)], lambda a, b: ops.tensordot(a, b, 2),
         lambda a, b: torch.tensordot(a, b, 2)),
    case("tensordot-axes", [values(4, 5, 6), values(6, 3, 4)], lambda a, b: ops.tensordot(a, b, ([0, 2], [2, 0])),
         lambda a, b: torch.tensordot(a, b, ([0, 2], [2, 0]))),
    case("inner", [values(4, 5), values(3, 5)], ops.inner, torch.inner),
    case("outer", [values(4), values(3)], ops.outer, torch.outer),
    case("cross", [values(1, 4, 3), values(5, 1, 3)], ops.cross, lambda a, b: torch.linalg.cross(a, b)),
    *[case(f"{name}-{k}", [X], lambda x, n=name, k=k: getattr(ops, n)(x, k),
           lambda x, n=name, k=k: getattr(torch, n)(x, k)) for name in ("tril", "triu") for k in (-2, 0, 3)],
    *[case(f"diagonal-{k}", [X], lambda x, k=k: ops.diagonal(x, k, 2, 0), lambda x, k=k: torch.diagonal(x, k, 2, 0))
      for k in (-2, 0, 3)],
    case("diag", [values(5)], lambda x: ops.diag(x, -1), lambda x: torch.diag(x, -1)),
    case("trace", [values(5, 5)], ops.trace, torch.trace),
    case("broadcast_to", [values(5, 1)], lambda x: ops.broadcast_to(x, (2, 5, 3)), lambda x: x.broadcast_to(2, 5, 3)),
    case("meshgrid", [values(5), values(3)], lambda *x: ops.meshgrid(*x)[0],
         lambda *x: torch.meshgrid(*x, indexing="xy")[0]),
]  # fmt: skip


def assert_close(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    assert ours.shape == theirs.shape, what
    scale = np.sqrt(np.mean(theirs**2)) if theirs.size else 1.0
    scale = scale or 1.0
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@DTYPES
@pytest.mark.parametrize(("arrays", "ours", "theirs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_op(
    arrays: list[Any], ours: Callable[..., Any], theirs: Callable[..., Any], dtype: Any, tolerance: float
) -> None:
    arrays = [np.asarray(a, dtype) for a in arrays]
    x = [lm.tensor(a, requires_grad=True) for a in arrays]
    u = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, v = ours(*x), theirs(*u)
    assert_close(y.numpy(), v.detach().numpy(), tolerance, "forward")
    dy = np.asarray(np.random.default_rng(1234).standard_normal(tuple(v.shape)), dtype)
    y.backward(dy)
    if not v.requires_grad:  # torch knows no gradient here, ours is 0
        assert all(t.grad is None or not t.grad.numpy().any() for t in x)
        return
    v.backward(torch.tensor(dy))
    for i, (a, b) in enumerate(zip(x, u, strict=True)):
        wanted = np.zeros(b.shape, dtype) if b.grad is None else b.grad.numpy()
        assert_close(np.zeros(a.shape, dtype) if a.grad is None else a.grad.numpy(), wanted, tolerance, f"gradient {i}")


COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
NAMES = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.5])


@DTYPES
@pytest.mark.parametrize(
    ("name", "theirs"),
    [*zip(NAMES, COMPARISONS, strict=True), *[(n, n) for n in ("logical_and", "logical_or", "logical_xor")]],
)
def test_comparison(name: str, theirs: str, dtype: Any, tolerance: float) -> None:
    a, b = SPECIAL[:, None].astype(dtype), SPECIAL.astype(dtype)
    expected = getattr(torch, theirs)(torch.tensor(a), torch.tensor(b)).numpy()
    np.testing.assert_array_equal(getattr(ops, name)(a, b).numpy(), expected)


@DTYPES
@pytest.mark.parametrize(
    "name", ["isnan", "isinf", "isfinite", "logical_not", "sign", "floor", "ceil", "trunc", "round"]
)
def test_special_values(name: str, dtype: Any, tolerance: float) -> None:
    x = SPECIAL[1:].astype(dtype) if name == "sign" else SPECIAL.astype(dtype)  # torch's sign of NaN is 0
    np.testing.assert_array_equal(getattr(ops, name)(x).numpy(), getattr(torch, name)(torch.tensor(x)).numpy())


@DTYPES
def test_powers_of_special_values(dtype: Any, tolerance: float) -> None:
    a, b = SPECIAL[:, None].astype(dtype), np.append(SPECIAL, [0.5, 3.0, -3.0, 2.0]).astype(dtype)
    expected = torch.pow(torch.tensor(a), torch.tensor(b)).numpy()
    np.testing.assert_allclose(ops.power(a, b).numpy(), expected, rtol=tolerance)


@DTYPES
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places(name: str, dtype: Any, tolerance: float) -> None:
    for axis in (None, 0, 1, -1):
        for keepdims in (False, True):
            ours = getattr(ops, name)(X.astype(dtype), axis, keepdims=keepdims and axis is not None)
            theirs = getattr(torch, name)(torch.tensor(X.astype(dtype)), axis, keepdim=keepdims and axis is not None)
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_order_and_frequency() -> None:
    x = np.random.default_rng(3).integers(0, 9, 50)
    t = torch.tensor(x)
    np.testing.assert_array_equal(ops.argsort(x).numpy(), torch.argsort(t, stable=True).numpy())
    for ours, theirs in zip(ops.unique(x, True, True), torch.unique(t, True, True, True), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    np.testing.assert_array_equal(ops.bincount(x, minlength=12).numpy(), torch.bincount(t, minlength=12).numpy())
    sequence, sought = np.sort(values(30)), values(4, 5)
    for side in ("left", "right"):
        theirs = torch.searchsorted(torch.tensor(sequence), torch.tensor(sought), side=side)
        np.testing.assert_array_equal(ops.searchsorted(sequence, sought, side).numpy(), theirs.numpy())
    np.testing.assert_array_equal(ops.one_hot(x, 9, dtype="int64").numpy(), torch.nn.functional.one_hot(t, 9).numpy())
    values_, places = ops.top_k(X, 3)
    theirs = torch.topk(torch.tensor(X), 3)
    np.testing.assert_array_equal(values_.numpy(), theirs.values.numpy())
    np.testing.assert_array_equal(places.numpy(), theirs.indices.numpy())
    for ours, place in zip(ops.nonzero(X > 1), torch.nonzero(torch.tensor(X > 1), as_tuple=True), strict=True):
        np.testing.assert_array_equal(ours.numpy(), place.numpy())
