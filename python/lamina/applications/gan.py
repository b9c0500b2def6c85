"""Generative adversarial networks: a generator that invents samples, and a discriminator that judges them.

Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv:1406.2661: trained in turn, each with the other frozen,
the two reach the point where the generator's samples are the data's distribution and the discriminator is right half
of the time. Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", arXiv:1704.00028: a critic instead, held
to slopes of 1 by a penalty on its gradients.

Differs from the paper in: the generator maximises log D(G(z)) (the paper's own advice, section 3) instead of minimising
log(1 - D(G(z))); both take Adam; real targets may be smoothed (Salimans et al. 2016, arXiv:1606.03498).
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lamina import backend, layers, losses, ops, optimizers, random
from lamina.applications.gan_callbacks import CollapseWarning
from lamina.applications.networks import last_activation, refuse_nan
from lamina.autograd.gradients import grad
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.layers.layer import register
from lamina.models.batches import is_arrays
from lamina.models.model import Model
from lamina.ops.checks import integer

RANGES = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0),
          "softsign": (-1.0, 1.0), "relu": (0.0, math.inf)}  # fmt: skip
LOSSES = ("binary_crossentropy", "wasserstein", "hinge")


@register
class GAN(Model):
    """A generator and a discriminator that are trained in turn.

    A step shows the discriminator a batch of real and one of invented samples and changes it alone; then it changes the
    generator alone, so that what it invents passes. ``fit(x)``, or ``fit(x, labels)`` with `classes`, takes the data;
    the logs are d_loss, g_loss, d_accuracy (the mean of the next two), accuracy_real and accuracy_fake: how often the
    discriminator is right before the step. ``evaluate(x)`` and ``fit(x, validation_data=(x_held_out,))`` give the same
    for other real samples in inference, without the gradient penalty, beside as many invented ones, of codes that are
    the same at every call. Save the generator and the discriminator each by itself.

    Args:
        discriminator: model, samples -> one number each: a probability if its last activation is sigmoid, else a score.
        generator: model, codes (N, latent) -> samples.
        latent: size of a code.
        classes: None; or how many, for conditional networks: models of [codes, labels] and [samples, labels], labels
            (N,) of integers.
        name: the model's name.

    Raises:
        ValueError: for a size below 1.

    Example:
        >>> import lamina as lm, numpy as np
        >>> generator = lm.models.Sequential([lm.layers.Dense(8, activation="tanh", input_shape=(4,))])
        >>> discriminator = lm.models.Sequential([lm.layers.Dense(1, activation="sigmoid", input_shape=(8,))])
        >>> gan = lm.applications.GAN(discriminator, generator, latent=4)
        >>> gan.compile(lm.optimizers.Adam(2e-4, beta_1=0.5), lm.optimizers.Adam(2e-4, beta_1=0.5))
        >>> history = gan.fit(np.zeros((64, 8), "float32"), epochs=1, verbose=0)
        >>> sorted(history.history)
        ['accuracy_fake', 'accuracy_real', 'd_accuracy', 'd_loss', 'g_loss']
        >>> gan.sample(3, seed=1).shape
        (3, 8)

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661; conditional: Mirza & Osindero 2014, arXiv:1411.1784.
    """

    def __init__(
        self, discriminator: Model, generator: Model, latent: int, classes: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.discriminator, self.generator = discriminator, generator
        self.latent = integer(latent, self.name, "latent", 1)
        self.classes = None if classes is None else integer(classes, self.name, "classes", 1)
        self.last_real: Any = None  # the last batch of real samples, and its labels
        self.last_labels: Any = None
        self._totals: dict[str, Any] = {}

    def call(self, x: Any, mask: Any = None) -> Any:
        """Codes, or [codes, labels], to samples."""
        return self.generator(x)

    def compile(  # type: ignore[override]
        self,
        d_optimizer: Any = "adam",
        g_optimizer: Any = "adam",
        loss: str = "binary_crossentropy",
        label_smoothing: float = 0.0,
        gradient_penalty: float = 0.0,
        d_steps: int = 1,
    ) -> None:
        """Sets how the two are trained.

        Args:
            d_optimizer, g_optimizer: names or optimizers, one each.
            loss: "binary_crossentropy"; "wasserstein": D(fake) - D(real), with a gradient_penalty of 10 the WGAN-GP;
                "hinge": max(0, 1 - D(real)) + max(0, 1 + D(fake)).
            label_smoothing: real samples' target becomes 1 - label_smoothing, for binary cross-entropy.
            gradient_penalty: the weight of the mean of (|dD(x)/dx| - 1)^2 at places between real and fake samples.
            d_steps: steps of the discriminator for one of the generator.

        Raises:
            ValueError: if the generator's output does not fit the discriminator's input, its input the codes, or the
                discriminator gives more than one number; for an unknown loss, or numbers out of range.
        """
        if loss not in LOSSES:
            raise ValueError(f"compile: loss must be one of {LOSSES}, got {loss!r}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"compile: label_smoothing must be at least 0 and below 1, got {label_smoothing}")
        if not 0 <= gradient_penalty < math.inf:
            raise ValueError(f"compile: gradient_penalty must be finite and not negative, got {gradient_penalty}")
        self._check_fit()
        super().compile(optimizers.get(d_optimizer), loss=None)
        self.d_optimizer, self.g_optimizer = self.optimizer, optimizers.get(g_optimizer)
        if self.g_optimizer is self.d_optimizer:
            raise ValueError("compile: d_optimizer and g_optimizer must be two: each has a state of its own")
        self.d_steps = integer(d_steps, "compile", "d_steps", 1)
        self.loss_name, self.label_smoothing = loss, float(label_smoothing)
        self.gradient_penalty = float(gradient_penalty)
        self._from_logits = last_activation(self.discriminator) != "sigmoid"
        if loss != "binary_crossentropy" and not self._from_logits:
            raise ValueError(f'compile: loss "{loss}" needs scores, but the discriminator {self.discriminator.name} '
                             "ends with sigmoid")  # fmt: skip
        self._crossentropy = losses.BinaryCrossentropy(from_logits=self._from_logits)
        inside = [*self.generator.layers_inside(), *self.discriminator.layers_inside()]
        self._batch_norms = [layer.name for layer in inside if isinstance(layer, layers.BatchNormalization)]

    def _check_fit(self) -> None:
        """Raises ValueError unless codes fit the generator, and its samples the discriminator."""
        g, d = self.generator, self.discriminator
        taken, codes = d.inputs[0].shape[1:], g.inputs[0].shape[1:]
        given, score = g.outputs[0].shape[1:], d.outputs[0].shape[1:]
        if given != taken:
            raise ValueError(f"compile: the generator {g.name} gives samples of shape {given}, the discriminator "
                             f"{d.name} takes {taken}")  # fmt: skip
        if codes != (self.latent,):
            raise ValueError(f"compile: the generator {g.name} takes codes of shape {codes}, latent is {self.latent}")
        if math.prod(score) != 1:
            raise ValueError(f"compile: the discriminator {d.name} must give one number a sample, it gives {score}")
        expected, form = (1, "without classes") if self.classes is None else (2, "with classes: [..., labels]")
        for model in (g, d):
            if len(model.inputs) != expected:
                raise ValueError(f"compile: {model.name} takes {len(model.inputs)} inputs, expected {expected} {form}")

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Trains on samples x, with labels y if there are classes; arguments and History as of `Model.fit`.

        Raises:
            ValueError: for samples that hold NaN, and labels that are missing or no classes.

        Warns:
            UserWarning: if samples lie outside of the range that the generator's last activation reaches; if after an
                epoch its samples hardly differ from each other.
        """
        self._check_compiled("fit")
        if is_arrays(x):
            self._check_labels(y, "fit")
            if not isinstance(x, list | tuple | dict):
                self._check_range(x)
        if len(args) > 3:
            raise TypeError("fit: give callbacks and what follows by name")
        kwargs["callbacks"] = [CollapseWarning(), *(kwargs.get("callbacks") or [])]
        return super().fit(x, y, *args, **kwargs)

    def _check_range(self, x: Any) -> None:
        name = last_activation(self.generator)
        low, high = RANGES.get(name or "", (-math.inf, math.inf))
        values = np.asarray(x)
        if not values.size:  # refused by Model.fit
            return
        least, most = float(values.min()), float(values.max())
        if least < low or most > high:
            warnings.warn(
                f"fit: the samples go from {least:g} to {most:g}, but the generator {self.generator.name} ends with "
                f"{name}, which reaches from {low:g} to {high:g} only: scale them",
                UserWarning,
                stacklevel=3,
            )

    # A step

    def _check_labels(self, y: Any, who: str) -> Any:
        """Labels as an array; None for none."""
        if (y is None) != (self.classes is None):
            raise ValueError(f"{who}: labels must {'not ' * (y is not None)}be given: classes is {self.classes}")
        labels = None if y is None else np.asarray(y)
        if labels is not None and not ((labels >= 0) & (labels < self.classes) & (labels == np.floor(labels))).all():
            raise ValueError(f"{who}: labels must be integers from 0 to {self.classes - 1}, the classes")  # type: ignore[operator]
        return labels

    def _given(self, data: Any, who: str) -> tuple[Tensor, Any]:
        """Real samples and labels of a batch, checked."""
        real, labels = as_tensor(data[0]), self._check_labels(data[1] if len(data) > 1 else None, who)
        refuse_nan(real.array, who, "values of the samples", "")
        return real, labels

    def train_step(self, data: Any) -> dict[str, float]:
        real, labels = self._given(data, "fit")
        count = real.shape[0]
        if count == 1 and self._batch_norms:
            raise ValueError(f"fit: a batch of one sample cannot be normalised in training by {self._batch_norms[0]}: "
                             "choose a batch_size that leaves no rest of one")  # fmt: skip
        self.last_real, self.last_labels = real.array, labels
        d_weights, g_weights = self.discriminator.trainable_weights, self.generator.trainable_weights
        for step in range(self.d_steps):
            last = step == self.d_steps - 1
            fake = self._invented(count, labels, record=last)
            d_logs = self._judge(real, Tensor(fake.array), labels, d_weights)
        with frozen(d_weights):
            g_loss = self._loss_of(self._score(fake, labels), wanted=True, smoothing=0.0, generator=True)
            g_loss.backward()
        self.g_optimizer.step(g_weights)
        return self._averaged({**d_logs, "g_loss": g_loss.item()}, count)

    def test_step(self, data: Any) -> dict[str, float]:
        real, labels = self._given(data, "evaluate")
        count = real.shape[0]
        codes: Any = random.normal((count, self.latent), seed=int(self._totals.get("count", 0)))
        with no_grad():
            fake = self.generator(codes if labels is None else [codes, labels], training=False)
            on_real, on_fake = (self._score(samples, labels, training=False) for samples in (real, fake))
            loss = self._d_loss(on_real, on_fake).item()
            g_loss = self._loss_of(on_fake, wanted=True, smoothing=0.0, generator=True).item()
        return self._averaged({"d_loss": loss, **self._shares(on_real, on_fake), "g_loss": g_loss}, count)

    def _invented(self, count: int, labels: Any, record: bool) -> Tensor:
        codes: Any = random.normal((count, self.latent))
        given = codes if labels is None else [codes, labels]
        if record:
            return self.generator(given, training=True)
        with no_grad():
            return self.generator(given, training=True)

    def _score(self, samples: Tensor, labels: Any, training: bool = True) -> Tensor:
        return self.discriminator(samples if labels is None else [samples, labels], training=training)

    def _d_loss(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        return self._loss_of(on_real, True, self.label_smoothing) + self._loss_of(on_fake, False, 0.0)

    def _judge(self, real: Tensor, fake: Tensor, labels: Any, weights: list[Any]) -> dict[str, float]:
        """One step of the discriminator."""
        on_real, on_fake = self._score(real, labels), self._score(fake, labels)
        loss = self._d_loss(on_real, on_fake)
        if self.gradient_penalty:
            loss = loss + self._penalty(real, fake, labels) * self.gradient_penalty
        loss.backward()
        self.d_optimizer.step(weights)
        return {"d_loss": loss.item(), **self._shares(on_real, on_fake)}

    def _shares(self, on_real: Tensor, on_fake: Tensor) -> dict[str, float]:
        """How often the discriminator is right."""
        scores = on_real.numpy(), on_fake.numpy()
        middle = (1.0 - self.label_smoothing) / 2  # what the best judge says where both are as likely
        if self._from_logits:
            middle = math.log(middle / (1.0 - middle)) if self.loss_name == "binary_crossentropy" else 0.0
        if self.loss_name == "wasserstein":  # scores mean nothing but by their distance
            middle = (float(scores[0].mean()) + float(scores[1].mean())) / 2
        right = float((scores[0] > middle).mean()), float((scores[1] < middle).mean())
        return {"d_accuracy": sum(right) / 2, "accuracy_real": right[0], "accuracy_fake": right[1]}

    def _loss_of(self, scores: Tensor, wanted: bool, smoothing: float, generator: bool = False) -> Tensor:
        """How far scores are from what is wanted: those of real samples, or of fake ones."""
        if self.loss_name == "binary_crossentropy":
            target = backend.full(scores.shape, 1.0 - smoothing if wanted else 0.0, scores.dtype, like=scores.array)
            return self._crossentropy(target, scores)
        signed = ops.negative(scores) if wanted else scores
        if self.loss_name == "wasserstein" or generator:
            return ops.mean(signed)
        return ops.mean(ops.relu(1.0 + signed))

    def _penalty(self, real: Tensor, fake: Tensor, labels: Any) -> Tensor:
        """The mean of (|dD(x)/dx| - 1)^2, x on the lines between real and fake samples, one drawn place each."""
        axes = tuple(range(1, real.ndim))
        share = random.uniform((real.shape[0], *[1] * len(axes))).to(real.device)
        with no_grad():
            between = real * share + fake * (1.0 - share)
        between = Tensor(between.array, True)
        slope = grad(ops.sum(self._score(between, labels)), between, create_graph=True)
        return ops.mean(ops.square(ops.sqrt(ops.sum(slope * slope, axis=axes) + 1e-12) - 1.0))

    def _averaged(self, logs: dict[str, float], count: int) -> dict[str, float]:
        """The means of the logs since the epoch began."""
        total = self._totals
        total["count"] = total.get("count", 0) + count
        for name, value in logs.items():
            total[name] = total.get(name, 0.0) + value * count
        return {name: total[name] / total["count"] for name in ("d_loss", "g_loss", *list(logs)[1:-1])}

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self._totals = {}

    # New samples

    def sample(self, count: int, labels: Any = None, seed: int | None = None) -> Any:
        """New samples, in inference.

        Args:
            count: how many.
            labels: for conditional networks: (count,) integers, or one for all.
            seed: None to go by `lamina.set_seed`, or an integer for the same codes at every call.

        Returns:
            Array (count, ...).

        Raises:
            ValueError: if labels are missing, no classes, or given to a network without classes.
        """
        kinds = self._check_labels(labels, "sample")
        codes = random.normal((count, self.latent), seed=seed).numpy()
        given = codes if kinds is None else [codes, np.broadcast_to(kinds, (count,)).copy()]
        return self.generator.predict(given, verbose=0)


@contextlib.contextmanager
def frozen(weights: Sequence[Any]) -> Iterator[None]:
    """Within, no gradients go to these weights: they flow through.

    Example:
        >>> import lamina as lm
        >>> w = lm.Variable([2.0])
        >>> with lm.applications.gan.frozen([w]):
        ...     (w * 2).requires_grad
        False
    """
    for v in weights:
        v.requires_grad = False
    try:
        yield
    finally:
        for v in weights:
            v.requires_grad = True
