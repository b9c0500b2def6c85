import numpy as np
import pytest

import lamina as lm

L = lm.layers
random = np.random.default_rng(0)


def arrays(*shapes, dtype=np.float64):
    return [random.normal(size=s).astype(dtype) for s in shapes]


ELEMENTWISE = [
    (L.Add, lambda *a: sum(a)),
    (L.Multiply, lambda *a: np.prod(np.broadcast_arrays(*a), 0)),
    (L.Average, lambda *a: sum(a) / len(a)),
    (L.Maximum, lambda *a: np.max(np.broadcast_arrays(*a), 0)),
    (L.Minimum, lambda *a: np.min(np.broadcast_arrays(*a), 0)),
]


def check(layer, inputs, expected):
    layer = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
    y = layer(inputs)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
    assert y.dtype == np.float64
    shape = layer.compute_output_shape([(None, *x.shape[1:]) for x in inputs])
    assert tuple(shape) == (None, *y.shape[1:])
    assert layer.flops([(None, *x.shape[1:]) for x in inputs]) >= 0
    lm.grad_check(lambda *t: layer(list(t)), inputs)
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(inputs).numpy(), y.numpy())
    assert layer([x[:0] for x in inputs]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize(("layer", "reference"), ELEMENTWISE)
def test_elementwise(layer, reference):
    for shapes in ([(3, 4)], [(3, 4, 5)] * 2, [(3, 4, 5), (3, 1, 5), (3, 4, 1)]):
        inputs = arrays(*shapes)
        check(layer(), inputs, reference(*inputs))
    a, b = arrays((3, 4, 5), (3, 5))  # samples are aligned at their last axis
    check(layer(), [a, b], reference(a, b[:, None]))
    c, d = arrays((3, 1, 5), (3, 4, 2, 1))
    check(layer(), [c, d], reference(c[:, None], d))


def test_subtract():
    a, b = arrays((3, 4), (3, 1))
    check(L.Subtract(), [a, b], a - b)


@pytest.mark.parametrize("axis", [-1, 1, 2, 0])
def test_concatenate(axis):
    shapes = [[2, 4, 5] for _ in range(3)]
    for i, shape in enumerate(shapes):
        shape[axis] += i
    inputs = arrays(*shapes)
    layer = L.Concatenate(axis, dtype="float64")
    expected = np.concatenate(inputs, axis)
    np.testing.assert_array_equal(layer(inputs).numpy(), expected)
    if axis:
        check(layer, inputs, expected)
    assert L.Concatenate(1).compute_output_shape([(None, None, 4), (None, 3, 4)]) == (None, None, 4)


def test_dot():
    a, b = arrays((3, 4, 5), (3, 4, 6))
    check(L.Dot(1), [a, b], np.einsum("nki,nkj->nij", a, b))
    c, d = arrays((3, 5), (3, 2, 5, 6))
    check(L.Dot((1, 2)), [c, d], np.einsum("nk,nikj->nij", c, d))
    check(L.Dot((2, -2)), [a, d], np.einsum("nak,nikj->naij", a, d))
    e, f = arrays((3, 5), (3, 5))
    check(L.Dot(-1), [e, f], np.einsum("nk,nk->n", e, f)[:, None])
    cosine = np.einsum("nk,nk->n", e, f) / np.linalg.norm(e, axis=1) / np.linalg.norm(f, axis=1)
    check(L.Dot(1, normalize=True), [e, f], cosine[:, None])
    zero = L.Dot(1, normalize=True, dtype="float64")([np.zeros((1, 5)), f[:1]])
    assert zero.item() == 0


def test_functions():
    a, b = arrays((3, 4), (3, 4), dtype=np.float32)
    for name, expected in [
        ("add", a + b), ("subtract", a - b), ("multiply", a * b), ("average", (a + b) / 2),
        ("maximum", np.maximum(a, b)), ("minimum", np.minimum(a, b)), ("concatenate", np.concatenate([a, b], 1)),
    ]:  # fmt: skip
        np.testing.assert_allclose(getattr(L, name)([a, b]).numpy(), expected, rtol=1e-6)
    assert L.dot([a, b]).shape == (3, 1)
    assert L.concatenate([a, b], 0).shape == (6, 4)


A, B = np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L.Add()(A), ValueError, "add.*: expected a list of tensors, got one of shape"),
        (lambda: L.Add()([A, B]), ValueError, r"samples of shapes \(3,\) and \(4,\) do not broadcast"),
        (lambda: L.Add()([A, A[:1]]), ValueError, "expected batches of one size"),
        (lambda: L.Subtract()([A, A, A]), ValueError, "subtract.*: expected a list of 2 tensors"),
        (lambda: L.Subtract()([A]), ValueError, "expected a list of 2 tensors"),
        (lambda: L.Concatenate()(A), ValueError, "concatenate.*: expected a list of tensors"),
        (lambda: L.Concatenate(0)([A, B]), ValueError, "differ beyond axis 0"),
        (lambda: L.Concatenate(2)([A, B]), ValueError, "axis 2 is out of range"),
        (lambda: L.Concatenate(1.5), TypeError, "axis must be an integer"),
        (lambda: L.Dot(1)([A, B]), ValueError, "axes 1 and 1 must be of one size"),
        (lambda: L.Dot(0)([A, A]), ValueError, "axes must not be the batch"),
        (lambda: L.Dot(3)([A, A]), ValueError, "axis 3 is out of range"),
        (lambda: L.Dot((1, 1, 1)), ValueError, "axes must be an integer or two of them"),
        (lambda: L.Dot(1.5), TypeError, "axes must be integers"),
        (lambda: L.Dot(1)([A, A, A]), ValueError, "expected a list of 2 tensors"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
