"""Mean average precision: cases small enough to work out by hand, and each rule's odd corners."""

import numpy as np
import pytest

import lamina as lm

AP = lm.metrics.MeanAveragePrecision


def truth(*boxes, labels=None, **more):
    return {"boxes": np.array(boxes, np.float32).reshape(-1, 4), "labels": labels or [0] * len(boxes), **more}


def found(*boxes, scores, labels=None):
    return truth(*boxes, labels=labels) | {"scores": scores}


A, B, C, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 60, 70, 70]


@pytest.mark.parametrize(("rule", "expected"), [
    # right, wrong, right of three objects: precision 1 up to recall 1/3, then 2/3 up to 2/3
    ("voc", 1 / 3 * 1 + 1 / 3 * 2 / 3), ("voc2007", (4 * 1 + 3 * 2 / 3) / 11), ("coco", (34 * 1 + 33 * 2 / 3) / 101),
])  # fmt: skip
def test_by_hand(rule, expected):
    metric = AP(rule=rule, iou_thresholds=[0.5])
    assert metric([truth(A, B, C)], [found(A, FAR, B, scores=[0.9, 0.8, 0.7])]) == pytest.approx(expected)


def test_ranking_is_over_all_images():
    metric = AP(rule="voc")
    metric.update_state([truth(A)], [found(FAR, scores=[0.9])])
    metric.update_state([truth(A), truth()], [found(A, scores=[0.8]), found(A, scores=[0.95])])
    assert metric.result() == pytest.approx(1 / 3 / 2)
    metric.reset_state()
    assert metric.result() == 0


def test_a_second_detection_of_an_object_is_wrong():
    pictures = [truth(A, B)], [found(A, A, B, scores=[0.9, 0.8, 0.7])]
    assert AP(rule="voc")(*pictures) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_voc_and_coco_choose_differently():
    """Both detections overlap the first object most. COCO gives the second detection the other object; VOC does not."""
    pictures = [truth([0, 0, 10, 10], [3, 0, 13, 10])], [found([0, 0, 10, 10], [1, 0, 11, 10], scores=[0.9, 0.8])]
    assert AP(rule="coco", iou_thresholds=[0.5])(*pictures) == 1
    assert AP(rule="voc")(*pictures) == 0.5


@pytest.mark.parametrize("rule", ["coco", "voc"])
def test_difficult_objects_need_not_be_found(rule):
    metric = AP(rule=rule, iou_thresholds=[0.5])
    there = truth(A, B, difficult=[False, True])
    assert metric([there], [found(A, scores=[0.5])]) == 1
    metric.reset_state()
    assert metric([there], [found(B, A, scores=[0.9, 0.5])]) == 1  # nor is it wrong to find one


def test_any_number_may_match_a_crowd():
    """What lies in a crowd does not count: IoU with one is the share of the detection that lies in it."""
    metric = AP(iou_thresholds=[0.5])
    crowd = truth(A, [15, 0, 60, 40], iscrowd=[0, 1])
    assert metric([crowd], [found([20, 5, 25, 9], [30, 5, 33, 9], A, scores=[0.9, 0.8, 0.7])]) == 1


def test_classes_without_objects_do_not_count():
    metric = AP(rule="voc")
    value = metric([truth(A, B, labels=[3, 5])], [found(A, B, FAR, scores=[0.9, 0.9, 0.9], labels=[3, 3, 7])])
    assert value == 0.5
    assert metric.per_class() == {3: 1.0, 5: 0.0}
    recall, precision = metric.curve(3)
    assert recall.tolist() == [1, 1]
    assert precision.tolist() == [1, 0.5]


def test_images_without_objects_or_detections():
    metric = AP()
    assert metric([truth()], [found(scores=[])]) == 0
    assert metric([truth()], [found(A, scores=[0.9])]) == 0
    assert metric([truth(A)], [found(scores=[])]) == 0
    assert metric([truth(A)], [found(A, scores=[0.8])]) == pytest.approx(51 / 101 / 2, abs=0.01)


def test_sizes_and_most_detections():
    small, large = [0, 0, 20, 20], [100, 100, 260, 260]
    metric = AP()
    metric.update_state([truth(small, large)], [found(large, small, scores=[0.9, 0.8])])
    report = metric.report()
    assert report["AP"] == report["AP50"] == report["AP75"] == report["AP_small"] == report["AP_large"] == 1
    assert np.isnan(report["AP_medium"])
    assert (report["AR1"], report["AR10"], report["AR100"]) == (0.5, 1, 1)
    assert list(report) == ["AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100",
                            "AR_small", "AR_medium", "AR_large"]  # fmt: skip
    assert AP(max_detections=1)([truth(small, large)], [found(large, small, scores=[0.9, 0.8])]) == pytest.approx(
        51 / 101
    )


def test_masks():
    left, right = np.zeros((2, 4, 8), bool)
    left[:, :4] = right[:, 4:] = True
    half = left & (np.arange(4) < 2)[:, None]
    metric = AP(iou_thresholds=[0.5], compare="masks")
    there = [{"masks": np.stack([left, right]), "labels": [0, 0]}]
    assert metric(there, [{"masks": np.stack([half, right]), "labels": [0, 0], "scores": [0.9, 0.8]}]) == 1
    metric = AP(iou_thresholds=[0.6], compare="masks")
    value = metric(there, [{"masks": np.stack([half, right]), "labels": [0, 0], "scores": [0.9, 0.8]}])
    assert value == pytest.approx(51 / 101 / 2)


def test_tensors_and_configuration():
    tensors = {"boxes": lm.tensor([[0.0, 0.0, 1.0, 1.0]]), "labels": lm.tensor([0]), "scores": lm.tensor([1.0])}
    metric = lm.metrics.get({"class_name": "MeanAveragePrecision", "config": AP(rule="voc2007").get_config()})
    assert metric.rule == "voc2007"
    assert metric([tensors], [tensors]) == 1
    assert metric.name == "mean_average_precision"


GOOD = found(A, scores=[0.9])


@pytest.mark.parametrize(("call", "message"), [
    (lambda: AP(rule="voc2008"), "rule must be one of coco, voc, voc2007, got 'voc2008'"),
    (lambda: AP(compare="points"), "compare must be one of boxes, masks"),
    (lambda: AP(iou_thresholds=[1.5]), r"iou_thresholds must be in \[0, 1\]"),
    (lambda: AP(iou_thresholds=[]), "iou_thresholds must not be empty"),
    (lambda: AP(max_detections=0), "max_detections must be at least 1"),
    (lambda: AP()([truth(A)], []), "1 images are true, 0 predicted"),
    (lambda: AP()(truth(A), GOOD), "expected two lists of dictionaries"),
    (lambda: AP()([truth(A)], [truth(A)]), "image 0: what is predicted must be a dictionary with boxes, lab"),
    (lambda: AP()([truth([9, 0, 3, 5])], [GOOD]), r"image 0: true box 0 must be .*got \[9.0, 0.0, 3.0"),
    (lambda: AP()([truth(A), truth(A)], [GOOD, found(A, [0, 0, np.nan, 1], scores=[1, 1])]), "1: predicted box 1"),
    (lambda: AP()([truth(A, labels=[0, 1])], [GOOD]), r"true boxes must have shape \(2, 4\), as many as labels"),
    (lambda: AP()([truth(A)], [found(A, scores=[0.5, 0.4])]), "predicted scores must be 1 finite numbers"),
    (lambda: AP()([truth(A)], [found(A, scores=[np.nan])]), "predicted scores must be 1 finite numbers"),
    (lambda: AP()([truth(A, labels=[0.5])], [GOOD]), r"true labels must be integers of shape \(n,\)"),
    (lambda: AP()([truth(A)], [GOOD], [1.0]), "there are no weights of samples"),
    (lambda: AP(compare="masks")([{"masks": np.ones((1, 4, 4)), "labels": [0]}],
                                 [{"masks": np.ones((1, 4, 5)), "labels": [0], "scores": [1]}]),
     r"true masks have shape \(4, 4\), predicted ones \(4, 5\)"),
    (lambda: AP(compare="masks")([{"masks": np.ones((2, 4, 4)), "labels": [0]}], [GOOD]),
     r"true masks must have shape \(1, H, W\), got \(2, 4, 4\)"),
    (lambda: AP(compare="masks")([{"masks": np.full((1, 4, 4), np.nan), "labels": [0]}], [GOOD | {"masks": [0]}]),
     "image 0: true masks hold NaN"),
    (lambda: AP().curve(3), r"class 3 was neither there nor predicted, of \[\]"),
    (lambda: AP(rule="voc").report(), "the report is of the rule 'coco'"),
    (lambda: AP(rule="voc").per_class(0.75), "0.75 is none of the iou_thresholds"),
])  # fmt: skip
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
