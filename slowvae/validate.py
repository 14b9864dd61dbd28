"""The end-to-end check of a dataset file: one verdict, and all that it rests on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from datagen import __version__
from datagen.arguments import check_choice
from datagen.checks import Check, check_file, summary, worst
from datagen.errors import UsageError
from datagen.store import fingerprint
from slowvae.settings import baselines_of, make_settings, settings_json

if TYPE_CHECKING:
    from slowvae.comparison import Examples

__all__ = ["BUDGETS", "Report", "validate"]

BUDGETS: dict[str, dict[str, Any]] = {
    "quick": {"preset": "quick", "iterations": 300},
    "paper": {"preset": "klindt2021"},
}
"""Name of a budget -> the preset of settings, and what differs. In the quick one three short trainings of each tell
more than a long one, whose interval knows nothing of other trainings (docs/results.md)."""


@dataclass(frozen=True)
class Report:
    """What `validate` found. JSON types only, but for `examples`.

    Attributes
    ----------
    file : str
        The dataset file.
    verdict : {"pass", "warn", "fail"}
        The worst of all checks; notes count as passed.
    findings : list of Check
        Every check.
    run : dict
        What was run on which machine and file: ``tool``, ``dataset`` (None of a file that cannot be read), and with
        training ``machine``, ``settings`` and ``baselines``.
    factor_names : list of str
        Of the factors that were scored.
    mcc : dict
        The mean MCC of the model and of each baseline, by name (`slowvae.comparison.mean_mcc`).
    scores : dict
        The MCC of the model and of each baseline, by name and seed: ``score``, ``interval`` (over sequences),
        ``correlation`` (K factors by Z latents), ``assignment`` (the latent of each factor).
    curves : dict
        The log of each training, by name.
    examples : Examples or None
        What the trained network does; None without training.
    """

    file: str
    verdict: Literal["pass", "warn", "fail"]
    findings: list[Check]
    run: dict[str, Any]
    factor_names: list[str]
    mcc: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, dict[str, Any]]]
    curves: dict[str, list[dict[str, float]]]
    examples: Examples | None

    @property
    def summary(self) -> str:
        """The verdict in a sentence."""
        return summary(self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return all but the examples, with the summary and what each check means."""
        answer = asdict(replace(self, examples=None))
        del answer["examples"]
        findings = [{**asdict(finding), "meaning": finding.meaning} for finding in self.findings]
        return {**answer, "summary": self.summary, "findings": findings}


def validate(
    path: str | Path,
    train: str | None = None,
    budget: str = "quick",
    seeds: Sequence[int] = (0, 1, 2),
    baselines: Sequence[str] | None = None,
    device: str = "auto",
    folder: str | Path | None = None,
    changes: dict[str, Any] | None = None,
    show_progress: bool = False,
) -> Report:
    """Check a dataset file, and if asked train on it.

    Parameters
    ----------
    path : str or Path
        The dataset file.
    train : str, optional
        A model of `slowvae.settings.MODELS` to train, with the baselines; see `slowvae.comparison.compare`. Nothing is
        trained if the file cannot be read.
    budget : {"quick", "paper"}
        How long.
    seeds : sequence of int
        Of the trainings, which run as one. A single one is indicative only.
    baselines : sequence of str, optional
        Of `slowvae.settings.BASELINES`; all that apply by default.
    device : str
        See `slowvae.device.find_device`.
    folder : str or Path, optional
        Where the runs are kept; an interrupted check goes on from them. By default they are thrown away.
    changes : dict, optional
        Settings that differ from the budget's.
    show_progress : bool
        Whether to draw bars.

    Returns
    -------
    Report

    Raises
    ------
    UsageError
        If there is no such file, a name is unknown, or the pairs do not fill a batch.
    DatagenError
        As the training does.
    """
    check_choice("budget", budget, list(BUDGETS))
    findings, dataset = check_file(path)
    run: dict[str, Any] = {"tool": f"datagen {__version__}"}
    if dataset is not None:
        run["dataset"] = {"path": str(path), "sha256": fingerprint(path)}
    mcc: dict[str, dict[str, Any]] = {}
    scores: dict[str, dict[str, dict[str, Any]]] = {}
    curves: dict[str, list[dict[str, float]]] = {}
    examples = None
    names: list[str] = []
    if train is not None and dataset is not None:
        from slowvae.batches import Frames, TooFewPairsError
        from slowvae.comparison import compare, mean_mcc
        from slowvae.device import describe, find_device
        from slowvae.runs import DataFile

        wanted = {**BUDGETS[budget], "seeds": tuple(seeds), **(changes or {})}
        settings = make_settings(model=train, **wanted)
        chosen = list(baselines if baselines is not None else baselines_of(settings))
        frames, described = Frames.of(dataset, find_device(device)), DataFile(**run["dataset"])
        with tempfile.TemporaryDirectory() as temporary:
            where = Path(folder) if folder is not None else Path(temporary)
            try:
                found = compare(frames, settings, where, chosen, described, show_progress)
            except TooFewPairsError as error:
                raise UsageError(
                    f"{path}: {error.problem}; take a file of more data, or check it without --train"
                ) from None
        findings += found.findings
        run |= {
            "machine": describe(frames.device),
            "settings": settings_json(settings),
            "baselines": chosen,
        }
        names = list(frames.dataset.changing_factors()[1])
        mcc = {name: mean_mcc(by_seed) for name, by_seed in found.scores.items()}
        scores = {
            name: {
                str(seed): {
                    "score": each.score,
                    "interval": list(each.interval or ()),
                    "correlation": each.correlation.tolist(),
                    "assignment": each.assignment.tolist(),
                }
                for seed, each in by_seed.items()
            }
            for name, by_seed in found.scores.items()
        }
        curves, examples = found.curves, found.examples
    return Report(str(path), worst(findings), findings, run, names, mcc, scores, curves, examples)
