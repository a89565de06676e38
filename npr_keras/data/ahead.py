"""Loading ahead of whoever uses what is loaded, in order, with threads: Pillow frees the GIL."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Entry = TypeVar("Entry")
Loaded = TypeVar("Loaded")


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_ahead(
    entries: Iterable[Entry], load: Callable[[Entry], Loaded], workers: int, ahead: int
) -> Iterator[Loaded | None]:
    """What is loaded for each entry, in order, several ahead.

    Args:
        entries: Taken one by one, by a thread of its own: they may come slowly, and have no end.
        load: Called in threads; what it raises is raised here, at its place.
        workers: Threads.
        ahead: Entries that may be loaded before they are asked for.

    Yields:
        What was loaded; None wherever the next one has to be waited for.
    """
    ready: queue.Queue = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read(pool):
        try:
            for entry in entries:
                if not put(pool.submit(load, entry)):
                    return
            put(None)
        except BaseException as error:  # whatever the entries raise, for the reader of them
            put(error)

    with ThreadPoolExecutor(workers) as pool:
        threading.Thread(target=read, args=(pool,), daemon=True).start()
        try:
            while True:
                try:
                    item = ready.get_nowait()
                except queue.Empty:
                    yield None
                    item = ready.get()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                if not item.done():
                    yield None
                yield item.result()
        finally:
            stopped.set()
