"""Input, Dense, Activation, Flatten, Reshape, Dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend, constraints, dtype_policies, initializers, ops, regularizers
from lamina.autograd.symbolic import Node, SymbolicTensor
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers import activations
from lamina.layers.checks import channels_last as channels_last
from lamina.layers.checks import mask_sizes, share
from lamina.layers.checks import positive as positive
from lamina.layers.layer import Layer, register
from lamina.layers.seeded import Seeded
from lamina.layers.shapes import Shape, sample_shape


@register
class InputLayer(Layer):
    """Says what a model's inputs are like; passes them on. Usually made with `Input`.

    Args:
        shape: the shape of one sample; None where any size may come.
        batch_size: samples in a batch, where it is fixed.
        dtype: what the inputs are cast to: "float32" or another of floats, or integers as they are; or "string", for
            layers that look strings up (StringLookup, TextVectorization, Hashing).
        sparse: False.
        batch_shape: batch_size and shape in one, (None, 28, 28, 1).
        name: the layer's name.

    Attributes:
        tensor: the symbolic tensor that it gives.

    Example:
        >>> import lamina as lm
        >>> lm.layers.InputLayer((18,)).tensor.shape
        (None, 18)
    """

    supports_masking = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        batch_shape: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if sparse:
            raise ValueError(f"{self.name}: sparse inputs are not supported")
        if (shape is None) == (batch_shape is None):
            raise ValueError(f"{self.name}: give either shape or batch_shape, got {shape!r} and {batch_shape!r}")
        if batch_shape is not None:
            if batch_size is not None or not len(batch_shape):
                raise ValueError(f"{self.name}: batch_shape must begin with the size of a batch (or None), and stands "
                                 f"without batch_size; got {batch_shape!r} and {batch_size!r}")  # fmt: skip
            batch_size, *shape = batch_shape
        if batch_size is not None:
            batch_size = positive(batch_size, self.name, "batch_size")
        self._policy = dtype_policies.DTypePolicy("float32")
        words = isinstance(dtype, str) and dtype == "string"
        self._dtype = np.dtype(str) if words else backend.dtype_of(dtype or "float32")
        known = self._dtype.kind in "fiubU" and self._dtype.itemsize <= 8
        if not known and not backend.is_narrow(self._dtype):
            raise ValueError(
                f"{self.name}: dtype must be one of {[*dtype_policies.FLOATS]}, integers, 'bool' or 'string', "
                f"got {dtype!r}"
            )
        self.batch_input_shape = (batch_size, *sample_shape(shape, self.name))
        self.batch_size = batch_size
        self.build(self.batch_input_shape)
        node = Node(self, (), {})
        self._nodes = [node]
        self.tensor: SymbolicTensor = node.give((self.batch_input_shape, self._dtype), self.name)

    def _accept(self, x: Any) -> Any:
        if self._dtype.kind != "U":
            return super()._accept(x)
        words = None if isinstance(x, Tensor) else backend.as_strings(x)
        if words is None:
            raise TypeError(f"{self.name}: x must hold strings, got {np.asarray(x).dtype}")
        return words

    def call(self, x: Any) -> Any:
        expected = self.batch_input_shape or ()
        if len(x.shape) != len(expected) or any(
            e is not None and e != n for e, n in zip(expected, x.shape, strict=True)
        ):
            raise ValueError(f"{self.name}: x must have shape {expected}, got {x.shape}")
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_input_shape or ()), "dtype": self.dtype, "name": self.name}

    @property
    def dtype(self) -> str:
        """What the inputs are cast to."""
        return "string" if self._dtype.kind == "U" else self._dtype.name


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
) -> SymbolicTensor:
    """Where a graph of layers begins: a symbolic tensor, to call layers on; or the first entry of a Sequential.

    Args:
        shape: the shape of one sample, without the batch; None where any size may come.
        batch_size: samples in a batch, where it is fixed.
        dtype: what the inputs are cast to: "float32" or another of floats, or integers as they are; or "string", for
            layers that look strings up (StringLookup, TextVectorization, Hashing).
        sparse: False.
        batch_shape: batch_size and shape in one, (None, 28, 28, 1).
        name: what the input is called.

    Returns:
        SymbolicTensor of shape (batch_size, *shape).

    Raises:
        ValueError: for sizes that are not positive, other dtypes, or neither shape nor batch_shape.

    Example:
        >>> import lamina as lm
        >>> x = lm.layers.Input((18,))
        >>> y = lm.layers.Dense(4)(x)
        >>> y.shape
        (None, 4)
        >>> lm.models.Model(x, y).count_params()
        76
        >>> lm.models.Sequential([lm.layers.Input((18,)), lm.layers.Dense(4)]).count_params()
        76
    """
    return InputLayer(shape, batch_size, dtype, sparse, batch_shape, name).tensor


@register
class Dense(Layer):
    """A fully connected layer: y = activation(x kernel + bias), over the last axis of x.

    Args:
        units: outputs, positive.
        activation: a name ("relu", "sigmoid", "tanh", "softmax", "binary_step", "linear"), a function of a tensor, or
            None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on the output, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step of training.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (inputs, units), bias (units,).

    Example:
        >>> import lamina as lm
        >>> lm.layers.Dense(3, activation="relu")([[1.0, 2.0]]).shape
        (1, 3)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive(units, self.name, "units")
        self._activation_name, self.activation = activations.get(activation, self.name)
        self._fused = self._activation_name if self._activation_name in activations.FUSED else None
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: x must have shape (N, ..., inputs), got {input_shape}")
        self.kernel = self.add_weight(
            (input_shape[-1], self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                name="bias",
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        y = ops.dense(x, self.kernel, self.bias, self._fused)
        return y if self._fused else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.kernel is not None and input_shape[-1] not in (None, self.kernel.shape[0]):
            raise ValueError(f"{self.name}: x must have {self.kernel.shape[0]} entries along its last axis, got shape "
                             f"{tuple(input_shape)}")  # fmt: skip
        return (*input_shape[:-1], self.units)

    def flops(self, input_shape: Shape) -> int:
        rows = math.prod(input_shape[1:-1])
        return rows * self.units * (2 * input_shape[-1] + self.use_bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self._activation_name, self.activation, self.name),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


@register
class Activation(Layer):
    """Applies an activation.

    Args:
        activation: a name, or a function of a tensor.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Activation("relu")([[-1.0, 2.0]]).numpy().tolist()
        [[0.0, 2.0]]
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._activation_name, self.activation = activations.get(activation, self.name)

    def call(self, x: Any) -> Any:
        return self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        return 0 if self._activation_name == "linear" else math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        name = activations.serialize(self._activation_name, self.activation, self.name)
        return {**super().get_config(), "activation": name}


@register
class Flatten(Layer):
    """(N, ...) -> (N, product of the rest). Samples of one number become (N, 1).

    Args:
        **kwargs: name, trainable, dtype, input_shape: see Layer; data_format: None or "channels_last".

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Flatten()(np.zeros((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], None if None in input_shape[1:] else math.prod(input_shape[1:]))


@register
class Reshape(Layer):
    """Another shape for each sample, in the same (row by row) order of elements.

    Args:
        target_shape: the new shape without the batch; one size may be -1, what is left over.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Reshape((3, -1))(np.zeros((2, 12))).shape
        (2, 3, 4)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = target_shape if isinstance(target_shape, tuple | list) else (target_shape,)
        if any(not is_integer(n) for n in sizes):
            raise TypeError(f"{self.name}: target_shape must hold integers, got {target_shape!r}")
        self.target_shape = tuple([int(n) for n in sizes])
        if sum(n == -1 for n in self.target_shape) > 1 or any(n < -1 or n == 0 for n in self.target_shape):
            raise ValueError(
                f"{self.name}: target_shape must be positive sizes, one of them -1 at most, got {target_shape}"
            )

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], *self._target(x.shape)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self._target(input_shape))

    def _target(self, input_shape: Any) -> Shape:
        """The target with -1 worked out per sample: it cannot come from an empty batch."""
        if None in input_shape[1:]:
            return tuple(None if n == -1 else n for n in self.target_shape)
        size = math.prod(input_shape[1:])
        known = math.prod(n for n in self.target_shape if n != -1)
        if size % known or (-1 not in self.target_shape and size != known):
            raise ValueError(f"{self.name}: cannot reshape samples {input_shape[1:]} to {self.target_shape}")
        return tuple(size // known if n == -1 else n for n in self.target_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


@register
class Dropout(Seeded):
    """In training sets inputs to 0 with probability rate and scales the others by 1 / (1 - rate); else passes on.

    Args:
        rate: from 0 to 1.
        noise_shape: the shape of the mask, broadcast over x: a size of 1 drops along that axis together.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of masks of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y = lm.layers.Dropout(0.5, seed=1)(np.ones((1, 1000)), training=True).numpy()
        >>> sorted(set(y.ravel().tolist()))
        [0.0, 2.0]

    Reference:
        Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate, self.name, "rate")
        self.noise_shape = mask_sizes(noise_shape, self.name)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        return ops.dropout(x, self.rate, *self._stream(), self.noise_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        noise_shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": noise_shape}
