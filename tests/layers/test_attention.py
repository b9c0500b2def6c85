"""Attention, AdditiveAttention, MultiHeadAttention, GroupQueryAttention: shapes, masks, scores, configurations."""

import numpy as np
import pytest

import lamina as lm
from lamina.layers import AdditiveAttention, Attention, GroupQueryAttention, MultiHeadAttention

RANDOM = np.random.default_rng(0)


def values(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def attend(q, k, v, seen=None):
    """By definition, for one head: (y, probabilities)."""
    s = q @ k.swapaxes(-1, -2)
    if seen is not None:
        s = np.where(seen, s, -np.inf)
    p = np.exp(s - np.where(np.isinf(s.max(-1, keepdims=True)), 0, s.max(-1, keepdims=True)))
    total = p.sum(-1, keepdims=True)
    p = p / np.where(total == 0, 1, total)
    return p @ v, p


LAYERS = [
    lambda: Attention(use_scale=True),
    lambda: Attention(score_mode="concat", use_scale=True),
    lambda: AdditiveAttention(),
    lambda: AdditiveAttention(use_scale=False),
]


@pytest.mark.parametrize("make", LAYERS)
def test_shapes(make):
    layer = make()
    query, value, key = values(2, 3, 4), values(2, 6, 5), values(2, 6, 4)
    y, scores = layer([query, value, key], return_attention_scores=True)
    assert y.shape == (2, 3, 5)
    assert scores.shape == (2, 3, 6)
    assert layer.compute_output_shape([(None, 3, 4), (None, 6, 5), (None, 6, 4)]) == (None, 3, 5)
    np.testing.assert_allclose(scores.numpy().sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(y.numpy(), scores.numpy() @ value, atol=1e-5)
    np.testing.assert_allclose(y.numpy(), layer([query, value, key]).numpy(), atol=1e-6)
    assert layer.flops([(None, 3, 4), (None, 6, 5), (None, 6, 4)]) == 2 * 3 * 6 * 9


@pytest.mark.parametrize("make", LAYERS)
def test_masks(make):
    query, value = values(2, 5, 4), values(2, 6, 4)
    seen, asked = RANDOM.random((2, 6)) < 0.6, RANDOM.random((2, 5)) < 0.6
    seen[0] = False
    layer = make()
    y, scores = layer([query, value], mask=[asked, seen], use_causal_mask=True, return_attention_scores=True)
    visible = seen[:, None] & (np.arange(6) <= np.arange(5)[:, None])
    assert not scores.numpy()[~visible].any()
    assert not y.numpy()[~asked].any()
    assert not y.numpy()[0].any()
    fused = layer([query, value], mask=[asked, seen], use_causal_mask=True)
    np.testing.assert_allclose(fused.numpy(), y.numpy(), atol=1e-6)
    np.testing.assert_allclose(layer([query, value], mask=[None, seen]).numpy()[0], 0)


def test_dot_product():
    query, value = values(2, 5, 4), values(2, 6, 4)
    layer = Attention(use_scale=True)
    layer.build([query.shape, value.shape])
    layer.set_weights([np.float32(0.5)])
    y, scores = layer([query, value], return_attention_scores=True)
    wanted, probabilities = attend(query * 0.5, value, value)
    np.testing.assert_allclose(y.numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(scores.numpy(), probabilities, atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: Attention(dropout=0.5, seed=3), lambda: AdditiveAttention(dropout=0.5, seed=3)]
)
def test_dropout(make):
    layer, other = make(), make()
    query, value = values(2, 5, 4), values(2, 200, 4)
    layer.build([query.shape, value.shape])
    other.build([query.shape, value.shape])
    other.set_weights(layer.get_weights())
    plain = layer([query, value]).numpy()
    first, second = (layer([query, value], training=True).numpy() for _ in range(2))
    assert np.abs(first - plain).max() > 1e-3
    assert np.abs(first - second).max() > 1e-3
    again, scores = other([query, value], training=True, return_attention_scores=True)
    np.testing.assert_allclose(again.numpy(), first, atol=1e-5)
    np.testing.assert_allclose(scores.numpy().sum(-1), 1, atol=1e-5)  # the scores are those before dropout


# Heads


def heads_by_definition(layer, query, value, key, seen=None):
    """MultiHeadAttention and GroupQueryAttention by einsum."""
    weights = [w.astype(np.float64) for w in layer.get_weights()]
    pairs = [weights[i : i + 2] for i in range(0, len(weights), 2)]

    def project(x, kernel, bias):
        return np.einsum("blc,chd->bhld", x, kernel) + bias[:, None]

    q, k = project(query, *pairs[0]), project(key, *pairs[1])
    v = project(value, *pairs[-2])
    k, v = (x.repeat(q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    y, p = attend(q * q.shape[-1] ** -0.5, k, v, seen)
    if len(pairs) == 5:
        y = y / (1 + np.exp(-project(query, *pairs[2])))
    kernel, bias = pairs[-1]
    return np.tensordot(y.transpose(0, 2, 1, 3), kernel, 2) + bias, p


def random_weights(layer):
    layer.set_weights([0.5 * values(*w.shape) for w in layer.weights])


HEADS = [
    lambda: MultiHeadAttention(2, 3),
    lambda: MultiHeadAttention(3, 4, value_dim=5, output_shape=7),
    lambda: MultiHeadAttention(2, 4, use_gate=True, output_shape=(2, 3)),
    lambda: GroupQueryAttention(4, 6, 2),
    lambda: GroupQueryAttention(4, 4, 1, use_gate=True),
]


@pytest.mark.parametrize("make", HEADS)
def test_heads(make):
    layer = make()
    query, value, key = values(2, 5, 6), values(2, 8, 9), values(2, 8, 4)
    layer.build([query.shape, value.shape, key.shape])
    random_weights(layer)
    names = ["query", "key", *["gate"] * layer.use_gate, "value", "attention_output"]
    assert [w.path for w in layer.weights] == [f"{name}/{kind}" for name in names for kind in ("kernel", "bias")]
    wanted, p = heads_by_definition(layer, query, value, key)
    np.testing.assert_allclose(layer(query, value, key).numpy(), wanted, atol=2e-5)
    y, scores = layer(query, value, key, return_attention_scores=True)
    np.testing.assert_allclose(y.numpy(), wanted, atol=2e-5)
    np.testing.assert_allclose(scores.numpy(), p, atol=1e-5)
    shape = layer.compute_output_shape([(None, 5, 6), (None, 8, 9), (None, 8, 4)])
    assert shape == (None, *y.shape[1:])
    assert layer.compute_output_shape((None, 5, 6), (None, 8, 9), (None, 8, 4)) == shape
    assert layer.flops([(None, 5, 6), (None, 8, 9), (None, 8, 4)]) > 0


@pytest.mark.parametrize("make", [HEADS[0], HEADS[3]])
def test_masks_of_heads(make):
    layer = make()
    query, value = values(2, 5, 6), values(2, 8, 6)
    layer.build([query.shape, value.shape])
    random_weights(layer)
    given = RANDOM.random((2, 5, 8)) < 0.7
    steps = RANDOM.random((2, 8)) < 0.7
    early = np.arange(8) < np.array([[3], [8]])
    causal = np.arange(8) <= np.arange(5)[:, None]
    masks = [
        ({"attention_mask": given}, given[:, None]),
        ({"attention_mask": given[0]}, given[0]),
        ({"attention_mask": given[:, None]}, given[:, None]),
        ({"attention_mask": given.astype(np.int32)}, given[:, None]),
        ({"value_mask": steps}, steps[:, None, None]),
        ({"value_mask": early}, early[:, None, None]),
        ({"value_mask": steps, "key_mask": early}, (steps & early)[:, None, None]),
        ({"use_causal_mask": True}, causal),
        (
            {"use_causal_mask": True, "value_mask": early, "attention_mask": given},
            causal & early[:, None, None] & given[:, None],
        ),
    ]
    for arguments, seen in masks:
        wanted, p = heads_by_definition(layer, query, value, value, seen)
        np.testing.assert_allclose(layer(query, value, **arguments).numpy(), wanted, atol=2e-5)
        y, scores = layer(query, value, return_attention_scores=True, **arguments)
        np.testing.assert_allclose(y.numpy(), wanted, atol=2e-5)
        np.testing.assert_allclose(scores.numpy(), p, atol=1e-5)
    asked = RANDOM.random((2, 5)) < 0.5
    y = layer(query, value, query_mask=asked).numpy()
    bias = layer.get_weights()[-1]
    np.testing.assert_allclose(y[~asked], np.broadcast_to(bias, y[~asked].shape), atol=1e-6)
    np.testing.assert_allclose(y[asked], heads_by_definition(layer, query, value, value)[0][asked], atol=2e-5)


def test_sliding_window():
    layer = MultiHeadAttention(2, 3, sliding_window=2)
    x = values(1, 7, 6)
    layer.build((None, 7, 6))
    near = np.abs(np.arange(7)[:, None] - np.arange(7)) < 2
    np.testing.assert_allclose(layer(x, x).numpy(), heads_by_definition(layer, x, x, x, near)[0], atol=2e-5)
    causal = near & np.tril(np.ones((7, 7), bool))
    y = layer(x, x, use_causal_mask=True)
    np.testing.assert_allclose(y.numpy(), heads_by_definition(layer, x, x, x, causal)[0], atol=2e-5)


@pytest.mark.parametrize(
    ("axes", "scores"),
    [(None, (2, 2, 3, 4, 3, 4)), (2, (2, 3, 2, 4, 4)), ((1,), (2, 4, 2, 3, 3)), ((-2, 1), (2, 2, 4, 3, 4, 3))],
)
def test_attention_axes(axes, scores):
    layer = MultiHeadAttention(2, 5, attention_axes=axes)
    x = values(2, 3, 4, 6)
    y, p = layer(x, x, return_attention_scores=True)
    assert y.shape == x.shape
    assert p.shape == scores
    np.testing.assert_allclose(y.numpy(), layer(x, x).numpy(), atol=1e-5)
    if axes == 2:  # the rows apart
        rows = np.concatenate([layer(x[:, i : i + 1], x[:, i : i + 1]).numpy() for i in range(3)], axis=1)
        np.testing.assert_allclose(y.numpy(), rows, atol=1e-5)
        mask = RANDOM.random((2, 3, 4, 4)) < 0.7
        _, p = layer(x, x, attention_mask=mask, return_attention_scores=True)
        assert not p.numpy()[~np.broadcast_to(mask[:, :, None], p.shape)].any()
    if axes is None:  # all places as one sequence
        flat = MultiHeadAttention(2, 5)
        flat.build((None, 12, 6))
        flat.set_weights(layer.get_weights())
        np.testing.assert_allclose(
            y.numpy(), flat(x.reshape(2, 12, 6), x.reshape(2, 12, 6)).numpy().reshape(x.shape), atol=1e-5
        )
    with pytest.raises(ValueError, match="different axes between batch and features"):
        MultiHeadAttention(2, 5, attention_axes=(3,))(x, x)


def test_dropout_of_heads():
    x = values(2, 50, 6)
    layer = MultiHeadAttention(2, 4, dropout=0.5, seed=1)
    plain = layer(x, x).numpy()
    first, second = (layer(x, x, training=True).numpy() for _ in range(2))
    assert np.abs(first - plain).max() > 1e-3
    assert np.abs(first - second).max() > 1e-3
    again = MultiHeadAttention(2, 4, dropout=0.5, seed=1)
    again.build((None, 50, 6))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x, x, training=True).numpy(), first)


def test_regularizers():
    layer = MultiHeadAttention(2, 4, kernel_regularizer="l2", activity_regularizer="l1", kernel_constraint="non_neg")
    x = values(2, 5, 6)
    layer(x, x)
    assert len(layer.losses) == 8
    assert all(w.constraint is not None for w in layer.weights if w.name == "kernel")


def test_in_a_model():
    query, value = lm.layers.Input((5, 6)), lm.layers.Input((8, 4))
    attended, scores = MultiHeadAttention(2, 3)(query, value, return_attention_scores=True)
    y = Attention()([attended, query])
    y = lm.layers.Dense(1)(lm.layers.Flatten()(y))
    model = lm.models.Model([query, value], [y, scores])
    outputs = model.predict([values(3, 5, 6), values(3, 8, 4)])
    assert outputs[0].shape == (3, 1)
    assert outputs[1].shape == (3, 2, 5, 8)
    copy = lm.models.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    x = [values(3, 5, 6), values(3, 8, 4)]
    np.testing.assert_array_equal(copy.predict(x)[0], model.predict(x)[0])


def test_trains():
    """Each query is to find the key that is like it: the scores come to say so."""
    lm.set_seed(1)
    keys = np.tile(np.eye(6, dtype=np.float32), (32, 1, 1))
    order = np.stack([np.random.default_rng(i).permutation(6) for i in range(32)])
    values_ = order[..., None].astype(np.float32)
    asked = np.random.default_rng(5).integers(0, 6, (32, 3))
    query, value, key = lm.layers.Input((3, 6)), lm.layers.Input((6, 1)), lm.layers.Input((6, 6))
    model = lm.models.Model([query, value, key], MultiHeadAttention(1, 8, output_shape=1)(query, value, key))
    model.compile(optimizer=lm.optimizers.Adam(0.03), loss="mse")
    x = [np.eye(6, dtype=np.float32)[asked], values_, keys]
    y = np.take_along_axis(order, asked, axis=1)[..., None].astype(np.float32)
    history = model.fit(x, y, epochs=120, batch_size=32, verbose=0).history["loss"]
    assert history[-1] < 0.05 * history[0]


CONFIGURED = [
    Attention(use_scale=True, score_mode="concat", dropout=0.2, seed=5),
    AdditiveAttention(use_scale=False, dropout=0.1, seed=2),
    MultiHeadAttention(
        2, 3, 4, 0.1, False, (5,), (1,), 3, None, "he_normal", "ones", "l2", "l1", "l1", "non_neg", "max_norm", True, 9
    ),
    GroupQueryAttention(4, 6, 3, 0.1, sliding_window=2, kernel_regularizer="l2", seed=3),
]


@pytest.mark.parametrize("layer", CONFIGURED, ids=lambda layer: type(layer).__name__)
def test_configuration(layer):
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(0, 3), "num_heads must be a positive integer, got 0"),
        (lambda: MultiHeadAttention(2, 3, value_dim=-1), "value_dim must be a positive integer"),
        (lambda: MultiHeadAttention(2, 3, dropout=1.5), "dropout must be from 0 to 1, got 1.5"),
        (lambda: MultiHeadAttention(2, 3, sliding_window=0), "sliding_window must be a positive integer"),
        (lambda: MultiHeadAttention(2, 3, output_shape=(4, 0)), "output_shape must be a positive integer"),
        (lambda: MultiHeadAttention(2, 3, attention_axes="x"), "attention_axes must be integers"),
        (lambda: GroupQueryAttention(4, 6, 4), "num_key_value_heads=4 does not divide num_query_heads=6"),
        (lambda: GroupQueryAttention(4, 6, 0), "num_key_value_heads must be a positive integer"),
        (lambda: Attention(score_mode="add"), 'score_mode must be "dot" or "concat", got'),
        (lambda: Attention(dropout=-1), "dropout must be from 0 to 1"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match="key_dim must be a positive integer"):
        MultiHeadAttention(2, 1.5)


def test_wrong_calls():
    x, other = values(2, 5, 6), values(2, 8, 6)
    heads = MultiHeadAttention(2, 3)
    for wrong, message in [
        (
            {"attention_mask": np.ones((2, 5, 9), bool)},
            r"attention_mask must broadcast to \(2, 2, 5, 8\), got \(2, 5, 9\)",
        ),
        ({"attention_mask": np.ones(8, bool)}, "attention_mask must broadcast"),
        ({"value_mask": np.ones((2, 5), bool)}, r"value_mask must have shape \(2, 8\), got \(2, 5\)"),
        ({"key_mask": np.ones((2, 5), bool), "value_mask": np.ones((2, 8), bool)}, "key_mask must have shape"),
        ({"query_mask": np.ones((2, 8), bool)}, r"query_mask must have shape \(2, 5\), got \(2, 8\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            heads(x, other, **wrong)
    with pytest.raises(TypeError, match="attention_mask must hold booleans"):
        heads(x, other, attention_mask=np.full((5, 8), "a"))
    for added in (-np.inf, -1e9, np.nan, 2):  # a mask to be added, as PyTorch takes it: 0 would mean the contrary
        with pytest.raises(ValueError, match=r"attention_mask must hold booleans \(or 0 and 1\), got"):
            heads(x, other, attention_mask=np.where(np.arange(8) < 5, 0, added) * np.ones((5, 1)))
    with pytest.raises(ValueError, match="value and key the same but for the features"):
        MultiHeadAttention(2, 3)(x, other, x)
    with pytest.raises(ValueError, match=r"inputs must have shape \(B, T, features\)"):
        GroupQueryAttention(2, 4, 2)(values(2, 3, 4, 5), values(2, 3, 4, 5))
    image = values(2, 3, 4, 5)
    with pytest.raises(ValueError, match="one attention axis"):
        MultiHeadAttention(2, 3)(image, image, use_causal_mask=True)
    for wrong in ([x], [x, x, x, x], [x, values(2, 8, 5)], [x[0], x[0]], [x, other, values(2, 7, 6)]):
        with pytest.raises(ValueError, match="expected"):
            Attention()(wrong)
    with pytest.raises(ValueError, match="expected a list"):
        Attention()(x)
    with pytest.raises(ValueError, match="mask must be a list"):
        Attention()([x, x], mask=np.ones((2, 5), bool))
    with pytest.raises(ValueError, match=r"the mask of value must have shape \(2, 5\), got \(2, 4\)"):
        Attention()([x, x], mask=[None, np.ones((2, 4), bool)])


def test_plot(tmp_path):
    from matplotlib import image

    path = tmp_path / "scores.png"
    figure = lm.utils.plot_attention(np.eye(3)[None].repeat(2, 0), list("abc"), list("xyz"), path)
    assert len(figure.axes) == 2
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["x", "y", "z"]
    pixels = image.imread(path)[..., :3]
    dark = (pixels[..., 2] < 0.6) & (pixels[..., 0] < 0.2)  # where a query looks at its key: a third of the panels
    assert 0.05 < dark.mean() < 0.4
    for wrong, message in (((np.ones(3),), "scores must have shape"), ((np.eye(2), ["a"]), "queries must be 2 words")):
        with pytest.raises(ValueError, match=message):
            lm.utils.plot_attention(*wrong, path=None)
