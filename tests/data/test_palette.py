"""Colours of classes, and masks over pictures."""

import numpy as np
import pytest

import lamina as lm


def test_the_colours_are_vocs():
    colours = lm.data.palette()
    assert colours.shape == (256, 3)
    assert len(np.unique(colours, axis=0)) == 256
    known = {0: (0, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    for number, colour in known.items():
        assert tuple(colours[number]) == colour


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_overlay(shape, dtype):
    image = np.full(shape, 102, "uint8") if dtype == "uint8" else np.full(shape, 0.4, "float32")
    mask = np.zeros((4, 5), "int64")
    mask[1, 2] = 2
    drawn = lm.data.overlay(image, mask, alpha=0.25)
    assert (drawn[mask == 0] == 102).all()
    np.testing.assert_allclose(drawn[1, 2], [0.75 * 102, 0.75 * 102 + 0.25 * 128, 0.75 * 102], atol=0.51)
    assert (lm.data.overlay(image, mask, 1.0, [(9, 9, 9)] * 3, background=None) == 9).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((4, 4)), np.zeros((4, 5), int)), ValueError, r"mask must have the picture's size, \(4, 4\)"),
        ((np.zeros((4, 4, 2)), np.zeros((4, 4), int)), ValueError, "image must have shape"),
        ((np.zeros((4, 4)), np.full((4, 4), 256)), ValueError, r"class numbers in \[0, 256\), got 256"),
        ((np.zeros((4, 4)), np.full((4, 4), -1)), ValueError, "got -1"),
        ((np.zeros((4, 4)), np.zeros((4, 4))), TypeError, "whole numbers"),
        ((np.zeros((4, 4)), np.zeros((4, 4), int), 1.5), ValueError, "alpha must be from 0 to 1"),
        (
            (np.zeros((4, 4)), np.zeros((4, 4), int), 0.5, [1, 2, 3]),
            ValueError,
            r"colors must have shape \(classes, 3\)",
        ),
    ],
)
def test_overlay_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        lm.data.overlay(*arguments)


@pytest.mark.parametrize(("count", "message"), [(0, "positive"), (257, "at most 256")])
def test_palette_refuses(count, message):
    with pytest.raises(ValueError, match=message):
        lm.data.palette(count)


def test_plot_segmentation(tmp_path):
    images = np.zeros((3, 8, 6, 1), "float32")
    truth = np.ones((3, 8, 6), "int64")
    truth[:, 0] = 255
    scores = lm.tensor(np.eye(3, dtype="float32")[np.full((3, 8, 6), 2)])
    path = tmp_path / "seen.png"
    figure = lm.utils.plot_segmentation(images, scores, truth, ["none", "one", "two"], path, alpha=1.0, title="all")
    assert path.stat().st_size > 1000
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    assert len(pictures) == 9
    assert (pictures[0] == 0).all()
    assert (pictures[3] == lm.data.palette(3)[2]).all()
    assert (pictures[6][0] == 255).all()
    assert (pictures[6][1:] == lm.data.palette(2)[1]).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]


def test_plot_segmentation_refuses():
    with pytest.raises(ValueError, match=r"masks must have the pictures' shape, \(1, 4, 4\), got \(1, 4, 5\)"):
        lm.utils.plot_segmentation(np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 5), int), path=None)
    with pytest.raises(ValueError, match="truth must have"):
        lm.utils.plot_segmentation(np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4), int), np.zeros((2, 4, 4)), path=None)
    with pytest.raises(ValueError, match="images must have shape"):
        lm.utils.plot_segmentation(np.zeros((0, 4, 4, 3)), np.zeros((0, 4, 4), int), path=None)
