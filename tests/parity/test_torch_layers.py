"""Layers and ops that Keras has no counterpart of, or builds from others, beside PyTorch: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
SHAPES = {1: (3, 13, 6), 2: (2, 9, 8, 6), 3: (2, 5, 6, 7, 4)}


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def compare(
    arrays: list[Any], ours: Callable[..., Any], theirs: Callable[..., Any], dtype: str, tolerance: float
) -> None:
    """Values and the gradients of all arrays."""
    arrays = [a.astype(dtype) for a in arrays]
    x = [lm.tensor(a, requires_grad=True) for a in arrays]
    u = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, v = ours(*x), theirs(*u)
    assert (y.shape, str(y.dtype)) == (tuple(v.shape), dtype)
    dy = np.random.default_rng(1234).standard_normal(y.shape).astype(dtype)
    y.backward(dy)
    v.backward(torch.tensor(dy))
    for mine, other in [(y, v.detach()), *((a.grad, b.grad) for a, b in zip(x, u, strict=True))]:
        scale = float(np.sqrt(np.mean(other.numpy() ** 2))) or 1.0
        np.testing.assert_allclose(mine.numpy() / scale, other.numpy() / scale, rtol=tolerance, atol=tolerance)


def first(x: Any) -> Any:
    """Channels first, as PyTorch has them."""
    return x.movedim(-1, 1)


def last(x: Any) -> Any:
    return x.movedim(1, -1)


@DTYPES
@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
@pytest.mark.parametrize(("size", "strides"), [(2, None), (3, 2), (2, 3)])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_lp_pooling(axes: int, size: int, strides: Any, p: float, dtype: str, tolerance: float) -> None:
    layer = getattr(lm.layers, f"LpPooling{axes}D")(p, size, strides, dtype=dtype)
    peer = getattr(nn, f"LPPool{axes}d")(p, size, strides)
    x = np.abs(values(*SHAPES[axes])) + 0.1  # the peer does not take magnitudes
    compare([x], layer, lambda u: last(peer(first(u))), dtype, tolerance)


@DTYPES
@pytest.mark.parametrize(("size", "output"), [(2, None), (3, (9, 8)), (2, (9, 8))])
def test_max_unpooling(size: int, output: Any, dtype: str, tolerance: float) -> None:
    x = values(*SHAPES[2])
    pooled, indices = lm.ops.max_pool2d(x, size, return_indices=True)
    layer = lm.layers.MaxUnpooling2D(size, output_size=output, dtype=dtype)
    places = first(torch.tensor(indices.numpy()))
    peer = nn.MaxUnpool2d(size)
    compare(
        [pooled.numpy()],
        lambda y: layer([y, indices]),
        lambda u: last(peer(first(u), places, None if output is None else list(output))),
        dtype,
        tolerance,
    )


def local(x: Any, kernel: Any, bias: Any, size: tuple[int, ...], strides: int, padding: int) -> Any:
    """A kernel for each place: windows by unfold, whose order is channels, then places; ours is the other way."""
    pictures = first(x) if x.ndim == 4 else first(x)[..., None]
    window = (*size, 1)[:2]
    pads = (padding, padding if x.ndim == 4 else 0)
    step = (strides, strides if x.ndim == 4 else 1)
    seen = functional.unfold(pictures, window, padding=pads, stride=step)  # (N, C * taps, places)
    count = seen.shape[0]
    seen = seen.reshape(count, x.shape[-1], -1, seen.shape[-1]).permute(0, 3, 2, 1).reshape(count, seen.shape[-1], -1)
    y = torch.einsum("npi,pik->npk", seen, kernel)
    return y.reshape(count, *bias.shape) + bias


@DTYPES
@pytest.mark.parametrize(("size", "strides", "padding"), [((3, 2), 1, 0), ((2, 2), 2, 0), ((3, 3), 2, 1)])
@pytest.mark.parametrize("axes", [1, 2])
def test_locally_connected(axes: int, size: Any, strides: int, padding: int, dtype: str, tolerance: float) -> None:
    x, size = values(*SHAPES[axes]), size[:axes]
    places = [(n + 2 * padding - k) // strides + 1 for n, k in zip(x.shape[1:-1], size, strict=True)]
    kernel, bias = values(int(np.prod(places)), int(np.prod(size)) * x.shape[-1], 5), values(*places, 5)
    op = getattr(lm.ops, f"locally_connected{axes}d")
    sides = ((padding, padding),) * axes
    compare(
        [x, kernel, bias],
        lambda a, w, b: op(a, w, b, size, strides, sides, "tanh"),
        lambda a, w, b: torch.tanh(local(a, w, b, size, strides, padding)),
        dtype,
        tolerance,
    )
    if padding:
        return
    layer = getattr(lm.layers, f"LocallyConnected{axes}D")(5, size, strides, activation="tanh", dtype=dtype)
    layer.build((None, *x.shape[1:]))
    layer.set_weights([kernel.astype(dtype), bias.astype(dtype)])
    parameters = [torch.tensor(w) for w in layer.get_weights()]
    compare([x], layer, lambda a: torch.tanh(local(a, *parameters, size, strides, 0)), dtype, tolerance)


def convolve(axes: int, x: Any, kernel: Any, bias: Any, stride: int, padding: int, dilation: int, groups: int) -> Any:
    function = getattr(functional, f"conv{axes}d")
    weight = kernel.permute(axes + 1, axes, *range(axes))
    return last(function(first(x), weight, bias, stride, padding, dilation, groups))


CONVOLUTIONS = pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2)])


@DTYPES
@CONVOLUTIONS
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("axes", [1, 2])
def test_depthwise(
    axes: int, multiplier: int, stride: int, padding: int, dilation: int, dtype: str, tolerance: float
) -> None:
    x, kernel = values(*SHAPES[axes]), values(*(3, 2)[:axes], 6, multiplier)
    op, sides = getattr(lm.ops, f"depthwise_conv{axes}d"), ((padding, padding),) * axes
    flat = (*kernel.shape[:-2], 1, 6 * multiplier)
    compare(
        [x, kernel, values(6 * multiplier)],
        lambda a, w, b: op(a, w, b, stride, sides, dilation),
        lambda a, w, b: convolve(axes, a, w.reshape(flat), b, stride, padding, dilation, 6),
        dtype,
        tolerance,
    )


@DTYPES
@CONVOLUTIONS
@pytest.mark.parametrize("axes", [1, 2])
def test_separable(axes: int, stride: int, padding: int, dilation: int, dtype: str, tolerance: float) -> None:
    x, depthwise = values(*SHAPES[axes]), values(*(3, 2)[:axes], 6, 2)
    op, sides = getattr(lm.ops, f"separable_conv{axes}d"), ((padding, padding),) * axes

    def theirs(a: Any, d: Any, p: Any, b: Any) -> Any:
        flat = d.reshape(*depthwise.shape[:-2], 1, 12)
        return convolve(axes, convolve(axes, a, flat, None, stride, padding, dilation, 6), p, b, 1, 0, 1, 1)

    compare(
        [x, depthwise, values(*(1,) * axes, 12, 5), values(5)],
        lambda a, d, p, b: op(a, d, p, b, stride, sides, dilation),
        theirs,
        dtype,
        tolerance,
    )


def rotated(x: Any, places: Any, wavelength: float, scaling: float) -> Any:
    """The two halves of the features are real and imaginary parts; position p turns them by p / wavelength^..."""
    half = x.shape[-1] // 2
    rates = wavelength ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = (places / scaling)[..., None] * rates
    turn = torch.polar(torch.ones_like(angles), angles).reshape(len(places), *(1,) * (x.ndim - 3), half)
    numbers = torch.complex(x[..., :half].double(), x[..., half:].double()) * turn
    return torch.cat([numbers.real, numbers.imag], -1).to(x.dtype)


@DTYPES
@pytest.mark.parametrize(("wavelength", "scaling", "start"), [(10000.0, 1.0, 0), (500.0, 2.0, 7)])
@pytest.mark.parametrize("shape", [(2, 9, 3, 8), (3, 5, 6)])
def test_rotary(shape: Any, wavelength: float, scaling: float, start: int, dtype: str, tolerance: float) -> None:
    places = torch.arange(start, start + shape[1]).double()
    layer = lm.layers.RotaryEmbedding(wavelength, scaling, dtype=dtype)
    for ours in (
        lambda x: lm.ops.rotary_embedding(x, wavelength, scaling, start_index=start),
        lambda x: layer(x, start_index=start),
    ):
        compare([values(*shape)], ours, lambda u: rotated(u, places, wavelength, scaling), dtype, tolerance)


def waves(length: int, size: int, wavelength: float, start: int = 0) -> Any:
    places = torch.arange(start, start + length).double()
    angles = places[:, None] * torch.exp(-torch.arange(0, size, 2).double() * np.log(wavelength) / size)
    return torch.stack([torch.sin(angles), torch.cos(angles)], -1).reshape(length, -1)[:, :size]


@DTYPES
@pytest.mark.parametrize(("size", "wavelength"), [(8, 10000.0), (7, 100.0)])
def test_sines(size: int, wavelength: float, dtype: str, tolerance: float) -> None:
    y = lm.ops.sine_positions(11, size, wavelength, 5, dtype=dtype)
    np.testing.assert_allclose(y.numpy(), waves(11, size, wavelength, 5), rtol=tolerance, atol=tolerance)
    x = values(2, 11, size).astype(dtype)
    alone = lm.layers.SinePositionEncoding(wavelength, dtype=dtype)(x)
    assert alone.dtype == dtype
    wanted = waves(11, size, wavelength).expand(2, 11, size)
    np.testing.assert_allclose(alone.numpy(), wanted, rtol=tolerance, atol=tolerance)
    added = lm.layers.PositionalEncoding(wavelength, dtype=dtype)
    compare([x], added, lambda u: u + waves(11, size, wavelength).to(u.dtype), dtype, tolerance)


@DTYPES
def test_learned_positions(dtype: str, tolerance: float) -> None:
    layer = lm.layers.PositionEmbedding(9, dtype=dtype)
    x = values(3, 5, 4).astype(dtype)
    layer(x)
    peer = nn.Embedding.from_pretrained(torch.tensor(layer.get_weights()[0]), freeze=False)
    y, v = layer(x), peer(torch.arange(5)).expand(3, 5, 4)
    np.testing.assert_allclose(y.numpy(), v.detach().numpy(), rtol=tolerance, atol=tolerance)
    y.backward(x)
    v.backward(torch.tensor(x))
    grad = layer.trainable_weights[0].grad.numpy()
    np.testing.assert_allclose(grad, peer.weight.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("rate", "steps", "factor"), [(0.3, 4, 0.1), (1.0, 1, 0.5), (0.02, 7, 0.9)])
def test_step_decay(rate: float, steps: int, factor: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], rate)
    peer = torch.optim.lr_scheduler.StepLR(optimizer, steps, factor)
    ours = lm.optimizers.schedules.StepDecay(rate, steps, factor)
    for step in range(30):
        assert ours(step) == pytest.approx(peer.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        peer.step()


@pytest.mark.parametrize(("after", "start", "steps"), [(0.5, 0.1, 5), (0.02, 0.01, 1), (0.3, 0.003, 12)])
def test_linear_warmup(after: float, start: float, steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], after)
    peer = torch.optim.lr_scheduler.LinearLR(optimizer, start / after, 1.0, steps)
    ours = lm.optimizers.schedules.LinearWarmup(after, steps, start)
    for step in range(20):
        assert ours(step) == pytest.approx(peer.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        peer.step()


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("ignored", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_perplexity(logits: bool, ignored: int | None, weighted: bool) -> None:
    scores, tokens = values(6, 4, 5), np.random.default_rng(0).integers(0, 5, (6, 4))
    weights = np.random.default_rng(1).uniform(0, 2, (6, 4)) if weighted else np.ones((6, 4))
    given = scores if logits else torch.softmax(torch.tensor(scores), -1).numpy()
    metric = lm.metrics.Perplexity(logits, ignored)
    for part in (slice(0, 1), slice(1, 6)):
        metric.update_state(tokens[part], given[part], weights[part] if weighted else None)
    losses = functional.cross_entropy(
        torch.tensor(scores).flatten(0, 1), torch.tensor(tokens).flatten(), reduction="none",
        ignore_index=-100 if ignored is None else ignored,
    )  # fmt: skip
    counted = torch.tensor(np.where(tokens == ignored, 0, weights)).flatten()
    assert metric.result() == pytest.approx(torch.exp((losses * counted).sum() / counted.sum()).item(), rel=1e-9)


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix(normalize: str | None) -> None:
    random = np.random.default_rng(0)
    truth, guesses, weights = random.integers(0, 4, 50), random.integers(0, 5, 50), random.uniform(0, 2, 50)
    metric = lm.metrics.ConfusionMatrix(5, normalize)
    metric.update_state(truth[:20], guesses[:20], weights[:20])
    metric.update_state(truth[20:], guesses[20:], weights[20:])
    wanted = torch.zeros(5, 5, dtype=torch.float64)
    wanted.index_put_((torch.tensor(truth), torch.tensor(guesses)), torch.tensor(weights), accumulate=True)
    axes = {"true": 1, "pred": 0, "all": (0, 1)}
    if normalize is not None:
        wanted = torch.nan_to_num(wanted / wanted.sum(axes[normalize], keepdim=True))
    np.testing.assert_allclose(metric.result(), wanted.numpy(), rtol=1e-12)


@pytest.mark.parametrize("axis", [None, (1, 2)])
def test_dice(axis: Any) -> None:
    truth, guesses = (np.random.default_rng(0).random((6, 5, 4)) > 0.5) * 1.0, np.abs(np.tanh(values(6, 5, 4)))
    t, x = torch.tensor(truth), torch.tensor(guesses)
    axes = (0, 1, 2) if axis is None else axis
    wanted = (2 * (t * x).sum(axes) / (t.sum(axes) + x.sum(axes) + 1e-7)).mean().item()
    assert lm.metrics.Dice(axis=axis)(truth, guesses) == pytest.approx(wanted, rel=1e-9)
