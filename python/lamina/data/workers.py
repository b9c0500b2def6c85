"""Iterating in threads: the order stays, exceptions come out where the results do, threads end with the iterator."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future


def ordered_map(function: Callable[[Any], Any], elements: Iterator[Any], threads: int) -> Iterator[Any]:
    """function of each element, computed in threads, in the elements' order."""
    from concurrent.futures import ThreadPoolExecutor  # here, as it takes long and few need it

    pool = ThreadPoolExecutor(threads, thread_name_prefix="lamina-map")
    waiting: deque[Future[Any]] = deque()
    try:
        for element in elements:
            waiting.append(pool.submit(function, element))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        _close(elements)


class _Shelf:
    """Between a thread that makes elements and one that takes them. Knows neither iterator, so keeps neither alive."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.ready: deque[Any] = deque()
        self.changed = threading.Condition()
        self.stopped = False  # the taker has gone
        self.done = False  # the maker has
        self.error: BaseException | None = None


def prefetched(make: Callable[[], Iterator[Any]], room: int) -> Iterator[Any]:
    """The elements of make(), made up to `room` ahead in a thread of their own."""
    shelf = _Shelf(room)
    thread = threading.Thread(target=_fill, args=(make, shelf), name="lamina-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            with shelf.changed:
                while not shelf.ready and not shelf.done:
                    shelf.changed.wait()
                if not shelf.ready:
                    break
                element = shelf.ready.popleft()
                shelf.changed.notify_all()
            yield element
            del element
        if shelf.error is not None:
            raise shelf.error
    finally:
        with shelf.changed:
            shelf.stopped = True
            shelf.ready.clear()
            shelf.changed.notify_all()
        if thread is not threading.current_thread():
            thread.join()


def _fill(make: Callable[[], Iterator[Any]], shelf: _Shelf) -> None:
    elements: Iterator[Any] | None = None
    try:
        elements = make()
        for element in elements:
            with shelf.changed:
                while len(shelf.ready) >= shelf.room and not shelf.stopped:
                    shelf.changed.wait()
                if shelf.stopped:
                    break
                shelf.ready.append(element)
                shelf.changed.notify_all()
    except BaseException as error:
        shelf.error = error
    finally:
        try:
            _close(elements)
        except BaseException as error:
            shelf.error = shelf.error or error
        with shelf.changed:
            shelf.done = True
            shelf.changed.notify_all()


def _close(elements: Any) -> None:
    """Ends a generator now, with the threads that it may have."""
    close = getattr(elements, "close", None)
    if close is not None:
        close()
