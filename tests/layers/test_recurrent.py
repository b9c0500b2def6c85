"""Recurrent layers: NumPy references, states, shapes, configurations, files, refusals."""

import numpy as np
import pytest

import lamina as lm
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    GRUCell,
    Input,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)

random = np.random.default_rng(3)
N, T, F, H = 4, 6, 3, 5
x = random.normal(size=(N, T, F))
KINDS = {SimpleRNN: 1, LSTM: 2, GRU: 1}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def step(kind, weights, a, states, reset_after=True):
    """One step in NumPy."""
    kernel, recurrent, bias = weights
    h = states[0]
    if kind is SimpleRNN:
        return [np.tanh(a @ kernel + h @ recurrent + bias)]
    if kind is LSTM:
        i, f, g, o = np.split(a @ kernel + h @ recurrent + bias, 4, 1)
        c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    if not reset_after:
        first, candidates = np.split(recurrent, [2 * H], 1)
        xz, xr, xh = np.split(a @ kernel + bias, 3, 1)
        hz, hr = np.split(h @ first, 2, 1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        g = np.tanh(xh + (r * h) @ candidates)
        return [z * h + (1 - z) * g]
    xz, xr, xh = np.split(a @ kernel + bias[0], 3, 1)
    hz, hr, hh = np.split(h @ recurrent + bias[1], 3, 1)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    return [z * h + (1 - z) * np.tanh(xh + r * hh)]


def reference(kind, weights, a, states=None, mask=None, backwards=False, zero=False, reset_after=True):
    """Outputs of all steps, in the order taken, and the last states."""
    states = [np.zeros((len(a), H)) for _ in range(KINDS[kind])] if states is None else list(states)
    outputs, before = [], np.zeros((len(a), H))
    for t in reversed(range(a.shape[1])) if backwards else range(a.shape[1]):
        new = step(kind, weights, a[:, t], states, reset_after)
        kept = np.ones((len(a), 1), bool) if mask is None else mask[:, t, None]
        before = np.where(kept, new[0], 0 if zero else before)
        states = [np.where(kept, s, old) for s, old in zip(new, states, strict=True)]
        outputs.append(before)
    return np.stack(outputs, 1), states


def made(kind, **options):
    layer = kind(H, dtype="float64", return_sequences=True, return_state=True, **options)
    layer.build((None, T, F))
    layer.set_weights([random.normal(size=w.shape) * 0.5 for w in layer.weights])
    return layer


prefix = np.arange(T) < np.array([6, 3, 1, 0])[:, None]
scattered = random.random((N, T)) < 0.5


@pytest.mark.parametrize("mask", [None, prefix, scattered, np.zeros((N, T), bool)])
@pytest.mark.parametrize("kind", KINDS)
def test_against_numpy(kind, mask):
    first = [random.normal(size=(N, H)) for _ in range(KINDS[kind])]
    for options in ({}, {"go_backwards": True}, {"zero_output_for_mask": True}):
        for states in (None, first):
            layer = made(kind, **options)
            y, *last = layer(x, mask=mask, initial_state=states)
            expected, final = reference(
                kind, layer.get_weights(), x, states, mask,
                "go_backwards" in options, "zero_output_for_mask" in options,
            )  # fmt: skip
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)
            for p, q in zip(last, final, strict=True):
                np.testing.assert_allclose(p.numpy(), q, rtol=1e-12, atol=1e-12)
            layer.return_sequences = layer.return_state = False
            np.testing.assert_allclose(layer(x, mask=mask, initial_state=states).numpy(), expected[:, -1], rtol=1e-12,
                                       atol=1e-12)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    for mask in (None, scattered):
        layer = made(kind)
        first = [random.normal(size=(N, H)) for _ in range(KINDS[kind])]

        def outputs(a, *rest, layer=layer, mask=mask, count=KINDS[kind]):
            for name, value in zip(("kernel", "recurrent_kernel", "bias"), rest[count:], strict=True):
                setattr(layer.cell, name, value)
            y, *last = layer(a, mask=mask, initial_state=list(rest[:count]))
            return lm.ops.concatenate([lm.ops.reshape(t, (-1,)) for t in (y, *last)])

        weights = layer.get_weights()
        lm.grad_check(outputs, [lm.tensor(v, requires_grad=True) for v in (x, *first, *weights)], places=12)


def test_gru_without_reset_after():
    layer = made(GRU, reset_after=False)
    y, h = layer(x, mask=scattered)
    expected, (last,) = reference(GRU, layer.get_weights(), x, mask=scattered, reset_after=False)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(h.numpy(), last, rtol=1e-12, atol=1e-12)
    assert layer.cell.bias.shape == (3 * H,)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_and_layers_agree(kind):
    layer = made(kind)
    y, *last = layer(x)
    for cell in (layer.cell, StackedRNNCells([layer.cell], dtype="float64")):
        z, *other = RNN(cell, return_sequences=True, return_state=True, dtype="float64")(x)
        other = other if cell is layer.cell else list(other[0]) if isinstance(other[0], list) else other
        for p, q in zip([y, *last], [z, *other], strict=True):
            np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_gives_the_same_bits(kind):
    layer = kind(H, return_sequences=True)
    a = x.astype("float32")
    whole = layer(a).numpy()
    for n in range(N):
        assert (layer(a[n : n + 1]).numpy() == whole[n : n + 1]).all()
    assert (layer(a, mask=prefix).numpy()[1, :3] == whole[1, :3]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_steps_and_no_sequences(kind):
    layer = kind(H, return_sequences=True, return_state=True)
    first = [lm.tensor(np.ones((N, H), "float32"), requires_grad=True) for _ in range(KINDS[kind])]
    y, *last = layer(np.zeros((N, 0, F), "float32"), initial_state=first)
    assert y.shape == (N, 0, H)
    for state in last:
        assert (state.numpy() == 1).all()
    lm.ops.sum(last[0]).backward()
    assert (first[0].grad.numpy() == 1).all()
    assert (kind(H)(np.zeros((N, 0, F), "float32")).numpy() == 0).all()
    assert layer(np.zeros((0, T, F), "float32"))[0].shape == (0, T, H)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_step_are_finite(kind):
    layer = kind(H)
    a = lm.tensor(x.astype("float32"), requires_grad=True)
    y = layer(a, mask=np.zeros((N, T), bool))
    assert (y.numpy() == 0).all()
    lm.ops.sum(y).backward()
    assert np.isfinite(a.grad.numpy()).all()
    assert all(np.isfinite(w.grad.numpy()).all() for w in layer.weights if w.grad is not None)


# States


@pytest.mark.parametrize("kind", KINDS)
def test_stateful(kind):
    layer = made(kind, stateful=True)
    plain = kind.from_config({**layer.get_config(), "stateful": False, "name": "plain"})
    plain.build((None, T, F))
    plain.set_weights(layer.get_weights())
    both = np.concatenate([x, x[:, ::-1]], 1)
    whole, *last = plain(both)
    assert layer.states is None
    parts = [layer(x)[0], layer(x[:, ::-1])[0]]
    np.testing.assert_allclose(np.concatenate([p.numpy() for p in parts], 1), whole.numpy(), rtol=1e-12, atol=1e-12)
    for p, q in zip(layer.states, last, strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match=r"it has states for 4 sequences, got 3"):
        layer(x[:3])
    layer.reset_state()
    np.testing.assert_allclose(layer(x)[0].numpy(), whole.numpy()[:, :T], rtol=1e-12, atol=1e-12)
    layer.reset_states()
    assert all((s.numpy() == 0).all() for s in layer.states)
    assert len(layer.weights) == 3
    assert [w.shape for w in layer.get_weights()] == [w.shape for w in plain.get_weights()]


def test_states_of_a_batch_do_not_change_the_gradients_of_the_one_before():
    layer = made(LSTM, stateful=True)
    layer(x)
    y, *_ = layer(x)
    layer(x[:, ::-1])
    layer.reset_state()
    lm.ops.sum(y).backward()
    found = layer.cell.recurrent_kernel.grad.numpy()
    other = made(LSTM, stateful=True)
    other.set_weights(layer.get_weights())
    other(x)
    lm.ops.sum(other(x)[0]).backward()
    assert (found == other.cell.recurrent_kernel.grad.numpy()).all()


def test_a_stateful_model_trains_and_predicts():
    model = lm.models.Sequential([Input(batch_shape=(4, T, F)), LSTM(H, stateful=True), Dense(1)])
    model.compile("adam", "mse")
    data = np.tile(x.astype("float32"), (2, 1, 1))
    model.fit(data, np.zeros((8, 1)), batch_size=4, epochs=2, shuffle=False, verbose=0)
    model.reset_states()
    first = model.predict(data[:4], verbose=0)
    assert (first != model.predict(data[:4], verbose=0)).any()
    model.reset_states()
    assert (first == model.predict(data[:4], verbose=0)).all()
    with pytest.raises(ValueError, match=r"\(4, 6, 3\), got \(3, 6, 3\)"):
        model.predict(data[:3], verbose=0)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_states(kind):
    layer = kind(H)
    count = KINDS[kind]
    wanted = r"\(4, 5\)"
    with pytest.raises(ValueError, match=f"{layer.name}: initial_state must be {count} tensors, .*{wanted}; got 3"):
        layer(x, initial_state=[np.zeros((N, H))] * 3)
    for shape in ((N, H + 1), (N - 1, H), (H,)):
        with pytest.raises(ValueError, match=f"{layer.name}: initial_state must have shapes .*{wanted}, got"):
            layer(x, initial_state=[np.zeros(shape)] * count)
    with pytest.raises(ValueError, match="initial_state must have shapes"):
        layer(Input((T, F)), initial_state=[Input((H + 1,))] * count)


def test_wrong_masks_and_inputs():
    layer = LSTM(H)
    for mask in (np.ones((N, T + 1), bool), np.ones((N,), bool), np.ones((N - 1, T), bool)):
        with pytest.raises(ValueError, match=rf"{layer.name}: mask must have shape \(4, 6\), got"):
            layer(x, mask=mask)
    with pytest.raises(ValueError, match="mask must hold booleans"):
        layer(x, mask=np.full((N, T), 0.5))
    with pytest.raises(TypeError, match="mask must hold booleans, got complex"):
        layer(x, mask=np.ones((N, T), complex))
    for shape in ((N, T), (N, T, F, 2)):
        with pytest.raises(ValueError, match=r"x must have shape \(N, T, features\)"):
            LSTM(H)(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match="shape"):
        layer(np.zeros((N, T, F + 1), "float32"))


@pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU, SimpleRNNCell, LSTMCell, GRUCell])
def test_wrong_arguments(kind):
    for units, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match="units must be a positive integer"):
            kind(units)
    for name in ("dropout", "recurrent_dropout"):
        with pytest.raises(ValueError, match=f"{name} must be from 0 to 1, got 1.5"):
            kind(3, **{name: 1.5})
        with pytest.raises(TypeError, match=f"{name} must be a number from 0 to 1, got True"):
            kind(3, **{name: True})
    with pytest.raises(TypeError, match="seed must be an integer or None, got 'a'"):
        kind(3, seed="a")
    with pytest.raises(ValueError, match="activation must be"):
        kind(3, activation="nothing")


def test_wrong_cells():
    with pytest.raises(TypeError, match="a cell must be callable"):
        RNN(3)
    with pytest.raises(TypeError, match="state_size"):
        RNN(Dense(3))
    with pytest.raises(ValueError, match="at least one cell"):
        StackedRNNCells([])

    class Odd(lm.layers.Layer):
        state_size = "many"

        def call(self, x, states):
            return x, states

    with pytest.raises(TypeError, match="state_size must be an integer"):
        RNN(Odd())
    with pytest.raises(ValueError, match="expected 2 states, got 1"):
        LSTMCell(3)(np.zeros((2, 3)), [lm.ops.zeros((2, 3))])


# Dropout


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_the_same_in_all_steps(kind):
    constant = np.ones((2, 50, 8), "float32")
    layer = kind(6, dropout=0.5, recurrent_dropout=0.0, seed=7)
    layer.build((None, 50, 8))
    drops = layer.cell.get_dropout_mask(lm.tensor(constant[:, 0]))
    assert len(drops) == 1
    assert set(drops[0].numpy().ravel().tolist()) == {0.0, 2.0}
    layer.cell.reset_dropout_mask()
    a = layer(constant, training=True).numpy()
    assert layer.cell._input_masks is None
    b = layer(constant, training=True).numpy()
    assert (a != b).any()
    again = kind.from_config(layer.get_config())
    again.build((None, 50, 8))
    again.set_weights(layer.get_weights())
    again.cell.get_dropout_mask(lm.tensor(constant[:, 0]))
    again.cell.reset_dropout_mask()
    assert (again(constant, training=True).numpy() == a).all()
    assert (layer(constant).numpy() == layer(constant).numpy()).all()


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_recurrent_dropout_with_a_mask_a_gate(kind):
    lm.set_seed(3)
    layer = kind(6, recurrent_dropout=0.5, dropout=0.25, return_sequences=True, implementation=1)
    a = lm.tensor(random.normal(size=(3, 9, 8)).astype("float32"), requires_grad=True)
    y = layer(a, training=True)
    assert (y.numpy() != layer(a).numpy()).any()
    lm.ops.sum(y).backward()
    assert np.isfinite(a.grad.numpy()).all()
    masks = layer.cell.get_recurrent_dropout_mask(lm.ops.zeros((3, 6)))
    assert len({m.numpy().tobytes() for m in masks}) == len(masks) == layer.cell.gates


# One op for all steps


def by_steps(layer):
    """The same layer, its cell called step by step."""
    other = type(layer).from_config(layer.get_config())
    other.build((None, T, F))
    other.set_weights(layer.get_weights())
    for inner in other.layers_inside():
        if hasattr(inner, "fused"):
            inner.fused = lambda: False
    return other


@pytest.mark.parametrize("mask", [None, scattered])
@pytest.mark.parametrize("kind", KINDS)
def test_one_op_does_what_steps_do(kind, mask):
    first = [random.normal(size=(N, H)) for _ in range(KINDS[kind])]
    for options in (
        {}, {"use_bias": False}, {"return_sequences": True}, {"go_backwards": True, "return_sequences": True},
        {"dropout": 0.4, "seed": 3}, {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 3, "return_state": True},
        {"zero_output_for_mask": True, "return_sequences": True, "return_state": True},
        *([{"reset_after": False}] if kind is GRU else []),
        *([{"activation": "relu"}, {"activation": "linear"}] if kind is SimpleRNN else []),
    ):  # fmt: skip
        layer = kind(H, dtype="float64", **options)
        layer.build((None, T, F))
        layer.set_weights([random.normal(size=w.shape) * 0.5 for w in layer.weights])
        other = by_steps(layer)
        for states in (None, first):
            grads = []
            results = []
            for one in (layer, other):
                one.zero_grad()
                a = lm.tensor(x, requires_grad=True)
                y = one(a, mask=mask, initial_state=states, training=True)
                y = list(y) if isinstance(y, tuple) else [y]
                results.append([t.numpy() for t in y])
                total = sum((lm.ops.sum(t * t) for t in y), lm.tensor(np.zeros(())))
                total.backward()
                grads.append([t.grad.numpy() for t in (a, *one.weights)])
            for p, q in zip(results[0] + grads[0], results[1] + grads[1], strict=True):
                np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("mask", [None, scattered])
def test_stacked_cells_in_an_op_each(mask):
    for options in ({}, {"return_sequences": True, "return_state": True}, {"go_backwards": True, "return_state": True},
                    {"zero_output_for_mask": True, "go_backwards": True, "return_sequences": True}):  # fmt: skip
        for dropout in (0.0, 0.3):
            given = {"dtype": "float64", "dropout": dropout, "seed": 5}
            layer = RNN([LSTMCell(H, **given), GRUCell(3, **given), SimpleRNNCell(2, **given)], **options)
            layer.build((None, T, F))
            layer.set_weights([random.normal(size=w.shape) * 0.5 for w in layer.weights])
            other = by_steps(layer)
            first = [[random.normal(size=(N, H))] * 2, random.normal(size=(N, 3)), random.normal(size=(N, 2))]
            for states in (None, first):
                grads = []
                for one in (layer, other):
                    one.zero_grad()
                    a = lm.tensor(x, requires_grad=True)
                    found = lm.autograd.symbolic.leaves_of(one(a, mask=mask, initial_state=states, training=True))
                    lm.ops.sum(lm.ops.concatenate([lm.ops.reshape(t * t, (-1,)) for t in found])).backward()
                    grads.append([*[t.numpy() for t in found], *[t.grad.numpy() for t in (a, *one.weights)]])
                for p, q in zip(*grads, strict=True):
                    np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-11)


def test_a_layer_is_one_node():
    for layer in (LSTM(H), GRU(H), SimpleRNN(H), RNN(LSTMCell(H))):
        a = lm.tensor(x.astype("float32"), requires_grad=True)
        y = layer(a)
        assert y.node.inputs[0] is a
    both = Bidirectional(LSTM(H))(a)
    assert both.node.inputs[0].node.inputs[0] is a
    assert both.node.inputs[0].node is both.node.inputs[1].node


@pytest.mark.parametrize("mask", [None, prefix])
@pytest.mark.parametrize("kind", KINDS)
def test_both_directions_in_one_op(kind, mask):
    first = [random.normal(size=(N, H)) for _ in range(2 * KINDS[kind])]
    sequences = {"return_sequences": True}
    for options in (
        {},
        sequences,
        {"return_state": True},
        {**sequences, "stateful": True},
        {"dropout": 0.4, "seed": 3},
    ):
        layer = Bidirectional(kind(H, dtype="float64", **options), dtype="float64", merge_mode="mul")
        layer(x)
        if "stateful" in options:
            layer.reset_state()
        other = by_steps(layer)
        for training in (False, True):
            for states in (None, first):
                y, z = (one(x, mask=mask, initial_state=states, training=training) for one in (layer, other))
                for p, q in zip(y, z, strict=True) if isinstance(y, tuple) else [(y, z)]:
                    np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-9, atol=1e-11)


# Shapes, configurations, files


@pytest.mark.parametrize("kind", KINDS)
def test_shapes(kind):
    for sequences in (False, True):
        for state in (False, True):
            layer = kind(H, return_sequences=sequences, return_state=state)
            shapes = layer.compute_output_shape((None, T, F))
            y = layer(x)
            s = layer(Input((None, F)))
            if not state:
                y, shapes, s = (y,), (shapes,), (s,)
            assert [t.shape[1:] for t in y] == [shape[1:] for shape in shapes]
            assert [t.shape[-1] for t in s] == [H] * len(y)
    assert kind(H).flops((None, T, F)) > T * 2 * H * (F + H)


def layers():
    return [
        SimpleRNN(H, "relu", dropout=0.1), LSTM(H, recurrent_activation="hard_sigmoid", unit_forget_bias=False),
        GRU(H, reset_after=False, use_bias=False, go_backwards=True, zero_output_for_mask=True),
        LSTM(H, stateful=True, return_sequences=True, return_state=True, kernel_regularizer="l2", seed=3),
        RNN(GRUCell(H), return_sequences=True), RNN(StackedRNNCells([LSTMCell(H), SimpleRNNCell(2)])),
        RNN([LSTMCell(H), LSTMCell(H)]),
        Bidirectional(LSTM(H), merge_mode="sum"),
        Bidirectional(GRU(H, return_sequences=True), backward_layer=SimpleRNN(H, go_backwards=True,
                                                                              return_sequences=True)),
        lm.layers.TimeDistributed(Dense(2)), lm.layers.Masking(0.5),
    ]  # fmt: skip


def test_configurations():
    for layer in layers():
        layer(x)
        again = lm.layers.deserialize(lm.layers.serialize(layer))
        assert again.get_config() == layer.get_config()
        again.build((None, T, F))
        again.set_weights(layer.get_weights())
        if layer.__class__ is LSTM and layer.stateful:
            layer.reset_state()
        first, second = layer(x), again(x)
        pairs = zip(first, second, strict=True) if isinstance(first, tuple) else [(first, second)]
        for p, q in pairs:
            assert (p.numpy() == q.numpy()).all()


def test_models_are_saved_and_loaded(tmp_path):
    start = Input((None, F), name="x")
    masked = lm.layers.Masking()(start)
    y, h, c = LSTM(H, return_sequences=True, return_state=True)(masked)
    both = Bidirectional(GRU(H, return_sequences=True))(y, initial_state=[h, c])
    last = RNN(StackedRNNCells([LSTMCell(4), GRUCell(3)]))(both)
    model = lm.models.Model(start, Dense(1)(last))
    model.compile("adam", "mse")
    model.fit(x, np.zeros((N, 1)), verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    a = x.astype("float32")
    a[1, 2:] = 0
    assert (model.predict(a, verbose=0) == again.predict(a, verbose=0)).all()
    lines = []
    again.summary(print_fn=lines.append)
    assert "Bidirectional" in lines[0]
    assert "LSTM" in lines[0]
    stateful = lm.models.Sequential([Input(batch_shape=(N, T, F)), LSTM(2, stateful=True)])
    stateful.save(tmp_path / "s.safetensors")
    loaded = lm.models.load_model(tmp_path / "s.safetensors")
    assert loaded.layers[0].stateful
    assert (loaded.predict(a, verbose=0) == stateful.predict(a, verbose=0)).all()


def test_symbolic_states():
    start, h, c = Input((T, F)), Input((H,)), Input((H,))
    layer = LSTM(H, return_state=True, dtype="float64")
    model = lm.models.Model([start, h, c], list(layer(start, initial_state=[h, c])))
    given = [random.normal(size=(N, H)).astype("float32") for _ in range(2)]
    a = x.astype("float32")
    found = model.predict([a, *given], verbose=0)
    expected, final = reference(LSTM, layer.get_weights(), a.astype(float), given)
    for p, q in zip(found, [expected[:, -1], *final], strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-6)


def test_an_encoder_and_a_decoder_train():
    a, b = Input((T, F)), Input((3, 2))
    _, *states = LSTM(H, return_state=True)(a)
    y = LSTM(H, return_sequences=True)(b, initial_state=states)
    model = lm.models.Model([a, b], lm.layers.TimeDistributed(Dense(2))(y))
    model.compile(lm.optimizers.Adam(0.05), "mse")
    target = random.normal(size=(N, 3, 2)).astype("float32")
    history = model.fit([x, target], target, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


# Bidirectional


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
def test_bidirectional(mode):
    layer = Bidirectional(LSTM(H, dtype="float64", return_sequences=True), merge_mode=mode, dtype="float64")
    y = layer(x, mask=scattered)
    weights = layer.get_weights()
    a, _ = reference(LSTM, weights[:3], x, mask=scattered, zero=True)
    b, _ = reference(LSTM, weights[3:], x, mask=scattered, backwards=True, zero=True)
    b = b[:, ::-1]
    expected = {"concat": lambda: np.concatenate([a, b], -1), "sum": lambda: a + b, "ave": lambda: (a + b) / 2,
                "mul": lambda: a * b, None: lambda: (a, b)}[mode]()  # fmt: skip
    pairs = zip(y, expected, strict=True) if mode is None else [(y, expected)]
    for p, q in pairs:
        np.testing.assert_allclose(p.numpy(), q, rtol=1e-12, atol=1e-12)
    names = [layer.forward_layer.name, layer.backward_layer.name]
    assert names[0].startswith("forward_lstm")
    assert names[1].startswith("backward_lstm")
    assert layer.compute_output_shape((None, T, F)) == (
        ((None, T, H), (None, T, H)) if mode is None else (None, T, 2 * H if mode == "concat" else H)
    )


def test_bidirectional_states():
    layer = Bidirectional(GRU(H, return_state=True, stateful=True))
    y, first, second = layer(x)
    assert y.shape == (N, 2 * H)
    assert first.shape == second.shape == (N, H)
    assert len(layer.states) == 2
    layer.reset_states()
    assert (layer.states[0].numpy() == 0).all()
    assert (layer(x)[0].numpy() == y.numpy()).all()
    given = [lm.ops.ones((N, H)), lm.ops.zeros((N, H))]
    z, *_ = layer(x, initial_state=given)
    assert (z.numpy()[:, :H] != y.numpy()[:, :H]).any()
    with pytest.raises(ValueError, match="states of both layers, got 1"):
        layer(x, initial_state=given[:1])
    other = Bidirectional(GRU(H, return_state=True, stateful=True), weights=layer.get_weights())
    assert (other(x)[0].numpy() == y.numpy()).all()


def test_wrong_bidirectional():
    with pytest.raises(ValueError, match="merge_mode must be one of"):
        Bidirectional(LSTM(2), merge_mode="max")
    with pytest.raises(TypeError, match="expected a layer"):
        Bidirectional(3)
    with pytest.raises(TypeError, match="has no go_backwards"):
        Bidirectional(Dense(2))
    with pytest.raises(ValueError, match="must differ in go_backwards"):
        Bidirectional(LSTM(2), backward_layer=LSTM(2))
    with pytest.raises(ValueError, match="must agree in return_sequences"):
        Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_sequences=True))


# Cells of one's own


class Leaky(lm.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, x, states):
        h = 0.5 * states[0] + lm.ops.matmul(x, self.kernel)
        return h, [h]


def test_a_cell_of_ones_own(tmp_path):
    layer = RNN(Leaky(2), return_sequences=True)
    y = layer(x.astype("float32"))
    h = np.zeros((N, 2))
    for t in range(T):
        h = 0.5 * h + x[:, t] @ layer.get_weights()[0]
        np.testing.assert_allclose(y.numpy()[:, t], h, rtol=1e-5, atol=1e-5)
    both = Bidirectional(RNN(Leaky(2)))
    assert both(x).shape == (N, 4)
    model = lm.models.Sequential([Input((T, F)), RNN(Leaky(2))])
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors", custom_objects={"Leaky": Leaky})
    assert (again.predict(x, verbose=0) == model.predict(x, verbose=0)).all()


def test_the_dtype_is_the_cells():
    layer = RNN([LSTMCell(2, dtype="float64"), GRUCell(3, dtype="float64")])
    assert layer.dtype == layer.cell.dtype == layer(x).numpy().dtype == "float64"
    with pytest.raises(ValueError, match="the cell computes in float32, the layer in float64"):
        RNN(GRUCell(3), dtype="float64")


class Decoder(LSTM):
    def __init__(self, width, **kwargs):
        super().__init__(2 * width, return_sequences=True, **kwargs)


class Drift(RNN):
    def __init__(self, size):
        super().__init__(Leaky(size))


def test_subclasses(tmp_path):
    model = lm.models.Sequential([Input((T, F)), Decoder(2, go_backwards=True), Drift(3)])
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors", custom_objects={"Decoder": Decoder, "Drift": Drift})
    assert (again.predict(x, verbose=0) == model.predict(x, verbose=0)).all()
    assert Bidirectional(Decoder(2))(x).shape == (N, T, 8)


def test_states_of_more_axes():
    class Picture(lm.layers.Layer):
        state_size = 4

        def get_initial_state(self, batch_size):
            return [lm.ops.zeros((batch_size, 4, 4))]

        def call(self, x, states):
            h = states[0] + x
            return lm.ops.sum(h, 1), [h]

    video = random.normal(size=(2, 3, 4, 4)).astype("float32")
    layer = RNN(Picture(), return_state=True)
    _, h = layer(video)
    np.testing.assert_allclose(h.numpy(), video.sum(1), rtol=1e-5)
    _, h = layer(video, initial_state=[h])
    np.testing.assert_allclose(h.numpy(), 2 * video.sum(1), rtol=1e-5)
    with pytest.raises(ValueError, match="initial_state must have shapes"):
        layer(video, initial_state=[np.zeros((3, 4, 4))])


def test_a_plain_object_as_a_cell():
    class Counter:
        state_size = 1
        output_size = 2

        def __call__(self, x, states):
            return x[:, :2] + states[0], [states[0] + 1]

    y, n = RNN(Counter(), return_state=True)(x)
    np.testing.assert_allclose(y.numpy(), x[:, -1, :2] + T - 1, rtol=1e-5)
    assert (n.numpy() == T).all()
    with pytest.raises(ValueError, match="no get_config"):
        RNN(Counter()).get_config()


# Convolutional


def convolved(a, kernel, strides, same):
    """The convolution of (N, L, C) with (K, C, O) in NumPy."""
    size = kernel.shape[0]
    if same:
        total = max((-(-a.shape[1] // strides) - 1) * strides + size - a.shape[1], 0)
        a = np.pad(a, ((0, 0), (total // 2, total - total // 2), (0, 0)))
    windows = np.stack([a[:, i : i + size] for i in range(0, a.shape[1] - size + 1, strides)], 1)
    return np.einsum("nlkc,kco->nlo", windows, kernel)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
def test_conv_lstm(padding, strides):
    rows = random.normal(size=(N, T, 9, 2))
    layer = lm.layers.ConvLSTM1D(3, 3, strides, padding, return_sequences=True, return_state=True, dtype="float64")
    y, h, c = layer(rows, mask=scattered)
    kernel, recurrent, bias = layer.get_weights()
    states = [np.zeros(h.shape), np.zeros(h.shape)]
    before = states[0]
    for t in range(T):
        z = convolved(rows[:, t], kernel, strides, padding == "same") + bias + convolved(states[0], recurrent, 1, True)
        i, f, g, o = np.split(z, 4, -1)
        new_c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
        new_h = sigmoid(o) * np.tanh(new_c)
        kept = scattered[:, t, None, None]
        before = np.where(kept, new_h, before)
        states = [np.where(kept, new_h, states[0]), np.where(kept, new_c, states[1])]
        np.testing.assert_allclose(y.numpy()[:, t], before, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(c.numpy(), states[1], rtol=1e-10, atol=1e-10)
    assert layer.compute_output_shape((None, T, 9, 2))[0][1:] == y.shape[1:]
    again, *_ = layer(rows, initial_state=[h, c])
    assert (again.numpy() != y.numpy()).any()
    with pytest.raises(ValueError, match="initial_state must have shapes"):
        layer(rows, initial_state=[np.zeros((N, 3)), np.zeros((N, 3))])
    cell = layer.cell
    z, _ = cell(rows[:, 0], cell.get_initial_state(N))
    fresh = layer(rows[:, :1])[0].numpy()[:, 0]
    np.testing.assert_allclose(z.numpy(), fresh, rtol=1e-10, atol=1e-10)


def test_conv_lstm_layers(tmp_path):
    for rank, layer in ((1, lm.layers.ConvLSTM1D), (2, lm.layers.ConvLSTM2D), (3, lm.layers.ConvLSTM3D)):
        shape = (3, *[5] * rank, 2)
        video = random.normal(size=(2, *shape)).astype("float32")
        one = layer(4, 3, dropout=0.2, recurrent_dropout=0.2, seed=1)
        model = lm.models.Sequential([Input(shape), one, lm.layers.Flatten(), Dense(1)])
        assert one.flops((None, *shape)) > 0
        model.compile("adam", "mse")
        model.fit(video, np.zeros((2, 1)), verbose=0)
        model.save(tmp_path / "m.safetensors")
        again = lm.models.load_model(tmp_path / "m.safetensors")
        assert (again.predict(video, verbose=0) == model.predict(video, verbose=0)).all()
        assert again.layers[0].get_config() == one.get_config()
        with pytest.raises(ValueError, match=r"x must have shape \(N, T, "):
            layer(4, 3)(video[:, 0])
        assert not layer(4, 3)(video[:, :0]).numpy().any()
    both = Bidirectional(lm.layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True))
    assert both(random.normal(size=(2, 3, 5, 5, 1))).shape == (2, 3, 5, 5, 4)
    with pytest.raises(ValueError, match="do not go with a dilation_rate"):
        lm.layers.ConvLSTM2D(2, 3, strides=2, dilation_rate=2)
