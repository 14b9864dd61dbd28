"""Work spread over the processes of a Dask cluster, on this machine or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from datagen.errors import DatagenError, UsageError, quote
from datagen.extras import extra
from datagen.parallel import Spread, Threads

__all__ = ["Cluster", "spread_over"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_TASKS_OF_WORKER = 4
"""How many tasks are handed out ahead for each thread of a worker."""
_SECONDS_TO_CONNECT = 30


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
