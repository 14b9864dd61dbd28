"""Training SlowVAE beside the release's training loop, on the same machine in one run.

    python benchmarks/bench_slowvae.py kitti.npz [--rounds 3] [--steps 60] [--checkpoint run/checkpoints/00004000]
    python benchmarks/bench_slowvae.py shapes3d.h5    # a grid, in colour, with LAP pairs
    python benchmarks/bench_slowvae.py kitti.npz --device cuda --steps 500    # 1 and 10 seeds, with and without graph

With a checkpoint of seed 0 both loops are timed from there as well: training does not stay as fast as it begins.
Every contender is a process of its own, so none profits from another's settings; they take turns, and the median of
the rounds is shown. Run it on a quiet machine: threads that spin lose most where they share a core.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from _side_by_side import machine
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))

from datagen import store
from datagen.pairs import first_frames
from slowvae import device as devices
from slowvae.batches import Frames
from slowvae.checkpoints import load_checkpoint
from slowvae.settings import Settings, make_settings
from slowvae.trainer import SYNC_EVERY, Stack

GFLOP_A_STEP = 6.3  # 16.4 million multiply-adds an image forward, three times that with backward, 64 images


def wait_for_gpu() -> None:
    """Wait for what a GPU was asked to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def rate(step: Callable[[int], object], steps: int, warm_up: int = 10) -> float:
    """Return steps a second, after some to warm up."""
    for i in range(warm_up):
        step(i)
    wait_for_gpu()
    begin = time.perf_counter()
    for i in range(warm_up, steps + warm_up):
        step(i)
    wait_for_gpu()
    return steps / (time.perf_counter() - begin)


def plain_network(channels: int = 1) -> tuple[nn.Sequential, nn.Sequential]:
    """Return encoder and decoder as the release writes them."""
    down = [nn.Conv2d(channels, 32, 4, 2, 1), nn.Conv2d(32, 32, 4, 2, 1), nn.Conv2d(32, 64, 4, 2, 1)]
    down += [nn.Conv2d(64, 64, 4, 2, 1), nn.Conv2d(64, 256, 4)]
    up = [nn.ConvTranspose2d(256, 64, 4), nn.ConvTranspose2d(64, 64, 4, 2, 1), nn.ConvTranspose2d(64, 32, 4, 2, 1)]
    up += [nn.ConvTranspose2d(32, 32, 4, 2, 1)]
    encoder = nn.Sequential(
        *(part for layer in down for part in (layer, nn.ReLU(True))), nn.Flatten(), nn.Linear(256, 20)
    )
    decoder = nn.Sequential(
        nn.Linear(10, 256),
        nn.Unflatten(1, (256, 1, 1)),
        nn.ReLU(True),
        *(part for layer in up for part in (layer, nn.ReLU(True))),
        nn.ConvTranspose2d(32, channels, 4, 2, 1),
    )
    return encoder, decoder


def release(path: Path, steps: int, checkpoint: Path | None = None, device: str = "cpu") -> float:
    """Time a training loop as the release's: its dataset, torch's loader, layers and Adam as they come."""
    data = store.load(path)
    grid = data.has_no_time
    starts, lasts, _ = first_frames(data.offsets, reach=0 if grid else 1)
    sizes = data.factor_sizes

    def laplace_second(first: int) -> int:
        """Draw as the release does: one pair at a time, factor by factor (LAP, rate 1)."""
        now = np.array(np.unravel_index(first, sizes))
        then = now.copy()
        for k, factor in enumerate(data.factor_info):
            if not factor.categorical:
                weights = np.exp(-np.abs(np.arange(sizes[k]) - now[k]) / np.log(sizes[k]))
                then[k] = np.random.choice(sizes[k], p=weights / weights.sum())  # noqa: NPY002
        return int(np.ravel_multi_index(tuple(then), sizes))

    def picture(row: int) -> np.ndarray:
        image = data.images[row].astype(np.float32)
        image = image if data.images.dtype == bool else image / 255
        return image[None] if image.ndim == 2 else image.transpose(2, 0, 1)

    class Pairs(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(starts)

        def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
            first, last = starts[index], lasts[index]
            second = laplace_second(first) if grid else min(first + np.random.randint(1, 6), last)  # noqa: NPY002
            frames = (picture(i) for i in (first, second))
            return *frames, data.factors[first], data.factors[second]

    def collate(items: list[tuple[np.ndarray, ...]]) -> torch.Tensor:
        return torch.from_numpy(np.stack([image for item in items for image in item[:2]]))

    loader = torch.utils.data.DataLoader(Pairs(), 32, shuffle=True, drop_last=True, collate_fn=collate)
    batches = iter(loader)
    encoder, decoder = plain_network(data.images.shape[3] if data.images.ndim == 4 else 1)
    encoder, decoder = encoder.to(device), decoder.to(device)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-4)
    if checkpoint:
        tensors = load_checkpoint(checkpoint).tensors
        names = [name.removeprefix("0/parameter/") for name in tensors if name.startswith("0/parameter/")]
        parameters = (*encoder.parameters(), *decoder.parameters())
        for parameter, name in zip(parameters, sorted(names, key=place), strict=True):
            parameter.data = tensors[f"0/parameter/{name}"].reshape(parameter.shape).contiguous()
            moments = {m: tensors[f"0/{m}/{name}"].reshape(parameter.shape) for m in ("exp_avg", "exp_avg_sq")}
            adam.state[parameter] = {"step": tensors[f"0/step/{name}"], **moments}
    normal = torch.distributions.Normal(0.0, 1.0)

    def step(_: int) -> None:
        x = next(batches).to(device)
        h = encoder(x)
        mu, logvar = h[:, :10], h[:, 10:]
        std = logvar.div(2).exp()
        logits = decoder(mu + std * torch.randn_like(std))
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        entropy = 0.5 * (np.log(2 * np.pi * np.e) + logvar).sum(1).mean()
        prior = (0.5 * (mu**2 + logvar.exp()) + 0.5 * np.log(2 * np.pi)).sum(1).mean()
        m0, m1, s0, s1 = mu[::2], mu[1::2], std[::2], std[1::2]
        laplace = 0.0
        for m, s in ((m0 - m1, s0), (m1 - m0, s1)):
            spread = 6 * s * np.sqrt(2 / np.pi) * torch.exp(-(m**2) / (2 * s**2))
            laplace = laplace + (-np.log(6 / 2) + spread - 6 * m * (1 - 2 * normal.cdf(m / s))).sum(1).mean()
        loss = 2 * reconstruction + (prior - entropy) + 10 * (laplace - entropy)
        assert not torch.isnan(reconstruction)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return rate(step, steps)


def place(name: str) -> tuple[bool, int, bool]:
    """Return where a parameter such as ``decoder.4.bias`` comes in a network."""
    part, layer, kind = name.split(".")
    return part == "decoder", int(layer), kind == "bias"


def trainer(
    path: Path,
    steps: int,
    checkpoint: Path | None = None,
    device: str = "cpu",
    graph: bool = True,
    **changes: object,
) -> float:
    """Time the steps of `slowvae.trainer`, data and all; iterations a second."""
    frames = Frames.of(store.load(path), devices.find_device(device))
    settings: Settings = make_settings(**changes, prior="laplace" if frames.dataset.has_no_time else None)
    stacks = [Stack(seeds, frames, settings, graph) for seeds in devices.split_seeds(settings.seeds, frames.device)]
    if checkpoint:
        for stack in stacks:
            stack.load(load_checkpoint(checkpoint).tensors)
    n = SYNC_EVERY
    with devices.Executor(frames.device, len(stacks)) as executor:
        n_steps = lambda i: executor.run(Stack.step, stacks, range(n * i, n * (i + 1)))  # noqa: E731
        return n * rate(n_steps, max(1, steps // n), warm_up=1)


def bare(path: Path, steps: int, checkpoint: Path | None = None) -> float:
    """Time forward and backward of the network and objective on a fixed batch, without optimiser and data."""
    frames = Frames.of(store.load(path), devices.find_device("cpu"))
    stack = Stack((0,), frames, make_settings(prior="laplace" if frames.dataset.has_no_time else None))
    x, noise = frames.at(stack.order.batch(0)), torch.randn(1, 64, 10)

    def step(_: int) -> None:
        stack.network.zero_grad()
        stack.network.loss(x, noise)["total"].sum().backward()

    return rate(step, steps)


def limit(path: Path, steps: int, checkpoint: Path | None = None) -> float:
    """Return the steps a second if all were one large float32 matrix product."""
    a = torch.rand(2048, 2048)
    return rate(lambda _: a @ a, steps) * 2 * 2.048**3 / GFLOP_A_STEP


def four_seeds(path: Path, steps: int, checkpoint: Path | None = None, amp: str | None = None) -> float:
    """Time the steps of four networks in training."""
    return trainer(path, max(SYNC_EVERY, steps // 4), checkpoint, seeds=(0, 1, 2, 3), amp=amp)


def one_core(path: Path, steps: int, checkpoint: Path | None = None, amp: str | None = None) -> float:
    """Time the steps of one network on one core: as many cores as there are could do that often, and no more."""
    torch.set_num_threads(1)
    return trainer(path, steps, checkpoint, amp=amp)


CONTENDERS: dict[str, Callable[[Path, int, Path | None], float]] = {
    "release's loop": release,
    "float32": trainer,
    "bf16": partial(trainer, amp="bf16"),
    "bare forward + backward": bare,
    "one core": one_core,
    "one core, bf16": partial(one_core, amp="bf16"),
    "4 seeds": four_seeds,
    "4 seeds, bf16": partial(four_seeds, amp="bf16"),
    "arithmetic limit": limit,
}
ON_GPU: dict[str, Callable[[Path, int, Path | None], float]] = {
    "release's loop": partial(release, device="cuda"),
    **{
        f"{seeds} seed{'s' * (seeds > 1)}, {amp or 'float32'}, {'graph' if graph else 'no graph'}": partial(
            trainer, device="cuda", seeds=tuple(range(seeds)), amp=amp, graph=graph
        )
        for seeds in (1, 10)
        for amp in (None, "bf16")
        for graph in (False, True)
    },
}
FROM_CHECKPOINT = ("release's loop", "float32", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="KITTI Masks, as `datagen kitti-masks` makes it, or a grid")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--checkpoint", type=Path, help="folder of a checkpoint to time training from as well")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", choices=CONTENDERS | ON_GPU, help="time one contender and print its steps a second")
    options = parser.parse_args()
    contenders = CONTENDERS if options.device == "cpu" else ON_GPU
    if options.only:
        print(contenders[options.only](options.file, options.steps, options.checkpoint))
        return
    runs = {name: [options.file, "--device", options.device, "--only", name] for name in contenders}
    if options.checkpoint and options.device == "cpu":
        name_it = "{} from the checkpoint".format
        runs |= {name_it(n): [*runs[n], "--checkpoint", options.checkpoint] for n in FROM_CHECKPOINT}
    figures: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, arguments in runs.items():
            command = [sys.executable, __file__, *map(str, arguments), "--steps", str(options.steps)]
            figures[name].append(float(subprocess.check_output(command, text=True)))
    median = {name: float(np.median(values)) for name, values in figures.items()}
    if options.device == "cuda":
        print(f"SlowVAE, batch 64, {devices.describe(torch.device('cuda'))}")
        print(f"  {'':<36} {'it/s':>9} {'x release':>10} {'x release, by network':>22}")
        for name, its in median.items():
            networks = 10 if name.startswith("10") else 1
            ratio = its / median["release's loop"]
            print(f"  {name:<36} {its:9.1f} {ratio:10.2f} {networks * ratio:22.2f}")
        return
    print(f"SlowVAE, batch 64, {machine()}, torch {torch.__version__}")
    print(f"  {'':<36} {'it/s':>7} {'ms':>7} {'x release':>10}")
    for name, its in median.items():
        of_release = median[f"release's loop{' from the checkpoint' if 'from' in name else ''}"]
        print(f"  {name:<36} {its:7.2f} {1000 / its:7.1f} {its / of_release:10.2f}")
    print(f"  loop against bare forward + backward: {median['bare forward + backward'] / median['float32']:.2f}x")
    cores = torch.get_num_threads()
    for single, kind in (("float32", ""), ("bf16", ", bf16")):
        together = median[single] / median["4 seeds" + kind]
        apart = 4 * median[single] / (median["one core" + kind] * cores)
        print(f"  4 seeds{kind} against one: {together:.2f}x its time; cores with nothing in common: {apart:.2f}x")


if __name__ == "__main__":
    main()
