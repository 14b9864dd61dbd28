"""Pictures of a dataset at a glance: a contact sheet, or the same in motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError
from datagen.files import atomic_path, check_output

__all__ = ["animation", "check_suffix", "contact_sheet", "save_preview"]

_GAP = 2
_MARK = (230, 60, 40)
_PAPER = (250, 250, 250)
_FRAME_MILLISECONDS = 100


def contact_sheet(dataset: Sequences, rows: int = 12, columns: int = 12) -> Image.Image:
    """Draw a contact sheet: one sequence per row, its frames from left to right, its centre of mass as a cross.

    Parameters
    ----------
    dataset : Sequences
        What to show; sequences are taken evenly from the whole.
    rows, columns : int
        At most so many sequences and frames of each. Frames are taken evenly from a longer sequence.

    Returns
    -------
    Image
        RGB.
    """
    sequences = [_sequence(dataset, index) for index in _evenly(_count(dataset), rows)]
    height, width = sequences[0][0].shape[1:3]
    columns = min(columns, max(len(images) for images, _ in sequences))
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, len(sequences) * (height + _GAP) + _GAP), _PAPER)
    for row, (images, centres) in enumerate(sequences):
        for column, frame in enumerate(_evenly(len(images), columns)):
            place = (column * (width + _GAP) + _GAP, row * (height + _GAP) + _GAP)
            sheet.paste(_tile(images[frame], None if centres is None else centres[frame]), place)
    return sheet


def animation(dataset: Sequences, rows: int = 4, columns: int = 8, frames: int = 60) -> list[Image.Image]:
    """Draw the same as pictures of an animation: many sequences side by side, each going round.

    Parameters
    ----------
    dataset : Sequences
        What to show.
    rows, columns : int
        At most ``rows * columns`` sequences.
    frames : int
        Number of pictures, at most the length of the longest sequence shown.

    Returns
    -------
    list of Image
        RGB.
    """
    sequences = [_sequence(dataset, index) for index in _evenly(_count(dataset), rows * columns)]
    height, width = sequences[0][0].shape[1:3]
    rows = -(-len(sequences) // columns)
    columns = min(columns, len(sequences))
    pictures = []
    for time in range(min(frames, max(len(images) for images, _ in sequences))):
        picture = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP), _PAPER)
        for number, (images, centres) in enumerate(sequences):
            row, column = divmod(number, columns)
            frame = time % len(images)
            place = (column * (width + _GAP) + _GAP, row * (height + _GAP) + _GAP)
            picture.paste(_tile(images[frame], None if centres is None else centres[frame]), place)
        pictures.append(picture)
    return pictures


def check_suffix(path: str | Path) -> None:
    """Refuse the name of a picture that is neither a ``.png`` nor a ``.gif``."""
    if Path(path).suffix.lower() not in (".png", ".gif"):
        raise UsageError(f"{path}: a preview is a .png (contact sheet) or a .gif (animation)")


def save_preview(dataset: Sequences, path: str | Path, overwrite: bool = False) -> None:
    """Write a contact sheet (``.png``) or an animation (``.gif``), whole or not at all.

    Raises
    ------
    UsageError
        If the suffix is another, or the file exists.
    DatagenError
        If there is nothing to show.
    """
    check_suffix(path)
    path = check_output(path, overwrite)
    with atomic_path(path, overwrite) as temporary:
        if path.suffix.lower() == ".png":
            contact_sheet(dataset).save(temporary, format="PNG")
        else:
            first, *others = animation(dataset)
            first.save(
                temporary, format="GIF", save_all=True, append_images=others, duration=_FRAME_MILLISECONDS, loop=0
            )


def _count(dataset: Sequences) -> int:
    if not dataset.num_sequences:
        raise DatagenError("the dataset is empty; there is nothing to show")
    return dataset.num_sequences


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most so many of `count` indices, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _sequence(dataset: Sequences, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float64] | None]:
    """Return the frames of a sequence, uint8 (T, H, W) or (T, H, W, 3), and its centres (T, 2), y first, if known."""
    if dataset.images is None:
        raise DatagenError("the file holds factors only; there are no images to show")
    frames = slice(dataset.offsets[index], dataset.offsets[index + 1])
    if dataset.holds_masks:
        return dataset.images[frames].astype(np.uint8) * 255, dataset.factors[frames, :2].astype(np.float64)
    return dataset.images[frames], None


def _tile(image: NDArray[Any], centre: NDArray[np.float64] | None) -> Image.Image:
    tile = Image.fromarray(image).convert("RGB")
    if centre is not None:
        y, x = centre
        draw = ImageDraw.Draw(tile)
        draw.line([(x - 3, y), (x + 3, y)], fill=_MARK)
        draw.line([(x, y - 3), (x, y + 3)], fill=_MARK)
    return tile
