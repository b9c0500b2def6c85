"""DCGAN: adversarial networks of convolutions.

Radford, Metz & Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", arXiv:1511.06434: strided convolutions instead of pooling, batch normalisation, relu in the generator and
leaky relu in the discriminator make adversarial training stable. Adam with 2e-4 and beta1 0.5, weights from N(0, 0.02).

Differs from the paper in: the sizes are those of PyTorch's example (generator 3,576,704 and discriminator 2,765,568
trained parameters at 64x64), half the paper's filters; transposed convolutions of 4x4 without bias, not 5x5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina import initializers, layers, optimizers
from lamina.models.model import Model
from lamina.ops.checks import integer, sizes


def dcgan_generator(
    latent: int = 100, shape: Sequence[int] = (64, 64, 3), filters: int = 64, classes: int | None = None
) -> Model:
    """Codes to pictures from -1 to 1: a transposed convolution to 4x4, and one of strides 2 for every doubling.

    Args:
        latent: size of a code.
        shape: (H, W, C) of the pictures, H = W = 8, 16, 32, 64, ...
        filters: of the last layer but one; each before has twice as many.
        classes: None; or how many, for a model of [codes, labels].

    Returns:
        Model (N, latent) -> (N, H, W, C), not compiled.

    Raises:
        ValueError: for another shape.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.dcgan_generator()
        >>> sum(w.size for w in model.trainable_weights)
        3576704
        >>> lm.applications.dcgan_generator(32, (8, 8, 1), filters=32).output.shape
        (None, 8, 8, 1)

    Reference:
        Radford et al. 2016, arXiv:1511.06434.
    """
    shape, doublings = _checked("dcgan_generator", shape)
    inputs: Any = layers.Input((integer(latent, "dcgan_generator", "latent", 1),))
    x, given = inputs, inputs
    if classes is not None:
        labels = layers.Input((), dtype="int64", name="labels")
        given = [inputs, labels]
        x = layers.Concatenate()([x, layers.Embedding(classes, latent, embeddings_initializer=_normal())(labels)])
    x = layers.Reshape((1, 1, x.shape[-1]))(x)
    x = _up(x, filters * 2 ** (doublings - 1), strides=1, padding="valid")
    for left in range(doublings - 1, 0, -1):
        x = _up(x, filters * 2 ** (left - 1), strides=2, padding=1)
    y = layers.Conv2DTranspose(shape[-1], 4, 2, 1, use_bias=False, activation="tanh", kernel_initializer=_normal())(x)
    return Model(given, y, name="generator")


def dcgan_discriminator(
    shape: Sequence[int] = (64, 64, 3),
    filters: int = 64,
    classes: int | None = None,
    normalization: str = "batch",
    output_activation: str | None = "sigmoid",
    dropout: float = 0.0,
) -> Model:
    """Pictures to one number each: a convolution of strides 2 for every halving down to 4x4, leaky relu of 0.2.

    Args:
        shape: (H, W, C) of the pictures, H = W = 8, 16, 32, 64, ...
        filters: of the first layer; each after has twice as many.
        classes: None; or how many, for a model of [pictures, labels]: a channel more tells the class.
        normalization: "batch", as in the paper; "layer" for a gradient penalty, which is a sample's own matter;
            "spectral": every kernel's largest singular value is held at 1; "none".
        output_activation: "sigmoid" for probabilities, None for the scores that other losses take.
        dropout: the rate of dropout after every activation: 0 as in the paper.

    Returns:
        Model (N, H, W, C) -> (N, 1), not compiled.

    Raises:
        ValueError: for another shape or normalization.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.dcgan_discriminator()
        >>> sum(w.size for w in model.trainable_weights)
        2765568

    Reference:
        Radford et al. 2016, arXiv:1511.06434; for "spectral" Miyato et al. 2018, arXiv:1802.05957.
    """
    shape, doublings = _checked("dcgan_discriminator", shape)
    if normalization not in ("batch", "layer", "spectral", "none"):
        raise ValueError(f'dcgan_discriminator: normalization must be "batch", "layer", "spectral" or "none", got '
                         f"{normalization!r}")  # fmt: skip
    inputs: Any = layers.Input(shape)
    x, given = inputs, inputs
    if classes is not None:
        labels = layers.Input((), dtype="int64", name="labels")
        given = [inputs, labels]
        plane = layers.Embedding(classes, shape[0] * shape[1], embeddings_initializer=_normal())(labels)
        x = layers.Concatenate()([x, layers.Reshape((*shape[:2], 1))(plane)])
    for i in range(doublings):
        conv: Any = layers.Conv2D(filters * 2**i, 4, 2, 1, use_bias=False, kernel_initializer=_normal())
        x = layers.SpectralNormalization(conv)(x) if normalization == "spectral" else conv(x)
        if i and normalization == "batch":
            x = _batch_norm()(x)
        elif i and normalization == "layer":
            x = layers.LayerNormalization(axis=(1, 2, 3))(x)
        x = layers.LeakyReLU(0.2)(x)
        x = layers.Dropout(dropout)(x) if dropout else x
    x = layers.Conv2D(1, 4, use_bias=False, activation=output_activation, kernel_initializer=_normal())(x)
    return Model(given, layers.Reshape((1,))(x), name="discriminator")


def dcgan_optimizer(learning_rate: float = 2e-4) -> Any:
    """The paper's Adam: 2e-4, beta1 0.5. Each of the two networks needs one of its own.

    Args:
        learning_rate: another one.

    Example:
        >>> import lamina as lm
        >>> lm.applications.dcgan_optimizer().beta_1
        0.5

    Reference:
        Radford et al. 2016, arXiv:1511.06434, section 4.
    """
    return optimizers.Adam(learning_rate, beta_1=0.5, epsilon=1e-8)


def _up(x: Any, filters: int, strides: int, padding: Any) -> Any:
    x = layers.Conv2DTranspose(filters, 4, strides, padding, use_bias=False, kernel_initializer=_normal())(x)
    return layers.ReLU()(_batch_norm()(x))


def _batch_norm() -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=initializers.RandomNormal(1.0, 0.02))


def _normal() -> Any:
    return initializers.RandomNormal(0.0, 0.02)


def _checked(who: str, shape: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """The shape, and how often 4 is doubled to reach it."""
    found = sizes(shape, who)
    if len(found) != 3 or found[0] != found[1] or found[0] < 8 or found[0] & (found[0] - 1) or found[2] < 1:
        raise ValueError(f"{who}: shape must be (H, W, C), H = W = 8, 16, 32, 64, ..., got {found}")
    return found, found[0].bit_length() - 3
