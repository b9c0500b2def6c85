"""EinsumDense beside Keras's: outputs and gradients of the same weights."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

CASES = [
    ("ab,bc->ac", 7, "c", (3, 5)),
    ("abc,cd->abd", (None, 7), None, (3, 4, 5)),
    ("...x,xy->...y", 7, "y", (3, 4, 5)),
    ("abc,cde->abde", (None, 2, 3), "de", (3, 4, 5)),
    ("abc,cde->abde", (None, 2, 3), "d", (3, 4, 5)),
    ("abcd,cde->abe", (None, 6), "e", (3, 4, 2, 5)),
    ("ab...,bc->ac...", 7, "c", (3, 5, 2, 4)),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
@pytest.mark.parametrize(("equation", "output_shape", "bias_axes", "shape"), CASES)
def test_layer(equation, output_shape, bias_axes, shape, dtype, tolerance):
    random = np.random.default_rng(0)
    x = random.normal(size=shape).astype(dtype)
    ours = lm.layers.EinsumDense(equation, output_shape, "relu", bias_axes, dtype=dtype)
    theirs = keras.layers.EinsumDense(equation, output_shape, "relu", bias_axes, dtype=dtype)
    theirs.build(shape)
    ours.build(shape)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    weights = [random.normal(size=w.shape).astype(dtype) for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    u, v = lm.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(u), theirs(v)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=tolerance, atol=tolerance)
    (y * y).sum().backward()
    (z * z).sum().backward()
    np.testing.assert_allclose(u.grad.numpy(), v.grad.numpy(), rtol=tolerance, atol=10 * tolerance)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.value.grad.numpy(), rtol=tolerance, atol=10 * tolerance)
