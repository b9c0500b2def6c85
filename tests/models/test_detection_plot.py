"""plot_detections: what is drawn, and what is refused."""

import numpy as np
import pytest

import lamina as lm
from lamina.models.detection_plot import color_of

pytest.importorskip("matplotlib")


def test_boxes_names_scores_and_masks(tmp_path):
    scenes = lm.data.load_scenes(count=3, size=(48, 64), seed=2)
    said = [
        {"boxes": b, "labels": c, "masks": m, "scores": np.full(len(c), 0.5)}
        for b, c, m in zip(scenes.boxes, scenes.labels, scenes.masks, strict=True)
    ]
    figure = lm.utils.plot_detections(scenes.images, said, said, scenes.class_names, tmp_path / "x.png", columns=2)
    assert (tmp_path / "x.png").stat().st_size > 5000
    assert len(figure.axes) == 4
    for axes, boxes, labels, mask in zip(figure.axes, scenes.boxes, scenes.labels, scenes.masks, strict=False):
        assert [text.get_text() for text in axes.texts] == [f"{scenes.class_names[k]} 0.50" for k in labels]
        drawn = [(*p.get_xy(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in axes.patches]
        np.testing.assert_allclose(drawn, np.concatenate([boxes, boxes]))  # dashed, then solid
        (image,) = axes.images
        at = tuple(np.argwhere(mask[0])[0])
        before = scenes.images[figure.axes.index(axes)][at] / 255
        np.testing.assert_allclose(image.get_array()[at], (before + color_of(labels[0])) / 2)


def test_nothing_found():
    figure = lm.utils.plot_detections(np.zeros((1, 8, 8)), [{"boxes": [], "labels": []}], path=None, title="none")
    assert not figure.axes[0].patches


IMAGES, BOX = np.zeros((1, 8, 8, 3), "uint8"), [[0, 0, 4, 4]]


@pytest.mark.parametrize(("images", "found", "message"), [
    (IMAGES[0, 0], [], r"images must have shape .* got \(8, 3\)"),
    (IMAGES[:0], [], "N > 0"),
    (np.zeros((1, 8, 8, 4)), [{}], r"got \(1, 8, 8, 4\)"),
    (IMAGES, [], "1 pictures, 0 dictionaries in detections"),
    (IMAGES, [{"boxes": BOX}], r"picture 0 must have boxes and labels, got \['boxes'\]"),
    (IMAGES, [{"boxes": BOX, "labels": [1, 2]}], r"boxes must have shape \(2, 4\), got \(1, 4\)"),
    (IMAGES, [{"boxes": BOX, "labels": [1], "masks": np.ones((1, 9, 8))}], r"masks must have shape \(1, 8, 8\)"),
])  # fmt: skip
def test_refuses(images, found, message):
    with pytest.raises(ValueError, match=message):
        lm.utils.plot_detections(images, found, path=None)


def test_a_label_without_a_name_is_refused():
    with pytest.raises(ValueError, match=r"class_names has 2 names, picture 0 the labels \[2\]"):
        lm.utils.plot_detections(IMAGES, [{"boxes": BOX, "labels": [2]}], class_names=("a", "b"), path=None)
