"""Both libraries on one GPU, in one process: ``python -m bench.gpu_worker [--smoke]``.

Commands and replies are lines of JSON, as bench/worker.py has them. An error that a GPU does not recover from ends with
this process; bench/gpu.py starts another and goes on.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench import gpu_cases
from bench.case import Arrays, Prepared
from bench.harness import ROOT, difference
from bench.place import PLACE
from bench.worker import sampled, serve

COPY = 1 << 28  # float32 values that the measured copy moves: 1 GB, more than any cache holds
NARROW = 0.1  # how far answers of 16-bit numbers may be apart, over their root mean square
CYCLES = 2e9  # a second, at most: how long torch.cuda._sleep is


class DeviceClock:
    """Times by the device's own clock, and by the clock on the wall.

    The calls that are timed queue up behind a kernel that only waits: so the device's time has no gaps in which it
    waits for Python.
    """

    def __init__(self, torch: Any) -> None:
        import cupy

        self._cupy = cupy
        self._delay = getattr(torch.cuda, "_sleep", None) if torch else None

    def synchronize(self) -> None:
        self._cupy.cuda.Device().synchronize()

    def best(self, run: Callable[[], Any], seconds: float) -> tuple[float, float]:
        """The shortest time of a call, on the device and on the wall."""
        events = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        for _ in range(3):  # the first calls choose algorithms and fill pools
            run()
        self.synchronize()
        start = time.perf_counter()
        run()
        host = time.perf_counter() - start
        self.synchronize()
        wall = time.perf_counter() - start
        number = max(1, min(20, int(3e-4 / wall)))
        device = float("inf")
        count, end = 0, time.perf_counter() + seconds
        gc.collect()
        gc.disable()
        try:
            while count < 5 or time.perf_counter() < end:
                if self._delay is not None and number * host < 5e-3:
                    self._delay(int((2e-5 + 2 * number * host) * CYCLES))
                events[0].record()
                for _ in range(number):
                    run()
                events[1].record()
                events[1].synchronize()
                device = min(device, self._cupy.cuda.get_elapsed_time(*events) / 1e3 / number)
                start = time.perf_counter()
                for _ in range(number):
                    run()
                self.synchronize()
                wall = min(wall, (time.perf_counter() - start) / number)
                count += 1
        finally:
            gc.enable()
        return device, wall


class WallClock:
    """For tiny inputs, where there is no GPU: a call or two, whose time says nothing."""

    def synchronize(self) -> None:
        pass

    def best(self, run: Callable[[], Any], seconds: float) -> tuple[float, float]:
        start = time.perf_counter()
        run()
        took = time.perf_counter() - start
        return took, took


class Worker:
    """Lamina on its device "cuda" and, where there is one, PyTorch beside it.

    smoke: tiny inputs; without a GPU on the tests' stand-in, with PyTorch on the CPU.
    """

    def __init__(self, smoke: bool) -> None:
        self.smoke = smoke
        self.torch = self._import_torch()
        if smoke:
            sys.path.insert(0, str(ROOT / "tests"))
            import device_stand_in

            self.real = device_stand_in.at_hand() == "GPU"
        else:
            self.real = True
        import lamina

        lamina.device("cuda")
        PLACE.ours, PLACE.peer = "cuda", "cuda" if self.real else "cpu"
        self.clock: Any = DeviceClock(self.torch) if self.real else WallClock()
        self._inputs: tuple[Any, Arrays] | None = None

    @staticmethod
    def _import_torch() -> Any:
        try:
            import torch
        except ImportError:
            return None
        return torch

    def hello(self) -> dict[str, Any]:
        """Comes first: sets PyTorch up; gives names, versions and the rate of a copy, the roof of memory-bound work."""
        import cupy

        import lamina

        found: dict[str, Any] = {"lamina": lamina.__version__, "gpu": "none: the tests' stand-in"}
        if self.torch is not None:
            found["torch"] = self.torch.__version__
        if not self.real:
            return found | {"bandwidth": 1.0}
        if self.torch is not None:
            self.torch.backends.cudnn.benchmark = True
            self.torch.backends.cuda.matmul.allow_tf32 = False
            self.torch.backends.cudnn.allow_tf32 = False
        properties = cupy.cuda.runtime.getDeviceProperties(0)
        found["gpu"] = properties["name"].decode()
        found["multiprocessors"] = properties["multiProcessorCount"]
        found |= lamina.backend.cuda_status()
        x = cupy.ones(COPY, "float32")
        y = cupy.empty_like(x)
        found["bandwidth"] = 2 * x.nbytes / self.clock.best(lambda: cupy.copyto(y, x), 0.2)[0]
        return found

    def rows(self, families: list[str]) -> dict[str, Any]:
        """How many rows each family has here."""
        return {name: len(gpu_cases.FAMILIES[name](self.smoke)) for name in families}

    def measure(self, family: str, index: int, seconds: float) -> dict[str, Any]:
        """One row: the answers compared, then the times, in turns."""
        row = gpu_cases.FAMILIES[family](self.smoke)[index]
        case = row.case
        found: dict[str, Any] = {
            "case": case.name, "dtype": row.dtype, "flops": case.flops, "bytes": case.bytes, "goal": row.goal,
            "rate_goal": row.rate_goal, "whole": row.whole,
        }  # fmt: skip
        PLACE.dtype = row.dtype
        key = (case.inputs.func, case.inputs.args) if hasattr(case.inputs, "func") else case.inputs
        if self._inputs is None or self._inputs[0] != key:
            self._inputs = None
            self._inputs = key, case.inputs()
        try:
            with tempfile.TemporaryDirectory() as folder, self._gradients(case.gradients):
                sides = self._prepare(row, found, Path(folder))
                for _ in range(1 if self.smoke else 2):
                    for name, prepared in sides.items():
                        device, wall = self.clock.best(prepared.run, seconds)
                        taken = wall if row.whole else device
                        found[name] = min(taken, found.get(name, taken))
                        found[f"{name}_wall"] = min(wall, found.get(f"{name}_wall", wall))
        finally:
            sides = {}
            self._free()
        return found

    def _prepare(self, row: gpu_cases.Row, found: dict[str, Any], folder: Path) -> dict[str, Prepared]:
        """Both sides, ready; what one lacks is noted in the row."""
        assert self._inputs is not None
        case, inputs = row.case, self._inputs[1]
        sides: dict[str, Prepared] = {}
        for name, make in (("ours", case.lamina), ("peer", case.torch)):
            if name == "peer" and self.torch is None:
                continue
            try:
                with self._built_there():
                    prepared = make(inputs)
                np.savez(folder / f"{name}.npz", **{k: sampled(v) for k, v in prepared.answer().items()})
                self.clock.synchronize()
                sides[name] = prepared
            except Exception as error:
                self.clock.synchronize()  # raises if the GPU is beyond recovery: then this process ends
                # The stand-in says in other ways what it lacks.
                absent = (
                    NotImplementedError if self.real else NotImplementedError | TypeError | ValueError | AttributeError
                )
                key = f"{name}_missing" if name == "peer" or isinstance(error, absent) else "failed"
                found[key] = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        if len(sides) == 2:
            kinks = case.kinks
            found["difference"] = difference(str(folder / "ours.npz"), str(folder / "peer.npz"), kinks)
            allowed = case.tolerance if row.dtype == "float32" else max(case.tolerance, NARROW)
            if not found["difference"] <= allowed:
                found["wrong"] = f"the answers differ by {found['difference']:.2g}, allowed {allowed:.2g}"
                return {}
        return sides if "ours" in sides else {}

    def _built_there(self) -> contextlib.AbstractContextManager[Any]:
        """PyTorch's modules are made on the GPU; not while it is timed, as that slows every call down."""
        return self.torch.device("cuda") if self.torch is not None and self.real else contextlib.nullcontext()

    @contextlib.contextmanager
    def _gradients(self, wanted: bool) -> Iterator[None]:
        import lamina

        with contextlib.ExitStack() as stack:
            if not wanted:
                stack.enter_context(lamina.no_grad())
                if self.torch is not None:
                    stack.enter_context(self.torch.no_grad())
            before = self.torch.get_default_dtype() if self.torch is not None else None
            if before is not None:
                self.torch.set_default_dtype(getattr(self.torch, PLACE.dtype))
            try:
                yield
            finally:
                if before is not None:
                    self.torch.set_default_dtype(before)

    def _free(self) -> None:
        gc.collect()
        if self.real:
            import cupy

            cupy.get_default_memory_pool().free_all_blocks()
            if self.torch is not None:
                self.torch.cuda.empty_cache()


if __name__ == "__main__":
    serve(Worker("--smoke" in sys.argv))
