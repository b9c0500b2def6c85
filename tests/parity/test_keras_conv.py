"""Every convolution layer beside Keras 3's: weights copied over, outputs and all gradients. Skipped without Keras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lamina as lm

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

# The layer, the shape of a sample, its arguments.
CASES: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("Conv1D", (17, 5), {"filters": 7, "kernel_size": 3}),
    ("Conv1D", (17, 5), {"filters": 7, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"}),
    ("Conv1D", (19, 6), {"filters": 8, "kernel_size": 3, "padding": "causal", "dilation_rate": 3, "groups": 2}),
    ("Conv1D", (18, 3), {"filters": 4, "kernel_size": 5, "padding": "causal", "strides": 3, "use_bias": False}),
    ("Conv2D", (9, 11, 5), {"filters": 6, "kernel_size": 3}),
    ("Conv2D", (9, 12, 5), {"filters": 6, "kernel_size": (4, 3), "strides": (2, 3), "padding": "same"}),
    ("Conv2D", (13, 12, 20), {"filters": 24, "kernel_size": 3, "padding": "same", "dilation_rate": (2, 3)}),
    ("Conv2D", (9, 9, 12), {"filters": 18, "kernel_size": 3, "groups": 6, "activation": "tanh"}),
    ("Conv2D", (10, 9, 4), {"filters": 6, "kernel_size": 1, "strides": 2, "padding": "same", "activation": "softmax"}),
    ("Conv3D", (6, 7, 8, 3), {"filters": 5, "kernel_size": 3}),
    ("Conv3D", (6, 7, 8, 4), {"filters": 6, "kernel_size": (2, 3, 4), "strides": (2, 1, 3), "padding": "same"}),
    ("Conv3D", (8, 7, 6, 4), {"filters": 6, "kernel_size": 2, "dilation_rate": (2, 1, 3), "groups": 2}),
    ("Conv3D", (5, 5, 5, 4), {"filters": 3, "kernel_size": (1, 3, 3), "padding": "same", "activation": "sigmoid"}),
    ("Conv1DTranspose", (9, 5), {"filters": 4, "kernel_size": 3, "strides": 2}),
    ("Conv1DTranspose", (9, 5), {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv1DTranspose", (9, 5), {"filters": 4, "kernel_size": 2, "strides": 3, "output_padding": 2}),
    ("Conv1DTranspose", (9, 5), {"filters": 4, "kernel_size": 4, "dilation_rate": 2, "padding": "same"}),
    ("Conv2DTranspose", (5, 6, 7), {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv2DTranspose", (5, 6, 7), {"filters": 4, "kernel_size": (4, 2), "strides": (2, 3), "activation": "relu"}),
    ("Conv2DTranspose", (5, 6, 7), {"filters": 4, "kernel_size": (3, 5), "strides": (3, 2), "output_padding": (2, 1)}),
    ("Conv2DTranspose", (6, 6, 20), {"filters": 17, "kernel_size": 3, "padding": "same", "activation": "sigmoid"}),
    ("Conv2DTranspose", (5, 6, 7), {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same",
                                    "output_padding": 1}),
    ("Conv2DTranspose", (6, 5, 3), {"filters": 4, "kernel_size": 3, "dilation_rate": (2, 3), "use_bias": False}),
    ("Conv2DTranspose", (4, 4, 3), {"filters": 2, "kernel_size": 1, "strides": 3, "padding": "same"}),
    ("Conv3DTranspose", (3, 4, 5, 3), {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv3DTranspose", (3, 4, 5, 3), {"filters": 4, "kernel_size": (2, 3, 1), "strides": (3, 2, 2)}),
    ("Conv3DTranspose", (3, 4, 3, 3), {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "activation": "tanh"}),
    ("DepthwiseConv1D", (15, 6), {"kernel_size": 3, "strides": 2, "padding": "same"}),
    ("DepthwiseConv1D", (15, 6), {"kernel_size": 4, "dilation_rate": 2, "depth_multiplier": 3, "activation": "relu"}),
    ("DepthwiseConv2D", (9, 10, 18), {"kernel_size": 3, "padding": "same"}),
    ("DepthwiseConv2D", (9, 10, 6), {"kernel_size": (5, 3), "strides": 2, "padding": "same", "depth_multiplier": 2}),
    ("DepthwiseConv2D", (12, 11, 5), {"kernel_size": 3, "dilation_rate": (2, 3), "depth_multiplier": 4}),
    ("SeparableConv1D", (15, 6), {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("SeparableConv1D", (15, 6), {"filters": 5, "kernel_size": 4, "depth_multiplier": 2, "activation": "relu"}),
    ("SeparableConv2D", (9, 10, 6), {"filters": 5, "kernel_size": 3, "padding": "same", "depth_multiplier": 3}),
    ("SeparableConv2D", (9, 10, 6), {"filters": 5, "kernel_size": (2, 3), "strides": 2, "use_bias": False}),
]  # fmt: skip


def close(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    scale = float(np.sqrt(np.mean(np.square(theirs)))) or 1.0
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.fixture(autouse=True)
def _accurate() -> Iterator[None]:
    """Winograd F(4x4), the default, errs by more than 1e-5 in float32 (docs/numerics.md)."""
    lm.set_convolution("accurate")
    yield
    lm.set_convolution("fast")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
@pytest.mark.parametrize(("name", "shape", "arguments"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_layer(name: str, shape: tuple[int, ...], arguments: dict[str, Any], dtype: str, tolerance: float) -> None:
    random = np.random.default_rng(3)
    x = random.standard_normal((3, *shape)).astype(dtype)
    theirs = getattr(keras.layers, name)(**arguments, dtype=dtype)
    ours = getattr(lm.layers, name)(**arguments, dtype=dtype)
    theirs.build((None, *shape))
    ours(x)
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights]
    assert [w.name for w in theirs.weights] == [w.name for w in ours.weights]
    values = [random.standard_normal(w.shape).astype(dtype) for w in ours.weights]
    theirs.set_weights(values)
    ours.set_weights(values)
    inputs = torch.tensor(x, requires_grad=True)
    expected = theirs(inputs)
    tensor = lm.tensor(x, requires_grad=True)
    got = ours(tensor)
    assert got.shape == tuple(expected.shape) == (3, *ours.compute_output_shape((None, *shape))[1:])
    assert tuple(theirs.compute_output_shape((None, *shape))) == ours.compute_output_shape((None, *shape))
    close(got.numpy(), expected.detach().numpy(), tolerance, "outputs")
    dy = random.standard_normal(got.shape).astype(dtype)
    got.backward(lm.tensor(dy))
    expected.backward(torch.tensor(dy))
    close(tensor.grad.numpy(), inputs.grad.numpy(), tolerance, "gradient of x")
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        close(mine.grad.numpy(), other.value.grad.numpy(), tolerance, f"gradient of {mine.name}")
    assert ours.get_config().keys() >= (theirs.get_config().keys() - {"data_format", "activity_regularizer"} - KERAS)


KERAS = {"name", "trainable", "dtype", "groups"}  # of Layer; groups: of Keras's transposed and depthwise layers too


@pytest.mark.parametrize("name", sorted({c[0] for c in CASES}))
def test_defaults(name: str) -> None:
    """The same numbers and words where none are given."""
    needed = {"kernel_size": 3} if name.startswith("Depthwise") else {"filters": 2, "kernel_size": 3}
    theirs = getattr(keras.layers, name)(**needed).get_config()
    ours = getattr(lm.layers, name)(**needed).get_config()
    for key in ("strides", "padding", "dilation_rate", "activation", "use_bias", "depth_multiplier", "output_padding"):
        if key in theirs:
            other = theirs[key]
            assert ours[key] == (list(other) if isinstance(other, tuple) else other), key
