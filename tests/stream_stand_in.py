"""Streams, graphs and memory pools of the stand-in for a GPU (device_stand_in).

While a stream captures, work is recorded. As on a GPU it is not done before the graph is launched: when the capture
ends, memory is as it was before, and what was allocated meanwhile holds NaN, as it does again at each launch. What
would wait for the GPU, or copy from the host, raises an error, and so does memory that is not from a pool of the
capture's own, or whose pool is gone.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

DEFAULT = 0  # the default stream's number


class CaptureRefused(RuntimeError):
    """What CUDA says of it."""

    def __init__(self) -> None:
        super().__init__("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")


class _State(threading.local):
    def __init__(self) -> None:
        self.streams: list[Stream] = [default]
        self.allocator: Callable[[int], Any] | None = None


class Stream:
    _numbers = itertools.count(100)

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = DEFAULT if null else next(self._numbers)
        self.capture: Capture | None = None

    def __enter__(self) -> Stream:
        state.streams.append(self)
        return self

    def __exit__(self, *args: object) -> None:
        state.streams.pop()

    def synchronize(self) -> None:
        if self.capture is not None:
            raise CaptureRefused

    def is_capturing(self) -> bool:
        return self.capture is not None

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr == DEFAULT:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        assert self.capture is None
        self.capture = Capture()

    def end_capture(self) -> Graph:
        if self.capture is None:
            raise RuntimeError("cudaErrorIllegalState: the stream is not capturing")
        capture, self.capture = self.capture, None
        capture.undo()
        if capture.broken:
            raise RuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error")
        return Graph(capture)


class Graph:
    launches = 0

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def upload(self, stream: Stream | None = None) -> None:
        pass

    def launch(self, stream: Stream | None = None) -> None:
        capture = self._capture
        assert capture.pool is None or capture.pool() is not None, "the memory of the graph was freed"
        assert now() is None
        Graph.launches += 1
        capture.forget()
        for task in capture.tasks:
            task()


class MemoryPool:
    def malloc(self, size: int) -> Any:
        raise NotImplementedError("memory is NumPy's: the stand-in looks at whose malloc it is, and calls none")


class Capture:
    """What a stream was told while it captured."""

    def __init__(self) -> None:
        self.tasks: list[Callable[[], Any]] = []
        self.pool: Any = None
        self.broken = False
        self._before: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # memory that is older, as it was
        self._made: dict[int, np.ndarray] = {}  # memory of the graph's own

    def made(self, host: np.ndarray) -> None:
        pool = getattr(state.allocator, "__self__", None)
        assert isinstance(pool, MemoryPool), "memory for a graph must be from a pool of its own"
        self.pool = weakref.ref(pool)
        base = _base(host)
        self._made[id(base)] = base

    def touch(self, host: np.ndarray) -> None:
        base = _base(host)
        if id(base) not in self._made and id(base) not in self._before:
            self._before[id(base)] = base, base.copy()

    def undo(self) -> None:
        for base, copy in self._before.values():
            base[...] = copy
        self._before.clear()
        self.forget()

    def forget(self) -> None:
        for base in self._made.values():
            poison(base)


def _base(host: np.ndarray) -> np.ndarray:
    while isinstance(host.base, np.ndarray):
        host = host.base
    return host


def poison(host: np.ndarray) -> None:
    """Fresh memory holds what no result shall show."""
    host.fill(np.nan if host.dtype.kind == "f" else True if host.dtype.kind == "b" else 85)


default = Stream(null=True)
state = _State()


def current() -> Stream:
    return state.streams[-1]


def now() -> Capture | None:
    """The capture that the current stream is in."""
    return state.streams[-1].capture


def waits() -> None:
    """What cannot be part of a graph."""
    capture = now()
    if capture is not None:
        capture.broken = True
        raise CaptureRefused


@contextlib.contextmanager
def using_allocator(allocator: Callable[[int], Any] | None = None) -> Iterator[None]:
    before, state.allocator = state.allocator, allocator
    try:
        yield
    finally:
        state.allocator = before


def allocated(host: np.ndarray) -> np.ndarray:
    """Fresh memory."""
    capture = now()
    if capture is not None:
        capture.made(host)
    poison(host)
    return host


def done(function: Callable[..., Any], *args: Any, writes: list[np.ndarray] | None = None, **kwargs: Any) -> Any:
    """What the function gives for NumPy arrays; in a capture also the graph's task. `writes`: what it changes."""
    capture = now()
    if capture is None:
        return function(*args, **kwargs)
    for host in writes or []:
        capture.touch(host)
    result = _arrays(function(*args, **kwargs))
    inputs = list(_flat((args, kwargs)))
    new = [part.size and not any(np.may_share_memory(part, given) for given in inputs) for part in _flat(result)]
    for part, is_new in zip(_flat(result), new, strict=True):
        if is_new:
            capture.made(part)

    def again() -> None:
        with np.errstate(all="ignore"):  # a GPU warns of nothing
            found = _arrays(function(*args, **kwargs))
        for part, again, is_new in zip(_flat(result), _flat(found), new, strict=True):
            if is_new:
                np.copyto(part, again)

    if writes or any(new):
        capture.tasks.append(again)
    return result


def arrays_in(value: Any) -> list[np.ndarray]:
    return list(_flat(value))


def _arrays(value: Any) -> Any:
    """Numbers of NumPy's as arrays, whose memory can be told."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    if type(value) in (tuple, list):
        return type(value)([_arrays(item) for item in value])
    return value


def _flat(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _flat(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _flat(item)
