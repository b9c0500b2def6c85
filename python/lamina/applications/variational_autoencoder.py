"""The variational autoencoder: codes that are drawn, from which new samples can be made.

Kingma & Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114: an encoder gives mean and log variance of a
normal distribution of codes, z = mean + exp(log_var / 2) e with normal e lets gradients through (the
reparameterisation), and the evidence lower bound

    ELBO = E[log p(x | z)] - KL(N(mean, var) || N(0, 1)),  KL = -1/2 sum(1 + log_var - mean^2 - exp(log_var))

is what training raises. Codes drawn from N(0, 1) then give samples that look like the data.

Differs from the paper in: relu instead of tanh inside, Adam instead of Adagrad, one draw a sample; a factor beta on
the divergence (Higgins et al. 2017), 1 by default; a convolutional form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend, layers, ops, random
from lamina.applications.autoencoder import convolutional_decoder
from lamina.autograd.tensor import Tensor
from lamina.layers.layer import register
from lamina.layers.seeded import WORD, Seeded
from lamina.models.model import Model
from lamina.ops.checks import integer, sizes


@register
class Sampling(Seeded):
    """Draws codes: [mean, log_var] -> mean + exp(log_var / 2) e, e normal, in training; the mean elsewhere.

    The divergence from N(0, 1), summed over a code and averaged over the batch, times beta, is added to the loss.

    Args:
        beta: the weight of the divergence, not negative.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> mean, log_var = np.zeros((1000, 1), "float32"), np.zeros((1000, 1), "float32")
        >>> z = lm.applications.variational_autoencoder.Sampling(seed=1)([mean, log_var], training=True)
        >>> 0.9 < lm.ops.std(z).item() < 1.1
        True

    Reference:
        Kingma & Welling 2014, arXiv:1312.6114, section 2.4 and appendix B.
    """

    def __init__(self, beta: float = 1.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not 0 <= beta < math.inf:
            raise ValueError(f"{self.name}: beta must be finite and not negative, got {beta}")
        self.beta = float(beta)

    def call(self, x: Any, training: bool = False) -> Any:
        mean, log_var = x
        noise = backend.zeros(mean.shape, mean.dtype, like=mean.array)
        if training:
            seed, stream = self._stream()
            backend.kernels(noise).random_normal(noise, seed & WORD, stream & WORD, 0.0, 1.0)
        z, divergence = ops.normal_draw(mean, log_var, Tensor(noise), self.beta / max(1, len(mean)))
        self.add_loss(divergence)
        return z if training else mean

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}


@register
class VariationalAutoencoder(Model):
    """A variational autoencoder: 784-400-20 as it stands, or of convolutions.

    Compiled without a loss it takes binary cross-entropy, summed over a sample: what fit then shows is -ELBO in nats.
    Fit it with samples from 0 to 1 as inputs and targets.

    Args:
        input_shape: of a sample, of any number of axes.
        latent: size of a code.
        units: of the encoder's dense layers; the decoder has them in reverse.
        filters: for pictures (H, W, C): convolutions of strides 2 before the dense layers, and transposed ones after.
        beta: the weight of the divergence; above 1 codes come closer to N(0, 1), and samples are less sharp.
        **kwargs: name.

    Attributes:
        encoder: model, samples -> [mean, log_var].
        decoder: model, codes -> samples.

    Raises:
        ValueError: for sizes below 1; with filters, for sizes that are not divisible by 2 as often.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.VariationalAutoencoder(input_shape=(8, 8, 1), latent=2, units=(64,))
        >>> model.compile("adam")
        >>> x = np.random.default_rng(0).random((32, 8, 8, 1), "float32")
        >>> history = model.fit(x, x, epochs=1, verbose=0)
        >>> model.sample(5, seed=1).shape, model.interpolate(x[0], x[1], steps=7).shape
        ((5, 8, 8, 1), (7, 8, 8, 1))

    Reference:
        Kingma & Welling 2014, arXiv:1312.6114; for beta Higgins et al. 2017, "beta-VAE".
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (784,),
        latent: int = 20,
        units: Sequence[int] = (400,),
        filters: Sequence[int] | None = None,
        beta: float = 1.0,
        **kwargs: Any,
    ) -> None:
        who = "VariationalAutoencoder"
        shape, latent = sizes(input_shape, who, 1), integer(latent, who, "latent", 1)
        filters = tuple(filters or ())
        if filters and (len(shape) != 3 or any(n % 2 ** len(filters) for n in shape[:2])):
            raise ValueError(
                f"{who}: with {len(filters)} filters input_shape must be (H, W, C) with sizes divisible by "
                f"{2 ** len(filters)}, got {shape}"
            )
        x = inputs = layers.Input(shape)
        for count in filters:
            x = layers.Conv2D(count, 3, strides=2, padding="same", activation="relu")(x)
        small = x.shape[1:]
        x = x if len(small) == 1 else layers.Flatten()(x)
        for width in units:
            x = layers.Dense(width, activation="relu")(x)
        heads = [layers.Dense(latent, name="mean")(x), layers.Dense(latent, name="log_var")(x)]
        encoder = Model(inputs, heads, name="encoder")
        z = layers.Input((latent,))
        y = z
        for width in tuple(units)[::-1]:
            y = layers.Dense(width, activation="relu")(y)
        if filters:
            y = convolutional_decoder(y.shape[-1], small, filters, shape[-1])(y)
        else:
            y = layers.Dense(math.prod(shape), activation="sigmoid")(y)
            y = y if len(shape) == 1 else layers.Reshape(shape)(y)
        decoder = Model(z, y, name="decoder")
        inputs = layers.Input(shape)
        super().__init__(inputs, decoder(Sampling(beta, name="sampling")(encoder(inputs))), **kwargs)
        self.latent = latent
        self.encoder, self.decoder = encoder, decoder
        self._config = {"input_shape": shape, "latent": latent, "units": tuple(units), "filters": filters, "beta": beta}

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._config}

    def compile(  # type: ignore[override]
        self, optimizer: Any = "adam", loss: Any = "binary_crossentropy", **kwargs: Any
    ) -> None:
        """As `Model.compile`. The loss, a mean over a sample, counts as often as a sample has values: as their sum."""
        kwargs.setdefault("loss_weights", [float(math.prod(self.input.shape[1:]))])
        super().compile(optimizer, loss, **kwargs)

    def sample(self, count: int, seed: int | None = None) -> Any:
        """New samples: the decoder's outputs for codes from N(0, 1).

        Args:
            count: how many.
            seed: None to go by `lamina.set_seed`, or an integer for the same samples at every call.

        Returns:
            Array (count, *input_shape).
        """
        return self.decoder.predict(random.normal((count, self.latent), seed=seed).numpy(), verbose=0)

    def interpolate(self, first: Any, second: Any, steps: int = 8) -> Any:
        """What lies between two samples: the decoder's outputs on the line between the means of their codes.

        Args:
            first, second: samples of input_shape.
            steps: how many, both ends included; at least 2.

        Returns:
            Array (steps, *input_shape).

        Raises:
            ValueError: for fewer than 2 steps.
        """
        steps = integer(steps, self.name, "steps", 2)
        (a, b), _ = self.encoder.predict(np.stack([first, second]), verbose=0)
        share = np.linspace(0, 1, steps, dtype=a.dtype)[:, None]
        return self.decoder.predict((1 - share) * a + share * b, verbose=0)
