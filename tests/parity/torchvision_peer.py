"""torchvision beside a CPU build of PyTorch, whose compiled ops then do not load: those it needs are written here.

torchvision registers their shapes for tracing as it is imported, and so wants them declared first. Import this module
in place of torchvision: ``from parity.torchvision_peer import torch, torchvision``. Where one of them is missing, the
test module is skipped.
"""

from __future__ import annotations

import sys
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


def roi_align(
    x: Any, boxes: Any, scale: float, rows: int, columns: int, samples: int = -1, aligned: bool = False
) -> Any:
    """Box by box: each bin's mean over its points is a sum over rows of sums over columns."""
    found = []
    for image, *corners in boxes:
        left, top, right, bottom = (corner * scale - (0.5 if aligned else 0.0) for corner in corners)
        down, first = _weights(top, bottom, rows, x.shape[2], samples, aligned)
        across, start = _weights(left, right, columns, x.shape[3], samples, aligned)
        part = x[int(image), :, first : first + down.shape[1], start : start + across.shape[1]]
        found.append(down @ part @ across.T)
    return torch.stack(found) if found else x.new_zeros(0, x.shape[1], rows, columns)


def _weights(low: Any, high: Any, bins: int, size: int, samples: int, aligned: bool) -> tuple[Any, int]:
    """How much each bin takes of each pixel, (bins, pixels), from the first pixel that any takes."""
    length = high - low if aligned else (high - low).clamp(min=1)
    step = length / bins
    count = samples if samples > 0 else int(torch.ceil(step))
    point = torch.arange(count, dtype=low.dtype) + 0.5
    place = low + torch.arange(bins, dtype=low.dtype)[:, None] * step + point * step / max(count, 1)
    inside = ((place >= -1) & (place <= size)).to(low.dtype) / max(count, 1)
    place = place.clamp(0, size - 1)
    below = place.long()
    rest = place - below
    weights = torch.zeros(bins, size, dtype=low.dtype)
    weights.scatter_add_(1, below, (1 - rest) * inside)
    weights.scatter_add_(1, (below + 1).clamp(max=size - 1), rest * inside)
    used = weights.any(0).nonzero()
    if not len(used):
        return weights[:, :1], 0
    return weights[:, used[0] : used[-1] + 1], int(used[0])


def _import() -> tuple[Any, Any]:
    """torchvision, and the library of ops that was declared for it; None where its own load."""
    library = None
    if torch.version.cuda is None:  # packages on the index are built for CUDA
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in SCHEMAS.values():
            library.define(schema)
        library.impl("nms", nms, "CPU")
        library.define(
            "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
            "int sampling_ratio, bool aligned) -> Tensor"
        )
        library.impl("roi_align", roi_align, "CompositeImplicitAutograd")
    module = pytest.importorskip("torchvision")
    if library is not None:
        for part in (module.extension, sys.modules["torchvision.ops.roi_align"]):
            part._has_ops = lambda: True
    return module, library


torchvision, _library = _import()
