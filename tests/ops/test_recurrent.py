"""simple_rnn, gru and lstm: whole sequences, masks, states, both directions."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import lamina as lm
from op_testing import (
    check_empty_batch,
    check_forward,
    check_gradients,
    check_layouts,
    check_op,
    check_rows_alone,
    check_same_bits,
)

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-11}
KINDS = ["simple_rnn", "lstm", "gru", "gru_before"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(kind, gates, u, recurrent_bias, h, c, scale, activation=np.tanh):
    """One step in plain NumPy: gates = x.W + b."""
    n = len(u)
    used = h if scale is None else h * scale
    if kind == "simple_rnn":
        return activation(gates + used @ u), c
    if kind == "lstm":
        i, f, g, o = np.split(gates + used @ u, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    inner = used @ u
    if kind == "gru":
        inner = inner + recurrent_bias
    z, r = sigmoid(gates[..., :n] + inner[..., :n]), sigmoid(gates[..., n : 2 * n] + inner[..., n : 2 * n])
    candidate = r * inner[..., 2 * n :] if kind == "gru" else (r * used) @ u[:, 2 * n :]
    g = np.tanh(gates[..., 2 * n :] + candidate)
    return z * h + (1 - z) * g, c


def reference(kind, x, w, u, b, h=None, c=None, *, mask=None, scale=None, go_backwards=False, zero_output=False,
              in_time=False, activation=np.tanh):  # fmt: skip
    """Keras's rule for masks, step by step."""
    count, steps, _ = x.shape
    n = len(u)
    h = np.zeros((count, n)) if h is None else h
    c = np.zeros((count, n)) if c is None else c
    mask = np.ones((count, steps), bool) if mask is None else mask
    bias, recurrent_bias = b if kind == "gru" and b is not None else (0 if b is None else b, 0)
    y, output = [], np.zeros((count, n))
    for t in range(steps)[:: -1 if go_backwards else 1]:
        new_h, new_c = cell(kind, x[:, t] @ w + bias, u, recurrent_bias, h, c, scale, activation)
        kept = mask[:, t, None]
        output = np.where(kept, new_h, 0 if zero_output else output)
        h, c = np.where(kept, new_h, h), np.where(kept, new_c, c)
        y.append(output)
    y = np.stack(y[::-1] if go_backwards and in_time else y, 1) if y else np.zeros((count, 0, n))
    return (y, h, c) if kind == "lstm" else (y, h)


def weights(kind, inputs, units, seed=0, bias=True):
    random = np.random.default_rng(seed)
    columns = {"simple_rnn": 1, "lstm": 4}.get(kind, 3) * units
    w = random.normal(size=(inputs, columns)) / np.sqrt(inputs)
    u = random.normal(size=(units, columns)) / np.sqrt(units)
    b = random.normal(size=(2, columns) if kind == "gru" else columns) * 0.5
    return [w, u, b] if bias else [w, u]


def op_of(kind, **options):
    """op(x, kernel, recurrent kernel, bias, h, c)."""

    def op(x, w, u, b=None, h=None, c=None):
        given = options | ({"reset_after": kind == "gru"} if kind.startswith("gru") else {})
        state = (h, c) if kind == "lstm" and h is not None else h
        return getattr(lm.ops, kind.removesuffix("_before"))(x, w, u, b, state, **given)

    return op


def sequences(kind, count, steps, inputs, units, states=True):
    random = np.random.default_rng(count + 7 * steps)
    given = [random.normal(size=(count, steps, inputs)), *weights(kind, inputs, units)]
    states = [random.normal(size=(count, units)) for _ in range(1 + (kind == "lstm"))] if states else []
    return given + states


def batched(kind):
    return (0, 4, 5) if kind == "lstm" else (0, 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5, 4, 3, 7), (1, 1, 1, 1), (3, 2, 5, 17)])
def test_dense(kind, shape):
    check_op(
        op_of(kind), sequences(kind, *shape), lambda *a: reference(kind, *a), tolerance=TOLERANCE,
        batched=batched(kind), layouts=shape[0] == 5, places=8,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(33, 2, 8, 32), (9, 2, 16, 48), (16, 2, 2, 65), (2, 2, 600, 20), (3, 2, 2, 520)])
def test_sizes(kind, shape):
    """Every tile of rows, tails of units, chains beyond 512; without states."""
    given = sequences(kind, *shape, states=False)
    check_forward(op_of(kind), given, lambda *a: reference(kind, *a), tolerance=TOLERANCE)
    check_gradients(op_of(kind), given, places=4)
    single = [a.astype(np.float32) for a in given]
    check_rows_alone(op_of(kind), single)
    if shape[3] < 500 or kind == "gru":
        check_same_bits(op_of(kind), single)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "units"), [(5, 160), (13, 64)])
def test_on_several_threads(kind, count, units):
    """Rows shared out, and units shared out with a meeting after each step."""
    given = [a.astype(np.float32) for a in sequences(kind, count, 3, 8, units)]
    check_same_bits(op_of(kind), given)
    check_rows_alone(op_of(kind), given, batched=batched(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {"go_backwards": True},
        {"lengths": np.array([3, 0, 5, 1, 5, 2])},
        {"lengths": np.array([3, 0, 5, 1, 5, 2], np.int32), "go_backwards": True},
        {"mask": True},
        {"mask": True, "go_backwards": True},
        {"mask": True, "zero_output_for_mask": True},
        {"mask": np.ones((6, 5), bool)},
        {"mask": np.zeros((6, 5), bool)},
        {"recurrent_scale": True},
        {"recurrent_scale": True, "mask": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_options(kind, options):
    random = np.random.default_rng(3)
    options = dict(options)
    mask = options.get("mask")
    if mask is True:
        options["mask"] = mask = random.random((6, 5)) < 0.6
    if "lengths" in options:
        mask = np.arange(5) < options["lengths"][:, None]
    scale = 2.0 * (random.random((6, 7)) < 0.5) if "recurrent_scale" in options else None

    def op(*tensors):
        if scale is None:
            return op_of(kind, **options)(*tensors)
        return op_of(kind, **options | {"recurrent_scale": scale.astype(tensors[0].dtype)})(*tensors)

    def expected(*arrays):
        back, zero = options.get("go_backwards", False), options.get("zero_output_for_mask", False)
        return reference(kind, *arrays, mask=mask, scale=scale, go_backwards=back, zero_output=zero)

    given = sequences(kind, 6, 5, 3, 7)
    check_forward(op, given, expected, tolerance=TOLERANCE)
    check_gradients(op, given, places=8)
    check_same_bits(op, [a.astype(np.float32) for a in given])


@pytest.mark.parametrize("kind", KINDS)
def test_time_major(kind):
    """x and y (steps, batch, ...): the same bits as batch-major, with and without lengths."""
    for options in ({}, {"go_backwards": True}, {"lengths": np.array([2, 0, 4, 4, 1])}):
        x, *rest = (lm.tensor(a, requires_grad=True) for a in sequences(kind, 5, 4, 3, 7))
        y, *states = op_of(kind, **options)(x, *rest)
        turned, *turned_states = op_of(kind, time_major=True, **options)(lm.ops.transpose(x, (1, 0, 2)), *rest)
        np.testing.assert_array_equal(turned.numpy().transpose(1, 0, 2), y.numpy())
        for a, b in zip(states, turned_states, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        (y * y).sum().backward()
        dx = x.grad.numpy().copy()
        x.grad_array = None
        (turned * turned).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), dx)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_give_the_bits_of_each_row_alone(kind):
    """Packed or dense, in a batch or alone: y, states and dx; what lies beyond a length is never read."""
    lengths = np.array([4, 6, 1, 6, 3])
    x, w, u, b = (a.astype(np.float32) for a in sequences(kind, 5, 6, 9, 33, states=False))
    for n, length in enumerate(lengths):
        x[n, length:] = np.nan
    together = lm.tensor(x, requires_grad=True)
    y, *states = op_of(kind, lengths=lengths)(together, w, u, b)
    (y * y).sum().backward()
    assert np.isfinite(y.numpy()).all()
    for n, length in enumerate(lengths):
        alone = lm.tensor(x[n : n + 1, :length], requires_grad=True)
        y_alone, *states_alone = op_of(kind)(alone, w, u, b)
        np.testing.assert_array_equal(y.numpy()[n, :length], y_alone.numpy()[0])
        np.testing.assert_array_equal(y.numpy()[n, length:], y_alone.numpy()[0, -1:].repeat(6 - length, 0))
        for a, c in zip(states, states_alone, strict=True):
            np.testing.assert_array_equal(a.numpy()[n], c.numpy()[0])
        assert not together.grad.numpy()[n, length:].any()


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear", None])
def test_activations_of_simple_rnn(activation):
    functions = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "sigmoid": sigmoid}
    given = sequences("simple_rnn", 4, 3, 5, 6)
    function = functions.get(activation, lambda v: v)
    check_forward(
        op_of("simple_rnn", activation=activation), given,
        lambda *a: reference("simple_rnn", *a, activation=function), tolerance=TOLERANCE,
    )  # fmt: skip
    check_gradients(op_of("simple_rnn", activation=activation), given, places=8)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_bias(kind):
    x, w, u, _ = sequences(kind, 4, 3, 5, 6, states=False)
    check_op(op_of(kind), [x, w, u], lambda x, w, u: reference(kind, x, w, u, None), tolerance=TOLERANCE, layouts=False)


@pytest.mark.parametrize("kind", KINDS)
def test_no_steps(kind):
    """Sequences of no steps: the states pass through, and so do their gradients."""
    x, w, u, b, *states = sequences(kind, 3, 0, 2, 4)
    tensors = [lm.tensor(a, requires_grad=True) for a in (x, w, u, b, *states)]
    y, *last = op_of(kind)(*tensors)
    assert y.shape == (3, 0, 4)
    for a, b in zip(last, states, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)
    (last[0] * last[0]).sum().backward()
    np.testing.assert_array_equal(tensors[4].grad.numpy(), 2 * states[0])
    assert not tensors[1].grad.numpy().any()


@pytest.mark.parametrize("kind", KINDS)
def test_training_gives_the_bits_of_inference(kind):
    x, *rest = (a.astype(np.float32) for a in sequences(kind, 5, 4, 3, 37))
    recorded = op_of(kind)(lm.tensor(x, requires_grad=True), *rest)
    for a, b in zip(recorded, op_of(kind)(x, *rest), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def _child(connection, given):
    connection.send(op_of("lstm")(*given)[0].numpy().tobytes())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_threads_meet_in_a_forked_child():
    """Few rows: threads share out the units and wait for one another after every step."""
    given = [a.astype(np.float32) for a in sequences("lstm", 5, 40, 8, 160)]
    before = lm.num_threads()
    try:
        lm.set_num_threads(3)
        expected = op_of("lstm")(*given)[0].numpy().tobytes()
        ours, theirs = multiprocessing.get_context("fork").Pipe()
        child = multiprocessing.get_context("fork").Process(target=_child, args=(theirs, given))
        child.start()
        assert ours.poll(30), "the forked child hangs"
        assert ours.recv() == expected
        child.join()
        assert op_of("lstm")(*given)[0].numpy().tobytes() == expected
    finally:
        lm.set_num_threads(before)


def test_threads_meet_while_others_have_the_pool():
    """Several Python threads at once: one has the pool, the others run alone; nobody waits for ever."""
    given = [a.astype(np.float32) for a in sequences("gru", 5, 20, 8, 160)]
    expected = op_of("gru")(*given)[0].numpy()
    with ThreadPoolExecutor(6) as executor:
        for y in executor.map(lambda _: op_of("gru")(*given)[0].numpy(), range(24)):
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [9, 67, 520])
def test_a_single_step_is_a_step_of_the_sequence(kind, units):
    x, w, u, b, *states = (a.astype(np.float32) for a in sequences(kind, 3, 4, 5, units))
    y, *last = op_of(kind)(x, w, u, b, *states)
    for t in range(4):
        one, *states = op_of(kind)(x[:, t : t + 1], w, u, b, *states)
        np.testing.assert_array_equal(one.numpy()[:, 0], y.numpy()[:, t])
    for a, b in zip(states, last, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def both(kind, states=True, **options):
    """op(x, forward weights, h, (c,) backward weights, h, (c))."""
    n = 2 if kind == "lstm" else 1

    def op(x, *rest):
        half = len(rest) // 2
        parts = rest[:half], rest[half:]
        start = [p[3:] if kind == "lstm" else p[3] for p in parts] if len(parts[0]) == 3 + n else None
        given = options | ({"reset_after": kind == "gru"} if kind.startswith("gru") else {})
        function = getattr(lm.ops, "bidirectional_" + kind.removesuffix("_before"))
        there, back = function(x, parts[0][:3], parts[1][:3], start, **given)
        return *there, *back

    return op


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("masked", [False, True])
def test_both_directions(kind, masked):
    random = np.random.default_rng(5)
    mask = random.random((5, 4)) < 0.7 if masked else None
    x, *there = sequences(kind, 5, 4, 3, 7)
    back = [a + 0.1 for a in there]
    options = {"mask": mask} if masked else {}

    def expected(x, *rest):
        half = len(rest) // 2
        return (
            *reference(kind, x, *rest[:half], mask=mask),
            *reference(kind, x, *rest[half:], mask=mask, go_backwards=True, in_time=True),
        )

    check_forward(both(kind, **options), [x, *there, *back], expected, tolerance=TOLERANCE)
    check_gradients(both(kind, **options), [x, *there, *back], places=6)
    check_same_bits(both(kind, **options), [a.astype(np.float32) for a in (x, *there, *back)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "units"), [(5, 128), (13, 48)])
def test_both_directions_on_several_threads(kind, count, units):
    x, *there = (a.astype(np.float32) for a in sequences(kind, count, 3, 8, units))
    back = [a + a for a in there]
    check_same_bits(both(kind), [x, *there, *back])
    result = both(kind)(x, *there, *back)
    forward, backward = op_of(kind)(x, *there), op_of(kind, go_backwards=True)(x, *back)
    for a, b in zip(result, (*forward, backward[0].numpy()[:, ::-1], *backward[1:]), strict=True):
        np.testing.assert_array_equal(a.numpy(), b if isinstance(b, np.ndarray) else b.numpy())


def test_layouts_of_masks_and_scales():
    x, w, u, b = sequences("lstm", 4, 6, 3, 5, states=False)
    mask = np.random.default_rng(0).random((4, 6)) < 0.5
    wanted = lm.ops.lstm(x, w, u, b, mask=mask)[0].numpy()
    odd = np.asfortranarray(mask)[::-1][::-1]
    np.testing.assert_array_equal(lm.ops.lstm(x, w, u, b, mask=odd)[0].numpy(), wanted)
    check_layouts(op_of("lstm", mask=mask), [x, w, u, b])
    check_empty_batch(op_of("lstm"), [x, w, u, b])


X, W, U, B = np.zeros((2, 3, 4)), np.zeros((4, 20)), np.zeros((5, 20)), np.zeros(20)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.lstm(X[0], W, U), ValueError, r"x must have shape \(batch, steps, features\), got \(3, 4\)"),
        (lambda: lm.ops.lstm(X, W[:3], U), ValueError, r"kernel must have shape .* = \(4, 20\), got \(3, 20\)"),
        (lambda: lm.ops.lstm(X, W, U[:4]), ValueError, r"recurrent_kernel must have shape \(units, 4 \* units\)"),
        (lambda: lm.ops.lstm(X, W, U[0]), ValueError, r"recurrent_kernel must have shape"),
        (lambda: lm.ops.lstm(X, W, U, B[:5]), ValueError, r"lstm: bias must have shape .*, got \(5,\)"),
        (lambda: lm.ops.lstm(X, W, U, B, np.zeros((2, 5))), ValueError, r"must be a pair \(h, c\), got ndarray"),
        (
            lambda: lm.ops.lstm(X, W, U, B, (np.zeros((2, 5)), np.zeros((3, 5)))), ValueError,
            r"initial_state\[1\] must have shape \(batch, units\) = \(2, 5\), got \(3, 5\)",
        ),
        (lambda: lm.ops.lstm(X, W, U, lengths=[4, 1]), ValueError, "lengths must be from 0 to 3 steps, got 4 at 0"),
        (lambda: lm.ops.lstm(X, W, U, lengths=[1, -1]), ValueError, "got -1 at 1"),
        (lambda: lm.ops.lstm(X, W, U, lengths=[1, 1, 1]), ValueError, r"lengths must have shape \(batch,\) = \(2,\)"),
        (lambda: lm.ops.lstm(X, W, U, lengths=[1.0, 2.0]), TypeError, "lengths must be integers, got float32"),
        (lambda: lm.ops.lstm(X, W, U, mask=np.ones((2, 4), bool)), ValueError, r"= \(2, 3\), got \(2, 4\)"),
        (lambda: lm.ops.lstm(X, W, U, mask=np.ones((2, 3))), TypeError, "mask must be boolean, got float64"),
        (lambda: lm.ops.lstm(X, W, U, mask=np.ones((2, 3), bool), lengths=[1, 1]), ValueError, "not both"),
        (lambda: lm.ops.lstm(X, W.astype("f4"), U), TypeError, "kernel must have the dtype of x"),
        (lambda: lm.ops.lstm(X, W, U, recurrent_scale=np.ones(5)), ValueError, "recurrent_scale must have shape"),
        (
            lambda: lm.ops.lstm(X, W, U, recurrent_scale=lm.tensor(np.ones((2, 5)), requires_grad=True)), ValueError,
            "recurrent_scale is a constant",
        ),
        (lambda: lm.ops.gru(X, W[:, :15], U[:, :15], B[:15]), ValueError, r"bias must have shape \(2, 3 \* units\)"),
        (lambda: lm.ops.simple_rnn(X, W[:, :5], U[:, :5], activation="gelu"), ValueError, "activation must be None or"),
        (
            lambda: lm.ops.bidirectional_lstm(X, (W, U, B), (W[:, :4], U[:1, :4], B[:4])), ValueError,
            "both directions must have the same number of units, got 5 and 1",
        ),
        (lambda: lm.ops.bidirectional_lstm(X, (W, U, B), (W[1:], U, B)), ValueError, "backward kernel must have shape"),
    ],
)  # fmt: skip
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("kind", KINDS)
def test_backward_runs_again_where_the_graph_is_retained(kind):
    tensors = [lm.tensor(a, requires_grad=True) for a in sequences(kind, 3, 4, 5, 6)]
    y = op_of(kind, lengths=[4, 0, 2])(*tensors)[0]
    for _ in range(2):
        for t in tensors:
            t.zero_grad()
        (y * y).sum().backward(retain_graph=True)
        found = [t.grad.numpy().copy() for t in tensors]
    for t in tensors:
        t.zero_grad()
    (y * y).sum().backward()
    for t, wanted in zip(tensors, found, strict=True):
        np.testing.assert_array_equal(t.grad.numpy(), wanted)


def bits_of(op, device, given, in_graph):
    """Outputs and gradients; in_graph: of a captured call's replay."""

    def call(*tensors):
        for tensor in tensors:
            tensor.requires_grad = True
        results = op(*tensors)
        lm.ops.sum(sum(lm.ops.sum(result * (i + 1)) for i, result in enumerate(results))).backward()
        return [*results, *(tensor.grad for tensor in tensors)]

    tensors = [lm.tensor(a, device=device) for a in given]
    if in_graph:
        call = lm.cuda_graph(call, warm_up=1)
        call(*[lm.tensor(np.zeros_like(a), device=device) for a in given])
        call(*[lm.tensor(np.zeros_like(a), device=device) for a in given])
    return [t.numpy() for t in call(*tensors)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {"mask": 0.6},
        {"mask": 0.6, "go_backwards": True},
        {"mask": 0.6, "zero_output_for_mask": True},
        {"mask": 0.0},
        {"mask": 1.0},
        {"lengths": np.array([3, 0, 5, 1, 5, 2])},
    ],
    ids=lambda options: "-".join(map(str, options)),
)
def test_masks_on_a_gpu_stay_there(kind, options):
    """The CPU's bits, in a captured call too: nobody waits. What is masked does not count, whatever it holds."""
    options = dict(options)
    given = [a.astype(np.float32) for a in sequences(kind, 6, 5, 3, 7)]
    if "mask" in options:
        options["mask"] = np.random.default_rng(3).random((6, 5)) < options["mask"]
        given[0][~options["mask"]] = np.nan
    wanted = bits_of(op_of(kind, **options), "cpu", given, False)
    place = "mask" if "mask" in options else "lengths"
    there = options | {place: lm.tensor(options[place], device="cuda")}
    for in_graph in (False, True):
        for a, b in zip(bits_of(op_of(kind, **there), "cuda", given, in_graph), wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("time_major", [False, True])
def test_masks_on_a_gpu_in_both_directions(time_major):
    x = np.random.default_rng(1).normal(size=(4, 5, 3)).astype(np.float32)
    given = [x, *[a.astype(np.float32) for seed in (1, 2) for a in weights("lstm", 3, 6, seed)]]
    mask = np.random.default_rng(2).random((5, 4) if time_major else (4, 5)) < 0.5
    for shape in (mask.shape, (mask.shape[0], 0), (0, mask.shape[1])):
        kept = mask[: shape[0], : shape[1]]
        given[0] = x[: kept.shape[1], : kept.shape[0]] if time_major else x[: kept.shape[0], : kept.shape[1]]

        def op(place, in_use, *rest, kept=kept):
            forward, backward = lm.ops.bidirectional_lstm(
                in_use, rest[:3], rest[3:], mask=lm.tensor(kept, device=place), time_major=time_major
            )
            return (*forward, *backward)

        wanted = bits_of(lambda *t: op("cpu", *t), "cpu", given, False)
        for a, b in zip(bits_of(lambda *t: op("cuda", *t), "cuda", given, False), wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def test_gradients_of_a_masked_layer_twice():
    """Backward again where a graph is retained: rows that are of no step are cleared again."""
    given = [lm.tensor(a.astype(np.float32), device="cuda") for a in sequences("gru", 4, 3, 2, 5)]
    given[1].requires_grad = True
    mask = lm.tensor(np.random.default_rng(0).random((4, 3)) < 0.5, device="cuda")
    y, _ = op_of("gru", mask=mask)(*given)
    loss = lm.ops.sum(y)
    loss.backward(retain_graph=True)
    first = given[1].grad.numpy()
    given[1].grad = None
    loss.backward()
    np.testing.assert_array_equal(given[1].grad.numpy(), first)


@pytest.mark.parametrize("kind", ["simple_rnn", "lstm", "gru"])
def test_a_mask_and_a_recurrent_scale_on_a_gpu(kind):
    given = [a.astype(np.float32) for a in sequences(kind, 6, 5, 3, 7)]
    mask, scale = np.random.default_rng(3).random((6, 5)) < 0.6, np.full((6, 7), 2, np.float32)
    wanted = bits_of(op_of(kind, mask=mask, recurrent_scale=scale), "cpu", given, False)
    there = op_of(kind, mask=lm.tensor(mask, device="cuda"), recurrent_scale=lm.tensor(scale, device="cuda"))
    for captured in (False, True):
        for a, b in zip(bits_of(there, "cuda", given, captured), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
