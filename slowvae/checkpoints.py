"""Checkpoints: a folder each, with the tensors (safetensors) and the rest (JSON); whole or not there.

A checkpoint is written to a hidden folder, flushed, and renamed. Older ones are removed only then, so whatever kills
the program, at any moment, leaves the newest complete one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from datagen.errors import BadInputError, DatagenError
from datagen.files import atomic_folder, sha256_file

__all__ = ["Checkpoint", "latest_checkpoint", "load_checkpoint", "save_checkpoint"]

_TENSORS, _STATE = "state.safetensors", "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """What a run is at some iteration.

    Attributes
    ----------
    iteration : int
        Number of steps taken.
    tensors : dict of str to Tensor
        Parameters, the optimiser's state, the state of the random numbers, sums for the log.
    settings : dict
        Of the run, JSON types only, with the network's ``channels`` and ``image_size``.
    """

    iteration: int
    tensors: dict[str, Tensor]
    settings: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep_every: int) -> Path:
    """Write a checkpoint into `folder`, then remove the older ones.

    Parameters
    ----------
    folder : Path
        Where the checkpoints of a run are; made if need be.
    checkpoint : Checkpoint
        Its tensors may lie on any device.
    keep_every : int
        Older checkpoints stay if their iteration is a multiple of this.

    Returns
    -------
    Path
        The checkpoint's own folder.

    Raises
    ------
    DatagenError
        If it cannot be written, e.g. for want of room on the disk; the older ones are as they were then.
    """
    from safetensors.torch import save_file

    final = folder / f"{checkpoint.iteration:08d}"
    if final.exists():
        return final
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_folder(final) as made:
            save_file({name: tensor.cpu().contiguous() for name, tensor in checkpoint.tensors.items()}, made / _TENSORS)
            state = {
                "iteration": checkpoint.iteration,
                "settings": checkpoint.settings,
                "sha256": sha256_file(made / _TENSORS),
            }
            (made / _STATE).write_text(json.dumps(state, indent=2))
    except Exception as error:  # safetensors has an error of its own for a full disk
        reason = getattr(error, "strerror", None) or str(error)
        raise DatagenError(f"{final}: cannot be written ({reason}); the older checkpoint is as it was") from error
    for left in folder.glob(".*"):  # by a run that was killed while it wrote
        shutil.rmtree(left, ignore_errors=True)
    for older in _checkpoints(folder):
        if older != final and int(older.name) % keep_every:
            shutil.rmtree(older, ignore_errors=True)
    return final


def _checkpoints(folder: Path) -> list[Path]:
    """Return the folders of all checkpoints, oldest first."""
    return sorted(path for path in folder.glob("*") if path.name.isdigit())


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the folder of the newest checkpoint, or None."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Parameters
    ----------
    path : Path
        Its folder.

    Returns
    -------
    Checkpoint
        On the CPU.

    Raises
    ------
    BadInputError
        If it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    remedy = "remove this folder to go on from the checkpoint before it, if there is one"
    try:
        state = json.loads((path / _STATE).read_text())
        iteration, settings, digest = state["iteration"], state["settings"], state["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInputError(path / _STATE, f"is missing or damaged; {remedy}") from None
    try:
        if sha256_file(path / _TENSORS) != digest:
            raise BadInputError(path / _TENSORS, f"is damaged (its sha256 differs); {remedy}")
        tensors = load_file(path / _TENSORS)
    except (OSError, SafetensorError):
        raise BadInputError(path / _TENSORS, f"is missing or damaged; {remedy}") from None
    return Checkpoint(iteration, tensors, settings)
