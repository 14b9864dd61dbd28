"""Names of a package that bring their module only when they are used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


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
        Returns the names, which is what tab completion shows.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        module = import_module(home if "." in home else f"{package}.{home}")
        return module if home == name else getattr(module, name)

    return find, lambda: sorted(homes)
