import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)


def test_filled():
    for name, value in (("zeros", 0), ("ones", 1)):
        for shape in ((2, 3), 4, (), [0, 2]):
            y = getattr(lm.ops, name)(shape, "float64")
            np.testing.assert_array_equal(y.numpy(), getattr(np, name)(shape))
        like = getattr(lm.ops, f"{name}_like")(np.zeros((2, 2), np.float32))
        assert like.dtype == np.float32
        assert like.numpy().tolist() == [[value] * 2] * 2
        assert getattr(lm.ops, f"{name}_like")([1.0], "int32").dtype == np.int32
    assert lm.ops.full((2,), 3).dtype == np.int64
    assert lm.ops.full(2, 0.5).numpy().tolist() == [0.5, 0.5]
    assert lm.ops.full_like(lm.tensor([1, 2]), 7).numpy().tolist() == [7, 7]


def test_sequences():
    for arguments in ((5,), (1, 9, 3), (9, 1, -2), (0.0, 1.0, 0.25), (3, 1)):
        np.testing.assert_array_equal(lm.ops.arange(*arguments).numpy(), np.arange(*arguments))
    assert lm.ops.arange(3).dtype == np.int64
    assert lm.ops.arange(3.0).dtype == np.float32
    assert lm.ops.arange(3, dtype="float64").dtype == np.float64
    for endpoint in (True, False):
        y = lm.ops.linspace(-1, 2, 7, endpoint, "float64")
        np.testing.assert_array_equal(y.numpy(), np.linspace(-1, 2, 7, endpoint))
    assert lm.ops.linspace(0, 1, 0).shape == (0,)


def test_matrices():
    for arguments in ((3,), (2, 4), (4, 2, 1), (3, 3, -2)):
        np.testing.assert_array_equal(lm.ops.eye(*arguments).numpy(), np.eye(*arguments))
    np.testing.assert_array_equal(lm.ops.identity(3, "int32").numpy(), np.identity(3))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_meshgrid(indexing, count):
    x = [random.normal(size=n) for n in (4, 3, 2)[:count]]
    check_op(
        lambda *t: lm.ops.meshgrid(*t, indexing=indexing),
        x,
        lambda *a: tuple(np.meshgrid(*a, indexing=indexing)),
        batch_axis=None,
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_hot(axis):
    x = random.integers(0, 5, (3, 4))
    expected = np.moveaxis(np.eye(5)[x], -1, axis)
    np.testing.assert_array_equal(lm.ops.one_hot(x, 5, axis).numpy(), expected)
    assert lm.ops.one_hot(2, 3, dtype="int32").numpy().tolist() == [0, 0, 1]
    assert lm.ops.one_hot(np.zeros((0, 2), int), 3).shape == (0, 2, 3)


def test_multi_hot():
    assert lm.ops.multi_hot([[[0, 2], [1, 1]]], 3).numpy().tolist() == [[[1, 0, 1], [0, 1, 0]]]


@pytest.mark.parametrize("name", ["one_hot", "multi_hot"])
def test_classes_out_of_range(name):
    op = getattr(lm.ops, name)
    with pytest.raises(ValueError, match=rf"{name}: x must be from 0 to 2, got 3 at \(0, 1\)"):
        op([[0, 3]], 3)
    with pytest.raises(ValueError, match=rf"{name}: x must be from 0 to 2, got -1 at \(0, 0\)"):
        op([[-1, 0]], 3)
    with pytest.raises(TypeError, match=f"{name}: x must be integers, got float32"):
        op([0.5], 3)
    with pytest.raises(ValueError, match=f"{name}: num_classes must be at least 1, got 0"):
        op([0], 0)


def test_conversion():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    assert lm.ops.convert_to_tensor(x) is x
    assert lm.ops.convert_to_tensor([1.5]).dtype == np.float32
    assert lm.ops.convert_to_tensor(x, "float64").dtype == np.float64
    assert lm.ops.convert_to_numpy(x) is x.array
    assert not lm.ops.stop_gradient(x * 2).requires_grad
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.convert_to_tensor(["a"])


@pytest.mark.parametrize(("shape", "target"), [((3, 1), (3, 4)), ((4,), (2, 3, 4)), ((), (2,)), ((1, 4), (0, 4))])
def test_broadcast_to(shape, target):
    check_op(
        lambda x: lm.ops.broadcast_to(x, target),
        [random.normal(size=shape)],
        lambda x: np.broadcast_to(x, target),
        batch_axis=None,
    )


def test_errors():
    with pytest.raises(ValueError, match=r"zeros: sizes must be at least 0, got \(2, -1\)"):
        lm.ops.zeros((2, -1))
    with pytest.raises(TypeError, match=r"ones: shape must be integers, got \(1\.5,\)"):
        lm.ops.ones((1.5,))
    with pytest.raises(TypeError, match="zeros: dtype must be bool, integer or float up to 64 bits, got complex64"):
        lm.ops.zeros(2, "complex64")
    with pytest.raises(ValueError, match="arange: step must not be 0"):
        lm.ops.arange(1, 2, 0)
    with pytest.raises(ValueError, match="linspace: num must be at least 0, got -1"):
        lm.ops.linspace(0, 1, -1)
    with pytest.raises(ValueError, match=r"eye: sizes must be at least 0, got \(-1, -1\)"):
        lm.ops.eye(-1)
    with pytest.raises(ValueError, match='meshgrid: indexing must be "xy" or "ij", got \'yx\''):
        lm.ops.meshgrid([1], indexing="yx")
    with pytest.raises(ValueError, match=r"meshgrid: expected tensors of shape \(n,\), got \(1, 1\)"):
        lm.ops.meshgrid([[1]])
    with pytest.raises(ValueError, match=r"broadcast_to: shape \(3,\) does not broadcast to \(1,\)"):
        lm.ops.broadcast_to(np.zeros(3), (1,))
    with pytest.raises(ValueError, match=r"broadcast_to: shapes \(3,\) and \(2,\) do not broadcast"):
        lm.ops.broadcast_to(np.zeros(3), (2,))


def test_arange_of_what_is_not_pythons_own():
    y = lm.ops.arange(np.float32(0), np.float32(1), np.float32(0.25))
    assert (y.dtype, y.numpy().tolist()) == (np.float32, [0, 0.25, 0.5, 0.75])
    assert lm.ops.arange(lm.tensor(3)).numpy().tolist() == [0, 1, 2]
    assert lm.ops.arange(np.float64(2)).dtype == np.float64
    with pytest.raises(ValueError, match="arange: start, stop and step must be numbers, got 0"):
        lm.ops.arange([1, 2])


def test_full_of_several_values():
    assert lm.ops.full((2, 3), [1, 2, 3]).numpy().tolist() == [[1, 2, 3]] * 2
    y = lm.ops.full_like(np.ones((2, 2)), [[0.1], [0.2]])
    assert (y.dtype, y.numpy().tolist()) == (np.float64, [[0.1, 0.1], [0.2, 0.2]])
    with pytest.raises(ValueError, match=r"full: shapes \(2,\) and \(2, 3\) do not broadcast"):
        lm.ops.full((2, 3), [1, 2])
    with pytest.raises(ValueError, match=r"full: fill_value of shape \(2, 3\) does not broadcast to \(3,\)"):
        lm.ops.full(3, np.ones((2, 3)))


@pytest.mark.parametrize(
    "odd", [None, "3", {}, 1.5, np.zeros(2), np.array(1.5), np.array(["2020"], "datetime64[Y]"), True]
)
@pytest.mark.parametrize(
    "call",
    [
        lambda n: lm.ops.zeros(n), lambda n: lm.ops.ones((2, n)), lambda n: lm.ops.eye(n),
        lambda n: lm.ops.eye(3, 3, n),
        lambda n: lm.ops.identity(n), lambda n: lm.ops.one_hot([0], n), lambda n: lm.ops.multi_hot([0], n),
        lambda n: lm.ops.linspace(0, 1, n), lambda n: lm.ops.sine_positions(n, 4), lambda n: lm.ops.avg_pool2d(X4, n),
        lambda n: lm.ops.conv2d(X4, X4[:1, :1], groups=n), lambda n: lm.ops.sum(X4, n if n is not None else "a"),
    ],
)  # fmt: skip
def test_sizes_that_are_no_integers(call, odd):
    """NumPy's arrays have an __index__ whatever they hold: no error of NumPy's own may come out."""
    with pytest.raises(
        TypeError, match=r"^(zeros|ones|eye|one_hot|multi_hot|linspace|sine_pos\w+|avg_pool2d|conv2d|sum): "
    ):
        call(odd)


def test_one_integer_in_an_array_is_an_integer():
    for three in (np.int8(3), np.array(3), 3):
        assert lm.ops.eye(three).shape == (3, 3)


@pytest.mark.parametrize("odd", [None, "a", 1j, np.datetime64("2020")])
def test_bounds_that_are_no_numbers(odd):
    for arguments in ((odd, 1), (0, odd)):
        with pytest.raises(TypeError, match="expected an array of numbers"):
            lm.ops.linspace(*arguments)
    with pytest.raises(ValueError, match="linspace: start and stop must be numbers, got 0"):
        lm.ops.linspace(0, [1, 2])


def test_sequences_that_are_none():
    for name in ("concatenate", "stack"):
        with pytest.raises(TypeError, match=f"{name}: expected a sequence of tensors, got NoneType"):
            getattr(lm.ops, name)(None)
    for arguments, name in (
        ((None, [1.0]), "condlist"),
        (([True], 2.0), "choicelist"),
        ((np.ones(2), [1]), "condlist"),
    ):
        with pytest.raises(TypeError, match=f"select: {name} must be a list or tuple, got"):
            lm.ops.select(*arguments)


X4 = np.ones((2, 4, 4, 4), np.float32)
