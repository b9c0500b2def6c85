"""Autoencoders: deep, sparse, convolutional, denoising, and one encoder that two decoders share.

Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks": a network that squeezes
784-1000-500-250-30 and unfolds again reconstructs better than PCA with as many components. Ng 2011, "Sparse
autoencoder": units that are rarely on. Vincent et al. 2008 and 2010: noisy in, clean out. Two decoders on one encoder,
each trained on a set of pictures of its own, are what face swaps are made with.

Differs from the paper in: trained end to end by Adam from Glorot's weights, not layer by layer as restricted Boltzmann
machines first; relu inside instead of the logistic function; the denoiser is convolutional with one skip, and predicts
what to subtract.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lamina import layers, regularizers
from lamina.layers.layer import Layer
from lamina.models.model import Model
from lamina.ops.checks import integer, sizes


def deep_autoencoder(
    input_shape: Sequence[int] = (784,),
    units: Sequence[int] = (1000, 500, 250, 30),
    activation: str = "relu",
    output_activation: str | None = "sigmoid",
) -> Model:
    """A deep autoencoder of dense layers, and its mirror: 784-1000-500-250-30-250-500-1000-784 as it stands.

    The code, the last of the units, is linear. ``get_layer("encoder")`` and ``get_layer("decoder")`` are models too.
    Train it with inputs as targets.

    Args:
        input_shape: of a sample, of any number of axes.
        units: sizes of the encoder's layers; the decoder has them in reverse. (128, 64, 16), say, is a small one.
        activation: of all layers but the code and the output.
        output_activation: "sigmoid" for samples from 0 to 1, "tanh" from -1 to 1, None for any.

    Returns:
        Model (N, *input_shape) -> (N, *input_shape), not compiled.

    Raises:
        ValueError: for no units, or one below 1.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.deep_autoencoder()
        >>> model.count_params(), model.get_layer("encoder").output.shape
        (2837314, (None, 30))

    Reference:
        Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks", Science 313.
    """
    shape, widths = sizes(input_shape, "deep_autoencoder"), _units(units, "deep_autoencoder")
    return _dense(shape, widths, layers.Dense(widths[-1], name="code"), activation, output_activation)


def sparse_autoencoder(
    input_shape: Sequence[int] = (784,),
    units: int | Sequence[int] = 196,
    rho: float = 0.05,
    factor: float = 1.0,
    activation: str = "relu",
    output_activation: str | None = "sigmoid",
) -> Model:
    """A code of sigmoid units that are on rarely: the mean activation of each is held near rho.

    The penalty factor * sum_j KL(rho || mean_j) is an activity regulariser, `lamina.regularizers.Sparsity`.

    Args:
        input_shape: of a sample, of any number of axes.
        units: of the code: there may be more than inputs; or sizes as `deep_autoencoder` takes them, the code last.
        rho: the mean activation aimed at, above 0 and below 1.
        factor: the weight of the penalty beside the loss.
        activation: of layers before and after the code.
        output_activation: see `deep_autoencoder`.

    Returns:
        Model (N, *input_shape) -> (N, *input_shape), with layers "encoder" and "decoder", not compiled.

    Raises:
        ValueError: if rho lies outside (0, 1), or units below 1.

    Example:
        >>> import lamina as lm
        >>> lm.applications.sparse_autoencoder(units=100, rho=0.1).count_params()
        157684
        >>> lm.applications.sparse_autoencoder(rho=1.0)
        Traceback (most recent call last):
        ValueError: Sparsity: rho must be above 0 and below 1, got 1.0

    Reference:
        Ng 2011, "Sparse autoencoder", CS294A lecture notes.
    """
    given = (units,) if isinstance(units, int) else units
    shape, widths = sizes(input_shape, "sparse_autoencoder"), _units(given, "sparse_autoencoder")
    code = layers.Dense(
        widths[-1], activation="sigmoid", activity_regularizer=regularizers.Sparsity(rho, factor), name="code"
    )
    return _dense(shape, widths, code, activation, output_activation)


def convolutional_autoencoder(
    input_shape: Sequence[int] = (28, 28, 1),
    latent: int = 32,
    filters: Sequence[int] = (32, 64),
    output_activation: str | None = "sigmoid",
) -> Model:
    """Strided convolutions down to a code, transposed ones up again.

    Args:
        input_shape: (H, W, C), both sizes divisible by 2 as often as there are filters.
        latent: size of the code.
        filters: of the encoder's convolutions of strides 2; the decoder has them in reverse.
        output_activation: see `deep_autoencoder`.

    Returns:
        Model (N, H, W, C) -> (N, H, W, C), with layers "encoder" and "decoder", not compiled.

    Raises:
        ValueError: if the sizes are not divisible.

    Example:
        >>> import lamina as lm
        >>> lm.applications.convolutional_autoencoder((8, 8, 1), latent=10, filters=(16, 32)).output.shape
        (None, 8, 8, 1)

    Reference:
        Masci et al. 2011, "Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction".
    """
    shape = _divisible("convolutional_autoencoder", input_shape, 2, 2 ** len(filters))
    x = inputs = layers.Input(shape)
    for count in filters:
        x = layers.Conv2D(count, 3, strides=2, padding="same", activation="relu")(x)
    encoder = Model(inputs, layers.Dense(latent, name="code")(layers.Flatten()(x)), name="encoder")
    small = x.shape[1:]
    return _joined(encoder, convolutional_decoder(latent, small, filters, shape[-1], output_activation))


def convolutional_decoder(
    latent: int, small: Sequence[int], filters: Sequence[int], channels: int, output_activation: str | None = "sigmoid"
) -> Model:
    """From codes (N, latent) to pictures: a dense layer to `small`, then transposed convolutions of strides 2.

    Args:
        latent: size of the code.
        small: (H, W, C), what the dense layer gives.
        filters: those of the encoder, which come in reverse.
        channels: of the pictures.
        output_activation: see `deep_autoencoder`.

    Example:
        >>> import lamina as lm
        >>> lm.applications.autoencoder.convolutional_decoder(10, (2, 2, 32), (16, 32), 1).output.shape
        (None, 8, 8, 1)
    """
    x = codes = layers.Input((latent,))
    x = layers.Dense(math.prod(small), activation="relu")(x)
    x = layers.Reshape(tuple(small))(x)
    for count in filters[-2::-1]:
        x = layers.Conv2DTranspose(count, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation=output_activation)(x)
    return Model(codes, x, name="decoder")


def denoising_autoencoder(
    input_shape: Sequence[int] = (32, 32, 1),
    corruption: Layer | None = None,
    filters: Sequence[int] = (32, 64),
    kernel_size: int = 3,
    strides: int = 2,
    depth: int = 2,
) -> Model:
    """Noisy in, clean out: for pictures (H, W, C), and for sounds (samples, C).

    In training the layer "corruption" makes its input noisy, so that a model is fitted on clean samples as inputs and
    targets; in inference it does nothing, and what comes in noisy goes out clean. The network goes down by strided
    convolutions and up by transposed ones, and what it finds is subtracted from the input.

    Args:
        input_shape: (H, W, C) or (samples, C); sizes divisible by strides as often as there are filters.
        corruption: a layer that is active in training: `lamina.layers.GaussianNoise`, which is the default with 0.2,
            `MaskingNoise`, `SaltAndPepperNoise`.
        filters: of the strided convolutions on the way down.
        kernel_size: of all convolutions of stride 1; the strided ones have 2 * strides.
        strides: of each on the way down.
        depth: convolutions of stride 1 at the bottom.

    Returns:
        Model of the shape of its input, not compiled.

    Raises:
        ValueError: if the sizes are not divisible, or there are neither two nor three.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.denoising_autoencoder((16, 16, 1), lm.layers.SaltAndPepperNoise(0.1), filters=(8,))
        >>> model.output.shape
        (None, 16, 16, 1)

    Reference:
        Vincent et al. 2010, "Stacked Denoising Autoencoders", JMLR 11; that the noise is what is learned: Zhang et
        al. 2017, "Beyond a Gaussian Denoiser", arXiv:1608.03981.
    """
    rank = len(tuple(input_shape)) - 1
    if rank not in (1, 2):
        raise ValueError(f"denoising_autoencoder: input_shape must be (H, W, C) or (samples, C), got {input_shape}")
    shape = _divisible("denoising_autoencoder", input_shape, rank, strides ** len(filters))
    conv, up = (layers.Conv1D, layers.Conv1DTranspose) if rank == 1 else (layers.Conv2D, layers.Conv2DTranspose)
    inputs = layers.Input(shape)
    corruption = layers.GaussianNoise(0.2) if corruption is None else corruption
    noisy = corruption(inputs)
    skips = [conv(filters[0], kernel_size, padding="same", activation="relu")(noisy)]
    for count in filters:
        x = conv(count, 2 * strides, strides=strides, padding="same", activation="relu")(skips[-1])
        skips.append(x)
    for _ in range(depth):
        x = conv(filters[-1], kernel_size, padding="same", activation="relu")(x)
    for skip, count in zip(skips[-2::-1], (*filters[-2::-1], filters[0]), strict=True):
        x = up(count, 2 * strides, strides=strides, padding="same", activation="relu")(x)
        x = layers.Concatenate()([x, skip])
    noise = conv(shape[-1], kernel_size, padding="same", name="noise")(x)
    return Model(inputs, layers.Subtract()([noisy, noise]), name="denoising_autoencoder")


class SharedAutoencoder:
    """One encoder, two decoders, one for each of two sets of pictures: what one has drawn, the other draws anew.

    The encoder sees both sets, so it must tell what they have in common; each decoder only ever draws its own.

    Args:
        input_shape: (H, W, C), both sizes divisible by 2 as often as there are filters.
        latent: size of the code. The smaller, the less of a set's own look can hide in it.
        filters: see `convolutional_autoencoder`.
        output_activation: see `deep_autoencoder`.

    Attributes:
        encoder, decoder_a, decoder_b: models.
        model: both autoencoders as one model: [a, b] -> [a, b], to be compiled and fitted.

    Example:
        >>> import lamina as lm, numpy as np
        >>> pair = lm.applications.SharedAutoencoder((8, 8, 1), latent=8, filters=(8,))
        >>> pair.model.compile("adam", "mse")
        >>> a, b = np.zeros((4, 8, 8, 1), "float32"), np.ones((4, 8, 8, 1), "float32")
        >>> history = pair.model.fit([a, b], [a, b], verbose=0)
        >>> pair.a_to_b(a).shape
        (4, 8, 8, 1)

    Reference:
        Perov et al. 2020, "DeepFaceLab", arXiv:2005.05535, describes swaps of this kind.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (28, 28, 1),
        latent: int = 32,
        filters: Sequence[int] = (32, 64),
        output_activation: str | None = "sigmoid",
    ) -> None:
        first: Any = convolutional_autoencoder(input_shape, latent, filters, output_activation)
        second: Any = convolutional_autoencoder(input_shape, latent, filters, output_activation)
        self.encoder: Any = first.get_layer("encoder")
        self.decoder_a: Any = first.get_layer("decoder")
        self.decoder_b: Any = second.get_layer("decoder")
        self.decoder_a.name, self.decoder_b.name = "decoder_a", "decoder_b"
        a, b = layers.Input(tuple(input_shape), name="a"), layers.Input(tuple(input_shape), name="b")
        outputs = [self.decoder_a(self.encoder(a)), self.decoder_b(self.encoder(b))]
        self.model = Model([a, b], outputs, name="shared_autoencoder")

    def a_to_b(self, x: Any) -> Any:
        """Pictures of the first set as the second one's decoder draws them: NumPy array of the same shape."""
        return self.decoder_b.predict(self.encoder.predict(x, verbose=0), verbose=0)

    def b_to_a(self, x: Any) -> Any:
        """Pictures of the second set as the first one's decoder draws them: NumPy array of the same shape."""
        return self.decoder_a.predict(self.encoder.predict(x, verbose=0), verbose=0)


def _joined(encoder: Model, decoder: Model) -> Model:
    inputs = layers.Input(encoder.input.shape[1:])
    return Model(inputs, decoder(encoder(inputs)), name="autoencoder")


def _dense(
    shape: tuple[int, ...], widths: tuple[int, ...], code: Layer, activation: str, output_activation: str | None
) -> Model:
    inputs = layers.Input(shape)
    x = inputs if len(shape) == 1 else layers.Flatten()(inputs)
    for width in widths[:-1]:
        x = layers.Dense(width, activation=activation)(x)
    encoder = Model(inputs, code(x), name="encoder")
    y = codes = layers.Input((widths[-1],))
    for width in widths[-2::-1]:
        y = layers.Dense(width, activation=activation)(y)
    y = layers.Dense(math.prod(shape), activation=output_activation)(y)
    return _joined(encoder, Model(codes, y if len(shape) == 1 else layers.Reshape(shape)(y), name="decoder"))


def _units(units: Sequence[int], who: str) -> tuple[int, ...]:
    widths = tuple(integer(n, who, "units", 1) for n in units)
    if not widths:
        raise ValueError(f"{who}: units must have at least one entry")
    return widths


def _divisible(who: str, input_shape: Sequence[int], rank: int, by: int) -> tuple[int, ...]:
    shape = sizes(input_shape, who)
    if len(shape) != rank + 1 or any(n < by or n % by for n in shape[:-1]):
        axes = "(H, W, C)" if rank == 2 else "(samples, C)"
        raise ValueError(f"{who}: input_shape must be {axes} with sizes divisible by {by}, got {tuple(input_shape)}")
    return shape
