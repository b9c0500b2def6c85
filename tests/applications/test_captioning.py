"""Captioners: shapes, state and attention step by step, learning, saving, errors."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import ShowAndTell, ShowAttendAndTell, caption, one_hot_words

IMAGES = np.random.default_rng(0).uniform(size=(3, 16, 16, 3)).astype("float32")
WORDS = np.array([[1, 5, 6, 2], [1, 7, 2, 0], [1, 4, 4, 4]])
SMALL = {"embedding_dim": 8, "units": 12}
both = pytest.mark.parametrize("build", [ShowAndTell, ShowAttendAndTell])


def made(build, **settings):
    lm.set_seed(1)
    return build(9, (16, 16, 3), **{**SMALL, **settings})


@both
def test_steps_are_what_training_computes(build):
    model = made(build)
    logits = model([IMAGES, WORDS]).numpy()
    assert logits.shape == (3, 4, 9)
    decoder, features = model.get_layer("decoder"), model.get_layer("encoder")(IMAGES)
    view, state = decoder.begin(features)
    for t in range(4):
        found, state, attention = decoder.step(view, model.get_layer("embedding")(WORDS[:, t]), state)
        np.testing.assert_allclose(found.numpy(), logits[:, t], atol=1e-5)
        if build is ShowAttendAndTell:
            np.testing.assert_allclose(attention.numpy().sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(model([IMAGES[1:2], WORDS[1:2]]).numpy(), logits[1:2])


@both
def test_captions(build):
    model = made(build)
    words = caption(model, IMAGES, 1, 2, max_length=6)
    assert words.shape[1] <= 7
    assert (words[:, 0] == 1).all()
    likeliest = model([IMAGES, words[:, :-1]]).numpy()[..., 1:].argmax(-1) + 1  # padding is never written
    ended = np.cumsum(words[:, :-1] == 2, 1) > 0
    np.testing.assert_array_equal(words[:, 1:], np.where(ended, 0, likeliest))
    beams = caption(model, IMAGES, 1, 2, max_length=6, beams=3)
    assert (beams[:, 0] == 1).all()
    one = caption(model, IMAGES[:1], 1, 2, max_length=6, beams=3)
    np.testing.assert_array_equal(one[0], beams[0, : one.shape[1]])


def test_attention_maps():
    words, looks = caption(made(ShowAttendAndTell), IMAGES, 1, 2, max_length=6, return_attention=True)
    assert looks.shape == (3, words.shape[1] - 1, 2, 2)
    np.testing.assert_allclose(looks.sum((2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 2.0])
def test_the_penalty_is_over_words_that_count(penalty):
    model = made(ShowAttendAndTell, attention_penalty=penalty)
    model([IMAGES, WORDS])
    losses = model.losses
    assert len(losses) == (penalty > 0)
    if penalty:
        decoder, features = model.get_layer("decoder"), model.get_layer("encoder")(IMAGES)
        view, state = decoder.begin(features)
        total = 0
        for t in range(4):
            _, state, look = decoder.step(view, model.get_layer("embedding")(WORDS[:, t]), state)
            total = total + look.numpy() * (WORDS[:, [t]] != 0)
        assert losses[0].item() == pytest.approx(2 * ((1 - total) ** 2).mean(), rel=1e-5)


@both
def test_learns_and_is_saved(build, tmp_path):
    lm.set_seed(1)
    bright = np.random.default_rng(1).integers(0, 2, 64)
    images = (bright[:, None, None, None] + np.random.default_rng(2).uniform(0, 0.5, (64, 16, 16, 3))).astype("float32")
    sentences = np.where(bright[:, None] == 1, [1, 4, 5, 2], [1, 6, 2, 0])
    x = lm.layers.Input((16, 16, 3))
    model = made(build, encoder=lm.models.Model(x, lm.layers.Conv2D(4, 4, strides=4, activation="relu")(x)))
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(lm.optimizers.Adam(1e-2), loss)
    model.fit([images, sentences[:, :-1]], sentences[:, 1:], batch_size=16, epochs=12, verbose=0)
    words = caption(model, images, 1, 2)
    assert (words[:, :4] == sentences).all(1).mean() > 0.95
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(caption(again, images, 1, 2), words)


def test_an_encoder_of_ones_own():
    x = lm.layers.Input((16, 16, 3))
    encoder = lm.models.Model(x, lm.layers.Conv2D(4, 4, strides=4)(x))
    model = made(ShowAttendAndTell, encoder=encoder)
    words, looks = caption(model, IMAGES, 1, 2, max_length=3, return_attention=True)
    assert looks.shape == (3, words.shape[1] - 1, 4, 4)


def test_one_hot_words():
    vectors = one_hot_words(np.array([[1, 3, 5, 2, 0], [1, 4, 4, 4, 4]]), 6, end_token=2)
    assert [[int(v.argmax()) for v in sentence] for sentence in vectors] == [[3, 5], [4, 4, 4, 4]]
    assert all(v.sum() == 1 and v.shape == (6,) for sentence in vectors for v in sentence)


def test_bad_arguments():
    with pytest.raises(ValueError, match="show_and_tell has no attention"):
        caption(made(ShowAndTell), IMAGES, 1, 2, return_attention=True)
    with pytest.raises(ValueError, match="beams and max_length must be positive, got 0 and 20"):
        caption(made(ShowAndTell), IMAGES, 1, 2, beams=0)
    with pytest.raises(ValueError, match="start_token must not be 0, which is padding"):
        caption(made(ShowAndTell), IMAGES, 0, 2)
    for beams in (1, 2):
        with pytest.raises(ValueError, match="end_token must be one of the model's tokens, from 1 to 8, got 9"):
            caption(made(ShowAndTell), IMAGES, 1, 9, beams=beams)
    with pytest.raises(ValueError, match="attention_units must be a positive integer, got 0"):
        made(ShowAttendAndTell, attention_units=0)
    with pytest.raises(ValueError, match="units must be a positive integer, got -1"):
        made(ShowAndTell, units=-1)
