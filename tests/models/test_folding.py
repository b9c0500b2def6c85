"""Folding normalisation into convolutions keeps what a network gives."""

from __future__ import annotations

import numpy as np
import pytest

import lamina as lm
from lamina.applications import ResNet18, ResNet50
from lamina.layers import (
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    Flatten,
    Input,
    ReLU,
)
from lamina.models import Model, Sequential, fold_batch_norm


def randomized(model):
    random = np.random.default_rng(0)
    model.set_weights([w + random.uniform(0.1, 0.5, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def kinds(model):
    return [type(layer).__name__ for layer in model.layers if type(layer).__name__ != "InputLayer"]


def check(model, shape, expected):
    randomized(model)
    before = model.get_weights()
    x = np.random.default_rng(1).standard_normal(shape).astype("float32")
    folded = fold_batch_norm(model)
    assert kinds(folded) == expected
    ours, theirs = folded.predict(x, verbose=0), model.predict(x, verbose=0)
    assert np.abs(ours - theirs).max() < 2e-6 * np.abs(theirs).max()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not folded.trainable_weights


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: Conv1D(4, 3, groups=3, use_bias=False), (9, 6)),
        (lambda: Conv2D(4, 3), (7, 6, 3)),
        (lambda: Conv2DTranspose(4, 3, strides=2), (5, 6, 3)),
        (lambda: Conv3D(4, 2), (3, 4, 5, 2)),
        (lambda: Dense(4), (5,)),
    ],
)
@pytest.mark.parametrize("activation", [None, ReLU, lambda: Activation("tanh")])
def test_layers_of_every_kind(layer, shape, activation):
    kwargs = {"filters": 4} if shape == (9, 6) else {}
    made = Conv1D(**kwargs, kernel_size=3, groups=2, use_bias=False) if kwargs else layer()
    layers = [Input(shape), made, BatchNormalization(scale=False)] + ([activation()] if activation else [])
    left = ["Activation"] if activation and type(layers[-1]) is Activation else []
    check(Sequential(layers), (2, *shape), [type(made).__name__, *left])


def test_what_cannot_be_folded_stays():
    layers = [
        Input((5, 5, 2)),
        Conv2D(3, 1, activation="relu"),
        BatchNormalization(),
        Conv2D(3, 1),
        BatchNormalization(axis=1),
        BatchNormalization(),
    ]
    check(Sequential(layers), (2, 5, 5, 2), [type(layer).__name__ for layer in layers[1:]])


def test_shared_layers_stay_shared():
    shared, inputs = Conv2D(3, 1), Input((4, 4, 3))
    model = Model(inputs, BatchNormalization()(shared(shared(inputs))))
    check(model, (2, 4, 4, 3), ["Conv2D", "BatchNormalization"])


def test_models_inside():
    inner = Sequential([Input((4, 4, 3)), Conv2D(3, 1), BatchNormalization(), ReLU()], name="inner")
    inputs = Input((4, 4, 3))
    model = Model(inputs, Flatten()(inner(inputs)))
    check(model, (2, 4, 4, 3), [*(["Model"]), "Flatten"])
    assert kinds(fold_batch_norm(model).get_layer("inner")) == ["Conv2D"]


def test_outputs_are_kept():
    inputs = Input((4, 4, 3))
    x = Conv2D(3, 1)(inputs)
    normal = BatchNormalization()(x)
    folded = fold_batch_norm(Model(inputs, [x, normal]))
    assert "BatchNormalization" in kinds(folded)


@pytest.mark.parametrize("build", [ResNet18, ResNet50])
def test_resnet(build):
    model = build(input_shape=(32, 32, 3), classes=10, classifier_activation=None)
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer.moving_variance.assign(np.random.default_rng(0).uniform(0.5, 1.5, layer.moving_variance.shape))
            layer.moving_mean.assign(np.random.default_rng(1).uniform(-0.5, 0.5, layer.moving_mean.shape))
    x = np.random.default_rng(2).standard_normal((2, 32, 32, 3)).astype("float32")
    folded = fold_batch_norm(model)
    adding = {ResNet18: 8, ResNet50: 0}[build]  # the last of each block; 1x1 convolutions add by themselves
    assert kinds(folded).count("BatchNormalization") == adding
    ours, theirs = folded.predict(x, verbose=0), model.predict(x, verbose=0)
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_subclassed_models_are_refused():
    class Network(lm.models.Model):
        def call(self, x):
            return x

    with pytest.raises(AttributeError, match="has no graph to fold"):
        fold_batch_norm(Network())
