"""DCGAN and the gradient penalty beside PyTorch's: sizes, outputs, one training step, gradients of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.applications import GAN, dcgan_discriminator, dcgan_generator, dcgan_optimizer

torch = pytest.importorskip("torch")
nn = torch.nn


def torch_generator(latent: int, doublings: int, filters: int, channels: int) -> Any:
    layers: list[Any] = []
    before = latent
    for i in range(doublings - 1, -1, -1):
        count = filters * 2**i
        stride, padding = (1, 0) if i == doublings - 1 else (2, 1)
        layers += [nn.ConvTranspose2d(before, count, 4, stride, padding, bias=False), nn.BatchNorm2d(count), nn.ReLU()]
        before = count
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, channels, 4, 2, 1, bias=False), nn.Tanh())


def torch_discriminator(doublings: int, filters: int, channels: int) -> Any:
    layers: list[Any] = []
    before = channels
    for i in range(doublings):
        count = filters * 2**i
        layers.append(nn.Conv2d(before, count, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(count)] if i else []
        layers.append(nn.LeakyReLU(0.2))
        before = count
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 4, bias=False), nn.Sigmoid())


def copy(ours: Any, theirs: Any) -> None:
    """Kernels (H, W, in, out), or (H, W, out, in) of transposed ones, become PyTorch's."""
    with torch.no_grad():
        for w, parameter in zip(ours.trainable_weights, theirs.parameters(), strict=True):
            array = w.numpy().transpose(3, 2, 0, 1) if w.ndim == 4 else w.numpy()
            parameter.copy_(torch.from_numpy(array.copy()))


def nchw(array: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(np.asarray(array).transpose(0, 3, 1, 2)))


def test_published_sizes() -> None:
    for ours, theirs in (
        (dcgan_generator(), torch_generator(100, 4, 64, 3)),
        (dcgan_discriminator(), torch_discriminator(4, 64, 3)),
    ):
        assert [w.size for w in ours.trainable_weights] == [p.numel() for p in theirs.parameters()]


def test_outputs_and_one_training_step() -> None:
    lm.set_seed(1)
    g, d = dcgan_generator(12, (32, 32, 3), 16), dcgan_discriminator((32, 32, 3), 16)
    their_g, their_d = torch_generator(12, 3, 16, 3), torch_discriminator(3, 16, 3)
    copy(g, their_g)
    copy(d, their_d)
    draw = np.random.default_rng(0)
    x = draw.uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    gan = GAN(d, g, latent=12)
    gan.compile(dcgan_optimizer(), dcgan_optimizer())
    state = lm.random.get_state()
    codes = lm.random.normal((8, 12)).numpy()
    lm.random.set_state(state)
    with torch.no_grad():
        their_fake = their_g.eval()(torch.from_numpy(codes)[:, :, None, None])
        their_score = their_d.eval()(nchw(x)).reshape(-1, 1)
    np.testing.assert_allclose(g.predict(codes, verbose=0).transpose(0, 3, 1, 2), their_fake.numpy(), atol=2e-5)
    np.testing.assert_allclose(d.predict(x, verbose=0), their_score.numpy(), atol=2e-5)

    logs = gan.train_step((x,))
    their_g.train()
    their_d.train()
    loss_of = nn.BCELoss()
    adams = [torch.optim.Adam(m.parameters(), 2e-4, betas=(0.5, 0.999), eps=1e-8) for m in (their_d, their_g)]
    fake = their_g(torch.from_numpy(codes)[:, :, None, None])
    on_real, on_fake = their_d(nchw(x)), their_d(fake.detach())
    d_loss = loss_of(on_real, torch.ones_like(on_real)) + loss_of(on_fake, torch.zeros_like(on_fake))
    d_loss.backward()
    adams[0].step()
    again = their_d(fake)
    g_loss = loss_of(again, torch.ones_like(again))
    their_g.zero_grad()
    g_loss.backward()
    adams[1].step()
    assert logs["d_loss"] == pytest.approx(d_loss.item(), rel=1e-4)
    assert logs["g_loss"] == pytest.approx(g_loss.item(), rel=2e-3)
    for ours, theirs in ((g, their_g), (d, their_d)):
        for w, parameter in zip(ours.trainable_weights, theirs.parameters(), strict=True):
            array = w.numpy().transpose(3, 2, 0, 1) if w.ndim == 4 else w.numpy()
            difference = np.abs(array - parameter.detach().numpy())  # a first step of Adam is as large as its rate
            assert np.median(difference) < 1e-6
            assert difference.mean() < 2e-5


def test_gradient_penalty() -> None:
    draw = np.random.default_rng(0)
    x, kernel = draw.normal(size=(3, 8, 8, 2)), draw.normal(size=(4, 4, 2, 5)) / 5
    gamma, beta, last = draw.normal(size=(4, 4, 5)), draw.normal(size=(4, 4, 5)), draw.normal(size=(80, 1))
    ours = [lm.tensor(a, requires_grad=True) for a in (x, kernel, gamma, beta, last)]
    h = lm.ops.leaky_relu(lm.ops.conv2d(ours[0], ours[1], strides=2, padding="same"), 0.2)
    h = lm.ops.tanh(lm.ops.layer_norm(h, ours[2], ours[3], axis=(1, 2, 3), epsilon=1e-5))
    score = lm.ops.matmul(lm.ops.reshape(h, (3, -1)), ours[4])
    slope = lm.grad(score.sum(), ours[0], create_graph=True)
    penalty = lm.ops.mean((lm.ops.sqrt(lm.ops.sum(slope**2, axis=(1, 2, 3))) - 1) ** 2)
    penalty.backward()

    theirs = [torch.tensor(a, requires_grad=True) for a in (x, kernel, gamma, beta, last)]
    conv = nn.functional.conv2d(theirs[0].permute(0, 3, 1, 2), theirs[1].permute(3, 2, 0, 1), stride=2, padding=1)
    h = nn.functional.leaky_relu(conv, 0.2).permute(0, 2, 3, 1)
    h = torch.tanh(nn.functional.layer_norm(h, (4, 4, 5), theirs[2], theirs[3], 1e-5))
    their_score = h.reshape(3, -1) @ theirs[4]
    (their_slope,) = torch.autograd.grad(their_score.sum(), theirs[0], create_graph=True)
    their_penalty = ((their_slope.pow(2).sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
    their_penalty.backward()
    assert penalty.item() == pytest.approx(their_penalty.item(), rel=1e-10)
    for one, other in zip(ours, theirs, strict=True):
        if other.grad is None or one.grad is None:
            assert other.grad is None or not other.grad.numpy().any()  # beta: the score's slope alone knows it
            continue
        np.testing.assert_allclose(one.grad.numpy(), other.grad.numpy(), rtol=1e-8, atol=1e-10)
