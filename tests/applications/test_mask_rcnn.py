"""Mask R-CNN, a small one: it trains, finds, repeats bit for bit, is saved, and refuses what it cannot use."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import lamina as lm
from lamina.applications.feature_pyramid import feature_pyramid
from lamina.applications.region_heads import pyramid_level, pyramid_regions
from lamina.applications.weights import torch_names
from lamina.layers import Conv2D, Input
from lamina.models import Model

SETTINGS = {"min_size": 64, "max_size": 128, "anchor_sizes": ((16,), (28,), (40,)), "head_units": 16,
            "mask_layers": (8,), "rpn_post_nms_top_n_test": 20, "rpn_post_nms_top_n_train": 30,
            "rpn_batch_size_per_image": 32, "box_batch_size_per_image": 16, "box_score_thresh": 0.0}  # fmt: skip


def small():
    image = Input((None, None, 3))
    first = Conv2D(8, 5, 4, padding="same", activation="relu")(image)
    second = Conv2D(12, 3, 2, padding="same", activation="relu")(first)
    backbone = Model(image, feature_pyramid([first, second], 8))
    return lm.applications.MaskRCNN(backbone, 6, **SETTINGS)


@pytest.fixture(scope="module")
def scenes():
    return lm.data.load_scenes(6, (64, 64), max_objects=3, seed=0)


def batches_of(scenes, shuffle=True):
    labels = [label + 1 for label in scenes.labels]
    return lm.applications.DetectionBatches(
        scenes.images, scenes.boxes, labels, scenes.masks, batch_size=3, shuffle=shuffle
    )


def trained(scenes, epochs=1):
    lm.set_seed(0)
    model = small()
    model.compile(lm.optimizers.Adam(1e-2))
    history = model.fit(batches_of(scenes), epochs=epochs, verbose=0).history
    return model, history


def test_it_trains(scenes):
    _, history = trained(scenes, 40)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    parts = ["loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"]
    assert sum(history[part][-1] for part in parts) == pytest.approx(history["loss"][-1], rel=1e-5)


def test_it_repeats_bit_for_bit_on_any_number_of_threads(scenes):
    weights = []
    for threads in (1, 2, 4):
        lm.set_num_threads(threads)
        weights.append([w.numpy().tobytes() for w in trained(scenes)[0].weights])
    lm.set_num_threads(1)
    assert weights[0] == weights[1] == weights[2]


def test_what_it_finds(scenes):
    model, _ = trained(scenes)
    alone = model.predict(scenes.images, verbose=0)
    together = model.predict(scenes.images, batch_size=4, verbose=0)
    assert sum(len(found["scores"]) for found in alone) > 0
    for found, other in zip(alone, together, strict=True):
        assert {key: value.tobytes() for key, value in found.items()} == {k: v.tobytes() for k, v in other.items()}
        count = len(found["scores"])
        assert found["boxes"].shape == (count, 4)
        assert found["masks"].shape == (count, 64, 64)
        assert found["boxes"].min(initial=0) >= 0
        assert found["boxes"].max(initial=0) <= 64
        assert (np.diff(found["scores"]) <= 0).all()
        assert set(found["labels"]) <= {1, 2, 3, 4, 5}
        assert 0 <= found["masks"].min(initial=0) <= found["masks"].max(initial=0) <= 1


def test_pictures_of_other_sizes(scenes):
    model, _ = trained(scenes)
    pictures = [np.zeros((3, 5, 3), np.uint8), np.ones((150, 40, 3), np.float32)]
    found = model.predict(pictures, batch_size=2, verbose=0)
    assert [f["masks"].shape[1:] for f in found] == [(3, 5), (150, 40)]
    assert found[0]["boxes"].max(initial=0) <= 5


def test_pictures_without_objects_train():
    lm.set_seed(0)
    model = small()
    model.compile(lm.optimizers.SGD(0.01))
    nothing = {"boxes": [np.zeros((0, 4))] * 2, "labels": [np.zeros(0, int)] * 2, "masks": [np.zeros((0, 64, 64))] * 2}
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    before = [w.numpy().copy() for w in model.trainable_weights]
    logs = model.train_step((images, nothing))
    assert np.isfinite(list(logs.values())).all()
    assert logs["loss_mask"] == logs["loss_box_reg"] == logs["loss_rpn_box_reg"] == 0
    assert any((a != w.numpy()).any() for a, w in zip(before, model.trainable_weights, strict=True))
    mixed = {"boxes": [np.array([[4, 4, 40, 40.0]]), np.zeros((0, 4))], "labels": [np.array([2]), np.zeros(0, int)],
             "masks": [np.ones((1, 64, 64)), np.zeros((0, 64, 64))]}  # fmt: skip
    assert np.isfinite(list(model.train_step((images, mixed)).values())).all()


def test_evaluation_gives_the_losses_and_changes_nothing(scenes):
    lm.set_seed(0)
    backbone = lm.applications.ResNetFPN(18, channels=8, frozen_normalization=False)
    sizes = {"anchor_sizes": ((16,), (24,), (32,), (48,), (64,))}
    model = lm.applications.MaskRCNN(backbone, 6, **{**SETTINGS, **sizes})
    model.compile(lm.optimizers.SGD(0.01))
    before = [w.numpy().tobytes() for w in model.weights]
    logs = model.evaluate(batches_of(scenes, False), verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(sum(value for name, value in logs.items() if name != "loss"), rel=1e-5)
    assert "loss_mask" in logs
    assert [w.numpy().tobytes() for w in model.weights] == before
    model.fit(batches_of(scenes), verbose=0)
    moved = [w.path for w, old in zip(model.weights, before, strict=True) if w.numpy().tobytes() != old]
    assert any("moving_mean" in path for path in moved)


def test_nothing_proposed_nothing_found(scenes):
    model, _ = trained(scenes)
    none = lm.applications.MaskRCNN(model.backbone, 6, **SETTINGS, rpn_score_thresh=1.0)
    found = none.predict(scenes.images[:2], batch_size=2, verbose=0)
    assert [f["boxes"].shape + f["masks"].shape for f in found] == [(0, 4, 0, 64, 64)] * 2


def test_weights_of_a_file(tmp_path):
    """A detector's, a backbone's and a plain ResNet's, by torchvision's names."""
    lm.set_seed(0)
    backbone = lm.applications.ResNetFPN(18, channels=8)
    names = torch_names(backbone)
    arrays = {}
    for name, entry in names.items():
        arrays[name] = np.random.default_rng(len(name)).random(entry.shape, np.float32)
    plain = {key.removeprefix("body."): value for key, value in arrays.items() if key.startswith("body.")}
    for number, kept in enumerate((arrays, plain | {"fc.weight": np.zeros((2, 2), np.float32)})):
        save_file(kept, tmp_path / f"{number}.safetensors")
        loaded = lm.applications.ResNetFPN(18, channels=8, weights=tmp_path / f"{number}.safetensors")
        found = torch_names(loaded)
        for name in (name for name in names if name in kept or name.removeprefix("body.") in kept):
            np.testing.assert_array_equal(found[name].variable.numpy(), found[name].value(arrays[name]))
    del plain["conv1.weight"]
    save_file(plain, tmp_path / "missing.safetensors")
    with pytest.raises(ValueError, match=r"conv1\.weight"):
        lm.applications.ResNetFPN(18, channels=8, weights=tmp_path / "missing.safetensors")


def test_saved_and_loaded(scenes, tmp_path):
    model, _ = trained(scenes)
    model.save(tmp_path / "model.safetensors")
    again = lm.models.load_model(tmp_path / "model.safetensors")
    for a, b in zip(model.predict(scenes.images, verbose=0), again.predict(scenes.images, verbose=0), strict=True):
        assert {key: value.tobytes() for key, value in a.items()} == {key: value.tobytes() for key, value in b.items()}


def test_frozen_normalization_is_not_counted_and_does_not_move():
    model = lm.applications.ResNetFPN(18, (32, 32, 3), channels=8)
    assert sum(w.size for w in model.trainable_weights) == 11_689_512 - 513_000 - 9_600 + 8 * (960 + 4) + 4 * 584
    before = [w.numpy().copy() for w in model.non_trainable_weights]
    model(np.ones((2, 32, 32, 3), np.float32), training=True)
    assert all((a == w.numpy()).all() for a, w in zip(before, model.non_trainable_weights, strict=True))
    free = lm.applications.ResNetFPN(18, (32, 32, 3), channels=8, frozen_normalization=False)
    assert len(free.trainable_weights) > len(model.trainable_weights)


def test_regions_come_from_the_level_for_their_size_and_in_their_order():
    boxes = np.array([[0, 0, 300, 300], [0, 0, 20, 20], [0, 0, 120, 120]], np.float32)
    assert pyramid_level(boxes, 2, 4).tolist() == [2, 0, 1]
    maps = [lm.ops.full((1, 512 >> k, 512 >> k, 2), float(k)) for k in range(2, 6)]
    assert pyramid_regions(maps, 512, [boxes], 7).numpy()[:, 0, 0, 0].tolist() == [4, 2, 3]
    assert pyramid_regions(maps, 512, [boxes[:0]], 7).shape == (0, 7, 7, 2)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_mixed_precision(scenes, policy, device):
    lm.set_seed(0)
    lm.set_dtype_policy(policy)
    try:
        model = small()
    finally:
        lm.set_dtype_policy("float32")
    model.to(device)
    model.compile(lm.optimizers.Adam(1e-2))
    history = model.fit(batches_of(scenes), epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    found = model.predict(scenes.images[:2], verbose=0)[0]
    assert len(found["scores"]) > 0
    assert {found[key].dtype for key in ("boxes", "scores", "masks")} == {np.dtype(np.float32)}


def test_validation_while_it_trains(scenes):
    lm.set_seed(0)
    model = small()
    model.compile(lm.optimizers.Adam(1e-2))
    history = model.fit(batches_of(scenes), validation_data=batches_of(scenes, False), verbose=0).history
    losses = [name for name in history if not name.startswith("val_")]
    assert len(losses) == 6
    assert sorted(history) == sorted(losses + [f"val_{name}" for name in losses])


def test_summary(capsys):
    model = small()
    assert model.count_params() == sum(w.size for w in model.weights)
    model.summary()
    text = capsys.readouterr().out
    assert all(part in text for part in ("rpn_head", "box_head", "mask_head", f"{model.count_params():,}"))


def test_errors(scenes):
    model = small()
    with pytest.raises(ValueError, match=r"image 0 must have shape \(height, width, 3\)"):
        model.predict([np.zeros((8, 8, 4), np.uint8)], verbose=0)
    with pytest.raises(ValueError, match="target 0: boxes must lie in the image"):
        model.losses_of(
            [np.zeros((8, 8, 3), np.uint8)],
            [{"boxes": [[0, 0, 9, 9]], "labels": [1], "masks": np.ones((1, 8, 8))}],
        )
    with pytest.raises(TypeError, match="min_sise"):
        lm.applications.MaskRCNN(model.backbone, 6, min_sise=3)
    with pytest.raises(ValueError, match="a backbone with a map for each of 5 anchor sizes"):
        lm.applications.MaskRCNN(model.backbone, 6)
    with pytest.raises(ValueError, match="backbone with a map for each of 5 anchor sizes, got 6 classes and maps None"):
        lm.applications.MaskRCNN(None, 6)
    for settings, text in (
        ({"min_size": 0}, "min_size must be a positive integer, got 0"),
        ({"head_units": 0}, "head_units must be a positive integer"),
        ({"box_nms_thresh": 1.5}, "box_nms_thresh must be from 0 to 1, got 1.5"),
        ({"rpn_positive_fraction": -0.1}, "rpn_positive_fraction must be from 0 to 1"),
        ({"mask_layers": ()}, "there must be mask_layers"),
        ({"image_mean": (0.5,)}, "image_mean and image_std must have 3 numbers, as images channels"),
    ):
        with pytest.raises(ValueError, match=text):
            lm.applications.MaskRCNN(model.backbone, 6, **{**SETTINGS, **settings})
    with pytest.raises(ValueError, match="every level must have as many anchor sizes"):
        lm.applications.MaskRCNN(model.backbone, 6, anchor_sizes=((8,), (16, 24), (32,)))
    with pytest.raises(ValueError, match="depth must be 18, 34, 50, 101 or 152, got 20"):
        lm.applications.ResNetFPN(20)
    with pytest.raises(ValueError, match="multiples of 32"):
        lm.applications.ResNetFPN(18, (64, 70, 3))
    with pytest.raises(ValueError, match="at least 32 x 32"):
        lm.applications.ResNetFPN(18, (16, 64, 3))
    with pytest.raises(ValueError, match="stages must hold at least one"):
        feature_pyramid([])


def test_on_a_gpu(scenes):
    """The same code there: the convolutions on the device, choices among boxes in memory."""
    model, _ = trained(scenes)
    expected = model.predict(scenes.images[:2], verbose=0)
    model.to("cuda")
    labels = [label + 1 for label in scenes.labels[:2]]
    targets = {"boxes": scenes.boxes[:2], "labels": labels, "masks": scenes.masks[:2]}
    losses = model.train_step((scenes.images[:2], targets))
    assert np.isfinite(list(losses.values())).all()
    again, _ = trained(scenes)
    again.to("cuda")
    for ours, wanted in zip(again.predict(scenes.images[:2], verbose=0), expected, strict=True):
        np.testing.assert_array_equal(ours["labels"], wanted["labels"])
        np.testing.assert_allclose(ours["masks"], wanted["masks"], atol=1e-5)


@pytest.mark.parametrize(("part", "name"), [
    ("rpn_head", "cls_logits"), ("rpn_head", "bbox_pred"), ("box_head", "cls_score"), ("box_head", "bbox_pred"),
    ("mask_head", "mask_fcn_logits"),
])  # fmt: skip
def test_a_diverged_network_is_refused(scenes, part, name):
    model = small()
    (layer,) = [layer for layer in getattr(model, part).layers if layer.name.endswith(name)]
    bias = layer.get_weights()[1]
    layer.set_weights([layer.get_weights()[0], np.full_like(bias, np.nan)])
    with pytest.raises(ValueError, match=r"mask_rcnn: .* are NaN: the network has diverged"):
        model.predict(scenes.images[:1], verbose=0)
    labels = scenes.labels[0] + 1
    target = {"boxes": scenes.boxes[0], "labels": labels, "masks": scenes.masks[0]}
    losses = model.losses_of(scenes.images[:1], [target])
    assert any(np.isnan(loss.item()) for loss in losses.values())
