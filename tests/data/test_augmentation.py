"""Boxes and masks move with their pictures: boxes around moved masks are the moved boxes; what is left out; seeds."""

from dataclasses import replace

import numpy as np
import pytest

import lamina as lm
from lamina.data import resample
from lamina.data.masks import boxes_of


def scene(number=0, size=(48, 64)):
    """A generated scene, in which a picture's pixels say where its objects are."""
    scenes = lm.data.load_scenes(count=number + 1, size=size, seed=3)
    i = number
    return lm.data.LabelledImage(
        scenes.images[i], scenes.boxes[i], scenes.labels[i], scenes.masks[i], scenes.semantic[i]
    )


def rectangles(size=(40, 50)):
    """Boxes, and masks that fill them."""
    boxes = np.array([[3, 5, 20, 15], [30, 20, 45, 38], [10, 18, 22, 30]], np.float32)
    masks = np.zeros((3, *size), bool)
    for mask, (x_min, y_min, x_max, y_max) in zip(masks, boxes.astype(int), strict=True):
        mask[y_min:y_max, x_min:x_max] = True
    semantic = np.zeros(size, np.uint8)
    for label, mask in enumerate(masks, 1):
        semantic[mask] = label
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    return lm.data.LabelledImage(image, boxes, [0, 1, 2], masks, semantic, [False, True, False])


CHANGES = {
    "flip": lambda s: s.flip("horizontal"),
    "flip vertical": lambda s: s.flip("vertical"),
    "crop": lambda s: s.crop(4, 2, 30, 40),
    "translate": lambda s: s.translate(down=3, right=-4),
    "half turn": lambda s: s.rotate(0.5),
    "zoom out": lambda s: s.zoom(0.5),
    "zoom in": lambda s: s.zoom(2.0, min_visible=0.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_moved_boxes_are_those_around_moved_masks(name):
    whole = rectangles()
    without = lm.data.LabelledImage(whole.image, whole.boxes, whole.labels)
    both, alone = CHANGES[name](whole), CHANGES[name](without)
    np.testing.assert_array_equal(both.boxes, boxes_of(both.masks))
    np.testing.assert_array_equal(both.labels, alone.labels)
    np.testing.assert_allclose(both.boxes, alone.boxes, atol=1 if "zoom" in name else 1e-4)
    np.testing.assert_array_equal(both.image, alone.image)
    for label, mask in zip(both.labels, both.masks, strict=True):
        np.testing.assert_array_equal(both.semantic == label + 1, mask)
    np.testing.assert_array_equal(both.crowd, both.labels == 1)


def test_pixels_move_with_the_masks():
    seen = scene(4)
    seen = replace(seen, labels=np.arange(len(seen.labels)))  # to know them again
    for change in (
        lambda s: s.flip(),
        lambda s: s.translate(2, 5),
        lambda s: s.crop(1, 2, 40, 60),
        lambda s: s.rotate(0.5),
    ):
        moved = change(seen)
        for label, mask in zip(moved.labels, moved.masks, strict=True):
            before = seen.masks[label]
            assert mask.sum() <= before.sum()
            if mask.sum() == before.sum():
                np.testing.assert_array_equal(np.sort(moved.image[mask], axis=0), np.sort(seen.image[before], axis=0))


@pytest.mark.parametrize("turns", [0.02, -0.1, 0.125, 0.25])
def test_turned_boxes(turns):
    """Around the moved mask: within the box around the moved corners."""
    whole = rectangles((50, 50))
    without = lm.data.LabelledImage(whole.image, whole.boxes, whole.labels)
    both, alone = whole.rotate(turns, min_visible=0.0), without.rotate(turns, min_visible=0.0)
    for label, box in zip(both.labels, both.boxes, strict=True):
        wide = alone.boxes[list(alone.labels).index(label)]
        assert (box[:2] >= wide[:2] - 1).all()
        assert (box[2:] <= wide[2:] + 1).all()
        if turns == 0.25:
            np.testing.assert_allclose(box, wide, atol=1)


def test_a_circle_stays_one():
    y, x = np.mgrid[:60, :60]
    mask = ((x - 30) ** 2 + (y - 22) ** 2 < 144)[None]
    seen = lm.data.LabelledImage(np.zeros((60, 60, 1), np.uint8), boxes_of(mask), [0], mask)
    turned = seen.rotate(0.1)
    assert turned.masks.sum() == pytest.approx(mask.sum(), rel=0.03)
    np.testing.assert_allclose(turned.boxes[0, 2:] - turned.boxes[0, :2], 23, atol=1)
    assert seen.zoom(1.5).masks.sum() == pytest.approx(2.25 * mask.sum(), rel=0.03)


def test_what_is_left_of_an_object():
    image = np.zeros((10, 10, 1), np.uint8)
    mask = np.zeros((1, 10, 10), bool)
    mask[0, 2:6, 0:8] = True
    for masks in (None, mask):
        seen = lm.data.LabelledImage(image, [[0, 2, 8, 6]], [7], masks)
        half = seen.translate(right=6, min_visible=0.5)
        assert half.boxes.tolist() == [[6, 2, 10, 6]]
        gone = seen.translate(right=7, min_visible=0.5)
        assert gone.boxes.shape == (0, 4)
        assert gone.labels.tolist() == []
        assert gone.masks is None or gone.masks.shape == (0, 10, 10)
        assert len(seen.translate(right=20, min_visible=0.0).boxes) == 0


def test_without_objects():
    seen = lm.data.LabelledImage(np.zeros((6, 8, 3), np.uint8), np.zeros((0, 4)), [], np.zeros((0, 6, 8), bool))
    for change in CHANGES.values():
        moved = change(seen) if change is not CHANGES["crop"] else seen.crop(1, 1, 3, 4)
        assert moved.boxes.shape == (0, 4)
        assert moved.masks.shape == (0, *moved.image.shape[:2])
    picture = lm.data.LabelledImage(np.zeros((6, 8, 3), np.float32))
    assert picture.flip().zoom(1.2).rotate(0.1).recolor(0.2).boxes is None


def test_colours():
    image = np.array([[[200, 100, 0], [40, 60, 80]]], np.uint8)
    seen = lm.data.LabelledImage(image)
    np.testing.assert_array_equal(seen.recolor().image, image)
    np.testing.assert_allclose(seen.recolor(brightness=0.1).image, np.clip(image + 25.5, 0, 255), atol=0.5)
    grey = seen.recolor(saturation=0.0).image
    assert (grey[..., 0] == grey[..., 2]).all()
    assert grey[0, 0, 0] == round(0.299 * 200 + 0.587 * 100)
    flat = seen.recolor(contrast=0.0).image
    assert (flat == 80).all()
    floating = lm.data.LabelledImage(image.astype(np.float32) / 255).recolor(brightness=0.1)
    assert floating.image.dtype == np.float32
    np.testing.assert_allclose(floating.image * 255, np.clip(image + 25.5, 0, 255), atol=0.01)


def test_random_changes_repeat():
    seen = scene(2)
    settings = {"rotation": 0.05, "flip_vertical": 0.5, "seed": 5}
    first, second = lm.data.Augment(**settings), lm.data.Augment(**settings)
    changed = [first(seen) for _ in range(6)]
    for one in changed:
        again = second(seen)
        np.testing.assert_array_equal(one.image, again.image)
        np.testing.assert_array_equal(one.boxes, again.boxes)
        np.testing.assert_array_equal(one.boxes, boxes_of(one.masks))
    assert len({one.image.tobytes() for one in changed}) == 6
    assert not np.array_equal(lm.data.Augment(rotation=0.05, seed=6)(seen).image, changed[0].image)


def test_nothing_to_change():
    seen = scene(1)
    still = lm.data.Augment(0, 0, (1, 1), 0, 0, 0, (1, 1), (1, 1))(seen)
    np.testing.assert_array_equal(still.image, seen.image)
    np.testing.assert_array_equal(still.boxes, seen.boxes)


@pytest.mark.parametrize("threads", [1, 3])
def test_within_a_dataset(threads):
    scenes = lm.data.load_scenes(count=8, size=(32, 32), seed=1)
    augment = lm.data.Augment(seed=2)

    def changed(image, semantic):
        seen = augment(lm.data.LabelledImage(image, semantic=semantic))
        return seen.image, seen.semantic

    data = lm.data.Dataset.from_arrays((scenes.images, scenes.semantic)).map(changed, threads=threads)
    found = [image.tobytes() for image, _ in data]
    plain = lm.data.Dataset.from_arrays((scenes.images, scenes.semantic)).map(changed)
    assert found == [image.tobytes() for image, _ in plain]
    assert len(set(found)) == 8


IMAGE = np.zeros((6, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lm.data.LabelledImage(np.zeros((6, 8))), r"image must have shape \(H, W, C\)"),
        (lambda: lm.data.LabelledImage(IMAGE.astype(int)), "uint8 or floating"),
        (lambda: lm.data.LabelledImage(IMAGE, [[5, 1, 2, 3]]), "box 0: the box .* is inverted"),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, 2, 3], [2, 1, 2, 3]]), "box 1: the box .* has no area"),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, 2]]), r"boxes must have shape \(n, 4\), got \(1, 3\)"),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, 20, 3]]), "outside of the picture of 8x6"),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, np.nan, 3]]), "is not finite"),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, 2, 3]], [1, 2]), "expected as many of each"),
        (lambda: lm.data.LabelledImage(IMAGE, masks=np.zeros((1, 6, 7))), r"masks must have shape \(n, 6, 8\)"),
        (
            lambda: lm.data.LabelledImage(IMAGE, semantic=np.zeros((6, 7))),
            r"semantic must have the picture's size, \(6, 8\)",
        ),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, 2, 3]], [1.7]), "labels must hold whole numbers, classes, .*1.7"),
        (lambda: lm.data.LabelledImage(IMAGE, [[1, 1, 2, 3]], ["cat"]), "labels must hold whole numbers"),
        (lambda: lm.data.LabelledImage(IMAGE, semantic=np.full((6, 8), 0.5)), "semantic must hold whole numbers"),
        (lambda: lm.data.LabelledImage(IMAGE, masks=np.full((1, 6, 8), np.nan)), "masks hold NaN"),
        (lambda: lm.data.LabelledImage(IMAGE).recolor(contrast=np.nan), "recolor: .* must be finite, got 0.0, nan"),
        (lambda: lm.data.LabelledImage(IMAGE).recolor(brightness=np.inf), "recolor: .* must be finite, got inf"),
        (lambda: lm.data.Augment(zoom=(1, np.inf)), r"zoom must be \(least, most\), at least 0.001, finite"),
        (lambda: lm.data.Augment(contrast=(1, np.nan)), "contrast must be"),
        (lambda: lm.data.Augment(fill=np.nan), "fill must be finite, got nan"),
        (lambda: lm.data.LabelledImage(IMAGE).flip("both"), "flip: mode must be"),
        (lambda: lm.data.LabelledImage(IMAGE).crop(2, 0, 5, 3), "5x3 pixels from row 2 .* of 6x8"),
        (lambda: lm.data.LabelledImage(IMAGE).crop(0, 0, 0, 3), "crop: height"),
        (lambda: lm.data.LabelledImage(IMAGE).zoom(0), "zoom: factor must be positive"),
        (lambda: lm.data.LabelledImage(IMAGE).transform([1, 2, 0, 2, 4, 0]), "has no inverse"),
        (lambda: lm.data.LabelledImage(IMAGE).transform([1, 2, 0]), "6 finite numbers"),
        (lambda: lm.data.LabelledImage(IMAGE).translate(1, min_visible=2), "min_visible must be from 0 to 1"),
        (lambda: lm.data.Augment(flip=1.5), "flip must be from 0 to 1"),
        (lambda: lm.data.Augment(zoom=(1.2, 0.8)), r"zoom must be \(least, most\)"),
        (lambda: lm.data.Augment(zoom=(0, 1)), r"zoom must be"),
        (lambda: lm.data.Augment(shift=-0.1), "shift must be from 0 to 1"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_augment_takes_labelled_images():
    with pytest.raises(TypeError, match="expected a LabelledImage, got ndarray"):
        lm.data.Augment()(IMAGE)


def test_the_map_is_affine_transforms():
    seen = scene(0)
    maps = resample.rotations(np.array([0.07]), *seen.image.shape[:2])
    wanted = resample.affine(seen.image[None].astype(np.float32), maps)[0]
    np.testing.assert_array_equal(seen.rotate(0.07).image, np.rint(wanted).clip(0, 255).astype(np.uint8))
