"""roi_align: boxes cut out of feature maps, each to the same size."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import beside, float_tensor, in_place, integer, pair, real_number, same_dtype

REACH = 1e6  # pixels: REGION_REACH of csrc/ops/roi_align.h
MOST_SAMPLES = 1000


class RoiAlignFunction(Function):
    def forward(self, x: Any, boxes: Any, index: Any, size: tuple[int, int], *settings: Any) -> Any:
        x, boxes = backend.contiguous(x), backend.contiguous(boxes)
        self.saved = x.shape, boxes, index, settings
        y = backend.empty((boxes.shape[0], *size, x.shape[3]), x.dtype, like=x)
        backend.kernels(x).roi_align_forward(x, boxes, index, y, *settings)
        return y

    def backward(self, dy: Any) -> Any:
        shape, boxes, index, settings = self.saved
        dx = backend.empty(shape, dy.dtype, like=dy)
        backend.kernels(dy).roi_align_backward(backend.contiguous(dy), boxes, index, dx, *settings)
        return dx


def roi_align(
    x: Any,
    boxes: Any,
    box_indices: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = False,
) -> Tensor:
    """RoIAlign: cuts boxes out of feature maps, each to the same number of bins, without rounding them to pixels.

    A bin is the mean of points spread evenly in it, each read bilinearly from its four pixels. Points more than a pixel
    beyond the map read 0. As torchvision's `roi_align`; every gradient is a sum in a fixed order. No gradient flows to
    the boxes.

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        boxes: tensor of shape (K, 4) and the same dtype: corners (x_min, y_min, x_max, y_max).
        box_indices: tensor of shape (K,), integers: the image of each box.
        output_size: rows and columns of bins, or one number for both.
        spatial_scale: pixels of x to a unit of the boxes.
        sampling_ratio: a bin has this number of points, squared; 0: as many as it is long in pixels, rounded up.
        aligned: whether pixel (0, 0) has its centre at (1/2, 1/2) rather than (0, 0). Without it (as in the first
            implementations) boxes count as a pixel long at least.

    Returns:
        Tensor of shape (K, rows, columns, C).

    Raises:
        ValueError: for other shapes, boxes that are inverted, not finite or a million pixels away, indices out of
            range, or settings that are not positive. What lies on a GPU is not looked at: such boxes give zeros there.
        TypeError: for other or mixed dtypes or devices.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[0.0], [1.0]], [[2.0], [3.0]]]])
        >>> lm.ops.roi_align(x, lm.tensor([[0.0, 0.0, 1.0, 1.0]]), [0], 1).item()
        1.5

    Reference:
        He et al. 2017, "Mask R-CNN", arXiv:1703.06870.
    """
    x = float_tensor(x, "roi_align")
    box_tensor = float_tensor(beside(boxes, x, "roi_align", "boxes"), "roi_align", "boxes")
    same_dtype("roi_align", x=x, boxes=box_tensor)
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"roi_align: x must have shape (N, H, W, C), got {x.shape}")
    if box_tensor.ndim != 2 or box_tensor.shape[1] != 4:
        raise ValueError(f"roi_align: boxes must have shape (K, 4), got {box_tensor.shape}")
    size = pair(output_size, "roi_align", "output_size")
    scale = real_number(spatial_scale, "roi_align", "spatial_scale")
    samples = integer(sampling_ratio, "roi_align", "sampling_ratio", 0)
    if not 0 < scale < np.inf:
        raise ValueError(f"roi_align: spatial_scale must be positive and finite, got {spatial_scale!r}")
    if samples > MOST_SAMPLES:
        raise ValueError(f"roi_align: sampling_ratio must be at most {MOST_SAMPLES}, got {samples}")
    index = in_place(box_indices, x, "roi_align", "box_indices")
    if index.shape != box_tensor.shape[:1]:
        raise ValueError(f"roi_align: box_indices must have shape {box_tensor.shape[:1]}, got {index.shape}")
    if index.dtype.kind not in "iu" and index.size:
        raise TypeError(f"roi_align: box_indices must be integers, got {index.dtype}")
    if backend.on_host(index) and index.size and not 0 <= index.min() <= index.max() < x.shape[0]:
        bounds = f"from 0 to {x.shape[0] - 1}"
        raise ValueError(f"roi_align: box_indices must be {bounds}, got {index.min()} to {index.max()}")
    if backend.on_host(box_tensor.array):
        _check_boxes(box_tensor.array, scale)
    index = backend.moved(backend.contiguous(index.astype(np.int64)), x.array)
    return RoiAlignFunction.apply((x,), box_tensor.array, index, size, scale, samples, bool(aligned))


def _check_boxes(boxes: Any, scale: float) -> None:
    if not np.all(np.abs(boxes) * scale < REACH):  # NaN is not
        raise ValueError(f"roi_align: boxes must be finite, and less than {REACH:.0f} pixels from 0")
    if np.any(boxes[:, :2] > boxes[:, 2:]):
        raise ValueError("roi_align: boxes must be (x_min, y_min, x_max, y_max) with x_min <= x_max, y_min <= y_max")
