import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, FailedCheckError, UsageError
from datagen.pairs import first_frames
from slowvae import checkpoints, device, runs
from slowvae.batches import Frames, PairOrder
from slowvae.settings import MODELS, Settings, make_settings
from slowvae.trainer import Stack, train

CPU = torch.device("cpu")
SMALL = Settings(iterations=12, batch_size=8, z_dim=2, log_every=4, save_every=5, keep_every=10, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def bars(lengths=(7, 2, 12, 5), size=16, seed=0) -> Sequences:
    """Return sequences of a bar that moves: y and area constant within a sequence."""
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    masks = np.zeros((n, size, size), dtype=bool)
    row = 0
    for length in lengths:
        x, width = rng.integers(0, size - 5), rng.integers(1, 5)
        for _ in range(length):
            masks[row, rng.integers(2, 5) :, x : x + width] = True
            x = int(np.clip(x + rng.integers(-1, 2), 0, size - 5))
            row += 1
    y, x = np.mgrid[:size, :size]
    area = masks.sum((1, 2))
    latents = np.stack([(masks * y).sum((1, 2)) / area, (masks * x).sum((1, 2)) / area, area], 1).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences.of_masks(masks, latents, offsets)


@pytest.fixture
def frames() -> Frames:
    return Frames.of(bars(), CPU)


def parameters(networks) -> dict[str, torch.Tensor]:
    return {f"{seed}/{name}": p for seed, net in networks.items() for name, p in net.state_dict().items()}


def assert_equal(mine, theirs):
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name


# Data


@pytest.mark.golden
def test_pairs_are_those_of_the_release(golden):
    canonical = np.load(golden / "release/kitti_canonical.npz")
    items = np.load(golden / "release/kittimasks_items.npz")
    masks = np.unpackbits(canonical["masks_packed"], axis=1).reshape(-1, 64, 64).astype(bool)
    lengths = canonical["lens"]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    data = Sequences.of_masks(masks, canonical["latents"], offsets)
    frames = Frames.of(data, CPU)
    starts, lasts, _ = first_frames(frames.dataset.offsets)
    np.testing.assert_array_equal(frames.at(torch.from_numpy(starts)).numpy(), items["first"])
    seconds = np.minimum(starts + items["randint_draws"], lasts)
    np.testing.assert_array_equal(frames.at(torch.from_numpy(seconds)).numpy(), items["second"])


def test_an_epoch_goes_once_through_all_first_frames(frames):
    starts, lasts, _ = first_frames(frames.dataset.offsets)
    order = PairOrder(frames, (3, 4), batch_size=4, max_delta_t=3)
    assert order.batches_per_epoch == len(starts) // 2
    rows = torch.stack([order.batch(i) for i in range(order.batches_per_epoch)])  # (batches, S, B)
    last_of = dict(zip(starts.tolist(), lasts.tolist(), strict=True))
    distances = set()
    for s in range(2):
        first, second = rows[:, s, ::2].flatten().tolist(), rows[:, s, 1::2].flatten().tolist()
        assert len(set(first)) == len(first)
        for a, b in zip(first, second, strict=True):
            assert a < b <= min(a + 3, last_of[a])
            distances.add(b - a)
    assert distances == {1, 2, 3}
    assert not torch.equal(rows[:, 0], rows[:, 1])


def test_the_order_depends_on_seed_and_iteration_alone(frames):
    order = PairOrder(frames, (1, 2), 4, 5)
    later = order.batch(3 * order.batches_per_epoch + 1)
    alone = PairOrder(frames, (2,), 4, 5)
    assert torch.equal(alone.batch(3 * order.batches_per_epoch + 1)[0], later[1])
    assert not torch.equal(alone.batch(1)[0], later[1])


def test_shuffled_frames_keep_their_factors(frames):
    shuffled = frames.shuffled(0)
    assert not torch.equal(shuffled.pixels, frames.pixels)
    mine, theirs = (
        sorted(zip(map(bytes, f.pixels.numpy()), f.dataset.factors.tolist(), strict=True)) for f in (shuffled, frames)
    )
    assert mine == theirs
    assert torch.equal(frames.shuffled(0).pixels, shuffled.pixels)
    assert not torch.equal(frames.shuffled(1).pixels, shuffled.pixels)


@pytest.mark.parametrize("colour", [False, True])
def test_sprites_become_frames(colour):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 3, 16, 16, 3) if colour else (6, 3, 16, 16), dtype=np.uint8)
    factors = rng.random((6, 3, 5), dtype=np.float32)
    sprites = Sequences.of_sprites(images, factors, np.array([3, 3, 3, 3, 3]), np.arange(6))
    frames = Frames.of(sprites, CPU)
    assert frames.dataset.is_discrete
    assert frames.dataset.offsets.tolist() == [0, 3, 6, 9, 12, 15, 18]
    expected = images[2, 1].transpose(2, 0, 1) if colour else images[2, 1][None]
    np.testing.assert_allclose(frames.at(slice(7, 8))[0], expected / 255, rtol=1e-6)
    np.testing.assert_array_equal(frames.dataset.factors[7], factors[2, 1])


def test_data_that_cannot_be_trained_on_are_refused_in_one_line():
    good = bars()
    with pytest.raises(DatagenError, match="square"):
        Frames.of(replace(good, images=np.zeros((26, 16, 32), dtype=bool)), CPU)
    latents = good.factors.copy()
    latents[9, 1] = np.nan
    with pytest.raises(DatagenError, match="frame 9 are not finite"):
        Frames.of(replace(good, factors=latents), CPU)
    nothing = Sequences.of_sprites(
        None, np.zeros((2, 2, 5), dtype=np.float32), np.zeros(5, dtype=np.int64), np.arange(2)
    )
    with pytest.raises(DatagenError, match="factors only"):
        Frames.of(nothing, CPU)
    with pytest.raises(UsageError, match=r"^22 pairs do not fill a batch of 32; take a smaller batch size$"):
        PairOrder(Frames.of(good, CPU), (0,), 64, 5)


# Settings and device


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gan"},
        {"amp": "fp8"},
        {"seeds": ()},
        {"seeds": (1, 1)},
        {"seeds": (-1,)},
        {"batch_size": 7},
        {"iterations": 0},
        {"learning_rate": float("nan")},
        {"rate": 0.0},
    ],
)
def test_wrong_settings_are_refused(change):
    with pytest.raises(UsageError):
        make_settings(**change)


def test_presets_take_the_published_weights():
    assert make_settings() == Settings()
    assert make_settings(model="beta-vae").beta == 8
    assert make_settings(model="beta-vae", beta=4.0).beta == 4
    with pytest.raises(UsageError, match="unknown preset"):
        make_settings("slow")


def test_absent_devices_are_refused():
    assert device.find_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("tpu", "cuda:99", "meta"):
        with pytest.raises(UsageError, match="this machine has no such device"):
            device.find_device(name)


def test_an_accelerator_gets_one_stack_a_cpu_one_a_seed():
    assert device.split_seeds((1, 2), CPU) == [(1,), (2,)]
    assert device.split_seeds((1, 2), torch.device("cuda")) == [(1, 2)]


@pytest.mark.parametrize(("items", "threads"), [(1, 2), (3, 2), (3, 1), (2, 4)])
def test_items_take_their_steps_in_order_and_side_by_side(items, threads):
    torch.set_num_threads(threads)
    steps, at_once, most = [[] for _ in range(items)], set(), 0

    def work(item, step):
        nonlocal most
        assert item not in at_once  # never at two steps of its own
        at_once.add(item)
        most = max(most, len(at_once))
        time.sleep(0.005)
        steps[item].append(step)
        at_once.remove(item)

    with device.Executor(CPU, items) as executor:
        executor.run(work, range(items), range(3, 9))
        executor.run(work, range(items), range(9, 9))
    assert steps == [[3, 4, 5, 6, 7, 8]] * items
    assert most == min(items, threads)
    assert torch.get_num_threads() == threads


def test_what_goes_wrong_at_a_step_reaches_the_caller():
    torch.set_num_threads(2)

    def work(item, step):
        if (item, step) == (2, 1):
            raise DatagenError("the disk is full")

    with device.Executor(CPU, 3) as executor, pytest.raises(DatagenError, match="disk is full"):
        executor.run(work, range(3), range(5))


def test_memory_that_runs_out_is_one_line():
    with pytest.raises(DatagenError, match="out of memory; take less"), device.out_of_memory("take less"):
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError, match="other"), device.out_of_memory("take less"):
        raise RuntimeError("other")


# Training


@pytest.mark.parametrize("model", MODELS)
def test_a_run_leaves_its_networks_log_and_settings(model, frames, tmp_path):
    settings = replace(SMALL, model=model, seeds=(0, 5))
    networks = train(frames, settings, tmp_path / "run", runs.DataFile(str(tmp_path / "bars.npz"), "0"))
    assert networks.keys() == {0, 5}
    run = runs.read_run(tmp_path / "run")
    assert (run.settings, run.status) == (settings, "finished")
    assert run.dataset == runs.DataFile(str(tmp_path / "bars.npz"), "0")
    with (tmp_path / "run/log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["iteration"], row["seed"]) for row in rows] == [(str(i), s) for i in (4, 8, 12) for s in "05"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert {"total", "variance_of_means_1", "mean_variance_1"} <= rows[0].keys()
    # Kept: multiples of keep_every and the newest.
    assert sorted(p.name for p in (tmp_path / "run/checkpoints").iterdir()) == ["00000010", "00000012"]
    assert_equal(parameters(runs.load(tmp_path / "run")), parameters(networks))
    fresh = runs.build(settings, (5,), 1, 16)
    assert not torch.equal(fresh.state_dict()["encoder.2.weight"], networks[5].state_dict()["encoder.2.weight"])


def test_the_log_holds_means_of_the_terms(frames, tmp_path):
    train(frames, replace(SMALL, log_every=1), tmp_path / "each")
    train(frames, SMALL, tmp_path / "four")
    each, four = (list(csv.DictReader((tmp_path / name / "log.csv").open())) for name in ("each", "four"))
    for name in ("total", "reconstruction", "cross_entropy_laplace"):
        mean = np.mean([float(row[name]) for row in each[4:8]])
        assert float(four[1][name]) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("amp", [None, "bf16"])
def test_a_resumed_run_equals_one_never_stopped(frames, tmp_path, amp):
    settings = replace(SMALL, seeds=(0, 1), amp=amp)
    whole = train(frames, settings, tmp_path / "whole")
    train(frames, replace(settings, iterations=7), tmp_path / "parts")
    parts = train(frames, settings, tmp_path / "parts", resume=True)
    assert_equal(parameters(parts), parameters(whole))
    assert (tmp_path / "parts/log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()


def test_random_state_outside_is_left_alone(frames, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(frames, SMALL, tmp_path / "run")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_seeds_together_equal_seeds_alone(threads, frames, tmp_path):
    torch.set_num_threads(threads)
    together = train(frames, replace(SMALL, seeds=(0, 1, 2)), tmp_path / "together")
    assert torch.get_num_threads() == threads  # they shared the cores; the caller has all of them again
    torch.set_num_threads(1)  # as many as each of them had: sums in another order are other sums
    for seed in (0, 1, 2):
        alone = train(frames, replace(SMALL, seeds=(seed,)), tmp_path / str(seed))[seed]
        assert_equal(parameters({seed: together[seed]}), parameters({seed: alone}))


@pytest.mark.parametrize("model", MODELS)
def test_a_stack_trains_its_networks_as_alone_and_shares_checkpoints(model, frames):
    settings = replace(SMALL, model=model, learning_rate=1e-4)
    stack, alone = Stack((4, 9), frames, settings), [Stack((seed,), frames, settings) for seed in (4, 9)]
    for iteration in range(3):
        for each in (stack, *alone):
            each.step(iteration)
    together, separate = stack.tensors(), {**alone[0].tensors(), **alone[1].tensors()}
    assert together.keys() == separate.keys()
    for name in together:
        torch.testing.assert_close(together[name], separate[name], rtol=1e-3, atol=1e-5, msg=name)
    # What a stack saved, its networks can go on with, and the other way round.
    other, parts = Stack((9, 4), frames, settings), [Stack((seed,), frames, settings) for seed in (4, 9)]
    for each in (other, *parts):
        each.load(together)
    assert_equal({**parts[0].tensors(), **parts[1].tensors()}, together)
    assert_equal(other.tensors(), together)


class _Operations(TorchDispatchMode):
    """Notes the operations that are carried out."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("model", MODELS)
def test_no_step_waits_for_the_device(model, frames):
    stack = Stack((0, 1), frames, replace(SMALL, model=model))
    stack.step(0)
    with _Operations() as operations:
        stack.step(1)
    assert "convolution" in operations.names
    # What needs a value on the host: item(), bool(), and shapes that depend on values.
    assert not operations.names & {"_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_equals_a_plain_one(frames):
    plain, compiled = (Stack((3,), frames, replace(SMALL, compile=choice)) for choice in (False, True))
    for iteration in range(3):
        plain.step(iteration)
        compiled.step(iteration)
    mine, theirs = compiled.tensors(), plain.tensors()
    for name in theirs:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-3, atol=1e-5, msg=name)


class Interrupted(Frames):
    """Frames that have Ctrl-C pressed in the middle of the third step."""

    steps: ClassVar = [0]

    def fetch(self, rows):
        self.steps[0] += 1
        if self.steps[0] == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return super().fetch(rows)


def test_ctrl_c_saves_and_the_run_can_go_on(frames, tmp_path):
    whole = train(frames, SMALL, tmp_path / "whole")
    slow = Interrupted(**vars(frames))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(slow, SMALL, tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is before
    saved = checkpoints.latest_checkpoint(tmp_path / "run/checkpoints")
    assert 0 < int(saved.name) < 12
    assert runs.read_run(tmp_path / "run").status == "stopped"
    assert_equal(parameters(train(frames, SMALL, tmp_path / "run", resume=True)), parameters(whole))


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(frames, tmp_path, monkeypatch):
    good = Stack.step

    def step(self, iteration):
        good(self, iteration)
        if iteration == 6 and self.seeds == (3,):
            next(self.network.parameters()).data[0, 0, 0, 0] = float("nan")

    monkeypatch.setattr(Stack, "step", step)
    with pytest.raises(FailedCheckError, match="seed 3 is no longer finite at iteration 8") as caught:
        train(frames, replace(SMALL, seeds=(2, 3)), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert [p.name for p in (tmp_path / "run/checkpoints").iterdir()] == ["00000005"]
    assert runs.read_run(tmp_path / "run").status.startswith("failed")
    for network in runs.load(tmp_path / "run").values():
        assert all(p.isfinite().all() for p in network.parameters())


# The folder

CHILD = """
import sys, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from test_slowvae_trainer import CPU, SMALL, bars
from dataclasses import replace
from slowvae.batches import Frames
from slowvae.trainer import train
settings = replace(SMALL, iterations={iterations}, save_every=1, log_every=3)
train(Frames.of(bars(), CPU), settings, {folder!r}, resume=True)
"""


def start_child(folder: Path, iterations: int) -> subprocess.Popen:
    code = CHILD.format(tests=str(Path(__file__).parent), iterations=iterations, folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_killed_at_any_moment_a_run_goes_on_bit_for_bit(frames, tmp_path):
    folder, rng = tmp_path / "run", np.random.default_rng(0)
    killed = 0
    for _ in range(4):
        child = start_child(folder, iterations=10_000)
        before = checkpoints.latest_checkpoint(folder / "checkpoints")
        while child.poll() is None and checkpoints.latest_checkpoint(folder / "checkpoints") == before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))  # somewhere in a step, in a save, or between
        child.kill()
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
        checkpoints.load_checkpoint(checkpoints.latest_checkpoint(folder / "checkpoints"))
    assert killed == 4
    done = int(checkpoints.latest_checkpoint(folder / "checkpoints").name)
    settings = replace(SMALL, iterations=done + 3, save_every=done + 3, log_every=3)
    resumed = train(frames, settings, folder, resume=True)
    whole = train(frames, settings, tmp_path / "whole")
    assert_equal(parameters(resumed), parameters(whole))
    assert (folder / "log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()


def test_what_was_summed_before_a_checkpoint_is_logged_in_the_same_columns(frames):
    """Whatever the order in which the checkpoint gives its tensors."""
    stack = Stack((0,), frames, SMALL)
    stack.step(0)
    again = Stack((0,), frames, SMALL)
    again.load(dict(sorted(stack.tensors().items())))
    for each in (stack, again):
        each.step(1)
    (row,), (other,) = stack.statistics(2, 2), again.statistics(2, 2)
    assert list(row.items()) == list(other.items())


def test_a_second_process_is_refused(frames, tmp_path):
    folder = tmp_path / "run"
    child = start_child(folder, iterations=10_000)
    while child.poll() is None and checkpoints.latest_checkpoint(folder / "checkpoints") is None:
        time.sleep(0.01)
    with pytest.raises(UsageError, match="another process"):
        train(frames, SMALL, folder, resume=True)
    child.kill()
    child.communicate()
    with runs.locked(folder):  # the lock went with the process
        pass


def test_a_folder_with_a_run_needs_resume_and_the_same_settings(frames, tmp_path):
    train(frames, SMALL, tmp_path)
    with pytest.raises(UsageError, match="pass --resume"):
        train(frames, SMALL, tmp_path)
    with pytest.raises(UsageError, match=r"other settings \(rate\)"):
        train(frames, replace(SMALL, rate=3.0), tmp_path, resume=True)
    with pytest.raises(UsageError, match=r"other settings \(model, beta\)"):
        train(frames, replace(SMALL, model="beta-vae", beta=8.0), tmp_path, resume=True)
    with pytest.raises(UsageError, match="the dataset"):
        train(frames, SMALL, tmp_path, runs.DataFile("x", "other"), resume=True)
    record = (tmp_path / "run.json").read_text()
    with pytest.raises(UsageError, match=f"is at iteration {SMALL.iterations} already"):
        train(frames, replace(SMALL, iterations=1), tmp_path, resume=True)
    assert (tmp_path / "run.json").read_text() == record


def damage_tensors(path: Path) -> None:
    data = bytearray((path / "state.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "state.safetensors").write_bytes(data)


DAMAGES = {
    "a flipped bit": damage_tensors,
    "cut short": lambda path: os.truncate(path / "state.safetensors", 100),
    "no tensors": lambda path: (path / "state.safetensors").unlink(),
    "no state": lambda path: (path / "state.json").unlink(),
    "state cut short": lambda path: os.truncate(path / "state.json", 20),
    "state of something else": lambda path: (path / "state.json").write_text("[1]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints_are_refused_in_one_line(damage, frames, tmp_path):
    train(frames, SMALL, tmp_path)
    DAMAGES[damage](checkpoints.latest_checkpoint(tmp_path / "checkpoints"))
    with pytest.raises(BadInputError, match=r"remove this folder") as caught:
        train(frames, SMALL, tmp_path, resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("other", [{"model": "pcl"}, {"z_dim": 3}, {"seeds": (1,)}])
def test_a_checkpoint_of_another_run_is_refused(other, frames, tmp_path):
    train(frames, SMALL, tmp_path / "run")
    train(frames, replace(SMALL, iterations=14, **other), tmp_path / "other")
    (tmp_path / "other/checkpoints/00000014").rename(tmp_path / "run/checkpoints/00000014")
    with pytest.raises(BadInputError, match=f"is of another run .{next(iter(other))} is"):
        train(frames, SMALL, tmp_path / "run", resume=True)


def test_memory_that_runs_out_keeps_the_last_checkpoint(frames, tmp_path, monkeypatch):
    good = Stack.step

    def step(self, iteration):
        if iteration == 7:
            torch.empty(1 << 50)
        good(self, iteration)

    monkeypatch.setattr(Stack, "step", step)
    with pytest.raises(DatagenError, match="out of memory"):
        train(frames, SMALL, tmp_path)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["00000005"]
    assert runs.read_run(tmp_path).status.startswith("failed: out of memory")


def test_a_damaged_run_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no run"):
        runs.read_run(tmp_path)
    for text in ("{", "[]", json.dumps({"settings": {"speed": 1}}), json.dumps({"settings": {"seeds": 3}})):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(BadInputError, match="is damaged"):
            runs.read_run(tmp_path)


def test_no_room_on_the_disk_keeps_the_last_checkpoint(frames, tmp_path, monkeypatch):
    import safetensors.torch

    good = safetensors.torch.save_file
    calls = []

    def save_file(tensors, path):
        good(tensors, path)
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", save_file)
    with pytest.raises(DatagenError, match=r"00000010: cannot be written \(No space left on device\)") as caught:
        train(frames, SMALL, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert [p.name for p in (tmp_path / "run/checkpoints").iterdir()] == ["00000005"]
    whole = train(frames, SMALL, tmp_path / "whole")
    assert_equal(parameters(train(frames, SMALL, tmp_path / "run", resume=True)), parameters(whole))


def test_the_same_checkpoint_is_written_once(tmp_path):
    checkpoint = checkpoints.Checkpoint(3, {"a": torch.ones(2)}, SMALL, 1, 16)
    first = checkpoints.save_checkpoint(tmp_path, checkpoint, 10)
    written = (first / "state.json").stat().st_mtime_ns
    assert checkpoints.save_checkpoint(tmp_path, checkpoint, 10) == first
    assert (first / "state.json").stat().st_mtime_ns == written
