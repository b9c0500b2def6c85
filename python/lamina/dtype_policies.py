"""Dtype policies: in which dtype layers compute, and in which they keep their weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend

FLOATS = ("float16", "bfloat16", "float32", "float64")
MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy:
    """In which dtype a layer computes, and in which it keeps its weights.

    "float32", "float64", "float16" and "bfloat16" name one dtype for both. "mixed_float16" and "mixed_bfloat16" compute
    in 16 bits with weights of float32: they are rounded when they are used, and training changes them in float32.

    Args:
        name: one of these; None for the policy that `set_dtype_policy` chose.

    Raises:
        TypeError: if name is no string.
        ValueError: if it is another one.

    Example:
        >>> import lamina as lm
        >>> policy = lm.dtype_policies.DTypePolicy("mixed_bfloat16")
        >>> policy.compute_dtype, policy.variable_dtype
        ('bfloat16', 'float32')

    Reference:
        Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = _chosen.name
        if not isinstance(name, str):
            raise TypeError(f"dtype policy: name must be a string, got {name!r}")
        if name not in FLOATS and name not in MIXED:
            raise ValueError(f"dtype policy: expected one of {[*FLOATS, *MIXED]}, got {name!r}")
        self._name = name

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype of what layers take and give."""
        return MIXED.get(self._name, self._name)

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return "float32" if self._name in MIXED else self._name

    @property
    def compute(self) -> np.dtype[Any]:
        """`compute_dtype` as NumPy's."""
        return backend.dtype_of(self.compute_dtype)

    @property
    def mixed(self) -> bool:
        """Whether weights have another dtype than computation."""
        return self._name in MIXED

    @property
    def quantization_mode(self) -> None:
        """None: weights are floats."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """A policy made from what `get_config` gave."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


_chosen = DTypePolicy("float32")


def get(identifier: Any) -> DTypePolicy:
    """A policy by its name, by a dtype, by configuration, or as it is; None for the one that `set_dtype_policy` chose.

    Raises:
        TypeError, ValueError: if it names none.

    Example:
        >>> import lamina as lm
        >>> lm.dtype_policies.get("float64")
        <DTypePolicy "float64">
    """
    if identifier is None:
        return _chosen
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    try:
        name = backend.dtype_of(identifier).name
    except TypeError:
        raise TypeError(f"dtype policy: expected a policy, a dtype or a name, got {identifier!r}") from None
    return DTypePolicy(name)


def serialize(policy: DTypePolicy) -> dict[str, Any]:
    """A configuration that `get` and `deserialize` take back.

    Example:
        >>> import lamina as lm
        >>> lm.dtype_policies.serialize(lm.dtype_policies.DTypePolicy("float32"))
        {'class_name': 'DTypePolicy', 'config': {'name': 'float32'}}
    """
    return {"class_name": "DTypePolicy", "config": policy.get_config()}


def deserialize(config: dict[str, Any]) -> DTypePolicy:
    """The policy of a configuration, Keras's too.

    Raises:
        ValueError: if it tells of none.

    Example:
        >>> import lamina as lm
        >>> lm.dtype_policies.deserialize({"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})
        <DTypePolicy "mixed_float16">
    """
    if config.get("class_name") != "DTypePolicy" or not isinstance(config.get("config"), dict):
        raise ValueError(f"dtype policy: expected the configuration of a DTypePolicy, got {config!r}")
    return DTypePolicy(config["config"].get("name"))


def set_dtype_policy(policy: Any) -> None:
    """Chooses the policy of layers that are made from now on without a dtype of their own.

    Args:
        policy: a `DTypePolicy` or its name: "float32", as it is at first, "float64", "float16", "bfloat16",
            "mixed_float16" or "mixed_bfloat16".

    Raises:
        TypeError, ValueError: for anything else.

    Example:
        >>> import lamina as lm
        >>> lm.set_dtype_policy("mixed_bfloat16")
        >>> layer = lm.layers.Dense(2)
        >>> lm.set_dtype_policy("float32")
        >>> y = layer([[1.0, 2.0]])
        >>> y.dtype.name, layer.kernel.dtype.name
        ('bfloat16', 'float32')
    """
    global _chosen
    if policy is None:
        raise TypeError("set_dtype_policy: expected a policy or its name, got None")
    _chosen = get(policy)


def dtype_policy() -> DTypePolicy:
    """The policy that `set_dtype_policy` chose.

    Example:
        >>> import lamina as lm
        >>> lm.dtype_policy()
        <DTypePolicy "float32">
    """
    return _chosen
