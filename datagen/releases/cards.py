"""What a package says of itself: the dataset card, the citation, the licences of the sources.

All texts are made from the registry and from the dataset, so the same dataset gives the same texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datagen.datasets import Dataset
from datagen.errors import DatagenError, UsageError
from datagen.info import describe
from datagen.manifest import SOURCES
from datagen.releases.frames import Frames
from datagen.releases.registry import PAPER, RELEASES, Release

__all__ = [
    "Description",
    "citation_file",
    "dataset_card",
    "describe_dataset",
    "licence_id",
    "licence_url",
    "licences_text",
]

_CREATIVE_COMMONS = re.compile(r"CC (BY(?:-[A-Z]{2})*) (\d\.\d)")
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


@dataclass(frozen=True)
class Description:
    """All that the texts of a package are made from.

    Attributes
    ----------
    release : Release
        What the registry says of the dataset.
    manifest : dict
        How this file was made.
    info : dict
        Its figures (`datagen.info.describe`).
    sources : list of dict
        Name, url, licence and citation of the annotations.
    licences : list of str
        Their licences, without repeats.
    creators : tuple of str
        Who publishes it: people as ``"Family, Given"``, organisations by a name without a comma.
    version : str
        Its version, ``"MAJOR.MINOR.PATCH"``.
    date : str
        Its date, ISO 8601.
    """

    release: Release
    manifest: dict[str, Any]
    info: dict[str, Any]
    sources: list[dict[str, str]]
    licences: list[str]
    creators: tuple[str, ...]
    version: str
    date: str


def describe_dataset(
    dataset: Dataset, creators: Sequence[str] = (), version: str = "1.0.0", date: str | None = None
) -> Description:
    """Gather what there is to say of a dataset.

    Parameters
    ----------
    dataset : MaskSequences or SpriteSequences
        The dataset.
    creators : sequence of str
        Who publishes it: people as ``"Family, Given"``, organisations by a name without a comma; by default the authors
        of the paper.
    version : str
        Its version.
    date : str, optional
        Its date; by default that of the paper, so that it does not depend on the day.

    Raises
    ------
    UsageError
        If the version or the date is of another form.
    DatagenError
        If the licence of a source is unknown, so that nobody may say how the dataset may be used.
    """
    release = next(release for release in RELEASES.values() if release.kind == dataset.kind)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise UsageError(f"version {version!r}: must be three numbers, e.g. 1.0.0")
    if date is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        raise UsageError(f"date {date!r}: must look like 2020-07-21")
    # A file that does not say its sources (the release's) is taken for the release.
    named = dataset.manifest.get("sources") or [{"id": source, **SOURCES[source]} for source in release.sources]
    unknown = [source["id"] for source in named if not source.get("licence")]
    if unknown:
        raise DatagenError(f"the licence of {', '.join(unknown)} is not known, so the dataset cannot be published")
    return Description(
        release=release,
        manifest=dataset.manifest,
        info=describe(dataset),
        sources=named,
        licences=list(dict.fromkeys(source["licence"] for source in named)),
        creators=tuple(creators) or PAPER.authors,
        version=version,
        date=date or release.published,
    )


def licence_id(licence: str) -> str:
    """Return the SPDX identifier of a licence, e.g. ``"CC-BY-4.0"`` of ``"CC BY 4.0"``."""
    return licence.replace(" ", "-")


def licence_url(licence: str) -> str:
    """Return where a licence can be read."""
    found = _CREATIVE_COMMONS.fullmatch(licence)
    if found is None:
        return f"https://spdx.org/licenses/{licence_id(licence)}.html"
    return f"https://creativecommons.org/licenses/{found[1].lower()}/{found[2]}/"


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
    release, info = description.release, description.info
    lines = [
        "---",
        *_head(description, frames, parquet, sizes),
        "---",
        "",
        f"# {release.title}",
        "",
        release.summary,
        "",
    ]
    counts = {name: info["summary"][name] for name in ("sequences", "frames", "pairs") if name in info["summary"]}
    lines += ["It holds " + ", ".join(f"{count:,} {name}" for name, count in counts.items()) + ".", ""]
    if frames.images is not None:
        lines += ["![A few sequences, a row each](preview.png)", ""]
    lines += ["## How it was made", "", *_steps(release.made), ""]
    lines += ["This file was made with these parameters; where they differ from the steps, they hold.", ""]
    lines += _table(["", ""], [(name, f"`{value}`") for name, value in info["provenance"].items()])
    mended = description.manifest.get("mended")
    if mended:
        lines += ["This is not the published dataset; it mends what was published:", "", *_bullets(mended["what"])]
        lines += ["", f"That adds {mended['added_sequences']:,} sequences and {mended['added_frames']:,} frames.", ""]
    lines += ["## Columns", "", "A row is a frame.", ""]
    rows = [(f"`{name}`", column.kind, column.description) for name, column in frames.columns.items()]
    lines += _table(
        ["column", "type", ""], [*([("`image`", "image", "The frame.")] if frames.images is not None else []), *rows]
    )
    lines += ["The `.npz` and `.h5` files hold the same as arrays, and the manifest.", "", "## Statistics", ""]
    columns = list(next(iter(info["factors"].values()), {}))
    lines += _table(
        ["factor", *columns],
        [(name, *(f"{value:.4g}" for value in row.values())) for name, row in info["factors"].items()],
    )
    changes = _changes(frames)
    if changes:
        lines += ["Changes from one frame to the next:", ""]
        lines += _table(["factor", "pairs", "mean", "standard deviation", "excess kurtosis"], changes)
    if info["groups"]:
        lines += _table(list(info["groups"][0]), [tuple(row.values()) for row in info["groups"]])
    lines += ["## Intended use", "", *_bullets(release.uses), ""]
    lines += ["## Biases and limits", "", *_bullets(release.limits), ""]
    lines += ["## Persons", "", release.people, ""]
    lines += [
        "## Licence",
        "",
        f"{' and '.join(description.licences)}, as the annotations it is made from; see LICENSES.md.",
        "",
    ]
    lines += ["## Citation", "", "```bibtex", PAPER.bibtex, "```", ""]
    lines += [
        "Cite the annotations too:",
        "",
        *_bullets(dict.fromkeys(source["citation"] for source in description.sources)),
        "",
    ]
    lines += ["## Checking", "", f"`sha256sum -c SHA256SUMS`. First published as {release.url}.", ""]
    return "\n".join(lines)


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


def _head(description: Description, frames: Frames, parquet: str, sizes: tuple[int, int]) -> list[str]:
    """Write YAML; texts are written as JSON, which YAML reads."""
    release = description.release
    ids = [licence_id(licence).lower() for licence in description.licences]
    features = [("image", "image")] if frames.images is not None else []
    features += [(name, column.kind) for name, column in frames.columns.items()]
    size = next((name for most, name in _SIZES if len(frames) < most), "n>10M")
    return [
        f"pretty_name: {json.dumps(release.title)}",
        *(["license: " + ids[0]] if len(ids) == 1 else ["license:", *(f"- {each}" for each in ids)]),
        "size_categories:",
        f"- {size}",
        "tags:",
        *(f"- {json.dumps(keyword)}" for keyword in release.keywords),
        f"- arxiv:{PAPER.arxiv}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {json.dumps(parquet)}",
        "dataset_info:",
        "  features:",
        *(line for name, kind in features for line in (f"  - name: {name}", f"    dtype: {kind}")),
        "  splits:",
        "  - name: train",
        f"    num_bytes: {sizes[1]}",
        f"    num_examples: {len(frames)}",
        f"  download_size: {sizes[0]}",
        f"  dataset_size: {sizes[1]}",
    ]


def citation_file(description: Description) -> str:
    """Write ``CITATION.cff``, which names the paper as what to cite."""
    release = description.release

    def people(names: Sequence[str], indent: str) -> list[str]:
        lines = []
        for name in names:
            family, comma, given = name.partition(", ")
            if comma:
                lines += [
                    f"{indent}- family-names: {json.dumps(family)}",
                    f"{indent}  given-names: {json.dumps(given)}",
                ]
            else:
                lines.append(f"{indent}- name: {json.dumps(name)}")
        return lines

    lines = [
        "cff-version: 1.2.0",
        "type: dataset",
        f"title: {json.dumps(release.title)}",
        'message: "If you use this dataset, please cite the paper and the annotations it is made from."',
        "authors:",
        *people(description.creators, "  "),
        f"version: {description.version}",
        f"date-released: {description.date}",
        "license:",
        *(f"  - {licence_id(licence)}" for licence in description.licences),
        f"url: {json.dumps(release.url)}",
        "preferred-citation:",
        "  type: conference-paper",
        f"  title: {json.dumps(PAPER.title)}",
        "  authors:",
        *people(PAPER.authors, "    "),
        f"  year: {PAPER.year}",
        f"  collection-title: {json.dumps(PAPER.venue)}",
        f"  url: {PAPER.url}",
        "references:",
    ]
    for source in description.sources:
        lines += [
            "  - type: data",
            f"    title: {json.dumps(source['name'])}",
            "    authors:",
            f"      - name: {json.dumps('The authors of ' + source['name'])}",
            f"    url: {json.dumps(source['url'])}",
            f"    notes: {json.dumps(source['citation'])}",
        ]
    return "\n".join(lines) + "\n"


def licences_text(description: Description) -> str:
    """Write ``LICENSES.md``: under which licence each source and so the dataset is."""
    lines = [
        "# Licences",
        "",
        f"{description.release.title} is derived from these annotations and under their licences.",
        "",
    ]
    for source in description.sources:
        lines += [f"## {source['name']}", "", f"{source['licence']}, {licence_url(source['licence'])}", ""]
        lines += [f"From {source['url']}", "", f"Cite: {source['citation']}", ""]
    if any("NC" in licence for licence in description.licences):
        lines += ["NC: it may not be used commercially.", ""]
    if any("SA" in licence for licence in description.licences):
        lines += ["SA: what is made from it and passed on must be under the same licence.", ""]
    return "\n".join(lines)


def _steps(texts: Sequence[str]) -> list[str]:
    return [f"{number}. {text}" for number, text in enumerate(texts, start=1)]


def _bullets(texts: Any) -> list[str]:
    return [f"- {text}" for text in texts]


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines: list[Sequence[Any]] = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines] + [""]
