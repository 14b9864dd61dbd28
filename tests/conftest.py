"""Where the tests find what they need."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent

# One machine is slower than the other; a test is not wrong because an example took long.
hypothesis.settings.register_profile("datagen", deadline=None, derandomize=True)
hypothesis.settings.load_profile("datagen")


def _folder(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / name))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set {variable} to run this")
    return folder


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Return the folder of real annotations."""
    return _folder("DATAGEN_REALDATA", "realdata")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of the release's outputs."""
    return _folder("DATAGEN_GOLDEN", "golden")


@pytest.fixture(scope="session")
def old_numpy() -> Path:
    """Return a Python with numpy below 1.26, as the release has it."""
    python = os.environ.get("DATAGEN_OLD_NUMPY")
    if python is None:
        pytest.skip("set DATAGEN_OLD_NUMPY to a Python with numpy below 1.26 (the release's is 1.19) to run this")
    return Path(python)


@pytest.fixture(scope="session")
def gpu():
    """Return the GPU as a torch device."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    return torch.device("cuda")


@pytest.fixture(scope="session")
def mots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small synthetic MOTS set. Not to be written to."""
    from datagen.samples import sample_mots

    folder = tmp_path_factory.mktemp("sample") / "mots"
    sample_mots(folder, seed=0, sequences=2, frames=12)
    return folder


@pytest.fixture(scope="session")
def kitti(mots: Path):
    """Return KITTI Masks built from the synthetic set."""
    import kitti_masks

    return kitti_masks.build(mots)


@pytest.fixture(scope="session")
def real_kitti(realdata: Path):
    """Return KITTI Masks built from the whole real ground truth."""
    import kitti_masks

    return kitti_masks.build(realdata)
