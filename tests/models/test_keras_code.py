"""What Keras code does in passing: variables and metrics of one's own, loops, seeds, JSON, registered classes."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina import layers, ops

X = np.random.default_rng(0).random((20, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def test_variables_change_in_place():
    v = lm.Variable(np.ones(3))
    assert v.assign_add([1.0, 2.0, 3.0]) is v
    assert v.assign_sub(lm.tensor([0.0, 1.0, 0.0])).numpy().tolist() == [2, 2, 4]
    assert v.dtype == np.float64
    assert v.value is v
    with pytest.raises(ValueError, match=r"assign: variable has shape \(3,\), got \(2, 3\)"):
        v.assign_add(np.ones((2, 3)))


def test_a_loop_of_ones_own():
    model = lm.Sequential([lm.Input((4,)), layers.Dense(1)])
    optimizer, loss = lm.optimizers.SGD(0.1), lm.losses.MeanSquaredError()
    values = []
    for _ in range(5):
        model.zero_grad()
        assert all(v.value.grad is None for v in model.trainable_weights)
        value = loss(Y, model(X, training=True))
        value.backward()
        weights = model.trainable_weights
        optimizer.apply([v.value.grad for v in weights], weights)
        values.append(float(value))
    assert values[-1] < values[0]


class Positives(lm.metrics.Metric):
    def __init__(self, name="positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")
        self.rows = self.add_weight(shape=(2,), initializer="ones")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(ops.sum(ops.cast(y_true > 2.0, "float32")))

    def result(self):
        return self.count


def test_a_metric_with_variables(tmp_path):
    metric = Positives()
    assert [v.shape for v in metric.variables] == [(), (2,)]
    metric.update_state(Y, Y)
    assert float(metric.result()) == (Y > 2).sum()
    metric.reset_state()
    assert float(metric.count) == 0
    model = lm.Sequential([lm.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Positives()])
    backup = lm.callbacks.BackupAndRestore(tmp_path)
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[backup]).history
    assert [float(value) for value in history["positives"]] == [(Y > 2).sum()] * 2
    state = model._compiled.get_state()
    json.dumps(state)
    model._compiled.outputs[0].plain[0].count.assign(0.0)
    model._compiled.set_state(state)
    assert float(model._compiled.outputs[0].plain[0].count) == (Y > 2).sum()
    with pytest.raises(NotImplementedError, match="reset_state"):
        lm.metrics.Metric().reset_state()


def test_metrics_as_functions():
    y, p = np.array([[1, 0], [1, 1.0]]), np.array([[0.9, 0.6], [0.2, 0.8]])
    assert lm.metrics.binary_accuracy(y, p).numpy().tolist() == [[1, 0], [0, 1]]
    scores = np.array([[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    one_hot, numbers = np.eye(3)[[2, 1]], np.array([[2], [1]])
    assert lm.metrics.categorical_accuracy(one_hot, scores).numpy().tolist() == [0, 1]
    assert lm.metrics.sparse_categorical_accuracy(numbers, scores).numpy().tolist() == [0, 1]
    assert lm.metrics.top_k_categorical_accuracy(one_hot, scores, k=2).numpy().tolist() == [1, 1]
    assert lm.metrics.sparse_top_k_categorical_accuracy(numbers, scores, k=1).numpy().tolist() == [0, 1]
    assert lm.metrics.mean_squared_error is lm.losses.mean_squared_error


def test_classes_as_vectors_refuse():
    with pytest.raises(ValueError, match="x must be whole numbers, got nan"):
        lm.utils.to_categorical([0.0, np.nan])
    with pytest.raises(TypeError, match=r"num_classes must be an integer, got 2\.5"):
        lm.utils.to_categorical([0, 1], 2.5)


def test_json():
    x = lm.Input((4,))
    model = lm.Model(x, layers.Dense(2)(layers.Dense(3, activation="relu")(x)))
    again = lm.models.model_from_json(model.to_json(indent=1))
    assert again.count_params() == model.count_params()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    for wrong in ("{}", "[", "3", '{"class_name": "os.system", "config": {}}'):
        with pytest.raises(ValueError, match=r"model_from_json: expected|unknown layer class"):
            lm.models.model_from_json(wrong)


def test_registered_classes(tmp_path):
    @lm.saving.register_keras_serializable(package="mine", name="mine_twice")
    class RegisteredTwice(layers.Layer):
        def call(self, x):
            return x * 2

    @lm.saving.register_keras_serializable()
    def registered_cube(x):
        return x * x * x

    path = tmp_path / "m.safetensors"
    model = lm.Sequential([lm.Input((4,)), RegisteredTwice(), layers.Dense(2, activation=registered_cube)])
    lm.saving.save_model(model, path)
    np.testing.assert_array_equal(lm.saving.load_model(path).predict(X), model.predict(X))
    with pytest.raises(ValueError, match="'Dense' is one of Lamina's own layers"):
        lm.saving.register_keras_serializable()(type("Dense", (layers.Layer,), {}))
    with pytest.raises(ValueError, match="safe_mode must be True"):
        lm.saving.load_model(path, safe_mode=False)


def test_custom_object_scope(tmp_path):
    class Unregistered(layers.Layer):
        def call(self, x):
            return x

    text = lm.Sequential([lm.Input((4,)), Unregistered()]).to_json()
    with lm.saving.custom_object_scope({"Unregistered": Unregistered}):
        assert lm.models.model_from_json(text).count_params() == 0
    with pytest.raises(ValueError, match="unknown layer class 'Unregistered'"):
        lm.models.model_from_json(text)


def test_summary_shows_what_is_inside_and_trained():
    inner = lm.Sequential([lm.Input((4,)), layers.Dense(3, name="deep_one")], name="inner")
    inner.trainable = False
    x = lm.Input((4,))
    model = lm.Model(x, layers.Dense(1, name="top")(inner(x)))
    texts = []
    model.summary(print_fn=texts.append)
    model.summary(line_length=80, print_fn=texts.append, expand_nested=True, show_trainable=True)
    assert "deep_one" not in texts[0]
    rows = {line.split()[0]: line.split() for line in texts[1].splitlines() if line.strip()}
    assert "no" in rows["inner"]
    assert "no" in rows["deep_one"]
    assert "yes" in rows["top"]
    assert "(15)" in rows["deep_one"]


def test_names_of_what_evaluate_gives():
    model = lm.Sequential([lm.Input((4,)), layers.Dense(1)])
    model.compile(loss="mse", metrics=["mae"])
    assert model.optimizer.name == "rmsprop"
    values = model.evaluate(X, Y, verbose=0)
    assert model.metrics_names == ["loss", "mae"]
    assert len(values) == 2


def test_callbacks_arguments():
    model = lm.Sequential([lm.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = []
    model.fit(
        X, Y, epochs=1, verbose=0, callbacks=[lm.callbacks.LambdaCallback(lambda epoch, logs: seen.append(epoch))]
    )
    assert seen == [0]
    with (
        pytest.warns(RuntimeWarning, match="the loss is nan"),
        pytest.raises(RuntimeError, match="TerminateOnNaN: the loss is nan in batch 1"),
    ):
        model.fit(X * np.nan, Y, verbose=0, callbacks=[lm.callbacks.TerminateOnNaN(raise_error=True)])


def test_what_fit_refuses():
    model = lm.Sequential([lm.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for epochs in (-1, 1.5, True, "a"):
        with pytest.raises(ValueError, match="fit: epochs must be an integer of at least 0"):
            model.fit(X, Y, epochs=epochs, verbose=0)
    with pytest.raises(ValueError, match=r"class_weight must be by class numbers, .* got the keys \['a'\]"):
        model.fit(X, np.ones((20, 1)), class_weight={"a": 1.0}, verbose=0)


def test_metadata_of_symbols_and_tensors():
    x = lm.Input((4,))
    assert ops.shape(x) == (None, 4)
    assert ops.ndim(x) == 2
    assert ops.dtype(x) == "float32"
    assert ops.is_tensor(x)
    with pytest.raises(TypeError, match="size: gives int for symbolic tensors"):
        ops.size(x)
    assert (ops.shape(X), ops.size(X), ops.is_tensor(X)) == ((20, 4), 80, False)
    t = lm.tensor(X)
    assert not np.shares_memory(ops.copy(t).array, t.array)


def test_a_variational_layer_with_a_seed_generator():
    class Sampling(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seed_generator = lm.random.SeedGenerator(1337)

        def call(self, inputs):
            mean, log_variance = inputs
            batch, size = ops.shape(mean)
            noise = lm.random.normal(shape=(batch, size), seed=self.seed_generator)
            return mean + ops.exp(0.5 * log_variance) * noise

    x = lm.Input((4,))
    model = lm.Model(x, Sampling()([layers.Dense(2)(x), layers.Dense(2)(x)]))
    assert model.output_shape == (None, 2)
    assert not np.array_equal(model.predict(X), model.predict(X))
