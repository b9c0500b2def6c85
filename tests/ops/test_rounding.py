import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X = random.uniform(-3, 3, (6, 5)).round(3) + 0.0003
STEPS = {"sign": np.sign, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.round}


@pytest.mark.parametrize("name", STEPS)
def test_steps(name):
    check_op(getattr(lm.ops, name), [X], STEPS[name])
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 0.5, 1.5, -0.5])
    np.testing.assert_array_equal(getattr(lm.ops, name)(special).numpy(), STEPS[name](special))
    x = lm.tensor(X, requires_grad=True)
    getattr(lm.ops, name)(x).sum().backward()
    assert not x.grad.numpy().any()
    assert getattr(lm.ops, name)([-3, 2]).numpy().tolist() == ([-1, 1] if name == "sign" else [-3, 2])
    with pytest.raises(TypeError, match="expected an array of numbers"):
        getattr(lm.ops, name)(np.zeros(3, np.complex64))


def test_decimals():
    check_op(lambda x: lm.ops.round(x, 1), [X], lambda x: np.round(x, 1))
    assert lm.ops.round([15, 25, 149], -1).numpy().tolist() == [20, 20, 150]
    with pytest.raises(TypeError, match=r"round: decimals must be an integer, got 1\.5"):
        lm.ops.round(X, 1.5)


@pytest.mark.parametrize(("a", "b"), [((6, 5), (6, 5)), ((6, 5), (5,)), ((6, 1), (6, 5)), ((6, 5), ())])
@pytest.mark.parametrize("name", ["mod", "floor_divide"])
def test_division(name, a, b):
    left, right = random.uniform(1, 9, a), random.uniform(1, 3, b) * random.choice([-1, 1], b)
    batched = [i for i, shape in enumerate((a, b)) if len(shape) == 2]
    check_op(getattr(lm.ops, name), [left, right], getattr(np, name), batched=batched)


def test_division_by_zero():
    assert np.isnan(lm.ops.mod(lm.tensor([1.0]), 0.0).item())
    assert lm.ops.floor_divide(lm.tensor([1.0]), 0.0).item() == np.inf
    for name in ("mod", "floor_divide"):
        with pytest.raises(ValueError, match=f"{name}: integers cannot be divided by 0"):
            getattr(lm.ops, name)([1, 2], [1, 0])
        with pytest.raises(ValueError, match=f"{name}: shapes"):
            getattr(lm.ops, name)(np.zeros(2), np.zeros(3))
        with pytest.raises(TypeError, match=f"{name}: no integer holds both"):
            getattr(lm.ops, name)(np.ones(1, np.uint64), np.ones(1, np.int64))


def test_operators():
    x = lm.tensor([7.0, -7.0])
    assert (x % 3).numpy().tolist() == [1, 2]
    assert (7.0 % lm.tensor([2.0])).item() == 1
    assert (x // 2).numpy().tolist() == [3, -4]
    assert (9 // lm.tensor([2])).numpy().tolist() == [4]
    assert abs(x).numpy().tolist() == [7, 7]


def test_reciprocal():
    check_op(lm.ops.reciprocal, [random.uniform(0.5, 2, (4, 3))], lambda x: 1 / x)
    assert lm.ops.reciprocal([2]).dtype == np.float32
