"""What a graph computes together gives the bits of layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

import lamina as lm
from lamina.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Flatten,
    Input,
    Masking,
    MaxPooling2D,
    ReLU,
)
from lamina.models import Model
from lamina.models.fusing import Chain


def chains(model):
    """How many calls each fused call stands for."""
    found = [step[0] for step in model._graph._steps]
    return [len(f.__self__.nodes) for f in found if isinstance(getattr(f, "__self__", None), Chain)]


def block(x, order, relu):
    a = Conv2D(4, 1)(x)
    b = BatchNormalization(momentum=0.5)(Conv2D(4, 1, use_bias=False)(x))
    x = Add()([b, a] if order else [a, b])
    return relu(x)


def outputs_and_gradients(call, model, x, training):
    model.set_weights([np.random.default_rng(i).uniform(0.5, 1.5, w.shape) for i, w in enumerate(model.get_weights())])
    t = lm.tensor(x, requires_grad=True)
    y = call(t, training)
    (y * lm.tensor(np.random.default_rng(9).standard_normal(y.shape).astype("float32"))).sum().backward()
    grads = [v.grad.numpy().copy() for v in model.trainable_weights]
    for v in model.trainable_weights:
        v.grad_array = None
    return [y.numpy(), t.grad.numpy(), *grads, *[w.copy() for w in model.get_weights()]]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("relu", [ReLU(), Activation("relu")])
def test_same_bits_as_layer_by_layer(training, order, relu):
    x = inputs = Input((6, 6, 3))
    x = MaxPooling2D(2)(Conv2D(5, 3, activation="relu", padding="same")(x))
    x = block(x, order, relu)
    x = ReLU()(BatchNormalization()(x))
    x = Add()([BatchNormalization()(x), x])
    model = Model(inputs, x)
    assert sorted(chains(model)) == [2, 2, 2, 3]
    data = np.random.default_rng(0).standard_normal((3, 6, 6, 3)).astype("float32")

    def apart(t, training):
        """The same calls, each of them alone."""
        values = {id(inputs): t}
        for node in model._graph.nodes[1:]:
            given = node.args[0]
            many = isinstance(given, list)
            here = [values[id(s)] for s in given] if many else values[id(given)]
            values[id(node.outputs)] = node.operation(here, training=training)
        return values[id(model.outputs[0])]

    together = outputs_and_gradients(lambda t, training: model(t, training=training), model, data, training)
    alone = outputs_and_gradients(apart, model, data, training)
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))


def test_what_is_needed_elsewhere_stays():
    inputs = Input((4, 4, 3))
    normal = BatchNormalization()(inputs)
    model = Model(inputs, [ReLU()(normal), normal])
    assert chains(model) == []
    first, second = model.predict(np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype("float32"), verbose=0)
    assert np.array_equal(first, np.maximum(second, 0))


def test_sums_of_three_and_of_other_shapes_stay():
    inputs = Input((4, 4, 3))
    normal = BatchNormalization()(inputs)
    assert chains(Model(inputs, Add()([normal, inputs, inputs]))) == []
    row = Input((1, 4, 3))
    assert chains(Model([inputs, row], Add()([BatchNormalization()(inputs), row]))) == []


@pytest.mark.parametrize(
    "layers",
    [
        (BatchNormalization(axis=1), ReLU()),
        (BatchNormalization(renorm=True), ReLU()),
        (BatchNormalization(), ReLU(max_value=6)),
        (BatchNormalization(), ReLU(negative_slope=0.1)),
        (BatchNormalization(), Activation("tanh")),
        (BatchNormalization(), ReLU(activity_regularizer="l2")),
        (BatchNormalization(dtype="mixed_bfloat16"), ReLU(dtype="mixed_bfloat16")),
        (Conv2D(3, 1, activation="gelu"), MaxPooling2D(2)),
    ],
)
def test_layers_that_do_something_else_stay(layers):
    inputs = Input((4, 4, 3))
    x = inputs
    for layer in layers:
        x = layer(x)
    assert chains(Model(inputs, x)) == []


def test_masks_go_layer_by_layer():
    inputs = Input((5, 3))
    x = ReLU()(BatchNormalization()(Masking()(inputs)))
    model = Model(inputs, x)
    assert chains(model) == [2]
    data = np.random.default_rng(0).standard_normal((2, 5, 3)).astype("float32")
    data[:, 3:] = 0
    y = model(data, training=True)
    assert y._mask is not None
    assert y._mask.numpy().tolist() == [[True] * 3 + [False] * 2] * 2


def test_sums_that_broadcast_when_the_sizes_come():
    inputs, other = Input((None, 4, 3)), Input((None, 4, 3))
    model = Model([inputs, other], ReLU()(Add()([other, BatchNormalization()(inputs)])))
    assert chains(model) == [3]
    x, row = np.ones((2, 5, 4, 3), "float32"), np.full((2, 1, 4, 3), -0.5, "float32")
    y = model.predict([x, row], verbose=0)
    assert y.shape == (2, 5, 4, 3)
    assert np.allclose(y, 0.5, atol=1e-3)


def test_shared_layers_and_saved_models(tmp_path):
    norm, inputs = BatchNormalization(), Input((4, 4, 3))
    x = Flatten()(Add()([ReLU()(norm(inputs)), ReLU()(norm(Conv2D(3, 1)(inputs)))]))
    model = Model(inputs, x)
    assert chains(model) == [2, 2]
    data = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype("float32")
    model.save(tmp_path / "model.safetensors")
    again = lm.models.load_model(tmp_path / "model.safetensors")
    assert np.array_equal(model.predict(data, verbose=0), again.predict(data, verbose=0))


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("training", [False, True])
def test_convolutions_of_single_pixels_do_sums(relu, training):
    inputs = Input((6, 5, 8))
    first, second = Conv2D(16, 3, padding="same"), Conv2D(8, 1)
    total = Add()([inputs, second(first(inputs))])
    model = Model(inputs, ReLU()(total) if relu else total)
    assert chains(model) == [2 + relu]
    data = np.random.default_rng(0).standard_normal((3, 6, 5, 8)).astype("float32")

    def apart(t, training):
        y = t + second(first(t))
        return lm.ops.relu(y) if relu else y

    together = outputs_and_gradients(lambda t, training: model(t, training=training), model, data, training)
    alone = outputs_and_gradients(apart, model, data, training)
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    assert np.array_equal(model.predict(data, verbose=0), together[0])


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(3, 3, padding="same"),
        Conv2D(3, 1, groups=3),
        Conv2D(3, 1, activation="tanh"),
        Conv2D(3, 1, activity_regularizer="l2"),
        Conv2D(3, 1, dtype="mixed_bfloat16"),
    ],
)
def test_other_convolutions_leave_sums_alone(layer):
    inputs = Input((4, 4, 3))
    assert chains(Model(inputs, Add()([layer(inputs), inputs]))) == []
    strided = Conv2D(3, 1, strides=2)
    assert chains(Model(inputs, Add()([strided(inputs), MaxPooling2D(2)(inputs)]))) == []


def test_normalisation_comes_before_convolutions_in_sums():
    inputs = Input((4, 4, 3))
    normal = BatchNormalization()(inputs)
    model = Model(inputs, Add()([normal, Conv2D(3, 1)(inputs)]))
    (chain,) = [s[0].__self__ for s in model._graph._steps if isinstance(getattr(s[0], "__self__", None), Chain)]
    assert type(chain.first) is BatchNormalization
