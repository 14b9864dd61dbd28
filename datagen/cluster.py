"""Work spread over the processes of a Dask cluster, on this machine or many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from queue import Empty, Queue
from typing import Any, TypeVar

from datagen.errors import DatagenError, UsageError, quote
from datagen.extras import extra
from datagen.parallel import Spread, Threads

__all__ = ["Cluster", "connected", "spread_over"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_TASKS_OF_WORKER = 4
"""How many tasks are handed out ahead for each thread of a worker."""
_SECONDS_TO_CONNECT = 30
_SECONDS_TO_LOOK = 2
"""After which new workers are looked for, and a worker looks whether its task is still wanted."""


class Cluster:
    """The workers of a Dask scheduler; see `datagen.parallel.Spread`.

    A task whose worker dies is done again by another: Dask sees to it.

    Parameters
    ----------
    client : distributed.Client
        A client of the scheduler.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to items on the workers and yield the results in the order of the items."""
        from distributed import Future
        from distributed.scheduler import KilledWorker

        left = iter(items)
        handed: list[Future] = []
        try:
            while True:
                # Few at a time, so that neither the scheduler nor this process holds what is far ahead.
                ahead = max(1, _TASKS_OF_WORKER * sum(self._client.nthreads().values()))
                handed += [
                    self._client.submit(function, item, pure=False)
                    for item in islice(left, max(0, ahead - len(handed)))
                ]
                if not handed:
                    return
                yield handed.pop(0).result()
        except KilledWorker as error:
            raise DatagenError(
                f"the workers that took a task all died ({quote(error)}); give them more memory"
            ) from None
        finally:
            for future in handed:
                future.cancel()

    def each(self, function: Callable[[Item, int, threading.Event], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to items, each by a worker that does nothing else meanwhile, and yield results as they come.

        Where some workers have the resource ``GPU``, only those do. An item whose worker dies is begun again elsewhere.

        Parameters
        ----------
        function : callable
            From an item, the number of the worker's threads, and a flag that is set once nobody waits for the result,
            whereupon the function raises KeyboardInterrupt.
        items : iterable
            They are handed out one by one, so that workers that come later take what is left.
        """
        from distributed import CancelledError, Future
        from distributed.scheduler import KilledWorker

        left = iter(items)
        running: set[Future] = set()
        finished: Queue[Future] = Queue()
        try:
            while True:
                free, resources = self._places()
                for item in islice(left, max(0, free - len(running))):
                    future = self._client.submit(_alone, function, item, pure=False, resources=resources)
                    running.add(future)
                    future.add_done_callback(finished.put)
                if not running:
                    return
                with suppress(Empty):
                    future = finished.get(timeout=_SECONDS_TO_LOOK)
                    running.remove(future)
                    yield future.result()
        except KilledWorker as error:
            problem = f"the workers that took a task all died ({quote(error)})"
            raise DatagenError(f"{problem}; what was done is kept, the same command goes on") from None
        except CancelledError:
            raise DatagenError("the Dask scheduler is gone; what was done is kept, the same command goes on") from None
        finally:
            for future in running:
                future.cancel()

    def _places(self) -> tuple[int, dict[str, float] | None]:
        """Return how many workers there are, at least one, and the resource that a task takes of its own."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        gpus = sum(worker["resources"].get("GPU", 0) > 0 for worker in workers)
        return (gpus, {"GPU": 1}) if gpus else (max(1, len(workers)), None)


_ALONE = threading.Lock()
"""Held by the one task of this process that must not have another beside it."""


def _alone(function: Callable[[Item, int, threading.Event], Result], item: Item) -> Result | None:
    """Apply a function on a worker, while no other task of this kind runs there, until nobody waits for the result."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    stop, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(_SECONDS_TO_LOOK):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":  # by its client, or since that is gone
                stop.set()

    threading.Thread(target=watch, daemon=True).start()
    try:
        with _ALONE:
            return function(item, worker.state.nthreads, stop)
    except KeyboardInterrupt:  # which would end the worker
        return None
    finally:
        over.set()


@contextmanager
def spread_over(scheduler: str | None, workers: int | None = None) -> Iterator[Spread]:
    """Give what spreads work: the workers of a scheduler while the block lasts, or threads of this process.

    Parameters
    ----------
    scheduler : str, optional
        Address of a Dask scheduler, e.g. ``"tcp://head:8786"``.
    workers : int, optional
        Number of threads, without a scheduler; by default one per processor.

    Raises
    ------
    UsageError
        If distributed is not installed, or the address is none.
    DatagenError
        If there is no scheduler at the address.
    """
    if scheduler is None:
        yield Threads(workers)
        return
    with connected(scheduler) as cluster:
        yield cluster


@contextmanager
def connected(scheduler: str) -> Iterator[Cluster]:
    """Give the workers of a scheduler while the block lasts.

    Parameters
    ----------
    scheduler : str
        Address of a Dask scheduler.

    Raises
    ------
    UsageError
        If distributed is not installed, or the address is none.
    DatagenError
        If there is no scheduler at the address.
    """
    with extra("distributed", "a scheduler"):
        from distributed import Client
        from distributed.comm.addressing import parse_address, parse_host_port
        from distributed.comm.registry import get_backend
    try:
        # Of an address that cannot be one, a client would wait, and then leave a traceback.
        scheme, location = parse_address(scheduler)
        get_backend(scheme)
        if scheme != "inproc":
            parse_host_port(location)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{quote(scheduler)}: is no address of a Dask scheduler ({quote(error)})") from None
    try:
        client = Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise DatagenError(f"{quote(scheduler)}: no Dask scheduler answers there ({quote(error)})") from None
    with client:
        yield Cluster(client)
