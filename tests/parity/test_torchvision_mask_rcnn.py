"""Mask R-CNN beside torchvision's, on the same random weights: boxes, scores, masks, losses and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.applications import region_proposal
from lamina.applications.weights import load_weights
from parity.torchvision_peer import torch, torchvision

detection = torchvision.models.detection
SETTINGS = {"min_size": 96, "max_size": 160, "rpn_post_nms_top_n_test": 60, "rpn_post_nms_top_n_train": 80,
            "box_detections_per_img": 20, "anchor_sizes": ((16,), (32,), (48,), (64,), (96,))}  # fmt: skip
PICTURES = [(70, 90), (120, 100)]


def published(classes: int, **settings: Any) -> Any:
    body = torchvision.models.resnet50(weights=None, norm_layer=torchvision.ops.FrozenBatchNorm2d)
    backbone = detection.backbone_utils._resnet_fpn_extractor(body, 5)
    sizes = settings.pop("anchor_sizes")
    anchors = detection.anchor_utils.AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return detection.MaskRCNN(backbone, classes, rpn_anchor_generator=anchors, **settings)


def randomize(network: Any) -> None:
    """Weights with which signals keep their size, objects are seen, and scores lie far apart."""
    generator = torch.Generator().manual_seed(1)
    state = network.state_dict()
    for name, value in state.items():
        if value.ndim > 1:
            gain = 1.0 if "fpn" in name or "cls_" in name or "logits" in name else 2.0
            value.normal_(0, (gain / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("weight"):
            value.uniform_(0.3, 0.6, generator=generator)
        else:
            value.uniform_(-0.1, 0.1, generator=generator)
        if "bbox_pred.weight" in name:
            value.mul_(0.2)
    network.load_state_dict(state)


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    peer = published(6, **SETTINGS)
    randomize(peer)
    model = lm.applications.MaskRCNNResNet50FPN(6, **SETTINGS)
    arrays = {name: value.numpy() for name, value in peer.state_dict().items()}
    load_weights(model, arrays, {"torchvision": model.torch_names()})
    return peer, model


def pictures() -> list[np.ndarray[Any, Any]]:
    random = np.random.default_rng(3)
    return [random.random((*size, 3), np.float32) for size in PICTURES]


def theirs(images: list[Any]) -> list[Any]:
    return [torch.from_numpy(image).permute(2, 0, 1).contiguous() for image in images]


def relative(ours: Any, expected: Any) -> float:
    assert ours.shape == expected.shape
    return float(np.abs(ours - expected).max() / np.abs(expected).max())


def test_published_count() -> None:
    peer = published(91, anchor_sizes=SETTINGS["anchor_sizes"])
    assert sum(p.numel() for p in peer.parameters()) == 44_401_393
    model = lm.applications.MaskRCNNResNet50FPN(91)
    assert sum(w.size for w in model.trainable_weights) == 44_401_393


def test_detections(pair: tuple[Any, Any]) -> None:
    peer, model = pair
    images = pictures()
    with torch.no_grad():
        expected = peer.eval()(theirs(images))
    found = model.predict(images, batch_size=2, verbose=0)
    for ours, answer in zip(found, expected, strict=True):
        answer = {key: value.numpy() for key, value in answer.items()}
        assert len(answer["scores"]) >= 5
        assert answer["scores"].max() - answer["scores"].min() > 0.01
        np.testing.assert_array_equal(ours["labels"], answer["labels"])
        assert relative(ours["boxes"], answer["boxes"]) < 1e-4
        assert relative(ours["scores"], answer["scores"]) < 1e-4
        assert relative(ours["masks"], answer["masks"][:, 0]) < 1e-4


def targets() -> list[dict[str, Any]]:
    found = []
    boxes = [[[10.0, 8.0, 50.0, 60.0], [40.0, 20.0, 88.0, 66.0]], [[5.0, 30.0, 70.0, 100.0]]]
    for size, own, labels in zip(PICTURES, boxes, ([1, 4], [5]), strict=True):
        masks = np.zeros((len(own), *size), np.uint8)
        for mask, (left, top, right, bottom) in zip(masks, np.array(own, int), strict=True):
            mask[top:bottom, left:right] = 1
            mask[top : top + 9, left : left + 9] = 0
        found.append({"boxes": np.array(own, np.float32), "labels": np.array(labels), "masks": masks})
    return found


def test_losses_and_gradients(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sample by one order."""
    peer, model = pair
    images, truth = pictures(), targets()

    def order(n: int) -> np.ndarray[Any, Any]:
        return np.random.default_rng(n).permutation(n)

    monkeypatch.setattr(torch, "randperm", lambda n, device=None: torch.from_numpy(order(n)))
    monkeypatch.setattr(region_proposal, "permutation", order)
    known = [{key: torch.from_numpy(value) for key, value in target.items()} for target in truth]
    expected = peer.train()(theirs(images), known)
    found = model.losses_of(images, truth)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert value.item() > 1e-3, name
        assert abs(found[name].item() - value.item()) < 1e-4 * abs(value.item()), name
    sum(expected.values()).backward()
    found_total = found["loss_mask"]
    for name in sorted(found.keys() - {"loss_mask"}):
        found_total = found_total + found[name]
    found_total.backward()
    gradients = {name: p.grad.numpy() for name, p in peer.named_parameters()}
    names = {name: entry for name, entry in model.torch_names().items() if name in gradients}
    assert len(names) == len(gradients) == len(model.trainable_weights)
    for name, entry in names.items():
        ours, answer = entry.variable.grad.numpy(), entry.value(gradients[name])
        # In float32 a relu near 0 may be open on one side alone: as vectors they agree.
        assert np.linalg.norm(ours - answer) < 1e-3 * np.linalg.norm(answer), name
