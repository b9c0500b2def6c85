"""Two gradients of one tensor reach a normalisation with residual and relu before they are added up."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu, backend
from lamina.autograd.unsummed import Unsummed
from op_testing import check_gradients, check_same_bits

random = np.random.default_rng(0)


def block(x, residual, activation="relu"):
    return lm.ops.batch_norm(x, None, None, None, None, training=True, activation=activation, residual=residual)


def read_twice(y):
    return y * 2.0 + lm.ops.tanh(y)


def spied(monkeypatch):
    """What normalisations are given as a second gradient, as it comes."""
    given = []
    kernel = _cpu.batch_norm_backward

    class Spy:
        def __getattr__(self, name):
            return getattr(_cpu, name)

        def batch_norm_backward(self, *args, **kwargs):
            given.append(kwargs.get("more_dy"))
            return kernel(*args, **kwargs)

    spy = Spy()
    monkeypatch.setattr(backend, "kernels", lambda array: spy)
    return given


@pytest.mark.parametrize("shape", [(7, 5), (2, 9, 9, 16), (600, 19)])
def test_the_sum_is_that_of_two_arrays(shape, monkeypatch):
    inputs = [random.normal(size=shape), random.normal(size=shape)]

    def op(x, residual):
        return read_twice(block(x, residual))

    check_gradients(op, inputs, places=8)
    check_same_bits(op, [a.astype(np.float32) for a in inputs])
    given = spied(monkeypatch)
    found = []
    for holds in (Unsummed.holds, lambda a, b: False):
        monkeypatch.setattr(Unsummed, "holds", staticmethod(holds))
        tensors = [lm.tensor(a.astype(np.float32), requires_grad=True) for a in inputs]
        op(*tensors).backward(np.ones(shape, np.float32))
        found.append([t.grad.numpy() for t in tensors])
    assert [a is not None for a in given] == [True, False]
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_past_the_caches():
    """From 16 MB on, the residual's gradient is streamed."""
    x, residual = [random.normal(size=(70_000, 64)).astype(np.float32) for _ in range(2)]
    tensors = [lm.tensor(a, requires_grad=True) for a in (x, residual)]
    y = block(*tensors)
    (y * 2.0 + y * 0.5).backward(np.ones(y.shape, np.float32))
    np.testing.assert_array_equal(tensors[1].grad.numpy(), np.where(y.numpy() > 0, np.float32(2.5), 0))


def test_one_reader_three_readers_and_without_relu(monkeypatch):
    """One gradient comes alone; sums of three, and those that are read in two passes, are written out."""
    x, residual = random.normal(size=(2, 8, 4))
    given = spied(monkeypatch)
    for readers, activation, second in [(1, "relu", False), (3, "relu", False), (2, "linear", False)]:
        held = lm.tensor(residual, requires_grad=True)
        y = block(lm.tensor(x), held, activation)
        total = y * 1.0
        for factor in range(1, readers):
            total = total + y * (factor + 1.0)
        total.backward(np.ones((8, 4)))
        factor = sum(range(1, readers + 1))
        slope = np.where(y.numpy() > 0, factor, 0) if activation == "relu" else np.full((8, 4), factor)
        np.testing.assert_array_equal(held.grad.numpy(), slope)
        assert (given[-1] is not None) == second


def test_gradients_of_what_lies_between():
    """lamina.grad gives the sum itself, and the caller's gradient array stays as it was."""
    x, residual = (lm.tensor(a, requires_grad=True) for a in random.normal(size=(2, 6, 3)))
    y = block(x, residual)
    (dy,) = lm.grad(lm.ops.sum(y * 2.0 + y * 3.0), [y])
    np.testing.assert_array_equal(dy.numpy(), np.full((6, 3), 5.0))
    given = np.ones((6, 3))
    z = block(x, residual)
    (z + z).backward(given)
    np.testing.assert_array_equal(given, np.ones((6, 3)))


def test_sums_of_16_bits_are_rounded():
    array = np.ones(3, np.float16)
    assert not Unsummed.holds(array, array)
    assert not Unsummed.holds(np.ones(3), np.ones(3, np.float32))
    assert not Unsummed.holds(np.ones(3), Unsummed(np.ones(3), np.ones(3)))


def test_a_sum_needs_room_for_the_residual_gradient():
    x, line = np.ones((4, 3), np.float32), np.ones(3, np.float32)
    with pytest.raises(ValueError, match="a sum of gradients needs dz"):
        _cpu.batch_norm_backward(x, line, line, line, line, None, x, None, None, None, None, True, True, x)
