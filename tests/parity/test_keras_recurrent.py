"""Recurrent layers against Keras: outputs, states and gradients on the same weights."""

import numpy as np
import pytest

import lamina as lm

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own


@pytest.fixture(autouse=True)
def float64(monkeypatch):
    """Keras's product of float64 is one of float32; here it is PyTorch's. Each test draws the same weights alone."""
    random.bit_generator.state = np.random.default_rng(6).bit_generator.state
    monkeypatch.setattr("keras.src.backend.torch.numpy.matmul", torch.matmul)


random = np.random.default_rng(5)
N, T, F, H = 5, 7, 3, 4
x = random.normal(size=(N, T, F))
states = [random.normal(size=(N, H)) * 0.5 for _ in range(4)]
prefix = np.arange(T) < np.array([7, 4, 1, 0, 6])[:, None]
scattered = random.random((N, T)) < 0.6
suffix = prefix[:, ::-1].copy()
MASKS = {"none": None, "prefix": prefix, "scattered": scattered, "suffix": suffix}
KINDS = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}


def pair(kind, dtype="float64", shape=(None, T, F), **options):
    """Our layer and Keras's, with the same weights."""
    ours = getattr(lm.layers, kind)(H, dtype=dtype, **options)
    plain = {} if kind == "SimpleRNN" else {"use_cudnn": False}
    theirs = getattr(keras.layers, kind)(H, dtype=dtype, **options, **plain)
    ours.build(shape)
    theirs.build((N, *shape[1:]))
    weights = [random.normal(size=w.shape) * 0.4 for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def leaves(value):
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def compare(ours, theirs, dtype="float64", mask=None, initial=None, array=x, tolerance=None):
    """Outputs, and gradients by x, states and weights of sum(outputs * constants)."""
    ours.zero_grad()
    a = lm.tensor(array.astype(dtype), requires_grad=True)
    b = torch.tensor(array.astype(dtype), requires_grad=True)
    mine, theirs_states, options = [], [], {}
    other = {}
    if initial is not None:
        mine = [lm.tensor(s.astype(dtype), requires_grad=True) for s in initial]
        theirs_states = [torch.tensor(s.astype(dtype), requires_grad=True) for s in initial]
        options, other = {"initial_state": mine}, {"initial_state": theirs_states}
    if mask is not None:
        options["mask"], other["mask"] = mask, torch.tensor(mask)
    y = leaves(ours(a, **options))
    with keras.device("cpu"):
        z = leaves(theirs(b, **other))
    assert len(y) == len(z)
    draw = np.random.default_rng(1)
    loss, total = 0, 0
    tolerance = TOLERANCE[dtype] if tolerance is None else tolerance
    for p, q in zip(y, z, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)
        weight = draw.normal(size=p.shape).astype(dtype)
        loss = loss + (p * lm.tensor(weight)).sum()
        total = total + (q * torch.tensor(weight)).sum()
    loss.backward()
    theirs_weights = [w.value for w in theirs.trainable_weights]
    grads = torch.autograd.grad(total, [b, *theirs_states, *theirs_weights], allow_unused=True)
    found = [a, *mine, *ours.trainable_weights]
    assert len(found) == len(grads)
    for t, g in zip(found, grads, strict=True):
        expected = np.zeros(t.shape) if g is None else g.numpy()
        got = np.zeros(t.shape) if t.grad is None else t.grad.numpy()
        np.testing.assert_allclose(got, expected, rtol=10 * tolerance, atol=10 * tolerance)


def tolerance_of(options):
    """PyTorch's gradient of hard_sigmoid takes 1/6 from float32."""
    return 1e-8 if options.get("recurrent_activation") == "hard_sigmoid" else None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_masks(kind, mask, dtype):
    for sequences in (False, True):
        ours, theirs = pair(kind, dtype, return_sequences=sequences, return_state=True)
        compare(ours, theirs, dtype, MASKS[mask])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_initial_states(kind, mask):
    for sequences in (False, True):
        ours, theirs = pair(kind, return_sequences=sequences, return_state=True)
        compare(ours, theirs, mask=MASKS[mask], initial=states[: KINDS[kind]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", MASKS)
def test_backwards_and_zero_output(kind, mask):
    for options in (
        {"go_backwards": True},
        {"go_backwards": True, "return_sequences": True, "return_state": True},
        {"zero_output_for_mask": True, "return_sequences": True},
        {"zero_output_for_mask": True, "go_backwards": True, "return_sequences": True},
        {"zero_output_for_mask": True},
    ):
        ours, theirs = pair(kind, **options)
        compare(ours, theirs, mask=MASKS[mask])
        compare(ours, theirs, mask=MASKS[mask], initial=states[: KINDS[kind]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [
    {"use_bias": False},
    {"activation": "relu"},
    {"activation": "linear"},
    {"activation": "sigmoid"},
    {"activation": "softsign", "return_sequences": True},
    {"unroll": True, "return_sequences": True},
    {"dropout": 0.3, "recurrent_dropout": 0.2},
])  # fmt: skip
def test_options(kind, options):
    ours, theirs = pair(kind, **options)
    compare(ours, theirs)
    if "unroll" not in options:
        compare(ours, theirs, mask=scattered)


@pytest.mark.parametrize("options", [
    {"recurrent_activation": "hard_sigmoid"},
    {"reset_after": False},
    {"reset_after": False, "use_bias": False, "return_sequences": True},
    {"reset_after": False, "recurrent_activation": "relu"},
    {"reset_after": True, "use_bias": False},
])  # fmt: skip
def test_gru_options(options):
    ours, theirs = pair("GRU", **options)
    compare(ours, theirs, mask=prefix, initial=states[:1], tolerance=tolerance_of(options))


@pytest.mark.parametrize("options", [{"recurrent_activation": "hard_sigmoid"}, {"recurrent_activation": "tanh"}])
def test_lstm_options(options):
    ours, theirs = pair("LSTM", return_state=True, **options)
    compare(ours, theirs, mask=prefix, initial=states[:2], tolerance=tolerance_of(options))


@pytest.mark.parametrize("kind", KINDS)
def test_cells(kind):
    ours, theirs = getattr(lm.layers, kind + "Cell")(H), getattr(keras.layers, kind + "Cell")(H)
    step = x[:, 0].astype("float32")
    given = [s.astype("float32") for s in states[: KINDS[kind]]]
    ours.build((None, F))
    theirs.build((N, F))
    theirs.set_weights(ours.get_weights())
    y, new = ours(step, [lm.tensor(s) for s in given])
    z, other = theirs(torch.tensor(step), [torch.tensor(s) for s in given])
    for p, q in zip([y, *new], [z, *other], strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mask", ["none", "scattered"])
@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("kind", KINDS)
def test_bidirectional(kind, mode, mask):
    for options in ({}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}):
        plain = {} if kind == "SimpleRNN" else {"use_cudnn": False}
        ours = lm.layers.Bidirectional(
            getattr(lm.layers, kind)(H, dtype="float64", **options), merge_mode=mode, dtype="float64"
        )
        theirs = keras.layers.Bidirectional(
            getattr(keras.layers, kind)(H, dtype="float64", **options, **plain), merge_mode=mode, dtype="float64"
        )
        ours.build((None, T, F))
        theirs.build((N, T, F))
        weights = [random.normal(size=w.shape) * 0.4 for w in ours.weights]
        ours.set_weights(weights)
        theirs.set_weights(weights)
        compare(ours, theirs, mask=MASKS[mask])
        compare(ours, theirs, mask=MASKS[mask], initial=states[: 2 * KINDS[kind]])


def test_bidirectional_with_another_layer():
    def both(layers, **plain):
        return layers.Bidirectional(
            layers.LSTM(H, dtype="float64", return_sequences=True, **plain),
            backward_layer=layers.GRU(H, dtype="float64", return_sequences=True, go_backwards=True, **plain),
            dtype="float64",
        )

    ours, theirs = both(lm.layers), both(keras.layers, use_cudnn=False)
    ours.build((None, T, F))
    theirs.build((N, T, F))
    theirs.set_weights(ours.get_weights())
    compare(ours, theirs, mask=prefix)


@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "return_state": True}, {"go_backwards": True}])
def test_stacked_cells(options):
    def stack(layers):
        cells = [layers.LSTMCell(H, dtype="float64"), layers.GRUCell(H + 1, dtype="float64"),
                 layers.SimpleRNNCell(H, dtype="float64")]  # fmt: skip
        return layers.RNN(layers.StackedRNNCells(cells, dtype="float64"), dtype="float64", **options)

    ours, theirs = stack(lm.layers), stack(keras.layers)
    ours.build((None, T, F))
    theirs.build((N, T, F))
    weights = [random.normal(size=w.shape) * 0.4 for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    compare(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_stateful(kind):
    ours, theirs = pair(kind, "float32", shape=(N, T, F), stateful=True, return_sequences=True)
    for round_ in range(4):
        if round_ == 2:
            ours.reset_state()
            theirs.reset_state()
        batch = random.normal(size=(N, T, F)).astype("float32")
        y, z = ours(batch), theirs(torch.tensor(batch))
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-5)
    for p, q in zip(ours.states, theirs.states, strict=True):
        np.testing.assert_allclose(p.numpy(), q.value.detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [
    {}, {"padding": "same", "return_sequences": True, "return_state": True}, {"strides": 2, "go_backwards": True},
    {"dilation_rate": 2, "recurrent_activation": "tanh", "use_bias": False},
])  # fmt: skip
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_lstm(rank, options):
    video = random.normal(size=(2, 4, *[7 if rank < 3 else 5] * rank, 2))
    ours, theirs = (
        getattr(layers, f"ConvLSTM{rank}D")(3, 3, dtype="float64", **options) for layers in (lm.layers, keras.layers)
    )
    ours.build((None, *video.shape[1:]))
    theirs.build(video.shape)
    weights = [random.normal(size=w.shape) * 0.3 for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    compare(ours, theirs, array=video)
    compare(ours, theirs, mask=np.array([[True, True, False, True], [True, False, False, False]]), array=video)


def test_the_order_and_shapes_of_weights():
    for kind in KINDS:
        ours, theirs = getattr(lm.layers, kind)(H), getattr(keras.layers, kind)(H)
        ours.build((None, T, F))
        theirs.build((None, T, F))
        assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
        assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
        assert ours.get_weights()[2].tolist() == theirs.get_weights()[2].tolist()
        assert set(theirs.get_config()) - {"dtype", "use_cudnn"} <= set(ours.get_config()) | {"activity_regularizer"}


@pytest.mark.parametrize("layer", [
    lambda layers: layers.Dense(2, activation="tanh"),
    lambda layers: layers.BatchNormalization(),
    lambda layers: layers.LayerNormalization(),
])  # fmt: skip
def test_time_distributed(layer):
    ours = lm.layers.TimeDistributed(layer(lm.layers))
    theirs = keras.layers.TimeDistributed(layer(keras.layers))
    ours.build((None, T, F))
    theirs.build((N, T, F))
    theirs.set_weights(ours.get_weights())
    for training in (False, True):
        y = ours(x.astype("float32"), training=training)
        z = theirs(torch.tensor(x.astype("float32")), training=training)
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-5)
    for p, q in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-6)


padded = x.astype("float32").copy()
padded[~prefix] = 0


def models(build):
    """The same model in both libraries, with the same weights."""
    ours, theirs = build(lm.layers, lm.models), build(keras.layers, keras.models)
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def chain(layers, models_):
    return models_.Sequential([
        layers.Input((T, F)), layers.Masking(), layers.LSTM(H, return_sequences=True), layers.Dropout(0.0),
        layers.Bidirectional(layers.GRU(H, return_sequences=True)), layers.TimeDistributed(layers.Dense(3)),
        layers.LayerNormalization(), layers.Activation("tanh"),
    ])  # fmt: skip


def branches(layers, models_):
    start = layers.Input((T, F))
    masked = layers.Masking()(start)
    a = layers.LSTM(H, return_sequences=True)(masked)
    b = layers.Dense(H)(masked)
    total = layers.Add()([a, b])
    most = layers.Maximum()([a, total])
    product = layers.Multiply()([most, b])
    both = layers.Concatenate()([product, a])
    return models_.Model(start, layers.Dense(2)(both))


def pooled(layers, models_):
    start = layers.Input((T, F))
    a = layers.GRU(H, return_sequences=True)(layers.Masking()(start))
    return models_.Model(start, layers.Dense(2)(layers.GlobalAveragePooling1D()(a)))


@pytest.mark.parametrize("build", [chain, branches])
def test_losses_and_metrics_of_masked_models(build):
    ours, theirs = models(build)
    rows = padded[[0, 1, 2, 4]]
    target = np.random.default_rng(0).normal(size=ours(rows).shape).astype("float32")
    weight = np.random.default_rng(1).random((4, T)).astype("float32")  # Keras takes none of shape (4,) with a mask
    for model in (ours, theirs):
        model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    np.testing.assert_allclose(ours.predict(rows, verbose=0), theirs.predict(rows, verbose=0), rtol=1e-5, atol=1e-5)
    for options in ({}, {"sample_weight": weight}):
        np.testing.assert_allclose(
            ours.evaluate(rows, target, verbose=0, **options), theirs.evaluate(rows, target, verbose=0, **options),
            rtol=1e-5,
        )  # fmt: skip
    for _ in range(3):
        ours.train_on_batch(rows, target)
        theirs.train_on_batch(rows, target)
    for p, q in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-5)


def test_accuracy_of_a_masked_model():
    def build(layers, models_):
        return models_.Sequential([
            layers.Input((T, F)), layers.Masking(), layers.LSTM(H, return_sequences=True),
            layers.Dense(3, activation="softmax"),
        ])  # fmt: skip

    ours, theirs = models(build)
    labels = np.random.default_rng(0).integers(0, 3, (N, T))
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    mine = ours.evaluate(padded, labels, verbose=0)
    other = theirs.evaluate(padded, labels, verbose=0)
    np.testing.assert_allclose(mine, other, rtol=1e-5)


def test_pooling_of_a_masked_model():
    ours, theirs = models(pooled)
    rows = padded[[0, 1, 2, 4]]
    np.testing.assert_allclose(ours(rows).numpy(), theirs.predict(rows, verbose=0), rtol=1e-5, atol=1e-5)


def words(layers, models_):
    return models_.Sequential([
        layers.Input((T,)), layers.Embedding(9, 6, mask_zero=True), layers.LSTM(H, return_sequences=True),
        layers.Bidirectional(layers.GRU(H, return_sequences=True), merge_mode="ave"),
        layers.Dense(9, activation="softmax"),
    ])  # fmt: skip


def document(layers, models_):
    start = layers.Input((T,))
    a = layers.Embedding(9, 6, mask_zero=True)(start)
    b = layers.SimpleRNN(H, return_sequences=True, go_backwards=True)(a)
    return models_.Model(start, layers.Dense(9, activation="softmax")(layers.GlobalAveragePooling1D()(b)))


@pytest.mark.parametrize("build", [words, document])
def test_models_of_words(build):
    ours, theirs = models(build)
    ids = np.where(prefix, np.random.default_rng(0).integers(1, 9, (N, T)), 0)[[0, 1, 2, 4]]
    labels = np.random.default_rng(1).integers(0, 9, ours(ids).shape[:-1])
    for model in (ours, theirs):
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    for _ in range(3):
        mine, other = ours.train_on_batch(ids, labels), theirs.train_on_batch(ids, labels)
        np.testing.assert_allclose(mine, other, rtol=1e-4)
    np.testing.assert_allclose(ours.predict(ids, verbose=0), theirs.predict(ids, verbose=0), rtol=1e-3, atol=1e-5)
