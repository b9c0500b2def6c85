"""What a captured step leaves to the host: a CUDA graph replays the kernels of a step as they were launched, so that
whatever changes from step to step must lie in device memory, and be put there before each replay.

While a step is captured, `state.recorder` is the list of what a replay does first: numbers that are told anew
(`floats`, `number`), counters that go on (`act`), and conditions under which the graph still is the step (`guard`).
Where the host must look at a result to know how the step goes on, the step is several graphs (`only_if`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

Array = Any
WORDS = 512  # 8-byte numbers that one copy takes to the device


class _State(threading.local):
    recorder: Recorder | None = None


state = _State()


class Drawn(int):
    """A number that is another in each step: its value in this one, and where a captured kernel finds it."""

    cell: Array = None
    used = False

    def __and__(self, mask: int) -> int:  # what ops do to seeds; all are of 64 bits already
        masked = int(self) & mask
        return self if masked == int(self) else masked


class _Block:
    """Numbers on the host, and the memory of the device that they are copied to."""

    def __init__(self, module: Any, count: int) -> None:
        self.host = np.zeros(count, np.float64)
        self.device = module.empty(count, "float64")
        self.taken = 0

    def copy(self, stream: Any) -> None:
        with stream:
            self.device.set(self.host, stream)


class _Part:
    """A stretch of the step: one graph, and what the host does before it."""

    def __init__(self, condition: Callable[[], bool] | None = None) -> None:
        self.condition = condition  # asked when all before it is launched: whether this part is
        self.actions: list[Callable[[], Any]] = []
        self.graph: Any = None


class Recorder:
    """A captured step: its graphs, and the host's part.

    Args:
        module: CuPy.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.kept: list[Array] = []  # what the graph reads and nobody else may hold
        self._stream = module.cuda.Stream(non_blocking=True)  # for what is not part of the graph
        self._blocks = [_Block(module, WORDS)]
        self._parts = [_Part()]
        self._guards: list[Callable[[], bool]] = []
        self._conditions: list[Callable[[], bool]] = []
        self._endings: list[Callable[[], Any]] = []
        self._drawn: list[Drawn] = []
        self.steps: dict[Any, int] = {}  # that an optimizer has taken

    # While a step is captured

    def floats(self, function: Callable[[], Sequence[float]]) -> Array:
        """Numbers that each replay asks `function` for: float64, on the device."""
        values = function()
        block, first = self._room(len(values))
        place = block.host[first : first + len(values)]
        place[:] = values

        def fill() -> None:
            place[:] = function()

        self._parts[-1].actions.append(fill)
        block.copy(self._stream)
        return block.device[first : first + len(values)]

    def number(self, function: Callable[[], int], draws: bool = False) -> Drawn:
        """An unsigned number of 64 bits that each replay asks `function` for.

        Args:
            function: gives it.
            draws: whether a kernel on the device must read it, or the step would go on with the same random numbers.
        """
        drawn = Drawn(function())
        block, first = self._room(1)
        place = block.host.view(np.uint64)[first : first + 1]
        place[0] = int(drawn)

        def fill() -> None:
            place[0] = function()

        self._parts[-1].actions.append(fill)
        block.copy(self._stream)
        drawn.cell = block.device.view("uint64")[first : first + 1]
        if draws:
            self._drawn.append(drawn)
        return drawn

    def act(self, function: Callable[[], Any]) -> None:
        """What each replay does on the host, in the order of the step; the captured step has done it by itself, but
        not what stands in `only_if`."""
        self._parts[-1].actions.append(function)

    @contextlib.contextmanager
    def only_if(self, condition: Callable[[], bool]) -> Iterator[None]:
        """Work that is only done where `condition` says so, which each launch asks, the first one too.

        It may look at what the step has computed until there, for which the program waits. Everything on the host that
        the body changes beside `act` must be taken back behind it: whether that is to be is not known yet.
        """
        self._cut(condition)
        yield
        self._cut(None)

    def _cut(self, condition: Callable[[], bool] | None) -> None:
        stream = self.module.cuda.get_current_stream()
        self._parts[-1].graph = stream.end_capture()
        self._parts.append(_Part(condition))
        stream.begin_capture()

    def guard(self, function: Callable[[], bool], lasting: bool = False) -> None:
        """Before a replay: whether the step would launch these kernels on this memory.

        Args:
            function: says it.
            lasting: whether a graph for which it is False will never be of use again.
        """
        (self._conditions if lasting else self._guards).append(function)

    def at_end(self, function: Callable[[], Any]) -> None:
        """What belongs to the graph behind everything else."""
        self._endings.append(function)

    def constant(self, array: Any) -> Array:
        """An array of the host's on the device, copied now and not at each replay."""
        with self._stream:
            there = self.module.asarray(array)
            self._stream.synchronize()
        self.kept.append(there)
        return there

    def finish(self) -> None:
        """The end of the captured step."""
        for function in self._endings:
            function()
        self._parts[-1].graph = self.module.cuda.get_current_stream().end_capture()
        self._stream.synchronize()
        if any(not drawn.used for drawn in self._drawn):
            raise RuntimeError(
                "capture: random numbers are drawn on the CPU in this step, and would be the same in each: "
                "draw them before, or without jit_compile"
            )

    # Replays

    def lives(self) -> bool:
        """Whether the graph can be of use at all."""
        return all(function() for function in self._conditions)

    def holds(self) -> bool:
        """Whether it is the next step."""
        return all(function() for function in self._guards)

    def launch(self, again: bool) -> None:
        """The step, on the current stream.

        Args:
            again: whether it is a replay, and the host has not done its part yet.
        """
        stream = self.module.cuda.get_current_stream()
        for part in self._parts:
            if part.condition is not None and not part.condition():
                continue
            if again or part.condition is not None:
                for function in part.actions:
                    function()
            if part.actions:
                self._upload(stream)
            part.graph.launch(stream)

    def _upload(self, stream: Any) -> None:
        """Copies the numbers; nobody waits."""
        for block in self._blocks:
            if block.taken:
                block.copy(stream)

    def _room(self, count: int) -> tuple[_Block, int]:
        block = self._blocks[-1]
        if block.taken + count > len(block.host):
            with self._stream:
                block = _Block(self.module, max(WORDS, count))
            self._blocks.append(block)
        block.taken += count
        return block, block.taken - count


def number(function: Callable[[], int], draws: bool = False) -> int:
    """What `function` gives; in a captured step, a number that each replay asks it for."""
    recorder = state.recorder
    return function() if recorder is None else recorder.number(function, draws)


def refuse(what: str) -> None:
    """Raises RuntimeError while a step is captured.

    Args:
        what: the beginning of its message, as "lstm: states that go on from batch to batch".
    """
    if state.recorder is not None:
        refused(what)


def refused(what: str) -> NoReturn:
    raise RuntimeError(f"capture: {what}: this cannot be part of a CUDA graph; leave jit_compile and cuda_graph away")
