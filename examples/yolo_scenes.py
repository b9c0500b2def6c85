"""YOLO finds shapes: a small network of version 1, or the tiny one of version 3, learns boxes and classes in minutes.

The scenes are synthetic: coloured shapes of two sizes, some behind others, on a noisy ground. What is measured and
drawn was never trained on; a prediction counts if it overlaps an object of its class by half.

Needs: pip install "lamina[demo]"
"""

from typing import Any

import numpy as np

import lamina as lm
from lamina.applications import (
    YOLOv1Loss,
    YOLOv1Small,
    YOLOv3Loss,
    YOLOv3Tiny,
    best_boxes,
    decode_yolo_v1,
    decode_yolo_v3,
    pad_boxes,
)

SIZE = (96, 96)
ANCHORS, MASKS = ((18, 18), (36, 36)), ((1,), (0,))  # version 3: large objects on the coarse grid, small on the fine


def version_1(classes: int) -> tuple[Any, Any, Any]:
    """A model, its loss, and the way from its outputs to boxes and scores."""
    return YOLOv1Small((*SIZE, 3), classes), YOLOv1Loss(classes), lambda y: decode_yolo_v1(y, classes)


def version_3(classes: int) -> tuple[Any, Any, Any]:
    model = YOLOv3Tiny((*SIZE, 3), classes, anchors=1, filters=8)
    losses = [YOLOv3Loss(classes, ANCHORS, mask, SIZE) for mask in MASKS]
    return model, losses, lambda y: decode_yolo_v3(y, ANCHORS, MASKS, SIZE)


def main(small: bool = False, output: str = "yolo_scenes.png", version: str = "1") -> float:
    lm.set_seed(1)
    scenes = lm.data.load_scenes(count=300 if small else 2000, size=SIZE, seed=0)
    test = lm.data.load_scenes(count=60 if small else 500, size=SIZE, seed=1, held_out=True)
    x, x_test = (s.images.astype("float32") / 255 for s in (scenes, test))
    y = pad_boxes(scenes.boxes, scenes.labels, SIZE)
    model, loss, decode = (version_1 if version == "1" else version_3)(len(scenes.class_names))
    epochs = 8 if small else 15
    rate = lm.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(x) // 16))
    model.compile(optimizer=lm.optimizers.Adam(rate), loss=loss)
    model.fit(x, y if version == "1" else [y, y], epochs=epochs, batch_size=16, verbose=0 if small else 1)

    boxes, scores = decode(model.predict(x_test, verbose=0))
    found = best_boxes(boxes, scores, SIZE, score_threshold=0.02)  # mAP counts doubtful ones, too
    truth = [{"boxes": b, "labels": c} for b, c in zip(test.boxes, test.labels, strict=True)]
    metric = lm.metrics.MeanAveragePrecision(rule="voc")
    precision = metric(truth, found)
    print(
        f"version {version}, {model.count_params():,} parameters: mAP@0.5 {precision:.3f} on {len(test)} other scenes"
    )
    for label, value in sorted(metric.per_class().items()):
        print(f"  {test.class_names[label]:9} {value:.3f}")
    most = np.argsort([-len(c) for c in test.labels], kind="stable")[:8]  # scenes with much in them
    sure = best_boxes(boxes, scores, SIZE, score_threshold=0.3)
    lm.utils.plot_detections(
        test.images[most], [sure[i] for i in most], [truth[i] for i in most], test.class_names, output
    )
    return precision


if __name__ == "__main__":
    from command_line import run

    run(main, version={"choices": ("1", "3"), "default": "1", "help": "of YOLO (1)"})
