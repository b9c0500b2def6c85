"""Masks: made, handed on from layer to layer, merged, and taken into losses and metrics."""

import warnings

import numpy as np
import pytest

import lamina as lm
from lamina import backend
from lamina.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Bidirectional,
    Concatenate,
    Dense,
    Dot,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    Masking,
    Maximum,
    Multiply,
    TimeDistributed,
)

random = np.random.default_rng(3)
N, T, F = 3, 5, 2
kept = np.arange(T) < np.array([5, 3, 0])[:, None]
x = random.normal(size=(N, T, F)).astype("float32")
x[~kept] = 0


class Padded(lm.layers.Layer):
    """Numbers other than 0 count, as an embedding has it."""

    def compute_mask(self, x, mask=None):
        return lm.ops.not_equal(x, 0)

    def call(self, x):
        return lm.ops.stack([x, -x], -1)


def mask_of(tensor):
    return None if tensor._mask is None else tensor._mask.numpy()


def test_masking():
    layer = Masking(2.0)
    y = layer([[[2.0, 1.0], [2.0, 2.0]]])
    assert y.numpy().tolist() == [[[2.0, 1.0], [0.0, 0.0]]]
    assert mask_of(y).tolist() == [[True, False]]
    assert y._keras_mask is y._mask
    assert layer.compute_mask(lm.tensor([[[2.0, 2.0]]])).numpy().tolist() == [[False]]
    a = lm.tensor([[[2.0, 1.0], [2.0, 2.0]]], requires_grad=True)
    lm.ops.sum(layer(a)).backward()
    assert a.grad.numpy().tolist() == [[[1.0, 1.0], [0.0, 0.0]]]
    with pytest.raises(TypeError, match="mask_value must be a number"):
        Masking("x")
    with pytest.raises(ValueError, match="x must have shape"):
        Masking()([1.0])


@pytest.mark.parametrize(
    "layer",
    [
        Dense(3), Activation("relu"), Dropout(0.5), LayerNormalization(), lm.layers.ReLU(), lm.layers.Identity(),
        LSTM(2, return_sequences=True), Bidirectional(GRU(2, return_sequences=True)), TimeDistributed(Dense(2)),
        lm.layers.GaussianNoise(0.1), lm.layers.Rescaling(2.0), lm.layers.Softmax(), lm.layers.BatchNormalization(),
        lm.models.Sequential([Dense(2), Dropout(0.5)]), lm.layers.ActivityRegularization(0.1),
    ],
)  # fmt: skip
def test_layers_hand_masks_on(layer):
    masked = Masking()(x)
    for training in (False, True):
        assert (mask_of(layer(masked, training=training)) == kept).all()
    assert layer(x)._mask is None


def test_where_masks_end():
    masked = Masking()(x)
    assert LSTM(2)(masked)._mask is None
    assert GlobalAveragePooling1D()(masked)._mask is None
    assert Dot(1)([masked, masked])._mask is None
    layer = Flatten()
    with pytest.warns(UserWarning, match="does not support masking: the mask of its input ends here"):
        assert layer(masked)._mask is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(masked)  # said once
    assert (masked + 1)._mask is None


def test_states_carry_no_mask():
    y, h, c = LSTM(2, return_sequences=True, return_state=True)(Masking()(x))
    assert (mask_of(y) == kept).all()
    assert h._mask is None
    assert c._mask is None
    y, z, *states = Bidirectional(LSTM(2, return_sequences=True, return_state=True), merge_mode=None)(Masking()(x))
    assert (mask_of(y) == kept).all()
    assert (mask_of(z) == kept).all()
    assert all(state._mask is None for state in states)


def test_masks_given_and_carried_do_the_same():
    layer = LSTM(3, return_sequences=True)
    carried = layer(Masking()(x))
    given = layer(x, mask=kept)
    assert (carried.numpy() == given.numpy()).all()
    assert (mask_of(given) == kept).all()
    with_states = layer(Masking()(x), initial_state=[np.zeros((N, 3)), np.zeros((N, 3))])
    assert (with_states.numpy() == given.numpy()).all()
    assert (layer(Masking()(x), mask=np.ones((N, T), bool)).numpy() == layer(x).numpy()).all()
    assert (layer(x, None, kept).numpy() == given.numpy()).all()
    assert (layer(x, mask=kept.tolist()).numpy() == given.numpy()).all()
    assert (layer(x[1:2], mask=kept[1:2].tolist()).numpy() == given.numpy()[1:2]).all()
    twice = layer(lm.tensor(x.astype("float64")), mask=kept.astype("int8"))
    assert (twice.numpy() == given.numpy()).all()


def test_masks_outlast_a_cast():
    masked = Masking(dtype="float64")(x.astype("float64"))
    assert (mask_of(Dense(2)(masked)) == kept).all()


def test_layers_that_make_masks():
    ids = np.where(kept, 7.0, 0.0)
    y = Padded()(ids)
    assert (mask_of(y) == kept).all()
    start = Input((T,))
    symbol = Padded()(start)
    assert symbol._mask.shape == (None, T)
    model = lm.models.Model(start, LSTM(2)(symbol))
    layer = model.layers[-1]
    assert (model(ids).numpy() == layer(np.stack([ids, -ids], -1), mask=kept).numpy()).all()
    explicit = lm.models.Model(start, layer(lm.ops.stack([start, -start], -1), mask=symbol._keras_mask))
    assert (explicit(ids).numpy() == model(ids).numpy()).all()


def test_masks_of_several_arguments():
    seen = {}

    class Look(lm.layers.Layer):
        def call(self, query, value, key=None, query_mask=None, value_mask=None, key_mask=None):
            seen.update(query=query_mask, value=value_mask, key=key_mask)
            return query

    masked = Masking()(x)
    Look()(masked, masked)
    assert seen["query"] is masked._mask
    assert seen["value"] is masked._mask
    assert seen["key"] is None
    Look()(masked, value=lm.tensor(x), key=masked, query_mask=kept)
    assert seen["query"] is kept
    assert seen["value"] is None
    assert seen["key"] is masked._mask


def test_a_layer_that_needs_its_mask_is_part_of_a_graph():
    class Last(lm.layers.Layer):
        supports_masking = False

        def call(self, x, mask=None):
            return lm.ops.sum(x * lm.ops.cast(lm.ops.expand_dims(mask, -1), "float32"), 1)

    start = Input((T, F))
    model = lm.models.Model(start, Last()(Masking()(start)))
    np.testing.assert_allclose(model(x).numpy(), x.sum(1), rtol=1e-6)


# Merging


def test_merged_masks():
    a, b = Masking()(x), Dense(F)(Masking()(x[:, ::-1].copy()))
    either = kept | kept[:, ::-1]
    assert (mask_of(Add()([a, b])) == either).all()
    assert Add()([a, lm.tensor(x)])._mask is None
    assert (mask_of(Concatenate()([a, b])) == either).all()
    assert mask_of(Concatenate()([a, lm.tensor(x)])).all()
    assert (mask_of(Concatenate(1)([a, b])) == np.concatenate([kept, kept[:, ::-1]], 1)).all()
    expected = np.concatenate([kept, np.ones_like(kept)], 1)
    assert (mask_of(Concatenate(1)([a, lm.tensor(x)])) == expected).all()


def test_masked_values_do_not_take_part():
    ones = lm.tensor(np.full((N, T, F), -1.0, "float32"))
    masked = Masking()(x)
    most = Maximum()([masked, ones]).numpy()
    assert (most[~kept] == -1).all()
    np.testing.assert_array_equal(most[kept], np.maximum(x, -1)[kept])
    other = Masking()(x[:, ::-1].copy())
    product = Multiply()([masked, other]).numpy()
    np.testing.assert_array_equal(product[kept & ~kept[:, ::-1]], x[kept & ~kept[:, ::-1]])
    assert (product[~kept & ~kept[:, ::-1]] == 0).all()


# Models, losses, metrics


def models():
    chain = lm.models.Sequential([Input((T, F)), Masking(), LSTM(4, return_sequences=True), Dense(3)])
    start = Input((T, F))
    y = Dense(3)(LSTM(4, return_sequences=True)(Masking()(start)))
    return chain, lm.models.Model(start, y)


@pytest.mark.parametrize("place", [0, 1])
def test_losses_and_metrics_of_models_heed_masks(place):
    model = models()[place]
    y = model(x)
    assert (mask_of(y) == kept).all()
    target = random.normal(size=(N, T, 3)).astype("float32")
    squares = ((y.numpy() - target) ** 2).mean(-1)
    expected = squares[kept].mean()
    model.compile("sgd", "mse", metrics=["mse"])
    loss, metric = model.evaluate(x, target, verbose=0)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(metric, expected, rtol=1e-5)
    weight = np.array([0.5, 2.0, 1.0])
    weighted = (squares * weight[:, None])[kept].sum() / kept.sum()
    np.testing.assert_allclose(model.evaluate(x, target, sample_weight=weight, verbose=0)[0], weighted, rtol=1e-5)
    before = model.get_weights()
    target[~kept] = 1e6
    model.train_on_batch(x, target)
    assert max(abs(p - q).max() for p, q in zip(before, model.get_weights(), strict=True)) < 1


def test_losses_take_the_masks_of_predictions():
    y = lm.tensor(random.random((N, T, 3)).astype("float32"))
    y = y / lm.ops.sum(y, -1, True)
    labels = random.integers(0, 3, (N, T))
    for loss in (lm.losses.SparseCategoricalCrossentropy(), lm.losses.MeanSquaredError()):
        target = labels if "Sparse" in type(loss).__name__ else y.numpy() * 0
        expected = loss(target, y, mask=kept).item()
        assert expected != loss(target, y).item()
        masked = lm.tensor(y.numpy())
        masked._mask = lm.tensor(kept)
        assert loss(target, masked).item() == expected
    ignoring = lm.metrics.SparseCategoricalCrossentropy(ignore_class=0)
    expected = -np.log(np.take_along_axis(y.numpy(), labels[..., None], -1)[..., 0])[kept & (labels != 0)].mean()
    assert ignoring(labels, masked) == pytest.approx(expected, rel=1e-5)
    metric = lm.metrics.SparseCategoricalAccuracy()
    assert metric(labels, masked) == pytest.approx((y.numpy().argmax(-1) == labels)[kept].mean())


@pytest.mark.parametrize("place", [0, 1])
def test_models_take_masks(place):
    model = [
        lm.models.Sequential([Input((T, F)), LSTM(4)]),
        lm.models.Model(start := Input((T, F)), LSTM(4)(start)),
    ][place]
    layer = model.layers[-1]
    expected = layer(x, mask=kept).numpy()
    assert (model(x, mask=kept).numpy() == expected).all()
    a = lm.tensor(x)
    assert (model(a, mask=kept).numpy() == expected).all()
    assert a._mask is None
    assert (model(Masking()(x)).numpy() == expected).all()


def test_masks_of_models_with_several_inputs():
    a, b = Input((T, F), name="a"), Input((T, F), name="b")
    layer = LSTM(3)
    model = lm.models.Model([a, b], [layer(a), layer(b)])
    y, z = model([x, x], mask=[kept, None])
    assert (y.numpy() == layer(x, mask=kept).numpy()).all()
    assert (z.numpy() == layer(x).numpy()).all()


def test_models_with_masks_are_saved_and_cloned(tmp_path):
    for model in models():
        model.save(tmp_path / "m.safetensors")
        again = lm.models.load_model(tmp_path / "m.safetensors")
        assert (again(x).numpy() == model(x).numpy()).all()
        assert (mask_of(again(x)) == kept).all()
        assert (mask_of(lm.models.clone_model(model)(x)) == kept).all()


def test_a_model_inside_a_model():
    inner = lm.models.Sequential([Input((T, F)), LSTM(4, return_sequences=True)])
    model = lm.models.Sequential([Input((T, F)), Masking(), inner, LSTM(2)])
    lstm = model.layers[-1]
    expected = lstm(inner.layers[0](x, mask=kept), mask=kept)
    assert (model(x).numpy() == expected.numpy()).all()


# TimeDistributed


def test_time_distributed_gives_masks_to_the_layer():
    seen = []

    class Look(lm.layers.Layer):
        def call(self, x, mask=None):
            seen.append(mask)
            return x

    TimeDistributed(Look())(x, mask=kept)
    assert (seen[0] == kept.reshape(-1)).all()
    with pytest.raises(ValueError, match=r"mask must have shape \(3, 5\), got \(3, 4\)"):
        TimeDistributed(Dense(2))(x, mask=kept[:, :4])


def test_time_distributed():
    conv = lm.layers.Conv2D(4, 3)
    layer = TimeDistributed(conv)
    video = random.normal(size=(2, 3, 8, 8, 1)).astype("float32")
    y = layer(video)
    assert y.shape == layer.compute_output_shape(video.shape) == (2, 3, 6, 6, 4)
    for t in range(3):
        assert (y.numpy()[:, t] == conv(video[:, t]).numpy()).all()
    assert layer.flops((None, 3, 8, 8, 1)) == 3 * conv.flops((None, 8, 8, 1))
    assert TimeDistributed(Dense(2))(np.zeros((2, 0, 3), "float32")).shape == (2, 0, 2)
    assert TimeDistributed(Dense(2))(Input((None, 3))).shape == (None, None, 2)
    twice = TimeDistributed(TimeDistributed(Dense(2)))
    assert twice(video).shape == (2, 3, 8, 8, 2)
    with pytest.raises(TypeError, match="expected a layer, got int"):
        TimeDistributed(3)
    with pytest.raises(ValueError, match="at least 3 axes"):
        TimeDistributed(Dense(2))(np.zeros((2, 3), "float32"))


def test_time_distributed_runs_stateful_layers_step_by_step():
    layer = TimeDistributed(LSTM(2, stateful=True))
    video = random.normal(size=(2, 3, 4, 5)).astype("float32")
    y = layer(video)
    layer.layer.reset_state()
    for t in range(3):
        np.testing.assert_allclose(layer.layer(video[:, t]).numpy(), y.numpy()[:, t], rtol=1e-6)


def test_lambda():
    masked = Masking()(x)
    twice = lm.layers.Lambda(lambda a: a * 2, mask=lambda a, mask: mask)
    assert (mask_of(twice(masked)) == kept).all()
    assert mask_of(lm.layers.Lambda(lambda a: a * 2, mask=kept)(x)) is not None
    assert lm.layers.Lambda(lambda a: a * 2)(masked)._mask is None
    assert (lm.layers.Lambda(lambda a, mask: lm.ops.cast(mask, "float32"))(masked).numpy() == kept).all()


def test_time_distributed_over_sequences_of_sequences():
    text = random.normal(size=(2, 3, T, F)).astype("float32")
    words = random.random((2, 3, T)) < 0.6
    words[1, 2] = False
    text[~words] = 0
    masked = Masking()(text)
    assert (mask_of(masked) == words).all()
    lstm = LSTM(4)
    y = TimeDistributed(lstm)(masked)
    for t in range(3):
        np.testing.assert_allclose(y.numpy()[:, t], lstm(text[:, t], mask=words[:, t]).numpy(), rtol=1e-6)
    assert (mask_of(y) == words.any(2)).all()
    assert (mask_of(TimeDistributed(LSTM(4, return_sequences=True))(masked)) == words).all()
    assert (mask_of(TimeDistributed(Dense(2))(masked)) == words).all()
    inner = lm.models.Sequential([Input((T, F)), GRU(3)])
    model = lm.models.Sequential([Input((3, T, F)), Masking(), TimeDistributed(inner), LSTM(2)])
    expected = model.layers[-1](TimeDistributed(inner)(masked), mask=words.any(2))
    assert (model(text).numpy() == expected.numpy()).all()
    frames = random.normal(size=(2, 3, T, F)).astype("float32")
    z = TimeDistributed(lstm)(frames, mask=words.any(2))
    np.testing.assert_allclose(z.numpy()[0, 0], lstm(frames[0, :1]).numpy()[0], rtol=1e-6)
    assert (mask_of(z) == words.any(2)).all()
    assert TimeDistributed(Masking())(frames).shape == frames.shape


# Layers as Keras's guides write them


class TemporalSplit(lm.layers.Layer):
    def call(self, inputs):
        return lm.ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs, mask=None):
        if mask is None:
            return None
        return lm.ops.split(mask, 2, axis=1)


class CustomEmbedding(lm.layers.Layer):
    autocast = False

    def __init__(self, input_dim, output_dim, mask_zero=False, **kwargs):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim), initializer="random_normal", dtype="float32"
        )

    def call(self, inputs):
        return lm.ops.take(self.embeddings, lm.ops.cast(inputs, "int32"), axis=0)

    def compute_mask(self, inputs, mask=None):
        if not self.mask_zero:
            return None
        return lm.ops.not_equal(inputs, 0)


class MyActivation(lm.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return lm.ops.relu(inputs)


class TemporalSoftmax(lm.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        assert mask is not None
        weights = lm.ops.expand_dims(lm.ops.cast(mask, "float32"), -1)
        exponents = lm.ops.exp(inputs) * weights
        return exponents / (lm.ops.sum(exponents * weights, axis=1, keepdims=True) + 1e-9)


def test_layers_of_the_guides():
    ids = np.array([[3, 1, 0, 0], [2, 2, 2, 0]])
    embedding = CustomEmbedding(10, 6, mask_zero=True)
    first, second = TemporalSplit()(embedding(ids))
    assert mask_of(first).tolist() == [[True, True], [True, True]]
    assert mask_of(second).tolist() == [[False, False], [True, False]]
    start = Input((None,), dtype="int32")
    y = TemporalSoftmax()(Dense(1)(MyActivation()(CustomEmbedding(10, 6, mask_zero=True)(start))))
    model = lm.models.Model(start, y)
    np.testing.assert_allclose(model(ids).numpy().sum((1, 2)), 1, rtol=1e-5)
    assert (model(ids).numpy()[0, 2:] == 0).all()
    assert CustomEmbedding(10, 6)(ids)._mask is None


def test_states_of_one_layer_for_another():
    one, other = LSTM(4, stateful=True), LSTM(4)
    one(x)
    first = other(x, initial_state=one.states).numpy()
    one(x)
    assert (first != other(x, initial_state=one.states).numpy()).any()


def test_wrapper():
    class Twice(lm.layers.Wrapper):
        def call(self, x):
            return self.layer(self.layer(x))

    layer = Twice(Dense(2, kernel_initializer="ones"))
    assert layer(np.ones((1, 2), "float32")).numpy().tolist() == [[4.0, 4.0]]
    assert len(layer.weights) == 2
    plain = lm.layers.Wrapper(Dense(2))
    again = lm.layers.Wrapper.from_config(plain.get_config())
    assert again.layer.units == 2
    with pytest.raises(TypeError, match="expected a layer, got int"):
        lm.layers.Wrapper(3)


def test_a_mask_value_that_16_bits_do_not_hold():
    before = backend.narrow
    try:
        for policy in ("mixed_float16", "mixed_bfloat16"):
            layer = lm.layers.Masking(-9.9, dtype=policy)
            x = np.array([[[1.0, -9.9], [-9.9, -9.9]]], "float32")
            y = layer(x)
            assert y._mask.numpy().tolist() == [[True, False]]
            assert y.numpy()[0, 1].tolist() == [0.0, 0.0]
            assert layer.compute_mask(lm.ops.cast(x, layer.compute_dtype)).numpy().tolist() == [[True, False]]
    finally:
        backend.narrow = before
