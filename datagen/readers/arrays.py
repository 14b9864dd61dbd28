"""Label maps that numpy has saved: ``.npy``, an array (T, H, W) of whole numbers, and ``.npz``, one for each video.

A pixel holds the number of the object to which it belongs, 0 where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError, quote
from datagen.files import check_input, sha256_file
from datagen.masks import is_frame_size
from datagen.readers.reader import Reader, Source
from datagen.tracks import Sampling, Tracks, Video, printable_name

__all__ = ["READER", "ArrayVideo"]


@dataclass(frozen=True)
class ArrayVideo:
    """A video in an array of a file. See `datagen.tracks.Video`.

    Attributes
    ----------
    member : str or None
        Name of the array in an npz file.
    """

    source: str
    name: str
    path: Path
    member: str | None

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        try:
            labels = self._labels()
            if sampling is not None:
                grid = sampling(*labels.shape[1:])
                labels = labels[:, grid.rows][:, :, grid.columns]
            tracks = Tracks.from_label_maps(labels, source=self.source, video=self.name)
        except MemoryError:
            raise BadInputError(self.path, "does not fit into memory") from None
        except (BadInputError, UsageError) as error:
            problem = error.problem if isinstance(error, BadInputError) else str(error)
            if not skip_bad:
                raise BadInputError(self.path, problem, f"video {quote(self.name)}") from None
            return Tracks.left_out_whole(self, problem)
        tracks.inputs[f"{self.source}/{printable_name(self.path.name)}"] = sha256_file(self.path)
        return tracks

    def _labels(self) -> NDArray[Any]:
        """Read the array, once its header says that it is one of label maps."""
        if self.member is not None:
            from datagen.store.npz import open_file

            with open_file(self.path, None) as archive:
                header = archive.header(self.member)
                if header.dtype != "str":
                    self._check(np.dtype(header.dtype), header.shape)
                    return archive.read(self.member)
            raise BadInputError(self.path, _no_label_maps("texts", header.shape))
        from datagen.store.npz import read_npy

        return read_npy(self.path, self._check)

    def _check(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        if dtype.kind not in "bui" or len(shape) != 3:
            raise BadInputError(self.path, _no_label_maps(str(dtype), shape))
        if not is_frame_size(*shape[1:]):
            raise BadInputError(self.path, f"has frames of {shape[1]} x {shape[2]} pixels, which no video has")


def _no_label_maps(what: str, shape: tuple[int, ...]) -> str:
    return f"is an array of {what} {shape}; label maps are whole numbers of shape (frames, height, width)"


def _find(source: Source) -> list[Video] | None:
    suffix = source.path.suffix.lower()
    if source.is_folder or suffix not in (".npy", ".npz"):
        return None
    path = check_input(source.path)
    name = printable_name(path.stem)
    if suffix == ".npy":
        return [ArrayVideo(name, name, path, None)]
    from datagen.store.npz import open_file

    with open_file(path, None) as archive:
        if archive.has_manifest:
            raise BadInputError(
                path,
                "is a dataset of this program, not annotations; `datagen info` and `datagen stats` take it as it is",
            )
        members = sorted(archive.names)
    if not members:
        raise BadInputError(path, "holds no array")
    return [ArrayVideo(name, printable_name(member), path, member) for member in members]


READER = Reader(
    name="arrays",
    title="Arrays of numpy: .npy or .npz label maps (T, H, W) of whole numbers, the object at every pixel",
    sets=(),
    find=_find,
)
