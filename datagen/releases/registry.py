"""The published releases, and the sources of raw annotations: what each is, whose it is, how it is had.

One entry per release. What a card or a deposit says of a dataset is taken from here and from the dataset's manifest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from datagen.errors import UsageError, unknown_choice
from datagen.grids.sets import SETS

__all__ = ["PAPER", "RELEASES", "Paper", "Release", "find_release"]


@dataclass(frozen=True)
class Paper:
    """A paper, with its authors as ``"Family, Given"``."""

    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    arxiv: str

    @property
    def url(self) -> str:
        """Where it can be read."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    @property
    def bibtex(self) -> str:
        """Its entry for a bibliography."""
        key = f"{self.authors[0].split(',')[0].lower()}{self.year}{self.title.split()[0].lower()}"
        return (
            f"@inproceedings{{{key}, title={{{self.title}}}, author={{{' and '.join(self.authors)}}}, "
            f"booktitle={{{self.venue}}}, year={{{self.year}}}, url={{{self.url}}}}}"
        )


@dataclass(frozen=True)
class Release:
    """A published dataset.

    Attributes
    ----------
    name : str
        What it is called here, e.g. ``"kitti-masks"``.
    title : str
        What it is called in print.
    kind : str
        The kind of dataset file that holds it when rebuilt (`datagen.datasets`).
    record : int
        Its record on Zenodo.
    file : str
        The file of that record.
    published : str
        When the paper that describes it was published, ISO 8601.
    sources : tuple of str
        The annotations it was made from, ids of `datagen.readers.annotated_sets`.
    licence : str
        The licence it is under, which is that of the annotations.
    holds : str
        What the file holds.
    counts : dict of str to int
        What to find in it.
    summary : str
        What the dataset is, in two sentences.
    made : tuple of str
        How it is made, one text per step.
    uses : tuple of str
        What it is for, and what not.
    limits : tuple of str
        Its biases and limits.
    people : str
        What it says of persons.
    keywords : tuple of str
        Keywords.
    parameters : dict
        What its kind of file says in its manifest when it was made as published.
    arrays : dict of str to str
        sha256 of its arrays (`datagen.store.sha256_array`), by which it is known. Where there are none, as for a table
        from which sprites are drawn, no dataset file is the published one.

    Examples
    --------
    >>> RELEASES["kitti-masks"].counts
    {'sequences': 2120, 'frames': 84626, 'pairs': 82506}
    """

    name: str
    title: str
    kind: str
    record: int
    file: str
    published: str
    sources: tuple[str, ...]
    licence: str
    holds: str
    counts: dict[str, int]
    summary: str
    made: tuple[str, ...]
    uses: tuple[str, ...]
    limits: tuple[str, ...]
    people: str
    keywords: tuple[str, ...]
    parameters: dict[str, Any]
    arrays: dict[str, str]

    @property
    def doi(self) -> str:
        """Its digital object identifier."""
        return f"10.5281/zenodo.{self.record}"

    @property
    def url(self) -> str:
        """Its page."""
        return f"https://doi.org/{self.doi}"


PAPER = Paper(
    title="Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse Coding",
    authors=(
        "Klindt, David A.",
        "Schott, Lukas",
        "Sharma, Yash",
        "Ustyuzhaninov, Ivan",
        "Brendel, Wieland",
        "Bethge, Matthias",
        "Paiton, Dylan M.",
    ),
    venue="International Conference on Learning Representations (ICLR)",
    year=2021,
    arxiv="2007.10930",
)
"""The paper that describes both releases."""

_USES = (
    "Training and scoring methods that learn disentangled or causal representations from pairs or sequences of "
    "natural motion.",
    "Statistics of how objects move and grow in natural video.",
    "Not for detecting, tracking or identifying people: the images are outlines of a few dozen pixels.",
)

RELEASES = {
    release.name: release
    for release in (
        Release(
            name="kitti-masks",
            title="KITTI Masks",
            kind="mask-sequences",
            record=3931823,
            file="kitti_peds_v2.pickle",
            published="2020-07-21",
            sources=("kitti-mots", "motschallenge"),
            licence="CC BY-NC-SA 3.0",
            holds="a pickle of two lists: masks, bool (T, 64, 64), and latents (y, x, area), float32 (T, 3)",
            counts={"sequences": 2120, "frames": 84626, "pairs": 82506},
            summary=(
                "Sequences of binary masks of single pedestrians, cut from the annotations of street scenes, each "
                "frame with the centre of mass and the area of its mask. They are used to learn disentangled "
                "representations from natural transitions."
            ),
            made=(
                "The label maps of KITTI MOTS (21 sequences) and of MOTSChallenge (4 training sequences) are sampled "
                "by nearest neighbour at a height of 64 pixels, their aspect kept.",
                "Six windows of 64 x 64 pixels are cut from each frame at equal distances; neighbouring windows "
                "overlap.",
                "In each window every pedestrian is followed over time; frames with fewer than 30 of its pixels end a "
                "sequence.",
                "Centre of mass (y, x) and area of each mask are measured in pixels.",
            ),
            uses=_USES,
            limits=(
                "KITTI shows pedestrians in the streets of one German city (Karlsruhe), in daylight and fair weather, "
                "from a car; MOTSChallenge shows four more scenes, with crowds and moving cameras.",
                "Windows overlap, so one person at one time is in several sequences: a random split of sequences "
                "leaks from training to test. Split by person or by source video.",
                "Cars and all other classes are left out.",
                "A mask is what is visible of a person inside a window: area and position also change by occlusion "
                "and at the window's edges, and by the motion of the camera.",
            ),
            people=(
                "The masks outline people in public places at a few dozen pixels of height. They show no faces, "
                "clothes or surroundings, but the frames they can be traced to do."
            ),
            keywords=("disentanglement", "natural transitions", "segmentation masks", "pedestrians", "KITTI", "MOTS"),
            parameters={"image_size": 64, "windows": 6, "min_area": 30, "include_cars": False},
            # Of the rebuild from the whole of both ground truths, which has all figures of the published file.
            arrays={
                "masks": "7807def4f769ebde39ad75b6a522a76131761bb178767edc8efa0b328c591ea7",
                "latents": "919759edcaad19f779d387e4c599300b901978a70d17571f42099af5c41e3a57",
                "offsets": "b4adba709a59a783db80697056afc30c47eb4b846f82f3f9473000ec8b60d14a",
            },
        ),
        Release(
            name="natural-sprites",
            title="Natural Sprites",
            kind="sprite-sequences",
            record=3948069,
            file="downscale_keepaspect.csv",
            published="2020-07-21",
            sources=("youtube-vis",),
            licence="CC BY 4.0",
            holds="a table of measured masks, a row an object, from which sprites are rendered",
            counts={"transitions": 234652},
            summary=(
                "Rendered sprites that move and grow as objects in natural video do: position and scale come from "
                "measured transitions, shape and orientation are drawn. They are used to learn and score disentangled "
                "representations where every factor is known."
            ),
            made=(
                "The masks of the objects in natural video are brought to 64 x 128 pixels, cut into windows of "
                "64 x 64, and measured: centre of mass and area.",
                "Transitions between neighbouring frames whose areas lie between the 5 % and 95 % quantiles are kept.",
                "Shape and orientation are drawn for each run; x, y and scale follow a transition.",
                "Each frame is rendered as one polygon, anti-aliased, on black.",
            ),
            uses=_USES[:2],
            limits=(
                "Only position and scale are natural; shape, orientation and colour are drawn uniformly and do not "
                "change within a run.",
                "The videos are what people upload and annotators chose: 40 categories, with people most of all, "
                "centred by whoever held the camera.",
                "The camera's motion is in the transitions, and windows overlap, so one object can give several runs.",
                "Video frames are not square and are brought to 64 x 128 without keeping their aspect.",
            ),
            people="None: the images are geometric shapes.",
            keywords=("disentanglement", "natural transitions", "sprites", "YouTube-VOS", "ground-truth factors"),
            parameters={
                "length": 2,
                "shapes": ["square", "triangle", "star_4", "spoke_4"],
                "colors": [[1.0, 1.0, 1.0]],
            },
            arrays={},
        ),
    )
}
"""Every release by its name."""


def find_release(name: str) -> Release:
    """Return a release by its name.

    Raises
    ------
    UsageError
        If there is none of this name; for a source of raw annotations it says how to have it.

    Examples
    --------
    >>> find_release("kitti-masks").file
    'kitti_peds_v2.pickle'
    """
    if not isinstance(name, str):
        raise unknown_choice("release", name, RELEASES)
    if name in RELEASES:
        return RELEASES[name]
    from datagen.readers import annotated_sets

    by_hand = annotated_sets()
    if name in by_hand:
        raise UsageError(f"{name}: cannot be fetched for you. {by_hand[name].how_to_get}")
    if re.fullmatch(r"[0-9]+", name):
        raise UsageError(f"{name}: a record of Zenodo is asked for by --zenodo {name}, or by its DOI")
    known = [*RELEASES, *SETS]
    raise unknown_choice("release", name, known, by_hand)
