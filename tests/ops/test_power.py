import numpy as np
import pytest

import lamina as lm
from op_testing import check_forward, check_op

random = np.random.default_rng(0)
X = random.uniform(0.3, 3, size=(4, 6))


@pytest.mark.parametrize("exponent", [2, 3, 0.5, -1, -0.5, 1, 0, 7, -3, 2.5, 2.0, 0.3, -1.7, 65])
def test_numbers(exponent):
    check_op(lambda x: x**exponent, [X], lambda x: x**exponent, tolerance={np.float32: 2e-5})


def test_whole_powers_of_negative_numbers():
    check_op(lambda x: x**3, [-X], lambda x: x**3)
    check_op(lambda x: x**-2, [-X], lambda x: x**-2.0)


def test_tensors():
    exponents = random.normal(size=(4, 6))
    check_op(lm.ops.power, [X, exponents], np.power, batched=(0, 1))
    check_op(lm.ops.power, [X, exponents[0]], np.power)
    check_op(lambda b: 2**b, [exponents], lambda b: 2**b)


def test_special_values():
    special = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, np.inf, -np.inf, np.nan])
    with np.errstate(all="ignore"):
        check_forward(lm.ops.power, [np.abs(special)[:, None], special], np.power)
        check_forward(lm.ops.power, [np.array([-1.5, -2.0])[:, None], np.array([2.0, 3.0, -1.0, 0.5])], np.power)


def test_gradient_at_zero():
    x = lm.tensor([0.0], requires_grad=True)
    for exponent, slope in [(2, 0.0), (1, 1.0), (0, 0.0), (0.5, np.inf)]:
        x.zero_grad()
        (x**exponent).backward()
        assert x.grad.item() == slope


def test_integers():
    x = lm.tensor([2, 3])
    assert (x**2).numpy().tolist() == [4, 9]
    assert (x**2).dtype == np.int64
    assert (x**0.5).dtype == np.float32
    with pytest.raises(ValueError, match="power: integers cannot have a negative exponent"):
        x**-1


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.power(lm.tensor(np.ones(2, np.complex64)), 2)


def test_arrays_are_raised_like_tensors():
    x = np.random.default_rng(0).uniform(0.1, 9, 1000).astype(np.float32)
    for exponent in (3, 0.5, -2.5):
        np.testing.assert_array_equal(lm.ops.power(x, exponent).numpy(), (lm.tensor(x) ** exponent).numpy())
    assert lm.ops.power(2, 3).numpy().tolist() == 8
