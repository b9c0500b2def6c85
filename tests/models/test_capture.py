"""fit with jit_compile=True on a GPU: the bits of fit without, and what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import device_stand_in
import lamina as lm
from lamina import layers, optimizers
from lamina.models import Model, Sequential
from lamina.optimizers.schedules import CosineDecay, ExponentialDecay
from stream_stand_in import Graph

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(22, 6)).astype("float32")
LABELS = RANDOM.integers(0, 3, 22)
PICTURES = RANDOM.normal(size=(10, 6, 6, 2)).astype("float32")
SEQUENCES = RANDOM.normal(size=(10, 5, 3)).astype("float32")


def mlp() -> Any:
    return Sequential([layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dropout(0.4), layers.Dense(3)])


def cnn() -> Any:
    return Sequential([
        layers.Input((6, 6, 2)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
        layers.MaxPooling2D(), layers.SpatialDropout2D(0.3), layers.GlobalAveragePooling2D(), layers.Dense(3),
    ])  # fmt: skip


def lstm() -> Any:
    return Sequential([
        layers.Input((5, 3)), layers.LSTM(4, return_sequences=True, dropout=0.3), layers.GRU(4, recurrent_dropout=0.2),
        layers.LayerNormalization(), layers.GaussianNoise(0.1, seed=3), layers.Dense(3),
    ])  # fmt: skip


def trained(make: Any, x: Any, y: Any, jit: Any, optimizer: Any, device: str = "cuda", **arguments: Any) -> Any:
    """Weights, optimizer's state and logs after some epochs."""
    compiled = {"loss": lm.losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]}
    compiled |= arguments.pop("compiled", {})
    lm.set_seed(5)
    model = make().to(device)
    model.compile(optimizer(), jit_compile=jit, **compiled)
    arguments = {"epochs": 4, "batch_size": 4, "verbose": 0} | arguments
    history = model.fit(x, y, **arguments).history
    names = {str(i): v for i, v in enumerate(model.weights)}
    state = {k: lm.backend.to_host(v) for k, v in model.optimizer.get_state(names).items()}
    return model, history, [w.numpy() for w in model.weights], state


def check(make: Any, x: Any, y: Any, optimizer: Any, graphs: int, **arguments: Any) -> Any:
    model, history, weights, state = trained(make, x, y, True, optimizer, **arguments)
    assert model._captured.graphs.count == graphs
    for jit, device in ((False, "cuda"), (True, "cpu")):
        _, other, others, states = trained(make, x, y, jit, optimizer, device, **arguments)
        if device == "cuda":
            assert other == history
        for a, b in zip(weights, others, strict=True):
            np.testing.assert_array_equal(a, b)
        assert states.keys() == state.keys()
        for name in states:
            np.testing.assert_array_equal(states[name], state[name])
    return model


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(ExponentialDecay(0.1, 3, 0.5), momentum=0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(CosineDecay(0.02, 20), amsgrad=True),
    "adamw": lambda: optimizers.AdamW(ExponentialDecay(0.05, 3, 0.5), weight_decay=0.1),
    "rmsprop": lambda: optimizers.RMSprop(ExponentialDecay(0.05, 3, 0.5), centered=True, momentum=0.5),
    "adagrad": lambda: optimizers.Adagrad(ExponentialDecay(0.05, 3, 0.5)),
    "adadelta": lambda: optimizers.Adadelta(ExponentialDecay(0.5, 3, 0.5)),
    "adamax": lambda: optimizers.Adamax(ExponentialDecay(0.05, 3, 0.5)),
    "nadam": lambda: optimizers.Nadam(ExponentialDecay(0.05, 3, 0.5)),
    "ftrl": lambda: optimizers.Ftrl(ExponentialDecay(0.05, 3, 0.5)),
    "lion": lambda: optimizers.Lion(ExponentialDecay(0.01, 3, 0.5)),
    "lamb": lambda: optimizers.Lamb(ExponentialDecay(0.05, 3, 0.5), weight_decay=0.01),
    "adafactor": lambda: optimizers.Adafactor(ExponentialDecay(0.5, 3, 0.5)),
    "loss scale": lambda: optimizers.Adam(0.02, loss_scale_factor=1000.0),
    "clipnorm": lambda: optimizers.Adam(0.02, clipnorm=0.1),
    "global_clipnorm": lambda: optimizers.SGD(0.1, global_clipnorm=0.2),
    "clipvalue and average": lambda: optimizers.Adam(
        0.02, clipvalue=0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=5
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    graphs = {"clipvalue and average": 3}.get(name, 2)
    check(mlp, X, LABELS, OPTIMIZERS[name], graphs)


@pytest.mark.parametrize("steps", [2, 3])
def test_accumulated_gradients(steps: int) -> None:
    make = lambda: optimizers.Adam(0.02, gradient_accumulation_steps=steps, weight_decay=0.1)  # noqa: E731
    check(mlp, X[:20], LABELS[:20], make, 2, epochs=5)


def transformer() -> Any:
    x = layers.Input((5, 3))
    y = layers.MultiHeadAttention(2, 4, dropout=0.3)(x, x)
    y = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.2, seed=7)(y)]))
    return Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(y)))


@pytest.mark.parametrize(("make", "x"), [(cnn, PICTURES), (lstm, SEQUENCES), (transformer, SEQUENCES)])
def test_networks(make: Any, x: Any) -> None:
    check(make, x, LABELS[:10], OPTIMIZERS["adam"], 2)


def masked(*inner: Any) -> Any:
    return lambda: Sequential([layers.Input((5,), dtype="int64"), layers.Embedding(4, 3, mask_zero=True), *inner,
                               layers.Dense(3)])  # fmt: skip


class Plain(layers.SimpleRNNCell):
    """A cell that is no op's."""

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        return super().call(x, states, training)


MASKED = {
    "lstm and gru": lambda: [layers.LSTM(4, return_sequences=True, dropout=0.3), layers.GRU(4)],
    "backwards": lambda: [layers.SimpleRNN(4, go_backwards=True, return_sequences=True), layers.LSTM(3)],
    "both ways": lambda: [layers.Bidirectional(layers.GRU(3, return_sequences=True)), layers.LSTM(3)],
    "a cell of one's own": lambda: [layers.RNN(Plain(4), return_sequences=True), layers.LSTM(3)],
    "step by step": lambda: [layers.TimeDistributed(layers.Dense(3)), layers.Bidirectional(layers.LSTM(3))],
}


@pytest.mark.parametrize("name", MASKED)
def test_masked_sequences(name: str) -> None:
    words = np.random.default_rng(4).integers(0, 4, (22, 5))
    words[3] = 0
    words[8:12] = 1  # of a whole batch none
    check(lambda: masked(*MASKED[name]())(), words, LABELS, OPTIMIZERS["sgd"], 2)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ignored_labels(reduction: str, smoothing: float) -> None:
    labels = LABELS.copy()
    labels[[1, 4, 9]] = -1
    labels[12:16] = -1  # a whole batch
    loss = lm.losses.SparseCategoricalCrossentropy(True, -1, reduction, label_smoothing=smoothing)
    check(mlp, X, labels, OPTIMIZERS["sgd"], 2, compiled={"loss": loss, "metrics": []}, shuffle=False)
    loss = lm.losses.SparseCategoricalCrossentropy(False, -1, reduction, label_smoothing=smoothing)
    make = lambda: Sequential([mlp(), layers.Softmax(), layers.Activation("linear")])  # noqa: E731
    check(make, X, labels, OPTIMIZERS["sgd"], 2, compiled={"loss": loss, "metrics": []}, shuffle=False)


def test_class_weights_of_labels_that_are_on_the_gpu() -> None:
    """As arrays, as batches, one-hot, and in train_on_batch: the weights that NumPy's labels have."""
    table = {2: 0.25, 0: 3, 7: 9.0}
    for kind in (lambda y: y, lambda y: y.astype("float32")[:, None], lambda y: np.eye(3, dtype="float32")[y]):
        loss = "categorical_crossentropy" if kind(LABELS).shape[-1] == 3 else "sparse_categorical_crossentropy"
        results = []
        for place, jit in (("cpu", False), ("cuda", False), ("cuda", True)):
            lm.set_seed(2)
            model = Sequential([mlp(), layers.Softmax()]).to(place)
            model.compile("sgd", loss, jit_compile=jit)
            x, y = lm.tensor(X, device=place), lm.tensor(kind(LABELS), device=place)
            model.fit(x, y, batch_size=4, epochs=3, verbose=0, class_weight=table)
            model.fit(((x[i : i + 4], y[i : i + 4]) for i in range(0, 20, 4)), class_weight=table, verbose=0)
            losses = [model.train_on_batch(x[:4], y[:4], class_weight=table) for _ in range(2)]
            results.append([*[w.numpy() for w in model.weights], *losses])
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(device_stand_in.at_hand() == "GPU", reason="of the stand-in")
def test_graphs_are_launched_and_nothing_else_is_said():
    before = Graph.launches
    trained(mlp, X, LABELS, True, OPTIMIZERS["sgd"])
    assert Graph.launches - before == (4 * 5 - 2) + (4 - 2)  # two steps of each shape run as they are


def test_float64_labels_one_hot_regularizers_constraints_and_sample_weights():
    def make() -> Any:
        return Sequential([
            layers.Input((6,), dtype="float64"),
            layers.Dense(4, "tanh", kernel_regularizer="l2", kernel_constraint="max_norm", dtype="float64"),
            layers.ActivityRegularization(0.01, dtype="float64"), layers.Dense(3, "softmax", dtype="float64"),
        ])  # fmt: skip

    compiled = {"loss": "categorical_crossentropy", "metrics": ["accuracy", "categorical_crossentropy"],
                "weighted_metrics": ["accuracy"]}  # fmt: skip
    weights = np.linspace(0.5, 2.0, 22)
    one_hot = np.eye(3)[LABELS]
    check(make, X.astype("float64"), one_hot, OPTIMIZERS["adam"], 2, sample_weight=weights, compiled=compiled)


def test_metrics_of_the_cpu_take_a_batch_in_behind_the_graph():
    def make() -> Any:
        return Sequential([layers.Input((6,)), layers.Dense(1, activation="sigmoid")])

    compiled = {"loss": "binary_crossentropy", "metrics": [lm.metrics.AUC(), "accuracy"]}
    check(make, X, (LABELS > 0).astype("float32"), OPTIMIZERS["adam"], 2, compiled=compiled)


@pytest.mark.parametrize("metrics", [{"a": ["accuracy"], "b": ["mae"]}, {"a": ["accuracy"], "b": [lm.metrics.R2Score]}])
def test_several_inputs_and_outputs(metrics: Any) -> None:
    def make() -> Any:
        one, two = layers.Input((6,), name="one"), layers.Input((2,), name="two")
        both = layers.Dropout(0.3)(lm.ops.concatenate([one, two], axis=1))
        return Model(
            [one, two], {"a": layers.Dense(3, "softmax", name="a")(both), "b": layers.Dense(1, name="b")(both)}
        )

    x = {"one": X, "two": X[:, :2] * 2}
    y = {"a": LABELS, "b": X[:, :1]}
    told = {name: [m if isinstance(m, str) else m() for m in found] for name, found in metrics.items()}
    compiled = {
        "loss": {"a": "sparse_categorical_crossentropy", "b": "mse"}, "loss_weights": {"a": 1.0, "b": 0.5},
        "metrics": told,
    }  # fmt: skip
    check(make, x, y, OPTIMIZERS["adam"], 2, compiled=compiled)


class Slower(lm.callbacks.Callback):
    """Looks at the logs of each batch, and halves the rate after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(logs["loss"])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = self.model.optimizer.learning_rate / 2


def test_callbacks_change_the_rate_and_see_the_logs():
    seen = []
    results = []
    for jit in (True, False):
        callback = Slower()
        results.append(trained(mlp, X, LABELS, jit, lambda: optimizers.Adam(0.1), callbacks=[callback],
                               validation_split=0.25))  # fmt: skip
        seen.append(callback.seen)
    assert seen[0] == seen[1]
    assert results[0][1] == results[1][1]
    for a, b in zip(results[0][2], results[1][2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_seed_that_is_set_again_is_heeded():
    def run(jit: bool) -> Any:
        lm.set_seed(1)
        model = mlp().to("cuda")
        model.compile("adam", lm.losses.SparseCategoricalCrossentropy(True), jit_compile=jit)
        for seed in (3, 4, 3):
            lm.set_seed(seed)
            for _ in range(3):
                model.train_on_batch(X[:4], LABELS[:4])
        return [w.numpy() for w in model.weights]

    for a, b in zip(run(True), run(False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_saved_loaded_and_trained_on(tmp_path):
    def run(jit: bool) -> Any:
        model, *_ = trained(mlp, X, LABELS, jit, OPTIMIZERS["adam"])
        path = tmp_path / f"model{jit}.safetensors"
        model.save(path)
        loaded = lm.models.load_model(path).to("cuda")
        loaded.compile(loaded.optimizer, loaded.loss, jit_compile=jit)
        lm.set_seed(9)
        loaded.fit(X, LABELS, batch_size=4, epochs=3, verbose=0)
        lm.set_seed(9)
        model.fit(X, LABELS, batch_size=4, epochs=3, verbose=0)
        return [w.numpy() for w in (*loaded.weights, *model.weights)]

    for a, b in zip(run(True), run(False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_and_state_that_are_loaded_into_a_captured_model():
    model, *_ = trained(mlp, X, LABELS, True, OPTIMIZERS["adam"])
    names = {str(i): v for i, v in enumerate(model.weights)}
    weights = [w.numpy() for w in model.weights]
    state = {k: lm.backend.to_host(v) for k, v in model.optimizer.get_state(names).items()}
    calls = model.optimizer._calls

    def train() -> Any:
        lm.set_seed(2)
        model.set_weights(weights)
        model.optimizer.set_state(state, names)
        model.optimizer._calls = calls
        model.fit(X, LABELS, batch_size=4, epochs=2, verbose=0)
        return [w.numpy() for w in model.weights]

    first, second = train(), train()
    model._captured = None
    for a, b, c in zip(first, second, train(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_frozen_layers_moved_models_and_compile_drop_graphs():
    def run(jit: bool) -> Any:
        model, *_ = trained(mlp, X, LABELS, jit, OPTIMIZERS["adam"])
        model.layers[0].trainable = False
        model.fit(X, LABELS, batch_size=4, epochs=2, verbose=0)
        model.layers[0].trainable = True
        model.to("cpu").fit(X, LABELS, batch_size=4, epochs=1, verbose=0)
        model.to("cuda").fit(X, LABELS, batch_size=4, epochs=2, verbose=0)
        model.compile("sgd", lm.losses.SparseCategoricalCrossentropy(True), jit_compile=jit)
        assert not jit or model._captured.graphs is None
        model.fit(X, LABELS, batch_size=4, epochs=2, verbose=0)
        return model

    captured = run(True)
    assert captured._captured.graphs.count == 1
    for a, b in zip(captured.weights, run(False).weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(("make", "message"), [
    (lambda: [layers.LSTM(3, stateful=True)], "capture: lstm.*: states that go on from batch to batch: this cannot"),
    (lambda: [layers.Flatten(), layers.Lambda(lambda x: x * x.sum().item())],
     r"capture: lamina\.autograd\.tensor\.Tensor\.item in the layer lambda\w* waits for the GPU"),
    (lambda: [layers.Flatten(), layers.Lambda(lambda x: x * lm.random.bernoulli((15,), 0.5).to(x.device))],
     "capture: random numbers are drawn on the CPU in this step"),
])  # fmt: skip
def test_what_waits_is_refused_by_name(make: Any, message: str) -> None:
    def model() -> Any:
        return Sequential([layers.Input((5, 3)), *make(), layers.Dense(3)])

    with pytest.raises(RuntimeError, match=message):
        trained(model, SEQUENCES[:8], LABELS[:8], True, OPTIMIZERS["sgd"])
    trained(model, SEQUENCES[:8], LABELS[:8], "auto", OPTIMIZERS["sgd"])


def test_an_optimizer_with_an_update_of_its_own_is_refused():
    class Plain(optimizers.Optimizer):
        def update(self, weights: Any, grads: Any, slots: Any) -> None:
            for w, g in zip(weights, grads, strict=True):
                w -= self.learning_rate * g

    with pytest.raises(RuntimeError, match="capture: plain: an update of its own: this cannot be part of a CUDA graph"):
        trained(mlp, X, LABELS, True, lambda: Plain(0.1))


def test_jit_compile_is_checked():
    with pytest.raises(ValueError, match="compile: jit_compile must be \"auto\", True or False, got 'yes'"):
        mlp().compile("sgd", "mse", jit_compile="yes")


def test_copies_of_a_compiled_model():
    model, *_ = trained(mlp, X, LABELS, True, OPTIMIZERS["sgd"])
    copied = copy.deepcopy(model)
    assert copied._captured.model is copied
    assert copied._captured.graphs is None


def of_policy(policy: str) -> Any:
    before = lm.dtype_policy()
    lm.set_dtype_policy(policy)
    try:
        return mlp()
    finally:
        lm.set_dtype_policy(before)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy: str) -> None:
    check(lambda: of_policy(policy), X, LABELS, OPTIMIZERS["adam"], 2)


@pytest.mark.parametrize(("inner", "graphs"), [
    ({}, 2), ({"clipnorm": 0.1, "weight_decay": 0.01}, 2), ({"global_clipnorm": 0.1}, 2),
    ({"gradient_accumulation_steps": 2, "use_ema": True}, 6),
])  # fmt: skip
def test_steps_that_are_left_out(inner: dict[str, Any], graphs: int) -> None:
    """The scale is too large at first, and grows beyond what float16 holds again and again."""
    made = []

    def optimizer() -> Any:
        adam = optimizers.Adam(ExponentialDecay(0.05, 3, 0.5), **inner)
        made.append(optimizers.LossScaleOptimizer(adam, initial_scale=2.0**24, dynamic_growth_steps=2))
        return made[-1]

    model = check(lambda: of_policy("mixed_float16"), X, LABELS, optimizer, graphs, epochs=6)
    assert model.optimizer is made[0]
    assert {(o.iterations, o.dynamic_scale, o.step_counter) for o in made} == {
        (made[0].iterations, made[0].dynamic_scale, made[0].step_counter)
    }
    assert 0 < made[0].iterations * inner.get("gradient_accumulation_steps", 1) < 36 - 10


def test_a_mean_over_the_weights() -> None:
    loss = lm.losses.SparseCategoricalCrossentropy(True, reduction="mean_with_sample_weight")
    weights = np.where(np.arange(22) % 4, np.linspace(0.5, 2.0, 22), 0)
    check(mlp, X, LABELS, OPTIMIZERS["adam"], 2, sample_weight=weights, compiled={"loss": loss}, shuffle=False)
