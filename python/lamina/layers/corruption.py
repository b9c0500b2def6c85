"""MaskingNoise and SaltAndPepperNoise: what denoising autoencoders learn to undo."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import number, share
from lamina.layers.layer import register
from lamina.layers.regularization import Noise
from lamina.ops.noise import units


class Corruption(Noise):
    """What the two share: the rate, and a uniform number an element."""

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate, self.name, "rate")

    def _units(self, x: Any) -> Any:
        return units(x.shape, x, *self._stream())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@register
class MaskingNoise(Corruption):
    """In training sets elements to 0 with probability rate, the others as they are: dropout without its scale.

    Args:
        rate: from 0 to 1.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of masks of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.MaskingNoise(0.25, seed=1)(np.ones((1, 1000), "float32"), training=True).numpy()
        >>> sorted(set(y[0].tolist())), bool(0.2 < (y == 0).mean() < 0.3)
        ([0.0, 1.0], True)

    Reference:
        Vincent et al. 2008, "Extracting and Composing Robust Features with Denoising Autoencoders".
    """

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        return ops.where(Tensor(self._units(x) < self.rate), 0.0, x)


@register
class SaltAndPepperNoise(Corruption):
    """In training sets elements, with probability rate, to the lowest or the highest value, each as often.

    Args:
        rate: from 0 to 1.
        low, high: the two values.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Raises:
        ValueError: if low is above high.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.SaltAndPepperNoise(0.5, seed=1)(np.full((1, 1000), 0.5, "float32"), training=True).numpy()
        >>> [round(float((y == value).mean()), 1) for value in (0.0, 0.5, 1.0)]
        [0.2, 0.5, 0.3]

    Reference:
        Vincent et al. 2010, "Stacked Denoising Autoencoders", section 4.
    """

    def __init__(
        self, rate: float, low: float = 0.0, high: float = 1.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.low, self.high = number(low, self.name, "low"), number(high, self.name, "high")
        if self.low > self.high:
            raise ValueError(f"{self.name}: low must not be above high, got {low} and {high}")

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        units = self._units(x)
        x = ops.where(Tensor(units < self.rate), self.high, x)
        return ops.where(Tensor(units < self.rate / 2), self.low, x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}
