"""What Mask R-CNN can be told beyond its backbone and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.applications.detection_images import DEVIATION, MEAN
from lamina.layers.checks import positive


@dataclass(frozen=True)
class MaskRCNNSettings:
    """What Mask R-CNN can be told beyond its backbone and classes; names and defaults are torchvision's.

    Args:
        min_size, max_size: what images are resized to: the shorter side, unless the longer one would pass max_size.
        image_mean, image_std: of each channel, for images from 0 to 1.
        anchor_sizes: for each level of the pyramid, in pixels of the resized image.
        aspect_ratios: height / width of the anchors.
        rpn_pre_nms_top_n_train, rpn_pre_nms_top_n_test: how many of a level's best anchors are looked at.
        rpn_post_nms_top_n_train, rpn_post_nms_top_n_test: how many proposals a picture has at most.
        rpn_nms_thresh, rpn_fg_iou_thresh, rpn_bg_iou_thresh: IoUs: of proposals that suppress each other, and from or
            below which an anchor stands for an object or for background.
        rpn_batch_size_per_image, rpn_positive_fraction: how many anchors train, and the most of them positive.
        rpn_score_thresh: the least probability of a proposal.
        box_score_thresh, box_nms_thresh, box_detections_per_img: of what is found.
        box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image, box_positive_fraction: of the proposals that
            train.
        bbox_reg_weights: of the box head's codes.
        head_units: of the box head's two dense layers.
        mask_layers: channels of the mask head's convolutions; the last also of its transposed one.

    Raises:
        ValueError: for sizes and counts below 1, thresholds and shares that are not from 0 to 1, and levels with
            different numbers of anchor sizes.

    Example:
        >>> import lamina as lm
        >>> lm.applications.MaskRCNNSettings(min_size=600).max_size
        1333
    """

    min_size: int = 800
    max_size: int = 1333
    image_mean: Sequence[float] = MEAN
    image_std: Sequence[float] = DEVIATION
    anchor_sizes: Sequence[Sequence[float]] = ((32,), (64,), (128,), (256,), (512,))
    aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0)
    rpn_pre_nms_top_n_train: int = 2000
    rpn_pre_nms_top_n_test: int = 1000
    rpn_post_nms_top_n_train: int = 2000
    rpn_post_nms_top_n_test: int = 1000
    rpn_nms_thresh: float = 0.7
    rpn_fg_iou_thresh: float = 0.7
    rpn_bg_iou_thresh: float = 0.3
    rpn_batch_size_per_image: int = 256
    rpn_positive_fraction: float = 0.5
    rpn_score_thresh: float = 0.0
    box_score_thresh: float = 0.05
    box_nms_thresh: float = 0.5
    box_detections_per_img: int = 100
    box_fg_iou_thresh: float = 0.5
    box_bg_iou_thresh: float = 0.5
    box_batch_size_per_image: int = 512
    box_positive_fraction: float = 0.25
    bbox_reg_weights: Sequence[float] = (10.0, 10.0, 5.0, 5.0)
    head_units: int = 1024
    mask_layers: Sequence[int] = (256, 256, 256, 256)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith(("_size", "_train", "_test", "_per_image", "_per_img", "_units")):
                positive(value, "MaskRCNNSettings", name)
            elif name.endswith(("_thresh", "_fraction")) and not 0 <= value <= 1:
                raise ValueError(f"MaskRCNNSettings: {name} must be from 0 to 1, got {value!r}")
        if not self.mask_layers or not self.aspect_ratios or len({len(sizes) for sizes in self.anchor_sizes}) != 1:
            raise ValueError(
                "MaskRCNNSettings: there must be mask_layers and aspect_ratios, and every level must have as many "
                f"anchor sizes, got {self.mask_layers}, {self.aspect_ratios}, {self.anchor_sizes}"
            )
