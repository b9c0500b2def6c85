"""VGG and ResNet beside keras.applications, with random weights under Keras's names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from lamina.applications import VGG16, ResNet50

keras = pytest.importorskip("keras")
pytest.importorskip("torch")


def randomized(network: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    arrays = {}
    for variable in network.weights:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            value = random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape)
        elif variable.path.endswith(("gamma", "moving_variance")):
            value = random.uniform(0.5, 1, shape)
        else:
            value = random.uniform(-0.2, 0.2, shape)
        variable.assign(value.astype("float32"))
        arrays[variable.path] = value.astype("float32")
    return arrays


@pytest.mark.parametrize(
    ("build", "name", "extra"),
    [(VGG16, "VGG16", {}), (ResNet50, "ResNet50", {"stride_in_first": True})],
)
def test_same_outputs_for_the_same_weights(build: Any, name: str, extra: Any, tmp_path: Any) -> None:
    top = name == "ResNet50"  # Keras's VGG has a top for its images' size alone
    arguments = {"weights": None, "input_shape": (64, 64, 3), "include_top": top, "classifier_activation": None}
    network = getattr(keras.applications, name)(**arguments)
    file = tmp_path / "weights.safetensors"
    save_file(randomized(network), file)
    model = build(**{**arguments, "weights": file}, **extra)
    x = np.random.default_rng(1).standard_normal((2, 64, 64, 3)).astype("float32")
    ours, theirs = model.predict(x, verbose=0), network(x, training=False).detach().numpy()
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_the_stride_that_the_weights_are_for_must_be_said(tmp_path: Any) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"conv1_conv/kernel": np.zeros((7, 7, 3, 64), "float32")}, file)
    with pytest.raises(ValueError, match="such weights need stride_in_first=True"):
        ResNet50(weights=file, input_shape=(32, 32, 3))
