"""A run that was broken off goes on to the same bits."""

import subprocess
import sys

import numpy as np
import pytest

import lamina as lm
from lamina.layers import GRU, Dense, Dropout, Reshape
from lamina.models import (
    BackupAndRestore,
    EarlyStopping,
    LambdaCallback,
    ReduceLROnPlateau,
    Sequential,
    SwapEMAWeights,
    load_model,
)

random = np.random.default_rng(0)
x = random.normal(size=(50, 4)).astype("float32")
y = random.normal(size=(50, 1)).astype("float32")


class Broken(Exception):
    pass


def plain():
    return [Dense(8, "tanh", input_shape=(4,)), Dropout(0.3), Dropout(0.2, seed=5), Dense(1)]


def recurrent():
    return [Reshape((2, 2), input_shape=(4,)), GRU(4, dropout=0.3, recurrent_dropout=0.2, seed=5), Dense(1)]


def train(folder, epochs=6, stop=None, save_freq="epoch", data=None, layers=plain):
    """Trains, broken off after `stop` = (epoch, batch) where it is given; weights and history."""
    lm.set_seed(3)
    model = Sequential(layers())
    model.compile(lm.optimizers.Adam(0.02), "mse")
    at = [0]

    def batch_end(batch, logs):
        if stop == (at[0], batch):
            raise Broken

    callbacks = [
        LambdaCallback(on_epoch_begin=lambda epoch, logs: at.__setitem__(0, epoch), on_train_batch_end=batch_end),
        BackupAndRestore(folder, save_freq=save_freq),
        ReduceLROnPlateau(monitor="loss", patience=1, min_delta=0.2),
        EarlyStopping(monitor="loss", patience=4, restore_best_weights=True),
    ]
    inputs = (x, y) if data is None else (data(), None)
    history = model.fit(*inputs, batch_size=16, epochs=epochs, callbacks=callbacks, verbose=0)
    return model.get_weights(), history


@pytest.mark.parametrize("stop", [(0, 2), (2, 0), (3, 3), (5, 1)])
@pytest.mark.parametrize("save_freq", ["epoch", 1, 3])
def test_the_same_bits(tmp_path, stop, save_freq):
    expected, history = train(tmp_path / "whole", save_freq=save_freq)
    assert not (tmp_path / "whole" / "backup.safetensors").exists()
    with pytest.raises(Broken):
        train(tmp_path / "broken", stop=stop, save_freq=save_freq)
    weights, again = train(tmp_path / "broken", save_freq=save_freq)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.epoch == history.epoch
    if save_freq == "epoch":
        assert again.history == history.history
    assert again.history["learning_rate"] == history.history["learning_rate"]


def test_cells_with_a_seed_of_their_own_go_on_with_their_next_masks(tmp_path):
    expected, _ = train(tmp_path / "whole", layers=recurrent)
    with pytest.raises(Broken):
        train(tmp_path / "broken", stop=(2, 1), layers=recurrent)
    weights, _ = train(tmp_path / "broken", layers=recurrent)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_broken_off_twice_and_again_in_another_seed(tmp_path):
    expected, _ = train(tmp_path / "whole")
    for stop in ((1, 1), (4, 0)):
        with pytest.raises(Broken):
            train(tmp_path / "broken", stop=stop)
    lm.set_seed(99)
    weights, _ = train(tmp_path / "broken")
    np.testing.assert_array_equal(weights[0], expected[0])


def test_data_that_count_their_passes(tmp_path):
    class Data:
        number = 0

        def set_pass(self, number):
            self.number = number

        def __iter__(self):
            order = np.random.default_rng(self.number).permutation(50)
            self.number += 1
            for i in range(0, 50, 16):
                yield x[order[i : i + 16]], y[order[i : i + 16]]

    expected, _ = train(tmp_path / "whole", data=Data)
    with pytest.raises(Broken):
        train(tmp_path / "broken", stop=(2, 1), data=Data, save_freq=1)
    weights, _ = train(tmp_path / "broken", data=Data)
    np.testing.assert_array_equal(weights[0], expected[0])


def test_metrics_with_several_values(tmp_path):
    def train(stop=None):
        lm.set_seed(3)
        model = Sequential([Dense(2, "softmax", input_shape=(4,))])
        model.compile("sgd", "categorical_crossentropy", metrics=[lm.metrics.F1Score(), lm.metrics.ConfusionMatrix(2)])

        def epoch_begin(epoch, logs):
            if epoch == stop:
                raise Broken

        callbacks = [LambdaCallback(on_epoch_begin=epoch_begin), BackupAndRestore(tmp_path, save_freq=2)]
        return model.fit(x, np.eye(2)[(y[:, 0] > 0) * 1], epochs=4, callbacks=callbacks, verbose=0).history

    expected = train()
    with pytest.raises(Broken):
        train(stop=2)
    again = train()
    assert again.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(again[name], values)
        assert type(again[name][0]) is type(values[0])


def test_averages_that_are_in_the_model(tmp_path):
    """SwapEMAWeights has the averages in the model when the epoch is kept; training goes on from the weights."""

    def train(folder, stop=None):
        lm.set_seed(3)
        model = Sequential([Dense(8, "tanh", input_shape=(4,)), Dense(1)])
        model.compile(lm.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.5), "mse")

        def epoch_begin(epoch, logs):
            if epoch == stop:
                raise Broken

        callbacks = [
            LambdaCallback(on_epoch_begin=epoch_begin),
            SwapEMAWeights(swap_on_epoch=True),
            BackupAndRestore(folder),
        ]
        model.fit(x, y, batch_size=16, epochs=4, callbacks=callbacks, verbose=0)
        return model.get_weights()

    expected = train(tmp_path / "whole")
    with pytest.raises(Broken):
        train(tmp_path / "broken", stop=2)
    for a, b in zip(train(tmp_path / "broken"), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_dataset_goes_on_with_the_pass_that_was_broken_off(tmp_path):
    def data():
        return lm.data.Dataset.from_arrays((x, y)).shuffle(seed=4).batch(16).prefetch()

    expected, _ = train(tmp_path / "whole", data=data)
    for save_freq in ("epoch", 1):
        with pytest.raises(Broken):
            train(tmp_path / "broken", stop=(2, 1), data=data, save_freq=save_freq)
        weights, _ = train(tmp_path / "broken", data=data, save_freq=save_freq)
        np.testing.assert_array_equal(weights[0], expected[0])


KILLED = """
import os, sys
import numpy as np
import lamina as lm
lm.set_seed(1)
model = lm.models.Sequential([lm.layers.Dense(3, "relu"), lm.layers.Dropout(0.5), lm.layers.Dense(1)])
model.compile("adam", "mse")
x = np.arange(40, dtype="float32").reshape(20, 2) / 40
end = int(sys.argv[2])
kill = lm.models.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == end and os.kill(os.getpid(), 9))
keep = lm.models.BackupAndRestore(sys.argv[1])
model.fit(x, x[:, :1], batch_size=8, epochs=6, callbacks=[kill, keep], verbose=0)
print(np.concatenate([w.ravel() for w in model.get_weights()]).tobytes().hex())
"""


def test_killed(tmp_path):
    def run(folder, end):
        command = [sys.executable, "-c", KILLED, str(tmp_path / folder), str(end)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = run("whole", 99)
    assert whole.returncode == 0, whole.stderr
    assert run("killed", 3).returncode == -9
    again = run("killed", 99)
    assert again.stdout == whole.stdout


def test_saved_models_keep_the_random_numbers(tmp_path):
    def make():
        lm.set_seed(7)
        model = Sequential([Dense(6, input_shape=(4,)), Dropout(0.4), Dropout(0.1, seed=2), Dense(1)])
        model.compile("adam", "mse")
        return model

    whole = make()
    whole.fit(x, y, epochs=4, verbose=0)
    part = make()
    part.fit(x, y, epochs=2, verbose=0)
    part.save(tmp_path / "m.safetensors")
    lm.set_seed(0)
    again = load_model(tmp_path / "m.safetensors", restore_random=True)
    again.fit(x, y, epochs=4, initial_epoch=2, verbose=0)
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])
    lm.set_seed(11)
    load_model(tmp_path / "m.safetensors", compile=False)
    assert lm.random.get_seed() == 11


def test_refused(tmp_path):
    for wrong in (0, "batch", True, 2.5):
        with pytest.raises(ValueError, match="save_freq must be"):
            BackupAndRestore(tmp_path, save_freq=wrong)
    with pytest.raises(Broken):
        train(tmp_path, stop=(2, 0))
    other = Sequential([Dense(3, input_shape=(4,)), Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(ValueError, match="do not fit"):
        other.fit(x, y, callbacks=[BackupAndRestore(tmp_path)], verbose=0)
    other.save_weights(tmp_path / "backup.safetensors")
    with pytest.raises(ValueError, match="holds no state of training"):
        other.fit(x, y, callbacks=[BackupAndRestore(tmp_path)], verbose=0)
