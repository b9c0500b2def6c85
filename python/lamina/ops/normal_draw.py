"""normal_draw: a draw from normal distributions that gradients go through, and their divergence from N(0, 1)."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import add, multiply, scaled, square, subtract
from lamina.ops.checks import float_tensor, same_dtype
from lamina.ops.elementary import exp
from lamina.ops.loss import constant, number


class NormalDrawFunction(Function):
    """One node where a dozen would be: codes are small, and what a step of a small network takes is the nodes' time."""

    def forward(self, mean: Any, log_var: Any, noise: Any, weight: float) -> Any:
        mean, log_var = backend.contiguous(mean), backend.contiguous(log_var)
        kernels = backend.kernels(mean)
        deviation, z, terms, part = (backend.empty_like(mean) for _ in range(4))
        total = backend.empty((), mean.dtype, like=mean)
        kernels.multiply(log_var, backend.scalar(0.5, mean), deviation)
        kernels.exp_forward(deviation, deviation)
        kernels.multiply(deviation, noise, z)
        kernels.add(mean, z, z)
        kernels.multiply(deviation, deviation, part)
        kernels.subtract(part, backend.scalar(1.0, mean), part)
        kernels.subtract(part, log_var, part)
        kernels.multiply(mean, mean, terms)
        kernels.add(terms, part, terms)
        kernels.reduce_sum(terms.reshape(1, -1, 1), total)
        kernels.multiply(total, backend.scalar(0.5 * weight, mean), total)
        if self.recording:
            self.saved = mean, deviation, noise, weight
        return z, total

    def backward(self, dz: Any, dtotal: Any) -> Any:
        mean, deviation, noise, weight = self.saved
        kernels = backend.kernels(mean)
        dmean = dlog_var = None
        dz = None if dz is None else backend.contiguous(dz)
        factor = None if dtotal is None else scaled(dtotal, weight)
        if self.needs[0]:
            dmean = _sum(kernels, dz, None if factor is None else _product(kernels, mean, factor))
        if self.needs[1]:
            from_z = from_total = None
            if dz is not None:
                from_z = _product(kernels, dz, noise)
                kernels.multiply(from_z, deviation, from_z)
            if factor is not None:
                from_total = _product(kernels, deviation, deviation)
                kernels.subtract(from_total, backend.scalar(1.0, mean), from_total)
                kernels.multiply(from_total, factor, from_total)
            dlog_var = _sum(kernels, from_z, from_total)
            kernels.multiply(dlog_var, backend.scalar(0.5, mean), dlog_var)
        return dmean, dlog_var

    def graph_backward(self, dz: Any, dtotal: Any) -> Any:
        mean: Any
        log_var: Any
        mean, log_var = self.inputs
        *_, noise, weight = self.saved
        deviation = exp(multiply(log_var, 0.5))
        dmean, dlog_var = dz, None
        if dz is not None:
            dlog_var = multiply(multiply(multiply(dz, Tensor(noise)), deviation), 0.5)
        if dtotal is not None:
            of_mean = multiply(mean, multiply(dtotal, weight))
            of_log_var = multiply(subtract(square(deviation), 1.0), multiply(dtotal, 0.5 * weight))
            dmean = of_mean if dmean is None else add(dmean, of_mean)
            dlog_var = of_log_var if dlog_var is None else add(dlog_var, of_log_var)
        return dmean, dlog_var


def _product(kernels: Any, a: Any, b: Any) -> Any:
    """a * b in an array of its own, of a's shape."""
    y = backend.empty_like(a)
    kernels.multiply(a, b, y)
    return y


def _sum(kernels: Any, a: Any, own: Any) -> Any:
    """a + own, either of which may be None; in the memory of `own` where that is one."""
    if own is None:
        return a
    if a is not None:
        kernels.add(a, own, own)
    return own


def normal_draw(mean: Any, log_var: Any, noise: Any, weight: float = 1.0) -> tuple[Tensor, Tensor]:
    """A draw from N(mean, exp(log_var)), z = mean + exp(log_var / 2) noise, and how far that is from N(0, 1):
    weight KL(N(mean, exp(log_var)) || N(0, 1)) = weight / 2 sum(mean^2 + exp(log_var) - 1 - log_var) over all.

    Args:
        mean: tensor of any shape, float32 or float64.
        log_var: the logarithms of the variances, of the shape and dtype of mean.
        noise: numbers from N(0, 1) of the same shape, as `lamina.random.normal` draws them. No gradient flows to them.
        weight: a factor of the divergence: 1 / N for its mean over a batch.

    Returns:
        z, of mean's shape; the divergence, of shape ().

    Raises:
        ValueError: if the shapes differ, noise requires gradients, or the weight is not finite.
        TypeError: if the dtypes differ or are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> z, divergence = lm.ops.normal_draw([[3.0]], [[0.0]], [[-1.0]])
        >>> z.numpy().tolist(), divergence.item()
        ([[2.0]], 4.5)

    Reference:
        Kingma & Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114, section 2.4 and appendix B.
    """
    mean, log_var = float_tensor(mean, "normal_draw", "mean"), float_tensor(log_var, "normal_draw", "log_var")
    same_dtype("normal_draw", mean=mean, log_var=log_var)
    drawn = backend.contiguous(constant(noise, "normal_draw", "noise", mean).astype(mean.dtype, copy=False))
    for name, shape in (("log_var", log_var.shape), ("noise", drawn.shape)):
        if shape != mean.shape:
            raise ValueError(f"normal_draw: {name} must have the shape of mean, {mean.shape}, got {shape}")
    return NormalDrawFunction.apply((mean, log_var), drawn, number(weight, "normal_draw", "weight"))
