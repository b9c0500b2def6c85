"""Loss ops, called as they are, beside PyTorch's losses and their formulas in PyTorch: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional
ops = lm.ops
RNG = np.random.default_rng(0)
N, C = 13, 7
NUMBERS, OTHERS, LOGITS = (RNG.normal(0, 2, (N, C)) for _ in range(3))
POSITIVE, MORE = np.abs(NUMBERS) + 0.1, np.abs(OTHERS) + 0.1
ROWS = RNG.dirichlet(np.ones(C), N)  # sums of 1, as targets
PROBABILITIES = RNG.dirichlet(np.ones(C) * 3, N)
UNIT = RNG.uniform(0.02, 0.98, (N, C))
BINARY = (RNG.random((N, C)) < 0.4).astype(float)
SIGNS = 2 * BINARY - 1
SIGNS[0] = [1, -1, 1, 1, -1, 1, -1]
LABELS = RNG.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
WEIGHTS = RNG.uniform(0, 2, N)
GROUPS = RNG.integers(0, 4, N)
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])


def focal(p: Any, t: Any, alpha: float, gamma: float) -> Any:
    """Of single numbers."""
    losses = functional.binary_cross_entropy(p, t, reduction="none")
    wrong = t * (1 - p) + (1 - t) * p
    return ((alpha * t + (1 - alpha) * (1 - t)) * wrong**gamma * losses).mean(-1)


def focal_of_rows(p: Any, t: Any, alpha: Any, gamma: float) -> Any:
    return -(torch.as_tensor(alpha, dtype=p.dtype) * (1 - p) ** gamma * t * torch.log(p)).sum(-1)


def overlap(t: Any, x: Any, alpha: float, beta: float, axes: tuple[int, ...]) -> Any:
    inner = (t * x).sum(axes)
    return 1 - inner / (inner + alpha * (t * (1 - x)).sum(axes) + beta * ((1 - t) * x).sum(axes) + 1e-7)


def normal(p: Any) -> Any:
    return p / p.sum(-1, keepdim=True)


IMAGES, MASKS = RNG.uniform(0.05, 0.95, (N, 4, 5, 2)), (RNG.random((N, 4, 5, 2)) > 0.6).astype(float)
ALPHAS = RNG.uniform(0.1, 0.9, C)
# The targets, what is predicted, our op(prediction, targets, weights, reduction), PyTorch's losses of the samples
Case = tuple[Any, Any, Callable[..., Any], Callable[..., Any]]
CASES: dict[str, Case] = {
    "mean_squared_error": (NUMBERS, OTHERS, lambda x, t, *a: ops.mean_squared_error(t, x, *a),
                           lambda x, t: functional.mse_loss(x, t, reduction="none").mean(-1)),
    "mean_absolute_error": (NUMBERS, OTHERS, lambda x, t, *a: ops.mean_absolute_error(t, x, *a),
                            lambda x, t: functional.l1_loss(x, t, reduction="none").mean(-1)),
    **{f"huber_loss-{delta}": (NUMBERS, OTHERS, lambda x, t, *a, d=delta: ops.huber_loss(t, x, *a, delta=d),
                               lambda x, t, d=delta: functional.huber_loss(x, t, reduction="none", delta=d).mean(-1))
       for delta in (0.4, 1.0, 3.0)},
    "log_cosh_loss": (NUMBERS, OTHERS, lambda x, t, *a: ops.log_cosh_loss(t, x, *a),
                      lambda x, t: torch.log(torch.cosh(x - t)).mean(-1)),
    "poisson_loss": (POSITIVE, MORE, lambda x, t, *a: ops.poisson_loss(t, x, *a),
                     lambda x, t: functional.poisson_nll_loss(x, t, log_input=False, eps=1e-7, reduction="none")
                     .mean(-1)),
    "kl_divergence_loss": (ROWS, PROBABILITIES, lambda x, t, *a: ops.kl_divergence_loss(t, x, *a),
                           lambda x, t: functional.kl_div(torch.log(x), t, reduction="none").sum(-1)),
    "mean_absolute_percentage_error": (
        SIGNS * POSITIVE, OTHERS, lambda x, t, *a: ops.mean_absolute_percentage_error(t, x, *a),
        lambda x, t: 100 * torch.abs((x - t) / t).mean(-1)),
    "mean_squared_logarithmic_error": (
        POSITIVE, MORE, lambda x, t, *a: ops.mean_squared_logarithmic_error(t, x, *a),
        lambda x, t: functional.mse_loss(torch.log1p(x), torch.log1p(t), reduction="none").mean(-1)),
    "cosine_similarity_loss": (NUMBERS, OTHERS, lambda x, t, *a: ops.cosine_similarity_loss(t, x, *a),
                               lambda x, t: -functional.cosine_similarity(x, t, dim=-1)),
    "hinge_loss": (SIGNS, NUMBERS, lambda x, t, *a: ops.hinge_loss(t, x, *a),
                   lambda x, t: torch.relu(1 - t * x).mean(-1)),
    "squared_hinge_loss": (SIGNS, NUMBERS, lambda x, t, *a: ops.squared_hinge_loss(t, x, *a),
                           lambda x, t: (torch.relu(1 - t * x) ** 2).mean(-1)),
    "categorical_hinge_loss": (
        ONE_HOT, NUMBERS, lambda x, t, *a: ops.categorical_hinge_loss(t, x, *a),
        lambda x, t: torch.relu(1 + ((1 - t) * x).amax(-1) - (t * x).sum(-1))),
    "sigmoid_cross_entropy": (
        UNIT, NUMBERS, ops.sigmoid_cross_entropy,
        lambda x, t: functional.binary_cross_entropy_with_logits(x, t, reduction="none").mean(-1)),
    "binary_cross_entropy_from_probabilities": (
        BINARY, UNIT, ops.binary_cross_entropy_from_probabilities,
        lambda x, t: functional.binary_cross_entropy(x, t, reduction="none").mean(-1)),
    "cross_entropy_from_probabilities": (
        LABELS, POSITIVE, ops.cross_entropy_from_probabilities,
        lambda x, t: functional.nll_loss(torch.log(normal(x)), t, reduction="none")),
    "cross_entropy_from_probabilities-soft": (
        ROWS, PROBABILITIES, ops.cross_entropy_from_probabilities, lambda x, t: -(t * torch.log(normal(x))).sum(-1)),
    "softmax_cross_entropy": (LABELS, LOGITS, ops.softmax_cross_entropy,
                              lambda x, t: functional.cross_entropy(x, t, reduction="none")),
    **{f"sigmoid_focal_cross_entropy-{g}": (
        BINARY, LOGITS, lambda *a, g=g: ops.sigmoid_focal_cross_entropy(*a, alpha=0.3, gamma=g),
        lambda x, t, g=g: focal(torch.sigmoid(x), t, 0.3, g)) for g in (0.0, 1.5, 2.0)},
    "binary_focal_cross_entropy": (
        BINARY, UNIT, lambda *a: ops.binary_focal_cross_entropy(*a, alpha=0.7, gamma=2.5),
        lambda x, t: focal(x, t, 0.7, 2.5)),
    "softmax_focal_cross_entropy": (
        ONE_HOT, LOGITS, lambda *a: ops.softmax_focal_cross_entropy(*a, alpha=0.4, gamma=1.5),
        lambda x, t: focal_of_rows(torch.softmax(x, -1), t, 0.4, 1.5)),
    "softmax_focal_cross_entropy-classes": (
        ROWS, LOGITS, lambda *a: ops.softmax_focal_cross_entropy(*a, alpha=ALPHAS),
        lambda x, t: focal_of_rows(torch.softmax(x, -1), t, ALPHAS, 2.0)),
    "categorical_focal_cross_entropy": (
        ROWS, POSITIVE, lambda *a: ops.categorical_focal_cross_entropy(*a, alpha=ALPHAS, gamma=3.0),
        lambda x, t: focal_of_rows(normal(x), t, ALPHAS, 3.0)),
    "dice_loss": (MASKS, IMAGES, lambda x, t, *a: ops.dice_loss(t, x, *a, axis=(1, 2, 3)),
                  lambda x, t: 1 - 2 * (t * x).sum((1, 2, 3)) / (t.sum((1, 2, 3)) + x.sum((1, 2, 3)) + 1e-7)),
    "tversky_loss": (MASKS, IMAGES, lambda x, t, *a: ops.tversky_loss(t, x, *a, alpha=0.2, beta=0.9, axis=(1, 2, 3)),
                     lambda x, t: overlap(t, x, 0.2, 0.9, (1, 2, 3))),
}  # fmt: skip


def close(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape, what
    scale = np.abs(theirs).max(initial=1e-30)
    np.testing.assert_allclose(ours.numpy() / scale, theirs / scale, rtol=tolerance, atol=tolerance, err_msg=what)


@DTYPES
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", CASES)
def test_loss(name: str, reduction: str, weighted: bool, dtype: str, tolerance: float) -> None:
    targets, predicted, ours, theirs = CASES[name]
    targets = targets if targets.dtype.kind == "i" else targets.astype(dtype)
    weights = WEIGHTS.astype(dtype) if weighted else None
    x, u = lm.tensor(predicted.astype(dtype), requires_grad=True), torch.tensor(predicted.astype(dtype))
    u.requires_grad_()
    y = ours(x, targets, weights, reduction)
    losses = theirs(u, torch.tensor(targets))
    losses = losses if weights is None else losses * torch.tensor(weights)
    v = losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()
    close(y, v, tolerance, "value")
    assert y.dtype == dtype
    direction = np.random.default_rng(3).uniform(0.5, 1.5, y.shape).astype(dtype)
    y.backward(direction)
    v.backward(torch.tensor(direction))
    close(x.grad, u.grad, 3 * tolerance, "gradient")


@DTYPES
@pytest.mark.parametrize("q", [0.2, 0.7])
def test_generalized_cross_entropy(q: float, dtype: str, tolerance: float) -> None:
    x, u = lm.tensor(PROBABILITIES.astype(dtype), requires_grad=True), torch.tensor(PROBABILITIES.astype(dtype))
    u.requires_grad_()
    y = ops.generalized_cross_entropy(LABELS, x, q)
    v = (1 - u[torch.arange(N), torch.tensor(LABELS)] ** q) / q
    close(y, v, tolerance, "value")
    y.sum().backward()
    v.sum().backward()
    close(x.grad, u.grad, 3 * tolerance, "gradient")


@DTYPES
@pytest.mark.parametrize("gamma", [2.0, 20.0])
def test_circle_loss(gamma: float, dtype: str, tolerance: float) -> None:
    rows = (NUMBERS / np.linalg.norm(NUMBERS, axis=-1, keepdims=True)).astype(dtype)
    x, u = lm.tensor(rows, requires_grad=True), torch.tensor(rows, requires_grad=True)
    y = ops.circle_loss(GROUPS, x, gamma=gamma, margin=0.3)
    groups, distance = torch.tensor(GROUPS), torch.relu(1 - u @ u.T)
    alike = (groups[:, None] == groups) & ~torch.eye(N, dtype=torch.bool)
    near = (-gamma * torch.relu(0.3 + distance).detach() * (0.3 - distance)).masked_fill(~alike, -torch.inf)
    far = gamma * torch.relu(1.3 - distance).detach() * (0.7 - distance)
    far = far.masked_fill(groups[:, None] == groups, -torch.inf)
    v = functional.softplus(torch.logsumexp(near, 1) + torch.logsumexp(far, 1)) * alike.any(1)
    close(y, v, 10 * tolerance, "value")  # e to the gamma


def mined(u: Any, labels: Any, margin: float, mining: str) -> Any:
    """The mean over anchors (hard) or over pairs (semi-hard)."""
    losses = []
    for i in range(len(u)):
        d = torch.sqrt(((u[i] - u) ** 2).sum(-1) + 0.0)
        alike = [j for j in range(len(u)) if labels[j] == labels[i] and j != i]
        others = [j for j in range(len(u)) if labels[j] != labels[i]]
        if not alike or not others:
            continue
        if mining == "batch_hard":
            losses.append(torch.relu(d[alike].max() - d[others].min() + margin))
            continue
        for j in alike:
            beyond = [k for k in others if d[k] > d[j]]
            far = d[beyond].min() if beyond else d[others].max()
            losses.append(torch.relu(d[j] - far + margin))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard"])
@pytest.mark.parametrize("margin", [0.3, 4.0])
def test_triplets_that_are_searched_for(mining: str, margin: float) -> None:
    x, u = lm.tensor(NUMBERS), torch.tensor(NUMBERS)
    for value in (ops.triplet_mining_loss(GROUPS, x, margin, mining), lm.losses.Triplet(margin, mining)(GROUPS, x)):
        # Distances of ours are those of x and y + 1e-6, as in triplet_margin_loss.
        assert value.item() == pytest.approx(mined(u, GROUPS, margin, mining).item(), rel=1e-5)
