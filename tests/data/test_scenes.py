"""Synthetic scenes: what is noted of them is what is drawn."""

import re

import numpy as np
import pytest

import lamina as lm
from lamina.data.scenes import COLORS, SHAPES


@pytest.mark.parametrize("kind", ["shapes", "digits"])
def test_boxes_masks_and_classes_agree(kind):
    scenes = lm.data.load_scenes(count=20, size=(80, 64), kind=kind, max_objects=5, seed=3)
    assert scenes.images.shape == (20, 80, 64, 3)
    assert scenes.images.dtype == np.uint8
    assert len(scenes) == len(scenes.boxes) == len(scenes.labels) == len(scenes.masks) == len(scenes.captions) == 20
    for boxes, labels, masks, semantic in zip(scenes.boxes, scenes.labels, scenes.masks, scenes.semantic, strict=True):
        assert boxes.dtype == np.float32
        assert labels.dtype == np.int64
        assert masks.dtype == bool
        assert 1 <= len(labels) <= 5
        assert boxes.shape == (len(labels), 4)
        assert masks.shape == (len(labels), 80, 64)
        assert masks.sum(axis=0).max() <= 1  # what is covered belongs to what covers it
        expected = np.zeros((80, 64), np.uint8)
        for box, label, mask in zip(boxes, labels, masks, strict=True):
            expected[mask] = label + 1
            rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
            assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_array_equal(semantic, expected)


def test_the_same_seed_gives_the_same_bytes():
    few, many = (lm.data.load_scenes(count=n, size=(48, 48), seed=5) for n in (3, 6))
    np.testing.assert_array_equal(few.images, many.images[:3])
    assert few.captions == many.captions[:3]
    for other in ({"seed": 6}, {"seed": 5, "held_out": True}):
        assert (lm.data.load_scenes(count=3, size=(48, 48), **other).images != few.images).any()


def test_the_pictures_do_not_change():
    """Sums of the bytes as they were first drawn: results in the documents depend on them."""
    scenes = lm.data.load_scenes(count=4, size=(48, 64), seed=0)
    assert [int(image.sum()) for image in scenes.images] == [694834, 1207314, 950687, 1067864]


def test_captions_can_be_read_off_the_picture():
    """Every word of a sentence about one or two objects, found again from masks, labels and the picture itself."""
    scenes = lm.data.load_scenes(count=60, size=(64, 64), max_objects=2, seed=1)
    palette = np.array(list(COLORS.values()), np.float64)
    relations = set()
    for image, boxes, labels, masks, caption in zip(
        scenes.images, scenes.boxes, scenes.labels, scenes.masks, scenes.captions, strict=True
    ):
        colors = [int(np.abs(palette - np.median(image[m], axis=0)).sum(axis=1).argmin()) for m in masks]
        small = [bool((b[2:] - b[:2]).max() < 0.28 * 64) for b in boxes]
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        order = sorted(range(len(labels)), key=lambda k: (small[k], labels[k], colors[k], *centers[k]))
        words = [f"a {'small ' if small[k] else ''}{list(COLORS)[colors[k]]} {SHAPES[labels[k]]}" for k in order]
        if len(order) == 1:
            assert caption == words[0]
            continue
        match = re.fullmatch(f"{words[0]} (above|below|left of|right of) {words[1]}", caption)
        x, y = centers[order[1]] - centers[order[0]]
        assert abs(abs(x) - abs(y)) >= 3
        expected = {"above": y > abs(x), "below": -y > abs(x), "left of": x > abs(y), "right of": -x > abs(y)}
        assert expected[match[1]]
        relations.add(match[1])
    assert len(relations) == 4


def test_more_objects_are_listed():
    captions = lm.data.load_scenes(count=9, size=(96, 96), max_objects=3, min_objects=3, seed=2).captions
    assert any(re.fullmatch(r"a [a-z ]+, a [a-z ]+ and a [a-z ]+", caption) for caption in captions)


def test_a_scene_without_objects():
    scenes = lm.data.load_scenes(count=12, size=(32, 32), max_objects=1, min_objects=0, seed=0)
    empty = [i for i, labels in enumerate(scenes.labels) if not len(labels)]
    assert empty
    i = empty[0]
    assert scenes.boxes[i].shape == (0, 4)
    assert scenes.masks[i].shape == (0, 32, 32)
    assert scenes.captions[i] == "nothing"
    assert not scenes.semantic[i].any()


def test_held_out_digits_are_others():
    trained = lm.data.load_scenes(count=4, size=(32, 32), kind="digits", background="noise", seed=0)
    tested = lm.data.load_scenes(count=4, size=(32, 32), kind="digits", background="noise", seed=0, held_out=True)
    assert trained.class_names == tuple("0123456789")
    assert (trained.images != tested.images).any()


def test_pictures_larger_than_the_photographs():
    assert lm.data.load_scenes(count=1, size=(500, 700), background="photographs").images.shape == (1, 500, 700, 3)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"count": 0}, "count must be a positive integer, got 0"),
    ({"size": (31, 96)}, "at least 32 x 32 pixels, got 31 x 96"),
    ({"size": 96}, r"size must be \(height, width\), got 96"),
    ({"kind": "cats"}, "kind must be 'shapes' or 'digits', got 'cats'"),
    ({"background": "sea"}, "background must be 'noise' or 'photographs', got 'sea'"),
    ({"max_objects": 0}, "max_objects must be a positive integer, got 0"),
    ({"min_objects": 5}, "min_objects is 5, more than max_objects, 4"),
    ({"min_objects": -1}, "min_objects must be an integer of at least 0, got -1"),
])  # fmt: skip
def test_scenes_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        lm.data.load_scenes(**{"count": 1} | arguments)


def test_a_seed_must_be_an_integer():
    with pytest.raises(TypeError, match="seed must be an integer"):
        lm.data.load_scenes(count=1, seed=1.5)
