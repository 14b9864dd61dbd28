"""Where test data lie."""

import os
from pathlib import Path

import pytest

_SHARED = Path(__file__).parents[2] / "shared"


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, _SHARED / default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set {variable}")
    return folder


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder with real annotations."""
    return _folder("DATAGEN_REALDATA", "realdata")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder with the outputs of the published release."""
    return _folder("DATAGEN_GOLDEN", "golden")
