"""What a notebook shows of a result: a piece of HTML with a table and a small picture, which needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["evenly", "fragment_html", "picture_url", "value_text"]

_GAP = 2
_PAPER = 250
_MOST_VALUES = 12


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most so many of `count` indices, evenly spread from the first to the last.

    Examples
    --------
    >>> evenly(100, 4)
    array([ 0, 33, 66, 99])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def fragment_html(
    title: str,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[object]] = (),
    notes: Sequence[str] = (),
    picture: str | None = None,
    alt: str = "",
) -> str:
    """Return a table under a title as HTML. Its texts may come from files of others: none is taken for HTML.

    Parameters
    ----------
    title : str
        What it is of, in a line.
    columns, rows : sequence of str, sequence of sequence
        The table.
    notes : sequence of str
        Lines below it.
    picture : str, optional
        Address of a picture, as `picture_url` makes it.
    alt : str
        What the picture shows.

    Returns
    -------
    str

    Examples
    --------
    >>> html = fragment_html("a & b", ["factor"], [["<x>"]])
    >>> "a &amp; b" in html, "&lt;x&gt;" in html
    (True, True)
    """
    from datagen.templates import load_template

    template = load_template("fragment.html")
    return template.render(title=title, columns=columns, rows=rows, notes=notes, picture=picture, alt=alt)


def picture_url(rows: Sequence[NDArray[Any]], most_pixels: int = 64) -> str:
    """Return a contact sheet as an address that holds the picture itself.

    Parameters
    ----------
    rows : sequence of ndarray of bool or uint8, shape (T, H, W) or (T, H, W, 3)
        The images of each row, all of one size.
    most_pixels : int
        Larger images are thinned out to at most so many pixels along each side.

    Returns
    -------
    str
        A ``data:`` address of a PNG.

    Examples
    --------
    >>> picture_url([np.ones((3, 8, 8), dtype=bool)])[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    step = -(-max(rows[0].shape[1:3]) // most_pixels)
    thinned = [images[:, ::step, ::step] for images in rows]
    height, width = thinned[0].shape[1:3]
    across, down = max(map(len, thinned)), len(thinned)
    sheet = np.full((down * (height + _GAP) + _GAP, across * (width + _GAP) + _GAP, 3), _PAPER, dtype=np.uint8)
    for row, images in enumerate(thinned):
        for column, image in enumerate(images):
            top, left = row * (height + _GAP) + _GAP, column * (width + _GAP) + _GAP
            shown = image.astype(np.uint8) * 255 if image.dtype == bool else image
            sheet[top : top + height, left : left + width] = shown if shown.ndim == 3 else shown[..., None]
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def value_text(value: object) -> str:
    """Return a value as a cell of a table shows it: numbers to four digits, a large array by its shape.

    Examples
    --------
    >>> value_text(0.123456), value_text(12345), value_text([0.5, 0.25]), value_text(np.zeros((100, 3)))
    ('0.1235', '12,345', '0.5, 0.25', 'float64 (100, 3)')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray) and (value.ndim != 1 or len(value) > _MOST_VALUES):
        return value_text(value.item()) if value.ndim == 0 else f"{value.dtype} {value.shape}"
    if isinstance(value, np.ndarray | list | tuple) and len(value) <= _MOST_VALUES:
        return ", ".join(map(value_text, value))
    return "" if value is None else str(value)
