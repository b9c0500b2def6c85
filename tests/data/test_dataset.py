"""Dataset: order, seeds, threads, ends and errors."""

import gc
import threading
import time

import numpy as np
import pytest

import lamina as lm
from lamina.data import Dataset
from lamina.layers import Dense
from lamina.models import Sequential


def numbers(data):
    return [int(value) for value in data]


def lamina_threads():
    return [t for t in threading.enumerate() if t.name.startswith("lamina-")]


def test_sources():
    x, y = np.arange(6).reshape(3, 2), [3, 4, 5]
    data = Dataset.from_arrays((x, {"a": y}))
    assert [(a.tolist(), int(b["a"])) for a, b in data] == [([0, 1], 3), ([2, 3], 4), ([4, 5], 5)]
    assert len(data) == 3
    assert numbers(Dataset.range(1, 7, 2)) == [1, 3, 5]
    generated = Dataset.from_generator(lambda: iter(range(3)))
    assert numbers(generated) == numbers(generated) == [0, 1, 2]
    assert generated.size is None
    assert not hasattr(generated, "__len__")
    assert len(Dataset.from_generator(lambda: iter(range(3)), size=3)) == 3


def test_steps_and_lengths():
    data = Dataset.range(10)
    generated = Dataset.from_generator(lambda: iter(range(10)), size=10)
    for source in (data, generated):
        for result, expected in (
            (source.take(3), [0, 1, 2]), (source.skip(8), [8, 9]), (source.take(2).repeat(2), [0, 1, 0, 1]),
            (source.take(1).concatenate(source.skip(9)), [0, 9]), (source.cache(), range(10)),
            (source.map(lambda i: i * i), [i * i for i in range(10)]), (source.prefetch(3), range(10)),
            (source.batch(4).unbatch(), range(10)), (source.skip(99), []), (source.take(0), []),
        ):  # fmt: skip
            assert numbers(result) == list(expected)
            assert numbers(result) == list(expected)  # again and again
            assert result.size in (None, len(expected))
        assert numbers(source.filter(lambda i: i > 7)) == [8, 9]
        assert [b.tolist() for b in source.batch(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert len(source.batch(4)) == 3
        assert len(source.batch(4, drop_remainder=True)) == len(list(source.batch(4, drop_remainder=True))) == 2
    assert [numbers(pair) for pair in Dataset.zip(data, data.skip(8))] == [[0, 8], [1, 9]]
    endless = data.repeat()
    assert numbers(endless.take(23))[-3:] == [0, 1, 2]
    assert not hasattr(endless.batch(3), "__len__")
    assert numbers(Dataset.from_arrays(np.zeros((0, 3))).repeat()) == []


def test_batches_of_everything():
    rows = [({"a": np.float32(i), "b": [i, i]}, i) for i in range(3)]
    (x, y), _ = Dataset.from_generator(lambda: rows).batch(2)
    assert x["a"].tolist() == [0, 1]
    assert x["b"].shape == (2, 2)
    assert y.dtype == np.int64
    words, tensors, single = next(iter(Dataset.from_generator(lambda: [("a", lm.tensor([1.0]), 0.5)] * 2).batch(2)))
    assert words.tolist() == ["a", "a"]
    assert tensors.shape == (2, 1)
    assert single.dtype == np.float32
    with pytest.raises(ValueError, match=r"batch: elements differ in shape: \[\(1,\), \(2,\)\]"):
        list(Dataset.from_generator(lambda: [np.ones(1), np.ones(2)]).batch(2))
    strings = Dataset.from_arrays((np.array(["x", "y", "z"]), np.arange(3))).batch(2)
    assert next(iter(strings))[0].tolist() == ["x", "y"]


@pytest.mark.parametrize("buffer", [None, 1, 4, 50])
@pytest.mark.parametrize("source", [Dataset.range(20), Dataset.from_generator(lambda: iter(range(20)), size=20)])
def test_shuffle(source, buffer):
    data, again = source.shuffle(seed=5, buffer=buffer), source.shuffle(seed=5, buffer=buffer)
    passes = [numbers(data) for _ in range(3)]
    assert passes == [numbers(again) for _ in range(3)]
    for order in passes:
        assert sorted(order) == list(range(20))
    if buffer != 1:
        assert len({tuple(order) for order in passes}) == 3
        assert passes[0] != numbers(source.shuffle(seed=6, buffer=buffer))
    assert len(data) == 20


def test_each_repeat_has_its_own_order():
    data = numbers(Dataset.range(8).shuffle(seed=1).repeat(3))
    orders = [tuple(data[i : i + 8]) for i in (0, 8, 16)]
    assert len(set(orders)) == 3
    assert all(sorted(order) == list(range(8)) for order in orders)
    endless = iter(Dataset.range(8).shuffle(seed=1).repeat())
    assert [int(next(endless)) for _ in range(24)] == data


def test_passes_by_number():
    data = Dataset.range(8).shuffle(seed=1).map(lambda i: i + lm.data.random_generator().integers(99)).batch(3)
    passes = [np.concatenate(list(data)).tolist() for _ in range(4)]
    for number in (2, 0, 3):
        data.set_pass(number)
        assert np.concatenate(list(data)).tolist() == passes[number]
    for wrong in (-1, 1.5, True):
        with pytest.raises(ValueError, match="set_pass: number must be an integer of at least 0"):
            data.set_pass(wrong)


@pytest.mark.parametrize("threads", [0, 1, 3, 8])
def test_map_keeps_order_and_bits_for_any_number_of_threads(threads):
    def noisy(i):
        time.sleep(0.0005 * (7 - i % 7))
        return i, lm.data.random_generator().random(), lm.data.random_generator().random()

    data = Dataset.range(30).map(noisy, threads=threads, seed=9)
    passes = [[tuple(map(float, value)) for value in data] for _ in range(2)]
    expected = Dataset.range(30).map(noisy, seed=9)
    assert passes == [[tuple(map(float, value)) for value in expected] for _ in range(2)]
    assert [value[0] for value in passes[0]] == list(range(30))
    assert len({value[1] for one in passes for value in one} | {value[2] for one in passes for value in one}) == 120
    assert not lamina_threads()


def test_random_generator_is_for_map():
    with pytest.raises(RuntimeError, match=r"within Dataset\.map"):
        lm.data.random_generator()


@pytest.mark.parametrize("step", ["map", "prefetch", "both"])
def test_errors_come_out_in_their_place(step):
    def fail(i):
        if i == 5:
            raise KeyError("five")
        return i

    data = Dataset.range(20).map(fail, threads=0 if step == "prefetch" else 3)
    if step != "map":
        data = data.prefetch(2)
    seen = []
    with pytest.raises(KeyError, match="five"):
        seen.extend(data)
    assert seen == [0, 1, 2, 3, 4]
    gc.collect()
    assert not lamina_threads()


@pytest.mark.parametrize("source", [Dataset.range(1000), Dataset.range(5).repeat()])
def test_threads_end_when_the_iterator_is_dropped(source):
    iterator = iter(source.map(lambda i: i, threads=2).prefetch(2).batch(2).prefetch(3))
    next(iterator)
    assert lamina_threads()
    del iterator
    gc.collect()
    assert not lamina_threads()
    for _ in source.map(lambda i: i, threads=2).prefetch():
        break
    gc.collect()
    assert not lamina_threads()


def test_interrupted_while_waiting():
    def interrupt():
        raise KeyboardInterrupt

    def elements():
        yield 1
        interrupt()

    data = Dataset.from_generator(elements).map(lambda i: i, threads=2)
    with pytest.raises(KeyboardInterrupt):
        list(data)
    iterator = iter(Dataset.range(9).prefetch(1))
    next(iterator)
    with pytest.raises(KeyboardInterrupt):
        iterator.throw(KeyboardInterrupt)
    assert not lamina_threads()


def test_prefetch_runs_ahead():
    made = []
    iterator = iter(Dataset.from_generator(lambda: (made.append(i) or i for i in range(9))).prefetch(3))
    next(iterator)
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(made) == 5  # one given, three waiting, one in hand
    assert len(list(iterator)) == 8


def test_cache():
    calls = []
    data = Dataset.range(4).map(lambda i: calls.append(int(i)) or i).cache()
    next(iter(data))
    assert numbers(data) == numbers(data) == [0, 1, 2, 3]
    assert calls == [0, 0, 1, 2, 3]


def test_oversample():
    y = np.array([0] * 7 + [1] * 2 + [2])
    data = Dataset.from_arrays((np.arange(10), y)).oversample(seed=3)
    first, second = (list(data) for _ in range(2))
    assert np.bincount([label for _, label in first]).tolist() == [7, 7, 7]
    assert {int(x) for x, _ in first} == set(range(10))
    assert [int(x) for x, _ in first] != [int(x) for x, _ in second]
    counts = np.bincount([int(x) for x, _ in first])
    assert counts.tolist()[:7] == [1] * 7
    assert sorted(counts[7:9]) == [3, 4]
    assert len(data) == 21
    again = Dataset.from_arrays((np.arange(10), y)).oversample(seed=3)
    assert [int(x) for x, _ in again] == [int(x) for x, _ in first]
    assert len(list(Dataset.range(10).oversample(y).batch(4))) == 6


def test_sample_by_class():
    y = np.array(["a"] * 90 + ["b"] * 10)
    rows = numbers(Dataset.range(100).sample_by_class({"a": 1, "b": 3}, count=4000, labels=y, seed=2))
    assert abs(np.mean(np.array(rows) >= 90) - 0.75) < 0.03
    counts = np.bincount(rows, minlength=100)
    assert counts[:90].min() > 0
    assert counts[90:].min() > 200
    assert set(y[numbers(Dataset.range(100).sample_by_class({"b": 1}, labels=y))]) == {"b"}


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Dataset.from_arrays((np.ones(3), np.ones(4))), r"as many rows each, got \[3, 4\]"),
    (lambda: Dataset.from_arrays(()), "as many rows each"), (lambda: Dataset.from_arrays(3.0), "arrays of rows"),
    (lambda: Dataset.range(3).batch(0), "batch_size must be a positive integer, got 0"),
    (lambda: Dataset.range(3).batch(2.5), "positive integer"),
    (lambda: Dataset.range(3).map(abs, threads=-1), "threads"),
    (lambda: Dataset.from_generator(lambda: [1], size=-2), "from_generator: size must be an integer of at least 0"),
    (lambda: Dataset.range(3).take(-1), "take: count"), (lambda: Dataset.range(3).skip(-1), "skip: count"),
    (lambda: Dataset.range(3).repeat(-1), "repeat: count"), (lambda: Dataset.range(3).prefetch(0), "prefetch: count"),
    (lambda: Dataset.range(3).shuffle(buffer=0), "shuffle: buffer"), (lambda: Dataset.zip(), "at least one"),
    (lambda: Dataset.range(3).map(abs).repeat().shuffle(), "without end"),
    (lambda: Dataset.range(3).oversample(), "give labels"), (lambda: Dataset.range(3).oversample([1, 2]), r"\(2,\)"),
    (lambda: Dataset.range(3).oversample([0.5, 1, 2]), "labels must be 3 classes"),
    (lambda: Dataset.range(3).take(2).oversample([0, 1]), "must come before take"),
    (lambda: Dataset.range(2).sample_by_class({0: -1.0}, labels=[0, 1]), "at least 0"),
    (lambda: Dataset.range(2).sample_by_class({5: 1.0}, labels=[0, 1]), "of classes"),
    (lambda: Dataset.range(2).sample_by_class({0: 0.0}, labels=[0, 1]), "not all 0"),
])  # fmt: skip
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Dataset.from_generator(iter([1])), "from_generator: expected a function"),
    (lambda: Dataset.range(3).map(3), "map: expected a function, got 3"),
    (lambda: Dataset.range(3).filter(None), "filter: expected a function, got None"),
    (lambda: Dataset.zip(Dataset.range(3), [1, 2]), r"zip: expected a Dataset, got \[1, 2\]"),
    (lambda: Dataset.range(3).concatenate([1]), r"concatenate: expected a Dataset, got \[1\]"),
    (lambda: Dataset.range(3).shuffle(seed=1.5), "shuffle: seed must be an integer, got 1.5"),
    (lambda: Dataset.range(3).shuffle(seed="a", buffer=2), "shuffle: seed must be an integer, got 'a'"),
    (lambda: Dataset.range(3).map(abs, seed=None), "map: seed must be an integer, got None"),
    (lambda: Dataset.range(2).oversample([0, 1], seed=0.5), "oversample: seed must be an integer"),
    (lambda: Dataset.range(2).sample_by_class(labels=[0, 1], seed=0.5), "sample_by_class: seed must be an integer"),
])  # fmt: skip
def test_refuses_other_kinds(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_fit_takes_a_dataset():
    x = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
    y = (x.sum(1, keepdims=True) > 0).astype(np.float32)
    losses = []
    for threads in (0, 3):
        lm.set_seed(1)
        model = Sequential([Dense(1, activation="sigmoid", input_shape=(3,))])
        model.compile(optimizer="adam", loss="binary_crossentropy")
        data = Dataset.from_arrays((x, y)).shuffle(seed=2)
        data = data.map(
            lambda a, b: (a + lm.data.random_generator().random(3, np.float32), b, np.float32(2)), threads=threads
        )
        data = data.batch(10).prefetch()
        history = model.fit(data, epochs=3, verbose=0, validation_data=Dataset.from_arrays((x, y)).batch(32))
        losses.append(history.history)
        assert model.predict(Dataset.from_arrays(x).batch(32), verbose=0).shape == (64, 1)
        endless = Dataset.from_arrays((x, y)).repeat().batch(8)
        model.fit(endless, epochs=1, steps_per_epoch=3, verbose=0)
    assert losses[0] == losses[1]
    assert len(losses[0]["val_loss"]) == 3
