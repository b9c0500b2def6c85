import numpy as np
import pytest

import lamina as lm
from lamina.layers import Dense, EinsumDense

CASES = [
    ("ab,bc->ac", 7, "c", (3, 5)),
    ("abc,cd->abd", (None, 7), "d", (3, 4, 5)),
    ("...x,xy->...y", 7, "y", (3, 4, 5)),
    ("...x,xy->...y", 7, "y", (3, 5)),
    ("abc,cde->abde", (None, 2, 3), "de", (3, 4, 5)),
    ("abc,cde->abde", (None, 2, 3), "d", (3, 4, 5)),
    ("abcd,cde->abe", (None, 6), None, (3, 4, 2, 5)),
    ("ab...,bc->ac...", 7, "c", (3, 5, 2, 4)),
]


def values(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize(("equation", "output_shape", "bias_axes", "shape"), CASES)
def test_values_shapes_and_gradients(equation, output_shape, bias_axes, shape):
    layer = EinsumDense(equation, output_shape, "tanh", bias_axes, bias_initializer="random_normal", dtype="float64")
    x = values(*shape)
    y = layer(x)
    expected = np.einsum(equation, x, layer.kernel.numpy())
    if bias_axes:
        expected = expected + layer.bias.numpy()
    np.testing.assert_allclose(y.numpy(), np.tanh(expected), atol=1e-12)
    assert layer.compute_output_shape((None, *shape[1:])) == (None, *y.shape[1:])
    lm.grad_check(lambda x: layer(x), [x])
    again = EinsumDense.from_config(layer.get_config())
    again.build(shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x).numpy(), y.numpy())


def test_as_dense():
    x = values(3, 4, 5).astype("float32")
    dense, layer = Dense(7), EinsumDense("abc,cd->abd", (None, 7), bias_axes="d")
    y = dense(x).numpy()
    layer.build(x.shape)
    layer.set_weights(dense.get_weights())
    np.testing.assert_allclose(layer(x).numpy(), y, atol=1e-6)
    assert layer.flops((None, 4, 5)) == dense.flops((None, 4, 5))


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "message"),
    [
        ("ab,bc", 3, None, "must have the form"),
        ("...ab,bc->ac", 3, None, "must have the form"),
        ("...ab...,bc->...ac...", 3, None, "must have the form"),
        ("aab,bc->ac", 3, None, "a letter may stand once"),
        ("ab,bc->ad", 3, None, r"\['c', 'd'\] stand for no axis"),
        ("ab,bc->ac", 3, "b", "bias_axes must be letters of y"),
        ("ab,bc->ac", 0, None, "output_shape must hold positive integers"),
        ("ab,bc->ac", 2.5, None, "output_shape must hold positive integers"),
    ],
)
def test_what_the_constructor_refuses(equation, output_shape, bias_axes, message):
    with pytest.raises(ValueError, match=message):
        EinsumDense(equation, output_shape, bias_axes=bias_axes)


@pytest.mark.parametrize(
    ("equation", "output_shape", "shape", "message"),
    [
        ("ab,bc->ac", 3, (2, 3, 4), "does not fit x of 3 axes"),
        ("...ab,bc->...ac", 3, (2,), "does not fit x of 1 axes"),
        ("abc,cd->abd", 3, (2, 3, 4), "output_shape must have 2 sizes, those of 'bd'"),
        ("ab,bc->ca", 2, (2, 3), "the first axis of y is the batch"),
        ("abc,cd->abd", (5, 3), (2, 3, 4), "'b' has size 3 in x, but 5 in output_shape"),
        ("abc,cd->abd", (None, None), (2, 3, 4), "sizes must be known"),
    ],
)
def test_shapes_that_do_not_fit(equation, output_shape, shape, message):
    with pytest.raises(ValueError, match=message):
        EinsumDense(equation, output_shape)(np.ones(shape, "float32"))


def test_another_size_is_refused_before_data_come():
    layer = EinsumDense("abc,cd->abd", (None, 7))
    layer(lm.Input((4, 5)))
    assert layer(lm.Input((6, 5))).shape == (None, 6, 7)
    with pytest.raises(ValueError, match=r"x of shape \(None, 4, 3\) does not fit the kernel, \(5, 7\)"):
        layer(lm.Input((4, 3)))
