"""Building masks far beyond memory: speed and memory against the size of the set.

    python benchmarks/bench_scale.py [--frames 100000,300000,1000000]

Synthetic annotations in SA-V's form. A build is a process of its own, in threads and on a Dask cluster of one and two
processes; memory is the largest of any one process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _side_by_side import print_rows

from datagen import store
from datagen.build import SequenceRule, plan
from datagen.files import size_of
from datagen.plans import read_cut
from datagen.readers import find_videos
from datagen.samples import sample_sa_v
from datagen.views import KittiView

BUILD = """
import json, resource, sys, time
from datagen.build import build_masks
if __name__ == "__main__":
    source, out, processes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if processes:
        from distributed import LocalCluster
        cluster = LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        found = build_masks(source, out, scheduler=cluster.scheduler_address)
        cluster.close()
    else:
        found = build_masks(source, out, workers=1)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(found.num_frames, peak * 1024)
"""


def build(source: Path, out: Path, processes: int) -> tuple[int, float, float]:
    """Return the number of frames, seconds and bytes of a build."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(source), str(out), str(processes)], check=True, capture_output=True, text=True
    )
    frames, peak = map(int, done.stdout.split())
    return frames, time.perf_counter() - begin, peak


def stages(source: Path) -> list[tuple[str, str]]:
    """Measure what bounds the speed of one core: reading, planning, painting."""
    videos, view, rule = find_videos(source)[:60], KittiView(64, 6, portrait=True), SequenceRule(30, 2, 2, False)
    plan(videos[:4], view, 64, rule, workers=1)  # compiles

    def core(name: str, function: object, count: int) -> tuple[str, str]:
        begin = time.process_time()
        function()  # type: ignore[operator]
        return name, f"{count / (time.process_time() - begin):,.0f} masks/s"

    planned = plan(videos, view, 64, rule, workers=1)
    masks = sum(len(each.tracks) for each in planned)
    plans = [each.plan for each in planned]

    def paint() -> None:
        for video, each in zip(videos, plans, strict=True):
            cut = read_cut(video, view, False)[1]
            if cut is not None:
                each.paint_into(np.zeros((len(each), 64, 64), bool), cut)

    return [
        core("reading: JSON, run lengths, nearest sampling", lambda: [v.read(view.sampling) for v in videos], masks),
        core("planning: reading, six windows, sequences", lambda: plan(videos, view, 64, rule, workers=1), masks),
        core(f"painting: reading again, {sum(map(len, plans)) / masks:.1f} windows a mask", paint, masks),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="100000,300000,1000000", help="About how many frames to build.")
    wanted = sorted(int(each) for each in parser.parse_args().frames.split(","))
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for frames in wanted:
            source = Path(folder, f"sa-v-{frames}")
            counts = sample_sa_v(source, videos=max(1, round(frames / 1762)))  # frames that a video gives on average
            if frames == wanted[0]:
                print_rows("One core,", stages(source))
            for processes, name in ((0, "1 thread"), (1, "Dask, 1 process"), (2, "Dask, 2 processes")):
                out = Path(folder, "out.zarr")
                made, seconds, peak = build(source, out, processes)
                text = f"{seconds:6.1f} s, {counts['masks'] / seconds:7,.0f} masks/s, {made / seconds:7,.0f} frames/s"
                memory = f"{peak / 1e6:5.0f} MB, store {size_of(out) / 1e6:.1f} MB"
                rows.append((f"{counts['masks']:,} masks to {made:,} frames, {name}", f"{text}, {memory}"))
                assert store.load(out, lazy=True).num_frames == made
                import shutil

                shutil.rmtree(out)
        print_rows("Building,", rows)


if __name__ == "__main__":
    main()
