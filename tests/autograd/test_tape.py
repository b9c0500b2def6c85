import gc
import threading
import weakref

import numpy as np
import pytest

import lamina as lm
from lamina.autograd.function import Function


def leaf(*values):
    return lm.tensor(list(values), requires_grad=True)


class Double(Function):
    """y = 2 x, with counts of how often backward ran."""

    ran = 0

    def forward(self, x):
        self.saved = x
        return x * np.float32(2)

    def backward(self, dy):
        Double.ran += 1
        return dy * np.float32(2)


class SumAndDifference(Function):
    def forward(self, a, b):
        return a + b, a - b

    def backward(self, d_sum, d_difference):
        self.given = d_sum, d_difference
        zero = np.float32(0)
        s = zero if d_sum is None else d_sum
        d = zero if d_difference is None else d_difference
        return s + d, s - d


def returning(gradients):
    """A function of two inputs whose backward returns what it is told to."""

    class Wrong(Function):
        def forward(self, a, b):
            return a + b

        def backward(self, dy):
            return gradients

    return Wrong


# What backward leaves in leaves


def test_gradients_add_up_over_calls():
    x = leaf(3.0)
    (x * x).backward()
    (x * x).backward()
    assert x.grad.item() == 12
    x.zero_grad()
    assert x.grad is None
    (x * x).backward()
    assert x.grad.item() == 6


def test_a_leaf_is_its_own_graph():
    x = leaf(3.0)
    x.backward()
    x.backward([2.0])
    assert x.grad.item() == 3


def test_leaves_that_require_none_get_none():
    x, constant = leaf(1.0), lm.tensor([5.0])
    (x * constant).backward()
    assert x.grad.item() == 5
    assert constant.grad is None


def test_inner_tensors_keep_no_gradient():
    x = leaf(1.0)
    y = x * 2
    (y * 3).backward()
    assert y.grad is None


def test_accumulation_writes_to_no_array():
    x = leaf(1.0)
    (x * 2).backward()
    first = x.grad_array
    (x * 2).backward()
    assert first.tolist() == [2]
    assert x.grad_array.tolist() == [4]


def test_the_gradient_given_is_not_written_to():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = np.ones(2, np.float32)
    z = x + y
    (z + z).backward(given)
    assert given.tolist() == [1, 1]
    assert x.grad.numpy().tolist() == y.grad.numpy().tolist() == [2, 2]


def test_the_gradient_given_may_change_afterwards():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = np.ones(2, np.float32)
    (x + y).backward(given)
    given[:] = 7
    assert x.grad.numpy().tolist() == y.grad.numpy().tolist() == [1, 1]


@pytest.mark.parametrize(
    "op",
    [
        lambda x: x + 1,
        lambda x: x.reshape(6),
        lambda x: x.T,
        lambda x: lm.ops.concatenate([x, x], 0),
        lambda x: lm.ops.broadcast_to(x, (2, 3)),
        lambda x: x[:, ::-1].reshape(3, 2) + 0,
    ],
)
def test_no_leaf_keeps_memory_of_the_gradient_given(op):
    x = lm.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    y = op(x)
    given = np.ones(y.shape, np.float32)
    y.backward(given)
    before = x.grad.numpy().copy()
    given[...] = 7
    np.testing.assert_array_equal(x.grad.numpy(), before)


def test_gradients_of_leaves_are_contiguous():
    x = lm.tensor(np.ones((3, 4)), requires_grad=True)
    x.T.sum(0).sum().backward()
    assert x.grad_array.flags.c_contiguous


# Graphs


def test_diamond():
    x = leaf(2.0)
    a = x * 3
    b, c = a * a, a + 1
    (b * c).backward()  # 9 x^2 (3 x + 1): 81 x^2 + 18 x
    assert x.grad.item() == 81 * 4 + 18 * 2


def test_each_node_runs_once():
    x = leaf(1.0)
    y = Double.apply((x,))
    for _ in range(10):
        y = y + y
    Double.ran = 0
    y.backward()
    assert Double.ran == 1
    assert x.grad.item() == 2 * 2**10


def test_a_branch_that_does_not_lead_there_is_left_alone():
    x = leaf(1.0)
    y = x * 2
    unused = Double.apply((y,))
    Double.ran = 0
    (y * 3).backward()
    assert Double.ran == 0
    assert unused.requires_grad


def test_the_order_of_birth_counts_over_threads():
    x = leaf(1.0)
    parts = [x * 1 for _ in range(5)]

    def work():
        parts.append(parts[0] * parts[1] + parts[2])

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    (parts[-1] * parts[3]).backward()
    assert x.grad.item() == 5


def test_several_outputs():
    a, b = leaf(5.0), leaf(3.0)
    s, d = SumAndDifference.apply((a, b))
    assert (s.item(), d.item()) == (8, 2)
    (s * d).backward()  # a^2 - b^2
    assert (a.grad.item(), b.grad.item()) == (10, -6)


def test_an_unused_output_gives_none():
    a, b = leaf(5.0), leaf(3.0)
    s, d = SumAndDifference.apply((a, b))
    (d * 2).backward()
    assert (a.grad.item(), b.grad.item()) == (2, -2)
    assert s.node is d.node


def test_parameters_and_missing_inputs():
    class Scaled(Function):
        def forward(self, x, missing, factor):
            assert missing is None
            self.saved = factor
            return x * np.float32(factor)

        def backward(self, dy):
            return dy * np.float32(self.saved), None

    x = leaf(2.0)
    Scaled.apply((x, None), 5).backward()
    assert x.grad.item() == 5


def test_needs_and_recording():
    seen = []

    class Look(Function):
        def forward(self, a, b):
            seen.append((list(self.needs), self.recording))
            return a + b

        def backward(self, dy):
            return dy, None

    x, constant = leaf(1.0), lm.tensor([1.0])
    Look.apply((x, constant))
    Look.apply((constant, constant))
    with lm.no_grad():
        Look.apply((x, constant))
    assert seen == [([True, False], True), ([False, False], False), ([False, False], False)]


# no_grad


def test_no_grad():
    x = leaf(1.0)
    with lm.no_grad():
        y = x * 2
        with lm.no_grad():
            pass
        z = x * 2
    assert not y.requires_grad
    assert not z.requires_grad
    assert y.node is None
    assert (x * 2).requires_grad


def test_one_no_grad_within_itself():
    context = lm.no_grad()
    with context, context:
        pass
    assert (leaf(1.0) * 2).requires_grad


def test_no_grad_as_a_decorator():
    @lm.no_grad()
    def double(x):
        """Doubles."""
        return x * 2

    x = leaf(1.0)
    assert not double(x).requires_grad
    assert double.__doc__ == "Doubles."
    assert (x * 2).requires_grad


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), lm.no_grad():
        raise ZeroDivisionError
    assert (leaf(1.0) * 2).requires_grad


def test_detach():
    x = leaf(2.0)
    y = (x * 3).detach()
    assert not y.requires_grad
    (x * y).backward()
    assert x.grad.item() == 6


# Errors


def test_a_graph_is_freed():
    x = leaf(1.0)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward; pass retain_graph=True"):
        y.backward()
    assert x.grad.item() == 2


def test_a_graph_freed_in_part_changes_nothing():
    x, w = leaf(2.0), leaf(3.0)
    shared = x * x
    first, second = shared * 2, shared * w
    first.backward()
    with pytest.raises(RuntimeError, match="freed"):
        second.backward()
    assert w.grad is None


def test_retain_graph():
    x = leaf(1.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 6


def test_an_error_in_backward_leaves_nothing_behind():
    class Fails(Function):
        fail = True

        def forward(self, x):
            return x

        def backward(self, dy):
            if Fails.fail:
                raise ValueError("on purpose")
            return dy

    x = leaf(1.0)
    y = Fails.apply((x,)) + Double.apply((x,)) * 0
    with pytest.raises(ValueError, match="on purpose"):
        y.backward(retain_graph=True)
    Fails.fail = False
    x.zero_grad()
    y.backward(retain_graph=True)
    assert x.grad.item() == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lm.tensor([1.0]), RuntimeError, "nothing here requires gradients"),
        (lambda: leaf(1.0, 2.0) * 2, ValueError, r"a gradient is needed for a tensor of shape \(2,\)"),
    ],
)
def test_backward_without_reason(make, error, message):
    with pytest.raises(error, match=message):
        make().backward()


def test_the_first_gradient_must_fit():
    y = leaf(1.0, 2.0) * 2
    with pytest.raises(ValueError, match=r"expected a gradient of shape \(2,\), got \(3,\)"):
        y.backward([1.0, 2.0, 3.0])
    y.backward(lm.tensor([1.0, 2.0]), retain_graph=True)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        y.backward(np.array([1j, 2j]))


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        (lambda one: (one, np.ones(3, np.float32)), r"a gradient of shape \(3,\) for a tensor of shape \(1,\)"),
        (lambda one: one, "Wrong gave 1 gradients for 2 inputs"),
        (lambda one: (one, one, one), "Wrong gave 3 gradients for 2 inputs"),
    ],
)
def test_rules_that_are_wrong_are_named(gradients, message):
    function = returning(gradients(np.ones(1, np.float32)))
    with pytest.raises(RuntimeError, match=message):
        (function.apply((leaf(1.0), leaf(2.0))) * 1).backward()


# Depth and memory


def test_ten_thousand_ops_deep():
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 10_001
    y = x
    for _ in range(10_000):
        y = -y
    del y  # never went backwards: freed without recursion too


def test_what_backward_used_is_freed():
    x = leaf(1.0)
    y = Double.apply((x,))
    z = Double.apply((y,))
    saved = weakref.ref(z.node.saved)
    del y
    assert saved() is not None
    z.backward()
    assert saved() is None


def test_a_dropped_graph_is_freed_at_once():
    gc.disable()
    try:
        x = leaf(1.0)
        y = x * 2
        inner = weakref.ref(y)
        z = y * 3 + y
        del y
        assert inner() is not None
        del z
        assert inner() is None
    finally:
        gc.enable()


def test_nothing_is_kept_without_gradients():
    x = lm.tensor(np.ones(1000))
    before = lm._cpu.pool_stats()["in_use"]
    y = x
    for _ in range(50):
        y = lm.ops.relu(y * 2)
    assert lm._cpu.pool_stats()["in_use"] - before <= 2 * 8192
    assert y.node is None
