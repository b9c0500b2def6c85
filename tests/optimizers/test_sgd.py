"""SGD against its formula."""

import numpy as np
import pytest

import lamina as lm


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_formula(momentum, nesterov, dtype):
    random = np.random.default_rng(0)
    w = random.normal(size=(17, 5))
    variable = lm.Variable(w.astype(dtype))
    optimizer = lm.optimizers.SGD(0.1, momentum, nesterov)
    velocity = 0
    for _ in range(5):
        g = random.normal(size=w.shape)
        velocity = momentum * velocity - 0.1 * g
        w = w + (momentum * velocity - 0.1 * g if nesterov else velocity)
        optimizer.apply([g.astype(dtype)], [variable])
    np.testing.assert_allclose(variable.numpy(), w, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
