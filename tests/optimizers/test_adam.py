"""Adam against its formula, with Keras's place of epsilon."""

import numpy as np
import pytest

import lamina as lm


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("epsilon", [1e-7, 0.1])
def test_formula(dtype, epsilon):
    random = np.random.default_rng(0)
    w = random.normal(size=(17, 5))
    variable = lm.Variable(w.astype(dtype))
    optimizer = lm.optimizers.Adam(0.01, 0.8, 0.95, epsilon)
    m = v = 0
    for t in range(1, 7):
        g = random.normal(size=w.shape)
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g * g
        w = w - 0.01 * np.sqrt(1 - 0.95**t) / (1 - 0.8**t) * m / (np.sqrt(v) + epsilon)
        optimizer.apply([g.astype(dtype)], [variable])
    np.testing.assert_allclose(variable.numpy(), w, rtol=1e-4 if dtype == "float32" else 1e-10, atol=1e-6)
