"""Croissant 1.1: a dataset's description that machines read (https://docs.mlcommons.org/croissant/).

Besides the core it has the fields of the vocabulary for responsible AI (RAI 1.0).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datagen.files import sha256_file
from datagen.releases.cards import Description, licence_url
from datagen.releases.frames import Frames
from datagen.releases.registry import PAPER

__all__ = ["croissant"]

_CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]

# The context of the specification's appendix 1, with the prefix of the RAI vocabulary.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_MEDIA_TYPES = {
    ".npz": "application/zip",
    ".h5": "application/x-hdf5",
    ".parquet": "application/x-parquet",
    ".tar": "application/x-tar",
}
_DATA_TYPES = {"string": "sc:Text", "int64": "sc:Integer", "float32": "sc:Float"}


def croissant(description: Description, frames: Frames, folder: Path, parquet: str) -> dict[str, Any]:
    """Describe a package.

    Parameters
    ----------
    description : Description
        What there is to say of the dataset.
    frames : Frames
        The rows of the parquet file; they are the records.
    folder : Path
        The folder with the data files, which are named and hashed.
    parquet : str
        The name of the parquet file.

    Returns
    -------
    dict
        To be written as JSON beside the files.
    """
    release = description.release
    based_on = [source["url"] for source in description.sources if source["url"]]
    if release is not None:
        based_on += [release.url] * (not description.published) + [PAPER.url]
    files = sorted(path for path in folder.iterdir() if path.suffix in _MEDIA_TYPES)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": description.name,
        "alternateName": description.title,
        "description": description.summary,
        "license": [licence_url(licence) for licence in description.licences],
        **({"url": release.url} if release is not None and description.published else {}),
        "isBasedOn": list(dict.fromkeys(based_on)),
        "creator": [
            {
                "@type": "sc:Person" if creator.given else "sc:Organization",
                "name": creator.name,
                **({"identifier": f"https://orcid.org/{creator.orcid}"} if creator.orcid else {}),
            }
            for creator in description.creators
        ],
        **({} if description.date is None else {"datePublished": description.date}),
        "version": description.version,
        "keywords": list(description.keywords),
        "citeAs": PAPER.bibtex if release is not None else "; ".join(map(_citation, description.sources)),
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": path.name,
                "name": path.name,
                "contentUrl": path.name,
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": _MEDIA_TYPES[path.suffix],
                "sha256": sha256_file(path),
            }
            for path in files
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "frames",
                "name": "frames",
                "description": "A record is a frame; those of a sequence follow each other.",
                "key": [{"@id": "frames/sequence"}, {"@id": "frames/step"}],
                "field": _fields(frames, parquet),
            }
        ],
        "rai:dataCollection": " ".join(description.made),
        "rai:dataCollectionType": ["Secondary Data analysis"],
        "rai:dataCollectionRawData": "; ".join(
            ", ".join(filter(None, [each["name"], each["url"]])) for each in description.sources
        ),
        "rai:dataPreprocessingProtocol": list(description.made),
        "rai:dataAnnotationProtocol": [f"As {each['name']}: {_citation(each)}" for each in description.sources],
        "rai:dataBiases": list(description.limits[:1]),
        "rai:dataLimitations": list(description.limits),
        "rai:dataUseCases": list(description.uses),
        "rai:personalSensitiveInformation": [description.people],
        "rai:dataReleaseMaintenancePlan": "Versions are not changed; a correction is a new version.",
    }


def _citation(source: dict[str, str]) -> str:
    return source["citation"] or source["name"]


def _fields(frames: Frames, parquet: str) -> list[dict[str, Any]]:
    def field(name: str, kind: str, description: str, **source: Any) -> dict[str, Any]:
        extract = {"fileObject": {"@id": parquet}, "extract": {"column": name}, **source}
        return {
            "@type": "cr:Field",
            "@id": f"frames/{name}",
            "name": name,
            "description": description,
            "dataType": kind,
            "source": extract,
        }

    fields = [field(name, _DATA_TYPES[each.kind], each.description) for name, each in frames.columns.items()]
    if frames.images is None:
        return fields
    # The column is a struct of the PNG's bytes and a path.
    return [field("image", "sc:ImageObject", "The frame.", transform={"jsonPath": "bytes"}), *fields]
