"""Weight files: names of three kinds, layouts, and all that is wrong said at once."""

from __future__ import annotations

import numpy as np
import pytest

import lamina as lm
from lamina.applications.weights import entry, keras_layout, load_weights, torch_layout, torch_names
from lamina.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Embedding,
    Flatten,
    Input,
    LayerNormalization,
    PReLU,
)
from lamina.models import Model


def network():
    x = inputs = Input((4, 4, 2))
    x = BatchNormalization(name="bn")(Conv2D(3, 3, name="conv")(x))
    return Model(inputs, Dense(5, name="fc")(Flatten()(x)), name="network")


def torch_arrays(seed=0):
    random = np.random.default_rng(seed)
    shapes = {
        "conv.weight": (3, 2, 3, 3),
        "conv.bias": (3,),
        "bn.weight": (3,),
        "bn.bias": (3,),
        "bn.running_mean": (3,),
        "bn.running_var": (3,),
        "fc.weight": (5, 12),
        "fc.bias": (5,),
    }
    arrays = {name: random.uniform(0.1, 1, shape).astype("float32") for name, shape in shapes.items()}
    return arrays | {"bn.num_batches_tracked": np.array(7)}


LAYOUT = {"fc": (2, 2, 3)}


def test_torch_names_and_layouts():
    model, arrays = network(), torch_arrays()
    load_weights(model, arrays, {"PyTorch": torch_names(model, LAYOUT)})
    conv, norm, dense = (model.get_layer(name) for name in ("conv", "bn", "fc"))
    assert np.array_equal(conv.kernel.numpy(), arrays["conv.weight"].transpose(2, 3, 1, 0))
    assert np.array_equal(norm.moving_variance.numpy(), arrays["bn.running_var"])
    assert np.array_equal(norm.gamma.numpy(), arrays["bn.weight"])
    expected = arrays["fc.weight"].reshape(5, 3, 2, 2).transpose(2, 3, 1, 0).reshape(12, 5)
    assert np.array_equal(dense.kernel.numpy(), expected)


def test_own_names_and_keras_names(tmp_path):
    source, model = network(), network()
    source.save(tmp_path / "whole.safetensors")
    source.save_weights(tmp_path / "weights.safetensors")
    keras = {v.path: v.numpy() for v in source.weights}
    assert "bn/moving_mean" in keras
    for given in (tmp_path / "whole.safetensors", tmp_path / "weights.safetensors", keras):
        model = network()
        load_weights(model, given, {"PyTorch": torch_names(model, LAYOUT)})
        assert all(np.array_equal(a, b) for a, b in zip(source.get_weights(), model.get_weights(), strict=True))


def test_optimizer_state_in_a_file_is_passed_over(tmp_path):
    source, model = network(), network()
    source.compile("adam", "mse")
    source.train_on_batch(np.ones((2, 4, 4, 2), "float32"), np.ones((2, 5), "float32"))
    source.save(tmp_path / "trained.safetensors")
    load_weights(model, tmp_path / "trained.safetensors")
    assert np.array_equal(source.get_weights()[0], model.get_weights()[0])


def test_all_that_is_wrong_is_said_at_once_and_nothing_changes():
    model, arrays = network(), torch_arrays()
    before = model.get_weights()
    del arrays["conv.bias"], arrays["bn.running_mean"]
    arrays |= {"extra.weight": np.ones(3, "float32"), "other": np.ones(2, "float32")}
    arrays["fc.weight"] = np.ones((5, 11), "float32")
    arrays["fc.bias"] = np.arange(5)
    with pytest.raises(ValueError, match="do not fit network, by the names of PyTorch") as error:
        load_weights(model, arrays, {"PyTorch": torch_names(model, LAYOUT)}, origin="file")
    text = str(error.value)
    for part in (
        "weights of file", "conv.bias is missing", "bn.running_mean is missing", "extra.weight is not in",
        "other is not in", "fc.weight must have shape (5, 12), got (5, 11)", "fc.bias must hold floats",
    ):  # fmt: skip
        assert part in text
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_ignored_names_may_be_there():
    model, arrays = network(), torch_arrays() | {"aux.weight": np.ones(2, "float32")}
    load_weights(model, arrays, {"PyTorch": torch_names(model, LAYOUT)}, ignore=["aux."])
    with pytest.raises(ValueError, match=r"aux\.weight is not in the model"):
        load_weights(model, arrays, {"PyTorch": torch_names(model, LAYOUT)})


@pytest.mark.parametrize(
    ("layer", "input_shape", "shapes"),
    [
        (lambda: Conv1D(4, 3, groups=2), (None, 9, 6), {"weight": (4, 3, 3), "bias": (4,)}),
        (lambda: Conv2DTranspose(4, 3), (None, 9, 9, 6), {"weight": (6, 4, 3, 3), "bias": (4,)}),
        (lambda: DepthwiseConv2D(3, depth_multiplier=2), (None, 9, 9, 5), {"weight": (10, 1, 3, 3), "bias": (10,)}),
        (lambda: Embedding(7, 3), (None, 5), {"weight": (7, 3)}),
        (lambda: LayerNormalization(), (None, 5), {"weight": (5,), "bias": (5,)}),
        (lambda: Dense(3, use_bias=False), (None, 5), {"weight": (3, 5)}),
    ],
)
def test_layouts_of_layers(layer, input_shape, shapes):
    made = layer()
    made.build(input_shape)
    assert {name: held.shape for name, held in torch_layout({"": made}).items()} == shapes


def test_depthwise_kernels_are_split_by_channel():
    layer = DepthwiseConv2D(1, depth_multiplier=2)
    layer.build((None, 3, 3, 2))
    load_weights(
        layer, {"weight": np.arange(4.0).reshape(4, 1, 1, 1), "bias": np.zeros(4)}, {"t": torch_layout({"": layer})}
    )
    assert layer.get_weights()[0].reshape(2, 2).tolist() == [[0, 1], [2, 3]]


def test_layers_without_a_rule_are_refused():
    layer = PReLU()
    layer.build((None, 3))
    with pytest.raises(TypeError, match=r"no rule for p_re_lu.*PReLU"):
        torch_layout({"act": layer})


def test_entries_must_fit():
    with pytest.raises(ValueError, match=r"has shape \(2, 3\), which is not \(2, 2\)"):
        entry(lm.Variable(np.zeros((2, 3), "float32")), split=(2, 2))


def test_keras_names_may_be_translated():
    layer = Dense(2, name="head")
    layer.build((None, 3))
    assert list(keras_layout([layer], lambda layer: "predictions")) == ["predictions/kernel", "predictions/bias"]


def test_narrow_floats_are_widened():
    model = network()
    load_weights(model, {name: v.numpy().astype("float16") for name, v in model.named_weights().items()})
    assert model.get_weights()[0].dtype == np.float32


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_weights(network(), tmp_path / "none.safetensors")
