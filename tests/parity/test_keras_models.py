"""Models beside Keras's: graphs, losses by output, logs, weights of classes and samples, callbacks, clones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

random = np.random.default_rng(0)
A = random.normal(size=(48, 6)).astype("float32")
B = random.normal(size=(48, 5)).astype("float32")
VALUE = random.normal(size=(48, 1)).astype("float32")
LABEL = random.integers(0, 3, 48)
WEIGHT = random.uniform(0.2, 2, 48).astype("float32")
LOSSES = ["mse", "sparse_categorical_crossentropy"]


def layers(library: Any) -> Any:
    return library.layers


def model_class(library: Any) -> Any:
    return library.models.Model if library is lm else library.Model


def two(library: Any) -> Any:
    """Two inputs, a shared layer, two outputs."""
    la = layers(library)
    a, b = la.Input((6,), name="in_a"), la.Input((5,), name="in_b")
    shared = la.Dense(4, activation="tanh", name="shared")
    x = shared(la.Dense(5, name="first")(a)) + shared(b)
    y = la.Dense(7, activation="relu", name="second")(x)
    outputs = [la.Dense(1, name="out_a")(y), la.Dense(3, activation="softmax", name="out_b")(x)]
    return model_class(library)([a, b], outputs)


def nested(library: Any) -> Any:
    """A model within a model, called twice, and a Sequential."""
    la = layers(library)
    a, b = la.Input((6,), name="in_a"), la.Input((5,), name="in_b")
    i = la.Input((4,))
    h = la.Dense(4, activation="relu", name="h")(i)
    inner = model_class(library)(i, la.Dense(4, name="h2")(h) + i, name="inner")
    tail = library.models.Sequential([la.Input((4,)), la.Dense(3, activation="tanh", name="t1"),
                                      la.Dense(4, name="t2")], name="tail")  # fmt: skip
    x = inner(la.Dense(4, name="left")(a))
    y = tail(inner(la.Dense(4, name="right")(b)) * 0.5)
    outputs = [la.Dense(1, name="out_a")(x + y), la.Dense(3, activation="softmax", name="out_b")(y)]
    return model_class(library)([a, b], outputs)


def deep(library: Any) -> Any:
    """Branches of different depth, and an output from the middle."""
    la = layers(library)
    a, b = la.Input((6,), name="in_a"), la.Input((5,), name="in_b")
    x = la.Dense(5, activation="tanh", name="x1")(a)
    long = la.Dense(5, name="x3")(la.Dense(5, activation="relu", name="x2")(x))
    y = la.Dense(5, name="y1")(b)
    outputs = [la.Dense(1, name="out_a")(long + y + x), la.Dense(3, activation="softmax", name="out_b")(x)]
    return model_class(library)([a, b], outputs)


def pair(build: Any) -> tuple[Any, Any]:
    ours, theirs = build(lm), build(keras)
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def compare_logs(ours: dict[str, Any], theirs: dict[str, Any], tolerance: float = 2e-5) -> None:
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


def compare_weights(ours: Any, theirs: Any, tolerance: float = 2e-5) -> None:
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("build", [two, nested, deep])
def test_order_of_layers_and_weights(build: Any) -> None:
    ours, theirs = pair(build)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    named = [layer.name for layer in theirs.layers if not layer.name.startswith(("add", "multiply"))]
    assert [layer.name for layer in ours.layers] == named
    assert ours.output_names == list(theirs.output_names)
    assert ours.count_params() == theirs.count_params()
    for y, expected in zip(ours.predict([A, B], verbose=0), theirs.predict([A, B], verbose=0), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"loss_weights": [0.3, 2.0]},
    {"metrics": [["mae"], ["accuracy"]], "weighted_metrics": [["mse"], ["accuracy"]]},
    {"metrics": {"out_b": ["accuracy"]}, "loss_weights": {"out_a": 0.5, "out_b": 1.5}},
    {"loss": {"out_a": "mae", "out_b": "sparse_categorical_crossentropy"}},
]


@pytest.mark.parametrize(("build", "weights"), [(two, None), (two, "all"), (two, "each"), (nested, None), (deep, None)])
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_training(build: Any, configuration: dict[str, Any], weights: str | None) -> None:
    ours, theirs = pair(build)
    arguments: dict[str, Any] = {"loss": LOSSES, **configuration}
    sample_weight = {None: None, "all": WEIGHT, "each": [WEIGHT, WEIGHT[::-1].copy()]}[weights]
    if weights == "all":  # Keras wants one for each output where targets are a list
        sample_weight = [WEIGHT, WEIGHT]
    histories = []
    for library, model in ((lm, ours), (keras, theirs)):
        model.compile(optimizer=library.optimizers.SGD(0.05), **arguments)
        validation = [A[:9], B[:9]], [VALUE[:9], LABEL[:9]]
        history = model.fit([A, B], [VALUE, LABEL], batch_size=20, epochs=3, shuffle=False, verbose=0,
                            sample_weight=sample_weight, validation_data=validation)  # fmt: skip
        histories.append(history.history)
    compare_logs(*histories)
    compare_weights(ours, theirs)
    evaluations = [m.evaluate([A, B], [VALUE, LABEL], verbose=0, return_dict=True) for m in (ours, theirs)]
    compare_logs(*evaluations)


def classifier(library: Any) -> Any:
    la = layers(library)
    return library.models.Sequential(
        [la.Input((6,)), la.Dense(16, activation="relu"), la.Dense(3, activation="softmax")]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"class_weight": {0: 0.5, 2: 3.0}},
        {"class_weight": {0: 0.0, 1: 1.0, 2: 1.0}},
        {"sample_weight": WEIGHT},
        {"validation_split": 0.25},
        {"sample_weight": WEIGHT, "validation_split": 0.25},
        {"steps_per_epoch": 2},
    ],
    ids=lambda arguments: "-".join(arguments) or "plain",
)
def test_fit(arguments: dict[str, Any]) -> None:
    ours, theirs = pair(classifier)
    histories = []
    for library, model in ((lm, ours), (keras, theirs)):
        model.compile(optimizer=library.optimizers.Adam(0.01), loss=LOSSES[1], metrics=["accuracy"],
                      weighted_metrics=[library.metrics.SparseCategoricalAccuracy(name="heeding")])  # fmt: skip
        history = model.fit(A, LABEL, batch_size=24, epochs=3, shuffle=False, verbose=0, **arguments)
        histories.append(history.history)
    compare_logs(*histories, tolerance=1e-4)
    compare_weights(ours, theirs, 1e-4)


def test_ten_epochs_of_digits() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype("float32")

    def build(library: Any) -> Any:
        la = layers(library)
        return library.models.Sequential(
            [la.Input((64,)), la.Dense(64, activation="relu"), la.Dense(10, activation="softmax")]
        )

    ours, theirs = pair(build)
    histories = []
    for library, model in ((lm, ours), (keras, theirs)):
        model.compile(optimizer=library.optimizers.Adam(), loss=LOSSES[1], metrics=["accuracy"])
        histories.append(model.fit(x, y, epochs=10, shuffle=False, verbose=0).history)
    compare_logs(*histories, tolerance=2e-3)


def test_penalties() -> None:
    def build(library: Any) -> Any:
        la = layers(library)
        return library.models.Sequential([
            la.Input((6,)),
            la.Dense(5, activity_regularizer="l2", kernel_regularizer="l1"),
            la.Dense(1, bias_regularizer="l2", activity_regularizer="l1"),
        ])  # fmt: skip

    ours, theirs = pair(build)
    histories = []
    for library, model in ((lm, ours), (keras, theirs)):
        model.compile(optimizer=library.optimizers.SGD(0.01), loss="mse")
        histories.append(model.fit(A, VALUE, batch_size=16, epochs=3, shuffle=False, verbose=0).history)
    compare_logs(*histories)
    compare_weights(ours, theirs)


VALUES = [3.0, 2.0, 2.0, 1.9999, 2.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.7, 0.7, 0.7, 0.2]


@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 2},
        {"patience": 1, "cooldown": 2, "factor": 0.5},
        {"patience": 0},
        {"patience": 2, "min_delta": 0.3, "min_lr": 0.02},
        {"patience": 2, "mode": "max"},
    ],
    ids=str,
)
def test_plateaus(arguments: dict[str, Any]) -> None:
    found = []
    for library, callbacks in ((lm, lm.models), (keras, keras.callbacks)):
        model = classifier(library)
        model.compile(optimizer=library.optimizers.SGD(0.1), loss=LOSSES[1])
        callback = callbacks.ReduceLROnPlateau(**{"monitor": "val_loss", "mode": "min", **arguments})
        callback.set_model(model)
        callback.on_train_begin()
        rates = []
        for epoch, value in enumerate(VALUES):
            callback.on_epoch_end(epoch, {"val_loss": value})
            rates.append(float(model.optimizer.learning_rate))
        found.append(rates)
    np.testing.assert_allclose(*found, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 0},
        {"patience": 3, "restore_best_weights": True},
        {"patience": 2, "min_delta": 0.5},
        {"patience": 2, "baseline": 0.9},
        {"patience": 1, "start_from_epoch": 4, "restore_best_weights": True},
        {"patience": 1, "mode": "max"},
        {"patience": 50, "restore_best_weights": True},
    ],
    ids=str,
)
def test_early_stopping(arguments: dict[str, Any]) -> None:
    found = []
    for library, callbacks in ((lm, lm.models), (keras, keras.callbacks)):
        model = library.models.Sequential([layers(library).Input((2,)), layers(library).Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        callback = callbacks.EarlyStopping(**{"monitor": "val_loss", "mode": "min", **arguments})
        callback.set_model(model)
        model.stop_training = False
        callback.on_train_begin()
        epoch = 0
        for epoch, value in enumerate(VALUES):
            model.set_weights([np.full((2, 1), epoch), np.zeros(1)])
            callback.on_epoch_end(epoch, {"val_loss": value})
            if model.stop_training:
                break
        callback.on_train_end()
        found.append((epoch, float(np.asarray(model.get_weights()[0])[0, 0])))
    assert found[0] == found[1]


def test_learning_rate_scheduler() -> None:
    histories = []
    for library, callbacks in ((lm, lm.models), (keras, keras.callbacks)):
        model = classifier(library)
        model.compile(optimizer=library.optimizers.SGD(0.1), loss=LOSSES[1])
        schedule = callbacks.LearningRateScheduler(lambda epoch, rate: float(rate * 0.5 if epoch else rate))
        history = model.fit(A, LABEL, epochs=4, verbose=0, callbacks=[schedule]).history
        histories.append(history["learning_rate"])
    np.testing.assert_allclose(*histories, rtol=1e-6)


@pytest.mark.parametrize("build", [two, nested, deep, classifier])
def test_clones(build: Any) -> None:
    ours, theirs = pair(build)
    copies = lm.models.clone_model(ours), keras.models.clone_model(theirs)
    assert [w.shape for w in copies[0].weights] == [tuple(w.shape) for w in copies[1].weights]
    copies[0].set_weights(theirs.get_weights())
    copies[1].set_weights(theirs.get_weights())
    x = A if build is classifier else [A, B]
    for y, expected in zip(copies[0].predict(x, verbose=0), copies[1].predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
