"""Autoencoders: shapes, sizes, what they learn on real digits against PCA, what they refuse."""

import itertools

import numpy as np
import pytest

import lamina as lm
from lamina import applications, layers


@pytest.fixture(scope="module")
def digits():
    (x, _), (x_test, _) = lm.data.digits()
    return x, x_test


def pca_error(x, test, count):
    x, test = x.reshape(len(x), -1), test.reshape(len(test), -1)
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:count]
    return float((((test - x.mean(0)) @ axes.T @ axes + x.mean(0) - test) ** 2).mean())


def fitted(model, x, epochs):
    model.compile(lm.optimizers.Adam(2e-3), "mse")
    model.fit(x, x, epochs=epochs, verbose=0)
    return model


def test_deep_sizes():
    model = applications.deep_autoencoder()
    widths = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)
    assert model.count_params() == sum((a + 1) * b for a, b in itertools.pairwise(widths))
    assert model.get_layer("encoder").output.shape == (None, 30)
    assert model.get_layer("decoder").input.shape == (None, 30)


def test_deep_is_better_than_pca(digits):
    x, x_test = digits
    lm.set_seed(1)
    model = fitted(applications.deep_autoencoder((8, 8, 1), (128, 64, 8)), x, 30)
    assert model.evaluate(x_test, x_test, verbose=0) < 0.8 * pca_error(x, x_test, 8)


def test_sparse_is_better_than_pca_and_sparse(digits):
    x, x_test = digits
    lm.set_seed(1)
    model = fitted(applications.sparse_autoencoder((8, 8, 1), (256, 128, 16), rho=0.05, factor=0.01), x, 60)
    code = model.get_layer("encoder").predict(x_test, verbose=0)
    assert 0.03 < code.mean() < 0.09
    assert ((model.predict(x_test, verbose=0) - x_test) ** 2).mean() < pca_error(x, x_test, 16)


def test_sparsity_lowers_the_mean_activation(digits):
    x, x_test = digits
    means = []
    for factor in (0.0, 0.1):
        lm.set_seed(1)
        model = fitted(applications.sparse_autoencoder((8, 8, 1), 30, rho=0.05, factor=factor), x, 10)
        means.append(model.get_layer("encoder").predict(x_test, verbose=0).mean())
    assert means[1] < 0.08 < means[0]


@pytest.mark.parametrize("rho", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_rho_outside_is_refused(rho):
    with pytest.raises(ValueError, match="rho must be"):
        applications.sparse_autoencoder((64,), 16, rho=rho)


def test_convolutional(digits):
    x, x_test = digits
    lm.set_seed(1)
    model = applications.convolutional_autoencoder((8, 8, 1), latent=8, filters=(16, 32))
    assert model.get_layer("encoder").output.shape == (None, 8)
    fitted(model, x, 25)
    assert model.evaluate(x_test, x_test, verbose=0) < pca_error(x, x_test, 8)
    with pytest.raises(ValueError, match="sizes divisible by 4"):
        applications.convolutional_autoencoder((9, 8, 1), filters=(8, 16))


@pytest.mark.parametrize("noise", [layers.GaussianNoise(0.3), layers.MaskingNoise(0.3), layers.SaltAndPepperNoise(0.3)])
def test_denoising_gains(digits, noise):
    x, x_test = digits
    lm.set_seed(1)
    model = fitted(applications.denoising_autoencoder((8, 8, 1), noise, filters=(16, 32)), x, 10)
    noisy = noise(x_test, training=True).numpy()
    restored = model.predict(noisy, verbose=0)
    before, after = ((noisy - x_test) ** 2).mean(), ((restored - x_test) ** 2).mean()
    assert 10 * np.log10(before / after) > 4
    clean = model.predict(x_test, verbose=0)  # no noise is added in inference
    assert (clean == model.predict(x_test, verbose=0)).all()


def test_denoising_takes_sounds_and_refuses_others():
    model = applications.denoising_autoencoder((64, 1), filters=(4, 8), kernel_size=5, strides=4)
    assert model.output.shape == (None, 64, 1)
    with pytest.raises(ValueError, match="must be \\(H, W, C\\) or \\(samples, C\\)"):
        applications.denoising_autoencoder((64,))
    with pytest.raises(ValueError, match="divisible by 16"):
        applications.denoising_autoencoder((40, 1), strides=4)


def test_shared_encoder():
    lm.set_seed(1)
    pair = applications.SharedAutoencoder((8, 8, 1), latent=4, filters=(8,))
    a, b = np.zeros((8, 8, 8, 1), "float32"), np.ones((8, 8, 8, 1), "float32")
    pair.model.compile(lm.optimizers.Adam(0.02), "mse")
    pair.model.fit([a, b], [a, b], epochs=40, verbose=0)
    assert pair.a_to_b(a).mean() > 0.8  # what the second decoder draws looks like the second set
    assert pair.b_to_a(b).mean() < 0.2
    shared = set(map(id, pair.encoder.trainable_weights))
    assert shared <= set(map(id, pair.model.trainable_weights))


def test_saved_and_loaded(tmp_path, digits):
    x, _ = digits
    for name, model in {
        "sparse": applications.sparse_autoencoder((8, 8, 1), 20, rho=0.1),
        "denoising": applications.denoising_autoencoder((8, 8, 1), layers.SaltAndPepperNoise(0.1), filters=(4,)),
    }.items():
        model.save(tmp_path / f"{name}.safetensors")
        again = lm.models.load_model(tmp_path / f"{name}.safetensors")
        assert (again.predict(x[:5], verbose=0) == model.predict(x[:5], verbose=0)).all()


def test_seeds_repeat_every_bit(digits):
    x, _ = digits

    def run():
        lm.set_seed(5)
        model = fitted(applications.denoising_autoencoder((8, 8, 1), filters=(8,)), x[:200], 2)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    assert (run() == run()).all()
