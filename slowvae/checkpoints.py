"""Checkpoints: a folder each, with the tensors (safetensors) and the rest (JSON); whole or not there.

A checkpoint is written to a hidden folder, flushed, and renamed. Older ones are removed only then, so whatever kills
the program, at any moment, leaves the newest complete one.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor, nn

from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.files import atomic_folder, check_input, sha256_file
from datagen.records import read_record, write_record
from slowvae.settings import Settings, settings_json, settings_of

__all__ = ["Checkpoint", "all_checkpoints", "check_tensors", "latest_checkpoint", "load_checkpoint", "save_checkpoint"]

_TENSORS, _STATE = "state.safetensors", "state.json"
_REMEDY = "remove this folder to go on from the checkpoint before it, if there is one"


class _State(msgspec.Struct):
    iteration: Annotated[int, msgspec.Meta(ge=0)]
    settings: dict[str, Any]
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """What a run is at some iteration.

    Attributes
    ----------
    iteration : int
        Number of steps taken.
    tensors : dict of str to Tensor
        Parameters, the optimiser's state, the state of the random numbers, sums for the log.
    settings : Settings
        Of the run.
    channels, image_size : int
        Of the networks' images.
    path : Path or None
        The folder it was read from.
    """

    iteration: int
    tensors: dict[str, Tensor] = field(repr=False)
    settings: Settings
    channels: int
    image_size: int
    path: Path | None = None


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
                "settings": {
                    **settings_json(checkpoint.settings),
                    "channels": checkpoint.channels,
                    "image_size": checkpoint.image_size,
                },
                "sha256": sha256_file(made / _TENSORS),
            }
            write_record(made / _STATE, state)
    except Exception as error:  # safetensors has an error of its own for a full disk
        reason = getattr(error, "strerror", None) or str(error)
        raise DatagenError(f"{final}: cannot be written ({reason}); the older checkpoint is as it was") from error
    for left in folder.glob(".*"):  # by a run that was killed while it wrote
        shutil.rmtree(left, ignore_errors=True)
    for older in all_checkpoints(folder):
        if older != final and int(older.name) % keep_every:
            shutil.rmtree(older, ignore_errors=True)
    return final


def all_checkpoints(folder: Path) -> list[Path]:
    """Return the folders of all checkpoints, oldest first."""
    return sorted(path for path in folder.glob("*") if re.fullmatch("[0-9]{8,}", path.name))


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the folder of the newest checkpoint, or None."""
    found = all_checkpoints(folder)
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
    from safetensors.torch import load

    try:
        state = read_record(path / _STATE, _State, _REMEDY)
        if path.name != f"{state.iteration:08d}":
            raise ValueError(f"it is of iteration {state.iteration}")
        values = state.settings
        channels, image_size = values.pop("channels", None), values.pop("image_size", None)
        if type(channels) is not int or channels not in (1, 3):
            raise ValueError(f"images of {channels!r:.40} channels")
        if type(image_size) is not int or not 1 <= image_size < 1 << 16:
            raise ValueError(f"images of {image_size!r:.40} pixels")
        settings = settings_of(values)
    except UsageError:
        raise BadInputError(path / _STATE, f"is missing or damaged; {_REMEDY}") from None
    except BadInputError:
        raise
    except ValueError as error:
        raise BadInputError(path / _STATE, f"is damaged ({error}); {_REMEDY}") from None
    try:
        if sha256_file(check_input(path / _TENSORS)) != state.sha256:
            raise BadInputError(path / _TENSORS, f"is damaged (its sha256 differs); {_REMEDY}")
        tensors = load((path / _TENSORS).read_bytes())  # by its own reading, safetensors opens only names in UTF-8
    except (OSError, SafetensorError, UsageError):
        raise BadInputError(path / _TENSORS, f"is missing or damaged; {_REMEDY}") from None
    return Checkpoint(state.iteration, tensors, settings, channels, image_size, path)


def check_tensors(checkpoint: Checkpoint, network: nn.Module) -> None:
    """Check that a checkpoint holds the networks of all its seeds, and what their training needs.

    Parameters
    ----------
    checkpoint : Checkpoint
        As read from a file.
    network : Module
        A single network of its settings, for names and shapes.

    Raises
    ------
    BadInputError
        If a tensor is missing, or has another type or shape, or holds a number that cannot be.
    """
    path = (checkpoint.path or Path()) / _TENSORS
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    left = dict(checkpoint.tensors)

    def take(
        name: str, shape: tuple[int, ...] | None, dtype: torch.dtype = torch.float32, least: float | None = None
    ) -> None:
        tensor = left.pop(name, None)
        problem = None
        if tensor is None:
            problem = "is missing"
        elif tensor.dtype != dtype or (tuple(tensor.shape) != shape if shape is not None else tensor.ndim != 1):
            problem = f"is {tensor.dtype}, {tuple(tensor.shape)}, not {dtype}, {shape if shape is not None else '(n,)'}"
        elif tensor.is_floating_point() and not tensor.isfinite().all():
            problem = "is not finite"
        elif least is not None and (tensor < least).any():
            problem = f"is below {least:g}"
        if problem is not None:
            raise BadInputError(path, f"does not hold the run that {_STATE} describes; {_REMEDY}", f"{name} {problem}")

    for seed in checkpoint.settings.seeds:
        take(f"{seed}/noise", None, torch.uint8)
        for name, shape in shapes.items():
            take(f"{seed}/parameter/{name}", shape)
            if checkpoint.iteration > 0:
                take(f"{seed}/step/{name}", (), least=0)
                take(f"{seed}/exp_avg/{name}", shape)
                take(f"{seed}/exp_avg_sq/{name}", shape, least=0)
        for name in [name for name in left if name.startswith(f"{seed}/sum/")]:
            take(name, (1,))
    if left:
        raise BadInputError(path, f"holds more than the run that {_STATE} describes; {_REMEDY}", sorted(left)[0][:80])
