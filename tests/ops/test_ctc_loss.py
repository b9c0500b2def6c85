import itertools

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def spelt(path, blank):
    merged = [k for k, _ in itertools.groupby(path)]
    return [k for k in merged if k != blank]


def by_enumeration(x, target, target_length, output_length, blank=0):
    """The definition: the sum over all paths that spell the target."""
    losses = []
    for n in range(len(x)):
        p = np.exp(log_softmax(x[n, : output_length[n]]))
        wanted = list(target[n, : target_length[n]])
        total = 0.0
        for path in itertools.product(range(x.shape[2]), repeat=int(output_length[n])):
            if spelt(path, blank) == wanted:
                total += np.prod([p[t, k] for t, k in enumerate(path)])
        with np.errstate(divide="ignore"):
            losses.append(-np.log(total))
    return np.array(losses)


def by_recursion(x, target, target_length, output_length, blank=0):
    """Forward in NumPy, in the log domain and float64."""
    losses = []
    with np.errstate(divide="ignore"):
        for n in range(len(x)):
            p = log_softmax(x[n])
            z = np.full(2 * target_length[n] + 1, blank)
            z[1::2] = target[n, : target_length[n]]
            skips = np.zeros(len(z), bool)
            skips[3::2] = z[3::2] != z[1:-2:2]
            alpha = np.full(len(z) + 2, -np.inf)
            alpha[2] = 0
            for t in range(output_length[n]):
                stay, one = alpha[2:], alpha[1:-1] if t else np.append(-np.inf, alpha[2:-1])
                two = np.where(skips, alpha[:-2], -np.inf) if t else np.full(len(z), -np.inf)
                alpha = np.append([-np.inf, -np.inf], np.logaddexp(np.logaddexp(stay, one), two) + p[t, z])
            ends = alpha[2:][-2:] if output_length[n] else alpha[2:][-2:] * 1
            losses.append(-np.logaddexp.reduce(ends))
    return np.array(losses)


def targets_of(n, length, classes, blank=0):
    labels = random.integers(0, classes - 1, (n, length))
    return labels + (labels >= blank)


@pytest.mark.parametrize("blank", [0, 1, 2])
def test_the_definition(blank):
    x = random.normal(size=(8, 4, 3)) * 2
    target = targets_of(8, 3, 3, blank)
    target[4] = target[4, 0]
    lengths, steps = np.array([0, 1, 2, 3, 3, 2, 1, 0]), np.array([4, 4, 4, 4, 4, 3, 1, 2])
    expected = by_enumeration(x, target, lengths, steps, blank)
    assert np.isinf(expected[4])
    got = lm.ops.ctc_loss(target, x, lengths, steps, blank)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)
    kept = np.isfinite(expected)
    check = lambda x: lm.ops.ctc_loss(target[kept], x, lengths[kept], steps[kept], blank)  # noqa: E731
    lm.grad_check(check, [x[kept]])


@pytest.mark.parametrize(("n", "steps", "classes", "length"), [(5, 40, 29, 9), (7, 33, 5, 16), (3, 70, 130, 1)])
def test_ctc_loss(n, steps, classes, length):
    target = targets_of(n, length, classes)
    lengths = random.integers(0, length + 1, n)
    used = np.minimum(2 * lengths + random.integers(0, steps, n), steps)
    lengths[0], used[0] = length, steps
    used[-1] = lengths[-1] = 0

    def op(x, target, lengths, used):
        return lm.ops.ctc_loss(target, x, lengths, used)

    def reference(x, target, lengths, used):
        return by_recursion(x, target.astype(int), lengths.astype(int), used.astype(int))

    x = random.normal(size=(n, steps, classes)) * 3
    check_op(
        op, [x, target, lengths, used], reference, batched=(0, 1, 2, 3), layouts=False, tolerance={np.float64: 1e-11}
    )


def test_layouts():
    x = np.asfortranarray(random.normal(size=(3, 5, 4)).astype(">f8"))
    target = np.array([[1, 2], [3, 3], [1, 1]])[:, ::-1]
    got = lm.ops.ctc_loss(target.astype(np.int32), x, [2, 2, 1], np.array([5, 4, 3], np.uint8))
    expected = lm.ops.ctc_loss(target.copy(), np.array(x, float, order="C"), [2, 2, 1], [5, 4, 3])
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_many_threads_give_the_same_bits():
    target = targets_of(16, 30, 40)
    x = random.normal(size=(16, 100, 40)).astype(np.float32)
    check_same_bits(lambda x: lm.ops.ctc_loss(target, x, np.full(16, 30), np.full(16, 100)), [x])


def test_padding_does_not_count():
    x, target = random.normal(size=(2, 9, 4)), np.array([[1, 2], [3, 1]])
    wide = np.concatenate([x, np.full((2, 3, 4), np.nan)], 1)
    more = np.concatenate([target, np.full((2, 5), 99)], 1)
    few, many = lm.tensor(x, requires_grad=True), lm.tensor(wide, requires_grad=True)
    a = lm.ops.ctc_loss(target, few, [2, 1], [9, 9])
    b = lm.ops.ctc_loss(more, many, [2, 1], [9, 9])
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    a.sum().backward()
    b.sum().backward()
    np.testing.assert_array_equal(many.grad.numpy()[:, :9], few.grad.numpy())
    assert not many.grad.numpy()[:, 9:].any()


def test_long_and_certain_sequences_stay_exact_in_float32():
    """Over a thousand steps the losses add up to thousands; the shares of the states must not blur."""
    steps, length = 2000, 300
    target = targets_of(1, length, 50)
    x = (random.normal(size=(1, steps, 50)) * 5).astype(np.float32)
    grads = []
    for dtype in (np.float32, np.float64):
        t = lm.tensor(x.astype(dtype), requires_grad=True)
        loss = lm.ops.ctc_loss(target, t, [length], [steps])
        loss.sum().backward()
        grads.append((loss.item(), t.grad.numpy()))
    np.testing.assert_allclose(grads[0][0], grads[1][0], rtol=1e-6)
    np.testing.assert_allclose(grads[0][1], grads[1][1], atol=1e-4)
    assert np.isfinite(grads[0][1]).all()


def test_too_few_steps():
    x = np.zeros((3, 3, 4), np.float32)
    target, lengths, steps = np.array([[1, 1], [1, 2], [1, 2]]), [2, 2, 2], [2, 2, 1]
    t = lm.tensor(x, requires_grad=True)
    loss = lm.ops.ctc_loss(target, t, lengths, steps)
    assert np.isinf(loss.numpy()).tolist() == [True, False, True]
    loss.sum().backward()
    grad = t.grad.numpy()
    assert np.isnan(grad[0, :2]).all()
    assert np.isnan(grad[2, :1]).all()
    assert np.isfinite(grad[1]).all()
    assert not grad[2, 1:].any()
    t.zero_grad()
    zeroed = lm.ops.ctc_loss(target, t, lengths, steps, zero_infinity=True)
    assert (zeroed.numpy() == 0).tolist() == [True, False, True]
    zeroed.sum().backward()
    np.testing.assert_array_equal(t.grad.numpy()[1], grad[1])
    assert not t.grad.numpy()[[0, 2]].any()


def test_special_logits():
    x = np.zeros((1, 3, 3), np.float64)
    x[0, :, 2] = -np.inf  # a class that cannot be
    t = lm.tensor(x, requires_grad=True)
    loss = lm.ops.ctc_loss([[1]], t, [1], [3])
    np.testing.assert_allclose(loss.numpy(), -np.log(6 / 8), rtol=1e-12)
    loss.sum().backward()
    assert np.isfinite(t.grad.numpy()).all()
    assert np.isinf(lm.ops.ctc_loss([[2]], x, [1], [3]).numpy()).all()
    x[0, 1, 1] = np.nan
    assert np.isnan(lm.ops.ctc_loss([[1]], x, [1], [3]).numpy()).all()
    large = lm.ops.ctc_loss([[1]], np.full((1, 3, 3), 1e30, np.float32), [1], [3])
    np.testing.assert_allclose(large.numpy(), -np.log(6 / 27), rtol=1e-6)


BAD = [
    ({"output": np.zeros((2, 3))}, ValueError, r"output must have shape \(N, T, C\), C at least 1, got \(2, 3\)"),
    ({"output": np.zeros((2, 3, 0))}, ValueError, "C at least 1"),
    ({"target": np.ones((3, 2), int)}, ValueError, r"target must have shape \(2, L\), got \(3, 2\)"),
    ({"target": np.ones(4, int)}, ValueError, r"target must have shape \(2, L\), got \(4,\)"),
    ({"target": np.ones((2, 2))}, TypeError, "target must be integers, got float64"),
    ({"target": [[1, 4], [1, 1]]}, ValueError, r"target must be from 0 to 3, got 4 at \(0, 1\)"),
    ({"target": [[1, -2], [1, 2]]}, ValueError, r"target must be from 0 to 3, got -2 at \(0, 1\)"),
    ({"target": [[1, 2], [0, 2]]}, ValueError, r"must not hold the blank, 0, got it at \(1, 0\)"),
    ({"target_length": [2, 3]}, ValueError, "target_length must be from 0 to 2, got 3 at 1"),
    ({"target_length": [2, -1]}, ValueError, "target_length must be from 0 to 2, got -1 at 1"),
    ({"target_length": [2]}, ValueError, r"target_length must have shape \(2,\), got \(1,\)"),
    ({"target_length": [2.0, 1.0]}, TypeError, "target_length must be integers"),
    ({"output_length": [4, 3]}, ValueError, "output_length must be from 0 to 3, got 4 at 0"),
    ({"mask_index": 4}, ValueError, "mask_index must be from 0 to 3, got 4"),
    ({"mask_index": 1.5}, TypeError, r"mask_index must be an integer, got 1\.5"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD)
def test_bad_arguments(changes, error, message):
    good = {
        "target": [[1, 2], [3, 1]],
        "output": np.zeros((2, 3, 4)),
        "target_length": [2, 1],
        "output_length": [3, 3],
    }
    lm.ops.ctc_loss(**good)
    with pytest.raises(error, match="ctc_loss: .*" + message):
        lm.ops.ctc_loss(**(good | changes))


def test_the_kernel_guards_memory():
    def run(targets, target_lengths, input_lengths, blank):
        x, losses = np.zeros((1, 3, 4)), np.zeros(1)
        arrays = [np.array(a, np.int64) for a in (targets, target_lengths, input_lengths)]
        lm._cpu.ctc_loss(x, *arrays, blank, False, losses, np.zeros_like(x))

    run([[1, 2]], [2], [3], 0)
    for wrong in (([[1, 4]], [2], [3], 0), ([[1, -1]], [2], [3], 0), ([[1, 2]], [3], [3], 0), ([[1, 2]], [-1], [3], 0),
                  ([[1, 2]], [2], [4], 0), ([[1, 2]], [2], [-1], 0), ([[1, 2]], [2], [3], 4)):  # fmt: skip
        with pytest.raises(IndexError, match=r"ctc_loss: .* out of range"):
            run(*wrong)


def test_the_loss_class():
    y_true = np.array([[1, 2, 0], [3, 0, 0], [1, 1, 2]])
    x = random.normal(size=(3, 6, 4))
    each = by_recursion(x, y_true, np.array([2, 1, 3]), np.array([6, 6, 6]))
    np.testing.assert_allclose(lm.losses.ctc(y_true, x).numpy(), each)
    np.testing.assert_allclose(lm.losses.CTC()(y_true, x).item(), each.mean())
    np.testing.assert_allclose(lm.losses.CTC("sum")(y_true.astype(float), x).item(), each.sum())
    weights = np.array([1.0, 0.0, 2.0])
    np.testing.assert_allclose(lm.losses.CTC("none")(y_true, x, weights).numpy(), each * weights)
    loss = lm.losses.get(lm.losses.serialize(lm.losses.CTC(zero_infinity=True)))
    assert loss.zero_infinity
    assert loss(np.array([[1, 1, 1]]), np.zeros((1, 3, 4))).item() == 0
    assert lm.losses.get("ctc").name == "ctc"
    with pytest.raises(ValueError, match=r"ctc: y_true must have shape \(N, L\), got \(3,\)"):
        lm.losses.ctc([1, 2, 3], x)
    with pytest.raises(ValueError, match=r"ctc: y_pred must have shape \(N, T, C\), got \(3, 4\)"):
        lm.losses.ctc(y_true, x[:, 0])
    with pytest.raises(ValueError, match="ctc: y_true must hold whole numbers"):
        lm.losses.ctc(y_true + 0.5, x)


def test_masked_steps_do_not_count():
    y_true, x = np.array([[1, 2], [3, 0]]), random.normal(size=(2, 6, 4))
    mask = np.arange(6) < np.array([6, 3])[:, None]
    each = by_recursion(x, y_true, np.array([2, 1]), np.array([6, 3]))
    np.testing.assert_allclose(lm.losses.CTC("none")(y_true, x, mask=mask).numpy(), each)
    carrying = lm.tensor(x)
    carrying._mask = lm.tensor(mask)
    np.testing.assert_allclose(lm.losses.CTC()(y_true, carrying).item(), each.mean())
    samples = lm.losses.CTC("sum")(y_true, x, mask=np.array([True, False])).item()
    np.testing.assert_allclose(samples, by_recursion(x, y_true, np.array([2, 1]), np.array([6, 6]))[0])
    with pytest.raises(ValueError, match="leaves out must be a sample's last; sample 1 has later ones"):
        lm.losses.CTC()(y_true, x, mask=mask ^ (np.arange(6) == 0) & np.array([[False], [True]]))


# Decoding


def best_by_enumeration(x, length, blank):
    p = np.exp(log_softmax(x[:length]))
    found = {}
    for path in itertools.product(range(x.shape[1]), repeat=length):
        key = tuple(spelt(path, blank))
        found[key] = found.get(key, 0) + np.prod([p[t, k] for t, k in enumerate(path)])
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("blank", [0, 2, None])
def test_a_wide_beam_finds_the_best(blank):
    x = random.normal(size=(6, 5, 3)) * 1.5
    lengths = np.array([5, 4, 3, 2, 1, 0])
    labels, scores = lm.ops.ctc_decode(x, lengths, "beam_search", beam_width=400, top_paths=3, mask_index=blank)
    assert labels.shape == (3, 6, 5)
    assert labels.dtype == np.int32
    assert scores.shape == (6, 3)
    for i, length in enumerate(lengths):
        best = best_by_enumeration(x[i], length, 2 if blank is None else blank)[:3]
        for k, (path, p) in enumerate(best):
            assert labels.numpy()[k, i].tolist() == [*path, *[-1] * (5 - len(path))]
            np.testing.assert_allclose(scores.numpy()[i, k], np.log(p), atol=1e-12)
        for k in range(len(best), 3):
            assert scores.numpy()[i, k] == -np.inf
            assert (labels.numpy()[k, i] == -1).all()


def test_a_narrow_beam_on_long_inputs():
    x = (random.normal(size=(2, 400, 12)) * 8).astype(np.float32)
    labels, scores = lm.ops.ctc_decode(x, [400, 300], "beam_search", beam_width=8)
    assert np.isfinite(scores.numpy()).all()
    for i, length in enumerate((400, 300)):
        path = labels.numpy()[0, i]
        count = int((path >= 0).sum())
        exact = lm.ops.ctc_loss(path[None, :count], x[i : i + 1], [count], [length]).item()
        assert -scores.numpy()[i, 0] >= exact - 1e-2  # a beam drops ways, never invents any
        assert -scores.numpy()[i, 0] < exact + 5


def test_greedy():
    best = np.array([[1, 1, 0, 1, 2, 2], [0, 2, 2, 0, 0, 1]])
    x = np.eye(3)[best] * 2.0
    labels, scores = lm.ops.ctc_decode(x, [6, 3])
    assert labels.numpy().tolist() == [[[1, 1, 2, -1, -1, -1], [2, -1, -1, -1, -1, -1]]]
    assert scores.numpy().tolist() == [[-12.0], [-6.0]]
    labels, _ = lm.ops.ctc_decode(x, [6, 3], merge_repeated=False)
    assert labels.numpy().tolist() == [[[1, 1, 1, 2, 2, -1], [2, 2, -1, -1, -1, -1]]]
    labels, _ = lm.ops.ctc_decode(x, [6, 0], mask_index=None)
    assert labels.numpy().tolist() == [[[1, 0, 1, -1, -1, -1], [-1] * 6]]


def test_decoding_of_nothing_and_bad_arguments():
    for strategy in ("greedy", "beam_search"):
        labels, scores = lm.ops.ctc_decode(np.zeros((0, 4, 3)), np.zeros(0, int), strategy)
        assert labels.shape == (1, 0, 4)
        assert scores.shape == (0, 1)
    x = np.zeros((2, 4, 3))
    for arguments, message in (
        ({"strategy": "best"}, "strategy must be one of"),
        ({"sequence_lengths": [5, 1]}, "sequence_lengths must be from 0 to 4, got 5 at 0"),
        ({"mask_index": 3}, "mask_index must be from 0 to 2, got 3"),
        ({"strategy": "beam_search", "top_paths": 0}, "top_paths must be from 1 to beam_width, got 0 and 100"),
        ({"strategy": "beam_search", "top_paths": 5, "beam_width": 4}, "top_paths must be from 0 to 4, got 5"),
        ({"inputs": x[0]}, r"inputs must have shape \(N, T, C\)"),
    ):
        with pytest.raises(ValueError, match="ctc_decode: " + message):
            lm.ops.ctc_decode(**({"inputs": x, "sequence_lengths": [4, 1]} | arguments))


def test_a_model_learns_to_spell():
    """Rows of noisy one-hot steps, each class held for some steps: labels without places are enough."""
    lm.set_seed(0)
    generator = np.random.default_rng(1)
    y = targets_of(128, 3, 6)
    x = np.zeros((128, 12, 6), np.float32)
    for i in range(128):
        for k, label in enumerate(y[i]):
            x[i, 4 * k + 1 : 4 * k + 1 + generator.integers(1, 4), label] = 1
    model = lm.models.Sequential([lm.layers.Input((12, 6)), lm.layers.Dense(6)])
    model.compile(lm.optimizers.Adam(0.05), "ctc")
    history = model.fit(x, y, epochs=25, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < 0.3 * history.history["loss"][0]
    labels, _ = lm.ops.ctc_decode(model.predict(x, verbose=0), np.full(128, 12))
    assert (labels.numpy()[0, :, :3] == y).all(1).mean() > 0.9
