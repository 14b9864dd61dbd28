"""Reports as web pages: what a page shows, as data, and the one template that all of them share."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datagen import __version__
from datagen.glossary import glossary
from datagen.templates import load_template

if TYPE_CHECKING:
    from datagen.checks import Check, Status

__all__ = ["Bar", "Marked", "Page", "Picture", "Section", "Table", "glossary_section", "origin_section", "page_html"]

_NUMBERS = re.compile(r"(\d|[-+.,;()\[\]%\s]|to|nan|inf|e(?=[-+]\d))*")
"""A cell of numbers and intervals, with nothing to read."""


@dataclass(frozen=True)
class Bar:
    """A value as a bar in a cell with its interval, on a scale from 0 to 1 that is as wide as the cell.

    Attributes
    ----------
    low, high : float
        Where the interval begins and ends; what lies beyond the scale is cut.
    at : float
        Where the bar ends, and what the column is sorted by.
    text : str
        The interval in words, for those who cannot see it.
    """

    low: float
    high: float
    at: float
    text: str

    def place(self, value: float) -> str:
        """Return where a value lies on the scale, in per cent."""
        return f"{100 * min(max(value, 0.0), 1.0):.2f}"

    @property
    def span(self) -> str:
        """How wide the interval is, in per cent of the scale."""
        return f"{max(0.0, float(self.place(self.high)) - float(self.place(self.low))):.2f}"


@dataclass(frozen=True)
class Marked:
    """A cell that stands out.

    Attributes
    ----------
    text : str
        What it says.
    why : str
        What it stands out for, for those who cannot see it.
    """

    text: str
    why: str


@dataclass(frozen=True)
class Table:
    """A table whose rows begin with their heading.

    Attributes
    ----------
    caption : str
        What it shows.
    columns : sequence of str
        The headings of the columns.
    rows : sequence of sequence of str, Bar or Marked
        The cells, the first of each row a str; numbers as they are to be read.
    sortable : bool
        Whether a reader can sort it by its columns. The page then has a script; without scripts it is as given.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Bar | Marked]]
    sortable: bool = False

    @property
    def words(self) -> list[bool]:
        """Whether each column is to be read as words, not compared as numbers."""
        cells: list[list[str]] = [[] for _ in self.columns]
        for row in self.rows:
            for column, cell in zip(cells, row, strict=False):
                column += [cell] if isinstance(cell, str) else []
        return [not all(_NUMBERS.fullmatch(text) for text in column) for column in cells]


@dataclass(frozen=True)
class Picture:
    """A picture, as the bytes of an image file.

    Attributes
    ----------
    caption : str
        What it shows.
    data : bytes
        The file.
    kind : {"png", "gif"}
        Its format.
    """

    caption: str
    data: bytes
    kind: str = "png"

    @property
    def url(self) -> str:
        """The picture itself as an address, so that the page needs no other file."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading of its own.

    Attributes
    ----------
    heading : str
        The heading.
    text : sequence of str
        Paragraphs.
    checks : sequence of Check
        Checks, shown as a table.
    tables : sequence of Table
        Tables.
    pictures : sequence of Picture
        Pictures.
    code : str
        A text to be shown as it is.
    terms : sequence of tuple of str
        Terms, or names, and what they mean or are.
    """

    heading: str
    text: Sequence[str] = ()
    checks: Sequence[Check] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    code: str = ""
    terms: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """A page. Its texts may come from files of others: none is taken for HTML.

    Attributes
    ----------
    title : str
        What a browser calls it.
    heading : str
        What stands above it.
    verdict : str
        What it comes to, in a sentence.
    sections : sequence of Section
        Its parts, in order.
    lead : str
        A sentence after the verdict.
    status : {"pass", "note", "warn", "fail"}, optional
        The colour of the verdict.
    """

    title: str
    heading: str
    verdict: str
    sections: Sequence[Section]
    lead: str = ""
    status: Status | None = None


def glossary_section(names: Iterable[str]) -> Section:
    """Return the part of a page that explains its terms, of `datagen.glossary.TERMS`."""
    return Section("Terms", terms=glossary(names))


def origin_section(facts: Iterable[tuple[str, str]], command: str = "") -> Section:
    """Return the part of a page that says how to make it again.

    Parameters
    ----------
    facts : iterable of tuple of str
        Names and what they are, such as the seed and the hash of each file; those that are empty are left out.
    command : str
        The command that made it, if one did.
    """
    known = [("command", command), *facts, ("tool", f"datagen {__version__}")]
    return Section("How this page was made", terms=[(name, value) for name, value in known if value])


def page_html(page: Page) -> str:
    """Return a page as HTML without any reference to other files, all of whose characters can be shown."""
    sortable = any(table.sortable for section in page.sections for table in section.tables)
    html: str = load_template("page.html").render(page=page, sortable=sortable)
    return html
