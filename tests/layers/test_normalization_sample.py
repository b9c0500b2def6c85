"""LayerNormalization, RMSNormalization, GroupNormalization, UnitNormalization, SpectralNormalization."""

import numpy as np
import pytest

import lamina as lm
from lamina import layers

random = np.random.default_rng(0)


def inputs(*shape):
    return random.normal(2, 3, size=shape).astype("float32")


def test_layer_normalization():
    x = inputs(4, 5, 6)
    layer = layers.LayerNormalization([1, 2], 1e-5, gamma_initializer=lm.initializers.Constant(2.0))
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    np.testing.assert_allclose(layer(x).numpy(), 2 * (x - mean) / np.sqrt(variance + 1e-5), atol=1e-5)
    assert [(v.name, v.shape) for v in layer.weights] == [("gamma", (5, 6)), ("beta", (5, 6))]
    assert layer.compute_output_shape((None, 5, 6)) == (None, 5, 6)
    plain = layers.LayerNormalization(center=False, scale=False)
    plain(x)
    assert plain.weights == []
    scaling = layers.LayerNormalization(rms_scaling=True)
    np.testing.assert_allclose(scaling(x).numpy(), x / np.sqrt(x.var(-1, keepdims=True) + 1e-3), rtol=1e-5)
    assert [v.name for v in scaling.weights] == ["gamma"]


def test_rms_normalization():
    x = inputs(4, 6)
    layer = layers.RMSNormalization()
    np.testing.assert_allclose(layer(x).numpy(), x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6), rtol=1e-5)
    assert [(v.name, v.shape) for v in layer.weights] == [("scale", (6,))]


@pytest.mark.parametrize(("groups", "axis"), [(2, -1), (-1, -1), (5, 1), (1, 2)])
def test_group_normalization(groups, axis):
    x = inputs(3, 5, 4, 6)
    layer = layers.GroupNormalization(groups, axis)
    y = np.moveaxis(layer(x).numpy(), axis, -1)
    parts = np.moveaxis(x, axis, -1)
    count = parts.shape[-1] if groups == -1 else groups
    parts = parts.reshape(3, -1, count, parts.shape[-1] // count)
    expected = (parts - parts.mean((1, 3), keepdims=True)) / np.sqrt(parts.var((1, 3), keepdims=True) + 1e-3)
    np.testing.assert_allclose(y, expected.reshape(y.shape), atol=2e-5)


def test_unit_normalization():
    x = inputs(4, 6)
    np.testing.assert_allclose(np.linalg.norm(layers.UnitNormalization()(x).numpy(), axis=-1), 1, rtol=1e-6)
    assert layers.UnitNormalization([1, 2])(inputs(2, 3, 4)).shape == (2, 3, 4)


@pytest.mark.parametrize("iterations", [1, 50])
def test_spectral_normalization(iterations):
    x = inputs(3, 8, 8, 4)
    initializer = lm.initializers.GlorotUniform(seed=3)
    layer = layers.SpectralNormalization(layers.Conv2D(5, 3, kernel_initializer=initializer), iterations)
    layer(x)
    before = layer.layer.kernel.numpy().copy()
    layer(x)
    np.testing.assert_array_equal(layer.layer.kernel.numpy(), before)  # only training changes it
    layer(x, training=True)
    largest = np.linalg.svd(layer.layer.kernel.numpy().reshape(-1, 5))[1][0]
    assert largest == pytest.approx(1, rel=1e-3 if iterations > 1 else 0.5)
    assert [v.name for v in layer.weights] == ["vector_u", "kernel", "bias"]
    assert all(v is not layer.vector_u for v in layer.trainable_weights)
    assert layer.compute_output_shape((None, 8, 8, 4)) == (None, 6, 6, 5)
    zero = layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    assert not zero(np.ones((1, 3), "float32"), training=True).numpy().any()


LAYERS = [
    layers.LayerNormalization([1, 2], 1e-5, center=False, gamma_constraint="non_neg", beta_regularizer="l2"),
    layers.RMSNormalization(1, 1e-5),
    layers.GroupNormalization(3, 1, 1e-5, scale=False),
    layers.UnitNormalization([1, 2]),
    layers.SpectralNormalization(layers.Dense(3, activation="relu"), 2),
    layers.BatchNormalization(beta_constraint="non_neg"),
    layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 3.0, "dmax": 5.0}, renorm_momentum=0.9),
]


@pytest.mark.parametrize("layer", LAYERS)
def test_configuration_round_trip(layer):
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config


def test_constraints_reach_the_weights():
    layer = layers.LayerNormalization(gamma_constraint="non_neg")
    layer(inputs(2, 3))
    lm.optimizers.SGD(1.0).apply([np.full(3, 5.0)], [layer.gamma])
    assert layer.gamma.numpy().tolist() == [0, 0, 0]


def test_masked_batch_normalization():
    x = inputs(6, 5, 3)
    mask = random.uniform(size=(6, 5)) < 0.6
    layer = layers.BatchNormalization(momentum=0.5)
    broken = np.where(mask[..., None], x, np.nan)
    y = layer(broken, training=True, mask=mask).numpy()
    mean, variance = x[mask].mean(0), x[mask].var(0)
    np.testing.assert_allclose(y[mask], ((x - mean) / np.sqrt(variance + 1e-3))[mask], atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean / 2, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.5 + variance / 2, rtol=1e-5)
    with pytest.raises(ValueError, match="mask must have the shape of x without the axis"):
        layer(x, training=True, mask=mask[:, :3])


def test_batch_renormalization():
    x = inputs(6, 5, 3)
    layer = layers.BatchNormalization(renorm=True, renorm_momentum=0.5, momentum=0.75, dtype="float64")
    moving_mean, moving_deviation = np.zeros(3), np.ones(3)
    for _ in range(3):
        mean, deviation = x.mean((0, 1), dtype=float), np.sqrt(x.var((0, 1), dtype=float) + 1e-3)
        r, d = deviation / moving_deviation, (mean - moving_mean) / moving_deviation
        np.testing.assert_allclose(layer(x, training=True).numpy(), (x - mean) / deviation * r + d, atol=1e-9)
        moving_mean, moving_deviation = (moving_mean + mean) / 2, (moving_deviation + deviation) / 2
        x = x + 1
    names = ["gamma", "beta", "moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"]
    assert [v.name for v in layer.weights] == names
    assert [v.name for v in layer.trainable_weights] == names[:2]
    np.testing.assert_allclose(layer.renorm_mean.numpy(), moving_mean)
    np.testing.assert_allclose(layer.renorm_stddev.numpy(), moving_deviation)
    np.testing.assert_allclose(layer.moving_variance.numpy(), layer.moving_stddev.numpy() ** 2 - 1e-3)
    before = layer.get_weights()
    layer(x)
    layer.trainable = False
    layer(x, training=True)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for kind in (False, True):
        with pytest.raises(ValueError, match=r"training needs more than one value a channel, got x of shape \(1, 3\)"):
            layers.BatchNormalization(renorm=kind)(x[0, :1], training=True)
    bounded = layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 1, "rmax": 1, "dmax": 0})
    plain = layers.BatchNormalization()
    np.testing.assert_allclose(bounded(x, training=True).numpy(), plain(x, training=True).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.LayerNormalization("last"), TypeError, "axis must be an integer or a list"),
        (lambda: layers.LayerNormalization(epsilon=0), ValueError, "epsilon must be positive"),
        (lambda: layers.RMSNormalization(epsilon=-1), ValueError, "epsilon must be positive"),
        (lambda: layers.UnitNormalization(1.5), TypeError, "axis must be an integer or a list"),
        (lambda: layers.GroupNormalization(0), ValueError, "groups must be at least 1"),
        (lambda: layers.GroupNormalization(2.0), TypeError, "groups must be an integer"),
        (lambda: layers.GroupNormalization(2, [1, 2]), TypeError, "axis must be an integer"),
        (lambda: layers.SpectralNormalization(layers.Dense(2), 0), ValueError, "power_iterations must be at least 1"),
        (lambda: layers.SpectralNormalization(3), TypeError, "expected a layer"),
        (lambda: layers.BatchNormalization(synchronized=True), ValueError, "synchronized must be False"),
        (
            lambda: layers.BatchNormalization(renorm_momentum=2),
            ValueError,
            "renorm_momentum must be from 0 to 1, got 2",
        ),
        (
            lambda: layers.BatchNormalization(renorm_clipping={"max": 1.0}),
            ValueError,
            r"rmin, rmax and dmax, got \['max'",
        ),
        (lambda: layers.BatchNormalization(renorm_clipping={"rmin": 2, "rmax": 1}), ValueError, "rmin up to rmax"),
        (lambda: layers.BatchNormalization(renorm_clipping={"dmax": -1.0}), ValueError, "dmax of at least 0"),
        (lambda: layers.BatchNormalization(renorm_clipping=[1, 2]), TypeError, "must be a dictionary of numbers"),
        (lambda: layers.GroupNormalization(2)(np.ones((2, 3))), ValueError, "groups must divide the channels"),
        (lambda: layers.LayerNormalization(0)(np.ones((2, 3))), ValueError, "after the batch"),
        (lambda: layers.LayerNormalization(2)(np.ones((2, 3))), ValueError, "after the batch"),
        (lambda: layers.SpectralNormalization(layers.Flatten())(np.ones((2, 3))), ValueError, "has no kernel"),
    ],
)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
