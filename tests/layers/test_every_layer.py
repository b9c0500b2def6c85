"""What holds for every layer of numbers: dtypes, layouts, empty batches, rows alone, integers, shapes told, JSON."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina import layers

SIZES = {1: (9, 4), 2: (7, 8, 4), 3: (5, 4, 6, 4)}
CASES = [
    *[(f"{kind}{n}D", SIZES[n], arguments)
      for n in SIZES
      for kind, arguments in (
          ("MaxPooling", ()), ("AveragePooling", ()), ("GlobalMaxPooling", ()), ("GlobalAveragePooling", ()),
          ("AdaptiveMaxPooling", (2,)), ("AdaptiveAveragePooling", (2,)), ("LpPooling", ()), ("Conv", (3, 2)),
          ("Cropping", (1,)), ("ZeroPadding", (1,)), ("UpSampling", (2,)), ("SpatialDropout", (0.5,)),
      )],
    *[(f"Conv{n}DTranspose", SIZES[n], (3, 2)) for n in SIZES],
    *[(f"{kind}{n}D", SIZES[n], arguments)
      for n in (1, 2)
      for kind, arguments in (("DepthwiseConv", (2,)), ("SeparableConv", (3, 2)), ("LocallyConnected", (3, 2)))],
    *[(name, (6,), ()) for name in (
        "ActivityRegularization", "BatchNormalization", "ELU", "Flatten", "Identity", "LayerNormalization",
        "LeakyReLU", "Normalization", "PReLU", "RMSNormalization", "ReLU", "Softmax", "UnitNormalization",
    )],
    ("Activation", (6,), ("gelu",)), ("AlphaDropout", (6,), (0.5,)), ("BatchNormalization", (3, 4, 2), (1,)),
    ("CenterCrop", (5, 6, 3), (3, 3)), ("Dense", (6,), (3, "softmax")), ("Dense", (4, 6), (3,)),
    ("Dropout", (6,), (0.5,)), ("EinsumDense", (6,), ("ab,bc->ac", 3)), ("GaussianDropout", (6,), (0.5,)),
    ("GaussianNoise", (6,), (0.5,)), ("GroupNormalization", (6,), (2,)), ("Permute", (6, 2), ((2, 1),)),
    ("RepeatVector", (6,), (3,)), ("Rescaling", (6,), (2.0,)), ("Reshape", (6,), ((2, -1),)),
    ("Resizing", (5, 6, 3), (3, 7)),
]  # fmt: skip
every = pytest.mark.parametrize(("name", "shape", "arguments"), CASES, ids=[case[0] for case in CASES])
both = pytest.mark.parametrize("dtype", ["float32", "float64"])


def made(name, arguments, dtype):
    lm.set_seed(1)
    return getattr(layers, name)(*arguments, dtype=dtype)


def data(shape, dtype="float64", count=4):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(dtype)


@both
@every
def test_dtypes_and_shapes(name, shape, arguments, dtype):
    layer, x = made(name, arguments, dtype), data(shape)
    t = lm.tensor(x.astype(dtype), requires_grad=True)
    for training in (False, True):
        y = layer(t, training=training)
        assert y.dtype == dtype
        assert layer.compute_output_shape((None, *shape)) == (None, *y.shape[1:])
    (y * y).sum().backward()
    assert t.grad.dtype == dtype
    for weight in layer.trainable_weights:
        assert weight.dtype == weight.grad.dtype == dtype
    symbol = layer(lm.Input(shape, dtype=dtype))
    assert (symbol.shape, symbol.dtype) == ((None, *y.shape[1:]), dtype)
    assert layer(data(shape, "int32")).dtype == dtype
    assert layer(x[:0]).shape == (0, *y.shape[1:])
    assert layer.flops((None, *shape)) >= 0


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@every
def test_policies_of_16_bits(name, shape, arguments, policy, monkeypatch):
    monkeypatch.setattr(lm.backend, "narrow", lm.backend.narrow)  # and back
    layer, plain, x = made(name, arguments, policy), made(name, arguments, "float32"), data(shape, "float32")
    plain(x)
    t = lm.tensor(x, requires_grad=True)
    for training in (False, True):
        y = layer(t, training=training)
        assert y.dtype.name == layer.compute_dtype
        if not training:
            layer.set_weights(plain.get_weights())
            y = layer(t)
            eps = 2.0**-7 if policy == "mixed_bfloat16" else 2.0**-10
            np.testing.assert_allclose(y.numpy().astype("float32"), plain(x).numpy(), atol=16 * eps, rtol=4 * eps)
    (lm.ops.cast(y, "float32") ** 2).sum().backward()
    assert t.grad.dtype == np.float32
    for weight in layer.trainable_weights:
        assert weight.dtype == weight.grad.dtype == layer.variable_dtype
    symbol = layer(lm.Input(shape))
    assert (symbol.shape, symbol.dtype.name) == ((None, *y.shape[1:]), layer.compute_dtype)
    assert layer(x[:0]).shape == (0, *y.shape[1:])
    config = json.loads(json.dumps(layer.get_config(), allow_nan=False))
    assert type(layer).from_config(config).dtype_policy == layer.dtype_policy


@every
def test_layouts_and_rows_alone_change_no_bit(name, shape, arguments):
    layer, x = made(name, arguments, "float32"), data(shape)
    y = layer(x).numpy()
    frozen = x.astype("float32")
    frozen.setflags(write=False)
    for same in (np.asfortranarray(x), np.repeat(x, 2, 0)[::2], frozen, frozen.astype(">f4"), lm.tensor(frozen)):
        np.testing.assert_array_equal(layer(same).numpy(), y)
    np.testing.assert_array_equal(layer(x[1:2]).numpy(), y[1:2])
    np.testing.assert_array_equal(x, data(shape))


@every
def test_configurations_are_json(name, shape, arguments):
    layer, x = made(name, arguments, "float64"), data(shape)
    y = layer(x).numpy()
    config = json.loads(json.dumps(layer.get_config(), allow_nan=False))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x).numpy(), y)
