"""Published releases: a registry, downloads, checksums, packages with their cards, deposits."""

from datagen.lazy import public_names
from datagen.releases.download import fetch, fetch_record, fetch_set
from datagen.releases.registry import RELEASES, Release, find_release

__all__ = ["RELEASES", "Release", "fetch", "fetch_record", "fetch_set", "find_release"]

__dir__ = public_names(__name__)
