"""torchvision beside a CPU build of PyTorch, whose compiled ops then do not load: those it needs are written here.

torchvision registers their shapes for tracing as it is imported, and so wants them declared first. Import this module
in place of torchvision: ``from parity.torchvision_peer import torch, torchvision``. Where one of them is missing, the
test module is skipped.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def nms(boxes: Any, scores: Any, threshold: float) -> Any:
    """The indices of the boxes that no better one overlaps by more than the threshold, best first."""
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        low, high = torch.maximum(boxes[best, :2], boxes[rest, :2]), torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        union = (boxes[best, 2:] - boxes[best, :2]).prod() + (boxes[rest, 2:] - boxes[rest, :2]).prod(1) - shared
        order = rest[shared / union <= threshold]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)


def _import() -> tuple[Any, Any]:
    """torchvision, and the library of ops that was declared for it; None where its own load."""
    library = None
    if torch.version.cuda is None:  # packages on the index are built for CUDA
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in SCHEMAS.values():
            library.define(schema)
        library.impl("nms", nms, "CPU")
    module = pytest.importorskip("torchvision")
    if library is not None:
        module.extension._has_ops = lambda: True
    return module, library


torchvision, _library = _import()
