"""VGG, ResNet and Inception beside torchvision's, with random weights under its names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import lamina as lm
from lamina import applications
from lamina.applications.weights import load_weights, torch_names
from parity.torchvision_peer import torch, torchvision
from parity.torchvision_weights import agree, images, randomized, theirs

models = torchvision.models
SMALL = (2, 64, 64, 3)
CASES: dict[str, tuple[Any, Any, tuple[int, ...], dict[str, Any]]] = {
    "vgg16": (applications.VGG16, models.vgg16, (1, 64, 64, 3), {}),
    "vgg19_bn": (applications.VGG19, models.vgg19_bn, (1, 64, 64, 3), {"batch_normalization": True}),
    "resnet18": (applications.ResNet18, models.resnet18, SMALL, {}),
    "resnet34": (applications.ResNet34, models.resnet34, SMALL, {}),
    "resnet50": (applications.ResNet50, models.resnet50, SMALL, {}),
    "resnet50_odd_size": (applications.ResNet50, models.resnet50, (1, 71, 90, 3), {}),
    "resnet152": (applications.ResNet152, models.resnet152, (1, 64, 64, 3), {}),
    "googlenet": (applications.InceptionV1, models.googlenet, (2, 75, 64, 3), {}),
    "inception_v3": (applications.InceptionV3, models.inception_v3, (1, 107, 96, 3), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_same_outputs_for_the_same_weights(name: str, tmp_path: Any) -> None:
    build, build_theirs, shape, extra = CASES[name]
    inception = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network = build_theirs(weights=None, **inception).eval()
    state = randomized(network)
    file = tmp_path / "weights.safetensors"
    save_file({key: np.ascontiguousarray(value) for key, value in state.items()}, file)
    model = build(weights=file, input_shape=shape[1:], classifier_activation=None, **extra)
    trained = [v.size for v in model.trainable_weights]
    auxiliary = [p.numel() for key, p in network.named_parameters() if key.lower().startswith("aux")]
    assert sum(trained) == sum(p.numel() for p in network.parameters()) - sum(auxiliary)
    x = images(*shape)
    with torch.inference_mode():
        agree(model.predict(x, verbose=0), network(theirs(x)))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_classifiers(name: str) -> None:
    build, build_theirs, _, _ = CASES[name]
    shape = (1, 64, 64, 3) if name == "googlenet" else (1, 299, 299, 3)
    network = build_theirs(weights=None, aux_logits=True, init_weights=False).eval()
    state = randomized(network)
    model = build(auxiliary=True, input_shape=shape[1:], classifier_activation=None)
    flattened = {"aux1.fc1": (4, 4, 128), "aux2.fc1": (4, 4, 128)} if name == "googlenet" else None
    load_weights(model, state, {"torchvision": torch_names(model, flattened)})
    network.training = True  # which asks for all outputs; the layers inside stay in inference
    x = images(*shape)
    with torch.inference_mode():
        for ours, peer in zip(model.predict(x, verbose=0), network(theirs(x)), strict=True):
            agree(ours, peer)


def test_gradients_of_a_training_step() -> None:
    network = models.resnet18(weights=None)
    state = randomized(network)
    model = applications.ResNet18(input_shape=(64, 64, 3), classifier_activation=None)
    load_weights(model, state, {"torchvision": torch_names(model)})
    x, y = images(4, 64, 64, 3), np.array([1, 5, 900, 33])
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True)(y, model(x, training=True))
    loss.backward()
    network.train()
    peer = torch.nn.functional.cross_entropy(network(theirs(x)), torch.from_numpy(y))
    peer.backward()
    assert abs(loss.item() / peer.item() - 1) < 1e-4
    gradients = {name: p.grad for name, p in network.named_parameters()}
    layout = torch_names(model)
    for name, expected in gradients.items():
        held = layout[name]
        wanted = held.value(expected.numpy())
        difference = np.abs(held.variable.grad.numpy() - wanted).max()
        assert difference < 1e-4 * np.abs(wanted).max() + 1e-7, name
    agree_on_statistics(model, network)


def agree_on_statistics(model: Any, network: Any) -> None:
    """The moving means; PyTorch's moving variances count one row less, as an unbiased variance does."""
    for name, held in torch_names(model).items():
        if name.endswith("running_mean"):
            np.testing.assert_allclose(held.variable.numpy(), network.state_dict()[name], rtol=1e-4, atol=1e-5)
