"""SpatialDropout, GaussianNoise, GaussianDropout, AlphaDropout, ActivityRegularization: what keeps from overfitting."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.autograd import narrow
from lamina.layers.checks import channels_last, mask_sizes, share
from lamina.layers.layer import Layer, register
from lamina.layers.reshaping import check_axes
from lamina.layers.seeded import Seeded
from lamina.layers.shapes import Shape
from lamina.ops.noise import below_one
from lamina.regularizers import L1L2


class Noise(Seeded):
    """What the layers share that are random in training and pass on elsewhere."""

    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class SpatialDropout(Noise):
    """What the spatial dropouts share."""

    spatial: int

    def __init__(self, rate: float, data_format: str | None, seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        channels_last(data_format, self.name)
        self.rate = share(rate, self.name, "rate")

    def call(self, x: Any, training: bool = False) -> Any:
        check_axes(x.shape, self.spatial, self.name)
        if not training or self.rate == 0:
            return x
        return ops.dropout(x, self.rate, *self._stream(), noise_shape=(None, *[1] * self.spatial, None))

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(input_shape, self.spatial, self.name)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@register
class SpatialDropout1D(SpatialDropout):
    """In training sets whole channels of sequences (N, T, C) to 0 with probability rate, and scales the others.

    Args:
        rate: from 0 to 1.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of masks of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.SpatialDropout1D(0.5, seed=1)(np.ones((1, 3, 4), "float32"), training=True).numpy()
        >>> bool((y == y[:, :1]).all())
        True

    Reference:
        Tompson et al. 2015, "Efficient Object Localization Using Convolutional Networks", arXiv:1411.4280.
    """

    spatial = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, None, seed, **kwargs)


@register
class SpatialDropout2D(SpatialDropout):
    """In training sets whole channels of images (N, H, W, C) to 0 with probability rate, and scales the others.

    Args:
        rate: from 0 to 1.
        data_format: None or "channels_last".
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of masks of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.SpatialDropout2D(0.5, seed=1)(np.ones((1, 3, 3, 4), "float32"), training=True).numpy()
        >>> bool((y == y[:, :1, :1]).all())
        True

    Reference:
        Tompson et al. 2015, "Efficient Object Localization Using Convolutional Networks", arXiv:1411.4280.
    """

    spatial = 2

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, data_format, seed, **kwargs)


@register
class SpatialDropout3D(SpatialDropout):
    """In training sets whole channels of volumes (N, D, H, W, C) to 0 with probability rate, and scales the others.

    Args:
        rate: from 0 to 1.
        data_format: None or "channels_last".
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of masks of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.SpatialDropout3D(0.5, seed=1)(np.ones((1, 2, 2, 2, 4), "float32"), training=True).numpy()
        >>> bool((y == y[:, :1, :1, :1]).all())
        True

    Reference:
        Tompson et al. 2015, "Efficient Object Localization Using Convolutional Networks", arXiv:1411.4280.
    """

    spatial = 3

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, data_format, seed, **kwargs)


@register
class GaussianNoise(Noise):
    """In training adds normal noise around 0; else passes on.

    Args:
        stddev: its standard deviation, from 0 to 1.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.GaussianNoise(0.5, seed=1)(np.zeros((1, 1000), "float32"), training=True)
        >>> 0.45 < lm.ops.std(y).item() < 0.55
        True
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = share(stddev, self.name, "stddev")

    def call(self, x: Any, training: bool = False) -> Any:
        return ops.gaussian_noise(x, self.stddev, *self._stream()) if training and self.stddev > 0 else x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


@register
class GaussianDropout(Noise):
    """In training multiplies by normal noise around 1 of standard deviation sqrt(rate / (1 - rate)); else passes on.

    Args:
        rate: that of the dropout it stands for, at least 0 and below 1.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.GaussianDropout(0.5, seed=1)(np.ones((1, 1000), "float32"), training=True)
        >>> 0.9 < lm.ops.std(y).item() < 1.1
        True

    Reference:
        Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", section 10.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = below_one(rate, self.name)

    def call(self, x: Any, training: bool = False) -> Any:
        return ops.gaussian_dropout(x, self.rate, *self._stream()) if training and self.rate > 0 else x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@register
class AlphaDropout(Noise):
    """In training drops to selu's lowest value, and scales so that mean 0 and variance 1 stay; else passes on.

    Args:
        rate: the fraction to drop, at least 0 and below 1.
        noise_shape: the shape of the mask, broadcast over x: a size of 1 drops along that axis together, None is x's.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of masks of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.AlphaDropout(0.5, seed=1)(np.zeros((1, 100), "float32"), training=True).numpy()
        >>> np.unique(y.round(3)).tolist()
        [-0.7789999842643738, 0.7789999842643738]

    Reference:
        Klambauer et al. 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = below_one(rate, self.name)
        self.noise_shape = mask_sizes(noise_shape, self.name)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        return ops.alpha_dropout(x, self.rate, *self._stream(), noise_shape=self.noise_shape)

    def get_config(self) -> dict[str, Any]:
        noise_shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": noise_shape}


@register
class ActivityRegularization(Layer):
    """Passes on, and adds (l1 sum |x| + l2 sum x^2) / N to the loss, for a batch of N samples.

    Args:
        l1: factor of the absolute values, not negative.
        l2: factor of the squares, not negative.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.ActivityRegularization(l1=0.1)([[1.0, -2.0]]).numpy().tolist()
        [[1.0, -2.0]]
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._penalty = L1L2(l1, l2)
        self.l1, self.l2 = self._penalty.l1, self._penalty.l2

    def call(self, x: Any) -> Any:
        if (self.l1 or self.l2) and x.size:
            self.add_loss(ops.divide(self._penalty(narrow.widened(x)), x.shape[0] if x.ndim else 1))
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 0 if None in input_shape[1:] else 2 * math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}
