"""What training shows of a dataset: whether a sparse temporal prior recovers its factors better than doing without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datagen.arguments import check_choice
from datagen.checks import STILL, Check, Status, control_order, order_in_time
from datagen.errors import UsageError, counted
from datagen.grids.pairs import second_images
from datagen.pairs import first_frames
from slowvae import metrics
from slowvae.batches import Frames
from slowvae.evaluation import encode_all
from slowvae.figures import traversals
from slowvae.intervals import interval_over_seeds
from slowvae.model import VAE, Encoder
from slowvae.runs import DataFile, build, read_log
from slowvae.settings import BASELINES, Settings, baselines_of, model_class
from slowvae.trainer import train

__all__ = ["Comparison", "Examples", "compare", "mean_mcc", "pixel_components"]

_ENOUGH_SEEDS = 3
_SCORED = 10_000
"""Frames that are scored at most, as many as the MCC takes."""
_PAIRS = 5000
"""Neighbours whose latents are compared at most."""


@dataclass(frozen=True)
class Examples:
    """What one network does, to be drawn.

    Attributes
    ----------
    samples : ndarray of uint8, shape (2, M, H, W, C)
        M frames of the data, and the frame after each; of a grid, one that its prior draws.
    traversals : ndarray of uint8, shape (40, 4, Z, H, W, C), or None
        See `slowvae.figures.traversals`; None of a network that does not decode.
    latents : ndarray of float32, shape (M, Z)
        Of the frames that were scored.
    factors : ndarray of float32, shape (M, K)
        Those that change.
    factor_names : tuple of str
        Their names.
    correlation : ndarray of float64, shape (K, Z)
        Of factors and latents, as the score has it.
    assignment : ndarray of int64, shape (K,)
        The latent assigned to each factor.
    """

    samples: NDArray[np.uint8]
    traversals: NDArray[np.uint8] | None
    latents: NDArray[np.float32]
    factors: NDArray[np.float32]
    factor_names: tuple[str, ...]
    correlation: NDArray[np.float64]
    assignment: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """A model and its baselines, trained with the same seeds and as long.

    Attributes
    ----------
    findings : list of Check
        One per baseline, and ``order in time, as learned``.
    scores : dict of str to dict of int to MCC
        By name (the model's first) and seed.
    curves : dict of str to list of dict
        The log of every training, by name.
    examples : Examples
        What the model of the first seed does.
    """

    findings: list[Check]
    scores: dict[str, dict[int, metrics.MCC]]
    curves: dict[str, list[dict[str, float]]]
    examples: Examples


def compare(
    frames: Frames,
    settings: Settings,
    folder: Path,
    baselines: Sequence[str] | None = None,
    dataset: DataFile | None = None,
    show_progress: bool = False,
) -> Comparison:
    """Train a model and its baselines and compare what they recover.

    Scores are rectangular MCCs on the same frames, at most 10,000. The interval of a difference covers sequences, which
    are drawn for both alike, and trainings (`slowvae.intervals.interval_over_seeds`); that of one seed knows nothing of
    other trainings and is indicative.

    A baseline must be beaten with the whole interval, or the check fails. With fewer than three seeds ``beta-vae`` and
    ``uniform``, which are trained too, cannot fail it but warn: trainings differ by their start alone by some 0.05,
    which one or two cannot know. ``shuffled`` is only noted where it is not beaten: large sparse changes teach a
    network, too. What has the power to tell ordered frames from shuffled ones is another check: the distance of
    neighbours in the latents that were learned.

    Parameters
    ----------
    frames : Frames
        The data, on the device to train on.
    settings : Settings
        Of the model; baselines take what applies to them.
    folder : Path
        Where the runs go, one per trained name. Runs that are there already are gone on with.
    baselines : sequence of str, optional
        Of `slowvae.settings.BASELINES`; by default all that apply.
    dataset : DataFile, optional
        Where the data come from, for the record.
    show_progress : bool
        Whether to draw bars.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If a baseline is unknown, or no factor changes.
    DatagenError
        As `slowvae.trainer.train`.
    """
    baselines = baselines_of(settings) if baselines is None else baselines
    for name in baselines:
        check_choice("baseline", name, BASELINES)
        if name not in baselines_of(settings):
            raise UsageError("the baseline uniform is of a grid whose pairs another prior draws")
    factors, factor_names = frames.dataset.changing_factors()
    if not factor_names:
        raise UsageError("no factor of the file changes; there is nothing to recover")
    device = frames.device

    curves: dict[str, list[dict[str, float]]] = {}

    def trained(name: str, settings: Settings, data: Frames) -> dict[int, Encoder]:
        networks = train(data, settings, folder / name, dataset, resume=True, show_progress=show_progress)
        if rows := read_log(folder / name):  # none where the run was shorter than a log interval
            curves[name] = rows
        return networks

    rows = np.sort(np.random.default_rng(0).permutation(len(frames))[:_SCORED])

    def latents_of(networks: dict[int, Encoder]) -> dict[int, NDArray[np.float32]]:
        return {seed: encode_all(network.to(device), frames, rows=rows) for seed, network in networks.items()}

    networks = trained(settings.model, settings, frames)
    latents = {settings.model: latents_of(networks)}
    for name in baselines:
        if name == "untrained":
            shape = frames.image_shape
            latents[name] = latents_of({s: build(settings, (s,), *shape[:2]) for s in settings.seeds})
        elif name == "pca":
            components = pixel_components(frames, settings.z_dim)[rows]
            latents[name] = dict.fromkeys(settings.seeds, components)
        elif name == "uniform":
            other = replace(settings, prior="uniform", prior_rate=None, prior_transitions=None)
            latents[name] = latents_of(trained(name, other, frames))
        elif name == "beta-vae":
            other = replace(settings, model=name, **model_class(name).published)
            latents[name] = latents_of(trained(name, other, frames))
        else:
            latents[name] = latents_of(trained(name, settings, frames.shuffled(0)))
    groups = frames.dataset.sequence_of_frame()[rows]
    scores = {
        name: {s: metrics.mcc(z, factors[rows], protocol="rectangular", groups=groups) for s, z in by_seed.items()}
        for name, by_seed in latents.items()
    }
    findings = [_difference(settings.model, name, scores, settings.seeds) for name in baselines]
    if settings.prior is None:
        findings.append(_learned_order(networks, frames))
    seed = settings.seeds[0]
    shown = scores[settings.model][seed]
    examples = _examples(frames, settings, networks[seed], latents[settings.model][seed], factors[rows], shown)
    return Comparison(findings, scores, curves, examples)


def _examples(
    frames: Frames,
    settings: Settings,
    network: Encoder,
    latents: NDArray[np.float32],
    factors: NDArray[np.float32],
    score: metrics.MCC,
) -> Examples:
    starts, _, _ = first_frames(frames.dataset.offsets, reach=1 if settings.prior is None else 0)
    rng = np.random.default_rng(0)
    rows = rng.choice(starts, min(16, len(starts)), replace=False)
    prior = settings.make_prior()
    others = rows + 1 if prior is None else second_images(rows, frames.dataset, prior, rng)
    samples = [frames.at(torch.from_numpy(each)).cpu().numpy() * 255 for each in (rows, others)]
    moved = None
    if isinstance(network, VAE):
        moved = traversals(network, latents, encode_all(network, frames, rows=rows[:4]))
    names = frames.dataset.changing_factors()[1]
    drawn = np.moveaxis(np.stack(samples), 2, -1).astype(np.uint8)
    return Examples(drawn, moved, latents, factors, names, score.correlation, score.assignment)


def pixel_components(frames: Frames, number: int, fitted_on: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Return the first principal components of the pixels of all frames, (N, number), from 5,000 of the frames.

    These are drawn from `fitted_on`, by default from all.
    """
    drawn = np.random.default_rng(0).permutation(len(frames) if fitted_on is None else fitted_on)[:5000]
    rows = torch.from_numpy(drawn).to(frames.device)
    sample = frames.at(rows).flatten(1)
    mean = sample.mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # More components than needed: the last of a randomised decomposition are not exact.
        _, _, axes = torch.pca_lowrank(sample - mean, q=min(number + 10, *sample.shape), center=False)
    parts = (frames.at(slice(first, first + 2000)).flatten(1) - mean for first in range(0, len(frames), 2000))
    return torch.cat([part @ axes[:, :number] for part in parts]).cpu().numpy()


def mean_mcc(scores: dict[int, metrics.MCC]) -> dict[str, Any]:
    """Return the mean MCC of trainings by their seeds, and all that it depends on.

    Returns
    -------
    dict
        ``score``, ``interval`` (over seeds and sequences), ``protocol``, ``method``, ``n`` (frames), ``seeds``, and
        ``indicative``: whether the interval is of a single training. JSON types only.
    """
    each = list(scores.values())
    interval = interval_over_seeds([one.score for one in each], np.stack([one.resampled for one in each]))
    return {
        "score": float(np.mean([one.score for one in each])),
        "interval": None if interval is None else [float(limit) for limit in np.clip(interval, 0, 1)],
        "protocol": each[0].protocol,
        "method": each[0].method,
        "n": each[0].n,
        "seeds": list(scores),
        "indicative": len(each) == 1,
    }


def _difference(model: str, baseline: str, scores: dict[str, dict[int, metrics.MCC]], seeds: Sequence[int]) -> Check:
    """Compare the MCC of a model with that of a baseline, seed by seed."""
    mine, theirs = ([scores[name][seed] for seed in seeds] for name in (model, baseline))
    differences = [a.score - b.score for a, b in zip(mine, theirs, strict=True)]
    resampled = np.stack([a.resampled - b.resampled for a, b in zip(mine, theirs, strict=True)])  # (seeds, resamples)
    interval = interval_over_seeds(differences, resampled)
    assert interval is not None  # sequences were drawn
    (low, high), figure = interval, float(np.mean(differences))
    of_seeds = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    detail = (
        f"MCC ({mine[0].protocol}, {mine[0].method}, {of_seeds}) {np.mean([a.score for a in mine]):.3f} against "
        f"{np.mean([b.score for b in theirs]):.3f}: {figure:+.3f}, 95 % {low:+.3f} to {high:+.3f}"
    )
    if len(seeds) == 1:
        detail += ", indicative: other trainings differ"
    status: Status = "pass" if low > 0 else "fail"
    if status == "fail" and baseline == "shuffled":
        status = "note"
        detail = f"not distinguished from training on shuffled frames by its {detail}; see the order in time"
    elif status == "fail" and baseline in ("beta-vae", "uniform") and len(seeds) < _ENOUGH_SEEDS:
        status, detail = "warn", f"{detail}; {_ENOUGH_SEEDS} seeds or more can tell"
    return Check(f"factors recovered, against {baseline}", status, figure, detail)


def _learned_order(networks: dict[int, Encoder], frames: Frames) -> Check:
    """Check that learned latents move less between neighbouring frames than between the same frames in random order.

    The order of the pairs is exchanged within one network, so training noise cannot make a difference where the file
    has none.
    """
    dataset = frames.dataset
    first, _, _ = first_frames(dataset.offsets)
    chosen = np.sort(np.random.default_rng(0).permutation(len(first))[:_PAIRS])
    one, other = control_order(dataset.offsets, 0)
    ends = np.stack([first[chosen], first[chosen] + 1, one[chosen], other[chosen]])  # (4, pairs)
    rows, places = np.unique(ends, return_inverse=True)
    places = places.reshape(ends.shape)
    latents = [encode_all(network.to(frames.device), frames, rows=rows) for network in networks.values()]
    near, far = (
        np.mean([np.abs(z[b] - z[a]).sum(axis=1) for z in latents], axis=0)[:, None]
        for a, b in ((places[0], places[1]), (places[2], places[3]))
    )
    status, *interval = order_in_time(near, far, dataset.sequence_of_frame()[first[chosen]], 0)
    ratio, low, high = (float(value[0]) for value in interval)
    detail = (
        f"latents of neighbours are {ratio:.2f} times as far apart as those of frames in random order, "
        f"95 % {low:.2f} to {high:.2f}; below {STILL} there is an order"
    )
    if status == "warn":
        detail += f"; {counted(len(chosen), 'pair')} cannot tell"
    return Check("order in time, as learned", status, ratio, detail)
