"""First values of weights. Called with a shape and a dtype, an initializer gives an array.

Random ones draw from Lamina's counter-based generator: with ``seed=None`` the next stream of `lamina.set_seed`'s seed,
with an integer the same values at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.initializers.constant import Bilinear as Bilinear
from lamina.initializers.constant import Constant as Constant
from lamina.initializers.constant import Identity as Identity
from lamina.initializers.constant import Ones as Ones
from lamina.initializers.constant import Zeros as Zeros
from lamina.initializers.distributions import RandomNormal as RandomNormal
from lamina.initializers.distributions import RandomUniform as RandomUniform
from lamina.initializers.distributions import TruncatedNormal as TruncatedNormal
from lamina.initializers.initializer import Initializer as Initializer
from lamina.initializers.initializer import sizes as _sizes
from lamina.initializers.scaling import GlorotNormal as GlorotNormal
from lamina.initializers.scaling import GlorotUniform as GlorotUniform
from lamina.initializers.scaling import HeNormal as HeNormal
from lamina.initializers.scaling import HeUniform as HeUniform
from lamina.initializers.scaling import LecunNormal as LecunNormal
from lamina.initializers.scaling import LecunUniform as LecunUniform
from lamina.initializers.scaling import Orthogonal as Orthogonal
from lamina.initializers.scaling import VarianceScaling as VarianceScaling
from lamina.initializers.scaling import fans as fans

zeros, ones, constant, identity = Zeros, Ones, Constant, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal

_classes: dict[str, type[Initializer]] = {
    c.__name__: c
    for c in (
        Zeros, Ones, Constant, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, GlorotUniform,
        GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal, Identity, Bilinear,
    )
}  # fmt: skip
_names: dict[str, type[Initializer]] = {
    **_classes, "zeros": Zeros, "ones": Ones, "zero": Zeros, "one": Ones, "constant": Constant,
    "random_normal": RandomNormal, "normal": RandomNormal, "random_uniform": RandomUniform, "uniform": RandomUniform,
    "truncated_normal": TruncatedNormal, "variance_scaling": VarianceScaling, "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal, "he_uniform": HeUniform, "he_normal": HeNormal, "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal, "orthogonal": Orthogonal, "OrthogonalInitializer": Orthogonal, "identity": Identity,
    "IdentityInitializer": Identity, "bilinear": Bilinear,
}  # fmt: skip


def get(identifier: Any) -> Callable[..., Any]:
    """An initializer by name, by configuration, of a number, of an array, of a class, or as it is.

    Args:
        identifier: as said; an array is for weights of its shape.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.get("ones")((2,)).tolist()
        [1.0, 1.0]
    """
    if isinstance(identifier, str) and identifier in _names:
        return _names[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in _classes:
        return _classes[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, int | float) and not isinstance(identifier, bool):
        return Constant(identifier)
    if isinstance(identifier, Tensor) or backend.is_array(identifier):
        return _of_array(backend.to_host(getattr(identifier, "array", identifier)))
    if callable(identifier):
        return identifier() if isinstance(identifier, type) else identifier
    raise ValueError(f"initializers: expected one of {sorted(_names)}, got {identifier!r}")


def _of_array(values: Any) -> Callable[..., Any]:
    def initialize(shape: Any, dtype: Any = "float32") -> Any:
        if _sizes(shape) != values.shape:
            raise ValueError(f"initializers: the array has shape {values.shape}, the weight {_sizes(shape)}")
        return values.astype(dtype)

    return initialize


def serialize(initializer: Any) -> dict[str, Any]:
    """A configuration that `get` takes back.

    Args:
        initializer: one of this module's.

    Raises:
        ValueError: for functions and classes of the user's own.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.serialize(lm.initializers.Identity())
        {'class_name': 'Identity', 'config': {'gain': 1.0}}
    """
    if type(initializer).__name__ not in _classes:
        raise ValueError(f"initializers: {initializer!r} cannot be saved; use one of {sorted(_classes)}")
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


deserialize = get
