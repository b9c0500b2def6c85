"""Mask R-CNN learns to find, name and outline shapes: boxes, classes and masks, in minutes from nothing.

The scenes are synthetic: lamina.data draws coloured shapes on noise. The backbone is a small one, trained from scratch
with all the rest; with a real one the same class is torchvision's maskrcnn_resnet50_fpn.

Needs: pip install "lamina[demo]"
Reference: He et al. 2017, arXiv:1703.06870.
"""

import numpy as np

import lamina as lm
from lamina.layers import Activation, BatchNormalization, Conv2D, Input
from lamina.models import Model


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
    nothing = {"boxes": [], "labels": []}  # the upper row: the scenes as they are
    sure = [{key: value[f["scores"] > 0.5] for key, value in f.items()} for f in found[4:8]]
    shown = [nothing] * 4 + [f | {"labels": f["labels"] - 1} for f in sure]
    title = "Mask R-CNN on scenes that it has never seen (synthetic)"
    images = np.concatenate([held_out.images[4:8]] * 2)
    lm.utils.plot_detections(images, shown, class_names=held_out.class_names, path=output, title=title)
    return result


if __name__ == "__main__":
    from command_line import run

    run(main)
