"""What all optimizers share: steps, state, missing gradients, errors."""

import numpy as np
import pytest

import lamina as lm
from lamina import backend, optimizers
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


def test_a_missing_gradient_drops_no_weight():
    a, b = (lm.Variable([1.0]) for _ in range(2))
    optimizer = SGD(0.5)
    optimizer.build([a, b])
    a.sum().backward()
    optimizer.step()
    (a + b).sum().backward()
    optimizer.step()
    assert (a.item(), b.item()) == (0.0, 0.5)
    optimizer.apply([None, np.ones(1)])
    optimizer.apply([np.ones(1), np.ones(1)])
    assert (a.item(), b.item()) == (-0.5, -0.5)
    a.sum().backward()
    optimizer.step([a, b])
    b.sum().backward()
    optimizer.zero_grad()
    assert b.grad is None


def test_weights_stay_known_when_the_state_is_taken_back():
    a, b = variables()
    optimizer = Adam(0.5)
    optimizer.build([a, b])
    optimizer.set_state(optimizer.get_state({"a": a, "b": b}), {"a": a, "b": b})
    optimizer.exclude_from_weight_decay([a])
    optimizer.apply([np.ones((2, 3)), np.ones(2)])
    np.testing.assert_allclose([a.numpy()[0, 0], b.numpy()[0]], 0.5, rtol=1e-5)


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


ALL = [
    optimizers.SGD, optimizers.RMSprop, optimizers.Adam, optimizers.AdamW, optimizers.Adagrad, optimizers.Adadelta,
    optimizers.Adamax, optimizers.Nadam, optimizers.Ftrl, optimizers.Lion, optimizers.Lamb, optimizers.Adafactor,
]  # fmt: skip


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("cls", ALL)
def test_learning_rate(cls, rate):
    with pytest.raises(ValueError, match="learning_rate must be"):
        cls(rate)
    optimizer = cls()
    with pytest.raises(ValueError, match="learning_rate must be"):
        optimizer.learning_rate = rate
    with pytest.raises(TypeError, match="learning_rate must be a number"):
        cls("fast")
    optimizer.learning_rate = 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (SGD, {"momentum": 1}), (SGD, {"momentum": -0.1}), (Adam, {"beta_1": 1}), (Adam, {"beta_2": 1.5}),
        (Adam, {"epsilon": 0}), (Adam, {"beta_1": float("nan")}), (optimizers.AdamW, {"weight_decay": -1}),
        (optimizers.AdamW, {"weight_decay": None}), (optimizers.RMSprop, {"rho": 1}),
        (optimizers.RMSprop, {"momentum": -1}), (optimizers.RMSprop, {"epsilon": -1e-7}),
        (optimizers.Adagrad, {"initial_accumulator_value": -1}), (optimizers.Adagrad, {"epsilon": float("nan")}),
        (optimizers.Adadelta, {"rho": -0.5}), (optimizers.Adamax, {"beta_1": 1}), (optimizers.Nadam, {"beta_2": 1}),
        (optimizers.Lion, {"beta_1": 0}), (optimizers.Lion, {"beta_2": 1}), (optimizers.Lamb, {"epsilon": 0}),
        (optimizers.Ftrl, {"learning_rate_power": 0.5}), (optimizers.Ftrl, {"l1_regularization_strength": -1}),
        (optimizers.Ftrl, {"l2_regularization_strength": -1}), (optimizers.Ftrl, {"beta": float("inf")}),
        (optimizers.Ftrl, {"l2_shrinkage_regularization_strength": -1}),
        (optimizers.Adafactor, {"beta_2_decay": 0.5}), (optimizers.Adafactor, {"epsilon_1": 0}),
        (optimizers.Adafactor, {"epsilon_2": -1}), (optimizers.Adafactor, {"clip_threshold": 0}),
        (SGD, {"weight_decay": float("nan")}), (SGD, {"clipnorm": 0}), (SGD, {"clipnorm": float("nan")}),
        (SGD, {"clipvalue": -1}), (SGD, {"global_clipnorm": float("inf")}), (SGD, {"ema_momentum": 1.5}),
        (SGD, {"ema_momentum": -0.1}), (SGD, {"ema_overwrite_frequency": 0}), (SGD, {"loss_scale_factor": 0}),
        (SGD, {"gradient_accumulation_steps": 1}),
    ],
)  # fmt: skip
def test_numbers_refused(cls, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{cls.__name__.lower()}: {name} must be"):
        cls(**arguments)


def test_other_arguments_refused():
    with pytest.raises(ValueError, match="only one of clipnorm, clipvalue and global_clipnorm"):
        Adam(clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(TypeError, match="weight_decay must be a number"):
        Adam(weight_decay="much")
    with pytest.raises(TypeError, match="gradient_accumulation_steps must be an integer"):
        Adam(gradient_accumulation_steps=2.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'decay'"):
        Adam(decay=0.1)
    with pytest.raises(TypeError, match="var_names must be a list"):
        Adam().exclude_from_weight_decay(var_names="bias")
    for unknown in ("rmsprob", 3, None, {"class_name": "os.system"}):
        with pytest.raises(ValueError, match="expected one of"):
            optimizers.get(unknown)
    with pytest.raises(ValueError, match="learning_rate must be greater than 0"):
        optimizers.Ftrl(0.0).apply([np.ones(2)], [variables()[1]])


@pytest.mark.parametrize("cls", ALL)
def test_configuration_round_trip(cls):
    optimizer = cls(0.3, clipnorm=2.0, weight_decay=0.1, use_ema=True, ema_overwrite_frequency=3, name="mine")
    config = optimizers.serialize(optimizer)
    again = optimizers.get(config)
    assert type(again) is cls
    assert optimizers.serialize(again) == config
    assert again.name == "mine"
    assert type(optimizers.get(cls.__name__.lower())) is cls


@pytest.mark.parametrize("cls", ALL)
def test_state_round_trip(cls):
    """Half of the steps, state saved and taken back, the other half: the same bits as without the break."""
    random = np.random.default_rng(0)
    grads = [[random.normal(size=(2, 3)), random.normal(size=2)] for _ in range(6)]
    arguments = {"use_ema": True, "clipnorm": 1.0, "weight_decay": 0.01}
    whole, first, second = (cls(0.1, **arguments) for _ in range(3))
    a, b = variables(), variables()
    for g in grads:
        whole.apply(g, a)
    for g in grads[:3]:
        first.apply(g, b)
    names = {v.name: v for v in b}
    state = {key: value.copy() for key, value in first.get_state(names).items()}
    second.iterations = first.iterations
    second.set_state(state, names)
    for g in grads[3:]:
        second.apply(g, b)
    for v, w in zip(a, b, strict=True):
        np.testing.assert_array_equal(v.numpy(), w.numpy())
    key = next(iter(state))
    with pytest.raises(ValueError, match="the state of a must have shape"):
        cls(0.1).set_state({**state, key: np.zeros((9, 9))}, names)


def test_weight_decay():
    a, b = variables()
    optimizer = SGD(0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["b"])
    optimizer.apply([np.zeros((2, 3)), np.zeros(2)], [a, b])
    np.testing.assert_allclose(a.numpy(), 0.95)
    np.testing.assert_array_equal(b.numpy(), 1)
    optimizer.exclude_from_weight_decay(var_list=[a])
    optimizer.apply([np.zeros((2, 3)), np.zeros(2)], [a, b])
    np.testing.assert_allclose(a.numpy(), 0.95)
    np.testing.assert_allclose(b.numpy(), 0.95)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"clipvalue": 0.5}, [-0.5, 0.5, 0.25]),
        ({"clipnorm": 1.0}, [-0.6, 0.8, 0.25]),
        ({"global_clipnorm": 2.0}, [-3 * 2 / 25.0625**0.5, 4 * 2 / 25.0625**0.5, 0.5 / 25.0625**0.5]),
        ({"global_clipnorm": 6.0}, [-3, 4, 0.25]),
        ({"loss_scale_factor": 4.0, "clipnorm": 1.0}, [-0.6, 0.8, 0.0625]),
    ],
)
def test_clipping(arguments, expected):
    a, b = lm.Variable(np.zeros(2)), lm.Variable(np.zeros(1))
    SGD(1.0, **arguments).apply([np.array([-3.0, 4.0]), np.array([0.25])], [a, b])
    np.testing.assert_allclose(-np.concatenate([a.numpy(), b.numpy()]), expected, rtol=1e-14)


@pytest.mark.parametrize("kind", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_does_not_hide_nan(kind):
    a = lm.Variable(np.zeros(2))
    SGD(1.0, **{kind: 1.0}).apply([np.array([np.nan, 1.0])], [a])
    assert np.isnan(a.numpy()[0])


def test_clipping_is_the_same_for_any_number_of_threads():
    g = np.random.default_rng(0).normal(size=(400, 1003)).astype("float32")
    found = []
    for threads in (1, 2, 4):
        lm.set_num_threads(threads)
        w = lm.Variable(np.zeros_like(g))
        SGD(1.0, global_clipnorm=0.5).apply([g], [w])
        found.append(w.numpy().tobytes())
    assert len(set(found)) == 1


def test_accumulation():
    a, _ = variables()
    optimizer = SGD(0.5, gradient_accumulation_steps=3)
    for i, value in enumerate([1.0, 2.0, 6.0, 3.0]):
        assert optimizer.iterations == i // 3
        optimizer.apply([np.full((2, 3), value)], [a])
        np.testing.assert_array_equal(a.numpy(), 1.0 if i < 2 else -0.5)
    optimizer.apply([np.zeros((2, 3))], [a])
    optimizer.apply([np.zeros((2, 3))], [a])
    np.testing.assert_array_equal(a.numpy(), -1.0)


def test_the_average_of_a_weight_that_joins_later():
    early, late = lm.Variable([1.0]), lm.Variable([8.0])
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.75)
    for weights in ([early], [early], [early, late]):
        optimizer.apply([np.ones(1, "float32")] * len(weights), weights)
    optimizer.finalize_variable_values([late])
    assert late.item() == 0.75 * 8 + 0.25 * 7  # begins as the weight itself, not as 0


def test_averages():
    a = lm.Variable(np.zeros(1))
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.75)
    for _ in range(2):
        optimizer.apply([np.array([-4.0])], [a])
    assert a.item() == 8
    optimizer.finalize_variable_values([a])
    assert a.item() == 5  # 0.75 * 4 + 0.25 * 8
    b = lm.Variable(np.zeros(1))
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=2)
    for expected in (4, 5, 9):
        optimizer.apply([np.array([-4.0])], [b])
        assert b.item() == expected


def test_loss_scale():
    a, _ = variables()
    optimizer = SGD(0.5, loss_scale_factor=8.0)
    optimizer.scale_loss((a * 2).sum()).backward()
    optimizer.step([a])
    np.testing.assert_array_equal(a.numpy(), 0)
    assert SGD().scale_loss(3) == 3


def test_constraints():
    a, b = lm.Variable(np.ones(2, "float32")), lm.Variable(np.ones(2, "float32"))
    a.constraint = lm.constraints.NonNeg()
    SGD(1.0).apply([np.array([3.0, 0.5])] * 2, [a, b])
    assert a.numpy().tolist() == [0, 0.5]
    assert b.numpy().tolist() == [-2, 0.5]


def test_rates_that_change():
    schedule = optimizers.schedules.StepDecay(0.5, 1, 0.5)
    a = lm.Variable(np.zeros(1))
    optimizer = SGD(schedule)
    assert optimizer.learning_rate == 0.5
    for _ in range(2):
        optimizer.apply([np.ones(1)], [a])
    assert a.item() == -0.75
    again = optimizers.get(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    with pytest.raises(TypeError, match="a schedule gives learning_rate"):
        optimizer.learning_rate = 0.1
    rates = iter([0.5, 0.25])
    changing = SGD(lambda: next(rates))
    for _ in range(2):
        changing.apply([np.ones(1)], [a])
    assert a.item() == -1.5
    with pytest.raises(ValueError, match="cannot be saved"):
        changing.get_config()


def test_an_optimizer_of_ones_own():
    """Its update gets gradients that are clipped, scaled and accumulated."""

    class Sign(optimizers.Optimizer):
        slot_names = ("count",)

        def update(self, weights, grads, slots):
            for w, g, count in zip(weights, grads, slots[0], strict=True):
                w -= self.learning_rate * g
                count += 1

    a, _ = variables()
    optimizer = Sign(0.5, clipvalue=2.0, weight_decay=0.5, loss_scale_factor=0.5)
    optimizer.apply([np.full((2, 3), 9.0)], [a])
    np.testing.assert_allclose(a.numpy(), 1 - 0.25 - 1)
    assert (optimizer.get_state({"a": a})["count/a"] == 1).all()
    with pytest.raises(ValueError, match="cannot be saved"):
        optimizers.serialize(optimizer)
    with pytest.raises(NotImplementedError):
        optimizers.Optimizer(0.1).apply([np.ones((2, 3))], [a])


def test_pairs():
    (a, b) = variables()
    assert SGD(0.5).apply_gradients([(np.ones((2, 3)), a), (np.ones(2), b)]) == 1
    assert b.numpy().tolist() == [0.5, 0.5]


def test_other_weights_of_the_same_number_and_shape():
    a, b = (lm.Variable(np.ones(3, "float32")) for _ in range(2))
    optimizer = SGD(1.0)
    for w in (a, b, a):
        w.grad_array = np.ones(3, "float32")
        optimizer.step([w])
    assert (a.numpy().tolist(), b.numpy().tolist()) == ([-1, -1, -1], [0, 0, 0])


def test_averages_overwrite_weights_of_16_bits():
    before = backend.narrow
    try:
        w = lm.Variable(lm.tensor([1.0], dtype="float16"))
        optimizer = SGD(1.0, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=2)
        optimizer.apply([np.array([1.0], "float16")], [w])
        assert w.numpy().tolist() == [0.0]
        optimizer.apply([np.array([4.0], "float16")], [w])
        assert w.numpy().tolist() == [-1.0]  # 3/4 of 0, 1/4 of -4
    finally:
        backend.narrow = before
