"""The promise (same bits for any threads, ISA, run, batch) has teeth: ops that break it are caught."""

import itertools

import numpy as np
import pytest

import lamina as lm
from lamina.autograd.function import Function
from op_testing import (
    check_empty_batch,
    check_gradients,
    check_layouts,
    check_rows_alone,
    check_same_bits,
    check_single_gradients,
)

X = np.random.default_rng(0).normal(size=(6, 1000)).astype(np.float32)


def sum_in_parts(x, parts):
    """The rows' sums, added up in so many parts: other bits for other numbers of parts."""
    total = np.zeros(len(x), x.dtype)
    for part in np.array_split(x, parts, axis=1):
        total += np.cumsum(part, axis=1)[:, -1]
    return total


class RowSum(Function):
    """A sum over rows that keeps the promise; subclasses break it."""

    runs = itertools.count()

    def parts(self, x):
        return 4

    def forward(self, x):
        self.saved = x
        return sum_in_parts(x, self.parts(x))

    def backward(self, dy):
        return np.broadcast_to(dy[:, None], self.saved.shape)

    @classmethod
    def run(cls, x):
        return cls.apply((x,))


class ByThreads(RowSum):
    def parts(self, x):
        return lm.num_threads()


class ByIsa(RowSum):
    def parts(self, x):
        return len(lm.isa())


class ByRun(RowSum):
    def parts(self, x):
        return 1 + next(self.runs) % 5


class ByBatch(RowSum):
    def parts(self, x):
        return len(x)


class GradientByThreads(RowSum):
    def backward(self, dy):
        return np.broadcast_to(sum_in_parts(self.saved, lm.num_threads())[:, None] * dy[:, None], self.saved.shape)


class GradientByBatch(RowSum):
    def backward(self, dy):
        return np.broadcast_to(sum_in_parts(self.saved, len(dy))[:, None] * dy[:, None], self.saved.shape)


class WrongGradient(RowSum):
    def backward(self, dy):
        dx = np.array(super().backward(dy))
        dx[2, 3] *= 1.01
        return dx


class WrongInSingle(RowSum):
    def backward(self, dy):
        dx = np.array(super().backward(dy))
        if dx.dtype == np.float32:
            dx[2, 3] *= 1.01
        return dx


class MemoryOrder(RowSum):
    def forward(self, x):
        self.saved = x
        return x.ravel(order="K")[: len(x)].copy()


class WritesToInput(RowSum):
    def forward(self, x):
        self.saved = x
        total = super().forward(x)
        if x.flags.writeable:
            x *= 2
        return total


class WritesToGradient(RowSum):
    def backward(self, dy):
        if dy.flags.writeable:
            dy[...] = np.abs(dy)
        return super().backward(dy)


class FailsOnEmpty(RowSum):
    def forward(self, x):
        self.saved = x
        return np.zeros(max(1, len(x)), x.dtype)


def test_an_op_that_keeps_it_passes():
    check_same_bits(RowSum.run, [X])
    check_rows_alone(RowSum.run, [X])
    check_layouts(RowSum.run, [X])
    check_empty_batch(RowSum.run, [X])
    check_gradients(RowSum.run, [X])


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (ByThreads, r"same bits: \w+, 2 threads, run 1: output 0: .* first at"),
        (ByRun, r"same bits: .* output 0"),
        (GradientByThreads, r"same bits: .* gradient of input 0"),
        pytest.param(
            ByIsa,
            r"same bits: .* output 0",
            marks=pytest.mark.skipif(lm.isa() == "portable", reason="one ISA alone on this processor"),
        ),
    ],
)
def test_other_bits_are_caught(op, message):
    lm.set_num_threads(1)
    with pytest.raises(AssertionError, match=message):
        check_same_bits(op.run, [X])


@pytest.mark.parametrize(("op", "message"), [(ByBatch, "output 0"), (GradientByBatch, "gradient of input 0")])
def test_a_row_that_depends_on_its_batch_is_caught(op, message):
    with pytest.raises(AssertionError, match=f"rows alone: .*{message}"):
        check_rows_alone(op.run, [X])


def test_a_wrong_gradient_is_caught():
    with pytest.raises(AssertionError, match=r"grad_check: input 0 at \(2, 3\): backward gives .*, differences"):
        check_gradients(WrongGradient.run, [X], places=X.size)


def test_a_gradient_that_is_wrong_in_float32_alone_is_caught():
    check_single_gradients(RowSum.run, [X])
    check_gradients(WrongInSingle.run, [X], places=X.size)
    with pytest.raises(AssertionError, match=r"gradient of input 0 in float32: 1 of 6000 are off, at \(2, 3\)"):
        check_single_gradients(WrongInSingle.run, [X])


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (MemoryOrder, "layouts: input 0 in Fortran order: output 0"),
        (WritesToInput, "layouts: input 0 .* was written to"),
        (WritesToGradient, "layouts: incoming gradient .* was written to"),
    ],
)
def test_odd_layouts_are_caught(op, message):
    with pytest.raises(AssertionError, match=message):
        check_layouts(op.run, [X])


def test_a_wrong_empty_batch_is_caught():
    with pytest.raises(AssertionError, match=r"empty batch: output of shape \(1,\), expected \(0,\)"):
        check_empty_batch(FailsOnEmpty.run, [X])
