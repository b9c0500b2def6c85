import numpy as np
import pytest

import lamina as lm
from lamina.autograd import operators, tensor
from lamina.autograd.tensor import as_tensor


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, np.float32),
        ([1.0, 2.0], np.float32),
        ([1, 2], np.int64),
        (True, bool),
        (np.float64(2), np.float64),
        (np.ones(2), np.float64),
        (np.ones(2, np.float16), np.float16),
        (np.ones(2, ">f4"), np.float32),
        (np.ones(2, np.uint8), np.uint8),
    ],
)
def test_dtypes(value, dtype):
    x = lm.tensor(value)
    assert x.dtype == dtype
    assert x.dtype.isnative
    np.testing.assert_array_equal(x.numpy(), value)


def test_a_dtype_may_be_asked_for():
    assert lm.tensor([1, 2], dtype="float64").dtype == np.float64
    assert lm.tensor(lm.tensor([1.5]), dtype=np.int32).numpy().tolist() == [1]


def test_arrays_share_their_memory():
    array = np.ones(3, np.float32)
    assert lm.tensor(array).numpy() is array
    assert lm.tensor(lm.tensor(array)).numpy() is array


@pytest.mark.parametrize("value", ["abc", [None], {}, np.ones(2, complex), np.ones(2, np.longdouble), [[1], [1, 2]]])
def test_no_numbers(value):
    with pytest.raises((TypeError, ValueError)):
        lm.tensor(value)


@pytest.mark.parametrize("value", [[1, 2], [True], np.ones(2, np.uint8)])
def test_integers_have_no_gradients(value):
    with pytest.raises(TypeError, match="only floating-point tensors can require gradients"):
        lm.tensor(value, requires_grad=True)


def test_what_a_tensor_is():
    x = lm.tensor([[1.0, 2.0, 3.0]])
    assert (x.shape, x.ndim, x.size, len(x), x.is_leaf) == ((1, 3), 2, 3, 1, True)
    assert repr(x) == "tensor([[1., 2., 3.]], dtype=float32)"
    assert repr(lm.tensor([1.0], requires_grad=True)) == "tensor([1.], dtype=float32, requires_grad=True)"
    assert not (lm.tensor([1.0], requires_grad=True) * 2).is_leaf
    assert len({x, lm.tensor([1.0])}) == 2  # hashable, by identity


def test_numbers():
    x = lm.tensor([[2.5]])
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert isinstance(x.item(), float)
    with pytest.raises(ValueError, match=r"item: expected a tensor of one element, got shape \(2,\)"):
        lm.tensor([1.0, 2.0]).item()
    with pytest.raises(ValueError, match="one element"):
        bool(lm.tensor([1.0, 2.0]))


def test_numpy_takes_tensors():
    x = lm.tensor([1.0, 2.0])
    assert np.asarray(x) is x.array
    assert np.asarray(x, np.float64).dtype == np.float64
    assert np.array(x) is not x.array
    assert np.add(np.asarray(x), 1).tolist() == [2, 3]
    assert np.from_dlpack(x).tolist() == [1, 2]


def test_grad_can_be_set():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    x.grad = lm.tensor([5.0, 6.0])
    x.sum().backward()
    assert x.grad.numpy().tolist() == [6, 7]
    x.grad = None
    assert x.grad is None
    with pytest.raises(ValueError, match=r"grad: expected shape \(2,\), got \(3,\)"):
        x.grad = lm.tensor([1.0, 2.0, 3.0])


def test_no_memory_for_other_attributes():
    with pytest.raises(AttributeError):
        lm.tensor([1.0]).name = "x"


def test_as_tensor_of_numbers():
    like = lm.tensor(np.ones(2))
    assert as_tensor(1, like).dtype == np.float64
    assert as_tensor(True, like).dtype == np.float64
    integers = lm.tensor(np.ones(2, np.int8))
    assert as_tensor(1, integers).dtype == np.int8
    assert as_tensor(0.5, integers).dtype == np.float32
    assert as_tensor(like) is like


def test_variables():
    kernel = lm.Variable(np.ones((2, 2), np.float32), name="kernel")
    assert kernel.requires_grad
    (kernel * 3).sum().backward()
    assert kernel.grad.numpy().tolist() == [[3, 3], [3, 3]]
    memory = kernel.numpy()
    kernel.assign([[1, 2], [3, 4]])
    assert memory.tolist() == [[1, 2], [3, 4]]  # in place
    with pytest.raises(ValueError, match=r"assign: kernel has shape \(2, 2\), got \(2,\)"):
        kernel.assign([1.0, 2.0])
    assert repr(kernel) == "<Variable kernel shape=(2, 2) dtype=float32>"


def test_every_operator_is_bound():
    assert all(callable(getattr(operators, name)) for name in operators.__annotations__)
    with pytest.raises(ValueError, match=r"operators.bind: unknown operators \['divmod'\]"):
        operators.bind(divmod=divmod)


@pytest.mark.parametrize(
    "value",
    [
        lambda: lm.tensor(np.ones(2)),
        lambda: [np.ones(2), np.ones(2)],
        lambda: [[1.0, np.float64(2)]],
        lambda: [lm.tensor(np.ones(2)), [1.0, 2.0]],
    ],
)
def test_float64_in_lists_and_tensors_stays(value):
    assert lm.tensor(value()).dtype == np.float64
    assert lm.Variable(value()).dtype == np.float64


@pytest.mark.parametrize("value", [[1 + 2j], ["1.5"], [1.0, None], np.ones(2, np.longdouble)])
def test_what_is_no_number_is_not_made_one(value):
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.tensor(value, dtype="float32")
    with pytest.raises(TypeError, match="got dtype complex64"):
        lm.tensor([1.0], dtype="complex64")


def test_lists_take_the_dtype_of_the_other():
    double = lm.tensor(np.array([0.1, 0.2]))
    assert as_tensor([0.1, 0.2], double).numpy().tolist() == [0.1, 0.2]
    assert as_tensor([0.1], lm.tensor([1])).dtype == np.float32
    for a, b in ((0.1, np.array([0.1])), ([0.1], double), (np.array([0.1]), 0.1), (double, [0.1, 0.2])):
        assert all(t.dtype == np.float64 for t in tensor.as_tensors(a, b))
    assert [t.dtype for t in tensor.as_tensors(0.1, [0.1])] == [np.float32] * 2


def test_format():
    assert f"{lm.tensor([1.5]):.3f} {lm.tensor(7):03d}" == "1.500 007"
    assert f"{lm.tensor([1.0, 2.0])}" == "tensor([1., 2.], dtype=float32)"
    with pytest.raises(ValueError, match=r"item: expected a tensor of one element, got shape \(2,\)"):
        f"{lm.tensor([1.0, 2.0]):.3f}"


def test_iteration():
    rows = list(lm.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True))
    assert [row.numpy().tolist() for row in rows] == [[1, 2], [3, 4]]
    assert all(row.requires_grad for row in rows)
    with pytest.raises(TypeError, match="iteration over a tensor without axes"):
        list(lm.tensor(1.0))


def test_grad_can_be_set_to_an_array():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    x.grad = np.array([5.0, 6.0])
    (x * 2).sum().backward()
    assert x.grad.numpy().tolist() == [7, 8]
    with pytest.raises(TypeError, match="expected an array of numbers"):
        x.grad = [1j, 2j]
