"""All that depends on the device: which one, threads, precision, memory. Nothing else in the package asks."""

from __future__ import annotations

import ctypes
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TypeVar

import torch

from datagen.errors import DatagenError, DatagenWarning, UsageError, counted, quote, shown

__all__ = [
    "CudaGraph",
    "Executor",
    "Repeated",
    "autocast",
    "describe",
    "find_device",
    "generator",
    "graph_on",
    "make_adam",
    "out_of_memory",
    "place",
    "split_seeds",
    "use_threads",
]

Item = TypeVar("Item")

_SHARE = 0.8
"""Of a device's free memory, how much the images of a dataset may take."""


def find_device(name: str = "auto") -> torch.device:
    """Return the device of that name and make it ready.

    Parameters
    ----------
    name : str
        ``"auto"`` takes CUDA, else MPS, else the CPU; otherwise torch's own names, e.g. ``"cuda:1"``.

    Raises
    ------
    UsageError
        If the name is unknown or this machine has no such device.
    """
    if isinstance(name, str) and name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # "meta" is a device that holds nothing
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ValueError):
        raise UsageError(
            f"device {shown(name)}: this machine has no such device; take auto, cpu, cuda or mps"
        ) from None
    if device.type == "cpu":
        _keep_freed_memory()
    return device


def _keep_freed_memory() -> None:
    """Have the C library keep freed memory.

    Every step frees and takes the same few blocks of megabytes. glibc gives such blocks back to the system, which
    clears each page anew: ten thousand page faults per step, a fifth of its time.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # M_TRIM_THRESHOLD and so on of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)
        libc.mallopt(arena_max, 1)  # those of further threads give memory back all the same


def describe(device: torch.device) -> str:
    """Say in a line what machine this is."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    threads = f"{counted(torch.get_num_threads(), 'thread')}, " if device.type == "cpu" else ""
    return f"{device.type} ({threads}{_processor()}), torch {torch.__version__}"


def _processor() -> str:
    """Return the processor's name as far as the system tells it."""
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def place(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Take a dataset's images to the device, or, where they leave no room to work there, pin them in host memory."""
    if device.type == "cuda" and pixels.nbytes > _SHARE * torch.cuda.mem_get_info(device)[0]:
        return pixels.pin_memory()  # from where batches are copied without waiting
    return pixels.to(device)


def generator(device: torch.device, seed: int) -> torch.Generator:
    """Return a source of random numbers that lives on the device."""
    return torch.Generator(device).manual_seed(seed)


def autocast(device: torch.device, amp: str | None) -> AbstractContextManager[object]:
    """Return the context in which a network computes in lower precision, or in none.

    Parameters
    ----------
    device : torch.device
    amp : {None, "bf16"}
    """
    return nullcontext() if amp is None else torch.autocast(device.type, torch.bfloat16)


def make_adam(parameters: Iterable[torch.nn.Parameter], learning_rate: float) -> torch.optim.Adam:
    """Return Adam as one kernel over all parameters."""
    parameters = list(parameters)
    capturable = parameters[0].device.type == "cuda"  # a part of a CUDA graph, which asks for it
    return torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.999), fused=True, capturable=capturable)


def use_threads(threads: int) -> None:
    """Have torch work with so many threads, on a CPU, where this thread asks for it."""
    torch.set_num_threads(threads)


def split_seeds(seeds: Sequence[int], device: torch.device) -> list[tuple[int, ...]]:
    """Return which seeds are trained as one stack of networks.

    An accelerator is kept busy by a single stack of all. On a CPU a stack is slower than its networks one by one,
    whose activations fit into the caches; each is a stack of its own there, and `Executor` runs them side by side.
    """
    return [(seed,) for seed in seeds] if device.type == "cpu" else [tuple(seeds)]


class Executor:
    """Takes steps of several items side by side: on a CPU in threads that share its cores; otherwise in turn.

    Parameters
    ----------
    device : torch.device
    num_items : int
        How many items there will be. A single one is worked on by the caller, with all cores.
    """

    def __init__(self, device: torch.device, num_items: int) -> None:
        self._cores = torch.get_num_threads()
        workers = min(num_items, self._cores) if device.type == "cpu" else 1
        share = self._cores // workers
        self._pool = (
            ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) if workers > 1 else None
        )

    def run(self, function: Callable[[Item, int], None], items: Sequence[Item], steps: range) -> None:
        """Call ``function(item, step)`` for all items and steps, those of an item in their order, and wait for all."""
        if self._pool is None:
            for step in steps:
                for item in items:
                    function(item, step)
            return
        # A worker that is free takes the item that has waited longest: none idles where items outnumber workers.
        left = [iter(steps) for _ in items]
        running: dict[Future[None], int] = {}
        ready = list(range(len(items)))
        while ready or running:
            for i in ready:
                for step in left[i]:
                    running[self._pool.submit(function, items[i], step)] = i
                    break
            finished = wait(running, return_when=FIRST_COMPLETED).done
            ready = [running.pop(future) for future in finished]
            for future in finished:
                future.result()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._cores)  # the workers' share was set in libraries for all threads


class Graph(Protocol):
    """What records the work of a function, to do it again without the function."""

    def warm_up(self, function: Callable[[], None]) -> None:
        """Call the function in the surroundings in which it will be recorded."""

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        """Return what does the function's work, which is noted here and not done."""


class CudaGraph:
    """A CUDA graph: all kernels of a function, launched as one.

    Parameters
    ----------
    device : torch.device
        A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        # The same for both: libraries make their handles and workspaces by stream, which a recording must not do.
        self._stream, self._device = torch.cuda.Stream(device), device

    def warm_up(self, function: Callable[[], None]) -> None:
        """Call the function on the stream that it will be recorded on."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            function()
        current.wait_stream(self._stream)

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        """Return what launches the function's kernels."""
        graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                function()
        except RuntimeError:
            torch.cuda.set_stream(before)  # a recording that fails at its end leaves its own
            raise
        return graph.replay


def graph_on(device: torch.device) -> Graph | None:
    """Return what records work on the device; None where there is no such thing."""
    return CudaGraph(device) if device.type == "cuda" else None


class Repeated:
    """A function that is called again and again, and is replaced by a recording of its work where that can be made.

    The networks here are small: a GPU computes a layer in less time than Python takes to ask for it. What was recorded
    is asked for once a step.

    Parameters
    ----------
    function : callable
        It must do the same operations on the same tensors at every call, from the third on: a recording knows nothing
        of what Python decides.
    graph : Graph, optional
        What records it. If that fails, a warning says so, and the function is called as without one.
    """

    def __init__(self, function: Callable[[], None], graph: Graph | None) -> None:
        self._function, self._graph = function, graph
        self._calls = 0
        self._replay: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Do the work once."""
        if self._replay is not None:
            self._replay()
        elif self._graph is None:
            self._function()
        elif self._calls < _WARM_UP:
            self._calls += 1
            self._graph.warm_up(self._function)
        else:
            try:
                self._replay = self._graph.record(self._function)
            except RuntimeError as error:
                self._graph = None
                problem = f"steps cannot be recorded as one graph here, and take longer without ({quote(error)})"
                warnings.warn(problem, DatagenWarning, stacklevel=2)
            self()


_WARM_UP = 3
"""Calls before a recording, in which libraries choose their kernels and buffers come to be."""


@contextmanager
def out_of_memory(advice: str) -> Iterator[None]:
    """Turn torch's errors of memory that ran out into one line.

    Parameters
    ----------
    advice : str
        What to do about it.

    Raises
    ------
    DatagenError
        Instead of torch's error.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError of accelerators is one; the CPU has no class of its own
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise DatagenError(f"out of memory; {advice}") from None
        raise
