"""Work spread over threads, its results in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from typing import Protocol, TypeVar

from datagen.errors import DatagenError, UsageError, shown

__all__ = ["Spread", "Threads", "check_workers", "default_workers", "map_ordered"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def default_workers() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int | None) -> None:
    """Refuse a number of workers below 1; None stands for one per processor.

    Raises
    ------
    UsageError
        If it is below 1.
    """
    if workers is not None and not (isinstance(workers, Integral) and workers >= 1):
        raise UsageError(f"{shown(workers)} workers: must be at least 1, and whole")


def map_ordered(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Apply a function to items in threads and yield the results in the order of the items.

    Threads serve because the heavy parts (jitted loops, inflating, hashing) let go of the interpreter lock.

    Parameters
    ----------
    function : callable
        Applied to each item. Its first exception ends the iteration.
    items : iterable
        All of it is taken at once.
    workers : int, optional
        Number of threads; by default one per processor. With 1 no thread is started.

    Yields
    ------
    result
        ``function(item)``, whatever the number of workers.

    Raises
    ------
    DatagenError
        If the system lets no thread be started.
    """
    workers = default_workers() if workers is None else workers
    if workers <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(function, item) for item in items]
        except RuntimeError as error:  # a limit on processes, or no room for another stack
            pool.shutdown(cancel_futures=True)
            raise DatagenError(f"no more threads can be started ({error}); use fewer workers") from None
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


class Spread(Protocol):
    """What work is spread over: threads here, or processes of a cluster (`datagen.cluster`)."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to items and yield the results in their order; its first exception ends the iteration."""


class Threads:
    """Threads of this process; see `map_ordered`.

    Parameters
    ----------
    workers : int, optional
        Number of threads; by default one per processor.
    """

    def __init__(self, workers: int | None = None) -> None:
        check_workers(workers)
        self._workers = workers

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to items in threads and yield the results in the order of the items."""
        return map_ordered(function, items, self._workers)
