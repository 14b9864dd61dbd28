"""Names of a package that bring their module only when they are used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["lazy_names", "public_names"]


def lazy_names(package: str, homes: dict[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package whose names live in modules that take long to import.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    homes : dict of str to str
        The module that each name lives in: one inside the package by its own name, another by its full one. A name that
        is a module itself is its own home.

    Returns
    -------
    __getattr__ : callable
        From a name to what it names; it raises AttributeError for any other name.
    __dir__ : callable
        As `public_names` makes it.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        module = import_module(home if "." in home else f"{package}.{home}")
        return module if home == name else getattr(module, name)

    return find, public_names(package)


def public_names(package: str) -> Callable[[], list[str]]:
    """Make the ``__dir__`` of a package, which is what tab completion shows.

    Parameters
    ----------
    package : str
        Its ``__name__``.

    Returns
    -------
    callable
        Returns the names in its ``__all__``, and those with two underscores, which Python itself reads.

    Examples
    --------
    >>> import datagen.grids
    >>> [name for name in public_names("datagen.grids")() if not name.startswith("__")]
    ['Laplace', 'Natural', 'SETS', 'Uniform', 'read_grid']
    """

    def names() -> list[str]:
        module = sys.modules[package]
        return sorted({*module.__all__, *(name for name in vars(module) if name.startswith("__"))})

    return names
