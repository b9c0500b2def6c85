"""Generative training steps: a DCGAN at full size, batch 32; a variational autoencoder 784-400-20, batch 128."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.case import Arrays, Case, Prepared
from bench.steps.training import EPSILON, RATE, STEPS

DEFAULT_MALLOC = True
GAN_FLOPS = 2.0 * 8 * 32 * (105e6 + 107e6)  # a step is about eight passes of about so many multiply-adds a picture


def dcgan_inputs(batch: int) -> Arrays:
    random = np.random.default_rng(2)
    return {
        "x": random.uniform(-1, 1, (batch, 64, 64, 3)).astype(np.float32),
        "z": random.normal(size=(batch, 100)).astype(np.float32),
    }


def dcgan_ours(a: Arrays) -> Prepared:
    import lamina as lm
    from lamina.applications import GAN, dcgan_discriminator, dcgan_generator, dcgan_optimizer

    lm.set_seed(1)
    generator, discriminator = dcgan_generator(), dcgan_discriminator()
    gan = GAN(discriminator, generator, 100)
    gan.compile(dcgan_optimizer(), dcgan_optimizer())
    with lm.no_grad():
        first = np.asarray(generator(a["z"], training=True).numpy())

    def run() -> Any:
        gan.reset_metrics()
        return gan.train_step((a["x"],))["d_loss"]

    return Prepared(run, lambda: {"spread": np.array([first.shape == a["x"].shape, 0.5 < run() < 5], float)})


def dcgan_torch(a: Arrays) -> Prepared:
    import torch
    from torch import nn

    torch.manual_seed(1)
    sizes = (100, 512, 256, 128, 64)
    layers: list[Any] = []
    for i, (before, after) in enumerate(itertools.pairwise(sizes)):
        layers += [nn.ConvTranspose2d(before, after, 4, 2 if i else 1, 1 if i else 0, bias=False),
                   nn.BatchNorm2d(after), nn.ReLU(True)]  # fmt: skip
    g = nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())
    layers = []
    for i, (before, after) in enumerate(zip((3, 64, 128, 256), (64, 128, 256, 512), strict=True)):
        layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(after)] if i else []
        layers.append(nn.LeakyReLU(0.2, True))
    d = nn.Sequential(*layers, nn.Conv2d(512, 1, 4, bias=False), nn.Sigmoid())
    for model in (g, d):
        model.to(memory_format=torch.channels_last)
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
    d_adam, g_adam = (torch.optim.Adam(m.parameters(), 2e-4, betas=(0.5, 0.999), fused=True) for m in (d, g))
    x = peer.tensor(a["x"].transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
    count, loss_of = len(x), nn.BCELoss()
    ones, zeros = torch.ones(count), torch.zeros(count)
    with torch.no_grad():
        first = g(torch.from_numpy(a["z"])[:, :, None, None]).permute(0, 2, 3, 1)

    def run() -> Any:
        d_adam.zero_grad(set_to_none=True)
        fake = g(torch.randn(count, 100, 1, 1))
        d_loss = loss_of(d(x).view(-1), ones) + loss_of(d(fake.detach()).view(-1), zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad(set_to_none=True)
        for p in d.parameters():  # frozen, as it is on our side
            p.requires_grad_(False)
        loss_of(d(fake).view(-1), ones).backward()
        for p in d.parameters():
            p.requires_grad_(True)
        g_adam.step()
        return d_loss.item()

    return Prepared(run, lambda: {"spread": np.array([tuple(first.shape) == a["x"].shape, 0.5 < run() < 5], float)})


def vae_inputs(batch: int) -> Arrays:
    random = np.random.default_rng(2)
    shapes = ((784, 400), (400, 20), (400, 20), (20, 400), (400, 784))
    kernels = {f"w{i}": (random.normal(size=s) / np.sqrt(s[0])).astype(np.float32) for i, s in enumerate(shapes)}
    return {"x": random.uniform(0, 1, (batch, 784)).astype(np.float32), **kernels}


def vae_ours(a: Arrays) -> Prepared:
    from lamina.applications import VariationalAutoencoder
    from lamina.optimizers import Adam

    model = VariationalAutoencoder()
    for w, i in zip([w for w in model.trainable_weights if w.ndim == 2], range(5), strict=True):
        w.assign(a[f"w{i}"])
    model.compile(Adam(RATE, epsilon=EPSILON))
    x = a["x"]
    return Prepared(lambda: model.train_on_batch(x, x), lambda: _losses(lambda: model.train_on_batch(x, x)))


def vae_torch(a: Arrays) -> Prepared:
    import torch
    from torch import nn

    linear = [nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20), nn.Linear(20, 400), nn.Linear(400, 784)]
    with torch.no_grad():
        for i, layer in enumerate(linear):
            layer.weight.copy_(torch.from_numpy(a[f"w{i}"].T))
            layer.bias.zero_()
    adam = torch.optim.Adam(nn.ModuleList(linear).parameters(), RATE, eps=EPSILON, fused=True)
    x = peer.tensor(a["x"])

    def run() -> float:
        adam.zero_grad(set_to_none=True)
        h = torch.relu(linear[0](x))
        mean, log_var = linear[1](h), linear[2](h)
        z = mean + torch.exp(log_var * 0.5) * torch.randn_like(mean)
        y = linear[4](torch.relu(linear[3](z)))
        loss = nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum")
        loss = (loss - 0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).sum()) / len(x)
        loss.backward()
        adam.step()
        return loss.item()

    return Prepared(run, lambda: _losses(run))


def _losses(run: Any) -> dict[str, Any]:
    """Draws differ, so that losses agree to a few parts in a thousand only."""
    return {"losses": np.array([run() for _ in range(STEPS)], np.float64)}


def cases(smoke: bool) -> list[Case]:
    return [
        Case("dcgan 64x64, batch 32, training step", partial(dcgan_inputs, 32), dcgan_ours, dcgan_torch,
             flops=GAN_FLOPS, threads=(0, 1)),
        Case("vae 784-400-20, batch 128, training step", partial(vae_inputs, 128), vae_ours, vae_torch,
             flops=6.0 * 128 * (784 * 400 + 400 * 40 + 20 * 400 + 400 * 784), tolerance=0.02, threads=(0, 1)),
    ]  # fmt: skip
