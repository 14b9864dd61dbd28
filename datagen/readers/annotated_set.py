"""What is said of a published data set of annotations."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AnnotatedSet"]


@dataclass(frozen=True)
class AnnotatedSet:
    """A published data set whose annotations a reader reads.

    Attributes
    ----------
    id : str
        What its tracks, tables and manifests call it, e.g. ``"kitti-mots"``.
    name, url, licence, citation : str
        As its authors have them; the licence is empty where they state none.
    frames_per_second : float or None
        How many annotated frames make a second; None where it differs from video to video or is not published.
    how_to_get : str
        What to do to have the annotations. They ask for a licence or a registration, so none is fetched.
    shares_its_form : bool
        Whether own data and those of other sets come in the same form, so that the form is no proof of the set.
    """

    id: str
    name: str
    url: str
    licence: str
    citation: str
    frames_per_second: float | None
    how_to_get: str
    shares_its_form: bool = False

    def described(self) -> dict[str, str]:
        """Return what a manifest says of it."""
        return {name: getattr(self, name) for name in ("id", "name", "url", "licence", "citation")}
