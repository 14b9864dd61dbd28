"""numba's compiler with a cache on disk that is a help only: no machine is without it, and none fails for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

__all__ = ["cache_folder", "njit"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Cache(FunctionCache):
    """A cache that is passed over where it is damaged, or where its disk is full."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # The file is a pickle, and one that was cut short can raise anything.
        with suppress(Exception):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(sig, data)


def njit(cache: bool = True, **options: Any) -> Callable[[_Function], _Function]:
    """Compile a function as `numba.njit` does, without a cache where there is no place for one.

    numba itself refuses to go on where neither the installation nor the home can be written to: containers, clusters.

    Parameters
    ----------
    cache : bool
        Whether to keep what is compiled, where ``NUMBA_CACHE_DIR`` says, beside the source or below the home.
    **options
        Those of `numba.njit`.
    """

    def compiled(function: _Function) -> _Function:
        made = numba.njit(**options)(function)
        if cache and hasattr(made, "enable_caching"):  # not with NUMBA_DISABLE_JIT
            with suppress(RuntimeError):  # no place can be written to
                if not os.environ.get("NUMBA_CACHE_DIR"):
                    Path.home()  # raises where it is unknown; numba would make a folder named "~"
                made._cache = _Cache(function)
        return made

    return compiled


def cache_folder() -> Path | None:
    """Return the folder that what is compiled is kept in; None where there is no place for one."""
    path = getattr(getattr(njit()(_nothing), "_cache", None), "cache_path", None)
    return None if path is None else Path(path)


def _nothing() -> None:
    """Be compiled, in no run: numba tells its folder by the place of a function."""
