"""Mean average precision against COCO's own tools, for boxes and for masks."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pycocotools")
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import lamina as lm

NAMES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100", "AR_small", "AR_medium",
         "AR_large")  # fmt: skip
IMAGES, CLASSES, SIDE = 25, 4, 160


def drawn(random: np.random.Generator, n: int) -> Any:
    corner = random.uniform(0, SIDE - 8, (n, 2))
    size = random.choice([12, 50, 130], (n, 1)) * random.uniform(0.5, 1.3, (n, 2))
    return np.concatenate([corner, np.minimum(corner + size, SIDE)], axis=1)


def masks_of(boxes: Any, random: np.random.Generator) -> Any:
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    masks = [(x >= a) & (y >= b) & (x < c) & (y < d) for a, b, c, d in boxes]
    return np.array(masks, bool).reshape(-1, SIDE, SIDE) & (random.random((len(boxes), SIDE, SIDE)) > 0.1)


def problem(seed: int, masks: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Objects, some of them crowds, and detections: near ones, second ones, and some without an object."""
    random = np.random.default_rng(seed)
    truth, predictions = [], []
    for _ in range(IMAGES):
        n = random.integers(0, 9)
        boxes, labels = drawn(random, n), random.integers(0, CLASSES, n)
        again = random.integers(0, n, 2 * n) if n else np.zeros(0, np.int64)
        near = boxes[again] + random.normal(0, 4, (len(again), 4)) * random.choice([0.2, 1.5], (len(again), 1))
        near = np.concatenate([np.minimum(near[:, :2], near[:, 2:] - 1), near[:, 2:]], axis=1).clip(0, SIDE)
        seen = np.concatenate([near, drawn(random, 5)])
        scores = np.round(random.random(len(seen)), 1)  # many equal ones
        kinds = np.concatenate([labels[again], random.integers(0, CLASSES, 5)])
        there = {"labels": labels, "iscrowd": random.random(n) < 0.15}
        said = {"labels": kinds, "scores": scores}
        if masks:
            there["masks"], said["masks"] = masks_of(boxes, random), masks_of(seen, random)
        else:
            there["boxes"], said["boxes"] = boxes, seen
        truth.append(there)
        predictions.append(said)
    return truth, predictions


def coco_says(truth: list[dict[str, Any]], predictions: list[dict[str, Any]], masks: bool) -> list[float]:
    def entry(image: int, item: dict[str, Any], k: int) -> dict[str, Any]:
        made = {"image_id": image + 1, "category_id": int(item["labels"][k]) + 1}
        if masks:
            code = mask_tools.encode(np.asfortranarray(item["masks"][k].astype(np.uint8)))
            return made | {"segmentation": code, "area": float(mask_tools.area(code))}
        x, y, right, bottom = (float(v) for v in item["boxes"][k])
        return made | {"bbox": [x, y, right - x, bottom - y], "area": (right - x) * (bottom - y)}

    annotations: list[dict[str, Any]] = []
    for i, there in enumerate(truth):
        for k in range(len(there["labels"])):
            crowd = int(there["iscrowd"][k])
            annotations.append(entry(i, there, k) | {"id": len(annotations) + 1, "iscrowd": crowd})
    results = [
        entry(i, said, k) | {"score": float(said["scores"][k])}
        for i, said in enumerate(predictions)
        for k in range(len(said["labels"]))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO()
        there.dataset = {
            "images": [{"id": i + 1, "height": SIDE, "width": SIDE} for i in range(len(truth))],
            "categories": [{"id": k + 1} for k in range(CLASSES)],
            "annotations": annotations,
        }
        there.createIndex()
        evaluation = COCOeval(there, there.loadRes(results), "segm" if masks else "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return list(evaluation.stats)


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_twelve_numbers(seed: int, masks: bool) -> None:
    truth, predictions = problem(seed, masks)
    metric = lm.metrics.MeanAveragePrecision(compare="masks" if masks else "boxes")
    for i in range(0, IMAGES, 10):
        metric.update_state(truth[i : i + 10], predictions[i : i + 10])
    report = metric.report()
    expected = coco_says(truth, predictions, masks)
    assert 0.05 < expected[0] < 0.95
    np.testing.assert_allclose([report[name] for name in NAMES], expected, atol=1e-12)
    assert metric.result() == pytest.approx(report["AP"], abs=1e-12)
