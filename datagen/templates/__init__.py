"""Templates of pages and texts, beside this file, filled in by Jinja2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from markupsafe import escape as escape_html

from datagen.errors import printable
from datagen.lazy import public_names

__all__ = ["load_template"]

__dir__ = public_names(__name__)


def _html(value: Any) -> Markup:
    return escape_html(printable(str(value)))


def load_template(name: str, escape: Callable[[Any], Any] = _html) -> Template:
    """Return a template, in which every value that is not marked ``safe`` is escaped.

    Parameters
    ----------
    name : str
        The name of its file.
    escape : callable, optional
        Returns a value as text of the template's format; by default that is HTML, of one line, in which control
        characters are shown as `datagen.errors.printable` shows them. What filters that join or replace texts return is
        escaped as HTML, so the values of other formats are put in one at a time.

    Returns
    -------
    jinja2.Template

    Examples
    --------
    >>> load_template("page.html").name
    'page.html'
    """
    environment = Environment(
        loader=PackageLoader("datagen"),
        autoescape=True,
        finalize=lambda value: value if hasattr(value, "__html__") else Markup(escape(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
