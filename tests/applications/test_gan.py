"""GAN: training in turn, what is frozen, losses, conditions, callbacks, what is refused."""

import re

import numpy as np
import pytest

import lamina as lm
from lamina.applications import (
    GAN,
    CollapseWarning,
    EqualJudges,
    SampleGrid,
    dcgan_discriminator,
    dcgan_generator,
    dcgan_optimizer,
)
from lamina.applications.networks import last_activation
from lamina.layers import BatchNormalization, Concatenate, Dense, Embedding, Flatten, Input, LeakyReLU, Reshape
from lamina.models import Model, Sequential


def blobs(count=256):
    """Points around (0.5, -0.5)."""
    return np.random.default_rng(0).normal((0.5, -0.5), 0.1, (count, 2)).astype("float32")


def networks(activation="sigmoid", last="tanh"):
    generator = Sequential([Dense(16, activation="relu", input_shape=(4,)), Dense(2, activation=last)])
    discriminator = Sequential([Dense(16, input_shape=(2,)), LeakyReLU(0.2), Dense(1, activation=activation)])
    return discriminator, generator


def gan(loss="binary_crossentropy", seed=1, rate=2e-3, **settings):
    lm.set_seed(seed)
    model = GAN(*networks("sigmoid" if loss == "binary_crossentropy" else None), latent=4)
    model.compile(lm.optimizers.Adam(rate, beta_1=0.5), lm.optimizers.Adam(rate, beta_1=0.5), loss, **settings)
    return model


def weights(model):
    return [w.copy() for w in model.get_weights()]


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        ("binary_crossentropy", {"label_smoothing": 0.1}),
        ("hinge", {}),
        ("wasserstein", {"gradient_penalty": 1.0, "d_steps": 3}),
    ],
)
def test_learns_where_the_data_are(loss, settings):
    model = gan(loss, **settings)
    history = model.fit(blobs(), epochs=80 if loss == "wasserstein" else 40, batch_size=32, verbose=0).history
    assert set(history) == {"d_loss", "g_loss", "d_accuracy", "accuracy_real", "accuracy_fake"}
    means = (np.array(history["accuracy_real"]) + history["accuracy_fake"]) / 2
    np.testing.assert_allclose(history["d_accuracy"], means, atol=1e-12)
    np.testing.assert_allclose(model.sample(500, seed=1).mean(axis=0), [0.5, -0.5], atol=0.2)


def test_each_is_trained_with_the_other_frozen():
    for frozen_rate, changed in (("d", "generator"), ("g", "discriminator")):
        model = gan()
        (model.d_optimizer if frozen_rate == "d" else model.g_optimizer).learning_rate = 0.0
        before = weights(model.generator), weights(model.discriminator)
        model.fit(blobs(32), verbose=0)
        moved = [any((a != b).any() for a, b in zip(old, weights(part), strict=True))
                 for old, part in zip(before, (model.generator, model.discriminator), strict=True)]  # fmt: skip
        assert moved == [changed == "generator", changed == "discriminator"]
    assert all(w.requires_grad for w in model.discriminator.trainable_weights)
    assert all(w.grad_array is None for w in model.trainable_weights)


def test_loss_is_that_of_the_paper():
    model = gan(label_smoothing=0.2, rate=0.0)
    x = blobs(16)
    state = lm.random.get_state()
    logs = model.fit(x, batch_size=16, shuffle=False, verbose=0).history
    lm.random.set_state(state)
    fake = model.generator.predict(lm.random.normal((16, 4)).numpy(), verbose=0)
    real, invented = (model.discriminator.predict(part, verbose=0).astype("float64") for part in (x, fake))
    d_loss = -(0.8 * np.log(real) + 0.2 * np.log(1 - real)).mean() - np.log(1 - invented).mean()
    assert logs["d_loss"][0] == pytest.approx(d_loss, rel=1e-5)
    assert logs["g_loss"][0] == pytest.approx(-np.log(invented).mean(), rel=1e-5)
    assert logs["accuracy_real"][0] == pytest.approx((real > 0.4).mean())  # half of the smoothed target
    assert logs["accuracy_fake"][0] == pytest.approx((invented < 0.4).mean())


@pytest.mark.parametrize(("loss", "penalty"), [("binary_crossentropy", 0.0), ("wasserstein", 10.0)])
def test_seeds_repeat_every_bit(loss, penalty):
    def run():
        model = gan(loss, seed=3, gradient_penalty=penalty)
        model.fit(blobs(64), epochs=2, verbose=0)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    assert (run() == run()).all()


def test_conditional():
    lm.set_seed(1)
    model = conditional()
    model.compile(lm.optimizers.Adam(4e-3, beta_1=0.5), lm.optimizers.Adam(4e-3, beta_1=0.5))
    kind = np.arange(256) % 2
    data = blobs() * np.where(kind, -1, 1)[:, None].astype("float32")
    model.fit(data, kind, epochs=40, verbose=0)
    first, second = model.sample(200, 0, seed=1).mean(axis=0), model.sample(200, 1, seed=1).mean(axis=0)
    assert first[0] > 0.1 > -0.1 > second[0]
    with pytest.raises(ValueError, match="labels must be given"):
        model.sample(3)
    with pytest.raises(ValueError, match="fit: labels must be given"):
        model.fit(data)
    with pytest.raises(ValueError, match="labels must not be given"):
        gan().sample(3, 1)


# Callbacks


def test_equal_judges_stops():
    model = gan(rate=0.0)  # nothing learns: the judge is always as right
    stop = EqualJudges(margin=0.5, patience=3, start=2)
    assert len(model.fit(blobs(32), epochs=20, callbacks=[stop], verbose=0).epoch) == 5
    assert stop.stopped_epoch == 4
    never = EqualJudges(margin=0.0, patience=3, start=0)
    model.fit(blobs(33), epochs=5, callbacks=[never], verbose=0)
    assert never.stopped_epoch is None
    with pytest.raises(ValueError, match="margin must be"):
        EqualJudges(margin=0.7)
    with pytest.raises(ValueError, match="patience must be"):
        EqualJudges(patience=0)


def test_collapse_is_warned_of_once():
    model = gan(rate=0.0)
    for w in model.generator.weights:
        w.assign(np.zeros(w.shape))  # every code gives the same sample
    with pytest.warns(RuntimeWarning, match="epoch 6 the generator's samples hardly differ") as warned:
        model.fit(blobs(32), epochs=8, verbose=0)
    assert len(warned) == 1
    assert CollapseWarning().ratio == 0.1


def conditional(classes=2):
    codes, labels = Input((4,)), Input((), dtype="int64")
    x = Concatenate()([codes, Embedding(classes, 4)(labels)])
    generator = Model([codes, labels], Dense(2, name="last")(Dense(16, activation="relu")(x)))
    points, kinds = Input((2,)), Input((), dtype="int64")
    y = Dense(32)(Concatenate()([points, Embedding(classes, 4)(kinds)]))
    discriminator = Model([points, kinds], Dense(1, activation="sigmoid")(LeakyReLU(0.2)(y)))
    model = GAN(discriminator, generator, latent=4, classes=classes)
    model.compile(lm.optimizers.Adam(0.0), lm.optimizers.Adam(0.0))
    return model


class Collapsed(lm.layers.Layer):
    """Of class 1 the same sample for every code."""

    def call(self, x):
        return lm.ops.where(lm.ops.reshape(lm.ops.equal(x[1], 1), (-1, 1)), 0.0, x[0])


def test_collapse_of_one_class_is_warned_of():
    lm.set_seed(1)
    model = conditional(3)
    codes, labels = model.generator.inputs
    model.generator = Model([codes, labels], Collapsed()([model.generator.outputs[0] * 9, labels]))
    with pytest.warns(RuntimeWarning, match="after epoch 6 the generator's samples of class 1 hardly differ"):
        model.fit(blobs(33), np.arange(33) % 3, epochs=6, batch_size=33, verbose=0)
    lm.set_seed(1)
    conditional(3).fit(blobs(33), np.arange(33) % 3, epochs=6, batch_size=33, verbose=0)  # no warning


@pytest.mark.parametrize(("settings", "message"), [
    ({"low": 1.0}, "low must be below high, got 1.0 and 1.0"), ({"low": float("nan")}, "low must be below high"),
    ({"every": 0}, "every must be"), ({"rows": 0}, "rows must be"), ({"scale": 0}, "scale must be"),
])  # fmt: skip
def test_sample_grid_refuses(settings, message):
    with pytest.raises(ValueError, match=f"SampleGrid: {message}"):
        SampleGrid(**settings)


def test_sample_grid(tmp_path):
    image = pytest.importorskip("PIL.Image")
    lm.set_seed(1)
    model = GAN(dcgan_discriminator((8, 8, 1), 4), dcgan_generator(4, (8, 8, 1), 4), latent=4)
    model.compile(dcgan_optimizer(), dcgan_optimizer())
    grid = SampleGrid(tmp_path / "grids", tmp_path / "a.gif", rows=2, columns=3, scale=1)
    x = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
    model.fit(x, epochs=3, callbacks=[grid], verbose=0)
    with image.open(tmp_path / "grids" / "epoch_0003.png") as picture:
        assert picture.size == (24, 16)
    with image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 3
        assert picture.size == (24, 16)


# What is refused, and what is warned of


def test_networks_that_do_not_fit_are_named():
    discriminator, generator = networks()
    wide = Sequential([Dense(3, input_shape=(4,))], name="wide")
    with pytest.raises(ValueError, match=re.escape("generator wide gives samples of shape (3,), the discriminator")):
        GAN(discriminator, wide, 4).compile()
    with pytest.raises(ValueError, match=re.escape("takes codes of shape (4,), latent is 5")):
        GAN(discriminator, generator, 5).compile()
    two = Sequential([Dense(2, input_shape=(2,))], name="two")
    with pytest.raises(ValueError, match="discriminator two must give one number"):
        GAN(two, generator, 4).compile()
    with pytest.raises(ValueError, match="takes 1 inputs, expected 2"):
        GAN(discriminator, generator, 4, classes=3).compile()
    model = GAN(discriminator, generator, 4)
    with pytest.raises(ValueError, match="loss must be one of"):
        model.compile(loss="mse")
    with pytest.raises(ValueError, match="label_smoothing must be"):
        model.compile(label_smoothing=1.0)
    with pytest.raises(ValueError, match="gradient_penalty must be"):
        model.compile(gradient_penalty=-1)
    with pytest.raises(ValueError, match="needs scores"):
        model.compile(loss="hinge")
    adam = lm.optimizers.Adam()
    with pytest.raises(ValueError, match="must be two"):
        model.compile(adam, adam)
    with pytest.raises(RuntimeError, match="compile"):
        GAN(discriminator, generator, 4).fit(blobs())


@pytest.mark.parametrize(("last", "words"), [("tanh", "tanh, which reaches from -1 to 1"), ("sigmoid", "from 0 to 1")])
def test_samples_out_of_reach_are_warned_of(last, words):
    model = GAN(*networks(last=last), latent=4)
    model.compile("adam", lm.optimizers.Adam())
    x = np.random.default_rng(0).uniform(0, 255, (16, 2)).astype("float32")
    with pytest.warns(UserWarning, match=words):
        model.fit(x, verbose=0)
    model.fit(x / 255, verbose=0)  # and no warning, which would be an error
    model.fit(lm.tensor(x / 255), verbose=0)
    with pytest.raises(ValueError, match="there are no samples"):
        model.fit(x[:0], verbose=0)


def test_a_batch_of_one_is_refused_by_name():
    generator = Sequential([Dense(8, input_shape=(4,)), BatchNormalization(name="norm_of_g"), Dense(2)])
    model = GAN(networks()[0], generator, latent=4)
    model.compile("adam", lm.optimizers.Adam())
    with pytest.raises(ValueError, match="batch of one sample cannot be normalised in training by norm_of_g"):
        model.fit(blobs(33), verbose=0)  # 32 and 1


def test_nan_among_the_samples_is_refused():
    x = blobs(33)
    x[3] = np.nan
    model = gan()
    for data in (x, lm.data.Dataset.from_arrays(x).batch(11)):
        with pytest.raises(ValueError, match=r"fit: 2 of \d+ values of the samples are NaN$"):
            model.fit(data, verbose=0)
    with pytest.raises(ValueError, match="evaluate: 2 of 66 values of the samples are NaN"):
        model.evaluate(x, batch_size=33, verbose=0)


@pytest.mark.parametrize("labels", [[0.5, 1], [0, 2], [0, -1], [float("nan"), 1]])
def test_labels_that_are_no_classes_are_refused(labels):
    model, x = conditional(), blobs(2)
    message = "labels must be integers from 0 to 1, the classes"
    with pytest.raises(ValueError, match=f"fit: {message}"):
        model.fit(x, np.array(labels), verbose=0)
    with pytest.raises(ValueError, match=f"evaluate: {message}"):
        model.evaluate(x, np.array(labels), verbose=0)
    with pytest.raises(ValueError, match=f"sample: {message}"):
        model.sample(2, labels)


def test_a_loss_that_is_nan_is_warned_of():
    model = gan()
    model.discriminator.weights[0].assign(np.full(model.discriminator.weights[0].shape, np.nan))
    with pytest.warns(RuntimeWarning, match="the loss is nan in epoch 1, batch 1"):
        model.fit(blobs(32), verbose=0)
    with (
        pytest.warns(RuntimeWarning, match="the loss is nan"),
        pytest.raises(RuntimeError, match="TerminateOnNaN: the loss is nan in batch 1"),
    ):
        model.fit(blobs(32), verbose=0, callbacks=[lm.models.TerminateOnNaN(raise_error=True)])


# Evaluation


@pytest.mark.parametrize("loss", ["binary_crossentropy", "wasserstein"])
def test_evaluation_judges_real_samples_and_changes_nothing(loss):
    model = gan(loss, **({"gradient_penalty": 1.0} if loss == "wasserstein" else {}))
    model.fit(blobs(), epochs=2, verbose=0)
    before, chance = weights(model), lm.random.get_state()
    found = model.evaluate(blobs(50), batch_size=20, verbose=0, return_dict=True)
    assert found == model.evaluate(blobs(50), batch_size=20, verbose=0, return_dict=True)  # the same codes
    assert list(found) == ["d_loss", "g_loss", "d_accuracy", "accuracy_real", "accuracy_fake"]
    assert found["d_accuracy"] == pytest.approx((found["accuracy_real"] + found["accuracy_fake"]) / 2)
    assert str(chance) == str(lm.random.get_state())
    for a, b in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    if loss == "binary_crossentropy":
        real = model.discriminator.predict(blobs(50), verbose=0)
        assert found["accuracy_real"] == pytest.approx((real > 0.5).mean())


def test_validation_while_it_trains():
    runs = [gan().fit(blobs(64), epochs=2, verbose=0, **held_out).history
            for held_out in ({}, {"validation_data": (blobs(32),)})]  # fmt: skip
    assert {f"val_{name}" for name in runs[0]} == set(runs[1]) - set(runs[0])
    for name, values in runs[0].items():
        np.testing.assert_array_equal(values, runs[1][name])  # held-out samples change no training
    split = gan().fit(blobs(64), epochs=1, validation_split=0.5, verbose=0).history
    assert "val_d_accuracy" in split
    labelled = conditional()
    kinds = np.arange(64) % 2
    history = labelled.fit(blobs(64), kinds, verbose=0, validation_data=(blobs(64), kinds)).history
    assert 0 <= history["val_accuracy_real"][0] <= 1
    with pytest.raises(ValueError, match="evaluate: labels must be given: classes is 2"):
        labelled.evaluate(blobs(64), verbose=0)


def test_last_activation():
    assert last_activation(dcgan_generator(4, (8, 8, 1), 4)) == "tanh"
    assert last_activation(dcgan_discriminator((8, 8, 1), 4)) == "sigmoid"
    assert last_activation(dcgan_discriminator((8, 8, 1), 4, output_activation=None)) is None
    inner = Sequential([Dense(4, activation="sigmoid", input_shape=(2,))])
    assert last_activation(Sequential([inner, Reshape((2, 2)), Flatten()])) == "sigmoid"
    wrapped = lm.layers.SpectralNormalization(Dense(1, activation="sigmoid"))
    assert last_activation(Sequential([Input((2,)), wrapped])) == "sigmoid"
