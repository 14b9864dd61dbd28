"""Scores of encoders: of a run's networks, of anybody's encoder, of saved latents, of baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from datagen import __version__
from datagen.arguments import check_instance, texts_of
from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError, counted, quote
from datagen.files import as_path, check_output
from datagen.progress import progress_bar
from datagen.splits import split_frames
from datagen.store import content_hash, fingerprint, load
from slowvae import metrics
from slowvae.batches import Frames
from slowvae.checkpoints import Checkpoint, all_checkpoints, load_checkpoint
from slowvae.device import describe, find_device
from slowvae.encoders import Encodes, Latents, check_rows, digest, encode
from slowvae.metrics import METRICS
from slowvae.model import VAE, Encoder
from slowvae.protocols import NAMED, Protocol, make_protocol
from slowvae.results import Result, Source, read_result, summary, versions, write_result
from slowvae.runs import DataFile, Run, load_newest, network_of, read_run
from slowvae.scores import MAX_TRAIN, as_json, check_names, measure
from slowvae.settings import Settings, pairs_in_words, settings_json

__all__ = [
    "ALL",
    "Encoded",
    "Task",
    "departures",
    "describe_file",
    "encode_all",
    "evaluate",
    "evaluate_run",
    "fill_in",
    "load_frames",
    "protocol_of",
]

ALL = "all"
"""Stands for every metric that applies."""

_SPLIT_COLUMNS = ("source", "video", "object_id")


def load_frames(path: str | Path, device: torch.device) -> tuple[Frames, DataFile]:
    """Read a dataset file to the device, and return it with what `describe_file` says."""
    return Frames.of(load(path, lazy=True), device), describe_file(path)


def describe_file(path: str | Path) -> DataFile:
    """Say which file a run is trained on."""
    path = as_path(path, "file")
    return DataFile(str(path), fingerprint(path))


class Encoded(NamedTuple):
    """What a network makes of frames.

    Attributes
    ----------
    latents : ndarray of float32, shape (N, Z)
        The posterior means.
    divergence : ndarray of float64, shape (Z,), or None
        Kullback-Leibler divergence of each latent's posterior from a standard normal, in nats, the mean over the
        frames; None of a network that has no posterior.
    """

    latents: NDArray[np.float32]
    divergence: NDArray[np.float64] | None = None


def encode_all(
    network: Encoder, frames: Frames, batch_size: int = 500, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return the posterior means of all frames.

    Parameters
    ----------
    network : Encoder
        A single network, on the device of the frames.
    frames : Frames
    batch_size : int
        Frames at a time.
    rows : ndarray of int64, optional
        Only these frames.

    Returns
    -------
    ndarray of float32, shape (N, Z)
    """
    return _encode(network, frames, batch_size, rows).latents


@torch.no_grad()
def _encode(network: Encoder, frames: Frames, batch_size: int = 500, rows: NDArray[np.int64] | None = None) -> Encoded:
    """Return the latents of frames, as `encode_all` does, and how much each of them says."""
    if rows is None:
        places: list[Any] = [slice(first, first + batch_size) for first in range(0, len(frames), batch_size)]
    else:
        places = list(torch.from_numpy(rows).split(batch_size))
    means, divergences = [], []
    for place in places:
        mu, logvar = network.encode(frames.at(place))
        means.append(mu)
        divergences.append((mu.square() + logvar.exp() - logvar - 1).sum(dim=0) / 2)
    latents = torch.cat(means).cpu().numpy()
    if not isinstance(network, VAE):
        return Encoded(latents)
    return Encoded(latents, torch.stack(divergences).double().sum(dim=0).cpu().numpy() / len(latents))


class Task:
    """What is scored, on which frames, by which metrics; all of it checked before anything is encoded.

    Parameters
    ----------
    dataset : Sequences
        With its images, if it has some: they count in its hash, and are let go of then.
    names : iterable of str
        Of `METRICS`, or ``"all"``.
    protocol : Protocol
        Its dataset need not be filled in.
    num_networks : int
        How many will be scored.
    """

    def __init__(self, dataset: Sequences, names: Iterable[str], protocol: Protocol, num_networks: int) -> None:
        self.dataset, self.not_measured = replace(dataset, images=None), dict[str, str]()
        self.everything = ALL in (names := list(texts_of("metrics", names)))
        self.names = _names(names, dataset.is_discrete, num_networks, self.not_measured)
        self.rows = split_frames(dataset, protocol.part, protocol.split, protocol.split_seed)
        if not len(self.rows):
            raise UsageError(f"the split {protocol.split} leaves nothing for {protocol.part}: too little to split")
        columns = () if protocol.split == "release" else _SPLIT_COLUMNS
        self.protocol = msgspec.structs.replace(protocol, dataset=content_hash(dataset, columns))
        self._find_factors()

    def only(self, indices: NDArray[np.int64]) -> None:
        """Score only some frames of the part, as far as these are in it."""
        kept = np.intersect1d(self.rows, indices)
        if len(kept) == len(self.rows):
            return
        if not len(kept):
            raise UsageError(
                f"the part that is scored ({self.protocol.describe()}) has no frame that all latents are of"
            )
        self.rows = kept
        chosen = hashlib.sha256(kept.astype("<i8").tobytes()).hexdigest()[:8]
        self.protocol = msgspec.structs.replace(self.protocol, rows=chosen)
        self._find_factors()

    def _find_factors(self) -> None:
        factors = self.dataset.factors[self.rows]
        bad = ~np.isfinite(factors).all(axis=1)
        if bad.any():
            raise DatagenError(f"the factors of frame {self.rows[np.argmax(bad)]} are not finite ({bad.sum()} frames)")
        scored = np.array([factor.scored for factor in self.dataset.factor_info])
        changing = scored & (np.ptp(factors, axis=0) > 0)
        self.factors = factors[:, changing]
        names = np.array(self.dataset.factor_names)
        self.factor_names: list[str] = names[changing].tolist()
        self.left_out: list[str] = names[~changing].tolist()
        if not self.factor_names and self.names != ["udr"]:
            raise UsageError("no factor of the frames to be scored changes; there is nothing to recover")
        self.groups = self.dataset.sequence_of_frame()[self.rows]

    def check_width(self, width: int, name: str) -> None:
        """Refuse fewer latents than factors where these are assigned to each other."""
        needy = [metric for metric in self.names if metric in ("mcc", "block-mcc")]
        if needy and width < self.factors.shape[1] and not self.everything:
            number = self.factors.shape[1]
            raise UsageError(f"{name}: {width} latents for {number} factors; {needy[0]} needs one for each")

    def scores(self, encoded: Mapping[str, Encoded]) -> dict[str, Any]:
        """Score latents of the rows by seed, and return what a `Result` holds of that."""
        latents = {seed: each.latents for seed, each in encoded.items()}
        seeds: dict[str, dict[str, Any]] = {seed: {} for seed in latents}
        resampled: dict[str, list[float]] = {}
        for name in (each for each in self.names if METRICS[each].score):
            for seed, z in latents.items():
                with self._reasons(name, seeds):
                    found = self.measure(name, z)
                    seeds[seed] |= as_json(found)
                    if name == "mcc":
                        resampled[seed] = [float(f"{each:.7g}") for each in found["mcc"].resampled]
                if name in self.not_measured:
                    break
        agreement = None
        if "udr" in self.names:
            with self._reasons("udr", {}):
                agreement = self.udr(encoded)
        return {"seeds": seeds, "resampled": resampled, "udr": agreement}

    def measure(self, name: str, latents: NDArray[np.float32]) -> dict[str, Any]:
        """Score latents of the rows by a metric."""
        protocol = self.protocol
        return measure(
            latents, self.factors, [name], self.dataset.is_discrete, protocol.variant, self.groups, protocol.seed,
            factor_names=self.factor_names, correlation=protocol.correlation, num_samples=protocol.num_samples,
        )  # fmt: skip

    def quick_mcc(self, latents: NDArray[np.float32]) -> float:
        """Return the MCC of latents of the rows, without its interval."""
        protocol = self.protocol
        return metrics.mcc(
            latents,
            self.factors,
            protocol.correlation,
            protocol.variant,
            protocol.num_samples,
            protocol.seed,
            self.groups,
            False,
        ).score

    def udr(self, encoded: Mapping[str, Encoded]) -> dict[str, float]:
        """Return how far each network agrees with the others, by the latents that are not collapsed."""
        chosen = np.random.default_rng(self.protocol.seed).permutation(len(self.rows))[:MAX_TRAIN]
        known = [each.divergence for each in encoded.values() if each.divergence is not None]
        divergences = known if len(known) == len(encoded) else None
        agreement = metrics.udr([each.latents[chosen] for each in encoded.values()], divergences)
        return dict(zip(encoded, agreement.tolist(), strict=True))

    @contextmanager
    def _reasons(self, name: str, seeds: dict[str, dict[str, Any]]) -> Iterator[None]:
        """Note why a metric cannot be had, where all that can be had were asked for."""
        try:
            yield
        except DatagenError as error:
            if not self.everything:
                raise
            self.not_measured[name] = str(error)
            for scores in seeds.values():
                scores.pop(name, None)

    def result(self, encoded: Mapping[str, Encoded], **fields: Any) -> Result:
        """Score latents of the rows by seed."""
        scored = self.scores(encoded)
        if not any(scored["seeds"].values()) and not scored["udr"]:
            why = "; ".join(f"{name}: {reason}" for name, reason in self.not_measured.items())
            raise DatagenError(f"no metric could be measured ({why})")
        result = Result(
            protocol=self.protocol,
            factor_names=self.factor_names,
            left_out=self.left_out,
            not_measured=self.not_measured,
            tool=f"datagen {__version__}",
            versions=versions(),
            **scored,
            **fields,
        )
        return msgspec.structs.replace(result, mcc=summary(result))


def _names(names: Sequence[str], discrete: bool, num_networks: int, left_out: dict[str, str]) -> list[str]:
    """Return the metrics that are meant, and fill in why others are not where all were asked for."""
    if ALL not in names:
        check_names(names, discrete)
        if "udr" in names and num_networks < 2:
            raise UsageError("udr compares the networks of several seeds, and there is one")
        return list(dict.fromkeys(names))
    check_names([name for name in names if name != ALL] or list(METRICS))
    found = []
    for name, metric in METRICS.items():
        if metric.score is None and num_networks < 2:
            left_out[name] = "compares the networks of several seeds, and there is one"
        elif not discrete and not metric.continuous:
            left_out[name] = "needs discrete factors, and these are continuous"
        else:
            found.append(name)
    return found


def evaluate(
    encoder: Any,
    dataset: Sequences | str | Path,
    metrics: Iterable[str] = ("mcc",),
    protocol: Protocol | str = "release",
    *,
    indices: NDArray[np.int64] | None = None,
    name: str | None = None,
    device: str = "auto",
    batch_size: int = 500,
    show_progress: bool = False,
) -> Result:
    """Score anybody's encoder, or latents that it made, on a dataset.

    Parameters
    ----------
    encoder : torch.nn.Module, callable or array_like, or dict of int to such
        A torch module or function from images, float32 (B, C, H, W) in [0, 1], to latents (B, Z) (see
        `slowvae.encoders.encode`); or latents (N, Z), a row for every frame. Several that differ in their seed, by it.
    dataset : Sequences, str or Path
        The dataset or its file.
    metrics : iterable of str
        Of `slowvae.metrics.METRICS`; ``"all"`` stands for those that apply.
    protocol : Protocol or str
        What the scores depend on; a name as of `slowvae.protocols.make_protocol`. What it says of the training is taken
        as it is said.
    indices : ndarray of int64, shape (N,), optional
        The frames that the rows of latents are of, where they are not all.
    name : str, optional
        Of the entry, for boards.
    device : str
        Where a torch module computes; see `slowvae.device.find_device`.
    batch_size : int
        Frames that are encoded at a time.
    show_progress : bool
        Whether to draw bars.

    Returns
    -------
    Result
        ``float(result)`` is the mean of the MCC.

    Raises
    ------
    UsageError
        If a metric or protocol is unknown or does not apply; before anything is encoded.
    DatagenError
        If latents do not fit the dataset or are not finite, or the encoder raises.

    Examples
    --------
    >>> import numpy as np
    >>> import slowvae
    >>> from datagen.datasets import Sequences
    >>> masks = np.zeros((60, 16, 16), dtype=bool)
    >>> for t in range(60):
    ...     masks[t, t % 7 : t % 7 + 4, t % 11 : t % 11 + 2 + t % 3] = True
    >>> dataset = Sequences.from_masks([masks])
    >>> result = slowvae.evaluate(dataset.factors @ [[1, 0, 0], [0, -2, 0], [0, 0, 3]], dataset)
    >>> round(float(result), 3), result.protocol.variant
    (1.0, 'klindt2021')
    """
    if isinstance(dataset, Sequences):
        data, source = dataset, Source(None, None)
    else:
        data, source = load(dataset, lazy=True), Source(str(dataset), fingerprint(dataset))
    given = dict(encoder) if isinstance(encoder, Mapping) else {0: encoder}
    if not given or any(isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0 for seed in given):
        raise UsageError("several encoders are given by their seeds, whole numbers of at least 0: {0: one, 1: other}")
    protocol = make_protocol(protocol) if isinstance(protocol, str) else protocol
    check_instance("protocol", protocol, Protocol, "or its name, such as by-object")
    task = Task(data, metrics, protocol, len(given))
    where = find_device(device)
    labels = {seed: name or _label(each) for seed, each in given.items()}
    calls: dict[int, Encodes] = {seed: each for seed, each in given.items() if callable(each)}
    saved: dict[int, Latents] = {}
    for seed in given.keys() - calls.keys():
        each = given[seed]
        if isinstance(each, str | Path):
            how = "read saved latents by slowvae.encoders.load_latents; `datagen evaluate RUN` scores a run"
            raise UsageError(f"{quote(str(each))} is the name of something, and no latents: {how}")
        rows, its_indices = each if isinstance(each, tuple) else (each, indices)
        try:
            saved[seed] = check_rows(rows, its_indices, data.num_frames, labels[seed])
        except DatagenError as error:  # of an argument, and not of a file
            raise UsageError(str(error)) from None
        task.check_width(saved[seed][0].shape[1], labels[seed])
        if saved[seed][1] is not None:
            task.only(cast(NDArray[np.int64], saved[seed][1]))
    for seed, each in calls.items():  # two images of each, so that what cannot be is known at once
        first = encode(each, data, task.rows[:2], where, labels[seed])
        task.check_width(first.shape[1], labels[seed])
    latents: dict[str, NDArray[np.float32]] = {}
    for seed, each in given.items():
        if seed in calls:
            latents[str(seed)] = encode(each, data, task.rows, where, labels[seed], batch_size, show_progress)
        else:
            z, known = saved[seed]
            latents[str(seed)] = z[task.rows if known is None else np.searchsorted(known, task.rows)]
    widths = {z.shape[1] for z in latents.values()}
    if len(widths) > 1:
        raise UsageError(f"latents of several seeds are of one network, but have {sorted(widths)} columns; score each")
    digests = {seed: digest(z) for seed, z in latents.items()}
    return task.result(
        {seed: Encoded(z) for seed, z in latents.items()},
        name=name or next(iter(labels.values())),
        entry="encoder" if calls else "latents",
        data=source,
        latents=digests,
        machine=describe(where),
        notes=_claims(task.protocol, len(given), widths.pop()) + _suspicions(latents, digests),
    )


def _label(encoder: Any) -> str:
    """Name what is scored, for errors and boards."""
    if not callable(encoder):
        return "latents"
    return getattr(encoder, "__qualname__", None) or type(encoder).__name__


def _claims(protocol: Protocol, num_seeds: int, z_dim: int) -> list[str]:
    """Say what a protocol asks for that cannot be seen from outside, and what differs from how it was published."""
    notes = ["how it was trained is taken as the protocol says, and was not checked"]
    return notes + departures(protocol, None, num_seeds, z_dim)


def _suspicions(latents: Mapping[str, NDArray[np.float32]], digests: Mapping[str, str]) -> list[str]:
    """Say what looks like a mistake in latents by seed."""
    notes = []
    still = [seed for seed, z in latents.items() if not np.ptp(z, axis=0).any()]
    if still:
        notes.append(f"no latent changes (seed {', '.join(still)})")
    values = list(digests.values())
    again = [seed for number, (seed, value) in enumerate(digests.items()) if value in values[:number]]
    if again:
        notes.append(
            f"the latents of seed {', '.join(again)} are those of another seed, so the spread of seeds says nothing"
        )
    return notes


def departures(
    protocol: Protocol, iterations: int | None, num_seeds: int, z_dim: int, num_pairs: int | None = None
) -> list[str]:
    """Say what differs from how a named protocol's scores were published."""
    if protocol.name is None:
        return []
    named = NAMED[protocol.name]
    found = []
    for what, asked, have in (
        ("iterations", named.iterations, iterations),
        ("seeds", named.seeds, num_seeds),
        ("latents", named.z_dim, z_dim),
        ("training pairs", named.pairs, num_pairs),
    ):
        if asked is not None and have is not None and asked != have:
            found.append(f"{protocol.name} was published with {asked:,} {what}, this has {have:,}")
    return found


def evaluate_run(
    folder: str | Path,
    device: torch.device,
    names: Iterable[str] = ("mcc",),
    protocol: Protocol | str | None = None,
    data: str | Path | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    name: str | None = None,
    overwrite: bool = False,
    show_progress: bool = False,
    **changes: Any,
) -> Result:
    """Score all networks of a run, and write the result into its folder, as ``result.json``.

    Parameters
    ----------
    folder : str or Path
        The run's folder.
    device : torch.device
        Where to compute.
    names : iterable of str
        Of `slowvae.metrics.METRICS`; ``"all"`` stands for those that apply.
    protocol : Protocol or str, optional
        As of `slowvae.protocols.make_protocol`. By default the split that the run was trained on, with its seed: its
        test part, or without a split everything, the training data, as published. Of a name, all that it says must hold
        of the run.
    data : str or Path, optional
        Another dataset file than the one trained on.
    seed : int, optional
        Of everything drawn; 0 by default.
    out : str or Path, optional
        Another file for the result; see `slowvae.results.write_result` for what becomes of earlier scores in it.
    name : str, optional
        Of the entry, for boards; the model by default.
    overwrite : bool
        Whether scores of another entry may be replaced in `out`.
    show_progress : bool
        Whether to draw bars.
    **changes : object
        Other fields of the protocol, such as ``part`` or ``variant``.

    Returns
    -------
    Result
        What the file then holds. Metrics that were scored before of the same networks by the same protocol are kept.

    Raises
    ------
    UsageError
        If the folder holds no trained run, or a metric is unknown or does not apply, or the run is not what a named
        protocol demands.
    DatagenError
        If the dataset does not fit the networks.
    """
    folder, names = Path(folder), list(names)
    check_names([each for each in names if each != ALL] or list(METRICS))
    run = read_run(folder)
    file = check_output(folder / "result.json" if out is None else out, overwrite=True)
    if file.exists():
        read_result(file)  # which says so if it is damaged
    protocol = protocol_of(run.settings, protocol, str(folder), **changes, seed=seed)
    newest = load_newest(folder)
    networks = {s: network_of(newest, s) for s in newest.settings.seeds}
    path = data if data is not None else run.dataset.path
    if path is None:
        raise UsageError(f"{folder}: does not say which dataset it was trained on; pass --data")
    if data is None and not Path(path).exists():
        raise UsageError(f"{path}: is where the run in {folder} had its dataset, and no file now; pass --data")
    if ALL not in names and "udr" in names and len(networks) < 2:
        raise UsageError("udr compares the networks of several seeds, and this run has one")
    described = describe_file(path)
    if described.sha256 != run.dataset.sha256:
        if data is None:
            again = "pass it as --data to score on it all the same"
            raise DatagenError(f"{path}: changed since the run in {folder}; {again}")
        protocol = msgspec.structs.replace(protocol, trained_on=f"another file ({str(run.dataset.sha256)[:8]})")
    dataset = load(path, lazy=True)
    task = Task(dataset, names, protocol, len(networks))
    frames = Frames.of(dataset, device)
    del dataset
    for network in networks.values():
        if (network.channels, network.image_size) != frames.image_shape[:2]:
            raise DatagenError(
                f"{path}: its images are {frames.image_shape}, the networks of {folder} take "
                f"{(network.channels, network.image_size, network.image_size)}"
            )
    task.check_width(newest.settings.z_dim, str(folder))
    notes = _notes_of_run(folder, task, run, newest)
    encoded, checkpoints = _encoded_by_run(folder, newest, task, frames, show_progress, notes)
    result = task.result(
        encoded,
        name=name or run.settings.model,
        entry="run",
        data=Source(described.path, described.sha256),
        settings=settings_json(run.settings),
        iteration=newest.iteration,
        checkpoints=checkpoints,
        machine=describe(device),
        notes=notes,
    )
    return write_result(result, file, overwrite=out is None or overwrite)


def protocol_of(settings: Settings, protocol: Protocol | str | None, whose: str, **changes: Any) -> Protocol:
    """Return the protocol by which a run of these settings is scored.

    Parameters
    ----------
    settings : Settings
        Of the run.
    protocol : Protocol or str, optional
        See `evaluate_run`.
    whose : str
        Names the run in errors.
    **changes : object
        Fields of the protocol; None stands for what is not changed.

    Raises
    ------
    UsageError
        If something that a named protocol says does not hold of the run.
    """
    if protocol is None or protocol == settings.split_protocol:
        protocol = settings.split_protocol
        changes = {"split_seed": settings.split_seed} | {k: v for k, v in changes.items() if v is not None}
    changes = {field: value for field, value in changes.items() if value is not None}
    if isinstance(protocol, str):
        wanted = make_protocol(protocol, **changes)
    else:
        wanted = msgspec.structs.replace(protocol, **changes)
    own = fill_in(wanted, settings)
    trained_on, distance, prior = own.trained_on, own.max_delta_t, own.prior
    have = f"max_delta_t {distance}" if distance is not None else f"pairs by {prior}"
    instead = f"name a split instead ({wanted.split})"
    if isinstance(protocol, str) and protocol not in NAMED:
        if wanted.max_delta_t not in (None, distance):
            raise UsageError(f"{whose}: was trained with {have}, not with max_delta_t {wanted.max_delta_t}")
        return own
    name = protocol if isinstance(protocol, str) else f"protocol {wanted.id}"
    if trained_on != wanted.trained_on:
        train = "everything" if wanted.split == "release" else f"train of {wanted.split}"
        raise UsageError(
            f"{whose}: was trained on {trained_on or train}, and {name} scores networks that were trained on "
            f"{wanted.trained_on or train}; train so (--protocol), or {instead}"
        )
    if wanted.max_delta_t not in (None, distance) or wanted.prior not in (None, prior):
        asked = f"max_delta_t {wanted.max_delta_t}" if wanted.max_delta_t is not None else f"pairs by {wanted.prior}"
        raise UsageError(f"{whose}: was trained with {have}, and {name} is of {asked}; train so, or {instead}")
    return wanted


def fill_in(protocol: Protocol, settings: Settings) -> Protocol:
    """Return a protocol with what the settings of a run say of its training."""
    trained_on = "everything"
    if (settings.split_protocol, settings.split, settings.split_seed) == (protocol.split, "train", protocol.split_seed):
        trained_on = ""
    elif settings.split_protocol != "release":
        of_seed = f", split seed {settings.split_seed}" if settings.split_seed else ""
        trained_on = f"{settings.split} of {settings.split_protocol}{of_seed}"
    distance, prior = (settings.max_delta_t, None) if settings.prior is None else (None, pairs_in_words(settings))
    return msgspec.structs.replace(protocol, trained_on=trained_on, max_delta_t=distance, prior=prior)


def _notes_of_run(folder: Path, task: Task, run: Run, newest: Checkpoint) -> list[str]:
    """Say what a reader should know of the scores of a run."""
    protocol, settings = task.protocol, run.settings
    notes = []
    if protocol.trained_on and protocol.split != "release":
        notes.append(f"trained on {protocol.trained_on}, so what is scored may have been trained on")
    if protocol.split.startswith("random"):
        notes.append("a random split leaks: nearly every frame that is scored has its neighbour in the training part")
    if protocol.checkpoint == "labels":
        notes.append("the checkpoint was chosen by the labels that it is scored on")
    if newest.iteration < settings.iterations:
        notes.append(f"after {newest.iteration:,} of {counted(settings.iterations, 'iteration')}")
    num_pairs = None
    if protocol.split == "random-pairs":
        num_pairs = len(split_frames(task.dataset, "train", protocol.split, protocol.split_seed))
    return notes + departures(protocol, newest.iteration, len(settings.seeds), settings.z_dim, num_pairs)


def _encoded_by_run(
    folder: Path, newest: Checkpoint, task: Task, frames: Frames, show_progress: bool, notes: list[str]
) -> tuple[dict[str, Encoded], dict[str, int]]:
    """Return what the checkpoint to be scored makes of the rows, by seed, and its iteration if it was chosen."""
    rows = None if len(task.rows) == len(frames) else task.rows
    seeds, how = newest.settings.seeds, task.protocol.checkpoint

    def encoded(checkpoint: Checkpoint) -> dict[str, Encoded]:
        found = {}
        for seed in progress_bar(seeds, "encoding", show=show_progress):
            found[str(seed)] = _encode(network_of(checkpoint, seed).to(frames.device), frames, rows=rows)
        return found

    if how == "last":
        return encoded(newest), {}
    if how == "udr" and len(seeds) < 2:
        raise UsageError(f"{folder}: UDR compares the networks of several seeds, and this run has one")
    paths = all_checkpoints(folder / "checkpoints")
    if len(paths) == 1:
        notes.append("the run kept one checkpoint, so there was nothing to choose from; train with --keep-every")
    best: dict[str, tuple[float, int, Encoded]] = {}
    for path in paths:
        checkpoint = load_checkpoint(path)
        of_seeds = encoded(checkpoint)
        if how == "udr":
            values = dict.fromkeys(of_seeds, float(np.mean(list(task.udr(of_seeds).values()))))
        else:
            values = {seed: task.quick_mcc(each.latents) for seed, each in of_seeds.items()}
        for seed, value in values.items():
            if seed not in best or value >= best[seed][0]:  # the later one of equals
                best[seed] = value, checkpoint.iteration, of_seeds[seed]
    return {seed: each for seed, (_, _, each) in best.items()}, {seed: at for seed, (_, at, _) in best.items()}
