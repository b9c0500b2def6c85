"""DCGAN: the published sizes, first weights, forms, what is refused."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import GAN, dcgan_discriminator, dcgan_generator, dcgan_optimizer


def trained_size(model):
    return sum(w.size for w in model.trainable_weights)


def test_published_sizes():
    assert trained_size(dcgan_generator()) == 3_576_704
    assert trained_size(dcgan_discriminator()) == 2_765_568


def test_first_weights():
    lm.set_seed(1)
    generator = dcgan_generator(32, (16, 16, 3), 16)
    for w in generator.trainable_weights:
        middle = 1.0 if w.name == "gamma" else 0.0
        if w.name != "beta" and w.size > 1000:
            assert w.numpy().mean() == pytest.approx(middle, abs=0.002)
            assert w.numpy().std() == pytest.approx(0.02, rel=0.1)
    adam = dcgan_optimizer()
    assert (float(adam.learning_rate), adam.beta_1) == (pytest.approx(2e-4), 0.5)


@pytest.mark.parametrize("size", [8, 16, 32])
def test_shapes(size):
    generator = dcgan_generator(5, (size, size, 3), 2)
    x = generator.predict(np.zeros((2, 5), "float32"), verbose=0)
    assert x.shape == (2, size, size, 3)
    assert dcgan_discriminator((size, size, 3), 2).predict(x, verbose=0).shape == (2, 1)


@pytest.mark.parametrize(
    ("normalization", "loss", "penalty"),
    [("batch", "binary_crossentropy", 0.0), ("spectral", "hinge", 0.0), ("layer", "wasserstein", 10.0)],
)
def test_forms_train(normalization, loss, penalty):
    lm.set_seed(1)
    last = "sigmoid" if loss == "binary_crossentropy" else None
    discriminator = dcgan_discriminator((8, 8, 1), 8, 3, normalization, last, dropout=0.1)
    model = GAN(discriminator, dcgan_generator(4, (8, 8, 1), 8, 3), latent=4, classes=3)
    model.compile(dcgan_optimizer(1e-3), dcgan_optimizer(1e-3), loss, gradient_penalty=penalty)
    x = np.random.default_rng(0).uniform(-1, 1, (48, 8, 8, 1)).astype("float32")
    history = model.fit(x, np.arange(48) % 3, batch_size=16, epochs=3, verbose=0).history
    assert np.isfinite(history["d_loss"]).all()
    assert history["d_loss"][-1] < history["d_loss"][0]  # noise is easily told from what is invented at first
    if normalization == "spectral":
        spectral = [layer for layer in discriminator.layers if isinstance(layer, lm.layers.SpectralNormalization)]
        assert len(spectral) == 1
        kernel = spectral[0].layer.kernel.numpy()
        assert np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2) < 3


def test_refused():
    for shape in ((28, 28, 1), (64, 32, 3), (4, 4, 1), (64, 64)):
        with pytest.raises(ValueError, match="H = W = 8, 16, 32, 64"):
            dcgan_generator(shape=shape)
    with pytest.raises(ValueError, match="normalization must be"):
        dcgan_discriminator((8, 8, 1), normalization="group")
