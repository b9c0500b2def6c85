"""What applications ask of networks that they are given: how they end, and whether they say anything."""

from __future__ import annotations

from typing import Any

from lamina import layers
from lamina.models.model import Model

DIVERGED = ": the network has diverged, or its input or weights hold NaN"


def last_activation(model: Any) -> str | None:
    """The name of the activation that a model ends with; None for none, or one without a name.

    Example:
        >>> import lamina as lm
        >>> from lamina.applications.networks import last_activation
        >>> last_activation(lm.models.Sequential([lm.layers.Dense(3, activation="tanh")]))
        'tanh'
    """
    layer = model
    while isinstance(layer, Model) and layer.layers:
        shaping = (layers.Reshape, layers.Flatten, layers.Permute)
        inside = [part for part in layer.layers if not isinstance(part, shaping)]
        if not inside:
            return None
        layer = getattr(inside[-1], "layer", inside[-1])  # what a wrapper, as SpectralNormalization, holds
    if isinstance(layer, layers.ReLU):
        return "relu"
    activation = layer.get_config().get("activation") if hasattr(layer, "activation") else None
    return activation if isinstance(activation, str) and activation != "linear" else None


def check_softmax(classes: int, activation: Any, owner: str) -> None:
    """Raises ValueError for a softmax of one class, which is 1 everywhere, so that nothing could be learnt.

    Example:
        >>> from lamina.applications.networks import check_softmax
        >>> check_softmax(1, "sigmoid", "UNet")
    """
    if classes == 1 and getattr(activation, "__name__", activation) == "softmax":
        raise ValueError(
            f'{owner}: the softmax of 1 class is 1 everywhere; give classifier_activation="sigmoid" for one mask, or '
            "2 classes: the background is one"
        )


def refuse_nan(values: Any, owner: str, what: str, why: str = DIVERGED) -> None:
    """Raises ValueError where a network says NaN: comparisons would drop it, and nothing be found.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.networks import refuse_nan
        >>> refuse_nan(np.array([0.5, float("nan")]), "best_boxes", "scores")
        Traceback (most recent call last):
        ...
        ValueError: best_boxes: 1 of 2 scores are NaN: the network has diverged, or its input or weights hold NaN
    """
    count = int((values != values).sum())
    if count:
        raise ValueError(f"{owner}: {count:,} of {values.size:,} {what} are NaN{why}")
