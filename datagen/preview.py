"""Pictures of a dataset at a glance: a contact sheet, or the same in motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from datagen.arguments import is_whole
from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError, quote
from datagen.errors import shown as shown_value
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
_OUTLINE = (40, 40, 40)
_ARM = 4
"""Length of an arm of a cross, in pixels of the picture."""
_OPENING, _SMALL = 2.0, 20.0
"""Half the opening of a cross in the middle of a large object, and half the extent of one that is small, in pixels."""
_LARGEST_SCALE = 16
_MOST_SEQUENCES = 100
_MOST_PIXELS = 50_000_000

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    dataset: Sequences, rows: int = 12, columns: int = 12, sequences: Sequence[int] | None = None, scale: int = 1
) -> Image.Image:
    """Draw a contact sheet: one sequence per row, its frames from left to right, its centre of mass as a cross.

    Over a row stands what it is of (`caption`), and over each image the number of its frame. Of a grid a row shows the
    values of one factor, whose name stands over it, the others being at the middle of theirs.

    Parameters
    ----------
    dataset : Sequences
        What to show; sequences are taken evenly from the whole.
    rows, columns : int
        At most so many sequences and frames of each. Frames are taken evenly from a longer sequence.
    sequences : sequence of int, optional
        The numbers of those to show, in this order, instead of `rows` of them.
    scale : int
        How many pixels of the picture a pixel of an image takes along each side, 1 to 16.

    Returns
    -------
    Image
        RGB.

    Raises
    ------
    UsageError
        If there is no such sequence, a grid is to show some, or the picture would have more than 50 million pixels.
    DatagenError
        If there is nothing to show.

    Examples
    --------
    >>> masks = Sequences.from_masks([np.ones((2, 8, 8), bool), np.ones((3, 8, 8), bool)])
    >>> contact_sheet(masks, sequences=[1], scale=4).height
    62
    """
    chosen = _chosen(dataset, rows, sequences)
    shown = [_sequence(dataset, index) for index in chosen]
    names = dataset.factor_names
    captions = [quote(names[each], _LONGEST_CAPTION) if dataset.is_grid else caption(dataset, each) for each in chosen]
    _check_scale(scale)
    height, width = (scale * side for side in shown[0][0].shape[1:3])
    columns = min(columns, max(len(images) for images, _ in shown))
    font = ImageFont.load_default()
    head = _LINE if dataset.is_grid else 2 * _LINE
    needed = max(font.getlength(_cut(each, font, _WIDEST_CAPTION)) for each in captions)
    across = max(columns * (width + _GAP) + _GAP, min(math.ceil(needed) + 2 * _GAP, _WIDEST_CAPTION))
    step = head + height + _GAP
    sheet = _paper(across, len(shown) * step + _GAP)
    draw = ImageDraw.Draw(sheet)
    for row, (images, centres) in enumerate(shown):
        top = row * step + _GAP
        draw.text((_GAP, top), _cut(captions[row], font, across - 2 * _GAP), _INK, font)
        for column, frame in enumerate(evenly(len(images), columns)):
            left = column * (width + _GAP) + _GAP
            if not dataset.is_grid:
                number = str(_first_frame(dataset, chosen[row]) + frame)
                draw.text((left, top + _LINE), _cut(number, font, width), _INK, font)
            sheet.paste(_tile(images[frame], None if centres is None else centres[frame], scale), (left, top + head))
    return sheet


def caption(dataset: Sequences, index: int) -> str:
    """Return what a sequence is: its number; of masks also source, video, object, category and first frame, if known.

    Examples
    --------
    >>> masks = Sequences.from_masks([np.ones((2, 8, 8), bool)], source="zoo", category="ape", first_frame=7)
    >>> caption(masks, 0)
    'sequence 0: zoo, video 0000, object 0, ape, from frame 7'
    """
    row = {name: column[index] for name, column in dataset.columns.items()}
    if "category" not in row:
        return f"sequence {index}"
    parts = [
        str(row["source"]),
        f"video {row['video']}" if row["video"] else "",
        f"object {row['object_id']}" if row["object_id"] >= 0 else "",
        str(row["category"]),
        f"from frame {row['first_frame']}" if row["first_frame"] >= 0 else "",
    ]
    return quote(": ".join(filter(None, [f"sequence {index}", ", ".join(filter(None, parts))])), _LONGEST_CAPTION)


def animation(
    dataset: Sequences,
    rows: int = 4,
    columns: int = 8,
    frames: int = 60,
    sequences: Sequence[int] | None = None,
    scale: int = 1,
) -> list[Image.Image]:
    """Draw the same as pictures of an animation: many sequences side by side, each going round.

    Over each stands its number, of masks its category and object, and the number of the frame.

    Parameters
    ----------
    dataset : Sequences
        What to show.
    rows, columns : int
        At most ``rows * columns`` sequences.
    frames : int
        Number of pictures, at most the length of the longest sequence shown.
    sequences : sequence of int, optional
        The numbers of those to show, in this order, instead.
    scale : int
        How many pixels of the picture a pixel of an image takes along each side, 1 to 16.

    Returns
    -------
    list of Image
        RGB.

    Raises
    ------
    UsageError, DatagenError
        As `contact_sheet` does.
    """
    chosen = _chosen(dataset, rows * columns, sequences)
    shown = [_sequence(dataset, index) for index in chosen]
    _check_scale(scale)
    height, width = (scale * side for side in shown[0][0].shape[1:3])
    rows = -(-len(shown) // columns)
    font = ImageFont.load_default()
    captions = [_short_caption(dataset, index) for index in chosen]
    head = len(captions[0]) * _LINE + (0 if dataset.is_grid else _LINE)
    step = head + height + _GAP
    columns = min(columns, len(shown))
    pictures: list[Image.Image] = []
    for time in range(min(frames, max(len(images) for images, _ in shown))):
        picture = _paper(columns * (width + _GAP) + _GAP, rows * step + _GAP)
        draw = ImageDraw.Draw(picture)
        for number, (images, centres) in enumerate(shown):
            row, column = divmod(number, columns)
            frame = time % len(images)
            left, top = column * (width + _GAP) + _GAP, row * step + _GAP
            lines = [*captions[number]]
            if not dataset.is_grid:
                lines.append(f"frame {_first_frame(dataset, chosen[number]) + frame}")
            for place, text in enumerate(lines):
                draw.text((left, top + place * _LINE), _cut(text, font, width), _INK, font)
            picture.paste(_tile(images[frame], None if centres is None else centres[frame], scale), (left, top + head))
        pictures.append(picture)
    return pictures


def check_suffix(path: str | Path) -> None:
    """Refuse the name of a picture that is neither a ``.png`` nor a ``.gif``."""
    if Path(path).suffix.lower() not in (".png", ".gif"):
        raise UsageError(f"{path}: a preview is a .png (contact sheet) or a .gif (animation)")


def save_preview(
    dataset: Sequences,
    path: str | Path,
    overwrite: bool = False,
    sequences: Sequence[int] | None = None,
    scale: int = 1,
) -> None:
    """Write a contact sheet (``.png``) or an animation (``.gif``), whole or not at all.

    Parameters
    ----------
    dataset : Sequences
        What to show.
    path : str or Path
        The picture.
    overwrite : bool
        Whether an existing file may be replaced.
    sequences : sequence of int, optional
        The numbers of those to show; by default some, evenly from the whole.
    scale : int
        How many pixels of the picture a pixel of an image takes along each side, 1 to 16.

    Raises
    ------
    UsageError
        If the suffix is another, the file exists, or as `contact_sheet` does.
    DatagenError
        If there is nothing to show.
    """
    check_suffix(path)
    path = check_output(path, overwrite)
    with atomic_path(path, overwrite) as temporary:
        if path.suffix.lower() == ".png":
            contact_sheet(dataset, sequences=sequences, scale=scale).save(temporary, format="PNG")
        else:
            first, *others = animation(dataset, sequences=sequences, scale=scale)
            first.save(
                temporary, format="GIF", save_all=True, append_images=others, duration=_FRAME_MILLISECONDS, loop=0
            )


def _check_scale(scale: int) -> None:
    if not is_whole(scale, 1, _LARGEST_SCALE):
        raise UsageError(f"scale {shown_value(scale)}: must be a whole number from 1 to {_LARGEST_SCALE}")


def _paper(width: int, height: int) -> Image.Image:
    """Return an empty picture; `UsageError` if it would be too large to look at."""
    if width * height > _MOST_PIXELS:
        raise UsageError(f"a picture of {width:,} x {height:,} pixels is too large; choose fewer sequences or no scale")
    return Image.new("RGB", (width, height), _PAPER)


def _first_frame(dataset: Sequences, index: int) -> int:
    """Return the number of a sequence's first frame in its video; 0 where that is not known."""
    column = dataset.columns.get("first_frame")
    return 0 if column is None else max(0, int(column[index]))


def _short_caption(dataset: Sequences, index: int) -> list[str]:
    """Return what stands over a sequence of an animation, in lines: its number; of masks category and object too."""
    if dataset.is_grid:
        return [quote(dataset.factor_names[index], _LONGEST_CAPTION)]
    lines = [f"sequence {index}"]
    if "category" in dataset.columns:
        object_id = int(dataset.columns["object_id"][index])
        category = quote(dataset.columns["category"][index], _LONGEST_CAPTION)
        lines.append(f"{category} {object_id}" if object_id >= 0 else category)
    return lines


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


def _chosen(dataset: Sequences, most: int, wanted: Sequence[int] | None) -> NDArray[np.int64]:
    """Return the sequences to show by their numbers: those that are wanted, or at most so many; of a grid factors."""
    if not dataset.num_sequences:
        raise DatagenError("the dataset is empty; there is nothing to show")
    if dataset.images is None:
        raise DatagenError("the file holds factors only; there are no images to show")
    if wanted is not None:
        if dataset.is_grid:
            raise UsageError("a grid has no sequences to choose; its preview shows a row for each factor")
        for each in wanted:
            if not is_whole(each, 0, dataset.num_sequences - 1):
                raise UsageError(f"no sequence {shown_value(each)}: they are numbered 0 to {dataset.num_sequences - 1}")
        if not 0 < len(wanted) <= _MOST_SEQUENCES:
            raise UsageError(f"{len(wanted)} sequences to show: must be 1 to {_MOST_SEQUENCES}")
        return np.array(wanted, dtype=np.int64)
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


def _tile(image: NDArray[Any], centre: NDArray[np.float64] | None, scale: int) -> Image.Image:
    """Return an image enlarged, its centre marked by a cross that leaves the object visible.

    The cross is open in its middle, by the whole object where that is small, and has a dark outline, so that it stands
    out on masks as on their background.
    """
    tile = Image.fromarray(image).convert("RGB")
    tile = tile.resize((tile.width * scale, tile.height * scale), Image.Resampling.NEAREST)
    if centre is None:
        return tile
    draw = ImageDraw.Draw(tile)
    object_y, object_x = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    arms = []
    for own, pixels in zip(centre, (object_y, object_x), strict=True):
        reach = max(abs(pixels - own), default=0.0)
        arms.append(_OPENING if reach > _SMALL else reach + 2.5)
    y, x = centre * scale + (scale - 1) / 2  # of the middle of a pixel
    for width, more, colour in ((3, 1, _OUTLINE), (1, 0, _MARK)):
        for sign in (-1, 1):
            for horizontal, opening in ((False, arms[0]), (True, arms[1])):
                near, far = (sign * (opening * scale - more), sign * (opening * scale + _ARM + more))
                ends = [(x + near, y), (x + far, y)] if horizontal else [(x, y + near), (x, y + far)]
                draw.line(ends, fill=colour, width=width)
    return tile
