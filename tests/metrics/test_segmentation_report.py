"""The report of a segmentation against plain counting; the ignored label; what is refused."""

import numpy as np
import pytest

import lamina as lm

RNG = np.random.default_rng(0)
TRUTH, ANSWER = RNG.integers(0, 4, (3, 8, 9)), RNG.integers(0, 4, (3, 8, 9))


def test_against_counting():
    truth = TRUTH.copy()
    truth[:, :2] = 255
    report = lm.metrics.segmentation_report(truth, ANSWER, 4, ignore_class=255)
    counted = truth != 255
    for c in range(4):
        true, said = (truth == c) & counted, (c == ANSWER) & counted
        both = (true & said).sum()
        np.testing.assert_allclose(report.iou[c], both / (true | said).sum())
        np.testing.assert_allclose(report.dice[c], 2 * both / (true.sum() + said.sum()))
        np.testing.assert_allclose(report.precision[c], both / said.sum())
        np.testing.assert_allclose(report.recall[c], both / true.sum())
        assert report.pixels[c] == true.sum()
    right = (truth == ANSWER)[counted].mean()
    np.testing.assert_allclose(report.pixel_accuracy, right)
    np.testing.assert_allclose(report.mean_iou, report.iou.mean())
    np.testing.assert_allclose(report.frequency_weighted_iou, (report.iou * report.pixels).sum() / counted.sum())
    metric = lm.metrics.MeanIoU(4, ignore_class=255)
    np.testing.assert_allclose(report.mean_iou, metric(truth, ANSWER), rtol=1e-6)


def test_scores_and_one_hot():
    scores = np.eye(4, dtype="float32")[ANSWER] + RNG.uniform(0, 0.4, (*ANSWER.shape, 4)).astype("float32")
    plain = lm.metrics.segmentation_report(TRUTH, ANSWER, 4)
    for truth in (TRUTH, TRUTH[..., None], np.eye(4)[TRUTH]):
        np.testing.assert_array_equal(lm.metrics.segmentation_report(truth, scores, 4).confusion, plain.confusion)


def test_a_class_that_does_not_occur_does_not_count():
    report = lm.metrics.segmentation_report([0, 0, 1], [0, 1, 1], 3, ["sky", "sea", "boat"])
    assert np.isnan(report.iou[2])
    assert report.mean_iou == 0.5
    assert "boat       -       -       -       -           0" in str(report)
    assert repr(report) == "<SegmentationReport classes=3 pixels=3 mean_iou=0.500>"


def test_confusion_matrix_ignores_a_class():
    matrix = lm.metrics.ConfusionMatrix(2, ignore_class=255)
    assert matrix([0, 255, 1], [0, 1, 0]).tolist() == [[1, 0], [1, 0]]
    again = lm.metrics.get(lm.metrics.serialize(matrix))
    assert again.ignore_class == 255


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0, 1, 1], 2), r"y_true must have the shape of y_pred, \(3,\), got \(2,\)"),
        (([0, 255], [0, 1], 2), r"y_true must hold class numbers in \[0, 2\), got 255"),
        (([0, 1], [0, 7], 2), r"y_pred must hold class numbers in \[0, 2\), got 7"),
        (([0, 1], [0, 1], 2, ["one"]), "class_names must be 2 names, got 1"),
        (([0, 1], [0, 1], 0), "num_classes"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        lm.metrics.segmentation_report(*arguments)
    with pytest.raises(ValueError, match="confusion must be 2x2"):
        lm.metrics.SegmentationReport(np.zeros((3, 3)), ("a", "b"))
