"""What a package says of itself: the dataset card, the citation, the licences of the sources.

All texts are made from the registry and from the dataset, so the same dataset gives the same texts.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as day
from typing import Any

import msgspec
import numpy as np
import yaml
from markupsafe import Markup

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, UsageError, counted
from datagen.info import describe
from datagen.manifest import Manifest, ManifestError, Mended, Source, typed_manifest
from datagen.readers import annotated_sets, describe_sources
from datagen.releases.frames import Frames
from datagen.releases.registry import PAPER, RELEASES, Release
from datagen.releases.web import plain
from datagen.store import arrays_of, sha256_array
from datagen.templates import load_template

__all__ = [
    "ANONYMOUS",
    "Creator",
    "Description",
    "citation_file",
    "dataset_card",
    "describe_dataset",
    "licence_id",
    "licence_url",
    "licences_text",
    "parse_creator",
]

ANONYMOUS = "anonymous"
"""Who publishes a dataset of which nobody says so."""

# By their SPDX identifiers. Those without derivatives (ND) are none of them: masks are adaptations of the annotations.
_LICENCES = {
    f"CC-{kind}-{version}": f"https://creativecommons.org/licenses/{kind.lower()}/{version}/"
    for kind in ("BY", "BY-SA", "BY-NC", "BY-NC-SA")
    for version in ("4.0", "3.0", "2.5", "2.0", "1.0")
} | {
    each: f"https://spdx.org/licenses/{each}.html"
    for each in ("CC0-1.0", "MIT", "Apache-2.0", "BSD-3-Clause", "ODbL-1.0")
}
_LICENCE_IDS = {each.lower(): each for each in _LICENCES}
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_ORCID = re.compile(r"(.*?)\s*\((?:https://orcid\.org/)?([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])\)")
_SPECIAL = re.compile(r"([\\`*_\[\]|#~])")
_NAMED = 8


@dataclass(frozen=True)
class Creator:
    """Who publishes a dataset: a person, or an organisation, which has no `given` name."""

    family: str
    given: str = ""
    orcid: str = ""

    @property
    def name(self) -> str:
        """``"Family, Given"``, or the name of an organisation."""
        return f"{self.family}, {self.given}" if self.given else self.family


@dataclass(frozen=True)
class Description:
    """All that the texts of a package are made from.

    Attributes
    ----------
    name : str
        What its files are called.
    title, summary, people : str
        As of a `Release`.
    made, uses, limits, keywords : tuple of str
        As of a `Release`.
    release : Release or None
        The release that was made in the same way, if one was.
    published : bool
        Whether it is that release: its arrays are those that were published.
    mended : Mended or None
        What it corrects of a release, and how much that adds.
    info : dict
        Its figures (`datagen.info.describe`).
    sources : list of dict
        Name, url, licence and citation of the annotations.
    licences : list of str
        Their licences, without repeats.
    creators : tuple of Creator
        Who publishes it.
    version : str
        Its version, ``"MAJOR.MINOR.PATCH"``.
    date : str or None
        Its date, ISO 8601, if one is known.
    """

    name: str
    title: str
    summary: str
    made: tuple[str, ...]
    uses: tuple[str, ...]
    limits: tuple[str, ...]
    people: str
    keywords: tuple[str, ...]
    release: Release | None
    published: bool
    mended: Mended | None
    info: dict[str, Any]
    sources: list[dict[str, str]]
    licences: list[str]
    creators: tuple[Creator, ...]
    version: str
    date: str | None


def parse_creator(text: str) -> Creator:
    """Read who publishes a dataset.

    Parameters
    ----------
    text : str
        ``"Family, Given"`` of a person, or the name of an organisation without a comma; an ORCID may follow in
        brackets.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> parse_creator("Doe, Jane (0000-0002-1825-0097)").orcid
    '0000-0002-1825-0097'
    """
    name, orcid = text.strip(), ""
    if found := _ORCID.fullmatch(name):
        name, orcid = found[1], found[2]
        if _check_digit(orcid) != orcid[-1]:
            raise UsageError(
                f"creator {plain(text)!r}: {orcid} is no ORCID; its last character does not fit the others"
            )
    family, comma, given = (part.strip() for part in name.partition(","))
    if not family or not text.isprintable() or len(text) > 300 or (comma and (not given or "," in given)):
        raise UsageError(f'creator {plain(text)!r}: must look like "Family, Given", or be a name without a comma')
    return Creator(family, given, orcid)


def _check_digit(orcid: str) -> str:
    """Return the last character that an ORCID must have (ISO 7064, MOD 11-2)."""
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11]


def describe_dataset(
    dataset: Sequences,
    creators: Sequence[str] = (),
    version: str = "1.0.0",
    date: str | None = None,
    licence: str | None = None,
) -> Description:
    """Gather what there is to say of a dataset.

    The published authors, date and DOI are said of the published arrays only; all else comes from the manifest.

    Parameters
    ----------
    dataset : Sequences
        The dataset.
    creators : sequence of str
        Who publishes it, each as `parse_creator` reads it.
    version : str
        Its version.
    date : str, optional
        Its date.
    licence : str, optional
        The licence of own data, of which the manifest has an id alone, as `licence_id` reads it.

    Raises
    ------
    UsageError
        If a creator, the version, the date or the licence is of another form, or a source has another licence.
    BadInputError
        If the manifest is none that this package writes.
    DatagenError
        If the licence of a source is not known, or not known to allow that what is made of it is published.
    """
    people = tuple(parse_creator(creator) for creator in creators)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){2}", version):
        raise UsageError(f"version {plain(version, 50)!r}: must be three numbers, e.g. 1.0.0")
    _check_date(date)
    if licence is not None:
        licence = licence_id(licence)
    try:
        manifest = typed_manifest(dataset.manifest)
    except ManifestError as error:
        raise BadInputError("manifest", f"is none that datagen writes; {plain(error)}") from None
    of_kind = next((release for release in RELEASES.values() if release.kind == dataset.kind), None)
    published = of_kind is not None and _is_published(dataset, of_kind)
    # A file that does not say its sources (as the release's) keeps the licence of those of the release of its kind.
    assumed = not manifest.sources
    if of_kind is None and assumed:
        raise DatagenError("the file does not say what it was made from, so its licence is not known; build it anew")
    sources = [_described(source, licence) for source in manifest.sources]
    if of_kind is not None and assumed:
        sources = describe_sources(of_kind.sources)
    for source in sources:
        if licence is not None and licence_id(source["licence"]) != licence:
            raise UsageError(
                f"licence {licence}: {source['name']} is under {source['licence']}, and so is what is made of it; "
                "leave out --license"
            )
    as_released = of_kind is not None and (published or _is_made_as(of_kind, dataset, manifest))
    release = of_kind
    if of_kind is None:
        texts = _texts_of_grid(dataset, sources)
    elif as_released:
        texts = _texts_of(of_kind)
    else:
        texts = _texts_from(dataset, manifest, sources, of_kind, assumed)
        release = of_kind if manifest.command == of_kind.name else None
    return Description(
        **texts,
        release=release,
        published=published,
        mended=manifest.mended,
        info=describe(dataset),
        sources=sources,
        licences=list({licence_id(source["licence"]): source["licence"] for source in sources}.values()),
        creators=people or (tuple(map(parse_creator, PAPER.authors)) if published else (Creator(ANONYMOUS),)),
        version=version,
        date=date or (of_kind.published if of_kind is not None and published else None),
    )


def _check_date(date: str | None) -> None:
    if date is None:
        return
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date):
            raise ValueError
        day.fromisoformat(date)
    except ValueError:
        raise UsageError(f"date {plain(date, 50)!r}: must be a day and look like 2020-07-21") from None


def _described(source: Source, licence: str | None) -> dict[str, str]:
    """Return what is said of a source, each a line of text; own data, which have an id alone, are under `licence`.

    Raises
    ------
    DatagenError
        If its licence is not known, or not known to allow that what is made of it is published.
    """
    texts = {name: plain(text, 1000) for name, text in msgspec.structs.asdict(source).items()}
    if texts["licence"].startswith("not stated"):  # as files of earlier versions have it
        texts["licence"] = ""
    if not texts["licence"] and texts["name"]:
        # Annotations that state none are recognised by the names of their folders, which own ones may have too.
        own = "; if the videos are your own, name their folder otherwise, and build the file again"
        raise DatagenError(
            f"{texts['name']} states no licence, so what is made of it cannot be published without its authors' consent"
            f"{own if texts['id'] in annotated_sets() else ''}"
        )
    texts["licence"] = texts["licence"] or licence or ""
    if not texts["licence"]:
        raise DatagenError(
            f"the licence of {texts['id']} is not known, so the dataset cannot be published; if the data are yours, "
            "choose one: --license CC-BY-4.0"
        )
    if _known_licence(texts["licence"]) is None:
        raise DatagenError(
            f"the licence of {texts['id']} is {plain(texts['licence'], 100)!r}, which is not known to allow that "
            "what is made of it is published"
        )
    # No address has quotes or angles in it, which mean something to those who read the texts as HTML.
    url = texts["url"] if re.fullmatch(r"https?://[!#-;=?-~]+", texts["url"]) else ""
    return {**texts, "name": texts["name"] or texts["id"] or "a source without a name", "url": url}


def _is_published(dataset: Sequences, release: Release) -> bool:
    """Whether a dataset's arrays are those that were published."""
    if not release.arrays:
        return False
    arrays = arrays_of(dataset)
    # The small ones first: a file that differs is recognised without its masks being hashed.
    return all(sha256_array(arrays[name]) == release.arrays[name] for name in sorted(release.arrays, reverse=True))


def _is_made_as(release: Release, dataset: Sequences, manifest: Manifest) -> bool:
    """Whether a manifest says that a dataset was made as a release was, of the same annotations."""
    same = {name: manifest.parameters.get(name) for name in release.parameters} == release.parameters
    made = manifest.command == release.name and manifest.preset == "paper"
    ids = {source.id for source in manifest.sources}
    people = _categories(dataset) <= {"pedestrian"}
    return made and same and bool(ids) and ids <= set(release.sources) and people


def _categories(dataset: Sequences) -> set[str]:
    """Return the categories of the objects, as far as the file says."""
    return set(dataset.columns["category"].tolist()) if "category" in dataset.columns else set()


def _texts_of(release: Release) -> dict[str, Any]:
    names = ("name", "title", "summary", "made", "uses", "limits", "people", "keywords")
    return {name: getattr(release, name) for name in names}


def _texts_of_grid(dataset: Sequences, sources: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Say what can be said of a grid of factors, or of pairs of its frames."""
    pairs = not dataset.is_grid
    names = " and ".join(source["name"] for source in sources)
    factors = ", ".join(
        f"{plain(factor.name, 100)} ({counted(factor.size, 'value')})" for factor in dataset.factor_info
    )
    what = "Pairs of frames, drawn by a prior, of" if pairs else "An image of every combination of the factors of"
    left = ", ".join(plain(factor.name, 100) for factor in dataset.factor_info if not factor.scored)
    return {
        "name": "grid-pairs" if pairs else "grid",
        "title": f"{names}: {'pairs' if pairs else 'a grid of factors'}",
        "summary": f"{what} {names}: {factors}. Factors are numbers of values.",
        "made": ("As its manifest says.",),
        "uses": ("Training and scoring methods that learn disentangled representations, where every factor is known.",),
        "limits": (
            "The motion within pairs is drawn from a distribution; it was not measured.",
            *((f"Metrics do not score {left}, as is the custom.",) if left else ()),
        ),
        "people": "None: the images are of objects.",
        "keywords": ("disentanglement", "ground-truth factors", *(source["id"] for source in sources)),
    }


def _texts_from(
    dataset: Sequences, manifest: Manifest, sources: Sequence[dict[str, str]], release: Release, assumed: bool
) -> dict[str, Any]:
    """Say what can be said of a dataset that was not made as the release was."""
    masks = dataset.holds_masks
    named = _categories(dataset)
    by_us = manifest.command == release.name
    categories = sorted({plain(each, 100) for each in named} - {""})
    shown = ", ".join(categories[:_NAMED]) + (
        f" and {len(categories) - _NAMED} more" if len(categories) > _NAMED else ""
    )
    # A file that does not say its sources may be of anything.
    origin = "" if assumed else " and ".join(source["name"] for source in sources)
    what = release.title if by_us else ("Mask sequences" if masks else "Sprite sequences")
    details = ", ".join(filter(None, [plain(manifest.preset or "", 50), shown]))
    source = f", made from {origin}" if origin else ""
    made = f"Made by `datagen {release.name}` in the manner of {release.title}." if by_us else "As its manifest says."
    unsaid = ("The file does not say what it was made from; the sources and the licence named here are those of "
              f"{release.title}.")  # fmt: skip
    if masks:
        summary = (
            f"Sequences of binary masks of single objects{f' ({shown})' if shown else ''} over neighbouring frames of "
            f"video{source}, with the centre of mass and the area of every mask."
        )
        limits: tuple[str, ...] = (
            "A mask is what is visible of an object: area and position also change by occlusion, at the edges of the "
            "image and by the motion of the camera.",
            "The same object can be in several sequences: a random split of sequences may leak from training to test.",
        )
        people = (
            "The masks outline objects in video; where these are persons, the frames they can be traced to show them."
        )
        keywords = ("disentanglement", "natural transitions", "segmentation masks", *categories[:_NAMED])
    else:
        summary = f"Rendered sprites that move and grow as objects in video do{source}, with all factors of each frame."
        limits = ("Only position and scale are measured; the other factors are drawn.",)
        people = "None: the images are geometric shapes."
        keywords = ("disentanglement", "natural transitions", "sprites", "ground-truth factors")
    kind = "mask-sequences" if masks else "sprite-sequences"
    return {
        "name": release.name if by_us or assumed else kind,
        "title": f"{what} ({details})" if details else what,
        "summary": summary,
        "made": (made,),
        "uses": release.uses,
        "limits": ((unsaid,) if assumed else ()) + limits,
        "people": people,
        "keywords": keywords,
    }


def licence_id(licence: str) -> str:
    """Return the SPDX identifier of a licence that lets others pass on what they make, by it or by the usual name.

    Raises
    ------
    UsageError
        If it is no such licence, or none that is known here; the words of a licence are none.

    Examples
    --------
    >>> licence_id("CC BY-NC-SA 3.0"), licence_id("mit")
    ('CC-BY-NC-SA-3.0', 'MIT')
    """
    found = _known_licence(licence)
    if found is None:
        newest = (each for each in _LICENCES if not each.startswith("CC-") or each.endswith("4.0"))
        raise UsageError(
            f"licence {plain(licence, 50)!r}: is no SPDX identifier of a licence by which data may be published here; "
            f"there are {', '.join(newest)}, and earlier versions of Creative Commons"
        )
    return found


def _known_licence(licence: str) -> str | None:
    named = licence.partition(" (")[0]  # "CC BY 4.0 (annotations)"
    return _LICENCE_IDS.get("-".join(named.split()).lower())


def licence_url(licence: str) -> str:
    """Return where a licence can be read.

    Raises
    ------
    UsageError
        As `licence_id`.
    """
    return _LICENCES[licence_id(licence)]


def dataset_card(description: Description, frames: Frames, parquet: str, sizes: tuple[int, int]) -> str:
    """Write ``README.md``: a head that the Hugging Face Hub reads, then the card.

    Parameters
    ----------
    description : Description
        What there is to say.
    frames : Frames
        The rows of the parquet file.
    parquet : str
        Its name.
    sizes : tuple of int
        Its size, and that of its rows in memory, in bytes.
    """
    info = description.info
    counts = {name: info["summary"][name] for name in ("sequences", "frames", "pairs") if name in info["summary"]}
    columns = [("`image`", "image", "The frame.")] if frames.images is not None else []
    columns += [(f"`{name}`", column.kind, column.description) for name, column in frames.columns.items()]
    statistics = [["factor", *next(iter(info["factors"].values()), {})]]
    statistics += [[name, *(f"{value:.4g}" for value in row.values())] for name, row in info["factors"].items()]
    return load_template("card.md", _text).render(
        description=description,
        frames=frames,
        head=yaml.safe_dump(_head(description, frames, parquet, sizes), sort_keys=False).rstrip("\n"),
        counts=", ".join(f"{count:,} {name}" for name, count in counts.items()),
        parameters=[(name, _code(value)) for name, value in info["provenance"].items()],
        columns=[[Markup(cell) for cell in row] for row in columns],
        statistics=statistics,
        changes=_changes(frames),
        groups=[list(row) for row in info["groups"][:1]] + [list(row.values()) for row in info["groups"]],
        paper=PAPER,
        citations=dict.fromkeys(source["citation"] or source["name"] for source in description.sources),
    )


def _changes(frames: Frames) -> list[tuple[str, ...]]:
    """Return figures of how position and size change within sequences, a row each."""
    from scipy.stats import kurtosis

    together = np.diff(frames.columns["sequence"].values) == 0
    if not together.any():
        return []
    rows = []
    for name in ("area", "scale", "x", "y"):
        if name in frames.columns:
            change = np.diff(frames.columns[name].values.astype(np.float64))[together]
            figures = (change.mean(), change.std(), kurtosis(change))
            rows.append((name, f"{len(change):,}", *(f"{figure:.4g}" for figure in figures)))
    return rows


def _head(description: Description, frames: Frames, parquet: str, sizes: tuple[int, int]) -> dict[str, Any]:
    """Return what the Hub reads."""
    ids = [licence_id(each).lower() for each in description.licences]
    features = [("image", "image")] if frames.images is not None else []
    features += [(name, column.kind) for name, column in frames.columns.items()]
    return {
        "pretty_name": description.title,
        "license": ids[0] if len(ids) == 1 else ids,
        "size_categories": [next((name for most, name in _SIZES if len(frames) < most), "n>10M")],
        "tags": [*description.keywords, *([f"arxiv:{PAPER.arxiv}"] if description.release is not None else [])],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": parquet}]}],
        "dataset_info": {
            "features": [{"name": name, "dtype": kind} for name, kind in features],
            "splits": [{"name": "train", "num_bytes": sizes[1], "num_examples": len(frames)}],
            "download_size": sizes[0],
            "dataset_size": sizes[1],
        },
    }


def citation_file(description: Description) -> str:
    """Write ``CITATION.cff``: of the dataset, and of the paper whose method it follows, if it does."""
    release = description.release
    paper = {
        "type": "conference-paper",
        "title": PAPER.title,
        "authors": [_cff_person(parse_creator(author)) for author in PAPER.authors],
        "year": PAPER.year,
        "collection-title": PAPER.venue,
        "url": PAPER.url,
    }
    cited = "the paper and " if release is not None else ""
    citation = {
        "cff-version": "1.2.0",
        "type": "dataset",
        "title": description.title,
        "message": f"If you use this dataset, please cite {cited}the annotations it is made from.",
        "authors": [_cff_person(creator) for creator in description.creators],
        "version": description.version,
        **({} if description.date is None else {"date-released": day.fromisoformat(description.date)}),
        "license": [licence_id(licence) for licence in description.licences],
        **({"url": release.url} if release is not None and description.published else {}),
        **({"preferred-citation": paper} if release is not None else {}),
        "references": [
            {
                "type": "data",
                "title": source["name"],
                "authors": [{"name": f"The authors of {source['name']}"}],
                **({"url": source["url"]} if source["url"] else {}),
                **({"notes": source["citation"]} if source["citation"] else {}),
            }
            for source in description.sources
        ],
    }
    return yaml.safe_dump(citation, sort_keys=False, allow_unicode=True)


def _cff_person(creator: Creator) -> dict[str, str]:
    if not creator.given:
        return {"name": creator.family}
    orcid = {"orcid": f"https://orcid.org/{creator.orcid}"} if creator.orcid else {}
    return {"family-names": creator.family, "given-names": creator.given, **orcid}


def licences_text(description: Description) -> str:
    """Write ``LICENSES.md``: under which licence each source and so the dataset is."""
    return load_template("licences.md", _text).render(description=description, licence_url=licence_url)


def _text(value: Any) -> str:
    """Return a text of others as text in Markdown: one line, neither HTML nor marks in it."""
    if isinstance(value, int | float):
        return str(value)
    return _SPECIAL.sub(r"\\\1", html.escape(plain(value, 1000), quote=False))


def _code(value: Any) -> Markup:
    """Return a value as code, or as text where it would not stay within."""
    shown = plain(value, 1000)
    return Markup(_text(shown) if set("`<>&|") & set(shown) else f"`{shown}`")
