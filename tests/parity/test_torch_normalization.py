"""Norms against torch.nn.functional: values and gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional  # noqa: E402

import lamina as lm  # noqa: E402


def first(x):
    """(N, ..., C) as (N, C, ...)."""
    return x.movedim(-1, 1)


def last(y):
    return y.movedim(1, -1)


# shape, whether gamma and beta are given, ours, theirs
CASES = {
    "layer": ((5, 37), True, lambda x, g, b: lm.ops.layer_norm(x, g, b, epsilon=1e-5),
              lambda x, g, b: functional.layer_norm(x, (37,), g, b)),
    "layer-long": ((3, 9001), True, lambda x, g, b: lm.ops.layer_norm(x, g, b, epsilon=1e-5),
                   lambda x, g, b: functional.layer_norm(x, (9001,), g, b)),
    "layer-axes": ((3, 4, 5), False, lambda x: lm.ops.layer_norm(x, axis=(1, 2), epsilon=1e-5),
                   lambda x: functional.layer_norm(x, (4, 5))),
    "rms": ((5, 37), False, lambda x: lm.ops.rms_norm(x), lambda x: functional.rms_norm(x, (37,), eps=1e-6)),
    "unit": ((5, 37), False, lambda x: lm.ops.unit_norm(x), lambda x: functional.normalize(x, dim=-1)),
    "unit-axis": ((5, 6, 7), False, lambda x: lm.ops.unit_norm(x, 1), lambda x: functional.normalize(x, dim=1)),
    "group": ((3, 7, 5, 12), True, lambda x, g, b: lm.ops.group_norm(x, g, b, 3, epsilon=1e-5),
              lambda x, g, b: last(functional.group_norm(first(x), 3, g, b))),
    "group-pixels": ((2, 40, 30, 8), True, lambda x, g, b: lm.ops.group_norm(x, g, b, 2, epsilon=1e-5),
                     lambda x, g, b: last(functional.group_norm(first(x), 2, g, b))),
    "instance": ((3, 7, 5, 12), True, lambda x, g, b: lm.ops.instance_norm(x, g, b, epsilon=1e-5),
                 lambda x, g, b: last(functional.instance_norm(first(x), weight=g, bias=b))),
    "response": ((3, 7, 5, 12), False, lambda x: lm.ops.local_response_norm(x, 5, 0.3, 0.75, 2.0),
                 lambda x: last(functional.local_response_norm(first(x), 5, 0.3, 0.75, 2.0))),
    "response-even": ((9, 1, 6), False, lambda x: lm.ops.local_response_norm(x, 4, 0.3, 0.6, 2.0),
                      lambda x: last(functional.local_response_norm(first(x), 4, 0.3, 0.6, 2.0))),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_norms(name, dtype):
    shape, scaled, ours, theirs = CASES[name]
    random = np.random.default_rng(0)
    arrays = [random.normal(1, 2, shape)]
    if scaled:
        arrays += [random.uniform(0.5, 1.5, shape[-1]), random.normal(size=shape[-1])]
    arrays = [a.astype(dtype) for a in arrays]
    dy = random.normal(size=shape).astype(dtype)
    a = [lm.tensor(v, requires_grad=True) for v in arrays]
    b = [torch.tensor(v, requires_grad=True) for v in arrays]
    y, expected = ours(*a), theirs(*b)
    tolerance = 1e-5 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    for t, p in zip(a, b, strict=True):
        scale = max(1.0, float(p.grad.abs().max()))
        np.testing.assert_allclose(t.grad.numpy(), p.grad.numpy(), rtol=tolerance, atol=tolerance * scale)
