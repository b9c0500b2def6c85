"""lamina.cuda_graph: custom steps, captured and replayed; and that the stand-in's captures are as strict as a GPU's."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest

import device_stand_in
import lamina as lm
from lamina import layers, optimizers
from lamina.autograd.tensor import Tensor
from stream_stand_in import Graph, MemoryPool, Stream

ON_A_GPU = device_stand_in.at_hand() == "GPU"
stand_in = pytest.mark.skipif(ON_A_GPU, reason="of the stand-in")
X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def gpu(value: Any) -> Any:
    return lm.tensor(value, device="cuda")


def loop(captured: bool, steps: int = 8, **options: Any) -> Any:
    """A training loop; the last step has a smaller batch."""
    lm.set_seed(0)
    with lm.device("cuda"):
        model = lm.models.Sequential([layers.Dense(5, "tanh"), layers.Dropout(0.3), layers.Dense(1)])
    optimizer = optimizers.Adam(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5))

    def step(x: Any, y: Any) -> Any:
        y_pred = model(x, training=True)
        loss = lm.ops.mean_squared_error(y, y_pred)
        loss.backward()
        optimizer.step(model.trainable_weights)
        return {"loss": loss, "prediction": y_pred}

    run = lm.cuda_graph(step, **options) if captured else step
    losses = []
    for i in range(steps):
        rows = slice(0, 3) if i % 4 == 3 else slice(i % 4 * 3, i % 4 * 3 + 4)
        found = run(gpu(X[rows]), gpu(Y[rows]))
        losses.append((found["loss"].item(), found["prediction"].numpy().tolist()))
    return losses, [w.numpy().tolist() for w in model.weights], run


def test_a_loop_of_ones_own():
    before = Graph.launches
    losses, weights, run = loop(True, 20)
    assert (losses, weights) == loop(False, 20)[:2]
    assert run.graphs.count == 2
    assert run.__name__ == "step"
    if not ON_A_GPU:
        assert Graph.launches - before == 20 - 4


def test_results_are_off_the_tape():
    double = lm.cuda_graph(lambda x: x * 2)
    for i in range(5):
        x = gpu([1.0 + i])
        x.requires_grad = True
        assert double(x).requires_grad is False
        assert double(x).numpy().tolist() == [2.0 + 2 * i]


def test_no_more_graphs_than_are_wanted():
    _, _, run = loop(True, 20, most=1, warm_up=1)
    assert run.graphs.count == 1
    run.graphs.clear()
    assert run.graphs.count == 0


def test_arguments_of_all_kinds():
    calls = []

    @lm.cuda_graph
    def mixed(data: Any, factor: float, names: Any = None, *, flag: bool = False) -> Any:
        calls.append(factor)
        assert all(type(v) is Tensor and v.device == "cuda" for v in (data["a"], data["b"][0]))
        return [data["a"] * factor + data["b"][0]], (data["a"] if flag else None), names

    for i in range(5):
        for flag in (False, True):
            a, b = np.float32([i, 1]), gpu([2.0, 3.0])
            (total,), first, names = mixed({"a": a, "b": (b,)}, 3.0, ("x", "y"), flag=flag)
            assert total.numpy().tolist() == [3.0 * i + 2, 6.0]
            assert names == ("x", "y")
            assert first.numpy().tolist() == [i, 1] if flag else first is None
    assert len(calls) == 6  # two as they are and one captured, for each flag
    with pytest.raises(TypeError, match="cuda_graph: arguments must be arrays, tensors, or hashable, got set"):
        mixed({"a": gpu([1.0])}, {1})


def test_on_the_cpu_the_function_is_called():
    calls = []
    step = lm.cuda_graph(calls.append)
    for i in range(4):
        step(i)
    step(np.ones(2))
    assert calls[:4] == [0, 1, 2, 3]
    assert type(calls[4]) is np.ndarray


def test_within_a_capture_functions_are_part_of_it():
    inner = lm.cuda_graph(lambda x: x + 1)
    outer = lm.cuda_graph(lambda x: inner(x) * 2, warm_up=1)
    inner.graphs.warm_up = 100
    for i in range(4):
        assert outer(gpu([1.0 * i])).numpy().tolist() == [2.0 * i + 2]
    assert inner.graphs.count == 0


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: x * x.sum().item(), r"capture: lamina\.autograd\.tensor\.Tensor\.item waits for the GPU"),
    (lambda x: x if x.sum() > 0 else -x, r"capture: lamina\.autograd\.tensor\.Tensor\.\w+ waits for the GPU"),
    (lambda x: lm.ops.unique(x), r"capture: lamina\.ops\.\w+\.unique waits"),
    (lambda x: x[x > 0], r"capture: lamina\.ops\.indexing\.\w+"),
    (lambda x: lm.ops.to(x, "cpu").to("cuda"), r"capture: lamina\.ops\.transfer"),
    (lambda x: x * lm.random.uniform((3,)).to("cuda"), "capture: random numbers are drawn on the CPU in this step"),
])  # fmt: skip
def test_what_waits_is_refused_by_name(call: Any, message: str) -> None:
    function = lm.cuda_graph(call)
    x = gpu([1.0, 2.0, 3.0])
    function(x)
    function(x)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=message):
            function(x)
    assert type(lm.backend.cuda.kernels).__name__ == "Kernels"
    assert (x + 1).numpy().tolist() == [2.0, 3.0, 4.0]  # and everything goes on as before


def test_errors_of_the_function_come_as_they_are():
    function = lm.cuda_graph(lambda x, y: x @ y, warm_up=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="matmul"):
            function(gpu([[1.0]]), gpu([[1.0], [2.0]]))


@pytest.mark.parametrize("name", ["warm_up", "most"])
def test_bad_numbers(name: str) -> None:
    for value in (0, 1.5, True):
        with pytest.raises(ValueError, match=f"cuda_graph: {name} must be a positive integer, got {value}"):
            lm.cuda_graph(abs, **{name: value})


def test_arrays_of_the_host_are_constants():
    table = np.float32([1.0, 10.0, 100.0])
    pick = lm.cuda_graph(lambda i: lm.ops.take(gpu([0.0, 1.0, 2.0]) * table, i))
    for i in (0, 2, 1, 2, 0):
        assert pick(gpu([i])).numpy().tolist() == [[0.0, 10.0, 200.0][i]]


def test_random_numbers_go_on_and_can_be_repeated():
    seeds = lm.random.SeedGenerator(3)

    def draw(x: Any) -> Any:
        noise = lm.random.normal((3,), seed=seeds)
        return x + lm.random.uniform((3,)) + noise * lm.random.uniform((3,), seed=11)

    results = []
    for captured in (True, False):
        with lm.device("cuda"):
            lm.set_seed(4)
            seeds = lm.random.SeedGenerator(3)
            run = lm.cuda_graph(draw) if captured else draw
            results.append([run(gpu([1.0, 2.0, 3.0])).numpy().tolist() for _ in range(6)])
    assert results[0] == results[1]
    assert len({tuple(r) for r in results[0]}) == 6


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("op", [lm.ops.softmax_cross_entropy, lm.ops.cross_entropy_from_probabilities])
def test_class_weights_and_ignored_labels_of_the_cross_entropies(op: Any, dtype: str) -> None:
    """The samples that count are counted on the GPU: the CPU's bits, in a graph too."""
    random = np.random.default_rng(0)
    x, weight = random.uniform(0.1, 1, (6, 4)).astype(dtype), random.uniform(0.5, 2, 4)
    labels = [random.integers(0, 4, 6) for _ in range(3)] + [np.full(6, 3)]
    for options in [
        {"ignore_index": 3}, {"class_weight": weight}, {"ignore_index": 3, "class_weight": weight},
        {"class_weight": weight, "label_smoothing": 0.1}, {"ignore_index": 3, "label_smoothing": 0.1},
        {"ignore_index": 3, "class_weight": weight, "label_smoothing": 0.1},
        {"class_weight": weight, "sample_weight": random.uniform(0, 2, 6)},
    ]:  # fmt: skip

        def step(x: Any, y: Any, options: Any = options) -> Any:
            x.requires_grad = True
            loss = op(x, y, **options)
            loss.backward()
            return loss, x.grad

        captured = lm.cuda_graph(step, warm_up=1)
        for y in labels:
            wanted = [t.numpy() for t in step(lm.tensor(x), y)]
            for run in (step, captured):
                found = [t.numpy() for t in run(gpu(x), gpu(y))]
                for a, b in zip(found, wanted, strict=True):
                    np.testing.assert_array_equal(a, b)


def test_integers_are_divided_without_a_look_at_what_is_on_the_gpu():
    divide = lm.cuda_graph(lambda a, b: (a // b, a % b, a // 2, lm.ops.mod(7, b)), warm_up=1)
    for b in ([1, 2, 3], [3, 2, -1], [0, 1, 5], [2, 0, 2]):
        found = [t.numpy().tolist() for t in divide(gpu([7, -7, 8]), gpu(b))]
        with np.errstate(divide="ignore"):
            a = np.array([7, -7, 8])
            assert found == [(a // b).tolist(), (a % b).tolist(), (a // 2).tolist(), (7 % np.array(b)).tolist()]
    with pytest.raises(ValueError, match="floor_divide: integers cannot be divided by 0"):
        lm.ops.floor_divide(gpu([1, 2]), 0)


def test_two_optimizers_and_two_steps_in_one_graph():
    def run(captured: bool) -> Any:
        weights = [lm.Variable(np.float32([1.0, -2.0])) for _ in range(2)]
        for w in weights:
            w.place("cuda")
        one = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 1, 0.9))
        two = optimizers.Adam(0.1, gradient_accumulation_steps=2)

        def step(x: Any) -> Any:
            for _ in range(2):
                loss = (weights[0] * weights[1] * x).sum()
                loss.backward()
                one.step(weights[:1])
                two.step(weights[1:])
            return loss

        wrapped = lm.cuda_graph(step) if captured else step
        losses = [wrapped(gpu([1.0, 0.5 * i])).item() for i in range(7)]
        return losses, [w.numpy().tolist() for w in weights], one.iterations, two.iterations

    assert run(True) == run(False)


def test_steps_that_are_left_out_for_one_of_two_optimizers():
    def run(captured: bool) -> Any:
        weights = [lm.Variable(np.float32([1.0, -2.0])) for _ in range(2)]
        for w in weights:
            w.place("cuda")
        two = [optimizers.LossScaleOptimizer(optimizers.SGD(0.125), 8.0, growth) for growth in (2, 3)]

        def step(x: Any, y: Any) -> Any:
            for w, given, optimizer in zip(weights, (x, y), two, strict=True):
                loss = (w * w * given).sum()
                optimizer.scale_loss(loss).backward()
                optimizer.step([w])
            return loss

        wrapped = lm.cuda_graph(step) if captured else step
        found = []
        for i in range(12):
            x, y = (gpu(np.float32([1.0, np.inf if i % every == every - 1 else 0.5])) for every in (5, 4))
            loss = wrapped(x, y).item()
            found.append((loss if np.isfinite(loss) else None, [w.numpy().tolist() for w in weights],
                          [(o.iterations, o.dynamic_scale, o.step_counter) for o in two]))  # fmt: skip
        return found

    assert run(True) == run(False)
    assert [state[0] for state in run(True)[-1][2]] == [10, 9]


def test_two_steps_of_an_optimizer_that_leaves_some_out_are_refused():
    w = lm.Variable(np.float32([1.0, -2.0]))
    w.place("cuda")
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1))

    @lm.cuda_graph
    def step(x: Any) -> Any:
        for _ in range(2):
            optimizer.scale_loss((w * x).sum()).backward()
            optimizer.step([w])
        return x

    step(gpu([1.0]))
    step(gpu([1.0]))
    with pytest.raises(RuntimeError, match="capture: loss_scale_optimizer: a second step, which hangs on whether"):
        step(gpu([1.0]))


# The stand-in


@stand_in
def test_the_stand_in_captures_as_a_gpu_does():
    import cupy

    assert cupy is sys.modules["cupy"]
    x, pool, stream = cupy.asarray([1.0, 2.0]), MemoryPool(), Stream(non_blocking=True)
    with cupy.cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        y = x * 2
        x += y
        view = x[1:]
        view[...] = 5
        graph = stream.end_capture()
    assert x.tolist() == [1.0, 2.0]  # nothing was done
    assert np.isnan(y.get()).all()
    graph.launch()
    assert (x.tolist(), y.tolist()) == ([3.0, 5.0], [2.0, 4.0])
    graph.launch()
    assert (x.tolist(), y.tolist()) == ([9.0, 5.0], [6.0, 10.0])
    del pool
    gc.collect()
    with pytest.raises(AssertionError, match="the memory of the graph was freed"):
        graph.launch()


@stand_in
@pytest.mark.parametrize("call", [
    lambda cupy, x: x.get(), lambda cupy, x: x.item(0), lambda cupy, x: x.tolist(), lambda cupy, x: bool(x[0]),
    lambda cupy, x: cupy.asarray(np.ones(2)), lambda cupy, x: cupy.nonzero(x), lambda cupy, x: x[x > 1],
    lambda cupy, x: x.set(np.ones(2)), lambda cupy, x: cupy.cuda.get_current_stream().synchronize(),
])  # fmt: skip
def test_the_stand_in_refuses_what_a_gpu_does(call: Any) -> None:
    import cupy

    x, pool, stream = cupy.asarray([1.0, 2.0]), MemoryPool(), Stream()
    with cupy.cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureUnsupported"):
            call(cupy, x)
    with pytest.raises(RuntimeError, match="legacy"):
        Stream(null=True).begin_capture()
    with stream, pytest.raises(AssertionError, match="from a pool of its own"):
        cupy.empty(3)


@stand_in
def test_the_stand_in_orders_streams_as_cupy_does():
    """An array that is asked for without a word about streams has the default stream wait, which no capture allows."""
    import cupy

    x, stream = cupy.asarray([1.0, 2.0]), Stream()
    with stream:
        x.__dlpack__()
        stream.begin_capture()
        x.__dlpack__(stream=-1)
        with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureUnsupported"):
            x.__dlpack__()


def test_a_method():
    class Scale:
        factor = 3.0

        @lm.cuda_graph
        def times(self, x):
            return x * self.factor

    assert Scale().times(lm.tensor([2.0])).numpy().tolist() == [6.0]
    assert isinstance(Scale.times, lm.cuda_graph)
