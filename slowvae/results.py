"""What scoring leaves: ``result.json``, with scores, the protocol that they are of, and how they came about."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from datagen import __version__
from datagen.errors import BadInputError, UsageError, counted, quote
from datagen.files import check_output
from datagen.fragments import fragment_html, value_text
from datagen.records import finite, read_record, write_record
from slowvae.intervals import interval_over_seeds
from slowvae.protocols import Protocol, padding_of
from slowvae.scores import head_of

__all__ = ["KIND", "Difference", "Result", "compare_results", "is_result", "read_result", "versions", "write_result"]

KIND = "datagen-result"
"""What ``result.json`` says it is, so that it is recognised among other JSON."""

_REMEDY = "remove it to score anew"

_MAX_SCORE = 1e6
"""No metric comes near it; beyond, a mean overflows."""
_ROUNDING = 1e-6
"""Scores may leave their range by so much."""
_HEAD = 1000
"""Bytes of a file in which a result says what it is."""


class Source(msgspec.Struct, frozen=True):
    """The dataset file that was scored on.

    Attributes
    ----------
    path : str or None
        As it was given; None of a dataset in memory.
    sha256 : str or None
        Of the file (`datagen.store.fingerprint`). The protocol has the hash of its content.
    """

    path: str | None
    sha256: str | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one entry: of a run's networks, of saved latents, of an encoder or a baseline.

    Attributes
    ----------
    name : str
        Of the entry.
    entry : {"run", "latents", "encoder", "floor", "ceiling"}
        What it is.
    protocol : Protocol
        What the scores depend on beside the networks.
    data : Source
        The file that was scored on.
    seeds : dict of str to dict
        Scores by the seed of the network and the metric: numbers, or a dict of several.
    factor_names, left_out : list of str
        The factors that were scored, and those that never change.
    mcc : dict or None
        Over the seeds: ``mean``, ``standard_deviation`` (None of a single one), ``seeds``, ``interval`` (95 %, of seeds
        and sequences together; see `slowvae.intervals`) and ``indicative``, which is true of a single seed.
    udr : dict of str to float, or None
        By seed.
    resampled : dict of str to list of float
        The MCC of each seed on the same 200 draws of sequences, which make two results of one protocol comparable.
    not_measured : dict of str to str
        Metrics that were asked for by ``all`` and left out, and why.
    notes : list of str
        What a reader should know of the scores.
    settings : dict or None
        Of the run.
    iteration : int or None
        Of the run's newest checkpoint.
    checkpoints : dict of str to int
        The iteration that was scored of each seed, where it is another.
    latents : dict of str to str
        What tells the latents of each seed from others, where there is no run.
    tool, machine : str
        What computed them.
    versions : dict of str to str
        Of Python and the libraries.
    replaced : bool
        Whether scores of other networks stood in the file.
    """

    name: str
    entry: Literal["run", "latents", "encoder", "floor", "ceiling"]
    protocol: Protocol
    data: Source
    seeds: dict[str, dict[str, Any]]
    factor_names: list[str]
    left_out: list[str] = []
    mcc: dict[str, Any] | None = None
    udr: dict[str, float | None] | None = None
    resampled: dict[str, list[float]] = {}
    not_measured: dict[str, str] = {}
    notes: list[str] = []
    settings: dict[str, Any] | None = None
    iteration: int | None = None
    checkpoints: dict[str, int] = {}
    latents: dict[str, str] = {}
    tool: str = ""
    machine: str = ""
    versions: dict[str, str] = {}
    replaced: bool = False

    def __float__(self) -> float:
        """Return the mean MCC, or that of the only metric."""
        names = sorted({name for scores in self.seeds.values() for name in scores})
        name = "mcc" if "mcc" in names else names[0] if len(names) == 1 else None
        if name is None:
            raise UsageError(f"several metrics were scored and no mcc; take result.score of {', '.join(names)}")
        return self.score(name)

    def __repr__(self) -> str:
        names = dict.fromkeys(name for scores in self.seeds.values() for name in scores)
        shown = ", ".join(f"{name} {self.score(name):.3f}" for name in names if self.by_seed(name))
        seeds = counted(len(self.seeds), "seed")
        return f"Result({self.name!r}, protocol {self.protocol.id}, {seeds}: {shown})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a line for each metric, with the scores of each seed, and the protocol."""
        scored = [name for scores in self.seeds.values() for name in scores]
        rows = []
        for name in dict.fromkeys([*scored, "udr"]):
            values = self.by_seed(name)
            if values:
                by_seed = ", ".join(f"{seed}: {value_text(value)}" for seed, value in values.items())
                rows.append((name, value_text(self.score(name)), value_text(self.interval(name)), by_seed))
        notes = [f"protocol {self.protocol.id}: {self.protocol.describe()}", *self.notes]
        return fragment_html(self.name, ["metric", "score", "95 % interval", "by seed"], rows, notes)

    def by_seed(self, metric: str) -> dict[str, float]:
        """Return the number that stands for a metric, by seed; of those that have it."""
        found = {}
        values: dict[str, Any] = {seed: scores.get(metric) for seed, scores in self.seeds.items()}
        if metric == "udr":
            values = dict(self.udr or {})
        for seed, value in values.items():
            number = value.get(head_of(value)) if isinstance(value, dict) else value
            if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= _MAX_SCORE:
                found[seed] = float(number)
        return found

    def score(self, metric: str = "mcc") -> float:
        """Return the mean of a metric over the seeds.

        Raises
        ------
        UsageError
            If it was not scored.
        """
        values = self.by_seed(metric)
        if not values:
            raise UsageError(f"{self.name}: {metric} was not scored")
        return float(np.mean(list(values.values())))

    def interval(self, metric: str = "mcc") -> tuple[float, float] | None:
        """Return the 95 % interval of a metric's mean: seeds drawn and, of the MCC, sequences too; None if unknown.

        It is cut to the values that the metric can have.
        """
        values = self.by_seed(metric)
        if not values:
            return None
        found = interval_over_seeds(list(values.values()), self._draws(metric, list(values)))
        if found is None:
            return None
        from slowvae.metrics import METRICS  # which takes longer to import than a board of results to make

        known = METRICS.get(metric)  # a result of another version may have others
        return max(found[0], 0.0) if known is not None and known.bounded else found[0], min(found[1], 1.0)

    def _draws(self, metric: str, seeds: list[str]) -> list[list[float]] | None:
        """Return the MCC of some seeds on the draws of sequences, where all of them have it."""
        draws = [self.resampled.get(seed, []) for seed in seeds]
        good = metric == "mcc" and len({len(each) for each in draws}) == 1 and draws[0]
        return draws if good else None

    def to_json(self) -> dict[str, Any]:
        """Return all of it in JSON types; what is empty is left out."""
        fields = {"kind": KIND, **msgspec.to_builtins(self), "protocol": self.protocol.to_json()}
        needless = (
            "udr",
            "mcc",
            "settings",
            "iteration",
            "not_measured",
            "notes",
            "checkpoints",
            "latents",
            "resampled",
        )
        return finite(
            {
                name: value
                for name, value in fields.items()
                if not (name in (*needless, "replaced") and value in (None, {}, [], False))
            }
        )


class _Kind(msgspec.Struct):
    kind: str | None = None


class _Tagged(Result, frozen=True, kw_only=True, tag=KIND, tag_field="kind"):
    """A result as its file has it; the protocol is read apart, since its id stands among its fields."""

    protocol: dict[str, Any]  # type: ignore[assignment]


def summary(result: Result) -> dict[str, Any] | None:
    """Return what stands under ``mcc``: its mean over the seeds and its interval; None where it was not scored."""
    values = list(result.by_seed("mcc").values())
    if not values:
        return None
    interval = result.interval("mcc")
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "seeds": len(values),
        "interval": None if interval is None else list(interval),
        "indicative": len(values) == 1,
    }


def read_result(path: str | Path) -> Result:
    """Read a result.

    Raises
    ------
    UsageError
        If there is no such file.
    BadInputError
        If it is damaged, or no result, or its protocol is not the one that its id is of.
    """
    record = read_record(path, _Tagged, _REMEDY)
    fields = dict(record.protocol)
    claimed, padding = fields.pop("id", None), fields.pop("padding", None)
    try:
        protocol = msgspec.convert(fields, Protocol)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInputError(path, f"is damaged ({error}); {_REMEDY}", "protocol") from None
    if (claimed, padding) != (protocol.id, padding_of(protocol.variant)):
        raise BadInputError(path, f"its id {claimed!r:.20} is not that of its protocol; {_REMEDY}", "protocol")
    if not record.seeds:
        raise BadInputError(path, f"holds no scores; {_REMEDY}", "seeds")
    _check_scores(path, record.seeds)
    if any(
        len(draws) > 10_000 or not all(abs(each) <= _MAX_SCORE for each in draws) for draws in record.resampled.values()
    ):
        raise BadInputError(path, f"is damaged; {_REMEDY}", "resampled")
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return Result(**{**values, "protocol": protocol})


def _check_scores(path: str | Path, seeds: dict[str, dict[str, Any]]) -> None:
    """Refuse what is no score, or one that its metric cannot have."""
    from slowvae.metrics import METRICS

    for seed, scores in seeds.items():
        if not (seed.isascii() and seed.isdecimal()):
            raise BadInputError(path, f"is damaged ({quote(seed)!r} is no seed); {_REMEDY}", "seeds")
        for name, value in scores.items():
            number = value.get(head_of(value)) if isinstance(value, dict) else value
            if number is None and not (isinstance(value, dict) and head_of(value) is None):
                continue  # one that is not finite, which JSON cannot hold
            least, most = -_MAX_SCORE, _MAX_SCORE
            if name in METRICS:  # a result of another version may have others
                least, most = (-_ROUNDING if METRICS[name].bounded else least), 1 + _ROUNDING
            good = isinstance(number, int | float) and not isinstance(number, bool) and least <= number <= most
            if not good:
                what = f"is damaged ({quote(str(value))} is no score of {quote(name)})"
                raise BadInputError(path, f"{what}; {_REMEDY}", f"seeds.{seed}")


def is_result(path: Path) -> bool:
    """Say whether a JSON file says of itself that it is a result, or did before it was damaged."""
    try:
        return read_record(path, _Kind, "").kind == KIND
    except BadInputError:
        with path.open("rb") as stream:
            return path.name == "result.json" or KIND.encode() in stream.read(_HEAD)


def write_result(result: Result, path: str | Path, overwrite: bool = False) -> Result:
    """Write a result, whole or not at all, with what its file held before of the same networks and protocol.

    Where the file holds scores of another protocol, these move to ``result-<id>.json`` beside it, and come back when
    that protocol is asked for again: a protocol's scores are never lost to another's.

    Parameters
    ----------
    result : Result
        What was scored now.
    path : str or Path
        The file.
    overwrite : bool
        Whether scores of other networks, or another entry, may be replaced; `Result.replaced` then says so.

    Returns
    -------
    Result
        What the file holds now.

    Raises
    ------
    UsageError
        If the file holds another entry's scores and may not be overwritten, or is no result, or no ``.json``.
    BadInputError
        If it is damaged.
    """
    path = check_output(path, overwrite=True)
    if path.suffix.lower() != ".json":
        raise UsageError(f"{path}: a result is written as .json")
    if path.exists() and not is_result(path):
        raise UsageError(f"{path}: is another file and no result; give another name")
    before = read_result(path) if path.exists() else None
    aside = _aside(path, result.protocol)
    if before is not None and before.protocol.id != result.protocol.id:
        if before.name == result.name:
            path.replace(_aside(path, before.protocol))
        elif not overwrite:
            raise UsageError(f"{path}: holds scores of {before.name}; pass --overwrite to replace them")
        before = None
    if before is None and aside.exists():
        before = read_result(aside)
    if before is not None:
        if _same(before, result):
            result = _merged(before, result)
        elif not overwrite:
            raise UsageError(f"{path}: holds scores of other latents ({before.name}); pass --overwrite to replace them")
        else:
            result = msgspec.structs.replace(result, replaced=True)
    write_record(path, result.to_json())
    aside.unlink(missing_ok=True)
    return result


def _aside(path: Path, protocol: Protocol) -> Path:
    return path.with_name(f"{path.stem}-{protocol.id}.json")


def _same(before: Result, now: Result) -> bool:
    """Say whether two results are of the same networks."""
    return (before.entry, before.iteration, before.checkpoints, before.latents, before.seeds.keys()) == (
        now.entry,
        now.iteration,
        now.checkpoints,
        now.latents,
        now.seeds.keys(),
    )


def _merged(before: Result, now: Result) -> Result:
    """Return the scores of both, the later ones where both have some."""
    merged = msgspec.structs.replace(
        now,
        seeds={seed: {**before.seeds[seed], **scores} for seed, scores in now.seeds.items()},
        udr=before.udr if now.udr is None else now.udr,
        resampled=now.resampled or before.resampled,
    )
    scored = {name for scores in merged.seeds.values() for name in scores}
    reasons = {name: why for name, why in {**before.not_measured, **now.not_measured}.items() if name not in scored}
    return msgspec.structs.replace(merged, mcc=summary(merged), not_measured=reasons)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that scores may depend on."""
    found = {"datagen": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "torch", "scikit-learn"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


class Difference(msgspec.Struct, frozen=True):
    """How far one entry is ahead of another, seed by seed.

    Attributes
    ----------
    mean : float
        Of the differences.
    interval : tuple of float, or None
        95 %; seeds and, of the MCC, sequences drawn, the same for both.
    seeds : list of str
        Those that both have.
    """

    mean: float
    interval: tuple[float, float] | None
    seeds: list[str]

    @property
    def indicative(self) -> bool:
        """Whether it rests on a single seed."""
        return len(self.seeds) < 2


def compare_results(one: Result, other: Result, metric: str = "mcc") -> Difference | None:
    """Compare two entries on the seeds that both have.

    Parameters
    ----------
    one, other : Result
        Of one protocol.
    metric : str
        What to compare.

    Returns
    -------
    Difference or None
        Of `one` less `other`; None if they share no seed.

    Raises
    ------
    UsageError
        If their protocols differ.
    """
    if one.protocol.id != other.protocol.id:
        raise UsageError(
            f"{one.name} and {other.name} were scored by different protocols, {one.protocol.id} and "
            f"{other.protocol.id}: they do not compare"
        )
    mine, theirs = one.by_seed(metric), other.by_seed(metric)
    seeds = [seed for seed in mine if seed in theirs]
    if not seeds:
        return None
    differences = [mine[seed] - theirs[seed] for seed in seeds]
    mine_drawn, theirs_drawn = one._draws(metric, seeds), other._draws(metric, seeds)
    resampled = None
    if mine_drawn and theirs_drawn and len(mine_drawn[0]) == len(theirs_drawn[0]):
        resampled = np.subtract(mine_drawn, theirs_drawn)
    return Difference(float(np.mean(differences)), interval_over_seeds(differences, resampled), seeds)
