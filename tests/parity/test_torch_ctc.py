"""ctc_loss and ctc_decode beside PyTorch and Keras."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
random = np.random.default_rng(0)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-9}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own use of NumPy


def inputs(n, steps, classes, length, blank, scale=3.0):
    target = random.integers(0, classes - 1, (n, length))
    target += target >= blank
    lengths = random.integers(1, length + 1, n)
    used = np.minimum(2 * lengths + random.integers(0, steps, n), steps)
    lengths[0], used[0] = length, steps
    return random.normal(size=(n, steps, classes)) * scale, target, lengths, used


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "steps", "classes", "length", "blank"),
    [(4, 50, 29, 12, 0), (3, 30, 3, 10, 2), (1, 200, 80, 30, 7), (5, 9, 2, 4, 0), (2, 2, 40, 1, 0)],
)
def test_losses_and_gradients(n, steps, classes, length, blank, dtype):
    x, target, lengths, used = inputs(n, steps, classes, length, blank)
    ours = lm.tensor(x.astype(dtype), requires_grad=True)
    # PyTorch's own float32 is 30 times less exact than ours where sequences are long
    theirs = torch.tensor(x.astype(dtype).astype(float), requires_grad=True)
    weights = random.uniform(0.5, 2, n).astype(dtype)
    got = lm.ops.ctc_loss(target, ours, lengths, used, blank)
    expected = torch.nn.functional.ctc_loss(
        theirs.log_softmax(2).transpose(0, 1), torch.tensor(target), torch.tensor(used), torch.tensor(lengths),
        blank=blank, reduction="none",
    )  # fmt: skip
    np.testing.assert_allclose(got.numpy(), expected.detach().numpy(), rtol=1e-6 if dtype == np.float32 else 1e-10)
    got.backward(weights)
    expected.backward(torch.tensor(weights))
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_too_few_steps(zero_infinity):
    x, target = random.normal(size=(3, 4, 5)), np.array([[1, 1, 1], [1, 2, 3], [2, 2, 1]])
    ours, theirs = lm.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    got = lm.ops.ctc_loss(target, ours, [3, 3, 3], [4, 4, 4], zero_infinity=zero_infinity)
    expected = torch.nn.functional.ctc_loss(
        theirs.log_softmax(2).transpose(0, 1), torch.tensor(target), torch.tensor([4, 4, 4]), torch.tensor([3, 3, 3]),
        reduction="none", zero_infinity=zero_infinity,
    )  # fmt: skip
    np.testing.assert_allclose(got.numpy(), expected.detach().numpy(), rtol=1e-10)
    assert np.isinf(got.numpy()).any() != zero_infinity
    got.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=1e-9)


def test_the_loss_class():
    keras = pytest.importorskip("keras")
    x, target, lengths, _ = inputs(6, 20, 7, 8, 0)
    x = x.astype(np.float32)  # what Keras computes in
    target[np.arange(8) >= lengths[:, None]] = 0
    for reduction in ("sum_over_batch_size", "sum", "none"):
        expected = keras.losses.CTC(reduction=reduction)(target, x)
        got = lm.losses.CTC(reduction=reduction)(target, x)
        np.testing.assert_allclose(got.numpy(), keras.ops.convert_to_numpy(expected), rtol=1e-5)
    np.testing.assert_allclose(
        lm.losses.ctc(target, x).numpy(), keras.ops.convert_to_numpy(keras.losses.ctc(target, x)), rtol=1e-5
    )


@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("merge_repeated", [False, True])
def test_greedy_decoding(blank, merge_repeated):
    keras = pytest.importorskip("keras")
    x, lengths = random.normal(size=(5, 20, 4)).astype(np.float32), np.array([20, 7, 1, 0, 13])
    arguments = {"merge_repeated": merge_repeated, "mask_index": blank}
    labels, scores = lm.ops.ctc_decode(x, lengths, **arguments)
    expected, expected_scores = keras.ops.ctc_decode(x, lengths, **arguments)
    np.testing.assert_array_equal(labels.numpy(), keras.ops.convert_to_numpy(expected))
    np.testing.assert_allclose(scores.numpy(), keras.ops.convert_to_numpy(expected_scores), rtol=1e-5)


@pytest.mark.parametrize(("width", "paths", "blank"), [(3, 1, 0), (10, 4, 0), (40, 3, 4)])
def test_beam_search_decoding(width, paths, blank):
    keras = pytest.importorskip("keras")
    x, lengths = (random.normal(size=(4, 12, 5)) * 2).astype(np.float32), np.array([12, 7, 1, 9])
    arguments = {"strategy": "beam_search", "beam_width": width, "top_paths": paths, "mask_index": blank}
    labels, scores = lm.ops.ctc_decode(x, lengths, **arguments)
    expected, expected_scores = keras.ops.ctc_decode(x, lengths, **arguments)
    np.testing.assert_array_equal(labels.numpy(), keras.ops.convert_to_numpy(expected))
    np.testing.assert_allclose(scores.numpy(), keras.ops.convert_to_numpy(expected_scores), rtol=1e-5)
