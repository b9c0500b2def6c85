"""Pictures of any sizes to one batch, objects checked, masks brought back."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import detection_images as di


def target(**changes):
    mask = np.zeros((1, 20, 30), bool)
    mask[0, 2:9, 3:12] = True
    return {"boxes": np.array([[3, 2, 12, 9]], np.float32), "labels": np.array([1]), "masks": mask} | changes


PICTURE = np.zeros((20, 30, 3), np.float32)


def test_sizes():
    pictures = [np.full((20, 30, 3), 0.5, np.float32), np.full((50, 10, 3), 1.0, np.float32)]
    batch = di.prepare(pictures, 40, 100, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert batch.sizes == [(40, 60), (100, 20)]
    assert batch.originals == [(20, 30), (50, 10)]
    assert batch.images.shape == (2, 128, 64, 3)
    assert not batch.images[0].any()  # 0.5 is the mean, and padding is 0
    assert (batch.images[1, :100, :20] == 2).all()
    assert not batch.images[1, 100:].any()
    assert not batch.images[1, :, 20:].any()


def test_pictures_smaller_than_any_stride_are_enlarged():
    batch = di.prepare([np.ones((1, 2, 3), np.float32)], 32, 100, (0, 0, 0), (1, 1, 1))
    assert batch.images.shape == (1, 32, 64, 3)


def test_uint8_and_floats_are_the_same_picture():
    bytes_ = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    (a,), (b,) = (di.picture_list([p], 3, "model") for p in (bytes_, bytes_ / np.float32(255)))
    np.testing.assert_array_equal(a, b)


def test_targets_as_dictionaries_or_as_lists():
    one = di.target_list([target()], [PICTURE], 4, "model")
    lists = {key: [value] for key, value in target().items()}
    other = di.target_list(lists, [PICTURE], 4, "model")
    for key in ("boxes", "labels", "masks"):
        np.testing.assert_array_equal(one[0][key], other[0][key])
    batch = di.prepare([PICTURE], 40, 100, (0, 0, 0), (1, 1, 1))
    scaled = di.rescaled_targets(one, batch)[0]
    assert scaled["boxes"].tolist() == [[6, 4, 24, 18]]
    assert np.argwhere(scaled["masks"][0]).min(0).tolist() == [4, 6]
    assert np.argwhere(scaled["masks"][0]).max(0).tolist() == [17, 23]


def test_no_objects():
    found = di.target_list([{"boxes": [], "labels": [], "masks": []}], [PICTURE], 4, "model")[0]
    assert found["boxes"].shape == (0, 4)
    assert found["masks"].shape == (0, 20, 30)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"boxes": np.array([[12, 2, 3, 9.0]])}, "x_min < x_max and y_min < y_max"),
        ({"boxes": np.array([[3, 2, 3, 9.0]])}, "x_min < x_max and y_min < y_max"),
        ({"boxes": np.array([[3, np.nan, 5, 9.0]])}, "x_min < x_max and y_min < y_max"),
        ({"boxes": np.array([[3, 2, 31, 9.0]])}, "must lie in the image of 20 x 30"),
        ({"boxes": np.array([[-1, 2, 12, 9.0]])}, "must lie in the image of 20 x 30"),
        ({"boxes": np.zeros((2, 4))}, r"boxes must have shape \(n, 4\)"),
        ({"labels": []}, r"boxes must have shape \(n, 4\), labels \(n,\), got \(1, 4\), \(0,\)"),
        ({"labels": [], "boxes": []}, r"masks must have shape \(0, 20, 30\), got \(1, 20, 30\)"),
        ({"labels": np.array([4])}, r"labels must be from 1 to 3 \(0 is background\), got \[4\]"),
        ({"labels": np.array([0])}, "labels must be from 1 to 3"),
        ({"masks": np.full((1, 20, 30), np.nan)}, "masks hold NaN"),
        ({"masks": np.zeros((1, 30, 20), bool)}, r"masks must have shape \(1, 20, 30\), got \(1, 30, 20\)"),
        ({"masks": np.zeros((2, 20, 30), bool)}, r"masks must have shape \(1, 20, 30\)"),
    ],
)
def test_bad_targets(changes, text):
    with pytest.raises(ValueError, match="model: target 0: .*" + text):
        di.target_list([target(**changes)], [PICTURE], 4, "model")


def test_other_bad_targets():
    with pytest.raises(TypeError, match="labels must be integers"):
        di.target_list([target(labels=np.array([1.0]))], [PICTURE], 4, "model")
    with pytest.raises(TypeError, match="target 0 must be a dictionary of boxes, labels and masks, got NoneType"):
        di.target_list([None], [PICTURE], 4, "model")
    with pytest.raises(ValueError, match=r"as many boxes, labels and masks as images, got \[1, 1, 0\]"):
        di.target_list({"boxes": [[]], "labels": [[]], "masks": []}, [PICTURE], 4, "model")
    with pytest.raises(ValueError, match="missing: masks"):
        di.target_list([{"boxes": [], "labels": []}], [PICTURE], 4, "model")
    with pytest.raises(ValueError, match="there are 1 images and targets for 2"):
        di.target_list([target(), target()], [PICTURE], 4, "model")


@pytest.mark.parametrize(
    ("images", "error", "text"),
    [
        ([], ValueError, "there are no images"),
        ([np.zeros((4, 4, 1), np.uint8)], ValueError, r"image 0 must have shape \(height, width, 3\), got \(4, 4, 1\)"),
        ([np.zeros((4, 4), np.uint8)], ValueError, "image 0 must have shape"),
        ([np.zeros((0, 4, 3), np.uint8)], ValueError, "image 0 must have shape"),
        ([np.zeros((4, 4, 3), np.int64)], TypeError, "image 0 must be uint8, or floats from 0 to 1, got int64"),
        ([np.full((4, 4, 3), 200.0)], ValueError, "image 0 must have values from 0 to 1"),
        ([np.full((4, 4, 3), np.nan)], ValueError, "image 0 must have values from 0 to 1"),
    ],
)
def test_bad_pictures(images, error, text):
    with pytest.raises(error, match="model: " + text):
        di.picture_list(images, 3, "model")


def test_masks_pasted_over_the_edge():
    boxes = np.array([[-20, -20, 8, 8], [50, 50, 60, 60], [2, 3, 30, 31]], np.float32)
    pasted = di.paste_masks(np.ones((3, 28, 28), np.float32), boxes, (16, 24))
    assert (pasted[0, :7, :7] > 0.9).all()
    assert not pasted[0, 10:].any()
    assert not pasted[1].any()
    assert (pasted[2, 5:, 4:] > 0.9).all()
    assert di.paste_masks(np.ones((0, 28, 28), np.float32), boxes[:0], (16, 24)).shape == (0, 16, 24)


def test_batches_are_shuffled_by_the_seed():
    images = np.arange(5 * 4 * 4 * 3).reshape(5, 4, 4, 3) % 255
    parts = [np.zeros((0, 4))] * 5, [np.zeros(0, int)] * 5, [np.zeros((0, 4, 4))] * 5
    orders = []
    for _ in range(2):
        lm.set_seed(1)
        batches = lm.applications.DetectionBatches(images, *parts, batch_size=2)
        assert len(batches) == 3
        orders.append([image[0, 0, 0] for own, _ in batches for image in own])
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == images[:, 0, 0, 0].tolist() != orders[0]
    with pytest.raises(ValueError, match=r"must be as many, got \[5, 4, 5, 5\]"):
        lm.applications.DetectionBatches(images, parts[0][:4], *parts[1:])
