"""Anybody's latents: saved ones, and functions that make them of images.

Nothing here asks how an encoder was trained, or by which library: an encoder is a torch module or a function of a batch
of images, and latents are an array with a row for each frame.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, UsageError, quote
from datagen.files import check_input
from datagen.progress import progress_bar

__all__ = [
    "Encodes",
    "Latents",
    "check_latents",
    "check_rows",
    "digest",
    "encode",
    "find_encoder",
    "load_latents",
]

Encodes = nn.Module | Callable[[Any], Any]
"""Images, float32 (B, C, H, W) in [0, 1], to latents (B, Z)."""

Latents = tuple[NDArray[np.float32], NDArray[np.int64] | None]
"""Latents (N, Z), and the frame that each row is of, int64 (N,); None where every frame has its row, in order."""

_NOT_THE_ENCODERS = (KeyboardInterrupt, MemoryError)
"""What may be raised in an encoder and is no fault of it."""

_WIDEST = 4096
"""Latents of one sample. No network has more, and every metric compares all with all."""


def find_encoder(name: str) -> Encodes:
    """Import an encoder by the name of its module and its own, ``"my_package.models:encode"``.

    The module is looked for in the current folder too, as ``python -m`` does. Importing it runs its code.

    Raises
    ------
    UsageError
        If the name is of another form, or there is no such module, or nothing of that name in it that can be called.
    DatagenError
        If the module raises while it is imported.

    Examples
    --------
    >>> find_encoder("numpy:ravel").__name__
    'ravel'
    """
    module_name, colon, attribute = name.partition(":")
    parts = [*module_name.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise UsageError(f"encoder {quote(name)!r}: name it as module:function, e.g. my_package.models:encode")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise UsageError(
                f"encoder {name}: there is no module {module_name!r}, neither installed nor in the current folder"
            ) from None
        raise DatagenError(f"encoder {name}: its module cannot be imported ({_said(error)})") from None
    except _NOT_THE_ENCODERS:
        raise
    except BaseException as error:  # whatever somebody's code does, leaving Python among it
        raise DatagenError(f"encoder {name}: its module cannot be imported ({_said(error)})") from None
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"encoder {name}: there is no {part!r} in {module_name}") from None
        except Exception as error:
            raise DatagenError(f"encoder {name}: {part!r} cannot be looked up ({_said(error)})") from None
    if isinstance(found, type) or not callable(found):
        what = "is a class" if isinstance(found, type) else "cannot be called"
        raise UsageError(
            f"encoder {name}: {what}; name a torch module or a function that takes images (B, C, H, W) and returns "
            "latents (B, Z)"
        )
    encoder: Encodes = found
    return encoder


def encode(
    encoder: Encodes,
    dataset: Sequences,
    rows: NDArray[np.int64] | None = None,
    device: torch.device | str = "cpu",
    name: str = "the encoder",
    batch_size: int = 500,
    show_progress: bool = False,
) -> NDArray[np.float32]:
    """Encode frames of a dataset, batch by batch, without gradients.

    A torch module (or a method of one) is moved to the device, set to evaluation and given tensors there; afterwards it
    is as it was before, but on the device. A function is given numpy arrays, or, if it raises at the first of them,
    tensors on the device.

    Parameters
    ----------
    encoder : torch.nn.Module or callable
        From images, float32 (B, C, H, W) in [0, 1], to latents (B, Z).
    dataset : Sequences
        With images.
    rows : ndarray of int64, optional
        Which frames, by default all.
    device : torch.device or str
        Where a module or a function of tensors computes.
    name : str
        Of the encoder, for errors.
    batch_size : int
        Frames at a time.
    show_progress : bool
        Whether to draw a bar.

    Returns
    -------
    ndarray of float32, shape (N, Z)

    Raises
    ------
    UsageError
        If the dataset has no images.
    DatagenError
        If the encoder raises, or does not give one row of finite numbers for every image; it says of which frame.

    Examples
    --------
    >>> masks = np.zeros((5, 8, 8), dtype=bool)
    >>> masks[:, 2:4, 2:6] = True
    >>> dataset = Sequences.from_masks([masks])
    >>> encode(lambda images: images.mean(axis=(1, 2)), dataset)[0].round(2).tolist()
    [0.0, 0.0, 0.25, 0.25, 0.25, 0.25, 0.0, 0.0]
    """
    if dataset.images is None:
        raise UsageError("the file holds factors only, no images to encode; score latents instead (--latents)")
    rows = np.arange(dataset.num_frames) if rows is None else rows
    owner = encoder.__self__ if isinstance(encoder, MethodType) else encoder
    module = owner if isinstance(owner, nn.Module) else None
    device = torch.device(device)
    modes = []
    if module is not None:
        modes = [(part, part.training) for part in module.modules()]
        module.to(device).eval()
    ways: list[Callable[[NDArray[np.float32]], Any]] = [lambda images: torch.from_numpy(images).to(device)]
    if module is None:
        ways.insert(0, lambda images: images)
    found: list[NDArray[np.float32]] = []
    begins = range(0, len(rows), batch_size)
    try:
        for begin in progress_bar(begins, "encoding", show=show_progress):
            here = rows[begin : begin + batch_size]
            images = _images(dataset, here)
            where = f"frames {here[0]} to {here[-1]}" if len(here) > 1 else f"frame {here[0]}"
            errors = []
            for way in ways:
                try:
                    with torch.no_grad():
                        given = encoder(way(images.copy() if len(ways) > 1 else images))
                    break
                except _NOT_THE_ENCODERS:
                    raise
                except BaseException as error:  # whatever somebody's code does, leaving Python among it
                    errors.append(_said(error))
            else:
                reasons = errors[0] if len(errors) == 1 else f"of an array {errors[0]}; of a tensor {errors[1]}"
                raise DatagenError(
                    f"{name}: raised at {where}, images float32 {images.shape} on {device.type}: {reasons}"
                ) from None
            ways = [way]  # the one that worked at the first batch
            latents = _rows_of(given, name)
            width = found[0].shape[1] if found else None
            if latents.ndim != 2 or len(latents) != len(here) or width not in (None, latents.shape[1]):
                raise DatagenError(
                    f"{name}: gave {latents.shape} for {where}, images {images.shape}; it must give one row of latents "
                    f"an image, ({len(here)}, {'Z' if width is None else width})"
                )
            check_latents(latents, name, here)
            found.append(latents.astype(np.float32))
    finally:
        for part, mode in modes:
            part.training = mode
    return np.concatenate(found)


def _images(dataset: Sequences, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return frames as float32 (B, C, H, W) in [0, 1]."""
    assert dataset.images is not None
    images = np.asarray(dataset.images[rows])
    floats = images.astype(np.float32)
    if images.dtype != bool:
        floats /= 255
    return floats[:, None] if floats.ndim == 3 else np.ascontiguousarray(np.moveaxis(floats, 3, 1))


def _rows_of(given: Any, name: str) -> NDArray[Any]:
    """Return what an encoder gave as an array."""
    if isinstance(given, tuple | list):
        raise DatagenError(
            f"{name}: gave a {type(given).__name__} of {len(given)}; it must give the latents alone, (B, Z): of a VAE "
            "the means"
        )
    return _as_array(given, name)


def _as_array(given: Any, name: str) -> NDArray[Any]:
    """Return latents as an array, of whatever library they are."""
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise DatagenError(f"{name}: holds masked values; leave out their rows")
    try:
        if isinstance(given, Tensor):
            given = given.detach().cpu()
            given = (given.float() if given.is_floating_point() else given).numpy()
        rows = np.asarray(given)
    except _NOT_THE_ENCODERS:
        raise
    except Exception as error:  # of a sparse tensor, or of what somebody's object does
        what = "a list of rows of several lengths" if isinstance(given, list) else f"a {type(given).__name__}"
        raise DatagenError(f"{name}: {what} cannot be taken as an array of latents, (N, Z) ({_said(error)})") from None
    if rows.ndim == 0 and rows.dtype == object:
        raise DatagenError(f"{name}: gave a {type(given).__name__}; it must give latents, (B, Z)")
    return rows


def check_latents(latents: NDArray[Any], name: str, rows: NDArray[np.int64] | None = None) -> None:
    """Refuse what are no latents.

    Parameters
    ----------
    latents : ndarray
        What was given.
    name : str
        Where it comes from, for errors.
    rows : ndarray of int64, optional
        The frame of each row.

    Raises
    ------
    DatagenError
        If they are no real numbers (N, Z), not finite, or too large for float32; it says of which frame.
    """
    if latents.ndim != 2 or latents.dtype.kind not in "biuf":
        raise DatagenError(f"{name}: {latents.dtype} {latents.shape}; latents are real numbers (N, Z)")
    if not 1 <= latents.shape[1] <= _WIDEST:
        raise DatagenError(f"{name}: {latents.shape[1]:,} latents; there must be from 1 to {_WIDEST:,}")
    with np.errstate(over="ignore"):
        bad = np.flatnonzero(~np.isfinite(latents.astype(np.float32)).all(axis=1))
    if len(bad):
        first = int(bad[0]) if rows is None else int(rows[bad[0]])
        raise DatagenError(
            f"{name}: {len(bad):,} of {len(latents):,} rows are not finite in float32, first frame {first}"
        )


def load_latents(path: str | Path, num_frames: int) -> Latents:
    """Read saved latents of a dataset.

    Parameters
    ----------
    path : str or Path
        A ``.npy`` of real numbers (N, Z), or a ``.npz`` with such an array, called ``latents`` or the only one, and
        perhaps ``indices``, int (N,): the frame that each row is of, each once. Nothing in it is unpickled.
    num_frames : int
        How many frames the dataset has. Without ``indices`` there must be a row for each, in the file's order.

    Returns
    -------
    latents : ndarray of float32, shape (N, Z)
    indices : ndarray of int64, shape (N,), or None

    Raises
    ------
    UsageError
        If there is no such file, or its suffix is another.
    BadInputError
        If it is damaged, holds something else, or not as many rows as there are frames.
    """
    path = check_input(path)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise UsageError(f"{path}: latents are read from .npy and .npz")

    def check(dtype: Any, shape: tuple[int, ...], whole: bool = False) -> None:
        kinds, form = ("iu", "whole numbers (N,)") if whole else ("biuf", "real numbers (N, Z)")
        if np.dtype(dtype).kind not in kinds or len(shape) != (1 if whole else 2):
            raise BadInputError(path, f"holds {dtype} {shape}; {'indices' if whole else 'latents'} are {form}")
        hint = "; pass array.T" if shape[-1] == num_frames else ""
        if shape[0] > num_frames:
            raise BadInputError(path, f"has {shape[0]:,} rows, and the dataset {num_frames:,} frames{hint}")
        if not whole and not 1 <= shape[1] <= _WIDEST:
            raise BadInputError(path, f"has {shape[1]:,} latents; there must be from 1 to {_WIDEST:,}{hint}")

    from datagen.store import npz

    indices = None
    if suffix == ".npy":
        latents = npz.read_npy(path, check)
    else:
        with npz.open_file(path, None) as archive:
            others = sorted(archive.names - {"indices"})
            if "latents" in others:
                others = ["latents"]
            if len(others) != 1:
                held = ", ".join(map(quote, others[:10])) or "none"
                raise BadInputError(path, f"latents are its array 'latents', or the only one; it holds {held}")
            header = archive.header(others[0])
            check("U" if header.dtype == "str" else header.dtype, header.shape)
            latents = archive.read(others[0])
            if "indices" in archive.names:
                header = archive.header("indices")
                check("U" if header.dtype == "str" else header.dtype, header.shape, whole=True)
                indices = archive.read("indices")
    if indices is None and len(latents) != num_frames:
        raise BadInputError(
            path,
            f"has {len(latents):,} rows, and the dataset {num_frames:,} frames; give a row for each, in the file's "
            "order, or a .npz that says by 'indices' which frames they are of",
        )
    try:
        return check_rows(latents, indices, num_frames, str(path))
    except BadInputError:
        raise
    except DatagenError as error:
        raise BadInputError(path, str(error).removeprefix(f"{path}: ")) from None


def check_rows(latents: Any, indices: Any, num_frames: int, name: str) -> Latents:
    """Return latents and the frames of their rows, or say why they are not those of a dataset.

    Raises
    ------
    DatagenError
        If they are no latents (`check_latents`), not as many as frames, or indices are not the numbers of so many
        frames.
    """
    rows = _as_array(latents, name)
    if indices is None:
        if rows.ndim == 2 and len(rows) != num_frames:
            hint = "pass array.T" if rows.shape[1] == num_frames else "say by indices which frames they are of"
            raise DatagenError(f"{name}: {len(rows):,} rows, and the dataset has {num_frames:,} frames; {hint}")
        check_latents(rows, name)
        return rows.astype(np.float32), None
    frames = np.asarray(indices)
    if frames.dtype.kind not in "iu" or frames.shape != rows.shape[:1]:
        raise DatagenError(f"{name}: indices {frames.dtype} {frames.shape}; they must be whole numbers, one a row")
    if not len(frames) or frames.min() < 0 or frames.max() >= num_frames:
        raise DatagenError(f"{name}: indices must be numbers of frames, from 0 to {num_frames - 1:,}, one at least")
    frames = frames.astype(np.int64)
    if len(np.unique(frames)) != len(frames):
        raise DatagenError(f"{name}: indices name a frame twice")
    check_latents(rows, name, frames)
    order = np.argsort(frames)
    return rows[order].astype(np.float32), frames[order]


def digest(latents: NDArray[np.float32]) -> str:
    """Return what tells latents from others."""
    return hashlib.sha256(np.ascontiguousarray(latents).view(np.uint8).data).hexdigest()


def _said(error: BaseException) -> str:
    """Return an error of somebody's code as a part of one line."""
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:  # its own text is somebody's code too
        text = ""
    return quote(f"{type(error).__name__}: {text}".removesuffix(": "))
