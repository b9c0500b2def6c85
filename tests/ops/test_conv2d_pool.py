"""A convolution and the max pool behind it: the bits of both ops forward, sums over windows backward."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from lamina.ops import conv2d_pool as module
from lamina.ops.conv2d_pool import conv2d_pool
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)


def normal(*shape):
    return random.normal(size=shape)


def one_by_one(x, kernel, bias, strides, padding, dilation_rate, groups, activation, *pool):
    y = lm.ops.conv2d(x, kernel, bias, strides, padding, dilation_rate, groups, activation)
    return lm.ops.max_pool2d(lm.ops.reshape(y, y.shape), *pool)  # reshape wants gradients that are written out


# x, kernel, what conv2d takes, what max_pool2d takes
GEOMETRIES = {
    "one channel": ((37, 28, 28, 1), (3, 3, 1, 32), (1, "valid", 1, 1), (2, None, "valid")),
    "ragged": ((5, 13, 11, 3), (3, 2, 3, 37), (1, "same", 1, 1), (2, None, "valid")),
    "strides and dilation": ((3, 23, 26, 2), (3, 5, 2, 7), ((2, 1), ((1, 0), (2, 3)), (1, 2), 1), (2, 2, "valid")),
    "strides of both": ((2, 21, 24, 3), (7, 7, 3, 70), (2, "same", 1, 1), (2, 2, "valid")),
    "wide": ((1, 4, 1009, 1), (1, 3, 1, 5), (1, "valid", 1, 1), (2, 2, "valid")),
    "overlapping windows": ((3, 15, 14, 2), (3, 3, 2, 5), (1, "valid", 1, 1), (3, 2, "same")),
    "many channels": ((9, 12, 13, 19), (3, 3, 19, 21), (1, "same", 1, 1), (2, None, "valid")),
    "groups": ((4, 10, 10, 4), (3, 3, 2, 6), (1, "valid", 1, 2), (2, None, "valid")),
    "a pool of 17 x 17": ((2, 40, 40, 1), (3, 3, 1, 3), (1, "valid", 1, 1), (17, 3, "valid")),
}


def run(function, inputs, geometry, activation):
    tensors = [lm.tensor(a, requires_grad=True) for a in inputs]
    y = function(*tensors, *geometry[2], activation, *geometry[3])
    y.backward(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))
    return y.numpy(), [t.grad.numpy() for t in tensors]


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
def test_both_ops_in_one(name, activation):
    geometry = GEOMETRIES[name]
    inputs = [normal(*geometry[0]), normal(*geometry[1]) / 3, normal(geometry[1][-1])]
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 2e-5)):
        typed = [a.astype(dtype) for a in inputs]
        (y, grads), (wanted, wanted_grads) = (run(f, typed, geometry, activation) for f in (conv2d_pool, one_by_one))
        np.testing.assert_array_equal(y, wanted)
        for got, grad in zip(grads, wanted_grads, strict=True):
            np.testing.assert_allclose(got, grad, rtol=tolerance, atol=tolerance * np.abs(grad).max())


@pytest.mark.parametrize("name", ["one channel", "ragged", "strides of both"])
def test_same_bits(name):
    x, kernel, conv, pool = GEOMETRIES[name]
    inputs = [normal(*x), normal(*kernel), normal(kernel[-1])]
    check_same_bits(lambda x, w, b: conv2d_pool(x, w, b, *conv, "relu", *pool), [a.astype("f4") for a in inputs])


def windows(x, kernel):
    """The largest of each 2 x 2 windows of a 3 x 3 convolution without padding."""
    y = sum(
        np.einsum("nhwc,ck->nhwk", x[:, i : i + x.shape[1] - 2, j : j + x.shape[2] - 2], kernel[i, j])
        for i in range(3)
        for j in range(3)
    )
    height, width = y.shape[1] // 2, y.shape[2] // 2
    return y[:, : 2 * height, : 2 * width].reshape(len(y), height, 2, width, 2, -1).max((2, 4))


def test_op():
    check_op(
        lambda x, w: conv2d_pool(x, w, None, 1, "valid", 1, 1, None, 2, None, "valid"),
        [normal(6, 9, 8, 2), normal(3, 3, 2, 5) / 3],
        windows,
        narrow=False,  # Conv2D hands floats of 16 bits to the two ops
    )


def test_without_a_gradient_of_some():
    """The kernel's alone, the bias's alone, and that of x beside them: the same bits each time."""
    inputs = [a.astype("f4") for a in (normal(5, 12, 12, 1), normal(3, 3, 1, 4), normal(4))]
    found = []
    for wanted in ((True, True, True), (False, True, True), (False, True, False), (False, False, True)):
        x, w, b = (lm.tensor(a, requires_grad=r) for a, r in zip(inputs, wanted, strict=True))
        conv2d_pool(x, w, b, 1, "valid", 1, 1, "relu", 2, None, "valid").sum().backward()
        found.append([None if t.grad is None else t.grad.numpy() for t in (x, w, b)])
    for grads in found[1:]:
        for got, all_of_them in zip(grads, found[0], strict=True):
            if got is not None:
                np.testing.assert_allclose(got, all_of_them, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found[1][1], found[0][1])
    np.testing.assert_array_equal(found[2][1], found[0][1])


def test_direct_mode_sums_over_pixels(monkeypatch):
    """There a GPU's bits are those of the CPU."""
    seen = []
    before = _cpu.conv2d_backward_kernel
    monkeypatch.setattr(_cpu, "conv2d_backward_kernel", lambda *a: [seen.append(1), before(*a)][1])
    w = lm.tensor(normal(3, 3, 1, 4).astype("f4"), requires_grad=True)
    for mode, count in (("fast", 0), ("direct", 1)):
        lm.set_convolution(mode)
        try:
            conv2d_pool(
                normal(2, 8, 8, 1).astype("f4"), w, None, 1, "valid", 1, 1, None, 2, 2, "valid"
            ).sum().backward()
        finally:
            lm.set_convolution("fast")
        assert len(seen) == count


def test_large_images_go_through_one_by_one(monkeypatch):
    monkeypatch.setattr(module, "MOST_BETWEEN", 10)
    monkeypatch.setattr(_cpu, "conv2d_pool_forward", None)
    geometry = GEOMETRIES["one channel"]
    inputs = [normal(*geometry[0]), normal(*geometry[1]), normal(geometry[1][-1])]
    np.testing.assert_array_equal(
        run(conv2d_pool, inputs, geometry, "relu")[0], run(one_by_one, inputs, geometry, "relu")[0]
    )


def test_empty_batch():
    w = lm.tensor(normal(3, 3, 1, 4), requires_grad=True)
    b = lm.tensor(normal(4), requires_grad=True)
    y = conv2d_pool(np.zeros((0, 8, 8, 1)), w, b, 1, "valid", 1, 1, "relu", 2, None, "valid")
    assert y.shape == (0, 3, 3, 4)
    y.sum().backward()
    assert not w.grad.numpy().any()
    assert not b.grad.numpy().any()


def test_what_the_ops_refuse_is_refused():
    x, w = normal(2, 8, 8, 1), normal(3, 3, 1, 4)
    with pytest.raises(ValueError, match="max_pool2d: pool_size 7 is larger than the input, 6"):
        conv2d_pool(x, w, None, 1, "valid", 1, 1, None, 7, None, "valid")
    with pytest.raises(ValueError, match="conv2d: kernel takes 1 channels"):
        conv2d_pool(normal(2, 8, 8, 2), w, None, 1, "valid", 1, 1, None, 2, None, "valid")
    with pytest.raises(TypeError, match="conv2d: strides must be an integer"):
        conv2d_pool(x, w, None, 1.5, "valid", 1, 1, None, 2, None, "valid")


def kernel_arguments():
    x, y, dw = (np.zeros(s, "f4") for s in ((2, 8, 8, 1), (2, 3, 3, 4), (3, 3, 1, 4)))
    return [x, y, y, np.zeros(y.shape, "u1"), dw, np.zeros(4, "f4"), (1, 1, 1, 1, 0, 0, 0, 0), 1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, np.zeros((2, 8, 8), "f4")),
        (1, None),
        (2, np.zeros((2, 3, 4, 4), "f4")),
        (3, np.zeros((2, 3, 3, 4), "i4")),
        (4, np.zeros((3, 3, 2, 4), "f4")),
        (5, np.zeros(3, "f4")),
        (6, (1, 1, 1, 1)),
        (7, 9),
    ],
)
def test_the_binding_guards_memory(place, value):
    arguments = kernel_arguments()
    _cpu.conv2d_pool_backward_kernel(*arguments)
    arguments[place] = value
    with pytest.raises((ValueError, TypeError)):
        _cpu.conv2d_pool_backward_kernel(*arguments)


def test_any_place_is_taken_for_one_of_four():
    arguments = kernel_arguments()
    arguments[3][...] = 255
    _cpu.conv2d_pool_backward_kernel(*arguments)
