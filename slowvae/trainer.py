"""The training loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datagen.errors import BadInputError, DatagenError, FailedCheckError, UsageError, counted
from datagen.files import make_folder
from datagen.progress import announce_duration, duration_text, progress_bar
from slowvae import device as devices
from slowvae.batches import Frames, PairOrder
from slowvae.checkpoints import Checkpoint, check_tensors, latest_checkpoint, load_checkpoint, save_checkpoint
from slowvae.model import Encoder
from slowvae.runs import DataFile, Log, build, load, locked, read_run, write_run
from slowvae.settings import PRESETS, Settings, settings_json

__all__ = ["SYNC_EVERY", "Stack", "train"]

SYNC_EVERY = 10
"""Steps after which stacks wait for each other, and Ctrl-C is heard."""

_REMEDY = "take a smaller batch size or fewer seeds at a time"
"""Where memory runs out."""


class Stack:
    """A stack of networks in training: what changes from step to step.

    Parameters
    ----------
    seeds : tuple of int
        One network each.
    frames : Frames
        The data, on the device that the networks are trained on.
    settings : Settings
    graph : bool
        Whether steps are recorded and replayed where that can be done (`slowvae.device.Repeated`).
    """

    def __init__(self, seeds: tuple[int, ...], frames: Frames, settings: Settings, graph: bool = True) -> None:
        self.seeds, self.frames, self.settings = seeds, frames, settings
        self.device = frames.device
        self.network = build(settings, seeds, *frames.image_shape[:2]).to(self.device)
        self.adam = devices.make_adam(self.network.parameters(), settings.learning_rate)
        self.order = PairOrder(frames, seeds, settings.batch_size, settings.max_delta_t, settings.make_prior())
        # Another stream than the one that drew the weights.
        streams = [int(np.random.SeedSequence((seed, 1)).generate_state(1)[0]) for seed in seeds]
        self.noise = [devices.generator(self.device, stream) for stream in streams]
        self.sums: dict[str, Tensor] = {}  # terms of the objective since the last line of the log, (S,) each
        self.loss = torch.compile(self.network.loss) if settings.compile else self.network.loss
        # What a step starts from: its images as bytes, (S, B, ...), and its noise.
        shape = (len(seeds), settings.batch_size)
        self._bytes = torch.empty(*shape, *frames.pixels.shape[1:], dtype=torch.uint8, device=self.device)
        self._noise = torch.empty(*shape, settings.z_dim, device=self.device)
        # What torch.compile makes has graphs of its own.
        self._graph = devices.graph_on(self.device) if graph and not settings.compile else None
        self._step = devices.Repeated(self._take_step, self._graph)

    def __repr__(self) -> str:
        return f"Stack(seeds={self.seeds}, network={self.network}, device={str(self.device)!r})"

    def step(self, iteration: int) -> None:
        """Take one step of the optimiser. Nothing in here waits for an accelerator."""
        self._bytes.copy_(self.frames.fetch(self.order.batch(iteration)))
        for noise, source in zip(self._noise, self.noise, strict=True):
            noise.normal_(generator=source)
        self._step()

    def _take_step(self) -> None:
        """Take the step for which bytes and noise lie ready; all that it leaves stays in its place."""
        x = self.frames.images(self._bytes)  # (S, B, C, H, H)
        with devices.autocast(self.device, self.settings.amp):
            terms = self.loss(x, self._noise)
        self.adam.zero_grad(set_to_none=True)
        terms["total"].sum().backward()
        self.adam.step()
        if list(self.sums) != list(terms):  # none yet, or read from a checkpoint, in another order than the log has
            self.sums = {name: self.sums.get(name, torch.zeros_like(term.detach())) for name, term in terms.items()}
        for name, term in terms.items():
            self.sums[name] += term.detach()

    def first_not_finite(self) -> int | None:
        """Return the first seed whose objective or parameters are not finite, or None."""
        good = torch.ones(len(self.seeds), dtype=torch.bool, device=self.device)
        for tensor in (*self.sums.values(), *(parameter.detach() for parameter in self.network.parameters())):
            good &= tensor.reshape(len(self.seeds), -1).isfinite().all(1)
        return None if good.all() else self.seeds[int((~good).int().argmax())]

    @torch.no_grad()
    def statistics(self, iteration: int, steps: int) -> list[dict[str, float]]:
        """Return a line of the log for each seed and begin new sums.

        The terms are means over the last `steps` steps. ``variance_of_means`` and ``mean_variance`` are those of each
        latent's posterior over the batch of this iteration.
        """
        mu, logvar = self.network.encode(self.frames.at(self.order.batch(iteration)))
        spread, width = mu.var(1).tolist(), logvar.exp().mean(1).tolist()  # (S, Z)
        rows = []
        for s in range(len(self.seeds)):
            row = {name: float(total[s]) / steps for name, total in self.sums.items()}
            row |= {f"variance_of_means_{i}": value for i, value in enumerate(spread[s])}
            row |= {f"mean_variance_{i}": value for i, value in enumerate(width[s])}
            rows.append(row)
        for total in self.sums.values():
            total.zero_()
        return rows

    def tensors(self) -> dict[str, Tensor]:
        """Return all that changes, by seed, so that it can be loaded into other stacks and devices."""
        named: dict[str, Tensor] = {}
        for s, seed in enumerate(self.seeds):
            for name, parameter in self.network.named_parameters():
                state = self.adam.state.get(parameter, {})
                for part, tensor in (("parameter", parameter.detach()), *state.items()):
                    # A network of the stack owns its share of every tensor but the number of steps.
                    named[f"{seed}/{part}/{name}"] = tensor.chunk(len(self.seeds))[s] if tensor.ndim else tensor
            for name, total in self.sums.items():
                named[f"{seed}/sum/{name}"] = total[s : s + 1]
            named[f"{seed}/noise"] = self.noise[s].get_state()
        return {name: tensor.detach().clone() for name, tensor in named.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` returned."""
        for name, parameter in self.network.named_parameters():

            def together(part: str, like: Tensor, name: str = name) -> Tensor:
                parts = torch.cat([tensors[f"{seed}/{part}/{name}"] for seed in self.seeds])
                return torch.empty_like(like).copy_(parts)  # in the parameter's own layout, as Adam wants it

            parameter.data = together("parameter", parameter)
            if f"{self.seeds[0]}/exp_avg/{name}" in tensors:
                self.adam.state[parameter] = {
                    "step": tensors[f"{self.seeds[0]}/step/{name}"].to(self.device, copy=True),
                    "exp_avg": together("exp_avg", parameter.detach()),
                    "exp_avg_sq": together("exp_avg_sq", parameter.detach()),
                }
        prefix = f"{self.seeds[0]}/sum/"
        for name in (key.removeprefix(prefix) for key in tensors if key.startswith(prefix)):
            self.sums[name] = torch.cat([tensors[f"{seed}/sum/{name}"] for seed in self.seeds]).to(self.device)
        for noise, seed in zip(self.noise, self.seeds, strict=True):
            noise.set_state(tensors[f"{seed}/noise"])
        self._step = devices.Repeated(self._take_step, self._graph)  # what was recorded works on what was there before


def train(
    frames: Frames,
    settings: Settings,
    folder: str | Path,
    dataset: DataFile | None = None,
    resume: bool = False,
    show_progress: bool = False,
    label: str = "training",
    stop: threading.Event | None = None,
) -> dict[int, Encoder]:
    """Train a network for each seed, into a run's folder.

    Parameters
    ----------
    frames : Frames
        The data, on the device to train on.
    settings : Settings
        What to do. With `resume` only `iterations` and the intervals may differ from the run's own.
    folder : str or Path
        The run's folder (see `slowvae.runs`); made if need be.
    dataset : DataFile, optional
        Where the data come from, for the record.
    resume : bool
        Go on from the newest checkpoint, if there is one. On a CPU the result is that of a run never stopped, bit for
        bit.
    show_progress : bool
        Whether to draw a bar.
    label : str
        What the bar says.
    stop : Event, optional
        Save and leave when it is set, as after Ctrl-C.

    Returns
    -------
    dict of int to Encoder
        The trained networks by their seeds, on the CPU.

    Raises
    ------
    UsageError
        If the folder holds another run, or is held by another process, or the data do not fill a batch.
    BadInputError
        If the newest checkpoint is damaged or of another run.
    FailedCheckError
        If the objective became NaN or infinite; the last good checkpoint stays.
    DatagenError
        If memory or disk are full; the last good checkpoint stays.
    KeyboardInterrupt
        If Ctrl-C was pressed, or `stop` was set; the run was saved before.
    """
    # Says what cannot be trained on before anything is made.
    PairOrder(frames, settings.seeds[:1], settings.batch_size, settings.max_delta_t, settings.make_prior())
    folder = make_folder(folder)
    with locked(folder):
        dataset = dataset or DataFile(None, None)
        machine = devices.describe(frames.device)

        def record(status: str) -> None:
            write_run(folder, settings, dataset, machine, status)

        if (folder / "run.json").exists():
            if not resume:
                raise UsageError(f"{folder}: holds a run already; pass --resume to go on with it")
            _check_same(folder, settings, dataset)
        frames = frames.part(settings)
        with devices.out_of_memory(_REMEDY):
            seeds_of = devices.split_seeds(settings.seeds, frames.device)
            stacks = [Stack(seeds, frames, settings) for seeds in seeds_of]
        start = _load_newest(stacks, folder)
        if start > settings.iterations:
            raise UsageError(
                f"{folder}: the run there is at iteration {start:,} already, beyond the {settings.iterations:,} asked "
                "for; ask for as many, or take another folder"
            )
        record("running")
        try:
            with devices.out_of_memory(_REMEDY):
                _loop(stacks, start, settings, folder, show_progress, label, stop or threading.Event())
        except (DatagenError, KeyboardInterrupt) as error:
            status = "stopped" if isinstance(error, KeyboardInterrupt) else f"failed: {error}"
            with suppress(OSError):  # a full disk has no room for this either
                record(status)
            raise
        record("finished")
        return load(folder)


def _check_same(folder: Path, settings: Settings, dataset: DataFile) -> None:
    """Refuse to go on with a run of other settings."""
    before = read_run(folder)
    free = {name: getattr(settings, name) for name in ("iterations", "log_every", "save_every", "keep_every")}
    mine, theirs = settings_json(settings), settings_json(replace(before.settings, **free))
    different = [name for name in mine if mine[name] != theirs[name]]
    if dataset.sha256 != before.dataset.sha256:
        different.append("the dataset")
    if different:
        raise UsageError(f"{folder}: the run there has other settings ({', '.join(different)}); it cannot go on so")


def _load_newest(stacks: list[Stack], folder: Path) -> int:
    """Load the newest checkpoint, if there is one, and return its iteration."""
    path = latest_checkpoint(folder / "checkpoints")
    if path is None:
        return 0
    checkpoint, mine = load_checkpoint(path), _checkpoint(stacks, 0, {})
    described = [
        {**settings_json(each.settings), "channels": each.channels, "image_size": each.image_size}
        for each in (checkpoint, mine)
    ]
    for name in ("model", "z_dim", "channels", "image_size", "seeds"):
        theirs, ours = (each[name] for each in described)
        if theirs != ours:
            raise BadInputError(path, f"is of another run ({name} is {theirs}, not {ours}); remove this folder")
    seeds = checkpoint.settings.seeds
    check_tensors(checkpoint, build(checkpoint.settings, seeds[:1], checkpoint.channels, checkpoint.image_size))
    try:
        for stack in stacks:
            stack.load(checkpoint.tensors)
    except (RuntimeError, TypeError):  # torch's own check of the state of random numbers
        raise BadInputError(
            path,
            f"its random state is none of this kind of device ({stacks[0].device.type}); go on where the run "
            "was begun, or train into another folder",
        ) from None
    return checkpoint.iteration


def _checkpoint(stacks: list[Stack], iteration: int, tensors: dict[str, Tensor]) -> Checkpoint:
    """Return a checkpoint of the stacks' networks."""
    channels, image_size, _ = stacks[0].frames.image_shape
    return Checkpoint(iteration, tensors, stacks[0].settings, channels, image_size)


def _loop(
    stacks: list[Stack],
    start: int,
    settings: Settings,
    folder: Path,
    show_progress: bool,
    label: str,
    stop: threading.Event,
) -> None:
    """Take steps `start` to `settings.iterations`, log and save."""

    def check(iteration: int) -> None:
        for stack in stacks:
            seed = stack.first_not_finite()
            if seed is not None:
                raise FailedCheckError(
                    f"{folder}: seed {seed} is no longer finite at iteration {iteration}; the last good checkpoint was "
                    "kept, try a lower learning rate"
                )

    begin, logged = start, start - start % settings.log_every
    left = range(start, settings.iterations)
    bar = progress_bar(left, label, show=show_progress)
    steps = announce_duration(
        bar, len(left), SYNC_EVERY, lambda speed: _expected(settings, start, speed), show_progress
    )
    with (
        closing(Log(folder, start)) as log,
        devices.Executor(stacks[0].device, len(stacks)) as executor,
        _asked_to_stop(stop),
    ):
        for iteration in steps:
            done = iteration + 1
            log_now = done % settings.log_every == 0
            save_now = done % settings.save_every == 0 or done == settings.iterations
            if not (log_now or save_now or done - begin == SYNC_EVERY or stop.is_set()):
                continue
            executor.run(Stack.step, stacks, range(begin, done))
            begin = done
            stopping = stop.is_set()  # asked once: a Ctrl-C that comes later is heard after another step, and saved
            save_now |= stopping
            if log_now or save_now:
                check(done)
            if log_now:
                for stack in stacks:
                    for seed, row in zip(stack.seeds, stack.statistics(iteration, done - logged), strict=True):
                        log.add(done, seed, row)
                logged = done
            if save_now:
                tensors = {name: tensor for stack in stacks for name, tensor in stack.tensors().items()}
                checkpoint = _checkpoint(stacks, done, tensors)
                save_checkpoint(folder / "checkpoints", checkpoint, settings.keep_every)
            if stopping:
                raise KeyboardInterrupt
        if stop.is_set():
            raise KeyboardInterrupt


def _expected(settings: Settings, start: int, speed: float) -> str:
    """Say how long a training takes at a number of iterations a second."""
    left, networks = settings.iterations - start, len(settings.seeds)
    of = f" of {networks} seeds" if networks > 1 else ""
    text = f"{counted(left, 'iteration')}{of}: about {duration_text(left / speed)} at {speed:.3g} it/s"
    quick = PRESETS["quick"].iterations
    return text + (f"; preset quick: {duration_text(quick / speed)}" if left > quick else "")


@contextmanager
def _asked_to_stop(flag: threading.Event) -> Iterator[None]:
    """Have the first Ctrl-C set a flag; the second one stops the program as ever."""
    before = signal.getsignal(signal.SIGINT)

    def ask(*_: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, before)

    with suppress(ValueError):  # only the main thread hears signals
        signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, before)
