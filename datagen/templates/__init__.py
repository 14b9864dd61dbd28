"""Templates of pages and texts, beside this file, filled in by Jinja2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

__all__ = ["load_template"]


def load_template(name: str, escape: Callable[[Any], Any] | None = None) -> Template:
    """Return a template, in which every value that is not marked ``safe`` is escaped.

    Parameters
    ----------
    name : str
        The name of its file.
    escape : callable, optional
        Makes a value one of the format; by default the template is HTML, and Jinja2 does it.

    Returns
    -------
    jinja2.Template
    """
    environment = Environment(
        loader=PackageLoader("datagen"),
        autoescape=escape is None,
        finalize=None if escape is None else lambda value: value if hasattr(value, "__html__") else escape(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
