"""YOLO v3: published counts, the loss by its formula, decoding, learning."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications.yolo_v3 import ANCHORS, MASKS, TINY_ANCHORS, TINY_MASKS

applications = lm.applications
random = np.random.default_rng(0)


@pytest.mark.parametrize(("build", "count", "shapes"), [
    (applications.YOLOv3, 61_949_149, [(None, 13, 13, 255), (None, 26, 26, 255), (None, 52, 52, 255)]),
    (applications.YOLOv3Tiny, 8_852_366, [(None, 13, 13, 255), (None, 26, 26, 255)]),
])  # fmt: skip
def test_published_counts(build, count, shapes):
    model = build()
    assert sum(weight.array.size for weight in model.trainable_weights) == count
    assert [output.shape for output in model.outputs] == shapes


def test_darknet_53():
    model = applications.YOLOv3((None, None, 3), classes=1)
    assert sum(isinstance(layer, lm.layers.Conv2D) for layer in model.layers) == 75
    assert sum(isinstance(layer, lm.layers.Add) for layer in model.layers) == 23
    assert [y.shape for y in model(np.zeros((1, 32, 64, 3), "float32"))] == [(1, n, 2 * n, 18) for n in (1, 2, 4)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def decoded(y, anchors, size):
    """Corners, cell by cell."""
    rows, columns, depth = y.shape
    y = y.reshape(rows, columns, len(anchors), depth // len(anchors))
    boxes = np.zeros((*y.shape[:3], 4))
    for i, j, a in np.ndindex(*y.shape[:3]):
        px, py, pw, ph = y[i, j, a, :4]
        x, yy = (j + sigmoid(px)) / columns, (i + sigmoid(py)) / rows
        w, h = anchors[a][0] / size[1] * np.exp(pw), anchors[a][1] / size[0] * np.exp(ph)
        boxes[i, j, a] = x - w / 2, yy - h / 2, x + w / 2, yy + h / 2
    return y, boxes


def entropy(logit, wanted):
    return -(wanted * np.log(sigmoid(logit)) + (1 - wanted) * np.log(1 - sigmoid(logit)))


def loss_of_one(objects, said, classes, anchors, mask, size, ignore=0.5):
    y, boxes = decoded(said, [anchors[i] for i in mask], size)
    rows, columns = y.shape[:2]
    chosen = {}
    for x0, y0, x1, y1, label in objects:
        if label < 0:
            continue
        w, h = (x1 - x0) * size[1], (y1 - y0) * size[0]
        shapes = [min(w, a) * min(h, b) / (w * h + a * b - min(w, a) * min(h, b)) for a, b in anchors]
        best = int(np.argmax(shapes))
        if best in mask:
            x, yy = (x0 + x1) / 2 * columns, (y0 + y1) / 2 * rows
            at = min(int(yy), rows - 1), min(int(x), columns - 1), mask.index(best)
            sizes = np.log(w / anchors[best][0]), np.log(h / anchors[best][1])
            chosen[at] = (x - at[1], yy - at[0], *sizes, 2 - (x1 - x0) * (y1 - y0), label, chosen.get(at, (None,))[-1])
    total = 0.0
    for at in np.ndindex(*y.shape[:3]):
        v = y[at]
        if at in chosen:
            x, yy, w, h, weight, label, _ = chosen[at]
            total += weight * (entropy(v[0], x) + entropy(v[1], yy) + (v[2] - w) ** 2 / 2 + (v[3] - h) ** 2 / 2)
            total += entropy(v[4], 1) + sum(entropy(v[5 + c], c == label) for c in range(classes))
            continue
        there = objects[objects[:, 4] >= 0, :4]
        overlap = lm.ops.box_iou(boxes[at][None], there).numpy().max(initial=0)
        if overlap <= ignore:
            total += entropy(v[4], 0)
    return total


def scenes_for(count, size):
    scenes = lm.data.load_scenes(count=count, size=size, seed=3, min_objects=0)
    return scenes, applications.pad_boxes(scenes.boxes, scenes.labels, size)


@pytest.mark.parametrize(("mask", "grid"), [((1, 2), (2, 3)), ((0,), (4, 6))])
def test_loss(mask, grid):
    size, anchors = (64, 96), ((12, 12), (24, 24), (30, 20))
    scenes, objects = scenes_for(8, size)
    assert min(len(labels) for labels in scenes.labels) == 0
    said = random.normal(0, 0.6, (8, *grid, len(mask) * 10))
    expected = [loss_of_one(o.astype(float), s, 5, anchors, mask, size) for o, s in zip(objects, said, strict=True)]
    loss = applications.YOLOv3Loss(5, anchors, mask, size, reduction="none")
    np.testing.assert_allclose(loss(objects, said).numpy(), expected, rtol=1e-5)
    everything = applications.YOLOv3Loss(5, anchors, mask, size, ignore_threshold=1.0, reduction="none")
    assert (everything(objects, said).numpy() >= loss(objects, said).numpy()).all()


def test_gradient_of_the_loss():
    size, anchors = (64, 64), ((12, 12), (26, 26))
    _, objects = scenes_for(2, size)
    loss = applications.YOLOv3Loss(5, anchors, (0, 1), size, ignore_threshold=1.0)
    assert lm.grad_check(lambda y: loss(objects, y), [random.normal(0, 0.6, (2, 2, 2, 20))])


def test_decode():
    size = (64, 96)
    outputs = [random.normal(size=(2, 2, 3, 21)), random.normal(size=(2, 4, 6, 14))]
    masks = ((6, 7, 8), (0, 1))
    boxes, scores = applications.decode_yolo_v3(outputs, ANCHORS, masks, size)
    expected_boxes, expected_scores = [], []
    for output, mask in zip(outputs, masks, strict=True):
        both = [decoded(y, [ANCHORS[i] for i in mask], size) for y in output]
        expected_boxes.append(np.stack([b.reshape(-1, 4) for _, b in both]))
        expected_scores.append(np.stack([
            (sigmoid(y[..., 4:5]) * sigmoid(y[..., 5:])).reshape(-1, 2) for y, _ in both
        ]))  # fmt: skip
    np.testing.assert_allclose(boxes.numpy(), np.concatenate(expected_boxes, axis=1), atol=1e-10)
    np.testing.assert_allclose(scores.numpy(), np.concatenate(expected_scores, axis=1), atol=1e-10)


def test_it_learns():
    lm.set_seed(1)
    scenes, objects = scenes_for(16, (64, 64))
    images = scenes.images.astype("float32") / 255
    anchors, masks = ((12, 12), (26, 26)), ((1,), (0,))
    model = applications.YOLOv3Tiny((64, 64, 3), classes=5, anchors=1, filters=4)
    losses = [applications.YOLOv3Loss(5, anchors, mask, (64, 64)) for mask in masks]
    model.compile(optimizer=lm.optimizers.Adam(1e-2), loss=losses)
    history = model.fit(images, [objects, objects], epochs=25, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < history[0] / 3


def test_on_a_gpu():
    """Or what stands in for one: which anchors are right is worked out on the host."""
    scenes, objects = scenes_for(8, (32, 32))
    images, anchors, masks = scenes.images.astype("float32") / 255, ((6, 6), (13, 13)), ((1,), (0,))
    with lm.device("cuda"):
        model = applications.YOLOv3Tiny((32, 32, 3), classes=5, anchors=1, filters=2)
        model.compile(optimizer="adam", loss=[applications.YOLOv3Loss(5, anchors, mask, (32, 32)) for mask in masks])
        losses = model.fit(images, [objects, objects], epochs=3, batch_size=4, verbose=0).history["loss"]
        boxes, scores = applications.decode_yolo_v3(model(lm.tensor(images)), anchors, masks, (32, 32))
        assert len(applications.best_boxes(boxes, scores, (32, 32))) == 8
    assert losses[-1] < losses[0]


OUTPUT = np.zeros((1, 2, 2, 255), "float32")


@pytest.mark.parametrize(("call", "message"), [
    (lambda: applications.YOLOv3((31, 32, 3)), "images must be at least 32 x 32 pixels"),
    (lambda: applications.YOLOv3Tiny((48, 64, 3)), "height and width must be multiples of 32"),
    (lambda: applications.YOLOv3Loss(3, ANCHORS, (9,), (64, 64)), "mask must name some of 9 anchors"),
    (lambda: applications.YOLOv3Loss(3, ANCHORS, (0,), (64, 64), np.nan), "ignore_threshold must be from 0 to 1"),
    (lambda: applications.YOLOv3Loss(3, ((0, 4),), (0,), (64, 64)), "anchors must be positive widths and heights"),
    (lambda: applications.YOLOv3Loss(3, ANCHORS, (0,), (64, 64))(np.zeros((1, 1, 5)), OUTPUT),
     r"an output must have shape \(N, rows, columns, 8\) for 1 anchors and 3 classes"),
    (lambda: applications.decode_yolo_v3([OUTPUT], ANCHORS, MASKS, (64, 64)), "1 outputs, masks of 3"),
    (lambda: applications.decode_yolo_v3([OUTPUT], ANCHORS, [(0, 1, -1)], (64, 64)), "must name some of 9 anchors"),
    (lambda: applications.decode_yolo_v3([OUTPUT], ANCHORS, [()], (64, 64)), "must name some of 9 anchors"),
    (lambda: applications.decode_yolo_v3([OUTPUT], ANCHORS, MASKS[:1], (64, 0)), "size's height and width must be"),
    (lambda: applications.YOLOv3Loss(3, ANCHORS, (0,), 64), r"size must be \(height, width\), got 64"),
    (lambda: applications.decode_yolo_v3([OUTPUT[..., 1:]] * 2, TINY_ANCHORS, TINY_MASKS, (64, 64)),
     r"an output of 3 anchors must have shape .*got \(1, 2, 2, 254\)"),
])  # fmt: skip
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("version", [1, 3])
def test_outputs_of_16_bits_are_decoded_in_float32(dtype, version):
    outputs = lm.ops.cast(random.random((2, 13, 13, 3 * 7)).astype("f4"), dtype)
    same = lm.ops.cast(outputs, "float32")  # the same numbers
    if version == 1:
        said, wanted = (applications.decode_yolo_v1(y, 6) for y in (outputs, same))
    else:
        said, wanted = (
            applications.decode_yolo_v3([y], [(10, 13), (16, 30), (33, 23)], [[0, 1, 2]], (416, 416))
            for y in (outputs, same)
        )
    for a, b in zip(said, wanted, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("decode", [
    lambda: applications.decode_yolo_v1(np.full((1, 2, 2, 7), np.nan, "f4"), 2),
    lambda: applications.decode_yolo_v3([np.full((1, 2, 2, 7), np.nan, "f4")], [(9, 9)], [[0]], (64, 64)),
])  # fmt: skip
def test_a_diverged_network_is_refused(decode):
    with pytest.raises(ValueError, match="8 of 8 scores are NaN: the network has diverged"):
        applications.best_boxes(*decode(), size=(64, 64))
