"""Readers of annotation formats, one per module, and the choice of one for a file or folder.

A module with a ``READER`` is a reader; nothing else lists them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.arguments import check_choice, texts_of
from datagen.errors import DatagenError, UsageError, quote, shown
from datagen.lazy import public_names

if TYPE_CHECKING:
    from datagen.rates import Rated
    from datagen.readers.reader import AnnotatedSet, Reader, Source
    from datagen.tracks import Video

__all__ = [
    "annotated_sets",
    "describe_formats",
    "describe_sources",
    "describe_sources_of",
    "find_videos",
    "find_videos_of_all",
    "readers",
    "sources_of",
]

__dir__ = public_names(__name__)

_MOST_NAMES = 20


@cache
def readers() -> dict[str, Reader]:
    """Return all readers by their names."""
    from importlib import import_module
    from pkgutil import iter_modules

    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.READER for module in modules if hasattr(module, "READER")]
    return {reader.name: reader for reader in found}


def annotated_sets() -> dict[str, AnnotatedSet]:
    """Return the data sets of all readers by their ids.

    Examples
    --------
    >>> annotated_sets()["kitti-mots"].licence
    'CC BY-NC-SA 3.0'
    """
    return {each.id: each for reader in readers().values() for each in reader.sets}


def describe_formats() -> list[dict[str, Any]]:
    """Return what is known of the formats, by name: ``name``, ``title``, and all of their published ``sets``.

    Examples
    --------
    >>> [each["name"] for each in describe_formats()][:3]
    ['arrays', 'bdd100k', 'burst']
    """
    return [
        {"name": each.name, "title": each.title, "sets": [asdict(known) for known in each.sets]}
        for _, each in sorted(readers().items())
    ]


def describe_sources(ids: Iterable[str]) -> list[dict[str, str]]:
    """Return what a manifest says of data sets; of own data, the id alone.

    Examples
    --------
    >>> describe_sources(["own"])
    [{'id': 'own'}]
    """
    known = annotated_sets()
    return [known[each].described() if each in known else {"id": each} for each in ids]


def describe_sources_of(videos: Iterable[Rated]) -> list[dict[str, str]]:
    """Return what a manifest says of the data sets that videos are of.

    Own data in a form that a set has, too, have the id of the form alone, never the set's licence and authors: where
    `AnnotatedSet.shares_its_form`, a video is of the set if that, or the file itself, says its rate.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_youtube_vis
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_youtube_vis(f"{folder}/train.json", videos=2)
    ...     [each["id"] for each in describe_sources_of(find_videos(f"{folder}/train.json"))]
    ['youtube-vis']
    """
    known = annotated_sets()
    videos = list(videos)
    own = {
        video.source
        for video in videos
        if video.source in known
        and known[video.source].shares_its_form
        and (video.frames_per_second is None or video.rate_from == "user")
    }
    ids = sorted({video.source for video in videos})
    return [
        {"id": each} if each in own else described for each, described in zip(ids, describe_sources(ids), strict=True)
    ]


def find_videos(source: str | Path, format: str | None = None, automatic: bool = False) -> list[Video]:
    """Find the videos of a source, whatever its format.

    Parameters
    ----------
    source : str or Path
        A file or folder of annotations, in a format of `readers`, or a zip or tar of them (`datagen.readers.archives`).
    format : str, optional
        The name of its format; by default it is recognised, and of a folder all formats are read. Where
        there is nothing else, JSON that holds all videos of a set is read in a folder too, one file of each format.
    automatic : bool
        Take masks that a machine made, too, where a format distinguishes them (SA-V, BURST).

    Returns
    -------
    list of Video

    Raises
    ------
    UsageError
        If there is no such file or folder, or no such format, or a folder holds nothing but such JSON, and two files of
        one format.
    BadInputError
        If a file is of none of the formats.
    DatagenError
        If a folder holds no annotations, or none of the format that was named.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_youtube_vis
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_youtube_vis(f"{folder}/train.json", videos=2)
    ...     [video.name for video in find_videos(f"{folder}/train.json")]
    ['0000000001', '0000000002']
    """
    from datagen.readers import mots
    from datagen.readers.annotation_file import read_annotation_file
    from datagen.readers.json_file import read_json_file
    from datagen.readers.reader import Source

    if format is not None:
        check_choice("format", format, list(readers()))
    looked_at = Source(source, automatic)
    videos: list[Video] = []
    for reader in readers().values():
        if format in (None, reader.name) and (found := reader(looked_at)) is not None:
            videos += found
            if not looked_at.is_folder:
                return videos  # a file is of one format
    videos = videos or _find_in_json_files(looked_at, format)
    if videos:
        looked_at.warn_of_others(videos)
        return videos
    # What looks like MOTS sequences is read all the same, to say what is wrong with it.
    if looked_at.is_folder and format in (None, "mots") and (videos := mots.find_videos(source, strict=False)):
        return videos
    if format is not None:
        raise DatagenError(f"{quote(source)}: nothing here is of format {format} ({readers()[format].title})")
    if looked_at.json_file is not None:
        read_annotation_file(looked_at.json_file)  # which says what it lacks
    if len(looked_at.json_files) == 1:
        read_annotation_file(read_json_file(looked_at.json_files[0]))
    others = looked_at.others_than([]) if looked_at.is_folder else []
    known = f" that are read: {quote(others[0].folder)} {others[0].what}" if others else ""
    raise DatagenError(f"{quote(source)}: no annotations here{known}; `datagen formats` lists what is read")


def _find_in_json_files(source: Source, format: str | None) -> list[Video]:
    """Find the videos of a folder's JSON files, of each format one: several are splits, or truth and results."""
    from datagen.readers.reader import Source

    videos: list[Video] = []
    paths: dict[str, Path] = {}  # by format
    errors: list[DatagenError] = []
    for path in source.json_files:
        file = Source(path, source.automatic)
        asked = [reader for reader in readers().values() if format in (None, reader.name)]
        for reader in asked if _can_be_read(file, errors) else []:
            try:
                found = reader(file)
            except DatagenError as error:
                errors.append(error)
                found = []
            if found is None:
                continue
            if reader.name in paths:
                both = f"{quote(paths[reader.name])} and {quote(path)} are both of format {reader.name}"
                raise UsageError(f"{quote(source.path)}: {both}; give the one to read")
            paths[reader.name] = path
            videos += found
            break
    if errors:
        raise errors[0]
    return videos


def _can_be_read(file: Source, errors: list[DatagenError]) -> bool:
    """Say whether a file is JSON; what is wrong with it is added to the errors."""
    try:
        return file.json_file is not None
    except DatagenError as error:
        errors.append(error)
        return False


def find_videos_of_all(
    sources: str | Path | Iterable[str | Path],
    find: Callable[[str | Path], list[Video]] = find_videos,
    *,
    names: Iterable[str] | None = None,
    fps_of_source: float | None = None,
) -> list[Video]:
    """Find the videos of some sources, in their order, each once.

    Parameters
    ----------
    sources : path or iterable of path
        The sources.
    find : callable
        Finds those of one.
    names : iterable of str, optional
        Only videos of these names; by default all.
    fps_of_source : float, optional
        How many annotated frames make a second, where the annotations and what is known of them do not say.

    Returns
    -------
    list of Video

    Raises
    ------
    UsageError
        If a video of one name is in two places: a copy, or ground truth and results side by side; if there is no video
        of a name; if the rate is none.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_youtube_vis
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_youtube_vis(f"{folder}/train.json", videos=2)
    ...     [video.name for video in find_videos_of_all([f"{folder}/train.json"], names=["0000000002"])]
    ['0000000002']
    """
    from datagen.rates import RatedVideo, check_rate

    check_rate("fps_of_source", fps_of_source)
    videos: list[Video] = []
    places: dict[tuple[str, str], Path] = {}
    for source in sources_of(sources):
        new: dict[tuple[str, str], Path] = {}
        for video in find(source):
            key = (video.source, video.name)
            # In one file, annotations of a video need not stand together.
            if key in places or new.setdefault(key, video.path) != video.path:
                other = places.get(key) or new[key]
                raise UsageError(
                    f"{quote('/'.join(key))} is there twice: {quote(other)} and {quote(video.path)}; give one of them"
                )
            videos.append(video)
        places |= new
    if names is not None:
        videos = _named(videos, list(texts_of("names", names)))
    return videos if fps_of_source is None else [RatedVideo(video, fps_of_source) for video in videos]


def sources_of(sources: str | Path | Iterable[str | Path]) -> list[str | Path]:
    """Return one source or several as a list.

    Raises
    ------
    UsageError
        If they are neither a path nor paths, or none.

    Examples
    --------
    >>> sources_of("train.json")
    ['train.json']
    """
    if isinstance(sources, str | os.PathLike):
        return [sources]
    if not isinstance(sources, Iterable):
        raise UsageError(f"sources={shown(sources)}: must be a file or a folder, or several")
    if not (several := list(sources)):
        raise UsageError("no source given; name a file or folder of annotations")
    return several


def _named(videos: list[Video], names: list[str]) -> list[Video]:
    """Return the videos of some names."""
    there = sorted({video.name for video in videos})
    if missing := sorted(set(names).difference(there)):
        some = ", ".join(there[:_MOST_NAMES]) + (f" and {len(there) - _MOST_NAMES} more" if there[_MOST_NAMES:] else "")
        raise UsageError(f"no sequence {quote(', '.join(missing))} in the sources; there are {quote(some)}")
    return [video for video in videos if video.name in names]
