"""Steps that are recorded once and replayed: as a CUDA graph on a GPU, here as a list of operations."""

from dataclasses import replace

import pytest
import torch
from test_slowvae_trainer import CPU, SMALL, Interrupted, assert_equal, bars, parameters
from torch.utils._python_dispatch import TorchDispatchMode

from datagen.datasets import Sequences
from datagen.errors import DatagenWarning
from slowvae import device as devices
from slowvae.batches import Frames
from slowvae.settings import MODELS
from slowvae.trainer import Stack, train


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def frames() -> Frames:
    return Frames.of(bars(), CPU)


class Tape(TorchDispatchMode):
    """What a CUDA graph is, on the CPU: operations in their order, each with the tensors that it read and wrote."""

    def __init__(self):
        super().__init__()
        self.operations, self.recordings, self.warm_ups, self.replays = [], 0, 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.operations.append((function, args, kwargs or {}, result))
        return result

    def warm_up(self, function):
        self.warm_ups += 1
        function()

    def record(self, function):
        self.recordings += 1
        self.operations, fresh = [], True
        with self:
            function()

        def replay():
            nonlocal fresh
            self.replays += 1
            if not fresh:  # unlike a GPU, the tape did the work as it noted it
                self._replay()
            fresh = False

        return replay

    @torch.no_grad()
    def _replay(self):
        for function, args, kwargs, before in self.operations:
            result = function(*args, **kwargs)
            schema = function._schema
            if all(each.alias_info is None for each in schema.returns) and not schema.is_mutable:
                several = isinstance(result, tuple)
                for old, new in zip(before, result, strict=True) if several else [(before, result)]:
                    if isinstance(old, torch.Tensor):
                        old.copy_(new)


@pytest.fixture
def tapes(monkeypatch) -> list[Tape]:
    """Have steps recorded on tapes, and return them."""
    made = []

    def graph_on(device):
        made.append(Tape())
        return made[-1]

    monkeypatch.setattr(devices, "graph_on", graph_on)
    return made


def in_colour() -> Sequences:
    """Return sequences of noise in colour, whose images are held with a byte a pixel."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(256, (8, 3, 16, 16, 3), generator=draw, dtype=torch.uint8).numpy()
    factors = torch.rand(8, 3, 5, generator=draw).numpy()
    return Sequences.of_sprites(images, factors, torch.full((5,), 3).numpy(), torch.arange(8).numpy())


@pytest.mark.parametrize(("model", "amp"), [*((model, None) for model in MODELS), ("slowvae", "bf16")])
def test_replayed_steps_equal_steps_taken(model, amp, tapes):
    frames = Frames.of(bars() if model != "ada-gvae" else in_colour(), CPU)
    settings = replace(SMALL, model=model, amp=amp, batch_size=6)
    recorded, plain = (Stack((0, 5), frames, settings, graph=graph) for graph in (True, False))
    for iteration in range(8):  # over the end of an epoch
        for stack in (recorded, plain):
            stack.step(iteration)
        if iteration == 5:
            assert recorded.statistics(5, 6) == plain.statistics(5, 6)
    (tape,) = tapes
    assert (tape.warm_ups, tape.recordings, tape.replays) == (3, 1, 5)
    assert_equal(recorded.tensors(), plain.tensors())


def test_a_recording_of_tensors_that_were_replaced_would_be_wrong(frames, tapes):
    """The tape can fail: it notices a step that does not stay in its place."""
    recorded, plain = (Stack((0,), frames, SMALL, graph=graph) for graph in (True, False))
    for iteration in range(6):
        recorded.sums = {name: total.clone() for name, total in recorded.sums.items()}
        recorded.step(iteration)
        plain.step(iteration)
    assert not torch.equal(recorded.sums["total"], plain.sums["total"])


def test_a_stack_that_takes_over_a_checkpoint_records_anew(frames, tapes):
    stack, other = Stack((0,), frames, SMALL), Stack((0,), frames, SMALL, graph=False)
    for iteration in range(5):
        stack.step(iteration)
    saved = stack.tensors()
    for iteration in range(5, 8):
        stack.step(iteration)
    stack.load(saved)
    other.load(saved)
    for iteration in range(5, 12):
        stack.step(iteration)
        other.step(iteration)
    assert tapes[0].recordings == 2
    assert_equal(stack.tensors(), other.tensors())


def test_a_recorded_run_that_was_stopped_goes_on_to_the_same_end(tmp_path, tapes, monkeypatch):
    frames = Frames.of(bars(), CPU)
    settings = replace(SMALL, iterations=14, seeds=(0, 1))
    whole = train(frames, settings, tmp_path / "whole")
    assert all(tape.replays for tape in tapes)
    monkeypatch.setattr(Interrupted, "steps", [-7])  # while the line of iteration 4 is made
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(**vars(frames)), settings, tmp_path / "parts")
    assert [path.name for path in (tmp_path / "parts/checkpoints").iterdir()] == ["00000005"]
    parts = train(frames, settings, tmp_path / "parts", resume=True)
    assert_equal(parameters(parts), parameters(whole))
    assert (tmp_path / "parts/log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()


def test_what_cannot_be_recorded_is_called(frames):
    class Broken(Tape):
        def record(self, function):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more")

    calls = []
    repeated = devices.Repeated(lambda: calls.append(1), Broken())
    for _ in range(3):
        repeated()
    with pytest.warns(DatagenWarning, match="cannot be recorded as one graph here") as caught:
        repeated()
    assert "\n" not in str(caught[0].message)
    repeated()
    assert len(calls) == 5


def test_only_a_gpu_has_a_graph_and_compiled_steps_have_none(frames, tapes, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function: function)
    Stack((0,), frames, replace(SMALL, compile=True))
    assert not tapes
    monkeypatch.undo()
    assert devices.graph_on(CPU) is None
    assert devices.graph_on(torch.device("mps")) is None


# On a GPU


def gpu_tensors(frames, settings, seeds=(0, 1), steps=8, graph=True):
    """Return what a stack is after some steps on a GPU, on the CPU."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        stack = Stack(seeds, frames, settings, graph=graph)
        for iteration in range(steps):
            stack.step(iteration)
    assert (stack._step._replay is not None) == graph
    return {name: tensor.cpu() for name, tensor in stack.tensors().items()}


def assert_close(mine, theirs):
    assert mine.keys() == theirs.keys()
    for name in theirs:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-4, atol=1e-6, msg=name)


@pytest.fixture
def gpu_frames(gpu) -> Frames:
    return Frames.of(bars(), gpu)


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("amp", [None, "bf16"])
def test_a_cuda_graph_takes_the_steps_that_are_taken_without(model, amp, gpu_frames):
    settings = replace(SMALL, model=model, amp=amp)
    assert_close(gpu_tensors(gpu_frames, settings), gpu_tensors(gpu_frames, settings, graph=False))


@pytest.mark.gpu
@pytest.mark.parametrize("data", [bars, in_colour])
def test_images_in_pinned_memory_give_the_same_steps(data, gpu, monkeypatch):
    settings = replace(SMALL, batch_size=6)
    there = Frames.of(data(), gpu)
    monkeypatch.setattr(devices, "_SHARE", 0)
    pinned = Frames.of(data(), gpu)
    assert there.pixels.is_cuda
    assert pinned.pixels.is_pinned()
    torch.testing.assert_close(pinned.at(slice(3, 9)), there.at(slice(3, 9)), rtol=0, atol=0)
    assert_close(gpu_tensors(pinned, settings), gpu_tensors(there, settings))


@pytest.mark.gpu
@pytest.mark.parametrize("share", [0, 0.8])
@pytest.mark.parametrize("graph", [True, False])
def test_no_step_waits_for_the_gpu(share, graph, gpu, monkeypatch):
    monkeypatch.setattr(devices, "_SHARE", share)
    stack = Stack((0, 1), Frames.of(bars(), gpu), SMALL, graph=graph)
    for iteration in range(4):  # as far as the recording
        stack.step(iteration)
    torch.cuda.set_sync_debug_mode("error")
    try:
        stack.step(4)
        stack.step(5)  # of the same epoch: the next one's order would be brought to the GPU
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_ten_networks_on_a_gpu_train_as_each_alone(gpu_frames):
    together = gpu_tensors(gpu_frames, SMALL, seeds=tuple(range(10)))
    alone = gpu_tensors(gpu_frames, SMALL, seeds=(7,))
    for name in alone:
        torch.testing.assert_close(together[name], alone[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_a_gpu_computes_the_objective_of_the_cpu(model, gpu, frames):
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        stack = Stack((3,), frames, replace(SMALL, model=model))
        x, noise = frames.at(stack.order.batch(0)), torch.randn(1, SMALL.batch_size, SMALL.z_dim)
        expected = stack.network.loss(x, noise)
        found = stack.network.to(gpu).loss(x.to(gpu), noise.to(gpu))
    for name in expected:
        torch.testing.assert_close(found[name].cpu(), expected[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.gpu
def test_a_run_on_a_gpu_that_was_stopped_goes_on(gpu_frames, tmp_path):
    settings = replace(SMALL, seeds=(0, 1), iterations=12)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        whole = train(gpu_frames, settings, tmp_path / "whole")
        train(gpu_frames, replace(settings, iterations=7), tmp_path / "parts")
        parts = train(gpu_frames, settings, tmp_path / "parts", resume=True)
    assert_close(parameters(parts), parameters(whole))
