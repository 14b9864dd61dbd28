"""A dataset as a table with one row per frame: as parquet with images, and as WebDataset shards."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen.datasets import COLUMNS, Sequences
from datagen.extras import extra
from datagen.lazy_array import AnyArray
from datagen.progress import progress_bar

__all__ = ["Column", "Frames", "frames_of", "write_parquet", "write_shards"]

_ROWS_OF_A_GROUP = 1000
_ROWS_OF_A_SHARD = 10_000


@dataclass(frozen=True)
class Column:
    """A column: its values, one per frame, and what they are."""

    values: NDArray[Any]
    description: str

    @property
    def kind(self) -> str:
        """Type of the values: ``"string"``, or that of numpy."""
        return "string" if self.values.dtype.kind == "U" else str(self.values.dtype)


@dataclass(frozen=True)
class Frames:
    """A dataset's N frames, in order.

    Attributes
    ----------
    images : ndarray or LazyArray, shape (N, H, W) or (N, H, W, 3), or None
        bool or uint8.
    columns : dict of str to Column
        The rest, by name. The first two say the sequence of a frame and its place there.
    """

    images: AnyArray | None
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def png(self, row: int) -> bytes:
        """Return the image of a frame as PNG; a mask has one bit a pixel."""
        assert self.images is not None
        stream = io.BytesIO()
        Image.fromarray(self.images[row]).save(stream, format="PNG")
        return stream.getvalue()


def frames_of(dataset: Sequences) -> Frames:
    """Lay a dataset out by frames.

    Parameters
    ----------
    dataset : Sequences
        The dataset.

    Returns
    -------
    Frames
    """
    sequence = dataset.sequence_of_frame()
    step = np.arange(dataset.num_frames) - dataset.offsets[sequence]
    unit = "run" if "transition" in dataset.columns else "sequence"
    columns = {
        "sequence": Column(sequence, f"Number of the {unit}; its frames follow each other."),
        "step": Column(step, f"Number of the frame in its {unit}."),
    }
    for name, column in dataset.columns.items():
        values = column[sequence]
        if name == "first_frame":
            known = np.where(values < 0, -1, values + step)
            columns["frame"] = Column(known, "Number of the frame in its video; -1 if unknown.")
        else:
            columns[name] = Column(values, COLUMNS[name])
    for factor, values in zip(dataset.factor_info, dataset.factors.T, strict=True):
        columns[factor.name] = Column(values, factor.description)
    return Frames(dataset.images, columns)


def write_parquet(frames: Frames, path: Path, show_progress: bool = False) -> int:
    """Write frames as parquet, and return the size of their rows in memory, in bytes.

    Images are PNG in the form of the Hugging Face `datasets` library, a struct of ``bytes`` and ``path``; the file's
    schema says so, and it gives them as images.

    Raises
    ------
    UsageError
        If pyarrow is not installed.
    """
    with extra("parquet", "parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    types = {name: pa.type_for_alias(column.kind) for name, column in frames.columns.items()}
    features: dict[str, Any] = {
        name: {"dtype": column.kind, "_type": "Value"} for name, column in frames.columns.items()
    }
    if frames.images is not None:
        types, features = {"image": image, **types}, {"image": {"_type": "Image"}, **features}
    schema = pa.schema(types).with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    begins = range(0, len(frames), _ROWS_OF_A_GROUP)
    size = 0
    # A file, since pyarrow takes a path for an address, and only one in UTF-8.
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for begin in progress_bar(begins, "writing parquet", show=show_progress):
            rows = range(begin, min(begin + _ROWS_OF_A_GROUP, len(frames)))
            arrays = [pa.array(column.values[rows.start : rows.stop]) for column in frames.columns.values()]
            if frames.images is not None:
                pictures = [{"bytes": frames.png(row), "path": None} for row in rows]
                arrays = [pa.array(pictures, type=image), *arrays]
            table = pa.Table.from_arrays(arrays, schema=schema)
            writer.write_table(table)
            size += table.nbytes
    return size


def write_shards(frames: Frames, folder: Path, name: str, show_progress: bool = False) -> None:
    """Write frames as tar files that `webdataset` reads: of each frame its image, ``.png``, and its row, ``.json``.

    Parameters
    ----------
    frames : Frames
        What to write.
    folder : Path
        Where; the files are ``NAME-000000.tar`` and so on, 10,000 frames each.
    name : str
        Their name.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.
    """
    for number, begin in enumerate(range(0, len(frames), _ROWS_OF_A_SHARD)):
        rows = range(begin, min(begin + _ROWS_OF_A_SHARD, len(frames)))
        with tarfile.open(folder / f"{name}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
            for row in progress_bar(rows, f"writing shard {number}", show=show_progress):
                for member, data in _sample(frames, row):
                    entry = tarfile.TarInfo(member)  # owner, rights and time are constants
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))


def _sample(frames: Frames, row: int) -> Iterator[tuple[str, bytes]]:
    values = {name: column.values[row].item() for name, column in frames.columns.items()}
    key = f"{values['sequence']:06d}-{values['step']:05d}"
    if frames.images is not None:
        yield f"{key}.png", frames.png(row)
    # JSON has no numbers that are not finite.
    values = {
        name: None if isinstance(value, float) and not isfinite(value) else value for name, value in values.items()
    }
    yield f"{key}.json", json.dumps(values, allow_nan=False).encode()
