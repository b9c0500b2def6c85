"""Mask R-CNN: what is in a picture, where, and which pixels are each object's.

A backbone with a pyramid of features, a region proposal network, and two heads that look at each proposal: one names it
and refines its box, the other draws its mask. RoIAlign cuts the proposals out of the pyramid without rounding them.

Paper: He, Gkioxari, Dollár & Girshick 2017, "Mask R-CNN", arXiv:1703.06870. Its claim: a branch for masks beside that
for boxes, one mask a class without competition between classes, and regions that are not rounded to pixels: better than
all earlier instance segmentation, at a small overhead over Faster R-CNN.

Differs from the paper in: as torchvision's, which later implementations follow. Images have a shorter side of 800
pixels; two samples a bin's side; the box head is two dense layers (as the paper's with a pyramid); proposals are those
of one network trained together with the heads.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from lamina import ops
from lamina.applications import detection_images, region_proposal
from lamina.applications.detection_images import paste_masks, picture_list, rescaled, rescaled_targets, target_list
from lamina.applications.feature_pyramid import ResNetFPN
from lamina.applications.mask_rcnn_settings import MaskRCNNSettings
from lamina.applications.region_heads import (
    BOX_BINS,
    MASK_BINS,
    best_detections,
    box_head,
    mask_head,
    masks_in,
    of_labels,
    pyramid_regions,
)
from lamina.applications.region_proposal import BELOW, box_loss, decode_boxes, encode_boxes, in_memory, match, sample
from lamina.applications.weights import Layout, load_weights, torch_names
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import positive
from lamina.layers.layer import register
from lamina.layers.serialization import deserialize, serialize
from lamina.models.model import Model
from lamina.models.progress import Progress, verbosity

Array = Any


@register
class MaskRCNN(Model):
    """Mask R-CNN over any backbone that gives a pyramid.

    Train it by ``compile(optimizer)`` and ``fit(DetectionBatches(...))``, or take `losses_of` into a loop of your own;
    `predict` finds objects. What chance decides (which proposals train) goes by `lamina.set_seed`.

    Args:
        backbone: Model of images (N, H, W, C) to a list of maps, each level half the one before; the last is for
            proposals alone.
        classes: how many, background (0) included.
        name: the model's name.
        **settings: see `MaskRCNNSettings`.

    Raises:
        ValueError: if the backbone gives no pyramid, or as many levels as there are anchor sizes.
        TypeError: for unknown settings.

    Example:
        >>> import lamina as lm, numpy as np
        >>> backbone = lm.applications.ResNetFPN(18, channels=32)
        >>> model = lm.applications.MaskRCNN(backbone, 4, min_size=64, head_units=32, mask_layers=(16,))
        >>> image = np.zeros((64, 96, 3), "uint8")
        >>> target = {"boxes": [[4, 4, 40, 60]], "labels": [1], "masks": np.ones((1, 64, 96), bool)}
        >>> sorted(model.losses_of([image], [target]))
        ['loss_box_reg', 'loss_classifier', 'loss_mask', 'loss_objectness', 'loss_rpn_box_reg']
        >>> sorted(model.predict([image], verbose=0)[0])
        ['boxes', 'labels', 'masks', 'scores']

    Reference:
        He et al. 2017, arXiv:1703.06870.
    """

    def __init__(self, backbone: Model, classes: int = 91, name: str = "mask_rcnn", **settings: Any) -> None:
        super().__init__(name=name)
        self.settings = s = MaskRCNNSettings(**settings)
        self.classes = positive(classes, name, "classes")
        levels = getattr(backbone, "output_shape", None)
        if classes < 2 or not isinstance(levels, list) or len(levels) != len(s.anchor_sizes) or len(levels) < 2:
            raise ValueError(
                f"{name}: needs 2 classes or more and a backbone with a map for each of {len(s.anchor_sizes)} anchor "
                f"sizes, got {classes} classes and maps {levels}"
            )
        self.backbone, channels = backbone, levels[0][-1]
        self.channels = backbone.input_shape[-1]
        if not len(s.image_mean) == len(s.image_std) == self.channels:
            raise ValueError(f"{name}: image_mean and image_std must have {self.channels} numbers, as images channels")
        self._cells = [region_proposal.cell_anchors(sizes, s.aspect_ratios) for sizes in s.anchor_sizes]
        self.rpn_head = region_proposal.rpn_head(channels, len(self._cells[0]))
        self.box_head = box_head(channels, s.head_units, classes)
        self.mask_head = mask_head(channels, s.mask_layers, classes)
        self.built = True  # all parts have their weights

    def call(self, x: Any, mask: Any = None) -> Any:
        """The convolutional part, for prepared images (N, H, W, C).

        Returns:
            Three lists over the levels: maps, scores (N, rows * columns * anchors), codes (..., 4).
        """
        maps = self.backbone(x)
        scores, codes = zip(*(self.rpn_head(level) for level in maps), strict=True)
        count = x.shape[0]
        return (
            list(maps),
            [ops.reshape(score, (count, -1)) for score in scores],
            [ops.reshape(code, (count, -1, 4)) for code in codes],
        )

    # Training

    def losses_of(self, images: Any, targets: Any, training: bool = True) -> dict[str, Tensor]:
        """The five losses of a batch.

        Args:
            images: a list of arrays (H, W, C) of any sizes, or an array of them: uint8, or floats from 0 to 1.
            targets: for each image a dictionary of boxes (n, 4) in pixels, labels (n,) from 1 on and masks (n, H, W);
                n may be 0. Or one dictionary of lists.
            training: whether batch normalisation that is not frozen takes the batch's statistics, and learns them.

        Returns:
            Tensors without axes: loss_objectness, loss_rpn_box_reg, loss_classifier, loss_box_reg, loss_mask.

        Raises:
            ValueError: for images or targets that do not fit: see the message.
        """
        s = self.settings
        pictures = picture_list(images, self.channels, self.name)
        checked = target_list(targets, pictures, self.classes, self.name)
        batch = detection_images.prepare(pictures, s.min_size, s.max_size, s.image_mean, s.image_std)
        objects = rescaled_targets(checked, batch)
        maps, scores, codes = self._maps_of(batch, training)
        anchors = self._anchors(maps, batch)
        regions = self._proposals(scores, codes, anchors, batch.sizes, True)
        objectness, proposal_boxes = region_proposal.rpn_losses(
            ops.concatenate(scores, 1),
            ops.concatenate(codes, 1),
            np.concatenate(anchors),
            [target["boxes"] for target in objects],
            s.rpn_fg_iou_thresh,
            s.rpn_bg_iou_thresh,
            s.rpn_batch_size_per_image,
            s.rpn_positive_fraction,
        )
        found = {"loss_objectness": objectness, "loss_rpn_box_reg": proposal_boxes}
        return found | self._head_losses(maps, batch, regions, objects)

    def _head_losses(self, maps: Any, batch: Any, regions: list[Array], objects: Any) -> dict[str, Tensor]:
        s = self.settings
        boxes, labels, codes, masks = [], [], [], []
        for image, target in enumerate(objects):
            own = np.concatenate([regions[image], target["boxes"]])
            matches = match(target["boxes"], own, s.box_fg_iou_thresh, s.box_bg_iou_thresh)
            label = np.where(matches == BELOW, 0, -1)
            label[matches >= 0] = target["labels"][matches[matches >= 0]]
            chosen = np.sort(np.concatenate(sample(label, s.box_batch_size_per_image, s.box_positive_fraction)))
            boxes.append(own[chosen])
            labels.append(label[chosen])
            objects_there = matches[chosen][label[chosen] > 0]
            inside = own[chosen][label[chosen] > 0]
            codes.append(encode_boxes(target["boxes"][objects_there], inside, s.bbox_reg_weights))
            masks.append(masks_in(target["masks"], objects_there, inside))
        label = np.concatenate(labels)
        there = np.nonzero(label > 0)[0]
        logits, found = self.box_head(self._cut(maps, batch, boxes, BOX_BINS))
        # Codes and masks are of the object's own class.
        own_codes = ops.take(ops.reshape(found, (-1, 4)), there * self.classes + label[there], 0)
        inside = [box[own > 0] for box, own in zip(boxes, labels, strict=True)]
        drawn = of_labels(self.mask_head(self._cut(maps, batch, inside, MASK_BINS)), label[there])
        return {
            "loss_classifier": ops.softmax_cross_entropy(logits, label),
            "loss_box_reg": box_loss(own_codes, np.concatenate(codes), len(label)),
            "loss_mask": ops.sigmoid_cross_entropy(drawn, np.concatenate(masks)),
        }

    def train_step(self, data: Any) -> dict[str, float]:
        """One step on (images, targets); returns the running means of the losses."""
        weights = self.trainable_weights
        for weight in weights:  # what a step that was broken off left
            weight.grad_array = None
        losses = self.losses_of(data[0], data[1])
        total = reduce(ops.add, losses.values())
        self.optimizer.scale_loss(total).backward()
        self.optimizer.step(weights)
        return {"loss": total.item(), **{name: loss.item() for name, loss in losses.items()}}

    def test_step(self, data: Any) -> dict[str, float]:
        """The losses of (images, targets), without a step."""
        with no_grad():
            losses = {name: loss.item() for name, loss in self.losses_of(data[0], data[1], training=False).items()}
        return {"loss": sum(losses.values()), **losses}

    # Finding

    def predict(  # type: ignore[override]
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **unused: Any
    ) -> list[dict[str, Array]]:
        """What is in each picture.

        Args:
            x: a list of arrays (H, W, C) of any sizes, or an array of them: uint8, or floats from 0 to 1.
            batch_size: pictures at a time; 1 by default. Pictures of one size have the same results in any batch; a
                smaller one that is padded beside a larger has others near its edges.
            verbose: 0 for nothing, 1 or "auto" for a progress bar if it takes longer than half a second.

        Returns:
            For each picture a dictionary: boxes (n, 4), float32, corners in its pixels; labels (n,), int64; scores
            (n,), float32, the best first; masks (n, H, W), float32 from 0 to 1: > 0.5 is the object.

        Raises:
            ValueError: for no pictures, other shapes or numbers of channels, and a network that says NaN.
            TypeError: for other dtypes.
        """
        if unused:
            raise TypeError(f"{self.name}: predict takes no {', '.join(unused)}")
        pictures = picture_list(x, self.channels, self.name)
        size = positive(1 if batch_size is None else batch_size, self.name, "batch_size")
        progress = Progress("Predicting", -(-len(pictures) // size), verbosity(verbose, "predict"), delay=0.5)
        found: list[dict[str, Array]] = []
        try:
            for start in range(0, len(pictures), size):
                with no_grad():
                    found += self._found(pictures[start : start + size])
                progress.advance(dict)
        finally:
            progress.close()
        return found

    def predict_on_batch(self, x: Any) -> list[dict[str, Array]]:
        """`predict` for pictures that are one batch."""
        return self.predict(x, batch_size=len(x), verbose=0)

    def _found(self, pictures: list[Array]) -> list[dict[str, Array]]:
        s = self.settings
        batch = detection_images.prepare(pictures, s.min_size, s.max_size, s.image_mean, s.image_std)
        maps, scores, codes = self._maps_of(batch, training=False)
        regions = self._proposals(scores, codes, self._anchors(maps, batch), batch.sizes, False)
        logits, deltas = self.box_head(self._cut(maps, batch, regions, BOX_BINS))
        probabilities = ops.softmax(in_memory(logits, self.name)).numpy()
        all_codes = in_memory(deltas, self.name).reshape(-1, self.classes, 4)
        results, start = [], 0
        for own, size in zip(regions, batch.sizes, strict=True):
            part = slice(start, start + len(own))
            start += len(own)
            boxes = decode_boxes(all_codes[part], own, s.bbox_reg_weights)
            limits = s.box_score_thresh, s.box_nms_thresh, s.box_detections_per_img
            results.append(best_detections(boxes, probabilities[part], size, *limits))
        labels = np.concatenate([result["labels"] for result in results])
        features = self._cut(maps, batch, [result["boxes"] for result in results], MASK_BINS)
        drawn = ops.sigmoid(in_memory(of_labels(self.mask_head(features), labels), self.name)).numpy()
        ends = np.cumsum([len(result["labels"]) for result in results])[:-1]
        for result, masks, size, original in zip(
            results, np.split(drawn, ends), batch.sizes, batch.originals, strict=True
        ):
            result["boxes"] = rescaled(result["boxes"], size, original)
            result["masks"] = paste_masks(masks, result["boxes"], original)
        return results

    # Both

    def _maps_of(self, batch: Any, training: bool) -> Any:
        images = Tensor(batch.images)
        return self(images if self._device is None else images.to(self._device), training=training)

    def _anchors(self, maps: Any, batch: Any) -> list[Array]:
        shapes = [(level.shape[1], level.shape[2]) for level in maps]
        return region_proposal.grid_anchors(shapes, batch.images.shape[1:3], self._cells)

    def _proposals(self, scores: Any, codes: Any, anchors: list[Array], sizes: Any, training: bool) -> list[Array]:
        s = self.settings
        owner = None if training else self.name  # a loss shows NaN
        score = [in_memory(level, owner) for level in scores]
        boxes = [
            [decode_boxes(code, anchor) for code in in_memory(level, owner)]
            for level, anchor in zip(codes, anchors, strict=True)
        ]
        before = s.rpn_pre_nms_top_n_train if training else s.rpn_pre_nms_top_n_test
        after = s.rpn_post_nms_top_n_train if training else s.rpn_post_nms_top_n_test
        limits = before, after, s.rpn_nms_thresh, s.rpn_score_thresh
        return [
            region_proposal.proposals([level[i] for level in score], [level[i] for level in boxes], size, *limits)
            for i, size in enumerate(sizes)
        ]

    def _cut(self, maps: Any, batch: Any, boxes: list[Array], bins: int) -> Tensor:
        """The boxes of all images (K, bins, bins, C); the last map is for proposals alone."""
        return pyramid_regions(maps[:-1], batch.images.shape[1], boxes, bins)

    def torch_names(self) -> Layout:
        """The weights by torchvision's names, for `lamina.applications.load_weights`."""
        flattened = {"roi_heads.box_head.fc6": (BOX_BINS, BOX_BINS, self.backbone.output_shape[0][-1])}
        backbone = {f"backbone.{name}": entry for name, entry in torch_names(self.backbone).items()}
        heads = [torch_names(head, flattened) for head in (self.rpn_head, self.box_head, self.mask_head)]
        return {**backbone, **heads[0], **heads[1], **heads[2]}

    def get_config(self) -> dict[str, Any]:
        own = {"backbone": serialize(self.backbone), "classes": self.classes, "name": self.name}
        return own | asdict(self.settings)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, "backbone": deserialize(config["backbone"])})


def MaskRCNNResNet50FPN(
    classes: int = 91, weights: str | Path | None = None, frozen_normalization: bool = True, name: str = "mask_rcnn",
    **settings: Any,
) -> MaskRCNN:  # fmt: skip
    """Mask R-CNN with ResNet-50 and a pyramid: 44,401,393 parameters for 91 classes.

    Counted is what can be trained: batch normalisation is frozen, and its 53,120 scales and offsets, as many moving
    statistics beside them, are not.

    Args:
        classes: how many, background (0) included.
        weights: None, or a safetensors file with Lamina's or torchvision's names.
        frozen_normalization: see `ResNetFPN`.
        name: the model's name.
        **settings: see `MaskRCNNSettings`.

    Returns:
        MaskRCNN.

    Raises:
        ValueError: if the weights do not fit.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.MaskRCNNResNet50FPN()
        >>> sum(w.size for w in model.trainable_weights)
        44401393

    Reference:
        He et al. 2017, arXiv:1703.06870.
    """
    model = MaskRCNN(ResNetFPN(50, frozen_normalization=frozen_normalization), classes, name, **settings)
    if weights is not None:
        load_weights(model, weights, {"torchvision": model.torch_names()})
    return model
