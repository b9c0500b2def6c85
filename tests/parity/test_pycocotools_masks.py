"""Masks of polygons and runs beside pycocotools, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.data.masks import pack_counts

mask_tools = pytest.importorskip("pycocotools.mask")
RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # theirs


def test_runs_and_their_packing() -> None:
    for density in (0.0, 0.02, 0.5, 0.97, 1.0):
        for shape in ((1, 1), (7, 5), (40, 33), (3, 300)):
            mask = RNG.random(shape) < density
            theirs = mask_tools.encode(np.asfortranarray(mask.astype(np.uint8)))
            ours = lm.data.encode_rle(mask)
            assert pack_counts(ours["counts"]).encode() == theirs["counts"]
            np.testing.assert_array_equal(lm.data.decode_rle(theirs), mask)
            np.testing.assert_array_equal(lm.data.decode_rle(ours), mask)
            packed = mask_tools.frPyObjects(ours, *shape)
            np.testing.assert_array_equal(mask_tools.decode(packed), mask)


@pytest.mark.parametrize("kind", ["convex", "crossing", "tiny", "outside", "whole"])
def test_polygons(kind: str) -> None:
    for number in range(60):
        height, width = (int(n) for n in RNG.integers(1, 60, 2))
        count = int(RNG.integers(3, 12))
        if kind == "convex":
            turn = np.sort(RNG.uniform(0, 2 * np.pi, count))
            points = np.stack([width / 2 + width / 2.2 * np.cos(turn), height / 2 + height / 2.2 * np.sin(turn)], 1)
        elif kind == "tiny":
            points = RNG.uniform(0, 2, (count, 2)) + RNG.uniform(0, [width, height])
        else:
            low, high = (-0.3, 1.3) if kind == "outside" else (0, 1)
            points = RNG.uniform(low, high, (count, 2)) * [width, height]
        if kind == "whole":
            points = np.rint(points)
        polygons = [points.reshape(-1).tolist()]
        if number % 3 == 0:
            polygons.append((points[::-1] + 1.7).reshape(-1).tolist())
        theirs = mask_tools.decode(mask_tools.merge(mask_tools.frPyObjects(polygons, height, width)))
        np.testing.assert_array_equal(lm.data.polygon_mask(polygons, height, width), theirs.astype(bool))


def test_a_file(tmp_path: Path, capsys: Any) -> None:
    """Boxes, classes, crowds and masks of a file, as pycocotools reads them."""
    coco = pytest.importorskip("pycocotools.coco")
    blob = np.zeros((30, 40), bool)
    blob[3:20, 5:12] = True
    crowd = lm.data.encode_rle(blob)
    packed = {"size": [30, 40], "counts": pack_counts(lm.data.encode_rle(blob.T.reshape(30, 40))["counts"])}
    star = [10.2, 4.5, 30.1, 8.8, 22.0, 25.3, 12.7, 20.0]
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 30, "width": 40}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 18,
                "bbox": [10, 4, 20.1, 21.3],
                "iscrowd": 0,
                "segmentation": [star],
            },
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [5, 3, 7, 17], "iscrowd": 1, "segmentation": crowd},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [1, 1, 30, 20], "iscrowd": 0, "segmentation": packed},
        ],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    peer = coco.COCO(str(path))
    capsys.readouterr()
    ours = lm.data.read_coco(path)
    theirs = peer.loadAnns(peer.getAnnIds(imgIds=7))
    assert ours.class_names == ("car", "dog")
    assert [ours.class_names[label] for label in ours.labels[0]] == ["dog", "car", "car"]
    assert ours.crowd[0].tolist() == [bool(a["iscrowd"]) for a in theirs]
    for mask, box, annotation in zip(ours.masks[0], ours.boxes[0], theirs, strict=True):
        np.testing.assert_array_equal(mask, peer.annToMask(annotation).astype(bool))
        x, y, width, height = annotation["bbox"]
        np.testing.assert_allclose(box, [x, y, x + width, y + height], rtol=1e-6)
