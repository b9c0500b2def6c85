"""Optimizers and row-sparse gradients: the dense gradient's step bit for bit, or lazily that of the rows alone."""

import numpy as np
import pytest

import lamina as lm
from lamina.autograd.row_sparse import RowSparse

ROWS, WIDTH = 300, 37
RULES = {
    "sgd": lambda **k: lm.optimizers.SGD(0.1, **k),
    "momentum": lambda **k: lm.optimizers.SGD(0.1, momentum=0.9, nesterov=True, **k),
    "adam": lambda **k: lm.optimizers.Adam(0.1, amsgrad=True, **k),
    "adamw": lambda **k: lm.optimizers.AdamW(0.1, **({"weight_decay": 0.1} | k)),
    "adagrad": lambda **k: lm.optimizers.Adagrad(0.1, **k),
    "adadelta": lambda **k: lm.optimizers.Adadelta(0.1, **k),
    "rmsprop": lambda **k: lm.optimizers.RMSprop(0.1, momentum=0.5, centered=True, **k),
    "adamax": lambda **k: lm.optimizers.Adamax(0.1, **k),
    "nadam": lambda **k: lm.optimizers.Nadam(0.1, **k),
    "ftrl": lambda **k: lm.optimizers.Ftrl(0.1, **k),
    "lion": lambda **k: lm.optimizers.Lion(0.1, **k),
    "lamb": lambda **k: lm.optimizers.Lamb(0.1, **k),
    "adafactor": lambda **k: lm.optimizers.Adafactor(0.1, **k),
}
EXTRAS = {
    "plain": {},
    "clipvalue": {"clipvalue": 0.5},
    "clipnorm": {"clipnorm": 0.5},
    "global": {"global_clipnorm": 0.5},
    "decay": {"weight_decay": 0.1},
    "accumulated": {"gradient_accumulation_steps": 2},
    "averages": {"use_ema": True, "ema_overwrite_frequency": 2},
    "scaled": {"loss_scale_factor": 8.0},
}


def gradients(dtype, steps=4):
    random = np.random.default_rng(0)
    for step in range(steps):
        rows = np.sort(random.choice(ROWS, 0 if step == 2 else 40, replace=False))
        if step == 3:
            rows = np.array([0, 1, 2, ROWS - 2, ROWS - 1])
        values = random.normal(size=(rows.size, WIDTH)).astype(dtype)
        yield rows, values, random.normal(size=(5,)).astype(dtype)


def trained(make, dtype, sparse, lazy=False):
    random = np.random.default_rng(1)
    table = lm.Variable(random.normal(size=(ROWS, WIDTH)).astype(dtype))
    other = lm.Variable(random.normal(size=(5,)).astype(dtype))
    optimizer = make()
    for rows, values, dense in gradients(dtype):
        gradient = RowSparse(rows, values.copy(), table.shape, lazy)
        optimizer.apply([gradient if sparse else gradient.dense(), dense], [table, other])
        np.testing.assert_array_equal(gradient.values, values)
    state = optimizer.get_state({"table": table, "other": other})
    return table.numpy(), other.numpy(), state


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("rule", RULES)
def test_the_step_is_that_of_the_dense_gradient(rule, extra):
    dtype = np.float64 if extra in ("clipnorm", "global") else np.float32
    expected = trained(lambda: RULES[rule](**EXTRAS[extra]), dtype, False)
    got = trained(lambda: RULES[rule](**EXTRAS[extra]), dtype, True)
    if extra in ("clipnorm", "global"):  # the squares of a norm are added in another order
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-12, atol=1e-12)
        return
    for a, b in zip(got[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert got[2].keys() == expected[2].keys()
    for name in got[2]:
        np.testing.assert_array_equal(got[2][name], expected[2][name], err_msg=name)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in ("lamb", "adafactor")])
def test_lazily_the_other_rows_rest(rule):
    """Each row is as if it had been trained alone, with the dense rule, in the steps that it took part in."""
    table = lm.Variable(np.random.default_rng(1).normal(size=(ROWS, WIDTH)))
    before = table.numpy().copy()
    optimizer = RULES[rule]()
    optimizer.apply([RowSparse(np.array([3, 7]), np.ones((2, WIDTH)), table.shape, True)], [table])
    first = table.numpy().copy()
    optimizer.apply([RowSparse(np.array([7]), np.ones((1, WIDTH)), table.shape, True)], [table])
    others = [i for i in range(ROWS) if i not in (3, 7)]
    np.testing.assert_array_equal(table.numpy()[others], before[others])
    np.testing.assert_array_equal(table.numpy()[3], first[3])
    alone = lm.Variable(before[7:8])
    optimizer = RULES[rule]()
    for _ in range(2):
        optimizer.apply([np.ones((1, WIDTH))], [alone])
    np.testing.assert_array_equal(table.numpy()[7:8], alone.numpy())


def test_threads_and_instruction_sets_give_the_same_bits():
    expected = trained(RULES["adam"], np.float32, True)[0]
    lm.set_num_threads(4)
    for isa in lm._cpu.isas():
        lm.set_isa(isa)
        np.testing.assert_array_equal(trained(RULES["adam"], np.float32, True)[0], expected)


def test_an_update_of_the_users_own_gets_dense_gradients():
    class Own(lm.optimizers.SGD):
        def update(self, weights, grads, slots):
            weights[0] -= grads[0]

    table = lm.Variable(np.zeros((4, 2)))
    Own(1.0).apply([RowSparse(np.array([1]), np.ones((1, 2)), (4, 2))], [table])
    assert table.numpy()[:, 0].tolist() == [0, -1, 0, 0]


def test_other_dtypes_and_shapes():
    table = lm.Variable(np.zeros((4, 2), np.float32))
    lm.optimizers.SGD(1.0).apply([RowSparse(np.array([1]), np.ones((1, 2)), (4, 2))], [table])
    assert table.numpy()[:, 0].tolist() == [0, -1, 0, 0]
    with pytest.raises(ValueError, match=r"must have shape \(4, 2\), got \(5, 2\)"):
        lm.optimizers.SGD(1.0).apply([RowSparse(np.array([1]), np.ones((1, 2)), (5, 2))], [table])
    vector = lm.Variable(np.zeros(4))
    lm.optimizers.Adam(1.0).apply([RowSparse(np.array([2]), np.ones(1), (4,))], [vector])
    assert vector.numpy().round(3).tolist() == [0, 0, -1, 0]


def test_an_infinite_norm_is_seen_by_all_rows():
    table = lm.Variable(np.zeros((4, 2)))
    lm.optimizers.SGD(1.0, clipnorm=1.0).apply([RowSparse(np.array([1]), np.full((1, 2), np.nan), (4, 2))], [table])
    assert np.isnan(table.numpy()).all()


def test_the_kernels_guard_memory():
    weights, values = [np.zeros((4, 2))], [np.ones((2, 2))]
    step = lm._cpu.sgd_step
    for rows in ([1, 4], [-1, 2], [2, 1], [1, 1]):
        with pytest.raises(IndexError, match="rows are not in order, or out of range"):
            step(weights, values, (), (1.0, 0.0, 0.0), 1, None, None, 0.0, [(np.array(rows), False)])
    with pytest.raises(ValueError, match="elements"):
        step(weights, values, (), (1.0, 0.0, 0.0), 1, None, None, 0.0, [(np.array([1]), False)])
    with pytest.raises(ValueError, match="differ in length"):
        step(weights, values, (), (1.0, 0.0, 0.0), 1, None, None, 0.0, [])
    slots = ([np.zeros((4, 2))], [np.zeros((4, 2))])
    with pytest.raises(ValueError, match="no place for rows"):
        lm._cpu.lamb_step(weights, values, slots, (1.0, 0.5, 0.5, 1.0), 1, None, None, 0.0, [(np.array([0, 1]), True)])
