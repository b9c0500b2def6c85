"""YOLO v1: the paper's count, the loss by its formula, decoding, learning."""

import numpy as np
import pytest

import lamina as lm

applications = lm.applications
random = np.random.default_rng(0)


def test_parameters_of_the_paper():
    """Counts go up by the same number for each unit of the dense layer: no need to make a gigabyte of weights."""
    one, two, three = (applications.YOLOv1(units=n).count_params() for n in (1, 2, 3))
    assert three - two == two - one
    assert one + 4095 * (two - one) == 271_703_550
    model = applications.YOLOv1(units=1)
    assert model.output_shape == (None, 7, 7, 30)
    assert sum(isinstance(layer, lm.layers.Conv2D) for layer in model.layers) == 24
    assert sum(isinstance(layer, lm.layers.Dense) for layer in model.layers) == 2


def test_small_network():
    model = applications.YOLOv1Small((None, None, 3), classes=3, boxes=1, filters=4)
    assert model(np.zeros((2, 40, 64, 3), "float32")).shape == (2, 5, 8, 8)


def loss_of_one(objects, said, classes, boxes):
    """The paper's equation 3, box by box: for one picture."""
    rows, columns, _ = said.shape
    total, taken = 0.0, {}
    for x0, y0, x1, y1, label in objects:
        if label < 0:
            continue
        x, y = (x0 + x1) / 2 * columns, (y0 + y1) / 2 * rows
        i, j = min(int(y), rows - 1), min(int(x), columns - 1)
        if (i, j) in taken:
            continue
        candidates = []
        for b in range(boxes):
            px, py, pw, ph = said[i, j, 5 * b : 5 * b + 4]
            center, half = ((j + px) / columns, (i + py) / rows), (pw**2 / 2, ph**2 / 2)
            box = np.array([center[0] - half[0], center[1] - half[1], center[0] + half[0], center[1] + half[1]])
            overlap = lm.ops.box_iou(box[None], np.array([[x0, y0, x1, y1]])).item()
            candidates.append((overlap, -((box - [x0, y0, x1, y1]) ** 2).sum(), b))
        overlap, _, b = max(candidates)
        taken[i, j] = b
        target = [x - j, y - i, (x1 - x0) ** 0.5, (y1 - y0) ** 0.5]
        total += 5 * ((said[i, j, 5 * b : 5 * b + 4] - target) ** 2).sum()
        total += (said[i, j, 5 * b + 4] - overlap) ** 2
        total += ((said[i, j, 5 * boxes :] - np.eye(classes)[int(label)]) ** 2).sum()
    for i, j, b in np.ndindex(rows, columns, boxes):
        if taken.get((i, j)) != b:
            total += 0.5 * said[i, j, 5 * b + 4] ** 2
    return total


def scenes_for(count, size=(48, 64)):
    scenes = lm.data.load_scenes(count=count, size=size, seed=3, min_objects=0)
    return scenes, applications.pad_boxes(scenes.boxes, scenes.labels, size)


def test_loss():
    _, objects = scenes_for(6)
    objects[0] = -1  # a picture without objects
    said = random.normal(0.4, 0.3, (6, 3, 4, 15))
    expected = [loss_of_one(o.astype(float), s, 5, 2) for o, s in zip(objects, said, strict=True)]
    loss = applications.YOLOv1Loss(5, 2, reduction="none")
    np.testing.assert_allclose(loss(objects, said).numpy(), expected, rtol=1e-6)
    assert applications.YOLOv1Loss(5)(objects, said).item() == pytest.approx(np.mean(expected))


def test_gradient_of_the_loss():
    """By differences: the IoU in the target counts as a constant, so away from it."""
    _, objects = scenes_for(2)
    said = lm.tensor(random.normal(0.4, 0.3, (2, 3, 4, 15)), requires_grad=True)
    loss = applications.YOLOv1Loss(5)
    loss(objects, said).backward()
    assert np.isfinite(said.grad.numpy()).all()
    classes = said.grad.numpy()[..., 10:]
    at = tuple(np.argwhere(classes)[0])
    moved = [said.numpy().copy() for _ in range(2)]
    for values, step in zip(moved, (1e-5, -1e-5), strict=True):
        values[at[:3]][10 + at[3]] += step
    difference = (loss(objects, moved[0]).item() - loss(objects, moved[1]).item()) / 2e-5
    assert difference == pytest.approx(classes[at], rel=1e-5)


def test_decoding_gives_back_what_was_encoded():
    scenes, objects = scenes_for(5)
    loss = applications.YOLOv1Loss(5, boxes=1)
    targets, _ = loss._targets(objects, np.full((5, 6, 8, 10), 0.5, "float32"))
    targets[..., 4] = targets[..., 5:].max(axis=-1)
    found = applications.best_boxes(*applications.decode_yolo_v1(targets, 5), size=(48, 64), iou_threshold=0.99)
    for answer, boxes, labels in zip(found, scenes.boxes, scenes.labels, strict=True):
        order, wanted = np.lexsort(answer["boxes"].T), np.lexsort(boxes.T)
        np.testing.assert_allclose(answer["boxes"][order], boxes[wanted], atol=1e-4)
        assert answer["labels"][order].tolist() == labels[wanted].tolist()


def test_it_learns():
    lm.set_seed(1)
    scenes = lm.data.load_scenes(count=24, size=(64, 64), max_objects=2, seed=0)
    images = scenes.images.astype("float32") / 255
    objects = applications.pad_boxes(scenes.boxes, scenes.labels, (64, 64))
    model = applications.YOLOv1Small((64, 64, 3), classes=5, filters=8)
    model.compile(optimizer=lm.optimizers.Adam(5e-3), loss=applications.YOLOv1Loss(5))
    history = model.fit(images, objects, epochs=30, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < history[0] / 5
    found = applications.best_boxes(*applications.decode_yolo_v1(model(images), 5), size=(64, 64), score_threshold=0.1)
    truth = [{"boxes": b, "labels": c} for b, c in zip(scenes.boxes, scenes.labels, strict=True)]
    assert lm.metrics.MeanAveragePrecision(rule="voc")(truth, found) > 0.3


def test_on_a_gpu():
    """Or what stands in for one: which boxes are responsible is worked out on the host."""
    scenes, objects = scenes_for(8, (32, 32))
    images = scenes.images.astype("float32") / 255
    with lm.device("cuda"):
        model = applications.YOLOv1Small((32, 32, 3), classes=5, filters=2)
        model.compile(optimizer="adam", loss=applications.YOLOv1Loss(5))
        losses = model.fit(images, objects, epochs=3, batch_size=4, verbose=0).history["loss"]
        found = applications.best_boxes(*applications.decode_yolo_v1(model(lm.tensor(images)), 5), size=(32, 32))
    assert losses[-1] < losses[0]
    assert len(found) == 8


def test_saved_and_loaded(tmp_path):
    model = applications.YOLOv1Small((16, 16, 3), classes=2, filters=2)
    model.save(tmp_path / "model.safetensors")
    x = random.normal(size=(1, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(lm.models.load_model(tmp_path / "model.safetensors")(x).numpy(), model(x).numpy())


SAID = np.zeros((1, 2, 2, 15), "float32")
OBJECT = np.array([[[0, 0, 1, 1, 0]]], "float32")


@pytest.mark.parametrize("box", [
    [0.5, 0.2, 0.3, 0.6], [0.2, 0.5, 0.6, 0.5], [3, 4, 10, 12], [-0.1, 0, 0.5, 0.5], [np.nan, 0, 0.5, 0.5],
])  # fmt: skip
@pytest.mark.parametrize("loss", [
    applications.YOLOv1Loss(5), applications.YOLOv3Loss(5, anchors=((8, 8),), mask=(0,), size=(32, 32)),
])  # fmt: skip
def test_losses_refuse_boxes(loss, box):
    """Inverted, without area, in pixels, outside, not finite: as pad_boxes does, for targets of one's own."""
    objects = np.array([[[0, 0, 1, 1, 0], [*box, 2]]], "float32")
    said = SAID if loss.name == "yolo_v1_loss" else SAID[..., :10]
    with pytest.raises(
        ValueError, match=r"loss: boxes must be .* as pad_boxes makes them of pixels; box 1 of picture 0"
    ):
        loss(objects, said)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: applications.YOLOv1((63, 64, 3)), "YOLOv1: images must be at least 64 x 64 pixels for its strides"),
    (lambda: applications.YOLOv1((None, None, 3)), "need a fixed size of images"),
    (lambda: applications.YOLOv1Small((7, 7, 3)), "at least 8 x 8 pixels"),
    (lambda: applications.YOLOv1Small((64, 64)), r"input_shape must be \(height, width, channels\)"),
    (lambda: applications.YOLOv1Small((32, 32, 3))(np.zeros((1, 32, 32, 4), "float32")), "channels|shape|expected"),
    (lambda: applications.YOLOv1Small(classes=0), "classes must be .*positive|at least 1"),
    (lambda: applications.YOLOv1Loss(5)(OBJECT, SAID[..., 1:]), r"y_pred must have shape \(N, rows, columns, 15\)"),
    (lambda: applications.YOLOv1Loss(5)(OBJECT[..., :4], SAID), r"y_true must have shape \(1, most, 5\)"),
    (lambda: applications.YOLOv1Loss(5)(OBJECT + 7, SAID), "classes must be below 5, got 7"),
    (lambda: applications.YOLOv1Loss(5)(OBJECT + 0.5, SAID), "classes must be whole numbers, got 0.5"),
    (lambda: applications.YOLOv1Loss(5)(OBJECT * np.nan, SAID), "classes must be whole numbers, got nan"),
    (lambda: applications.decode_yolo_v1(SAID, 4), r"outputs must have shape \(N, rows, columns, 5 B \+ 4\)"),
])  # fmt: skip
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
