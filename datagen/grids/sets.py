"""The established benchmarks: what each is, whose it is, where it is to be had, and what its factors are.

Source: the papers and pages that are cited, and what Klindt et al. (ICLR 2021) do with them, which also says what
factors are categorical.
"""

from __future__ import annotations

from dataclasses import dataclass

from datagen.arguments import check_choice
from datagen.datasets import Factor

__all__ = ["SETS", "GridSet", "SetFile", "find_set"]


@dataclass(frozen=True)
class SetFile:
    """A file of a set, as its authors hand it out.

    Attributes
    ----------
    name : str
        Its name.
    urls : tuple of str
        Where it is; the first is asked first.
    size : int or None
        Its size in bytes, where it is published.
    checksum : str
        ``"md5:..."`` or ``"sha256:..."``, where one is published; else empty.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    checksum: str = ""


@dataclass(frozen=True)
class GridSet:
    """An established benchmark: an image of every combination of some factors.

    Attributes
    ----------
    name : str
        What it is called here, e.g. ``"shapes3d"``.
    title : str
        What it is called in print.
    url : str
        Its page.
    licence : str
        Its licence, in the words of its authors where it has no name; empty if they state none.
    citation : str
        What to cite.
    factors : tuple of Factor
        The factors, in order, the last changing fastest; their sizes are those of the whole set.
    image : str
        What an image is, as a grid of this program holds it.
    files : tuple of SetFile
        Its files.
    """

    name: str
    title: str
    url: str
    licence: str
    citation: str
    factors: tuple[Factor, ...]
    image: str
    files: tuple[SetFile, ...]

    @property
    def count(self) -> int:
        """Number of images of the whole set."""
        count = 1
        for factor in self.factors:
            count *= factor.size
        return count

    def described(self) -> dict[str, str]:
        """Return what a manifest says of it."""
        return {
            "id": self.name,
            "name": self.title,
            "url": self.url,
            "licence": self.licence,
            "citation": self.citation,
        }


def _factor(
    name: str,
    size: int,
    description: str,
    *,
    categorical: bool = False,
    period: float | None = None,
    scored: bool = True,
) -> Factor:
    limits = (0, size - 1)
    return Factor(name, description, limits, size, categorical, not categorical, period, scored=scored)


def _mpi3d(variant: str, title: str, colors: int, shapes: int) -> GridSet:
    name = f"mpi3d_{variant}.npz"
    return GridSet(
        name=f"mpi3d-{variant}",
        title=title,
        url="https://github.com/rr-learning/disentanglement_dataset",
        licence="CC BY 4.0",
        citation=(
            "Gondal et al., On the Transfer of Inductive Bias from Simulation to the Real World: a New Disentanglement "
            "Dataset, NeurIPS 2019"
        ),
        factors=(
            _factor("object_color", colors, "Colour of the object."),
            _factor("object_shape", shapes, "Shape of the object.", categorical=True),
            _factor("object_size", 2, "Size of the object: small or large."),
            _factor("camera_height", 3, "Height of the camera: top, centre or bottom."),
            _factor("background_color", 3, "Colour of the background."),
            _factor("horizontal_axis", 40, "Position of the arm's first joint."),
            _factor("vertical_axis", 40, "Position of the arm's second joint."),
        ),
        image="64 x 64 RGB",
        files=(SetFile(name, (f"https://storage.googleapis.com/disentanglement_dataset/Final_Dataset/{name}",)),),
    )


_NORB = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_NORB_FILES = {
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz": (131896188, "66054832f9accfe74a0f4c36a75bc0a2"),
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat.gz": (348, "23c8b86101fbf0904a000b43d3ed2fd9"),
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat.gz": (71052, "51dee1210a742582ff607dfd94e332e3"),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat.gz": (130799817, "e4ad715691ed5a3a5f138751a4ceb071"),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat.gz": (347, "5aa791cd7e6016cf957ce9bdb93b8603"),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat.gz": (10428, "a9454f3864d7fd4bb3ea7fc3eb84924e"),
}

SETS = {
    each.name: each
    for each in (
        GridSet(
            name="dsprites",
            title="dSprites",
            url="https://github.com/google-deepmind/dsprites-dataset",
            licence="Apache-2.0",
            citation="Matthey et al., dSprites: Disentanglement testing Sprites dataset, 2017",
            factors=(
                _factor("shape", 3, "Square, ellipse or heart.", categorical=True),
                _factor("scale", 6, "Size."),
                # From 0 to a whole turn with both ends, so that the first value and the last are one angle.
                _factor("orientation", 40, "Angle.", period=39),
                _factor("x", 32, "Position, rightwards."),
                _factor("y", 32, "Position, downwards."),
            ),
            image="64 x 64 grey, of 0 and 255",
            files=(
                SetFile(
                    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
                    (
                        "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
                        "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
                        "https://raw.githubusercontent.com/google-deepmind/dsprites-dataset/master/"
                        "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
                    ),
                ),
            ),
        ),
        GridSet(
            name="shapes3d",
            title="3D Shapes",
            url="https://github.com/google-deepmind/3d-shapes",
            licence="Apache-2.0",
            citation="Burgess and Kim, 3D Shapes Dataset, 2018",
            factors=(
                _factor("floor_hue", 10, "Hue of the floor.", period=10),
                _factor("wall_hue", 10, "Hue of the wall.", period=10),
                _factor("object_hue", 10, "Hue of the object.", period=10),
                _factor("scale", 8, "Size of the object."),
                _factor("shape", 4, "Cube, cylinder, sphere or capsule.", categorical=True),
                _factor("azimuth", 15, "Angle from which the room is seen, -30 to 30 degrees."),
            ),
            image="64 x 64 RGB",
            files=(
                SetFile(
                    "3dshapes.h5",
                    ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
                    267573662,
                    "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
                ),
            ),
        ),
        GridSet(
            name="cars3d",
            title="Cars3D",
            url="https://papers.nips.cc/paper/5845-deep-visual-analogy-making",
            licence="",
            citation="Reed et al., Deep Visual Analogy-Making, NeurIPS 2015",
            factors=(
                _factor("elevation", 4, "Height from which the car is seen."),
                _factor("azimuth", 24, "Angle from which the car is seen, a whole turn.", period=24),
                _factor("car", 183, "Which car.", categorical=True),
            ),
            image="64 x 64 RGB, made smaller from 128 x 128",
            files=(
                SetFile(
                    "nips2015-analogy-data.tar.gz",
                    (
                        "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
                        "http://www-personal.umich.edu/~reedscot/files/nips2015-analogy-data.tar.gz",
                    ),
                ),
            ),
        ),
        GridSet(
            name="smallnorb",
            title="small NORB",
            url=_NORB,
            licence="for research only, not to be sold",
            citation=(
                "LeCun, Huang and Bottou, Learning Methods for Generic Object Recognition with Invariance to Pose and "
                "Lighting, CVPR 2004"
            ),
            factors=(
                _factor("category", 5, "Animal, human, plane, truck or car.", categorical=True),
                _factor("instance", 10, "Which toy of its category.", categorical=True, scored=False),
                _factor("elevation", 9, "Height of the camera, 30 to 70 degrees."),
                _factor("azimuth", 18, "Angle of the toy, a whole turn.", period=18),
                _factor("lighting", 6, "Which lamps are on."),
            ),
            image="64 x 64 grey, made smaller from 96 x 96; the left of two",
            files=tuple(
                SetFile(name, (_NORB + name,), size, f"md5:{md5}") for name, (size, md5) in _NORB_FILES.items()
            ),
        ),
        _mpi3d("toy", "MPI3D toy", 4, 4),
        _mpi3d("realistic", "MPI3D realistic", 4, 4),
        _mpi3d("real", "MPI3D real", 6, 6),
    )
}
"""Every set by its name."""


def find_set(name: str) -> GridSet:
    """Return a set by its name.

    Raises
    ------
    UsageError
        If there is none of this name.

    Examples
    --------
    >>> find_set("shapes3d").count
    480000
    """
    check_choice("set", name, list(SETS))
    return SETS[name]
