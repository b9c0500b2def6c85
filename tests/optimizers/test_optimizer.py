"""What all optimizers share: steps, state, missing gradients, errors."""

import numpy as np
import pytest

import lamina as lm
from lamina import optimizers
from lamina.optimizers import SGD, Adam


def variables():
    return [lm.Variable(np.ones((2, 3), "float32"), "a"), lm.Variable(np.ones(2, "float32"), "b")]


@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: SGD(0.1, 0.9), lambda: Adam(0.1)])
def test_step_takes_and_uses_up_the_gradients(make):
    through_step, through_apply = variables(), variables()
    stepping, applying = make(), make()
    for _ in range(3):
        grads = [v.numpy() * 2 for v in through_apply]
        applying.apply(grads, through_apply)
        loss = sum((v * v).sum() for v in through_step)
        loss.backward()
        stepping.step(through_step)
        assert all(v.grad is None for v in through_step)
    for a, b in zip(through_step, through_apply, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert stepping.iterations == 3


def test_gradients_add_up_until_the_step():
    (w,) = [lm.Variable([1.0])]
    for _ in range(2):
        (w * 3).sum().backward()
    SGD(0.5).step([w])
    assert w.item() == -2


def test_build_says_which_weights_are_meant():
    weights = variables()
    optimizer = Adam()
    optimizer.build(weights)
    sum(v.sum() for v in weights).backward()
    optimizer.step()
    assert weights[0].numpy()[0, 0] < 1
    optimizer.apply([np.ones((2, 3)), np.ones(2)])
    assert optimizer.iterations == 2
    weights[0].sum().backward()
    optimizer.zero_grad()
    assert weights[0].grad is None


def test_weights_without_a_gradient_stay():
    a, b = variables()
    optimizer = SGD(0.5)
    optimizer.apply([None, np.ones(2)], [a, b])
    assert a.numpy().tolist() == [[1.0] * 3] * 2
    assert b.numpy().tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="no weight has a gradient"):
        optimizer.step([a, b])


def test_state_follows_the_weight():
    a, b = variables()
    alone, together = Adam(0.1), Adam(0.1)
    for _ in range(2):
        alone.apply([np.ones((2, 3))], [a])
    c, d = variables()
    together.apply([np.ones((2, 3)), np.ones(2)], [c, d])
    together.apply([np.ones((2, 3))], [c])
    np.testing.assert_array_equal(a.numpy(), c.numpy())
    together.apply([np.ones(2), np.ones((2, 3))], [d, c])
    assert b.numpy().tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "gradient",
    [np.ones((3, 2)).T, np.ones((2, 3), "float64"), np.ones((2, 3), ">f4"), np.ones((4, 6), "float32")[::2, ::-2],
     lm.tensor(np.ones((2, 3), "float32")), np.ones((2, 3), "int32"), [[1.0] * 3] * 2,
     np.frombuffer(b"x" + np.ones(6, "float32").tobytes(), "float32", offset=1).reshape(2, 3)],
)  # fmt: skip
def test_any_layout_of_gradients(gradient):
    (a, _) = variables()
    SGD(0.5).apply([gradient], [a])
    np.testing.assert_array_equal(a.numpy(), 0.5)


def test_two_dtypes():
    weights = [
        lm.Variable(np.ones(2, "float32")),
        lm.Variable(np.ones(3, "float64")),
        lm.Variable(np.ones(1, "float32")),
    ]
    optimizer = SGD(0.5)
    optimizer.apply([np.full(2, 1.0), np.full(3, 2.0), np.full(1, 3.0)], weights)
    assert [w.numpy()[0] for w in weights] == [0.5, 0.0, -0.5]


def test_refused():
    a, b = variables()
    optimizer = Adam()
    with pytest.raises(ValueError, match="got 1 gradients for 2 weights"):
        optimizer.apply([np.ones(2)], [a, b])
    with pytest.raises(ValueError, match=r"the gradient of b must have shape \(2,\), got \(3,\)"):
        optimizer.apply([np.ones((2, 3)), np.ones(3)], [a, b])
    with pytest.raises(TypeError, match="expected weights"):
        optimizer.apply([np.ones(2)], [lm.tensor([1.0, 2.0])])
    with pytest.raises(ValueError, match="given twice"):
        optimizer.apply([np.ones(2), np.ones(2)], [b, b])


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("cls", [SGD, Adam])
def test_learning_rate(cls, rate):
    with pytest.raises(ValueError, match="learning_rate must be"):
        cls(rate)
    optimizer = cls()
    with pytest.raises(ValueError, match="learning_rate must be"):
        optimizer.learning_rate = rate
    optimizer.learning_rate = 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(momentum=1), lambda: SGD(momentum=-0.1), lambda: Adam(beta_1=1), lambda: Adam(beta_2=1.5),
        lambda: Adam(epsilon=0), lambda: Adam(beta_1=float("nan")), lambda: optimizers.get("rmsprob"),
        lambda: optimizers.get(3),
    ],
)  # fmt: skip
def test_arguments_refused(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize("optimizer", [SGD(0.3, 0.5, True), Adam(0.1, 0.8, 0.9, 1e-3)])
def test_configuration_round_trip(optimizer):
    config = optimizers.serialize(optimizer)
    assert optimizers.serialize(optimizers.get(config)) == config


def test_names():
    assert type(optimizers.get("adam")) is Adam
    assert type(optimizers.get("SGD")) is SGD
