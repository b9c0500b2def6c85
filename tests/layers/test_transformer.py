"""Transformer blocks: what they compute, masks, caches, configurations, errors."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina.layers import CachedMultiHeadAttention, Input, TransformerDecoder, TransformerEncoder

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 6, 8)).astype("float32")
SOURCE = RANDOM.normal(size=(3, 5, 8)).astype("float32")
both = pytest.mark.parametrize("normalize_first", [False, True])


def encoder(**settings):
    lm.set_seed(1)
    return TransformerEncoder(16, 2, **settings)


def decoder(**settings):
    lm.set_seed(1)
    return TransformerDecoder(16, 2, **settings)


def norm(x, gamma, beta):
    centred = x - x.mean(-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) + beta


def attend(x, source, seen, weights):
    q_kernel, q_bias, k_kernel, k_bias, v_kernel, v_bias, kernel, bias = weights
    q, k, v = (np.einsum("btf,fhd->bhtd", a, w) + b[:, None] for a, w, b in
               ((x, q_kernel, q_bias), (source, k_kernel, k_bias), (source, v_kernel, v_bias)))  # fmt: skip
    scores = np.where(seen, q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1]), -np.inf)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bhtd,hdf->btf", scores / scores.sum(-1, keepdims=True) @ v, kernel) + bias


def sublayer(x, f, weights, first):
    return x + f(norm(x, *weights)) if first else norm(x + f(x), *weights)


def random_weights(layer):
    layer.set_weights([w + RANDOM.normal(0, 0.2, w.shape) for w in layer.get_weights()])
    return layer.get_weights()


@both
def test_encoder_is_what_the_paper_says(normalize_first):
    layer = encoder(normalize_first=normalize_first, dtype="float64")
    layer(X)
    w = random_weights(layer)
    seen = np.arange(6) < np.array([6, 4, 1])[:, None]
    y = sublayer(X.astype("float64"), lambda x: attend(x, x, seen[:, None, None], w[:8]), w[8:10], normalize_first)
    y = sublayer(y, lambda x: np.maximum(x @ w[12] + w[13], 0) @ w[14] + w[15], w[10:12], normalize_first)
    np.testing.assert_allclose(layer(X, padding_mask=seen).numpy(), y, atol=1e-12)


@both
def test_decoder_is_what_the_paper_says(normalize_first):
    layer = decoder(normalize_first=normalize_first, dtype="float64")
    layer(X, SOURCE)
    w = random_weights(layer)
    seen = np.arange(5) < np.array([5, 3, 1])[:, None]
    causal = np.tri(6, dtype=bool)
    y = sublayer(X.astype("float64"), lambda x: attend(x, x, causal, w[:8]), w[8:10], normalize_first)
    y = sublayer(y, lambda x: attend(x, SOURCE, seen[:, None, None], w[10:18]), w[18:20], normalize_first)
    y = sublayer(y, lambda x: np.maximum(x @ w[20] + w[21], 0) @ w[22] + w[23], w[24:26], normalize_first)
    np.testing.assert_allclose(layer(X, SOURCE, encoder_padding_mask=seen).numpy(), y, atol=1e-12)


@both
def test_gradients(normalize_first):
    layer = decoder(normalize_first=normalize_first, activation="gelu", dtype="float64")
    x, source = (lm.tensor(a[:1, :3].astype("float64"), requires_grad=True) for a in (X, SOURCE))
    layer(x, source)
    random_weights(layer)

    def loss(*_):
        return (layer(x, source) * np.linspace(0.5, 1.5, 8)).sum()

    loss().backward()
    for tensor in (x, source, *layer.weights):
        found = tensor.grad.numpy() if hasattr(tensor.grad, "numpy") else tensor.grad
        flat = tensor.array.reshape(-1)
        for place in RANDOM.choice(flat.size, min(3, flat.size), replace=False):
            kept, sides = flat[place], []
            for step in (1e-6, -1e-6):
                flat[place] = kept + step
                sides.append(loss().item())
            flat[place] = kept
            assert found.reshape(-1)[place] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-7, rel=1e-5)


def test_masks_that_inputs_carry():
    tokens = np.array([[3, 1, 4, 0, 0], [1, 5, 9, 2, 6], [0, 0, 0, 0, 0]])
    x = lm.layers.Embedding(10, 8, mask_zero=True)(tokens)
    layer = encoder()
    y = layer(x)
    np.testing.assert_array_equal(y._mask.numpy(), tokens != 0)
    np.testing.assert_array_equal(y.numpy(), layer(x.numpy(), padding_mask=tokens != 0).numpy())
    np.testing.assert_array_equal(y.numpy()[:1, :3], layer(x.numpy()[:1, :3]).numpy())
    assert np.isfinite(y.numpy()).all()  # the last row is padding alone
    block = decoder()
    z = block(X, y)
    np.testing.assert_array_equal(z.numpy(), block(X, y.numpy(), encoder_padding_mask=tokens != 0).numpy())
    np.testing.assert_array_equal(block(x, y)._mask.numpy(), tokens != 0)
    assert np.isfinite(z.numpy()).all()


def test_attention_masks_and_scores():
    window = np.tri(6, dtype=bool) & ~np.tri(6, k=-2, dtype=bool)
    y, scores = encoder()(X, attention_mask=window, return_attention_scores=True)
    assert scores.shape == (3, 2, 6, 6)
    assert (scores.numpy()[:, :, ~window] == 0).all()
    layer = decoder()
    free = layer(X, SOURCE, use_causal_mask=False, decoder_attention_mask=np.tri(6, dtype=bool))
    np.testing.assert_allclose(free.numpy(), layer(X, SOURCE).numpy(), atol=1e-6)
    y, scores = layer(X, SOURCE, encoder_attention_mask=np.ones((3, 6, 5), bool), return_attention_scores=True)
    assert scores.shape == (3, 2, 6, 5)
    np.testing.assert_allclose(y.numpy(), layer(X, SOURCE).numpy(), atol=1e-6)
    alone = decoder()
    assert alone(X, return_attention_scores=True)[1].shape == (3, 2, 6, 6)


@both
@pytest.mark.parametrize("parts", [(1,) * 6, (6,), (2, 3, 1)])
def test_a_cache_changes_no_bit(parts, normalize_first):
    layer = decoder(normalize_first=normalize_first)
    seen = np.array([[True] * 5, [True] * 3 + [False] * 2, [True, False, True, False, True]])
    whole = layer(X, SOURCE, encoder_padding_mask=seen)
    cache = layer.self_attention_layer.make_cache(3, 9)
    crossed = layer.cross_attention_layer.project_cache(lm.tensor(SOURCE))
    found, at = [], 0
    for count in parts:
        y, cache, crossed = layer(X[:, at : at + count], self_attention_cache=cache, cross_attention_cache=crossed,
                                  self_attention_cache_update_index=at, encoder_padding_mask=seen)  # fmt: skip
        found.append(y.numpy())
        at += count
    np.testing.assert_array_equal(np.concatenate(found, 1), whole.numpy())


def test_a_cache_without_an_encoder():
    layer = decoder()
    whole = layer(X).numpy()
    cache = layer.self_attention_layer.make_cache(3, 6)
    for i in range(6):
        y, cache = layer(X[:, i : i + 1], self_attention_cache=cache, self_attention_cache_update_index=i)
        np.testing.assert_array_equal(y.numpy(), whole[:, i : i + 1])


def test_dropout_is_for_training():
    for layer in (encoder(dropout=0.5), decoder(dropout=0.5)):
        calm = layer(X).numpy()
        np.testing.assert_array_equal(calm, layer(X).numpy())
        assert np.abs(layer(X, training=True).numpy() - calm).max() > 0.1
        lm.set_seed(3)
        first = layer(X, training=True).numpy()
        lm.set_seed(3)
        np.testing.assert_array_equal(layer(X, training=True).numpy(), first)


def test_a_row_alone_and_one_thread_change_no_bit():
    layer, block = encoder(), decoder()
    whole = block(X, layer(X)).numpy()
    np.testing.assert_array_equal(block(X[1:2], layer(X[1:2])).numpy(), whole[1:2])
    threads = lm.num_threads()
    lm.set_num_threads(1)
    try:
        np.testing.assert_array_equal(block(X, layer(X)).numpy(), whole)
    finally:
        lm.set_num_threads(threads)


def test_in_a_graph_saved_and_loaded(tmp_path):
    source, target = Input((None, 8)), Input((None, 8))
    model = lm.models.Model([source, target], decoder(normalize_first=True)(target, encoder(activation="gelu")(source)))
    assert model.output_shape == (None, None, 8)
    y = model.predict([SOURCE, X], verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict([SOURCE, X], verbose=0), y)
    fixed = lm.models.Model(i := Input((6, 8)), encoder()(i))
    assert fixed.layers[-1].flops((None, 6, 8)) == 2 * 6 * (4 * 64 + 2 * 128) + 6 * (4 * 8 + 16 + 8) + (
        2 * 2 * 6 * 6 * 8 + 2 * fixed.layers[-1].self_attention_layer_norm.flops((None, 6, 8))
    )


def test_configurations_are_json():
    for layer in (encoder(dropout=0.1, activation="gelu"), decoder(layer_norm_epsilon=1e-6, normalize_first=True)):
        config = json.loads(json.dumps(layer.get_config()))
        assert json.loads(json.dumps(type(layer).from_config(config).get_config())) == config


def test_16_bits(monkeypatch):
    monkeypatch.setattr(lm.backend, "narrow", lm.backend.narrow)
    layer, plain = encoder(dtype="mixed_bfloat16"), encoder()
    plain(X), layer(X)
    layer.set_weights(plain.get_weights())
    y = layer(X)
    assert y.dtype.name == "bfloat16"
    np.testing.assert_allclose(y.numpy().astype("float32"), plain(X).numpy(), atol=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2), "intermediate_dim must be a positive integer, got 0"),
        ((8, 0), "num_heads must be a positive integer, got 0"),
        ((8, 2, 1.5), "dropout must be from 0 to 1, got 1.5"),
        ((8, 2, 0, "relu", 0), "layer_norm_epsilon must be positive, got 0"),
    ],
)
def test_bad_arguments(arguments, message):
    for kind in (TransformerEncoder, TransformerDecoder):
        with pytest.raises(ValueError, match=message):
            kind(*arguments)


def test_bad_calls():
    with pytest.raises(ValueError, match="num_heads=9 is more than the 8 features"):
        TransformerEncoder(8, 9)(X)
    with pytest.raises(ValueError, match=r"sequences must have shape \(B, T, features\)"):
        encoder()(X[0])
    layer = decoder()
    layer(X)
    with pytest.raises(ValueError, match="built with no encoder_sequence"):
        layer(X, SOURCE)
    layer = decoder()
    layer(X, SOURCE)
    with pytest.raises(ValueError, match="built with an encoder_sequence"):
        layer(X)
    with pytest.raises(ValueError, match=r"value_mask must have shape \(3, 5\), got \(3, 6\)"):
        layer(X, SOURCE, encoder_padding_mask=np.ones((3, 6), bool))
    attention = CachedMultiHeadAttention(2, 4)
    attention(X, X)
    with pytest.raises(ValueError, match="the cache has 4 places, got steps 3 to 4"):
        attention(X[:, :2], X[:, :2], cache=attention.make_cache(3, 4), cache_update_index=3)
    with pytest.raises(ValueError, match=r"the cache's keys must have shape \(3, steps, 2, 4\), got \(2, 4, 2, 4\)"):
        attention(X[:, :1], X[:, :1], cache=attention.make_cache(2, 4), cache_update_index=0)
