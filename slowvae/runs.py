"""A run's folder: its lock, what it was told, its log, its trained networks.

run.json       settings, dataset, machine, how it ended
log.csv        terms of the objective and statistics of the latents, a row a seed and log interval
events.*       the same for TensorBoard, where that is installed
checkpoints/   see `slowvae.checkpoints`
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from datagen.errors import BadInputError, UsageError
from datagen.files import atomic_path
from slowvae.checkpoints import Checkpoint, latest_checkpoint, load_checkpoint
from slowvae.model import Encoder
from slowvae.settings import Settings, model_class

__all__ = ["Log", "build", "load_networks", "locked", "network_of", "read_run", "write_run"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process alone; the system lets go of it when the process ends, however it does.

    Raises
    ------
    UsageError
        If another process holds it.
    """
    import fcntl

    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{folder}: another process is working here; wait for it or take another folder") from None
        yield


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Write what a run is: ``settings``, ``dataset`` (path, sha256), ``machine``, ``status``."""
    with atomic_path(folder / "run.json") as temporary:
        temporary.write_text(json.dumps(run, indent=2))


def read_run(folder: Path) -> dict[str, Any]:
    """Read what a run is, with ``settings`` as `Settings`.

    Raises
    ------
    UsageError
        If the folder holds no run.
    BadInputError
        If its file is damaged.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise UsageError(f"{folder}: holds no run (no run.json); `datagen train` makes one")
    try:
        run = json.loads(path.read_text())
        run["settings"] = settings_of(run["settings"])
        run["dataset"]["path"]
    except (ValueError, KeyError, TypeError):
        raise BadInputError(path, "is damaged; train into another folder") from None
    return run


def build(settings: Settings, seeds: tuple[int, ...], channels: int, image_size: int) -> Encoder:
    """Return a stack of networks, each with the start that torch's global seed gives it alone.

    Torch's global random state is left as it was.
    """
    kind, networks = model_class(settings.model), []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(kind(settings.z_dim, channels, image_size))
        if len(networks) == 1:
            return networks[0]
        stack = kind(settings.z_dim, channels, image_size, stack=len(seeds))
    states = [network.state_dict() for network in networks]
    stack.load_state_dict({name: torch.cat([state[name] for state in states]) for name in states[0]})
    return stack


def network_of(checkpoint: Checkpoint, seed: int) -> Encoder:
    """Return the network of one seed as a checkpoint has it, on the CPU, ready to be evaluated."""
    told = {**checkpoint.settings}
    channels, image_size = told.pop("channels"), told.pop("image_size")
    network = build(settings_of(told), (seed,), channels, image_size)
    network.load_state_dict({name: checkpoint.tensors[f"{seed}/parameter/{name}"] for name in network.state_dict()})
    return network.eval()


def load_networks(folder: Path) -> dict[int, Encoder]:
    """Return the networks of a run by their seeds, from its newest checkpoint.

    Raises
    ------
    UsageError
        If there is no checkpoint yet.
    BadInputError
        If it is damaged.
    """
    path = latest_checkpoint(folder / "checkpoints")
    if path is None:
        raise UsageError(f"{folder}: holds no checkpoint yet")
    checkpoint = load_checkpoint(path)
    return {seed: network_of(checkpoint, seed) for seed in checkpoint.settings["seeds"]}


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
            with self._path.open(newline="") as stream:
                rows = list(csv.reader(stream))
            # A row is written before the checkpoint of its iteration; what was cut short is later than that.
            kept = [row for row in rows[1:] if len(row) == len(rows[0]) and int(row[0]) <= iteration]
            with atomic_path(self._path) as temporary, temporary.open("w", newline="") as stream:
                csv.writer(stream).writerows([*rows[:1], *kept])
            self._columns = rows[0]
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._board = None
        else:
            self._board = SummaryWriter(str(folder), purge_step=iteration + 1)

    def add(self, iteration: int, seed: int, values: dict[str, float]) -> None:
        """Write the row of one seed."""
        row = {"iteration": iteration, "seed": seed, **{name: f"{value:.9g}" for name, value in values.items()}}
        with self._path.open("a", newline="") as stream:
            if not self._columns:
                self._columns = list(row)
                csv.writer(stream).writerow(self._columns)
            csv.DictWriter(stream, self._columns).writerow(row)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{name}/seed {seed}", value, iteration)

    def close(self) -> None:
        """Write what is left."""
        if self._board is not None:
            self._board.close()


def settings_json(settings: Settings) -> dict[str, Any]:
    """Return settings in JSON types."""
    return {**asdict(settings), "seeds": list(settings.seeds)}


def settings_of(told: dict[str, Any]) -> Settings:
    """Return what `settings_json` was given."""
    return Settings(**{**told, "seeds": tuple(told["seeds"])})
