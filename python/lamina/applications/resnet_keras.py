"""Keras's weights of ResNet-50, 101 and 152: their names, and what its layers have beyond the paper's."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.applications.weights import Layout, keras_layout
from lamina.layers import Conv2D, Layer
from lamina.models import Model

EPSILON = 1.001e-5


def keras_names(model: Model) -> Layout:
    """What Keras calls the weights of a ResNet of bottlenecks."""
    return keras_layout(model.layers_inside(), _keras_name)


def _keras_name(layer: Layer) -> str:
    """ "conv2_block1_1_conv" for "layer1.0.conv1", "conv2_block1_0_bn" for "layer1.0.downsample.1"."""
    kind = "conv" if isinstance(layer, Conv2D) else "bn"
    parts = layer.name.split(".")
    if len(parts) == 1:
        return "predictions" if layer.name == "fc" else f"conv1_{kind}"
    number = 0 if parts[2] == "downsample" else parts[2][-1]
    return f"conv{int(parts[0][-1]) + 1}_block{int(parts[1]) + 1}_{number}_{kind}"


def without_biases(arrays: dict[str, Any], epsilon: float) -> dict[str, Any]:
    """Keras's convolutions have biases, though a mean is taken off at once: it takes them off, too. And its epsilon is
    not the one here: the difference goes to the variances."""
    found = dict(arrays)
    for name in arrays:
        before, _, last = name.rpartition("_conv/")
        if last == "bias" and f"{before}_bn/moving_mean" in arrays:
            found[f"{before}_bn/moving_mean"] = arrays[f"{before}_bn/moving_mean"] - found.pop(name)
        elif name.endswith("_bn/moving_variance"):
            found[name] = arrays[name] + np.float32(EPSILON - epsilon)
    return found
