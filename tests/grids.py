"""Small files in the layout of each set, made once for all tests."""

import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from datagen.grids.reading import read_grid
from datagen.grids.samples import sample_grid

FILES = {
    "dsprites": "dsprites_ndarray.npz",
    "shapes3d": "3dshapes.h5",
    "cars3d": "nips2015-analogy-data.tar.gz",
    "smallnorb": "smallnorb",
    "mpi3d-toy": "mpi3d_toy.npz",
    "mpi3d-real": "mpi3d_real.npz",
}

_FOLDER = TemporaryDirectory(prefix="datagen-grids-", ignore_cleanup_errors=True)  # removed when the process ends


@cache
def sample(name):
    """Return the file, or of small NORB the folder, of a small sample. Not to be written to."""
    path = Path(_FOLDER.name) / name / FILES[name]
    sample_grid(name, path)
    return path


def read(path, **options):
    """Read a grid without the warning that it is not whole."""
    with warnings.catch_warnings(action="ignore"):
        return read_grid(path, **options)


@cache
def grid(name):
    """Return the grid of a small sample."""
    return read(sample(name))
