"""Mask R-CNN learns to find, name and outline shapes: boxes, classes and masks, in minutes from nothing.

The scenes are synthetic: lamina.data draws coloured shapes on noise. The backbone is a small one, trained from scratch
with all the rest; with a real one the same class is torchvision's maskrcnn_resnet50_fpn.

Needs: pip install "lamina[demo]"
Reference: He et al. 2017, arXiv:1703.06870.
"""

from typing import Any

import numpy as np

import lamina as lm
from lamina.layers import Activation, BatchNormalization, Conv2D, Input
from lamina.models import Model

COLORS = np.array([(255, 70, 70), (60, 160, 255), (60, 220, 90), (255, 200, 40), (220, 90, 255)]) / 255


def backbone(channels: int = 48) -> Model:
    """Convolutions at strides of 2, 4, 8 and 16, and a pyramid over the last three."""
    image = x = Input((None, None, 3))
    stages = []
    for filters, convolutions in ((16, 1), (32, 2), (64, 2), (64, 2)):
        for number in range(convolutions):
            x = Conv2D(filters, 3, 2 if number == 0 else 1, padding="same", use_bias=False)(x)
            x = Activation("relu")(BatchNormalization(momentum=0.9)(x))
        stages.append(x)
    return Model(image, lm.applications.feature_pyramid(stages[1:], channels))


def draw(scenes: lm.data.Scenes, found: list[dict[str, Any]], output: str) -> None:
    """Some held-out scenes, and what was found in them: boxes, masks in colour, names and scores."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    figure.suptitle("Mask R-CNN on scenes that it has never seen (synthetic)")
    places = figure.subplots(2, 4).flat
    for axes, image, objects in zip(places, scenes.images, found, strict=False):
        picture = image / 255
        for place, (box, label, score, mask) in enumerate(
            zip(objects["boxes"], objects["labels"], objects["scores"], objects["masks"], strict=True)
        ):
            if score < 0.5:
                continue
            color = COLORS[place % len(COLORS)]
            picture = np.where(mask[..., None] > 0.5, 0.45 * picture + 0.55 * color, picture)
            corner, (width, height) = box[:2] - 0.5, box[2:] - box[:2]
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=1.5))
            text = f"{scenes.class_names[label - 1]} {score:.0%}"
            background = {"facecolor": color, "edgecolor": "none", "pad": 1}
            axes.text(*corner, text, fontsize=7, va="bottom", color="black", bbox=background)
        axes.imshow(picture)
        axes.axis("off")
    figure.savefig(output, dpi=80)


def main(small: bool = False, output: str = "mask_rcnn_scenes.png") -> dict[str, float]:
    lm.set_seed(0)
    count, epochs, size = (24, 1, (64, 64)) if small else (1000, 12, (96, 96))
    scenes = lm.data.load_scenes(count, size, max_objects=3, seed=0)
    held_out = lm.data.load_scenes(max(8, count // 10), size, max_objects=3, seed=1)
    labels = [label + 1 for label in scenes.labels]  # 0 is background
    batches = lm.applications.DetectionBatches(scenes.images, scenes.boxes, labels, scenes.masks, batch_size=8)
    model = lm.applications.MaskRCNN(
        backbone(), len(scenes.class_names) + 1, min_size=min(size), anchor_sizes=((18,), (28,), (40,), (56,)),
        rpn_pre_nms_top_n_train=200, rpn_pre_nms_top_n_test=100, rpn_post_nms_top_n_train=100,
        rpn_post_nms_top_n_test=50, rpn_batch_size_per_image=64, box_batch_size_per_image=32,
        box_positive_fraction=0.5, box_detections_per_img=10, head_units=128, mask_layers=(32, 32),
    )  # fmt: skip
    steps = epochs * len(batches)
    rate = lm.optimizers.schedules.CosineDecay(0.0, steps - steps // 10, warmup_target=2e-3, warmup_steps=steps // 10)
    model.compile(lm.optimizers.Adam(rate, global_clipnorm=5.0))
    model.fit(batches, epochs=epochs)

    found = model.predict(held_out.images, batch_size=8)
    result = {}
    for what in ("boxes", "masks"):
        metric = lm.metrics.MeanAveragePrecision(rule="voc", compare=what)
        truth = [{what: w, "labels": k + 1} for w, k in zip(getattr(held_out, what), held_out.labels, strict=True)]
        metric.update_state(truth, [f | {"masks": f["masks"] > 0.5} for f in found])
        result[what] = float(metric.result())
    print(f"mAP at an IoU of 0.5 on {len(held_out)} held-out scenes: {result}")
    draw(held_out, found, output)
    return result


if __name__ == "__main__":
    from command_line import run

    run(main)
