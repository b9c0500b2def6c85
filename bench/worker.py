"""One library in a process of its own: ``python -m bench.worker lamina|torch``.

Commands come as lines of JSON on standard input, replies go as lines of JSON to standard output.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.case import Arrays, Case, Prepared

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MOST = 100_003  # values of an answer that are compared


def sampled(array: Any) -> np.ndarray[Any, Any]:
    """Every n-th value of a large array, all of a small one."""
    flat = np.asarray(array, dtype=np.float64).reshape(-1) if np.size(array) <= MOST else np.asarray(array).reshape(-1)
    return flat[:: max(1, flat.size // MOST)].astype(np.float64)


def best_time(run: Callable[[], Any], seconds: float, least: int) -> float:
    """The shortest time of one run, in seconds; very short runs are timed several at once."""
    clock = time.perf_counter
    run()
    start = clock()
    run()
    number = max(1, int(100e-6 / max(clock() - start, 1e-9)))
    best = float("inf")
    count = 0
    gc.collect()
    gc.disable()
    try:
        end = clock() + seconds
        while count < least or clock() < end:
            start = clock()
            for _ in range(number):
                run()
            best = min(best, (clock() - start) / number)
            count += 1
    finally:
        gc.enable()
    return best


def _fma_rate(sink: Any, seconds: float) -> float:
    """Floating-point operations a second, on as many threads as sink has values."""
    from lamina import _cpu

    rounds = 1000
    while best_time(partial(_cpu.measure_fma, rounds, sink), 0, 1) < 0.02:
        rounds *= 2
    return _cpu.measure_fma(rounds, sink) / best_time(partial(_cpu.measure_fma, rounds, sink), seconds, 5)


class Worker:
    def __init__(self, library: str) -> None:
        self.library = library
        self.case: Case | None = None
        self.prepared: Prepared | None = None
        self._machine: dict[str, Any] = {}

    def hello(self) -> dict[str, Any]:
        if self.library == "torch":
            import torch

            torch.set_num_threads(CORES)
            return {"version": torch.__version__, "threads": torch.get_num_threads()}
        import lamina

        return {"version": lamina.__version__, "threads": lamina.num_threads(), "isa": lamina.isa()}

    def machine(self, seconds: float) -> dict[str, Any]:
        """The peak of fused multiply-adds (float32) and the bandwidth of a copy, on one core and on all."""
        import lamina
        from lamina import _cpu, backend

        if self._machine.get("seconds") == seconds:  # the same process serves several families
            return self._machine["found"]
        before = lamina.num_threads()
        found: dict[str, Any] = {"isa": lamina.isa(), "cores": before}
        x = backend.full(1 << 25, 1.0)
        y = backend.empty(1 << 25)
        for key, threads in (("one_core", 1), ("all_cores", before)):
            lamina.set_num_threads(threads)
            found[key + "_flops"] = _fma_rate(backend.empty(threads), seconds)
            copy = best_time(partial(_cpu.measure_copy, x, y), seconds, 5)
            found[key + "_bandwidth"] = 2 * x.nbytes / copy
        lamina.set_num_threads(before)
        self._machine = {"seconds": seconds, "found": found}
        return found

    def prepare(self, module: str, name: str, smoke: bool, answer: str) -> dict[str, Any]:
        """Gets the case ready and leaves its answer in a file."""
        self.drop()
        self.case = next(c for c in importlib.import_module(module).cases(smoke) if c.name == name)
        with self._mode():
            self.prepared = getattr(self.case, self.library)(self.case.inputs())
            arrays: Arrays = self.prepared.answer()
        np.savez(answer, **{key: sampled(value) for key, value in arrays.items()})
        return {}

    def time(self, seconds: float, least: int, threads: int) -> dict[str, Any]:
        assert self.prepared is not None
        self._set_threads(threads or CORES)
        with self._mode():
            return {"seconds": best_time(self.prepared.run, seconds, least)}

    def drop(self) -> dict[str, Any]:
        self.case = self.prepared = None
        gc.collect()
        return {}

    def _mode(self) -> contextlib.AbstractContextManager[Any]:
        assert self.case is not None
        if self.case.gradients:
            return contextlib.nullcontext()
        if self.library == "torch":
            import torch

            return torch.no_grad()
        import lamina

        return lamina.no_grad()

    def _set_threads(self, count: int) -> None:
        if self.library == "torch":
            import torch

            if torch.get_num_threads() != count:
                torch.set_num_threads(count)


def serve(worker: Any) -> None:
    """Calls the worker's methods by their names, as the lines on standard input say."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    for line in sys.stdin:
        command = json.loads(line)
        try:
            reply = getattr(worker, command.pop("do"))(**command)
        except Exception:
            reply = {"error": traceback.format_exc()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve(Worker(sys.argv[1]))
