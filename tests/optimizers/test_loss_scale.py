"""LossScaleOptimizer: scales that go by gradients that are not finite."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina.autograd.row_sparse import RowSparse
from lamina.optimizers import SGD, Adam, LossScaleOptimizer
from lamina.optimizers.loss_scale import all_finite, sums_of_squares


def test_defaults():
    optimizer = LossScaleOptimizer(SGD(0.5))
    assert (optimizer.initial_scale, optimizer.dynamic_growth_steps) == (2.0**15, 2000)
    assert (optimizer.dynamic_scale, optimizer.step_counter) == (2.0**15, 0)
    assert (optimizer.learning_rate, optimizer.iterations) == (0.5, 0)
    optimizer.learning_rate = 0.25
    assert optimizer.inner_optimizer.learning_rate == 0.25
    assert optimizer.momentum == 0  # what it does not say the inner one does
    assert not hasattr(optimizer, "beta_1")
    assert lm.mixed_precision.LossScaleOptimizer is LossScaleOptimizer


def test_it_grows_and_shrinks():
    w = lm.Variable([1.0, 2.0])
    optimizer = LossScaleOptimizer(SGD(1.0), initial_scale=4.0, dynamic_growth_steps=3)
    seen = []
    for grad in (4.0, 4.0, np.inf, 4.0, 4.0, 4.0, 8.0, np.nan):
        before = w.numpy().copy()
        optimizer.apply([np.array([grad, 0.0], "float32")], [w])
        seen.append((optimizer.dynamic_scale, optimizer.step_counter, float(before[0] - w.numpy()[0])))
    assert seen == [
        (4.0, 1, 1.0), (4.0, 2, 1.0), (2.0, 0, 0.0), (2.0, 1, 2.0), (2.0, 2, 2.0), (4.0, 0, 2.0), (4.0, 1, 2.0),
        (2.0, 0, 0.0),
    ]  # fmt: skip
    assert optimizer.iterations == 6  # steps that were left out do not count
    assert w.numpy()[1] == 2


def test_a_loop():
    w, plain = lm.Variable([1.0, -3.0]), lm.Variable([1.0, -3.0])
    optimizer, inner = LossScaleOptimizer(Adam(0.1)), Adam(0.1)
    optimizer.build([w])
    for _ in range(3):
        optimizer.scale_loss((w * w).sum()).backward()
        assert w.grad.numpy()[0] > 1000
        optimizer.step()
        assert w.grad is None
        (plain * plain).sum().backward()
        inner.step([plain])
    np.testing.assert_array_equal(w.numpy(), plain.numpy())  # powers of two are exact
    assert optimizer.apply_gradients([(np.ones(2, "float32"), w)]) == 4
    w.grad = [np.inf, 0.0]
    before = w.numpy().copy()
    optimizer.step([w])
    assert w.grad is None
    np.testing.assert_array_equal(w.numpy(), before)
    w.grad = [1.0, 0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_clipping_decay_and_averages_are_of_divided_gradients():
    arguments = {"clipnorm": 0.5, "weight_decay": 0.125, "use_ema": True}
    w, plain = lm.Variable([1.0, -3.0]), lm.Variable([1.0, -3.0])
    optimizer, inner = LossScaleOptimizer(SGD(0.5, **arguments), 8.0), SGD(0.5, **arguments)
    for _ in range(2):
        optimizer.apply([np.array([8.0, 16.0], "float32")], [w])
        inner.apply([np.array([1.0, 2.0], "float32")], [plain])
    np.testing.assert_array_equal(w.numpy(), plain.numpy())
    assert optimizer.use_ema
    optimizer.finalize_variable_values([w])
    inner.finalize_variable_values([plain])
    np.testing.assert_array_equal(w.numpy(), plain.numpy())


def test_accumulated_gradients():
    w = lm.Variable([1.0])
    optimizer = LossScaleOptimizer(SGD(1.0, gradient_accumulation_steps=2), 4.0)
    for grad in (4.0, np.inf, 12.0):
        optimizer.apply([np.array([grad * optimizer.dynamic_scale / 4], "float32")], [w])
    assert w.item() == -1.0


def test_all_finite():
    def finite(grads: list) -> bool:
        return all_finite(sums_of_squares(grads))

    one, two = np.ones((3, 4), "float32"), np.ones(2)
    assert finite([one, None, two, RowSparse(np.array([1]), one[:1], (5, 4))])
    for bad in (np.nan, np.inf, -np.inf):
        broken = one.copy()
        broken[2, 3] = bad
        assert not finite([two, broken])
        assert not finite([RowSparse(np.array([1]), broken[2:], (5, 4))])
    assert finite([np.full(1000, 1e17, "float32")])
    assert finite([np.full(3, 60000, "float16")])
    assert not finite([np.full(3, np.inf, "float16")])
    assert finite([one.T])


def test_configuration_and_state():
    optimizer = LossScaleOptimizer(Adam(0.125, amsgrad=True), 64.0, 5, "scaled")
    config = json.loads(json.dumps(lm.optimizers.serialize(optimizer)))
    again = lm.optimizers.get(config)
    assert isinstance(again, LossScaleOptimizer)
    assert again.get_config() == optimizer.get_config()
    assert isinstance(again.inner_optimizer, Adam)
    w = lm.Variable([1.0])
    for grad in (np.inf, 1.0):
        optimizer.apply([np.array([grad], "float32")], [w])
    v = lm.Variable(w.numpy())
    again.set_state(optimizer.get_state({"w": w}), {"w": v})
    again.iterations = optimizer.iterations
    assert (again.dynamic_scale, again.step_counter, again.iterations) == (32.0, 1, 1)
    for o, x in ((optimizer, w), (again, v)):
        o.apply([np.array([2.0], "float32")], [x])
    assert v.item() == w.item()


def test_refused():
    with pytest.raises(TypeError, match="loss_scale_optimizer: inner_optimizer must be another optimizer, got 'adam'"):
        LossScaleOptimizer("adam")
    with pytest.raises(TypeError, match="inner_optimizer must be another optimizer"):
        LossScaleOptimizer(LossScaleOptimizer(SGD()))
    with pytest.raises(ValueError, match="initial_scale must be greater than 0"):
        LossScaleOptimizer(SGD(), 0.0)
    with pytest.raises(ValueError, match="dynamic_growth_steps must be at least 1"):
        LossScaleOptimizer(SGD(), dynamic_growth_steps=0)
    with pytest.raises(ValueError, match="loss_scale_optimizer: set clipnorm, use_ema on the inner optimizer"):
        LossScaleOptimizer(SGD(), clipnorm=1.0, use_ema=True)
    with pytest.raises(ValueError, match="unknown inner optimizer"):
        LossScaleOptimizer.from_config({"inner_optimizer": {"class_name": "Nonsense", "config": {}}})
    with pytest.raises(ValueError, match="has a gradient"):
        LossScaleOptimizer(SGD()).step([lm.Variable([1.0])])


def model_of(policy):
    lm.set_seed(1)
    layers = [lm.Input((3,)), lm.layers.Dense(4, "relu", dtype=policy), lm.layers.Dense(1, dtype=policy)]
    return lm.Sequential(layers)


def test_compile_puts_it_around():
    for policy, wrapped in (("mixed_float16", True), ("mixed_bfloat16", False), ("float32", False)):
        model = model_of(policy)
        model.compile("sgd", "mse")
        assert isinstance(model.optimizer, LossScaleOptimizer) == wrapped
    model = model_of("mixed_float16")
    model.compile("sgd", "mse", auto_scale_loss=False)
    assert isinstance(model.optimizer, SGD)
    own = LossScaleOptimizer(SGD(), 2.0)
    model.compile(own, "mse")
    assert model.optimizer is own


def test_fit_scales_losses():
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    weights = []
    for optimizer in (SGD(0.25), SGD(0.25, loss_scale_factor=64.0), LossScaleOptimizer(SGD(0.25))):
        model = model_of("float32")
        model.compile(optimizer, "mse")
        model.fit(x, y, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for others in weights[1:]:
        for a, b in zip(weights[0], others, strict=True):
            np.testing.assert_array_equal(a, b)


def test_small_gradients_survive():
    """1e-5 times 1e-3 is nothing in float16 without a scale."""
    x = np.full((1, 1), 1e-3, "float16")
    layer = lm.layers.Dense(1, use_bias=False, dtype="mixed_float16")
    layer.build((None, 1))
    (lm.ops.cast(layer(x), "float32").sum() * 1e-5).backward()
    assert layer.kernel.grad.item() == 0
    layer.zero_grad()
    optimizer = LossScaleOptimizer(SGD(1.0))
    optimizer.scale_loss(lm.ops.cast(layer(x), "float32").sum() * 1e-5).backward()
    before = layer.kernel.numpy().copy()
    optimizer.step([layer.kernel])
    np.testing.assert_allclose(before - layer.kernel.numpy(), 1e-8, rtol=1)


def test_a_first_step_that_is_left_out_knows_its_weights():
    w = lm.Variable([1.0])
    optimizer = LossScaleOptimizer(SGD(1.0), initial_scale=2.0)
    w.grad = [np.inf]
    optimizer.step([w])
    w.grad = [1.0]
    optimizer.step()
    assert w.numpy().tolist() == [0.0]


def test_gradients_in_lists():
    w = lm.Variable([1.0])
    optimizer = LossScaleOptimizer(SGD(1.0), initial_scale=2.0)
    optimizer.apply([[1.0]], [w])
    assert w.numpy().tolist() == [0.5]


def test_settings_reach_the_inner_optimizer():
    optimizer = LossScaleOptimizer(SGD(1.0, weight_decay=0.5), initial_scale=2.0)
    optimizer.weight_decay, optimizer.dynamic_scale = 0.0, 4.0
    assert (optimizer.inner_optimizer.weight_decay, optimizer.dynamic_scale) == (0.0, 4.0)
    w = lm.Variable([1.0])
    optimizer.apply([np.zeros(1, "float32")], [w])
    assert w.numpy().tolist() == [1.0]
    assert not hasattr(optimizer.inner_optimizer, "dynamic_scale")


def test_a_scale_of_the_inner_optimizer_is_refused():
    with pytest.raises(ValueError, match="inner_optimizer must not have a loss_scale_factor of its own, got 8"):
        LossScaleOptimizer(SGD(1.0, loss_scale_factor=8.0))
