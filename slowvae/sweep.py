"""Searches of hyper-parameters: trials of several seeds each, ranked by UDR, which needs no labels.

sweep.json     what is searched, and of every trial that is done its values and scores, the best first
sweep.csv      the trials as a table
trials/0007/   a run each (`slowvae.runs`), with its scores
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen import __version__
from datagen.cluster import connected
from datagen.errors import (
    DatagenError,
    FailedCheckError,
    UsageError,
    choices_hint,
    shown,
    unknown_choice,
)
from datagen.files import atomic_path, check_folder
from datagen.progress import progress_bar
from datagen.records import read_record, write_record
from slowvae.device import find_device, use_threads
from slowvae.evaluation import describe_file, evaluate_run, load_frames, protocol_of
from slowvae.runs import locked
from slowvae.settings import Settings, model_class, settings_json
from slowvae.trainer import train

__all__ = [
    "MAX_TRIALS",
    "SEARCHES",
    "Grid",
    "Ranges",
    "RankCorrelation",
    "Search",
    "Sweep",
    "Trial",
    "search_named",
    "sweep",
]

MAX_TRIALS = 10_000
"""Of one search: each is a training."""

_REAL, _WHOLE = ("beta", "gamma", "rate", "learning_rate"), ("batch_size", "z_dim", "max_delta_t")
"""Settings that can be searched; `Ranges` takes those that are real numbers."""

_REMEDY = "move the folder away to begin anew"
_FEWEST = 5
"""Trials for a rank correlation: with four not even a perfect one is significant (2 of 24 orders)."""


@dataclass(frozen=True)
class Ranges:
    """A random search: every trial draws each of its values from a range, uniformly.

    Attributes
    ----------
    ranges : dict of str to (float, float)
        The least and the largest value of settings.
    trials : int
        How many.
    seed : int
        Trial i draws from (seed, i): it is the same however many there are.

    Examples
    --------
    >>> search = Ranges({"gamma": (1, 16)}, trials=20)
    >>> search.values(3) == Ranges({"gamma": (1, 16)}, trials=4).values(3)
    True
    """

    ranges: Mapping[str, tuple[float, float]]
    trials: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        _check_names(self.ranges, _REAL)
        for name, (low, high) in self.ranges.items():
            if not 0 <= low < high < np.inf:
                raise UsageError(
                    f"{name}={low:g}:{high:g}: must be a range from a lower to a higher number, at least 0"
                )
        if not 1 <= self.trials <= MAX_TRIALS:
            raise UsageError(f"{self.trials} trials: must be at least 1 and at most {MAX_TRIALS}")

    def values(self, trial: int) -> dict[str, Any]:
        """Return what a trial has for settings, by name."""
        rng = np.random.default_rng((self.seed, trial))
        return {name: float(rng.uniform(*self.ranges[name])) for name in sorted(self.ranges)}

    def describe(self) -> dict[str, Any]:
        """Return what tells this search from others, in JSON types."""
        return {"ranges": {name: [*map(float, self.ranges[name])] for name in sorted(self.ranges)}, "seed": self.seed}


@dataclass(frozen=True)
class Grid:
    """A search through all combinations of some values.

    Attributes
    ----------
    choices : dict of str to tuple of numbers
        The values of settings.

    Examples
    --------
    >>> search = Grid({"gamma": (1, 10), "rate": (6,)})
    >>> [search.values(trial) for trial in range(search.trials)]
    [{'gamma': 1, 'rate': 6}, {'gamma': 10, 'rate': 6}]
    """

    choices: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        _check_names(self.choices, _REAL + _WHOLE)
        for name, values in self.choices.items():
            if not values or len(set(values)) != len(values):
                raise UsageError(f"{name}: must be one or more values, each once")
        if self.trials > MAX_TRIALS:
            raise UsageError(f"the grid has {self.trials:,} combinations; at most {MAX_TRIALS:,} can be searched")

    @property
    def trials(self) -> int:
        """How many."""
        return prod(map(len, self.choices.values()))

    def values(self, trial: int) -> dict[str, Any]:
        """Return what a trial has for settings, by name."""
        names = sorted(self.choices)
        shape = [len(self.choices[name]) for name in names]
        return {name: self.choices[name][at] for name, at in zip(names, np.unravel_index(trial, shape), strict=True)}

    def describe(self) -> dict[str, Any]:
        """Return what tells this search from others, in JSON types."""
        return {"grid": {name: list(self.choices[name]) for name in sorted(self.choices)}}


Search = Ranges | Grid


def _check_names(names: Iterable[str], known: tuple[str, ...]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(f"{shown(unknown[0])} cannot be searched so; {choices_hint(unknown[0], known)}")
    if not names:
        raise UsageError(f"name a setting to search; there are {', '.join(known)}")


SEARCHES: dict[str, dict[str, dict[str, tuple[float, float]]]] = {
    "klindt2021": {"slowvae": {"gamma": (1, 16), "rate": (1, 10)}, "beta-vae": {"beta": (1, 16)}}
}
"""Published searches: by name, for each model its ranges."""


def search_named(name: str, model: str, trials: int = 20, seed: int = 0) -> Ranges:
    """Return a published search.

    Source: Klindt et al. 2021; SlowVAE is searched with beta 1.

    Parameters
    ----------
    name : str
        A key of `SEARCHES`.
    model : str
        Whose hyper-parameters are searched.
    trials, seed : int
        See `Ranges`.

    Raises
    ------
    UsageError
        If there is no such search, or it was none of this model.
    """
    if name not in SEARCHES:
        raise unknown_choice("search", name, SEARCHES)
    if model not in SEARCHES[name]:
        searched = ", ".join(SEARCHES[name])
        raise UsageError(f"the search {name} is of {searched}; say what is searched of {model} by ranges or a grid")
    return Ranges(SEARCHES[name][model], trials, seed)


class Trial(msgspec.Struct, frozen=True):
    """One setting, trained with every seed.

    Attributes
    ----------
    number : int
        From 0, in the order of the search.
    values : dict of str to int or float
        The settings in which trials differ.
    udr : float or None
        Mean over seeds; None where it could not be computed.
    mcc, mcc_deviation : float or None
        Mean and standard deviation (ddof = 1) over seeds. Nothing is chosen by it. None where there are fewer latents
        than factors.
    udr_of_seeds, mcc_of_seeds : dict of str to float or None
        By seed.
    protocol : str or None
        Id of the protocol of the MCC; the trial's ``result.json`` says what it stands for.
    failed : str or None
        Why there are no scores: the training was no longer finite.
    """

    number: int
    values: dict[str, int | float]
    udr: float | None = None
    mcc: float | None = None
    mcc_deviation: float | None = None
    udr_of_seeds: dict[str, float | None] = {}
    mcc_of_seeds: dict[str, float | None] = {}
    protocol: str | None = None
    failed: str | None = None

    @property
    def folder(self) -> str:
        """Name of its run's folder, seen from the search's."""
        return f"trials/{self.number:04}"


@dataclass(frozen=True)
class RankCorrelation:
    """Whether UDR puts trials into the order in which MCC puts them.

    Attributes
    ----------
    n : int
        Trials that have both.
    spearman : float or None
        Spearman's rank correlation; None for fewer than five trials, or where one of both is the same for all.
    p : float or None
        How often 9,999 random orders, and this one, correlate as far from 0.
    """

    n: int
    spearman: float | None
    p: float | None


@dataclass(frozen=True)
class Sweep:
    """A search as far as it is done.

    Attributes
    ----------
    folder : Path
    trials : list of Trial
        By UDR, the best first; last those without.
    rank_correlation : RankCorrelation
        Of UDR and MCC over the trials.
    """

    folder: Path
    trials: list[Trial]
    rank_correlation: RankCorrelation


class _SweepFile(msgspec.Struct):
    plan: dict[str, Any]
    trials: list[Trial]


def sweep(
    file: str | Path,
    folder: str | Path,
    search: Search,
    settings: Settings,
    device: str = "auto",
    scheduler: str | None = None,
    show_progress: bool = False,
    protocol: str | None = None,
) -> Sweep:
    """Train and score the trials of a search, and rank them.

    Parameters
    ----------
    file : str or Path
        The dataset.
    folder : str or Path
        Where the search goes; made if need be. A search that is there already is gone on with: trials that are done
        are not done again, and one that was interrupted goes on from its newest checkpoint.
    search : Ranges or Grid
        What is searched.
    settings : Settings
        What all trials share; several seeds, which UDR compares.
    device : str
        See `slowvae.device.find_device`; of every worker its own.
    scheduler : str, optional
        Address of a Dask scheduler, e.g. ``"tcp://head:8786"``. Each of its workers takes a trial at a time; where
        some have the resource ``GPU``, only those do. They must see `file` and `folder` under the same paths. Without
        one, the trials are done here, one after the other.
    show_progress : bool
        Whether to draw a bar.
    protocol : str, optional
        What trials are scored by; see `slowvae.evaluation.evaluate_run`. The settings must be those of its training
        (`slowvae.protocols.training_settings`).

    Returns
    -------
    Sweep

    Raises
    ------
    UsageError
        If the folder holds another search, or another process works there; if there is a single seed, or a setting is
        none of the model's, or the protocol asks for another training.
    DatagenError
        As `slowvae.trainer.train` and `datagen.store.load` do, but for trainings that are no longer finite, which are
        noted. What was done is kept.
    """
    if len(settings.seeds) < 2:
        raise UsageError("a search ranks by whether seeds agree (UDR); give two or more, e.g. 0,1,2")
    searched, kind = search.values(0), model_class(settings.model)
    for name in sorted((searched.keys() & {"beta", "gamma", "rate"}) - kind.published.keys()):
        raise UsageError(f"{settings.model} has no {name}; it has {', '.join(kind.published) or 'none of these'}")
    values = [search.values(number) for number in range(search.trials)]
    settings_of = [replace(settings, **each) for each in values]  # which says what cannot be
    for each in settings_of:
        protocol_of(each, protocol, "the search")
    trials = [Trial(number, each) for number, each in enumerate(values)]
    # Workers may have started in another folder.
    file, folder = Path(file).absolute(), Path(folder)
    plan = {
        "dataset": describe_file(file).sha256,
        "settings": {name: value for name, value in settings_json(settings).items() if name not in searched},
        "search": search.describe(),
    } | ({} if protocol is None else {"protocol": protocol})
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        done = {trial.number: trial for trial in _read(folder, plan)}
        common = (str(file), str(folder.absolute()), str(plan["dataset"]), device, protocol)
        tasks = [_Task(*common, trial, settings_of[trial.number]) for trial in trials if trial.number not in done]
        _write(folder, plan, done.values())
        if scheduler is None:
            results = _one_by_one(tasks, len(trials), show_progress)
        else:
            results = _on_workers(tasks, scheduler, show_progress)
        for trial in results:
            done[trial.number] = trial
            _write(folder, plan, done.values())
    return _ranked(folder, done.values())


@dataclass(frozen=True)
class _Task:
    """A trial to be done, wherever that is."""

    file: str
    folder: str
    sha256: str
    device: str
    protocol: str | None
    trial: Trial
    settings: Settings

    def run(self, label: str = "training", show_progress: bool = False, stop: threading.Event | None = None) -> Trial:
        """Train, or go on with it, and score."""
        device, folder = find_device(self.device), Path(self.folder) / self.trial.folder
        frames, described = load_frames(self.file, device)
        if described.sha256 != self.sha256:
            raise DatagenError(f"{self.file}: changed since the search began; {_REMEDY}")
        try:
            train(frames, self.settings, folder, described, True, show_progress, label, stop)
        except FailedCheckError as error:
            return msgspec.structs.replace(self.trial, failed=str(error))
        factors = len(frames.dataset.changing_factors()[1])
        labelled = 0 < factors <= self.settings.z_dim  # else there is no MCC, which nothing depends on
        del frames  # read again there; a device need not hold it twice
        settings = " ".join(f"{name}={value:.4g}" for name, value in self.trial.values.items())
        names = ("mcc", "udr") if labelled else ("udr",)
        result = evaluate_run(folder, device, names, self.protocol, name=f"{self.settings.model} {settings}")
        scores = result.to_json()
        agreement = [value for value in scores["udr"].values() if value is not None]
        trial = msgspec.structs.replace(
            self.trial, udr=float(np.mean(agreement)) if agreement else None, udr_of_seeds=scores["udr"]
        )
        if not labelled:
            return trial
        return msgspec.structs.replace(
            trial,
            mcc=scores["mcc"]["mean"],
            mcc_deviation=scores["mcc"]["standard_deviation"],
            mcc_of_seeds={seed: each["mcc"]["score"] for seed, each in scores["seeds"].items()},
            protocol=result.protocol.id,
        )


def _one_by_one(tasks: list[_Task], trials: int, show_progress: bool) -> Iterator[Trial]:
    for task in tasks:
        yield task.run(f"trial {task.trial.number + 1} of {trials}", show_progress)


def _on_workers(tasks: list[_Task], scheduler: str, show_progress: bool) -> Iterator[Trial]:
    with connected(scheduler) as cluster:
        yield from progress_bar(cluster.each(_on_worker, tasks), "trials", len(tasks), show_progress)


def _on_worker(task: _Task, threads: int, stop: threading.Event) -> Trial:
    """Do a trial with all threads that a worker has."""
    use_threads(threads)
    return task.run(stop=stop)


def _read(folder: Path, plan: dict[str, Any]) -> list[Trial]:
    """Return the trials that are done, of the same search."""
    path = folder / "sweep.json"
    if not path.exists():
        if (folder / "run.json").exists():
            raise UsageError(f"{folder}: holds a run; give a search another folder")
        return []
    file = read_record(path, _SweepFile, _REMEDY)
    if file.plan != plan:
        different = [name for name in plan if file.plan.get(name) != plan[name]]
        what = ", ".join(_differences(file.plan, plan, different))
        raise UsageError(f"{folder}: holds another search ({what}); give this one another folder")
    return file.trials


def _differences(theirs: dict[str, Any], mine: dict[str, Any], names: list[str]) -> Iterator[str]:
    """Name what differs between two searches, the settings one by one."""
    for name in names:
        before = theirs.get(name)
        if name == "settings" and isinstance(before, dict):
            yield from sorted(k for k in {**mine[name], **before} if before.get(k) != mine[name].get(k))
        else:
            yield f"the {name}"


def _ranked(folder: Path, trials: Iterable[Trial]) -> Sweep:
    order = sorted(trials, key=lambda trial: (trial.udr is None, -(trial.udr or 0), trial.number))
    both = np.array([(trial.udr, trial.mcc) for trial in order if trial.udr is not None and trial.mcc is not None])
    return Sweep(folder, order, _rank_correlation(both.reshape(-1, 2)))


def _rank_correlation(scores: NDArray[np.float64]) -> RankCorrelation:
    """Correlate the ranks of two columns."""
    from scipy.stats import rankdata

    n = len(scores)
    ranks = rankdata(scores, axis=0) if n else scores
    if n < _FEWEST or (np.ptp(ranks, axis=0) == 0).any():
        return RankCorrelation(n, None, None)
    first, second = ((ranks - ranks.mean(0)) / (ranks.std(0) * np.sqrt(n))).T
    found = float(first @ second)
    shuffled = np.random.default_rng(0).permuted(np.tile(second, (9_999, 1)), axis=1) @ first
    as_far = np.count_nonzero(np.abs(shuffled) >= abs(found) - 1e-12)
    return RankCorrelation(n, found, float((1 + as_far) / (1 + len(shuffled))))


def _write(folder: Path, plan: dict[str, Any], trials: Iterable[Trial]) -> None:
    """Write what is done into ``sweep.json`` and ``sweep.csv``."""
    found = _ranked(folder, trials)
    rank = found.rank_correlation
    record = {
        "tool": f"datagen {__version__}",
        "plan": plan,
        "trials": [{**msgspec.to_builtins(trial), "folder": trial.folder} for trial in found.trials],
        "rank_correlation": {"of": ["udr", "mcc"], "n": rank.n, "spearman": rank.spearman, "p": rank.p},
    }
    names = list(found.trials[0].values) if found.trials else []
    with atomic_path(folder / "sweep.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["trial", *names, "udr", "mcc", "mcc_deviation", "seeds", "protocol", "folder", "failed"])
        for trial in found.trials:
            scores = (trial.udr, trial.mcc, trial.mcc_deviation, len(trial.udr_of_seeds), trial.protocol)
            writer.writerow([trial.number, *trial.values.values(), *scores, trial.folder, trial.failed])
    write_record(folder / "sweep.json", record)
