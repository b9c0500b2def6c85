"""Callbacks: order, stopping, checkpoints, history."""

import numpy as np
import pytest

import lamina as lm
from lamina.layers import Dense
from lamina.models import (
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    Sequential,
    SwapEMAWeights,
    TerminateOnNaN,
    load_model,
)
from lamina.models.callbacks import HOOKS

x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
y = x.sum(1, keepdims=True)


def make():
    lm.set_seed(0)
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile(lm.optimizers.SGD(0.1), "mse")
    return model


def run(callback, values, key="val_loss"):
    """Feeds a callback with one value an epoch; returns the epochs that were trained."""
    model = make()
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        model.set_weights([np.full((3, 1), epoch), np.zeros(1)])
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {key: value, "loss": value})
        if model.stop_training:
            break
    callback.on_train_end()
    return epoch + 1, model


def test_order_of_hooks():
    calls = []
    callback = LambdaCallback(**{hook: lambda *args, hook=hook: calls.append(hook) for hook in HOOKS})
    model = make()
    model.fit(x, y, batch_size=10, validation_data=(x, y), validation_batch_size=20, callbacks=[callback], verbose=0)
    step = ["on_train_batch_begin", "on_train_batch_end"]
    test = ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"]
    assert calls == ["on_train_begin", "on_epoch_begin", *step, *step, *test, "on_epoch_end", "on_train_end"]
    calls.clear()
    model.predict(x, callbacks=[callback], verbose=0)
    predict = ["on_predict_begin", "on_predict_batch_begin", "on_predict_batch_end", "on_predict_end"]
    assert calls == predict
    calls.clear()
    model.evaluate(x, y, callbacks=callback, verbose=0)
    assert calls == test


def test_callbacks_see_the_model_and_can_stop_it():
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert set(logs) == {"loss"}
            assert self.params["epochs"] == 9
            if epoch == 2:
                self.model.stop_training = True

    history = make().fit(x, y, epochs=9, callbacks=[Stop()], verbose=0)
    assert history.epoch == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "values", "epochs"),
    [
        ({}, [3, 2, 1, 2, 0], 4),
        ({"patience": 2}, [3, 2, 4, 4, 0], 4),
        ({"patience": 2}, [3, 2, 4, 1, 4, 4, 0], 6),
        ({"min_delta": 0.5}, [3, 2, 1.9, 0], 3),
        ({"mode": "max"}, [1, 2, 1, 3], 3),
        ({"monitor": "val_accuracy"}, [0.1, 0.2, 0.1, 0.3], 3),
        ({"baseline": 1.0, "patience": 2}, [3, 2, 2.5, 0.5], 3),
        ({"start_from_epoch": 2}, [1, 2, 3, 4, 0], 4),
        ({}, [float("nan"), 2, 1, 3], 4),
    ],
)
def test_early_stopping(arguments, values, epochs):
    callback = EarlyStopping(**arguments)
    assert run(callback, values, callback.monitor)[0] == epochs


def test_early_stopping_restores_the_best_weights(capsys):
    epochs, model = run(EarlyStopping(patience=1, restore_best_weights=True, verbose=1), [3, 1, 2, 0])
    assert epochs == 3
    assert model.get_weights()[0][0, 0] == 1
    assert capsys.readouterr().out == "Epoch 3: early stopping\nRestoring the weights of epoch 2\n"
    _, model = run(EarlyStopping(patience=9, restore_best_weights=True), [3, 1, 2])
    assert model.get_weights()[0][0, 0] == 1


def test_unknown_values_and_modes():
    with pytest.raises(
        ValueError, match=r"no 'val_loss' to monitor; there is \['loss'\] \(fit got no validation data\)"
    ):
        make().fit(x, y, callbacks=[EarlyStopping()], verbose=0)
    with pytest.raises(ValueError, match="mode must be"):
        EarlyStopping(mode="less")
    with pytest.raises(ValueError, match="expected hooks among"):
        LambdaCallback(on_epoch=print)


@pytest.mark.parametrize("wrong", [-1, 1.5, "2", True])
def test_numbers_of_epochs(wrong):
    for callback, names in (
        (EarlyStopping, ("patience", "start_from_epoch")),
        (ReduceLROnPlateau, ("patience", "cooldown")),
    ):
        for name in names:
            with pytest.raises(ValueError, match=f"{callback.__name__}: {name} must be an integer of at least 0, got"):
                callback(**{name: wrong})


def test_checkpoints(tmp_path):
    path = tmp_path / "{epoch:02d}-{loss:.1f}.safetensors"
    run(ModelCheckpoint(path, monitor="loss", verbose=0), [3, 1, 2])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "01-3.0.safetensors",
        "02-1.0.safetensors",
        "03-2.0.safetensors",
    ]


def test_best_checkpoint_only(tmp_path, capsys):
    path = tmp_path / "best.safetensors"
    run(ModelCheckpoint(path, save_best_only=True, verbose=1), [3, 1, 2])
    assert load_model(path).get_weights()[0][0, 0] == 1
    assert capsys.readouterr().out.count("saved") == 2
    run(ModelCheckpoint(path, save_best_only=True, save_weights_only=True, initial_value_threshold=0.5), [3, 1])
    assert load_model(path).get_weights()[0][0, 0] == 1


def test_checkpoints_every_so_many_batches(tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}-{batch}.safetensors", save_freq=3, save_weights_only=True)
    make().fit(x, y, batch_size=5, epochs=2, callbacks=[callback], verbose=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-3.safetensors", "2-2.safetensors"]


def test_checkpoints_make_their_folders(tmp_path):
    callback = ModelCheckpoint(tmp_path / "run" / "epoch {epoch}" / "m.safetensors", save_freq=np.int64(4))
    make().fit(x, y, batch_size=5, epochs=2, callbacks=[callback], verbose=0)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["epoch 1", "epoch 2"]


def test_checkpoints_refused(tmp_path):
    with pytest.raises(ValueError, match="must end in"):
        ModelCheckpoint(tmp_path / "model.keras")
    for wrong in (0, 2.5, True, "batch"):
        with pytest.raises(ValueError, match='ModelCheckpoint: save_freq must be "epoch" or a number of batches, got'):
            ModelCheckpoint(tmp_path / "m.safetensors", save_freq=wrong)


@pytest.mark.parametrize(
    "callback",
    [EarlyStopping(), ReduceLROnPlateau(patience=1), ModelCheckpoint("m.safetensors", save_best_only=True)],
    ids=lambda callback: type(callback).__name__,
)
def test_epochs_without_validation_are_passed_over(callback, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = make()
    callback.set_model(model)
    callback.set_params({"epochs": 4, "validation_freq": 2})
    callback.on_train_begin()
    model.stop_training = False
    for epoch, logs in enumerate([{}, {"val_loss": 1.0}, {}, {"val_loss": 2.0}]):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": 1.0, **logs})
        assert model.stop_training is (isinstance(callback, EarlyStopping) and epoch == 3)
        reduced = isinstance(callback, ReduceLROnPlateau) and epoch == 3
        assert model.optimizer.learning_rate == pytest.approx(0.01 if reduced else 0.1)
    callback.set_params({"epochs": 4})
    with pytest.raises(ValueError, match="no 'val_loss' to monitor"):
        callback.on_epoch_end(4, {"loss": 1.0})


def test_terminate_on_nan(capsys):
    model = make()
    data = np.full((20, 3), np.nan)
    with pytest.warns(RuntimeWarning, match="the loss is nan in epoch 1, batch 1"):
        history = model.fit(data, y, epochs=5, batch_size=5, callbacks=[TerminateOnNaN()], verbose=0)
    assert len(history.epoch) == 1
    assert model.optimizer.iterations == 1
    assert "Batch 1: the loss is not a number" in capsys.readouterr().out


def test_history_of_a_second_fit():
    model = make()
    assert model.fit(x, y, epochs=2, verbose=0).epoch == [0, 1]
    history = model.fit(x, y, epochs=4, initial_epoch=2, verbose=0)
    assert history.epoch == [2, 3]
    assert len(history.history["loss"]) == 2


def test_plot(tmp_path):
    history = make().fit(x, y, epochs=3, validation_data=(x, y), verbose=0)
    figure = history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="no epoch to draw"):
        History().plot()


def test_plots_of_many_values():
    history = History()
    history.epoch = [0, 1]
    for i in range(5):
        history.history[f"v{i}"] = [1.0, 2.0]
    figure = history.plot()
    assert [axes.get_visible() for axes in figure.axes] == [True] * 5 + [False]


def test_plots_of_metrics_with_several_values():
    history = History()
    history.epoch = [0, 1]
    history.history = {"loss": [2.0, 1.0], "f1": [np.array([0.1, 0.2, 0.3])] * 2, "matrix": [np.eye(2)] * 2}
    loss, f1 = [axes for axes in history.plot().axes if axes.get_visible()]
    assert len(loss.lines) == 1
    assert [line.get_label() for line in f1.lines] == ["training 0", "training 1", "training 2"]
    assert f1.lines[1].get_ydata().tolist() == [0.2, 0.2]


def test_metrics_with_several_values_are_not_watched():
    for callback in (EarlyStopping("f1"), ReduceLROnPlateau("f1")):
        with pytest.raises(ValueError, match=r"'f1' must be one number to monitor, got an array of shape \(3,\)"):
            run(callback, [np.ones(3)], "f1")


def test_learning_rate_by_epoch(capsys):
    model = make()
    history = model.fit(x, y, epochs=3, callbacks=[LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))], verbose=0)
    assert history.history["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3])
    callback = LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1)
    model.fit(x, y, epochs=2, callbacks=[callback], verbose=0)
    assert model.optimizer.learning_rate == pytest.approx(0.1 / 12)
    assert "Epoch 2: the learning rate is 0.00833333" in capsys.readouterr().out
    with pytest.raises(TypeError, match="schedule must be a function"):
        LearningRateScheduler(0.1)
    for wrong in ("0.1", None, True):
        with pytest.raises(TypeError, match="schedule must give a number"):
            model.fit(x, y, callbacks=[LearningRateScheduler(lambda epoch, rate, wrong=wrong: wrong)], verbose=0)


@pytest.mark.parametrize(
    ("arguments", "values", "rates"),
    [
        ({"patience": 2}, [3, 2, 2, 2, 2, 2], [0.1, 0.1, 0.1, 0.01, 0.01, 0.001]),
        ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3, 3], [0.1, 0.01, 0.01, 0.001, 0.001, 0.0001]),
        ({"patience": 1, "min_lr": 0.05, "factor": 0.5}, [1, 1, 1, 1], [0.1, 0.05, 0.05, 0.05]),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2, 2], [0.1, 0.01, 0.01, 0.001]),
        ({"patience": 1, "mode": "max"}, [1, 2, 1], [0.1, 0.1, 0.01]),
        ({"patience": 1, "monitor": "val_auc"}, [1, 2, 1], [0.1, 0.1, 0.01]),
    ],
)
def test_plateaus(arguments, values, rates, capsys):
    callback = ReduceLROnPlateau(verbose=1, **arguments)
    model = make()
    callback.set_model(model)
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {callback.monitor: value})
        found.append(model.optimizer.learning_rate)
    assert found == pytest.approx(rates)
    assert "the learning rate becomes" in capsys.readouterr().out
    with pytest.raises(ValueError, match="factor must be at least 0 and less than 1"):
        ReduceLROnPlateau(factor=1.0)


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    model = make()
    model.fit(x, y, epochs=2, callbacks=[CSVLogger(path)], verbose=0)
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,loss"
    assert len(lines) == 3
    model.fit(x, y, epochs=3, initial_epoch=2, callbacks=[CSVLogger(path, append=True)], verbose=0)
    assert path.read_text().splitlines()[3].startswith("2,")
    model.fit(x, y, epochs=4, validation_data=(x, y), validation_freq=2, callbacks=[CSVLogger(path, ";")], verbose=0)
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch;loss;val_loss"
    assert [line.count(";") for line in lines] == [2] * 5
    assert lines[1].endswith(";")
    assert not lines[4].endswith(";")
    path.write_text("epoch,loss\n")
    scheduler = LearningRateScheduler(lambda epoch: 0.1)
    with pytest.raises(ValueError, match=r"has the columns \['loss'\], got \['learning_rate'\] as well"):
        model.fit(x, y, callbacks=[CSVLogger(path, append=True), scheduler], verbose=0)


def test_averages_need_an_optimizer_that_keeps_them():
    with pytest.raises(ValueError, match="the optimizer must have use_ema=True"):
        make().evaluate(x, y, callbacks=[SwapEMAWeights()], verbose=0)


def test_averages_are_swapped():
    """Evaluation goes by the averages, training by the weights, and fit ends with the averages."""
    model = make()
    model.compile(lm.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    weights, swapped, evaluated = [], [], []
    look = LambdaCallback(
        on_train_batch_end=lambda batch, logs: weights.append(model.get_weights()[0]),
        on_test_batch_end=lambda batch, logs: evaluated.append(model.get_weights()[0]),
        on_epoch_end=lambda epoch, logs: swapped.append(model.get_weights()[0]),
    )
    callbacks = [SwapEMAWeights(swap_on_epoch=True), look]
    model.fit(x, y, batch_size=10, epochs=2, shuffle=False, validation_data=(x, y), validation_batch_size=20,
              callbacks=callbacks, verbose=0)  # fmt: skip
    expected = weights[0]
    for i, weight in enumerate(weights[1:], 1):
        expected = 0.5 * expected + 0.5 * weight
        if i % 2:
            np.testing.assert_allclose(evaluated[i // 2], expected, rtol=1e-5)
            np.testing.assert_allclose(swapped[i // 2], expected, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)
    plain = make()
    plain.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0, callbacks=[
        LambdaCallback(on_train_batch_end=lambda batch, logs: swapped.append(plain.get_weights()[0]))
    ])  # fmt: skip
    np.testing.assert_array_equal(weights[-1], swapped[-1])


def test_averages_within_a_loss_scale_optimizer():
    model = make()
    inner = lm.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    model.compile(lm.optimizers.LossScaleOptimizer(inner), "mse")
    model.fit(x, y, epochs=1, verbose=0)
    weights = model.get_weights()
    model.evaluate(x, y, callbacks=[SwapEMAWeights()], verbose=0)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
