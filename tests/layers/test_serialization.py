"""serialize and deserialize: layers, and what they are given, as data."""

import json

import pytest

import lamina as lm
from lamina import layers


def test_layers_go_there_and_back():
    layer = layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2", name="first")
    told = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(told)
    assert again.name == "first"
    assert again.get_config() == layer.get_config()


def test_own_classes_must_be_given():
    class Own(layers.Layer):
        def call(self, x):
            return x

    told = layers.serialize(Own(name="mine"))
    assert layers.deserialize(told, custom_objects={"Own": Own}).name == "mine"
    with pytest.raises(ValueError, match="unknown layer class 'Own'"):
        layers.deserialize(told)
    with pytest.raises(TypeError, match="serialize: expected a Layer, got 3"):
        layers.serialize(3)
    for wrong in ("Dense", {"class_name": "Dense"}):
        with pytest.raises(ValueError, match="expected a dictionary of class_name and config"):
            layers.deserialize(wrong)


@pytest.mark.parametrize(
    ("module", "item"),
    [
        (lm.losses, lm.losses.Huber(2.0)),
        (lm.metrics, lm.metrics.Precision(thresholds=0.7)),
        (lm.initializers, lm.initializers.RandomNormal(stddev=2.0)),
        (lm.regularizers, lm.regularizers.L2(0.5)),
        (lm.constraints, lm.constraints.MaxNorm(3)),
    ],
)
def test_other_modules_take_back_what_they_told(module, item):
    again = module.deserialize(module.serialize(item))
    assert type(again) is type(item)
    assert again.get_config() == item.get_config()
