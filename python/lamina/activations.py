"""Activations by name: functions of one tensor, as in keras.activations.

Every one is an op, so that it is documented in `lamina.ops` too; `exponential` is `lamina.ops.exp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina.ops import binary_step as binary_step
from lamina.ops import celu as celu
from lamina.ops import elu as elu
from lamina.ops import exp as exponential
from lamina.ops import gelu as gelu
from lamina.ops import glu as glu
from lamina.ops import hard_shrink as hard_shrink
from lamina.ops import hard_sigmoid as hard_sigmoid
from lamina.ops import hard_silu as hard_silu
from lamina.ops import hard_swish as hard_swish
from lamina.ops import hard_tanh as hard_tanh
from lamina.ops import leaky_relu as leaky_relu
from lamina.ops import log_sigmoid as log_sigmoid
from lamina.ops import log_softmax as log_softmax
from lamina.ops import mish as mish
from lamina.ops import relu as relu
from lamina.ops import relu6 as relu6
from lamina.ops import selu as selu
from lamina.ops import sigmoid as sigmoid
from lamina.ops import silu as silu
from lamina.ops import soft_shrink as soft_shrink
from lamina.ops import softmax as softmax
from lamina.ops import softplus as softplus
from lamina.ops import softsign as softsign
from lamina.ops import sparse_plus as sparse_plus
from lamina.ops import sparse_sigmoid as sparse_sigmoid
from lamina.ops import sparsemax as sparsemax
from lamina.ops import squareplus as squareplus
from lamina.ops import swish as swish
from lamina.ops import tanh as tanh
from lamina.ops import tanh_shrink as tanh_shrink
from lamina.ops import threshold as threshold

Activation = Callable[[Any], Any]


def linear(x: Any) -> Any:
    """x itself.

    Args:
        x: anything.

    Returns:
        x.

    Example:
        >>> import lamina as lm
        >>> lm.activations.linear(3.0)
        3.0
    """
    return x


# Where one function has two names, it is saved under the first.
names: dict[str, Activation] = {
    "linear": linear,
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "softmax": softmax,
    "binary_step": binary_step,
    "celu": celu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_swish,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu6": relu6,
    "selu": selu,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": swish,
    "tanh_shrink": tanh_shrink,
}


def name_of(function: Any) -> str | None:
    """The name of one of these activations; None for anything else.

    Example:
        >>> import lamina as lm
        >>> lm.activations.name_of(lm.activations.swish)
        'silu'
    """
    return next((name for name, known in names.items() if known is function), None)


def get(identifier: Any) -> Activation:
    """The activation of a name.

    Args:
        identifier: a name, None for `linear`, or a function, which is returned as it is.

    Returns:
        A function of one tensor.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.

    Example:
        >>> import lamina as lm
        >>> lm.activations.get("relu6")(lm.tensor([8.0])).item()
        6.0
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str) and identifier in names:
        return names[identifier]
    if callable(identifier):
        return identifier
    raise ValueError(f"activations: expected a function or one of {sorted(names)}, got {identifier!r}")


def serialize(activation: Any) -> str:
    """The name that `get` takes back.

    Args:
        activation: one of these functions.

    Returns:
        Its name.

    Raises:
        ValueError: for a function of the user's own: no code is saved.

    Example:
        >>> import lamina as lm
        >>> lm.activations.serialize(lm.activations.swish)
        'silu'
    """
    name = name_of(activation)
    if name is None:
        raise ValueError(f"activations: {activation!r} cannot be saved; use one of {sorted(names)}")
    return name


def deserialize(config: Any) -> Activation:
    """The activation that `serialize` named: the same as `get`.

    Args:
        config: a name, or None for `linear`.

    Returns:
        A function of one tensor.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> import lamina as lm
        >>> lm.activations.deserialize("elu") is lm.ops.elu
        True
    """
    return get(config)
