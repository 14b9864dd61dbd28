"""Grids of factors from the files of the established benchmarks, recognised by what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, UsageError, quote
from datagen.files import as_path, check_input, sha256_file
from datagen.grids import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from datagen.grids.found import DatasetFileError, Found
from datagen.grids.sets import SETS
from datagen.manifest import make_manifest
from datagen.progress import progress_bar

__all__ = ["find_grid", "read_grid"]

_FINDERS: tuple[Callable[[Path], Found | None], ...] = (
    dsprites.find,
    shapes3d.find,
    mpi3d.find,
    cars3d.find,
    smallnorb.find,
)
_MOST_FILES = 1000


def find_grid(source: str | Path) -> Found:
    """Find the set that a file, archive or folder holds.

    Parameters
    ----------
    source : str or Path
        What the authors of a set hand out, or a folder with it.

    Returns
    -------
    Found

    Raises
    ------
    UsageError
        If there is no such file or folder, or a folder holds several sets.
    BadInputError
        If it is of no set, or damaged.
    """
    path = as_path(source, "source")
    if not path.is_dir():
        check_input(path)
        found = _find(path)
        if found is None:
            raise BadInputError(path, f"is no file of a set that is read: {', '.join(SETS)}")
        return found
    inside = [each for each in sorted(path.iterdir())[:_MOST_FILES] if each.is_file() and each.suffix != ".mat"]
    several: dict[tuple[Path, ...], Found] = {}
    for each in [path, *inside]:
        try:
            found = _find(each)
        except DatasetFileError:  # as a converted set beside another's files
            continue
        if found is not None:
            several.setdefault(found.files, found)
    if not several:
        raise DatagenError(f"{quote(path)}: holds no files of a set that is read: {', '.join(SETS)}")
    if len(several) > 1:
        names = " and ".join(quote(files[0].name) for files in list(several)[:2])
        raise UsageError(f"{quote(path)}: holds several sets, of {names}; name the file of one")
    return next(iter(several.values()))


def _find(path: Path) -> Found | None:
    for finder in _FINDERS:
        found = finder(path)
        if found is not None:
            return found
    return None


def read_grid(source: str | Path, *, hash_inputs: bool = True, show_progress: bool = False) -> Sequences:
    """Read the grid of factors in the files of an established benchmark.

    Images stay where they are until they are asked for, as far as the format allows; reading them in order takes one
    pass over the files. To have them in any order, save the grid once (`datagen.store.save`) and load that.

    Parameters
    ----------
    source : str or Path
        A file, archive or folder of dSprites, 3D Shapes, Cars3D, small NORB or MPI3D, as its authors hand it out.
    hash_inputs : bool
        Whether the manifest says the sha256 of the files, which are read once for that.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    Sequences
        With `is_grid`. Factors are numbers of values; `factor_info` says what they are.

    Raises
    ------
    UsageError
        If there is no such file or folder, or a folder holds several sets.
    BadInputError
        If it is of no set, damaged, or does not hold one image of every combination of the factors, in order.

    Examples
    --------
    >>> import tempfile
    >>> import warnings
    >>> from datagen.grids.samples import sample_grid
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
    ...     counts = sample_grid("mpi3d-toy", f"{folder}/mpi3d_toy.npz")
    ...     read_grid(f"{folder}/mpi3d_toy.npz").factor_names[:3]
    ('object_color', 'object_shape', 'object_size')
    """
    found = find_grid(source)
    images, factors = found.read(show_progress)
    inputs = {}
    if hash_inputs:
        for file in progress_bar(found.files, "hashing", show=show_progress):
            inputs[file.name] = sha256_file(file)
    parameters = {"set": found.known.name, "image": found.known.image}
    manifest = make_manifest("grid", parameters, [found.known.described()], inputs)
    return Sequences.of_grid(images, factors, manifest)
