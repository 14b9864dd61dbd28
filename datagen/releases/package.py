"""A folder ready to publish: a dataset in several formats, checksums, and all that has to be said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from datagen import store
from datagen.datasets import Sequences
from datagen.errors import UsageError
from datagen.files import atomic_folder
from datagen.preview import save_preview
from datagen.releases.cards import citation_file, dataset_card, describe_dataset, licences_text
from datagen.releases.checksums import CHECKSUMS, write_checksums
from datagen.releases.croissant import croissant
from datagen.releases.frames import frames_of, write_parquet, write_shards

__all__ = ["package"]


def package(
    dataset: Sequences,
    out: str | Path,
    creators: Sequence[str] = (),
    version: str = "1.0.0",
    date: str | None = None,
    webdataset: bool = False,
    overwrite: bool = False,
    show_progress: bool = False,
    *,
    licence: str | None = None,
) -> list[Path]:
    """Write a dataset as a folder ready to publish, whole or not at all. The same input gives the same bytes.

    The folder has no folders below it, since a record of Zenodo has none. It holds the data as npz, HDF5 and parquet
    with images; ``README.md``, a dataset card for the Hugging Face Hub; ``croissant.json``; ``CITATION.cff``;
    ``LICENSES.md``; ``preview.png``; and ``SHA256SUMS`` of all these.

    Parameters
    ----------
    dataset : Sequences
        The dataset.
    out : str or Path
        The folder.
    creators : sequence of str
        Who publishes it: people as ``"Family, Given"``, organisations by a name without a comma, either with an ORCID
        in brackets. By default the authors of the paper if these are the arrays that they published, else nobody.
    version : str
        Its version, ``"MAJOR.MINOR.PATCH"``.
    date : str, optional
        Its date, ``"2020-07-21"``; by default that of the paper if these are the arrays that it published, else none,
        so that it does not depend on the day.
    webdataset : bool
        Also write WebDataset shards.
    overwrite : bool
        Whether a package that exists may be replaced; another folder never is.
    show_progress : bool
        Draw progress bars where standard error is a terminal.
    licence : str, optional
        SPDX identifier of the licence of sources of which the file states none, such as own data.

    Returns
    -------
    list of Path
        The files, by name.

    Raises
    ------
    UsageError
        If the folder exists, an argument is of another form, a source has another licence, or pyarrow is not installed.
    DatagenError
        If the licence of a source is not known, or not known to allow publishing, or a file cannot be written.
    """
    out = Path(out)
    if out.is_dir() and any(out.iterdir()) and not (out / CHECKSUMS).is_file():
        raise UsageError(f"{out}: exists and is no package; give another folder")
    description = describe_dataset(dataset, creators, version, date, licence)
    name = description.name
    frames = frames_of(dataset)
    with atomic_folder(out, overwrite) as folder:
        parquet = folder / f"{name}.parquet"
        in_memory = write_parquet(frames, parquet, show_progress)
        store.save(dataset, folder / f"{name}.npz")
        store.save(dataset, folder / f"{name}.h5")
        if webdataset:
            write_shards(frames, folder, name, show_progress)
        if frames.images is not None:
            save_preview(dataset, folder / "preview.png")
        texts = {
            "README.md": dataset_card(description, frames, parquet.name, (parquet.stat().st_size, in_memory)),
            "CITATION.cff": citation_file(description),
            "LICENSES.md": licences_text(description),
            "croissant.json": json.dumps(
                croissant(description, frames, folder, parquet.name), indent=1, allow_nan=False
            )
            + "\n",
        }
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        write_checksums(folder)
    return sorted(out.iterdir())
