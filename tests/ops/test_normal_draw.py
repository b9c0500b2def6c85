"""normal_draw: a draw with a gradient and its divergence, in one node."""

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_rows_alone

RANDOM = np.random.default_rng(0)
MEAN, LOG_VAR = RANDOM.standard_normal((301, 401)), RANDOM.standard_normal((301, 401))
NOISE = RANDOM.standard_normal((301, 401))


def reference(mean, log_var, noise=NOISE, weight=1.0):
    z = mean + np.exp(log_var / 2) * noise.astype(mean.dtype)
    return z, np.asarray(weight / 2 * (mean**2 + np.exp(log_var) - 1 - log_var).sum())


def test_normal_draw():
    for weight in (1.0, 0.25 / len(MEAN)):
        check_op(
            lambda mean, log_var, weight=weight: lm.ops.normal_draw(mean, log_var, NOISE, weight),
            [MEAN, LOG_VAR],
            lambda mean, log_var, weight=weight: reference(mean, log_var, weight=weight),
            batch_axis=None,
            narrow=weight < 0.1,  # float16 does not hold the sum of all
        )


def test_a_draw_does_not_depend_on_the_batch():
    noise = NOISE.astype(np.float32)

    def drawn(mean, log_var, noise=noise):
        return lm.ops.normal_draw(mean, log_var, noise[: len(mean)])[0]

    inputs = [MEAN.astype(np.float32), LOG_VAR.astype(np.float32), noise]
    check_rows_alone(
        lambda mean, log_var, e: lm.ops.normal_draw(mean, log_var, e.detach())[0], inputs, batched=(0, 1, 2)
    )
    assert drawn(*inputs[:2]).shape == MEAN.shape


@pytest.mark.parametrize("used", [(True, False), (False, True), (True, True)])
def test_gradients_of_either_output_and_of_gradients(used):
    mean, log_var, noise = MEAN[:3, :4].copy(), LOG_VAR[:3, :4].copy(), NOISE[:3, :4]

    def op(mean, log_var):
        outputs = lm.ops.normal_draw(mean, log_var, noise, 0.5)
        return tuple(y for y, wanted in zip(outputs, used, strict=True) if wanted)

    assert lm.grad_check(op, [mean, log_var])

    @lm.enable_grad()  # differences are taken under no_grad
    def slopes(mean, log_var):
        mean, log_var = (x if x.requires_grad else lm.tensor(x.array, requires_grad=True) for x in (mean, log_var))
        total = sum((y * y).sum() for y in op(mean, log_var))
        return tuple(lm.grad(total, [mean, log_var], create_graph=True))

    assert lm.grad_check(slopes, [mean, log_var], eps=1e-5, atol=2e-5)
    a, b = (lm.tensor(x, requires_grad=True) for x in (mean, log_var))
    total = sum((y * y).sum() for y in op(a, b))
    recorded = slopes(a, b)
    total.backward()
    for x, again in zip((a, b), recorded, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), again.numpy(), rtol=1e-12)


def test_only_one_input_wants_a_gradient():
    for i in (0, 1):
        inputs = [lm.tensor(x[:3], requires_grad=i == j) for j, x in enumerate((MEAN, LOG_VAR))]
        z, divergence = lm.ops.normal_draw(*inputs, NOISE[:3])
        (z.sum() + divergence).backward()
        assert inputs[i].grad is not None
        assert inputs[1 - i].grad is None


def test_nothing_to_draw():
    z, divergence = lm.ops.normal_draw(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)))
    assert z.shape == (0, 3)
    assert divergence.item() == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (MEAN, LOG_VAR[:2], NOISE),
            ValueError,
            r"normal_draw: log_var must have the shape of mean, \(301, 401\), got",
        ),
        ((MEAN, LOG_VAR, NOISE[0]), ValueError, "normal_draw: noise must have the shape of mean"),
        ((MEAN, LOG_VAR.astype("float32"), NOISE), TypeError, "normal_draw: log_var must have the dtype of mean"),
        ((MEAN, LOG_VAR, lm.tensor(NOISE, requires_grad=True)), ValueError, "normal_draw: no gradient flows to noise"),
        ((MEAN, LOG_VAR, NOISE, np.inf), ValueError, "normal_draw: weight must be a finite number, got inf"),
        ((MEAN, LOG_VAR, NOISE, "1"), TypeError, "normal_draw: weight must be a number"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        lm.ops.normal_draw(*arguments)
