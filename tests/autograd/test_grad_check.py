import numpy as np
import pytest

import lamina as lm
from lamina.autograd.function import Function


class Cube(Function):
    """x ** 3, with a gradient that is off by a factor at places above a limit."""

    def forward(self, x, factor, limit):
        self.saved = x, factor, limit
        return x**3

    def backward(self, dy):
        x, factor, limit = self.saved
        return 3 * x**2 * dy * np.where(x > limit, factor, 1)


def cube(factor, limit=-np.inf):
    return lambda x: Cube.apply((x,), factor, limit)


X = np.array([[0.5, 1.0], [1.5, 2.0]])


def test_right_gradients_pass():
    assert lm.grad_check(cube(1), [X])
    assert lm.grad_check(lambda a, b: a * b + a, [X, X[0]])
    assert lm.grad_check(lambda a: (a * 2, a * a), [X])
    assert lm.grad_check(lambda a: a * 2, [3.0])


@pytest.mark.parametrize("factor", [0, -1, 1.01, np.nan])
def test_wrong_gradients_are_named(factor):
    with pytest.raises(AssertionError, match=r"grad_check: input 0 at \(1, 0\): backward gives .*, differences "):
        lm.grad_check(cube(factor, limit=1.2), [X])


def test_every_input_is_checked():
    with pytest.raises(AssertionError, match="grad_check: input 1 at"):
        lm.grad_check(lambda a, b: a * b.detach() + b * 0, [X, X])


def test_a_missing_gradient_is_caught():
    with pytest.raises(AssertionError, match="backward gives 0, differences"):
        lm.grad_check(lambda a: a.detach() * 2, [X])


def test_tolerances():
    with pytest.raises(AssertionError):
        lm.grad_check(cube(1 + 1e-4), [X], rtol=1e-5)
    assert lm.grad_check(cube(1 + 1e-4), [X])
    assert lm.grad_check(cube(2), [X], atol=100)


def test_inputs_are_copied_to_float64_and_others_handed_on():
    x = X.astype(np.float32)
    x.flags.writeable = False
    seen = []

    def function(a, index, missing):
        seen.append((a.dtype, index.dtype, missing))
        return a[index]

    assert lm.grad_check(function, [x, np.array([0, 1]), None])
    assert set(seen) == {(np.dtype(np.float64), np.dtype(np.int64), None)}
    assert lm.grad_check(lambda a: a * a, [lm.tensor(x)])


def test_places():
    calls = []

    def function(a):
        calls.append(1)
        return a * 2

    assert lm.grad_check(function, [np.ones(1000)], places=5)
    assert len(calls) == 1 + 2 * 5


def test_nothing_to_check():
    with pytest.raises(AssertionError, match="no input of floating point"):
        lm.grad_check(lambda a: a, [np.array([1, 2])])


def test_a_wrong_rule_for_an_op_that_it_is_a_part_of():
    with pytest.raises(AssertionError, match="grad_check"):
        lm.grad_check(lambda a: (cube(0.9)(a * 2) + 1).sum(), [X])
