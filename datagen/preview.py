"""Pictures of a dataset at a glance: a contact sheet, or the same in motion."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError, quote
from datagen.files import atomic_path, check_output
from datagen.fragments import evenly

__all__ = ["animation", "caption", "check_suffix", "contact_sheet", "save_preview"]

_GAP = 2
_MARK = (230, 60, 40)
_PAPER = (250, 250, 250)
_INK = (40, 40, 40)
_LINE = 13
_WIDEST_CAPTION = 800  # pixels
_LONGEST_CAPTION = 300  # characters
_FRAME_MILLISECONDS = 100

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(dataset: Sequences, rows: int = 12, columns: int = 12) -> Image.Image:
    """Draw a contact sheet: one sequence per row, its frames from left to right, its centre of mass as a cross.

    Over a row of masks stands what they are of (`caption`). Of a grid a row shows the values of one factor, whose name
    stands over it, the others being at the middle of theirs.

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
    chosen = _chosen(dataset, rows)
    sequences = [_sequence(dataset, index) for index in chosen]
    names = dataset.factor_names
    captions = [quote(names[each], _LONGEST_CAPTION) if dataset.is_grid else caption(dataset, each) for each in chosen]
    height, width = sequences[0][0].shape[1:3]
    columns = min(columns, max(len(images) for images, _ in sequences))
    font, line = _font(any(captions))
    needed = max(font.getlength(_cut(each, font, _WIDEST_CAPTION)) for each in captions) if line else 0
    across = max(columns * (width + _GAP) + _GAP, min(math.ceil(needed) + 2 * _GAP, _WIDEST_CAPTION))
    step = line + height + _GAP
    sheet = Image.new("RGB", (across, len(sequences) * step + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, (images, centres) in enumerate(sequences):
        top = row * step + _GAP
        if line:
            draw.text((_GAP, top), _cut(captions[row], font, across - 2 * _GAP), _INK, font)
        for column, frame in enumerate(evenly(len(images), columns)):
            place = (column * (width + _GAP) + _GAP, top + line)
            sheet.paste(_tile(images[frame], None if centres is None else centres[frame]), place)
    return sheet


def caption(dataset: Sequences, index: int) -> str:
    """Return what a sequence of masks is of: number, source, video, object, category and first frame, as far as known.

    Examples
    --------
    >>> masks = Sequences.from_masks([np.ones((2, 8, 8), bool)], source="zoo", category="ape", first_frame=7)
    >>> caption(masks, 0)
    '0: zoo, video 0000, object 0, ape, from frame 7'

    Returns
    -------
    str
        Empty for a dataset that does not say.
    """
    row = {name: column[index] for name, column in dataset.columns.items()}
    if "category" not in row:
        return ""
    parts = [
        str(row["source"]),
        f"video {row['video']}" if row["video"] else "",
        f"object {row['object_id']}" if row["object_id"] >= 0 else "",
        str(row["category"]),
        f"from frame {row['first_frame']}" if row["first_frame"] >= 0 else "",
    ]
    return quote(": ".join(filter(None, [str(index), ", ".join(filter(None, parts))])), _LONGEST_CAPTION)


def animation(dataset: Sequences, rows: int = 4, columns: int = 8, frames: int = 60) -> list[Image.Image]:
    """Draw the same as pictures of an animation: many sequences side by side, each going round.

    Over each stands its number and category, where it is of masks.

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
    chosen = _chosen(dataset, rows * columns)
    sequences = [_sequence(dataset, index) for index in chosen]
    height, width = sequences[0][0].shape[1:3]
    rows = -(-len(sequences) // columns)
    category = dataset.columns.get("category")
    font, line = _font(category is not None)
    captions = (
        [quote(f"{index} {category[index]}", _LONGEST_CAPTION) for index in chosen] if category is not None else []
    )
    step = line + height + _GAP
    columns = min(columns, len(sequences))
    pictures = []
    for time in range(min(frames, max(len(images) for images, _ in sequences))):
        picture = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * step + _GAP), _PAPER)
        draw = ImageDraw.Draw(picture)
        for number, (images, centres) in enumerate(sequences):
            row, column = divmod(number, columns)
            frame = time % len(images)
            left, top = column * (width + _GAP) + _GAP, row * step + _GAP
            if line:
                draw.text((left, top), _cut(captions[number], font, width), _INK, font)
            picture.paste(_tile(images[frame], None if centres is None else centres[frame]), (left, top + line))
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


def _font(is_wanted: bool) -> tuple[Font, int]:
    """Return the font of captions and the height of a line of it; 0 where there are none."""
    return ImageFont.load_default(), _LINE if is_wanted else 0


def _cut(text: str, font: Font, width: float) -> str:
    """Return as much of a text as there is room for."""
    if not isinstance(font, ImageFont.FreeTypeFont):  # that of a Pillow without FreeType
        text = text.encode("latin-1", "replace").decode("latin-1")
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."


Shown = tuple[NDArray[np.uint8], NDArray[np.float64] | None]
"""The frames of a sequence, uint8 (T, H, W) or (T, H, W, 3), and its centres (T, 2), y first, if known."""


def _chosen(dataset: Sequences, most: int) -> NDArray[np.int64]:
    """Return at most so many sequences to show, or of a grid factors, by their numbers."""
    if not dataset.num_sequences:
        raise DatagenError("the dataset is empty; there is nothing to show")
    if dataset.images is None:
        raise DatagenError("the file holds factors only; there are no images to show")
    if dataset.is_grid:
        return np.flatnonzero(dataset.factor_sizes > 1)[:most]
    return evenly(dataset.num_sequences, most)


def _traversal(dataset: Sequences, factor: int) -> NDArray[np.uint8]:
    """Return the images of all values of a factor of a grid, the others standing at the middle of theirs."""
    assert dataset.images is not None
    sizes = dataset.factor_sizes
    places = np.repeat(sizes[:, None] // 2, sizes[factor], axis=1)
    places[factor] = np.arange(sizes[factor])
    return dataset.images[np.ravel_multi_index(tuple(places), sizes)]


def _sequence(dataset: Sequences, index: int) -> Shown:
    """Return a sequence to show, or the images of the values of a factor of a grid."""
    assert dataset.images is not None
    if dataset.is_grid:
        return _traversal(dataset, index), None
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
