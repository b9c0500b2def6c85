import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import threadpoolctl

import lamina as lm
from lamina import threads

X = np.random.default_rng(0).normal(size=(400, 5000)).astype(np.float32)


def threads_of_this_process():
    return len(os.listdir("/proc/self/task"))


def count_in_new_process(**variables):
    code = "import lamina; print(lamina.num_threads())"
    kept = {k: v for k, v in os.environ.items() if k not in ("LAMINA_NUM_THREADS", "OMP_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | variables, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_environment():
    processors = len(os.sched_getaffinity(0))
    assert count_in_new_process() == processors
    assert count_in_new_process(LAMINA_NUM_THREADS="3") == 3
    assert count_in_new_process(OMP_NUM_THREADS="5,2") == 5
    assert count_in_new_process(LAMINA_NUM_THREADS="3", OMP_NUM_THREADS="5") == 3
    assert count_in_new_process(LAMINA_NUM_THREADS="no number", OMP_NUM_THREADS="-1") == processors
    assert count_in_new_process(LAMINA_NUM_THREADS="100000") == 256


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_affinity():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert count_in_new_process() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("count", [0, -1, 257, 2**30])
def test_impossible_counts(count):
    with pytest.raises(ValueError, match=f"set_num_threads: expected 1 to 256, got {count}"):
        lm.set_num_threads(count)


@pytest.mark.parametrize("count", [1.5, "2", None])
def test_counts_that_are_no_integers(count):
    with pytest.raises(TypeError):
        lm.set_num_threads(count)


def test_the_pool_has_as_many_threads_as_asked():
    lm.set_num_threads(1)
    alone = threads_of_this_process()
    for count in (4, 2, 7, 1):
        lm.set_num_threads(count)
        lm.ops.relu(X)
        assert lm.num_threads() == count
        assert threads_of_this_process() == alone + count - 1


def _child(connection):
    connection.send((lm.num_threads(), lm.ops.relu(X).numpy().tobytes(), threads_of_this_process()))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_after_threads_were_used():
    lm.set_num_threads(3)
    expected = lm.ops.relu(X).numpy().tobytes()
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(theirs,))
        child.start()
        assert ours.poll(30), "the forked child hangs"
        count, got, its_threads = ours.recv()
        child.join()
        assert got == expected
        assert count == 3
        assert its_threads >= 3
    assert lm.ops.relu(X).numpy().tobytes() == expected  # and the parent goes on


def test_eight_python_threads():
    lm.set_num_threads(2)
    expected = (lm.ops.relu(X).numpy() + 1).sum(1, keepdims=True).shape, lm.ops.sum(lm.ops.relu(X) * 2, 1).numpy()
    wrong = []

    def work():
        try:
            for _ in range(15):
                x = lm.tensor(X, requires_grad=True)
                y = lm.ops.sum(lm.ops.relu(x) * 2, 1)
                y.sum().backward()
                if not np.array_equal(y.numpy(), expected[1]) or not np.array_equal(x.grad.numpy(), 2 * (X > 0)):
                    wrong.append("other values")
        except Exception as error:
            wrong.append(error)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for _ in range(20):  # and the number of threads changes meanwhile
        lm.set_num_threads(3)
        lm.set_num_threads(2)
    for worker in workers:
        worker.join()
    assert not wrong


def test_many_more_threads_than_processors():
    """Parts that no worker has begun are run by the caller: every part runs once, whoever runs it."""
    y = lm.ops.relu(X).numpy()
    lm.set_num_threads(16)
    for rows in (1, 3, 16, 17, 400):
        for _ in range(50):
            np.testing.assert_array_equal(lm.ops.relu(X[:rows]).numpy(), y[:rows])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_workers_that_leave_the_callers_processor_may_still_run_anywhere():
    lm.set_num_threads(3)
    y = lm.ops.relu(X).numpy()
    tasks = [int(name) for name in os.listdir("/proc/self/task")]
    before = {task: os.sched_getaffinity(task) for task in tasks}
    allowed = before[threading.get_native_id()]
    for task in tasks:  # all on one processor, as the system may leave them for a while
        os.sched_setaffinity(task, {min(allowed)})
    for task in tasks:
        os.sched_setaffinity(task, before[task])
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        np.testing.assert_array_equal(lm.ops.relu(X).numpy(), y)
    assert {task: os.sched_getaffinity(task) for task in tasks} == before


def test_no_grad_holds_for_its_own_thread():
    recorded = []
    x = lm.tensor([1.0], requires_grad=True)
    with lm.no_grad():
        worker = threading.Thread(target=lambda: recorded.append((x * 2).requires_grad))
        worker.start()
        worker.join()
        recorded.append((x * 2).requires_grad)
    assert recorded == [True, False]


def test_threadpoolctl():
    threads.register()
    threads.register()  # twice does no harm
    lm.set_num_threads(3)
    (known,) = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "lamina"]
    assert known["num_threads"] == 3
    with threadpoolctl.threadpool_limits(1):
        assert lm.num_threads() == 1
    assert lm.num_threads() == 3
