"""Box formats and IoU against Keras 3."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import lamina as lm  # noqa: E402

FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh")
RANDOM = np.random.default_rng(0)
CORNER = RANDOM.uniform(0, 50, (12, 2))
BOXES = np.concatenate([CORNER, CORNER + RANDOM.uniform(5, 50, (12, 2))], axis=1).astype(np.float32)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_formats(source: str, target: str) -> None:
    box_tools = keras.utils.bounding_boxes
    given = np.asarray(box_tools.convert_format(BOXES, "xyxy", source, height=100, width=120).cpu())
    expected = np.asarray(box_tools.convert_format(given, source, target, height=100, width=120).cpu())
    found = lm.ops.box_convert(given, source, target, height=100, width=120)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_iou() -> None:
    expected = keras.utils.bounding_boxes.compute_iou(BOXES[:5], BOXES, "xyxy")
    np.testing.assert_allclose(lm.ops.box_iou(BOXES[:5], BOXES).numpy(), np.asarray(expected.cpu()), atol=1e-6)
