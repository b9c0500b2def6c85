"""VGG, ResNet and Inception: published counts, sizes, weight files with a top and without, what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina import applications
from lamina.layers import BatchNormalization, Dense, Input
from lamina.models import Model

BUILDERS = {
    "vgg16": applications.VGG16,
    "vgg19": applications.VGG19,
    "resnet18": applications.ResNet18,
    "resnet34": applications.ResNet34,
    "resnet50": applications.ResNet50,
    "resnet101": applications.ResNet101,
    "resnet152": applications.ResNet152,
    "googlenet": applications.InceptionV1,
    "inception_v3": applications.InceptionV3,
}
SMALL = {"resnet18": (32, 32, 3), "googlenet": (32, 32, 3)}


def trained(model: Model) -> int:
    return sum(v.size for v in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "extra", "parameters", "statistics"),
    [
        ("vgg16", {}, 138_357_544, 0),
        ("vgg19", {"batch_normalization": True}, 143_678_248, 11_008),
        ("resnet18", {}, 11_689_512, 9_600),
        ("resnet34", {}, 21_797_672, 17_024),
        ("resnet50", {}, 25_557_032, 53_120),
        ("resnet50", {"stride_in_first": True}, 25_557_032, 53_120),
        ("resnet101", {}, 44_549_160, 105_344),
        ("resnet152", {}, 60_192_808, 151_424),
        ("googlenet", {}, 6_624_904, None),
        ("googlenet", {"auxiliary": True}, 13_004_888, None),
        ("inception_v3", {}, 23_834_568, None),
        ("inception_v3", {"auxiliary": True}, 27_161_264, None),
    ],
)
def test_published_counts(name: str, extra: dict[str, Any], parameters: int, statistics: int | None) -> None:
    model = BUILDERS[name](**extra)
    assert trained(model) == parameters
    if statistics is not None:
        assert model.count_params() == parameters + statistics
    shape = model.output_shape
    assert all(one == (None, 1000) for one in (shape if isinstance(shape, list) else [shape]))


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("vgg16", (64, 96), (2, 3, 512)),
        ("resnet18", (70, 33), (3, 2, 512)),
        ("resnet50", (32, 32), (1, 1, 2048)),
        ("googlenet", (64, 96), (2, 3, 1024)),
        ("inception_v3", (75, 107), (1, 2, 2048)),
    ],
)
def test_any_size_without_the_top(name: str, size: tuple[int, int], expected: tuple[int, ...]) -> None:
    model = BUILDERS[name](include_top=False, input_shape=(*size, 1))
    assert model.predict(np.ones((1, *size, 1), "float32"), verbose=0).shape == (1, *expected)


@pytest.mark.parametrize("name", list(SMALL))
def test_whole_models_are_saved(name: str, tmp_path: Any) -> None:
    lm.set_seed(0)
    model = BUILDERS[name](classes=4, input_shape=SMALL[name])
    x = np.random.default_rng(0).random((2, *SMALL[name]), "float32")
    model.save(tmp_path / "model.safetensors")
    again = lm.models.load_model(tmp_path / "model.safetensors")
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("name", list(SMALL))
def test_a_file_of_a_whole_network_serves_without_its_top(name: str, tmp_path: Any) -> None:
    source = BUILDERS[name](classes=4, input_shape=SMALL[name])
    source.save_weights(tmp_path / "whole.safetensors")
    base = BUILDERS[name](include_top=False, weights=tmp_path / "whole.safetensors", input_shape=SMALL[name])
    assert len(base.weights) == len(source.weights) - 2
    for a, b in zip(base.weights, source.weights, strict=False):
        assert np.array_equal(a.numpy(), b.numpy()), a.path


def test_a_file_of_another_network_is_refused_with_all_that_is_wrong(tmp_path: Any) -> None:
    applications.ResNet18(classes=4, input_shape=(32, 32, 3)).save_weights(tmp_path / "four.safetensors")
    with pytest.raises(ValueError, match=r"four\.safetensors do not fit resnet18") as error:
        applications.ResNet18(classes=5, weights=tmp_path / "four.safetensors", input_shape=(32, 32, 1))
    said = str(error.value)
    assert said.count("must have shape") == 3  # the first kernel, and the dense layer's two
    with pytest.raises(ValueError, match="is missing") as error:
        applications.ResNet34(classes=4, weights=tmp_path / "four.safetensors", input_shape=(32, 32, 3))
    assert error.value.args[0].count("is missing") == (16 - 8) * 2 * 5  # two convolutions and norms in each more block


def test_keras_files_need_the_papers_strides() -> None:
    keras = {"conv1_conv/kernel": np.zeros((7, 7, 3, 64), "float32")}
    with pytest.raises(ValueError, match=r"Keras's names.*stride_in_first=True"):
        applications.ResNet50(weights=keras)


def test_frozen_layers_stay_as_they_are() -> None:
    lm.set_seed(0)
    base = applications.ResNet18(include_top=False, pooling="avg", small_input=True, input_shape=(8, 8, 1))
    base.trainable = False
    x = Input((8, 8, 1))
    model = Model(x, Dense(3, activation="softmax")(base(x)))
    before = [w.copy() for w in base.get_weights()]
    model.compile("adam", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    head = model.layers[-1].get_weights()[0].copy()
    model.fit(random.random((8, 8, 8, 1), "float32"), random.integers(3, size=8), epochs=2, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    assert not np.array_equal(head, model.layers[-1].get_weights()[0])
    base.trainable = True
    for layer in base.layers:
        layer.trainable = not isinstance(layer, BatchNormalization)
    assert len(base.trainable_weights) == sum(w.path.endswith("kernel") for w in base.weights)


def test_it_learns_and_repeats() -> None:
    def losses() -> list[float]:
        lm.set_seed(0)
        model = applications.ResNet18(classes=2, small_input=True, input_shape=(8, 8, 1))
        model.compile(lm.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        random = np.random.default_rng(0)
        y = random.integers(2, size=32)
        x = random.normal(y[:, None, None, None], 0.3, (32, 8, 8, 1)).astype("float32")
        return model.fit(x, y, 16, 2, verbose=0).history["loss"]

    first = losses()
    assert first[-1] < 0.5 * first[0]
    assert losses() == first


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "inception_v3"])
def test_images_smaller_than_the_strides_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: images must be at least 32 x 32 pixels for its strides, got .*31"):
        BUILDERS[name](input_shape=(64, 31, 3))


def test_other_smallest_images() -> None:
    with pytest.raises(ValueError, match="at least 75 x 75 pixels"):
        applications.InceptionV3(input_shape=(74, 80, 3))
    with pytest.raises(ValueError, match="at least 8 x 8 pixels"):
        applications.ResNet18(input_shape=(7, 8, 3), small_input=True)


@pytest.mark.parametrize("name", list(SMALL))
def test_other_numbers_of_channels_are_refused(name: str) -> None:
    model = BUILDERS[name](classes=2, input_shape=SMALL[name])
    with pytest.raises(ValueError, match=re.escape("must have shape (N, 32, 32, 3), got (1, 32, 32, 1)")):
        model.predict(np.zeros((1, 32, 32, 1), "float32"), verbose=0)


@pytest.mark.parametrize("name", list(BUILDERS))
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": 0}, ValueError, "classes must be a positive integer, got 0"),
        ({"classes": 2.5}, TypeError, "classes must be a positive integer, got 2.5"),
        ({"pooling": "avg"}, ValueError, "pooling is for include_top=False"),
        ({"pooling": "mean", "include_top": False}, ValueError, 'pooling must be None, "avg" or "max"'),
        ({"input_shape": (224, 224)}, ValueError, r"input_shape must be \(height, width, channels\)"),
        ({"input_shape": (224, 224, None)}, ValueError, r"input_shape must be \(height, width, channels\)"),
    ],
)
def test_refuses(name: str, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BUILDERS[name](**arguments)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_classifiers_need_the_top(name: str) -> None:
    with pytest.raises(ValueError, match=r"auxiliary classifiers? needs? include_top=True"):
        BUILDERS[name](include_top=False, auxiliary=True)


def test_a_file_that_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        applications.VGG16(include_top=False, weights=tmp_path / "none.safetensors", input_shape=(32, 32, 3))
