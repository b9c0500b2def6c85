"""Transformers: sizes, masks, positions, forms, training, saving, torch's weights, errors."""

import numpy as np
import pytest

import lamina as lm
from lamina import applications
from lamina.applications import (
    Transformer,
    TransformerBody,
    TransformerDecoderOnly,
    TransformerEncoderOnly,
    load_torch_transformer,
    torch_transformer_state,
)

SMALL = {"num_layers": 2, "hidden_dim": 16, "num_heads": 2, "intermediate_dim": 32, "dropout": 0.0}
SOURCE = np.array([[3, 4, 5, 6], [7, 8, 0, 0], [0, 0, 0, 0]])
TARGET = np.array([[1, 5, 6], [1, 9, 0], [1, 2, 3]])


def test_published_sizes():
    assert TransformerBody().count_params() == 44_140_544
    assert Transformer(positions="learned").count_params() == 64_131_072  # as Marian counts, tables of positions too
    assert Transformer().count_params() == 64_131_072 - 2 * 1024 * 512
    assert TransformerBody(final_norm=False).count_params() == 44_140_544 - 4 * 512


@pytest.mark.parametrize("normalize_first", [False, True])
def test_padding_changes_nothing(normalize_first):
    lm.set_seed(1)
    model = Transformer(20, normalize_first=normalize_first, **SMALL)
    y = model([SOURCE, TARGET]).numpy()
    assert y.shape == (3, 3, 20)
    assert np.isfinite(y).all()  # the last source is padding alone
    np.testing.assert_array_equal(model([SOURCE[1:2, :2], TARGET[1:2, :2]]).numpy(), y[1:2, :2])
    later = TARGET.copy()
    later[:, 2] = 11
    np.testing.assert_array_equal(model([SOURCE, later]).numpy()[:, :2], y[:, :2])


def test_one_vocabulary_or_two_tied_or_not():
    lm.set_seed(1)
    tied, loose = Transformer(20, **SMALL), Transformer(20, tie_embeddings=False, **SMALL)
    assert loose.count_params() - tied.count_params() == 20 * 16
    two = Transformer(20, 30, **SMALL)
    assert two.count_params() - tied.count_params() == 30 * 16
    assert two([SOURCE, TARGET]).shape == (3, 3, 30)
    names = [layer.name for layer in two.layers]
    assert "source_embedding" in names
    assert "target_embedding" in names


def test_learns_to_copy_and_is_saved(tmp_path):
    lm.set_seed(1)
    model = Transformer(12, **{**SMALL, "hidden_dim": 32}, positions="learned", sequence_length=8)
    x = np.random.default_rng(0).integers(3, 12, (512, 5))
    target = np.concatenate([np.full((512, 1), 1), x, np.full((512, 1), 2)], 1)
    rate = lm.optimizers.schedules.InverseSquareRoot(32, warmup_steps=100, factor=0.3)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0, label_smoothing=0.1)
    model.compile(lm.optimizers.Adam(rate, beta_2=0.98, epsilon=1e-9), loss, metrics=["accuracy"])
    history = model.fit([x, target[:, :-1]], target[:, 1:], epochs=25, batch_size=32, verbose=0).history
    assert history["accuracy"][-1] > 0.95
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again([x[:3], target[:3]]).numpy(), model([x[:3], target[:3]]).numpy())


def test_encoder_only():
    lm.set_seed(1)
    vectors = TransformerEncoderOnly(20, **SMALL)
    assert vectors(SOURCE).shape == (3, 4, 16)
    classes = TransformerEncoderOnly(20, classes=5, normalize_first=True, **SMALL)
    y = classes(SOURCE).numpy()
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(classes(SOURCE[1:2, :2]).numpy(), y[1:2])


def test_decoder_only_looks_back_alone():
    lm.set_seed(1)
    model = TransformerDecoderOnly(20, **SMALL)
    y = model(SOURCE[:1]).numpy()
    np.testing.assert_array_equal(model(SOURCE[:1, :2]).numpy(), y[:, :2])


def test_torch_weights_that_do_not_fit():
    model = TransformerBody(1, 8, 2, 16)
    state = torch_transformer_state(model)
    again = TransformerBody(1, 8, 2, 16)
    load_torch_transformer(again, {f"part.{name}": value for name, value in state.items()}, prefix="part.")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"has no place for encoder.layers.1.linear1.bias"):
        load_torch_transformer(model, {**state, "encoder.layers.1.linear1.bias": np.zeros(16)})
    with pytest.raises(ValueError, match=r"linear1.weight of shape \(8, 16\) does not fit"):
        load_torch_transformer(model, {**state, "decoder.layers.0.linear1.weight": np.zeros((8, 16))})
    before = model.get_weights()
    state = {name: 0 * value for name, value in state.items()}
    del state["decoder.norm.weight"]  # the last one looked for
    with pytest.raises(KeyError, match=r"there is no 'decoder.norm.weight' among the 33 arrays"):
        load_torch_transformer(model, state)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)  # nothing has changed


def test_bad_input():
    model = Transformer(20, sequence_length=3, **SMALL)
    with pytest.raises(ValueError, match="there are 3 positions, from 0 to 2; got a sequence from 0 to 3"):
        model([SOURCE, TARGET])
    with pytest.raises(ValueError, match="indices must be"):
        model([np.array([[20]]), TARGET[:1]])
    with pytest.raises(ValueError, match="positions must be 'sinusoidal' or 'learned', got 'rotary'"):
        Transformer(20, positions="rotary")
    with pytest.raises(ValueError, match="num_heads=32 is more than the 16 features"):
        Transformer(20, **{**SMALL, "num_heads": 32})
    with pytest.raises(ValueError, match=r"reverse: x must have shape \(..., 4\), got \(1, 3\)"):
        lm.layers.ReversibleEmbedding(5, 4)(np.ones((1, 3), "float32"), reverse=True)


def test_builders_are_public():
    for name in ("Transformer", "TransformerBody", "TransformerDecoderOnly", "TransformerEncoderOnly"):
        assert hasattr(applications, name)
