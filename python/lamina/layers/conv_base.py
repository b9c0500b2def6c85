"""What all convolution layers share: kernel, strides, padding, activation, bias, and their configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lamina import constraints, initializers, regularizers
from lamina.layers import activations
from lamina.layers.checks import channels_last
from lamina.layers.layer import Layer
from lamina.layers.shapes import Shape
from lamina.ops.convolution import IMAGES
from lamina.ops.convolution_window import SIDES, explicit_padding, integers

PLACES = {1: ("steps",), 2: ("rows", "columns"), 3: ("slices", "rows", "columns")}


class ConvolutionLayer(Layer):
    """Kernel size, strides, padding, dilation, activation and bias of a layer over `rank` axes.

    A subclass hands its kernels' initializers, regularizers and constraints to `_settings`, and names them in
    `prefixes`; numbers of its own that belong to its configuration it names in `numbers`.
    """

    rank: ClassVar[int]
    prefixes: ClassVar[tuple[str, ...]] = ("kernel",)
    numbers: ClassVar[tuple[str, ...]] = ()
    causal: ClassVar[bool] = False

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias: tuple[Any, Any, Any],
        activity_regularizer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        channels_last(data_format, self.name)
        self.kernel_size = integers(kernel_size, self.rank, self.name, "kernel_size")
        self.strides = integers(strides, self.rank, self.name, "strides")
        self.dilation_rate = integers(dilation_rate, self.rank, self.name, "dilation_rate")
        self.padding = padding_of(padding, self.name, self.rank, self.causal)
        self._activation_name, self.activation = activations.get(activation, self.name)
        self._fused = self._activation_name if self._activation_name in activations.FUSED else None
        self.use_bias = bool(use_bias)
        self._settings("bias", *bias)
        self.bias: Any = None

    def _settings(self, prefix: str, initializer: Any, regularizer: Any, constraint: Any) -> None:
        setattr(self, f"{prefix}_initializer", initializers.get(initializer))
        setattr(self, f"{prefix}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{prefix}_constraint", constraints.get(constraint))

    def _weight(self, prefix: str, shape: Shape, name: str) -> Any:
        return self.add_weight(
            shape,
            getattr(self, f"{prefix}_initializer"),
            regularizer=getattr(self, f"{prefix}_regularizer"),
            constraint=getattr(self, f"{prefix}_constraint"),
            name=name,
        )

    def _no_strided_dilation(self) -> None:
        """As Keras: the two together are almost always a mistake."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self.name}: strides above 1 do not go with a dilation_rate above 1, got strides {self.strides} and "
                f"dilation_rate {self.dilation_rate}"
            )

    def _channels(self, input_shape: Any) -> int:
        if len(input_shape) != self.rank + 2 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: x must have shape {IMAGES[self.rank]}, got {input_shape}")
        if self.built and self._build_shape[-1] != input_shape[-1]:
            raise ValueError(f"{self.name}: x must have {self._build_shape[-1]} channels, got {tuple(input_shape)}")
        return int(input_shape[-1])

    def _finish(self, y: Any) -> Any:
        return y if self._fused else self.activation(y)

    def _windows(self, input_shape: Any) -> list[Any]:
        """The output's sizes."""
        return [
            window_count(input_shape[1 + i], self.kernel_size[i], self.strides[i], self.padding, self.name, i,
                         self.dilation_rate[i], self.rank)
            for i in range(self.rank)
        ]  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **{name: getattr(self, name) for name in self.numbers}}
        padding = self.padding
        config |= {
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": padding if isinstance(padding, str) else [list(side) for side in padding],
            "dilation_rate": list(self.dilation_rate),
            "activation": activations.serialize(self._activation_name, self.activation, self.name),
            "use_bias": self.use_bias,
        }
        for prefix in (*self.prefixes, "bias"):
            config[f"{prefix}_initializer"] = initializers.serialize(getattr(self, f"{prefix}_initializer"))
            config[f"{prefix}_regularizer"] = regularizers.serialize(getattr(self, f"{prefix}_regularizer"))
            config[f"{prefix}_constraint"] = constraints.serialize(getattr(self, f"{prefix}_constraint"))
        return config


def padding_of(padding: Any, owner: str, rank: int = 2, causal: bool = False) -> Any:
    """ "valid", "same", ("causal",) or (before, after) for each axis as tuples of integers.

    Raises:
        ValueError: for anything else, and for negative sizes.
        TypeError: where an integer is expected.
    """
    if isinstance(padding, str):
        if padding.lower() in ("valid", "same") or (causal and padding.lower() == "causal"):
            return padding.lower()
        words = '"valid", "same", "causal"' if causal else '"valid", "same"'
        raise ValueError(f"{owner}: padding must be {words}, an integer or {SIDES[rank]}, got {padding!r}")
    return explicit_padding(padding, rank, owner)


def window_count(
    size: Any, window: int, stride: int, padding: Any, owner: str, axis: int, dilation: int = 1, rank: int = 2
) -> Any:
    """How many windows fit along an axis: the size of a convolution's or pooling's output.

    Raises:
        ValueError: if not one fits.
    """
    if size is None:
        return None
    if padding in ("same", "causal"):
        return -(-size // stride)
    padded = size + (0 if padding == "valid" else sum(padding[axis]))
    reach = (window - 1) * dilation + 1
    if reach > padded:
        raise ValueError(
            f"{owner}: the window reaches over {reach} {PLACES[rank][axis]}, but the padded input has {padded}"
        )
    return (padded - reach) // stride + 1


def product_of_sizes(sizes: Sequence[Any], owner: str) -> int:
    """Their product.

    Raises:
        ValueError: if one is None, not known.
    """
    result = 1
    for size in sizes:
        if size is None:
            raise ValueError(f"{owner}: every size of the input must be known, got {tuple(sizes)}")
        result *= int(size)
    return result
