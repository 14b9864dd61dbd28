"""A run's folder: its lock, its settings, its log, its trained networks.

run.json       settings, dataset, machine, how it ended
log.csv        terms of the objective and statistics of the latents, one row per seed and log interval
events.*       the same for TensorBoard, where that is installed
checkpoints/   see `slowvae.checkpoints`
"""

from __future__ import annotations

import csv
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from filelock import FileLock, Timeout

from datagen import __version__
from datagen.errors import BadInputError, DatagenWarning, OutputError, UsageError
from datagen.files import as_path, atomic_path, check_input
from datagen.records import read_record, write_record
from slowvae.checkpoints import Checkpoint, check_tensors, latest_checkpoint, load_checkpoint
from slowvae.model import Encoder
from slowvae.settings import Settings, model_class, settings_json, settings_of

_REMEDY = "move it away to go on without the rows before"

__all__ = [
    "DataFile",
    "Log",
    "Run",
    "build",
    "load",
    "load_newest",
    "locked",
    "network_of",
    "read_log",
    "read_run",
    "write_run",
]


class DataFile(msgspec.Struct, frozen=True):
    """The dataset file of a run.

    Attributes
    ----------
    path : str or None
        Where it is, seen from the run's folder, so that both can be moved together.
    sha256 : str or None
        Of its bytes.
    """

    path: str | None
    sha256: str | None


@dataclass(frozen=True)
class Run:
    """What ``run.json`` says.

    Attributes
    ----------
    settings : Settings
    dataset : DataFile
    status : str
        ``"running"``, ``"stopped"``, ``"finished"`` or ``"failed: ..."``.
    """

    settings: Settings
    dataset: DataFile
    status: str


class _RunFile(msgspec.Struct):
    settings: dict[str, Any]
    dataset: DataFile
    status: str = ""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process alone; the system lets go of it when the process ends, however it does.

    Raises
    ------
    UsageError
        If another process holds it.
    """
    # A lock of the system's, not a mere file, so that it goes with the process.
    try:
        held = FileLock(folder / "lock").acquire(timeout=0)
    except Timeout:
        raise UsageError(f"{folder}: another process is working here; wait for it or take another folder") from None
    with held:
        yield


def write_run(folder: Path, settings: Settings, dataset: DataFile, machine: str, status: str) -> None:
    """Write what a run is into ``run.json``."""
    record = {
        "tool": f"datagen {__version__}",
        "settings": settings_json(settings),
        "dataset": {"path": _seen_from(folder, dataset.path), "sha256": dataset.sha256},
        "machine": machine,
        "status": status,
    }
    write_record(folder / "run.json", record)


def _seen_from(folder: Path, path: str | None) -> str | None:
    """Return a path relative to a folder where there is such a path."""
    if path is None:
        return None
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return str(Path(path).resolve())


def read_run(folder: Path) -> Run:
    """Read what a run is.

    Raises
    ------
    UsageError
        If the folder holds no run.
    BadInputError
        If its file is damaged.
    """
    path, remedy = folder / "run.json", "train into another folder"
    if not path.exists():
        raise UsageError(f"{folder}: holds no run (no run.json); `datagen train` makes one")
    file = read_record(path, _RunFile, remedy)
    try:
        settings = settings_of(file.settings)
    except ValueError as error:
        raise BadInputError(path, f"is damaged ({error}); {remedy}", "settings") from None
    known = file.dataset.path
    if known is not None and "\0" in known:
        raise BadInputError(path, f"is damaged (no path has a zero byte); {remedy}", "dataset.path")
    where = None if known is None else os.path.normpath(folder / known)
    return Run(settings, DataFile(where, file.dataset.sha256), file.status)


def build(settings: Settings, seeds: tuple[int, ...], channels: int, image_size: int) -> Encoder:
    """Return a stack of networks, each with the start that torch's global seed gives it alone.

    Torch's global random state is left as it was.
    """
    kind, networks = model_class(settings.model), []
    hyperparameters = {name: getattr(settings, name) for name in kind.published}
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(kind(settings.z_dim, channels, image_size, **hyperparameters))
        if len(networks) == 1:
            return networks[0]
        stack = kind(settings.z_dim, channels, image_size, stack=len(seeds), **hyperparameters)
    states = [network.state_dict() for network in networks]
    stack.load_state_dict({name: torch.cat([state[name] for state in states]) for name in states[0]})
    return stack


def network_of(checkpoint: Checkpoint, seed: int) -> Encoder:
    """Return the network of one seed as a checkpoint has it, on the CPU, ready to be evaluated.

    Raises
    ------
    BadInputError
        If the checkpoint does not hold the network that it describes.
    """
    network = build(checkpoint.settings, (seed,), checkpoint.channels, checkpoint.image_size)
    check_tensors(checkpoint, network)
    network.load_state_dict({name: checkpoint.tensors[f"{seed}/parameter/{name}"] for name in network.state_dict()})
    return network.eval()


def load_newest(folder: Path) -> Checkpoint:
    """Return the newest checkpoint of a run.

    Raises
    ------
    UsageError
        If there is none yet.
    BadInputError
        If it is damaged.
    """
    path = latest_checkpoint(folder / "checkpoints")
    if path is None:
        read_run(folder)  # which says so if there is no run at all
        raise UsageError(f"{folder}: holds no checkpoint yet")
    return load_checkpoint(path)


def load(folder: str | Path) -> dict[int, Encoder]:
    """Return the trained networks of a run, to encode with.

    Parameters
    ----------
    folder : str or Path
        The run's folder.

    Returns
    -------
    dict of int to Encoder
        By seed, from the newest checkpoint, on the CPU.

    Raises
    ------
    UsageError
        If the folder holds no run, or no checkpoint yet.
    BadInputError
        If the newest checkpoint is damaged.

    Examples
    --------
    >>> load("runs/kitti")  # doctest: +SKIP
    {0: SlowVAE(z_dim=10, channels=1, image_size=64, beta=1.0, gamma=10.0, rate=6.0)}
    >>> mu, logvar = load("runs/kitti")[0].encode(images)  # doctest: +SKIP
    >>> load("runs/none")
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: runs/none: holds no run (no run.json); `datagen train` makes one
    """
    checkpoint = load_newest(as_path(folder, "folder"))
    return {seed: network_of(checkpoint, seed) for seed in checkpoint.settings.seeds}


class Log:
    """The log of a run: rows to ``log.csv`` and, where it is installed, to TensorBoard.

    Parameters
    ----------
    folder : Path
        The run's folder.
    iteration : int
        Where the run goes on; rows that a killed run wrote beyond it are dropped.
    """

    def __init__(self, folder: Path, iteration: int) -> None:
        self._path = folder / "log.csv"
        self._columns: list[str] = []
        if self._path.exists():
            self._columns, rows = _read_log(self._path)
            # A row is written before the checkpoint of its iteration; what was cut short is later than that.
            kept = [row for row in rows if int(row[0]) <= iteration]
            with atomic_path(self._path) as temporary, temporary.open("w", newline="") as stream:
                csv.writer(stream).writerows([self._columns, *kept] if self._columns else [])
        self._board: Any = None
        self._hook = threading.excepthook
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._hook, threading.excepthook = threading.excepthook, self._leave_to_caller
            with self._named_errors():
                self._board = SummaryWriter(str(folder), purge_step=iteration + 1)
        except ImportError:
            pass
        except UnicodeEncodeError:
            problem = "TensorBoard takes only names in UTF-8, so nothing is written for it; log.csv has all"
            warnings.warn(f"{folder}: {problem}", DatagenWarning, stacklevel=2)

    def _leave_to_caller(self, failure: threading.ExceptHookArgs) -> None:
        """Print nothing of a full disk in TensorBoard's own thread, which raises it again where it is written to."""
        if not issubclass(failure.exc_type, OSError):
            self._hook(failure)

    def add(self, iteration: int, seed: int, values: dict[str, float]) -> None:
        """Write the row of one seed."""
        row = {"iteration": iteration, "seed": seed, **{name: f"{value:.9g}" for name, value in values.items()}}
        with self._named_errors(), self._path.open("a", newline="") as stream:
            if not self._columns:
                self._columns = list(row)
                csv.writer(stream).writerow(self._columns)
            if row.keys() != set(self._columns):
                raise BadInputError(self._path, f"is of another run (its columns differ); {_REMEDY}")
            csv.DictWriter(stream, self._columns).writerow(row)
        if self._board is not None:
            with self._named_errors():
                for name, value in values.items():
                    self._board.add_scalar(f"{name}/seed {seed}", value, iteration)

    def close(self) -> None:
        """Write what is left."""
        threading.excepthook = self._hook
        if self._board is not None:
            with self._named_errors():
                self._board.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Name the run's folder in errors of the system: those of a full disk, and of TensorBoard, name no file."""
        try:
            yield
        except OSError as error:
            state = "the last checkpoint stays, go on with --resume"
            raise OutputError(self._path.parent, error, state) from None


def read_log(folder: Path) -> list[dict[str, float]]:
    """Return the log of a run, one dictionary per row; none where there is no log yet.

    Raises
    ------
    BadInputError
        If it is damaged.
    """
    path = folder / "log.csv"
    if not path.exists():
        return []
    columns, rows = _read_log(path)
    return [dict(zip(columns, map(float, row), strict=True)) for row in rows]


def _read_log(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the whole rows of a log; the last line may have been cut short by a kill."""
    data = check_input(path).read_bytes()
    lines = data.split(b"\n")
    if not any(lines):
        return [], []
    whole = lines[:-1]  # what follows the last line's end is empty or cut short
    columns: list[str] = []
    rows: list[list[str]] = []
    for number, line in enumerate(whole, start=1):
        fields = line.removesuffix(b"\r").decode("ascii", "replace").split(",")  # names and numbers, never quoted
        if number == 1:
            columns = fields
            good = columns[:2] == ["iteration", "seed"] and len(set(columns)) == len(columns)
        else:
            good = len(fields) == len(columns) and all(map(_is_number, fields)) and fields[0].isdigit()
        if not good:
            raise BadInputError(path, f"is no line of a log; {_REMEDY}", f"line {number}")
        if number > 1:
            rows.append(fields)
    return columns, rows


def _is_number(text: str) -> bool:
    try:
        return len(text) < 40 and text.isascii() and not math.isnan(float(text))
    except ValueError:
        return False
