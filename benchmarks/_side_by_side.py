"""What the benchmarks share: timing, and a table."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

REALDATA = Path(os.environ.get("DATAGEN_REALDATA", Path(__file__).parents[2] / "shared" / "realdata"))


def seconds(function: Callable[[], object], repeat: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the median wall time of a call, in seconds."""
    times = []
    for _ in range(repeat):
        begin = clock()
        function()
        times.append(clock() - begin)
    return sorted(times)[len(times) // 2]


def core_seconds(function: Callable[[], object], repeat: int = 3) -> float:
    """Return the median processor time of a call, in seconds, which other work on the machine does not lengthen."""
    return seconds(function, repeat, time.process_time)


def command_seconds(arguments: list[str], repeat: int = 3) -> tuple[float, float]:
    """Return the median wall time of a whole process in seconds, and its largest memory in bytes."""
    import resource

    wall = seconds(lambda: subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL), repeat)
    return wall, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def machine() -> str:
    """Name the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line] or [platform.machine()]
    return f"{len(os.sched_getaffinity(0))} cores ({names[0]}), Python {platform.python_version()}"


def print_rows(title: str, rows: list[tuple[str, str]]) -> None:
    """Print what was measured, a line each."""
    print(f"\n{title} on {machine()}")
    width = max(len(name) for name, _ in rows)
    for name, figure in rows:
        print(f"  {name:<{width}}  {figure}")
