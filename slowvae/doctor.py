"""What is installed on this machine, and what each missing part would enable."""

from __future__ import annotations

import platform
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.errors import DatagenError
from datagen.extras import ENABLES, LIBRARIES, has_extra
from datagen.files import check_folder, size_of
from datagen.parallel import default_workers

__all__ = ["diagnose"]

_LIBRARIES = ("numpy", "numba", "scipy", "torch", "opencv-python", "h5py", "zarr", "pillow", "click", "rich")


def diagnose() -> dict[str, Any]:
    """Say what is installed here: versions, extras, devices, caches.

    Nothing is written, and nothing that is missing or broken is an error.

    Returns
    -------
    dict
        ``versions`` (of this, Python, the system and the libraries; None for one that is missing), ``processors``,
        ``extras`` (each with ``library``, ``version``, ``enables`` and ``install``), ``devices`` (each with ``name``,
        ``available`` and ``detail``) and ``caches`` (each with ``holds``, ``path``, ``writable`` and ``bytes``). JSON
        types only.

    Examples
    --------
    >>> answer = diagnose()
    >>> sorted(answer)
    ['caches', 'devices', 'extras', 'processors', 'versions']
    >>> [each["name"] for each in answer["devices"] if each["available"]][0]
    'cpu'
    """
    return {
        "versions": {
            "datagen": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            **{name: _version(name) for name in _LIBRARIES},
        },
        "processors": default_workers(),
        "extras": [
            {
                "name": name,
                "library": library,
                "version": _version(library) if has_extra(name) else None,
                "enables": ENABLES[name],
                "install": f"pip install {library}",
            }
            for name, library in LIBRARIES.items()
        ],
        "devices": _devices(),
        "caches": _caches(),
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    """Return what can be trained on, and why the rest cannot."""
    try:
        import torch

        from slowvae.device import describe
    except (ImportError, OSError) as error:  # a library of the system that is missing, or no memory for it
        return [{"name": "cpu", "available": False, "detail": f"torch cannot be loaded ({error})"}]
    found = [{"name": "cpu", "available": True, "detail": describe(torch.device("cpu"))}]
    cuda = [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    found += [{"name": str(each), "available": True, "detail": describe(each)} for each in cuda]
    if not cuda:
        built = torch.version.cuda or torch.version.hip
        why = f"torch is built for {built}, and no such GPU answers" if built else "torch is built without CUDA"
        found.append({"name": "cuda", "available": False, "detail": f"{why}; training runs on the processor"})
    if platform.system() == "Darwin":
        has_mps = torch.backends.mps.is_available()
        found.append({"name": "mps", "available": has_mps, "detail": "the GPU of this Mac"})
    return found


def _caches() -> list[dict[str, Any]]:
    from datagen import jit
    from datagen.releases.download import cache_folder

    places = {
        "what was downloaded (DATAGEN_CACHE)": cache_folder(),
        "compiled loops (NUMBA_CACHE_DIR)": jit.cache_folder(),
        "copies of files at an address (TMPDIR)": Path(tempfile.gettempdir()),
    }
    rows = []
    for holds, path in places.items():
        measured = path is not None and path != Path(tempfile.gettempdir())  # which holds what is others', too
        size = size_of(path) if path is not None and measured and path.is_dir() else None
        shown = None if path is None else str(path)
        rows.append({"holds": holds, "path": shown, "writable": _is_writable(path), "bytes": size})
    return rows


def _is_writable(path: Path | None) -> bool:
    if path is None:
        return False
    try:
        check_folder(path)
    except DatagenError:
        return False
    return True
