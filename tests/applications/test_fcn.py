"""FCN: published counts, the size of what comes out, weight files, what is refused; it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.applications import FCN8s, FCN16s, FCN32s, FCNResNet50
from lamina.applications.fcn import CropLike, ResizeLike


@pytest.mark.parametrize(
    ("build", "parameters"),
    [(FCN32s, 136_152_917), (FCN16s, 134_815_994), (FCN8s, 134_489_759), (FCNResNet50, 32_957_013)],
)
def test_published_counts(build: Any, parameters: int) -> None:
    model = build()
    assert sum(v.size for v in model.trainable_weights) == parameters
    assert model.output_shape == (None, 224, 224, 21)


def test_the_auxiliary_head() -> None:
    model = FCNResNet50(auxiliary=True)
    assert sum(v.size for v in model.trainable_weights) == 35_322_218
    assert model.output_shape == [(None, 224, 224, 21)] * 2


def test_every_pixel_of_images_of_any_size_gets_a_class() -> None:
    lm.set_seed(0)
    model = FCNResNet50(classes=3, input_shape=(None, None, 3))
    for size in ((17, 40), (32, 9)):
        y = model.predict(np.ones((1, *size, 3), "float32"), verbose=0)
        assert y.shape == (1, *size, 3)
        np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-5)


def test_scores_of_fcn8s_begin_at_zero_and_gradients_reach_the_heads() -> None:
    lm.set_seed(0)
    model = FCN8s(classes=2, input_shape=(5, 9, 3), classifier_activation=None)
    x = np.random.default_rng(0).random((1, 5, 9, 3), "float32")
    y = model(x)
    assert y.shape == (1, 5, 9, 2)
    assert not np.any(y.numpy())  # the paper begins with scores of 0
    y.sum().backward()
    for name in ("score_fr", "score_pool4", "score_pool3"):
        kernel = model.get_layer(name).kernel
        assert kernel.shape[-1] == 2
        assert kernel.grad is not None
        assert np.abs(kernel.grad.numpy()).max() > 0, name


def test_it_learns_where_things_are(tmp_path: Any) -> None:
    lm.set_seed(0)
    draw = np.random.default_rng(0)
    x = draw.normal(0, 0.1, (16, 32, 32, 3)).astype("float32")
    y = np.zeros((16, 32, 32), "int64")
    for picture, truth in zip(x, y, strict=True):
        top, left = draw.integers(0, 17, 2)
        truth[top : top + 16, left : left + 16] = 1
        picture[top : top + 16, left : left + 16] += 1
    model = FCNResNet50(classes=2, input_shape=(32, 32, 3))
    model.compile(lm.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    losses = model.fit(x, y, 8, 4, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    model.save(tmp_path / "fcn.safetensors")
    again = lm.models.load_model(tmp_path / "fcn.safetensors")
    assert np.array_equal(again.predict(x[:2], verbose=0), model.predict(x[:2], verbose=0))


@pytest.mark.parametrize("build", [FCN32s, FCN16s, FCN8s, FCNResNet50])
def test_refuses(build: Any) -> None:
    with pytest.raises(ValueError, match="classes must be a positive integer, got 0"):
        build(classes=0)
    with pytest.raises(ValueError, match="the softmax of 1 class is 1 everywhere"):
        build(classes=1)
    with pytest.raises(ValueError, match=r"input_shape must be \(height, width, channels\), got \(32, 32\)"):
        build(input_shape=(32, 32))


def test_images_smaller_than_the_strides_are_refused() -> None:
    with pytest.raises(ValueError, match="fcn_resnet50: images must be at least 8 x 8 pixels"):
        FCNResNet50(input_shape=(7, 32, 3))


def test_missing_and_unknown_names_are_said_at_once() -> None:
    model = FCNResNet50(classes=2, input_shape=(8, 8, 3))
    arrays = {name: v.numpy() for name, v in model.named_weights().items()}
    first, second = list(arrays)[:2]
    arrays["other"] = arrays.pop(first)
    arrays[second] = np.zeros((1, 2, 3), "float32")
    with pytest.raises(ValueError, match="do not fit fcn_resnet50") as error:
        FCNResNet50(classes=2, input_shape=(8, 8, 3), weights=arrays)
    for part in (f"{first} is missing", "other is not in the model", f"{second} must have shape"):
        assert part in str(error.value)


def test_what_is_cut_must_be_there() -> None:
    x = np.arange(48, dtype="float32").reshape(1, 4, 4, 3)
    like = np.zeros((1, 2, 3, 1), "float32")
    np.testing.assert_array_equal(CropLike(1)([x, like]).numpy(), x[:, 1:3, 1:4])
    with pytest.raises(ValueError, match=r"\(2, 3\) pixels from 2 on do not fit"):
        CropLike(2)([x, like])


def test_resized_like() -> None:
    x = np.arange(8, dtype="float32").reshape(1, 2, 2, 2)
    y = ResizeLike()([x, np.zeros((1, 4, 4, 3), "float32")])
    np.testing.assert_allclose(y.numpy()[0, :, 0, 0], [0, 1, 3, 4])
