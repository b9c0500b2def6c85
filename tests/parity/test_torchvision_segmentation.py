"""FCN on ResNet-50 beside torchvision's, with random weights under its names."""

from __future__ import annotations

import pytest

from lamina.applications import FCNResNet50
from lamina.applications.weights import load_weights, torch_names
from parity.torchvision_peer import torch, torchvision
from parity.torchvision_weights import agree, images, randomized, theirs


@pytest.mark.parametrize("auxiliary", [False, True])
def test_fcn_resnet50(auxiliary: bool) -> None:
    build = torchvision.models.segmentation.fcn_resnet50
    network = build(weights=None, weights_backbone=None, aux_loss=auxiliary).eval()
    state = randomized(network)
    model = FCNResNet50(input_shape=(49, 64, 3), auxiliary=auxiliary, classifier_activation=None)
    load_weights(model, state, {"torchvision": torch_names(model)})
    assert sum(v.size for v in model.trainable_weights) == sum(p.numel() for p in network.parameters())
    x = images(1, 49, 64, 3)
    with torch.inference_mode():
        expected = network(theirs(x))
    ours = model.predict(x, verbose=0)
    agree(ours[0] if auxiliary else ours, expected["out"])
    if auxiliary:
        agree(ours[1], expected["aux"])
