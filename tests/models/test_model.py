"""Model: fit, evaluate, predict, batches, logs, bad input."""

import warnings

import numpy as np
import pytest

import lamina as lm
from lamina.layers import Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from lamina.models import LambdaCallback, Model, Sequential

random = np.random.default_rng(0)
x = random.normal(size=(50, 6)).astype("float32")
y = (x @ random.normal(size=6) > 0).astype("int64")


class Two(Model):
    """A subclassed model with layers in a list."""

    def __init__(self, units=8):
        super().__init__()
        self.hidden = [Dense(units, activation="relu"), Dropout(0.2)]
        self.out = Dense(2, activation="softmax")

    def call(self, x, training=False):
        for layer in self.hidden:
            x = layer(x)
        return self.out(x)


def classifier(**kwargs):
    model = Two()
    adam = lm.optimizers.Adam(0.02)
    model.compile(optimizer=adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"], **kwargs)
    return model


def linear():
    model = Sequential([Dense(1, kernel_initializer="zeros")])
    model.compile(lm.optimizers.SGD(0.1), "mse")
    return model


def test_fit_learns_and_tells():
    lm.set_seed(1)
    model = classifier()
    history = model.fit(x, y, epochs=30, batch_size=8, validation_data=(x, y), verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == list(range(30))
    assert history is model.history
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.9
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy == history.history["val_accuracy"][-1]
    assert loss == pytest.approx(history.history["val_loss"][-1])
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}


def test_the_same_seed_gives_the_same_bits():
    results = []
    for seed in (3, 3, 4):
        lm.set_seed(seed)
        model = classifier()
        model.fit(x, y, epochs=3, verbose=0)
        results.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_threads_and_instruction_sets_change_no_bit_of_training():
    from lamina import _cpu

    pictures = random.normal(size=(40, 12, 12, 1)).astype("float32")
    labels = np.arange(40) % 3
    results = []
    for isa in _cpu.isas():
        for threads in (1, 2, 4):
            lm.set_isa(isa)
            lm.set_num_threads(threads)
            lm.set_seed(3)
            model = Sequential([
                Conv2D(16, 3, activation="relu", input_shape=(12, 12, 1)), BatchNormalization(), MaxPooling2D(),
                Conv2D(8, 3), Activation("tanh"), Dropout(0.3), Flatten(), Dense(32, "sigmoid"), Dense(3, "softmax"),
            ])  # fmt: skip
            model.compile("adam", "sparse_categorical_crossentropy")
            history = model.fit(pictures, labels, epochs=3, batch_size=16, verbose=0).history
            results.append(np.concatenate([w.ravel() for w in model.get_weights()] + [history["loss"]]))
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


@pytest.mark.parametrize(("n", "batch_size", "iterations"), [(50, 32, 2), (50, 50, 1), (50, 64, 1), (50, 7, 8)])
def test_iterations_are_n_over_b_rounded_up(n, batch_size, iterations):
    seen = []
    count = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model = classifier()
    model.fit(x[:n], y[:n], batch_size=batch_size, epochs=2, callbacks=[count], verbose=0)
    assert seen == list(range(iterations)) * 2
    assert model.optimizer.iterations == 2 * iterations


def test_a_step_is_gradient_descent():
    model = linear()
    t = random.normal(size=(50, 1)).astype("float32")
    loss = model.train_on_batch(x, t)
    assert loss == pytest.approx((t**2).mean(), rel=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], 0.1 * 2 / 50 * x.T @ t, rtol=1e-4, atol=1e-6)


def test_a_custom_loop_gives_the_bits_of_fit():
    def make():
        lm.set_seed(2)
        model = Sequential([Dense(4, activation="tanh", input_shape=(6,)), Dense(2, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    fitted, looped = make(), make()
    fitted.fit(x, y, batch_size=16, shuffle=False, epochs=2, verbose=0)
    loss_function, optimizer = lm.losses.SparseCategoricalCrossentropy(), lm.optimizers.Adam()
    for _ in range(2):
        for start in range(0, 50, 16):
            loss = loss_function(y[start : start + 16], looped(x[start : start + 16], training=True))
            loss.backward()
            optimizer.step(looped.trainable_weights)
    for a, b in zip(fitted.get_weights(), looped.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frozen_layers_stay():
    model = classifier()
    model.build((None, 6))
    model.hidden[0].trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert same == [True, True, False, False]


def test_regularizers_count():
    model = Sequential([Dense(1, kernel_regularizer="l2", kernel_initializer="ones", input_shape=(6,))])
    model.compile("sgd", "mse")
    plain = Sequential([Dense(1, kernel_initializer="ones", input_shape=(6,))])
    plain.compile("sgd", "mse")
    t = y[:, None].astype("float32")
    assert model.evaluate(x, t, verbose=0) == pytest.approx(plain.evaluate(x, t, verbose=0) + 0.06, rel=1e-5)
    assert model.train_on_batch(x, t) == pytest.approx(plain.train_on_batch(x, t) + 0.06, rel=1e-5)
    difference = plain.get_weights()[0] - model.get_weights()[0]
    np.testing.assert_allclose(difference, 0.01 * 0.02, rtol=1e-2)


def test_weights_of_samples_and_classes():
    t = y.astype("float32")
    sample_weight = np.where(y == 1, 3.0, 0.5)
    one, two, three = linear(), linear(), linear()
    one.fit(x, t, sample_weight=sample_weight, shuffle=False, verbose=0)
    two.fit(x, t, class_weight={0: 0.5, 1: 3.0}, shuffle=False, verbose=0)
    three.fit(x, t, class_weight={1: 3.0}, shuffle=False, verbose=0)
    np.testing.assert_array_equal(one.get_weights()[0], two.get_weights()[0])
    assert not np.array_equal(one.get_weights()[0], three.get_weights()[0])
    batch = linear()
    loss = batch.train_on_batch(x, t, sample_weight=sample_weight)
    assert loss == pytest.approx((sample_weight * t**2).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="class_weight or sample_weight, not both"):
        one.fit(x, t, sample_weight=sample_weight, class_weight={0: 1.0}, verbose=0)


def test_weighted_metrics():
    model = Sequential([Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=[lm.metrics.MeanAbsoluteError("weighted")])
    logs = model.evaluate(x[:2], np.array([1.0, 3.0]), sample_weight=np.array([3.0, 1.0]), verbose=0, return_dict=True)
    assert logs["mae"] == 2
    assert logs["weighted"] == 1.5


def test_validation_split_takes_the_end():
    seen = []

    class Watching(Two):
        def test_step(self, data):
            seen.append(data[0])
            return super().test_step(data)

    model = Watching()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, validation_split=0.2, verbose=0)
    np.testing.assert_array_equal(np.concatenate(seen), x[40:])


def test_shuffle_and_order():
    seen = []

    class Watching(Two):
        def train_step(self, data):
            seen.append(data[1])
            return super().train_step(data)

    model = Watching()
    model.compile("adam", "sparse_categorical_crossentropy")
    labels = np.arange(50) % 2
    positions = np.arange(50)
    model.fit(np.tile(positions[:, None], (1, 6)), labels, shuffle=False, verbose=0)
    np.testing.assert_array_equal(np.concatenate(seen), labels)
    seen.clear()
    model.fit(np.tile(positions[:, None], (1, 6)), labels, verbose=0, epochs=2)
    first, second = np.concatenate(seen[:2]), np.concatenate(seen[2:])
    assert sorted(first) == sorted(second) == sorted(labels)
    assert not np.array_equal(first, second)


def test_iterables_of_batches():
    def forever():
        while True:
            yield x[:10], y[:10]

    model = classifier()
    history = model.fit(forever(), steps_per_epoch=3, epochs=2, validation_data=(x, y), validation_steps=1, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert model.optimizer.iterations == 6
    model.fit(iter([(x[:10], y[:10]), (x[10:], y[10:], np.ones(40))]), verbose=0)
    assert model.optimizer.iterations == 8
    assert model.predict(iter([x[:3], x[3:5]]), verbose=0).shape == (5, 2)
    with pytest.raises(ValueError, match="no batch in epoch 2"):
        model.fit(iter([(x[:10], y[:10])]), epochs=2, verbose=0)
    with pytest.raises(ValueError, match="ended before 3 batches"):
        model.fit(iter([(x[:10], y[:10])]), steps_per_epoch=3, verbose=0)
    with pytest.raises(ValueError, match="y and sample_weight come with the batches"):
        model.fit(forever(), y, steps_per_epoch=1)
    with pytest.raises(TypeError, match="array or an iterable"):
        model.fit(3, verbose=0)


def test_steps_of_arrays_go_round():
    model = classifier()
    model.fit(x, y, steps_per_epoch=5, epochs=2, verbose=0)
    assert model.optimizer.iterations == 10


def test_several_inputs():
    class Sum(Model):
        def __init__(self):
            super().__init__()
            self.left, self.right = Dense(1), Dense(1)

        def call(self, inputs):
            return self.left(inputs["a"]) + self.right(inputs["b"])

    model = Sum()
    model.compile("adam", "mse")
    data = {"a": x, "b": x[:, :2]}
    model.fit(data, y, epochs=2, verbose=0)
    assert model.predict(data, verbose=0).shape == (50, 1)
    with pytest.raises(ValueError, match="as many samples"):
        model.fit({"a": x, "b": x[:3]}, y, verbose=0)


def test_several_outputs_of_predict():
    class Both(Model):
        def call(self, inputs):
            return {"double": inputs * 2, "pair": (inputs, inputs * 3)}

    result = Both().predict(x, batch_size=8, verbose=0)
    np.testing.assert_array_equal(result["double"], 2 * x)
    np.testing.assert_array_equal(result["pair"][1], 3 * x)


def test_predict_gives_the_same_bits_for_any_batch():
    model = classifier()
    whole = model.predict(x, batch_size=64, verbose=0)
    np.testing.assert_array_equal(model.predict(x, batch_size=7, verbose=0), whole)
    np.testing.assert_array_equal(np.concatenate([model.predict(row[None], verbose=0) for row in x]), whole)
    np.testing.assert_array_equal(model.predict_on_batch(x), whole)
    np.testing.assert_array_equal(model(x).numpy(), whole)
    assert model.predict(x[:0], verbose=0).shape == (0, 2)
    assert whole.dtype == np.float32


def test_predict_takes_lists_and_other_dtypes():
    model = classifier()
    expected = model.predict(x, verbose=0)
    for data in (x.tolist(), x.astype("float64"), lm.tensor(x), np.asfortranarray(x), x.astype(">f4")):
        np.testing.assert_array_equal(model.predict(data, verbose=0), expected)


def test_own_train_step():
    class Own(Two):
        def train_step(self, data):
            x, y = data
            loss = self.loss(y, self(x, training=True))
            loss.backward()
            self.optimizer.step(self.trainable_weights)
            return {"loss": loss.item(), "extra": 7.0}

    model = Own()
    model.compile("adam", "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=2, verbose=0)
    assert history.history["extra"] == [7.0, 7.0]
    assert model.train_on_batch(x, y, return_dict=True)["extra"] == 7.0


def test_a_train_step_around_the_usual_one_has_its_logs():
    class Around(Two):
        def train_step(self, data):
            return super().train_step(data)

    histories = []
    for cls in (Two, Around):
        lm.set_seed(1)
        model = cls()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        histories.append(model.fit(x, y, batch_size=8, epochs=2, validation_data=(x, y), verbose=0).history)
    assert histories[0] == histories[1]


def test_evaluation_does_not_depend_on_the_batch():
    model = classifier()
    model.fit(x, y, verbose=0)
    one, other = (model.evaluate(x, y, batch_size=size, verbose=0) for size in (7, 50))
    assert one == pytest.approx(other, rel=1e-5)


def test_losses_and_metrics_of_ones_own():
    def error(y_true, y_pred):
        return lm.ops.abs(y_pred - y_true)

    def close(y_true, y_pred):
        return np.abs(y_true - y_pred) < 0.5

    model = Sequential([Dense(1)])
    model.compile("sgd", error, metrics=[close, "mse"])
    t = y[:, None].astype("float32")
    history = model.fit(x, t, epochs=1, verbose=0)
    assert list(history.history) == ["loss", "close", "mse"]


def test_a_nan_is_named_at_once_and_once():
    model = linear()
    data = x.copy()
    data[33] = np.nan
    with pytest.warns(RuntimeWarning, match="the loss is nan in epoch 1, batch 2") as record:
        model.fit(data, y.astype("float32"), shuffle=False, epochs=3, verbose=0)
    assert len(record) == 1


def test_progress(capsys):
    model = classifier()
    model.fit(x, y, epochs=2, verbose=1, validation_data=(x, y))
    shown = capsys.readouterr().err
    assert "Epoch 1/2" in shown
    assert "Epoch 2/2: 100%" in shown
    assert "val_accuracy=" in shown
    model.fit(x, y, epochs=1, verbose=2)
    captured = capsys.readouterr()
    assert captured.out.startswith("Epoch 1/1: 2 batches, ")
    assert "accuracy=" in captured.out
    model.fit(x, y, verbose=0)
    model.predict(x, verbose=1)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    model.evaluate(x, y)
    assert "Evaluating: 100%" in capsys.readouterr().err


@pytest.mark.parametrize("classes", [2, 12])
def test_progress_of_metrics_with_several_values(capsys, classes):
    model = Sequential([Dense(classes, activation="softmax", input_shape=(6,))])
    metrics = [lm.metrics.F1Score(), lm.metrics.TruePositives([0.25, 0.75])]
    model.compile("adam", "categorical_crossentropy", metrics=metrics)
    for verbose in (1, 2):
        history = model.fit(x, np.eye(classes)[y], verbose=verbose).history
        captured = capsys.readouterr()
        shown = captured.out if verbose == 2 else captured.err
        assert ("f1_score=[0." if classes == 2 else "f1_score=array(12,)") in shown
        assert "true_positives=[" in shown
    assert history["f1_score"][0].shape == (classes,)


def test_interrupted_fit_leaves_a_usable_model():
    def stop(batch, logs):
        raise KeyboardInterrupt

    model = classifier()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, callbacks=[LambdaCallback(on_train_batch_end=stop)], verbose=1)
    model.fit(x, y, verbose=0)
    assert model.predict(x, verbose=0).shape == (50, 2)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: m.fit(x, y[:-1], verbose=0), ValueError, r"as many samples each, got \[50, 49\]"),
        (lambda m: m.fit(x, y, sample_weight=np.ones(3), verbose=0), ValueError, "as many samples"),
        (lambda m: m.fit(x[:0], y[:0], verbose=0), ValueError, "there are no samples"),
        (lambda m: m.fit(x, y, batch_size=0, verbose=0), ValueError, "batch_size must be positive"),
        (lambda m: m.fit(x, y, batch_size=2.5, verbose=0), TypeError, "batch_size must be a positive integer, got 2.5"),
        (lambda m: m.fit(x, y, batch_size="8", verbose=0), TypeError, "batch_size must be a positive integer, got '8'"),
        (lambda m: m.fit(x, y, batch_size=True, verbose=0), TypeError, "batch_size must be a positive integer"),
        (lambda m: m.fit(x, y, steps_per_epoch=1.5, verbose=0), TypeError, "steps must be a positive integer, got 1.5"),
        (lambda m: m.fit(x, y, steps_per_epoch=0, verbose=0), ValueError, "steps must be positive, got 0"),
        (lambda m: m.fit(x, y, verbose=7), ValueError, "verbose must be"),
        (lambda m: m.fit(x, y, validation_split=1.5, verbose=0), ValueError, "validation_split"),
        (lambda m: m.fit(x, y, validation_data=(x, y[:3]), verbose=0), ValueError, "fit: validation: x, y"),
        (lambda m: m.fit(x, y + 5, verbose=0), ValueError, "softmax_cross_entropy: .*"),
        (lambda m: m.fit(x, -1 - y, verbose=0), ValueError, "softmax_cross_entropy: .*"),
        (lambda m: m.fit(x, np.eye(3)[y], verbose=0), ValueError, "class numbers in shape"),
        (lambda m: m.fit(x[:, :, None], y, verbose=0), ValueError, None),
        (lambda m: m.fit(x.astype(complex), y, verbose=0), TypeError, "array of numbers"),
        (lambda m: m.fit(x, verbose=0), ValueError, "needs targets"),
        (lambda m: m.fit(verbose=0), TypeError, "array or an iterable"),
        (lambda m: m.fit(x, y, callbacks=[print], verbose=0), TypeError, "callbacks must be"),
        (lambda m: m.train_on_batch(x, y[:3]), ValueError, "as many samples"),
        (lambda m: m.train_on_batch(x[:0], y[:0]), ValueError, "at least one"),
        (lambda m: m.evaluate(x[:0], y[:0], verbose=0), ValueError, "there are no samples"),
        (lambda m: m.predict(x, batch_size=-1, verbose=0), ValueError, "batch_size must be positive"),
        (lambda m: m.compile("adamm"), ValueError, "optimizers: expected one of"),
        (lambda m: m.compile("adam", "msee"), ValueError, "losses: expected"),
        (lambda m: m.compile("adam", "mse", metrics=["acuracy"]), ValueError, "metrics: expected"),
        (lambda m: m.get_layer("nothing"), ValueError, "get_layer"),
        (lambda m: m.get_layer(index=9), ValueError, "get_layer"),
    ],
)
def test_bad_input(call, error, text):
    model = classifier()
    with pytest.raises(error, match=text):
        call(model)


def test_before_compile_and_before_the_inputs_are_known():
    model = Two()
    for call in (lambda: model.fit(x, y), lambda: model.evaluate(x, y), lambda: model.train_on_batch(x, y)):
        with pytest.raises(RuntimeError, match="compile the model first"):
            call()
    for call in (model.summary, model.count_params):
        with pytest.raises(ValueError, match=r"does not know its inputs yet|no weights yet"):
            call()
    with pytest.raises(ValueError, match="build needs the shape"):
        model.build(None)
    model.compile("adam")
    with pytest.raises(RuntimeError, match="compile was given no loss"):
        model.fit(x, y, verbose=0)


def test_flat_targets_against_columns_and_never_broadcast():
    model = linear()
    flat = model.evaluate(x, y.astype("float32"), verbose=0)
    assert flat == pytest.approx(model.evaluate(x, y[:, None].astype("float32"), verbose=0))
    wide = Sequential([Dense(3)])
    wide.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must have the shape of"):
        wide.fit(x, y, verbose=0)


def test_build_and_summary_of_a_subclass(capsys):
    model = Two()
    model.build((None, 6))
    model.summary()
    text = capsys.readouterr().out
    assert "(None, 8)" in text
    assert "Parameters: 74 (296 B), 74 of them trainable" in text
    assert "Shallow network: 1 hidden layer\n" in text
    assert model.layers == [*model.hidden, model.out]
    assert model.get_layer(model.out.name) is model.out
    assert model.get_layer(index=-1) is model.out


def test_a_layer_that_is_not_used(capsys, tmp_path):
    model = Two()
    model.spare = Dense(3)
    model.build((None, 6))
    model.summary()
    assert "not used" in capsys.readouterr().out
    model.save_weights(tmp_path / "w.safetensors")
    model.load_weights(tmp_path / "w.safetensors")
    assert model.count_params() == 74


def test_memory_stays_flat():
    """The pool gives the same blocks out again: after a warm-up nothing new is asked of the system."""
    from lamina import _cpu

    model = classifier()
    row = x[:1]

    def held():
        return sum(v for k, v in _cpu.pool_stats().items() if "in_use" in k or "used" in k)

    def work():
        for _ in range(300):
            model.predict(row, verbose=0)
        model.fit(x, y, epochs=5, verbose=0)

    work()
    before = held()
    work()
    assert held() <= before


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier().fit(x, y, epochs=2, validation_split=0.1, verbose=1)
