"""Libraries that only some of the work needs, and what to say where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from datagen.errors import UsageError

__all__ = ["ENABLES", "LIBRARIES", "extra", "has_extra", "missing_extra"]

LIBRARIES = {
    "distributed": "distributed",
    "figures": "matplotlib",
    "huggingface": "huggingface_hub",
    "metrics": "scikit-learn",
    "parquet": "pyarrow",
    "remote": "fsspec",
    "tensorboard": "tensorboard",
}
"""The library that each extra of this project stands for."""

ENABLES = {
    "distributed": "masks --scheduler and sweep --scheduler: work on other machines",
    "figures": "stats --figures and --report, scatter plots and curves of train and validate",
    "huggingface": "publish --huggingface, hf:// addresses",
    "metrics": "evaluate --metrics beta-vae, explicitness, infomec, r2-nonlinear, dci-tree, dci-linear, dci of "
    "continuous factors; evaluate --baseline ica; udr by lasso",
    "parquet": "tables of transitions as .parquet, package",
    "remote": "sources and outputs at s3:// and other addresses",
    "tensorboard": "training curves in TensorBoard",
}
"""What each extra is for."""


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Import the library of an extra inside this.

    Parameters
    ----------
    name : str
        A key of `LIBRARIES`.
    what : str
        What needs it, for the message: ``"parquet"``.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        yield
    except ImportError:
        raise UsageError(missing_extra(name, what)) from None


def has_extra(name: str) -> bool:
    """Say whether the library of an extra is installed."""
    return find_spec({"scikit-learn": "sklearn"}.get(LIBRARIES[name], LIBRARIES[name])) is not None


def missing_extra(name: str, what: str) -> str:
    """Return the line that says how to get the library of an extra."""
    return f"{what} needs {LIBRARIES[name]}; pip install {LIBRARIES[name]}, or datagen with its extra '{name}'"
