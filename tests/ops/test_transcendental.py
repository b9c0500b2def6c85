import numpy as np
import pytest

import lamina as lm
from op_testing import FLOATS, check_op

random = np.random.default_rng(0)
OPS = {
    "sin": (-9, 9),
    "cos": (-9, 9),
    "tan": (-1.3, 1.3),
    "arcsin": (-0.95, 0.95),
    "arccos": (-0.95, 0.95),
    "arctan": (-3, 3),
    "sinh": (-3, 3),
    "cosh": (-3, 3),
    "arcsinh": (-3, 3),
    "arccosh": (1.1, 5),
    "arctanh": (-0.9, 0.9),
    "log2": (0.2, 5),
    "log10": (0.2, 5),
}
PAIRS = ["arctan2", "hypot", "logaddexp"]


@pytest.mark.parametrize("shape", [(3,), (4, 3, 2, 5), (3, 10_001)])
@pytest.mark.parametrize("name", OPS)
def test_op(name, shape):
    x = random.uniform(*OPS[name], shape)
    big = x.size > 1000
    check_op(
        getattr(lm.ops, name),
        [x],
        getattr(np, name),
        layouts=not big,
        dtypes=(np.float32,) if big else FLOATS,
        tolerance={np.float32: 1e-6},
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [((5, 7), (5, 7)), ((5, 7), (7,)), ((5, 1), (5, 7)), ((3, 1, 4), (3, 5, 1)), ((5, 7), ()), ((2, 700), (1, 700))],
)
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name, a, b):
    batched = [i for i, shape in enumerate((a, b)) if len(shape) == max(len(a), len(b)) and shape[0] != 1]
    check_op(getattr(lm.ops, name), [random.normal(size=a), random.normal(size=b)], getattr(np, name), batched=batched)


def test_pairs_with_many_elements_and_threads():
    a, b = random.normal(size=(40, 501)), random.normal(size=501)
    for name in PAIRS:
        check_op(getattr(lm.ops, name), [a, b], getattr(np, name), layouts=False, dtypes=(np.float32,), places=3)


@pytest.mark.parametrize("name", [*OPS, *PAIRS])
def test_dtypes(name):
    operands = [[1, 1]] * (2 if name in PAIRS else 1)
    assert getattr(lm.ops, name)(*operands).dtype == np.float32
    with pytest.raises(TypeError, match="expected an array of numbers"):
        getattr(lm.ops, name)(*[np.zeros(3, np.complex64)] * len(operands))


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_that_do_not_broadcast(name):
    with pytest.raises(ValueError, match=rf"{name}: shapes \(2,\) and \(3,\) do not broadcast"):
        getattr(lm.ops, name)(np.zeros(2), np.zeros(3))


def test_gradients_do_not_overflow():
    x, y = lm.tensor(np.array([3e200]), requires_grad=True), lm.tensor(np.array([4e200]), requires_grad=True)
    lm.ops.hypot(x, y).sum().backward()
    np.testing.assert_allclose([x.grad.item(), y.grad.item()], [0.6, 0.8])
    x.zero_grad()
    lm.ops.arctan2(x, y).sum().backward()
    np.testing.assert_allclose(x.grad.item(), 0.8 / 5e200)
    x = lm.tensor([1000.0, -1000.0], requires_grad=True)
    lm.ops.logaddexp(x, 0.0).sum().backward()
    assert x.grad.numpy().tolist() == [1, 0]
