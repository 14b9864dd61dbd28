"""A dataset as a table with a row a frame: as parquet with images, and as WebDataset shards."""

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

from datagen.datasets import Dataset, MaskSequences, SpriteSequences
from datagen.extras import extra
from datagen.progress import progress_bar

__all__ = ["Column", "Frames", "frames_of", "write_parquet", "write_shards"]

_ROWS_OF_A_GROUP = 1000
_ROWS_OF_A_SHARD = 10_000


@dataclass(frozen=True)
class Column:
    """A column: its values, one a frame, and what they are."""

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
    images : ndarray, shape (N, H, W) or (N, H, W, 3), or None
        bool or uint8.
    columns : dict of str to Column
        The rest, by name. The first two say the sequence of a frame and its place there.
    """

    images: NDArray[Any] | None
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def png(self, row: int) -> bytes:
        """Return the image of a frame as PNG; a mask has one bit a pixel."""
        assert self.images is not None
        stream = io.BytesIO()
        Image.fromarray(self.images[row]).save(stream, format="PNG")
        return stream.getvalue()


def frames_of(dataset: Dataset) -> Frames:
    """Lay a dataset out by frames.

    Parameters
    ----------
    dataset : MaskSequences or SpriteSequences
        The dataset.

    Returns
    -------
    Frames
    """
    return _frames_of_masks(dataset) if isinstance(dataset, MaskSequences) else _frames_of_sprites(dataset)


def _frames_of_masks(dataset: MaskSequences) -> Frames:
    sequence = np.repeat(np.arange(dataset.num_sequences), dataset.lengths)
    step = np.arange(dataset.num_frames) - dataset.offsets[sequence]
    first = dataset.first_frame[sequence]
    y, x, area = dataset.latents.T
    return Frames(
        dataset.masks,
        {
            "sequence": Column(sequence, "Number of the sequence; its frames follow each other."),
            "step": Column(step, "Number of the frame in its sequence."),
            "source": Column(dataset.source[sequence], "Data set of the annotations; empty if unknown."),
            "video": Column(dataset.sequence[sequence], "Video in that data set; empty if unknown."),
            "object_id": Column(dataset.object_id[sequence], "Object in that video; -1 if unknown."),
            "category": Column(dataset.category[sequence], "Category of the object."),
            "window": Column(dataset.window[sequence], "Window of the frame, from the left; -1 if unknown."),
            "frame": Column(np.where(first < 0, -1, first + step), "Number of the frame in its video; -1 if unknown."),
            "y": Column(y, "Centre of mass in pixels, downwards from the middle of the top left pixel."),
            "x": Column(x, "Centre of mass in pixels, rightwards from the middle of the top left pixel."),
            "area": Column(area, "Number of pixels of the mask."),
        },
    )


def _frames_of_sprites(dataset: SpriteSequences) -> Frames:
    runs, length, _ = dataset.factors.shape
    x, y, scale, orientation, shape = dataset.factors.reshape(runs * length, -1).T
    images = dataset.images
    return Frames(
        None if images is None else images.reshape(runs * length, *images.shape[2:]),
        {
            "sequence": Column(np.repeat(np.arange(runs), length), "Number of the run; its frames follow each other."),
            "step": Column(np.tile(np.arange(length), runs), "Number of the frame in its run."),
            "transition": Column(
                np.repeat(dataset.transition, length), "Row of the transition table that gave the run's motion."
            ),
            "x": Column(x, "Position, as a fraction of the frame's width, rightwards."),
            "y": Column(y, "Position, as a fraction of the frame's height, upwards."),
            "scale": Column(scale, "Square root of the area as a fraction of the frame's."),
            "orientation": Column(orientation, "Orientation in degrees, counter-clockwise."),
            "shape": Column(shape, "Code of the shape."),
        },
    )


def write_parquet(frames: Frames, path: Path, show_progress: bool = False) -> int:
    """Write frames as parquet, and return the size of their rows in memory, in bytes.

    Images are PNG in the form of the Hugging Face `datasets` library, a struct of ``bytes`` and ``path``; the file's
    schema tells it so, and it gives them as images.

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
