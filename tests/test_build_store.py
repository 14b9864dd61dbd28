"""Masks built into a store, part by part: equal to those in memory, however often interrupted, by whomever."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import datagen
from datagen import build, store
from datagen.build import build_masks
from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, OutputError, UsageError
from datagen.lazy_array import LazyArray
from datagen.parallel import Threads
from datagen.plans import PlanLog
from datagen.samples import sample_mots, sample_sa_v


@pytest.fixture(scope="module")
def sa_v(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sa-v") / "sa-v"
    sample_sa_v(folder, videos=5, frames=12)
    return folder


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Several shards to every video, and several videos to every shard."""
    monkeypatch.setattr("datagen.store.zarr._CHUNK_BYTES", 64 * 64 * 20)
    monkeypatch.setattr("datagen.store.zarr._CHUNKS_OF_SHARD", 4)


def files_of(path):
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def test_a_store_holds_what_is_built_in_memory(sa_v, tmp_path):
    stored = build_masks(sa_v, tmp_path / "a.zarr", windows=3)
    memory = build_masks(sa_v, windows=3)
    assert isinstance(stored.images, LazyArray)
    assert len(list((tmp_path / "a.zarr/masks/c").iterdir())) > 5
    for name, array in store.arrays_of(memory).items():
        np.testing.assert_array_equal(np.asarray(store.arrays_of(stored)[name]), array)
    assert store.save(memory, tmp_path / "a.npz") == stored.manifest
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["a.npz", "a.zarr"]


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_builds_the_same_bytes(sa_v, tmp_path, workers):
    build_masks(sa_v, tmp_path / "a.zarr", windows=2, workers=2)
    build_masks(sa_v, tmp_path / "b.zarr", windows=2, workers=workers)
    assert files_of(tmp_path / "a.zarr") == files_of(tmp_path / "b.zarr")


class Interrupt(Exception):
    pass


class Interrupted(Threads):
    """Does so many tasks and then gives up."""

    def __init__(self, tasks):
        super().__init__(1)
        self.left = tasks

    def map(self, function, items):
        for item in items:
            if not self.left:
                raise Interrupt
            self.left -= 1
            yield function(item)


@pytest.mark.parametrize("tasks", [0, 1, 3, 5, 7, 12])
def test_it_goes_on_where_it_was_interrupted(sa_v, tmp_path, monkeypatch, tasks):
    build_masks(sa_v, tmp_path / "a.zarr", windows=2)
    done = []

    def counted(function):
        def call(*arguments, **options):
            done.append(function.__name__)
            return function(*arguments, **options)

        return call

    @contextmanager
    def spread_over(scheduler, workers):
        yield Interrupted(tasks)

    with monkeypatch.context() as patched:
        patched.setattr(build, "spread_over", spread_over)
        with pytest.raises(Interrupt):
            build_masks(sa_v, tmp_path / "b.zarr", windows=2)
    assert not (tmp_path / "b.zarr").exists()
    planned = len(PlanLog(tmp_path / "b.zarr.partial/plans").read())
    painted = sum("/c/" in name for name in files_of(tmp_path / "b.zarr.partial"))
    assert (planned, painted) == (min(tasks, 5), max(0, tasks - 5))
    monkeypatch.setattr(build, "_plan_alone", counted(build._plan_alone))
    monkeypatch.setattr("datagen.store.zarr._write_shard", counted(store.zarr._write_shard))
    build_masks(sa_v, tmp_path / "b.zarr", windows=2, workers=1)
    assert files_of(tmp_path / "a.zarr") == files_of(tmp_path / "b.zarr")
    assert done.count("_plan_alone") == 5 - planned
    shards = sum(1 for each in files_of(tmp_path / "a.zarr") if "/c/" in each)
    assert done.count("_write_shard") == shards - painted
    assert not (tmp_path / "b.zarr.partial").exists()


def test_what_a_kill_leaves_of_a_write_is_not_in_the_store(sa_v, tmp_path, monkeypatch):
    """zarr writes a file under another name first; a process that is killed there leaves that name."""
    build_masks(sa_v, tmp_path / "a.zarr", windows=2)
    whole = files_of(tmp_path / "a.zarr")

    def killed(task):
        folder, begin, _ = task
        (folder / "c").mkdir()
        (folder / "c" / f"{begin}.0123456789abcdef.partial").touch()
        raise Interrupt

    with monkeypatch.context() as patched:
        patched.setattr("datagen.store.zarr._write_shard", killed)
        with pytest.raises(Interrupt):
            build_masks(sa_v, tmp_path / "b.zarr", windows=2, workers=1)
    assert list((tmp_path / "b.zarr.partial").rglob("*.partial"))
    build_masks(sa_v, tmp_path / "b.zarr", windows=2, workers=1)
    assert files_of(tmp_path / "b.zarr") == whole


def test_a_plan_that_was_cut_short_is_made_again(sa_v, tmp_path):
    build_masks(sa_v, tmp_path / "a.zarr", windows=2)
    log = PlanLog(tmp_path / "plans")
    assert log.read() == []
    from datagen.build import KittiView, SequenceRule, _plan_alone
    from datagen.readers import find_videos

    videos = find_videos(sa_v)
    rule = SequenceRule(30, 2, 2, False)
    plans = [_plan_alone(video, KittiView(64, 2, portrait=True), 64, rule, False) for video in videos[:2]]
    for plan in plans:
        log.add(plan)
    whole = (tmp_path / "plans").read_bytes()
    for cut in (len(whole) - 1, len(whole) // 2 + 9, 5):
        (tmp_path / "plans").write_bytes(whole[:cut])
        read = log.read()
        assert len(read) < 2
        log.add(plans[len(read)])
        again = log.read()
        assert len(again) == len(read) + 1
        for name in ("rows", "lengths", "latents", "object_id"):
            np.testing.assert_array_equal(getattr(again[-1], name), getattr(plans[len(read)], name))
        assert (again[-1].category, again[-1].inputs) == (plans[len(read)].category, plans[len(read)].inputs)


@pytest.mark.slow
def test_it_goes_on_after_a_kill(sa_v, tmp_path):
    """A process is killed at moments that spread over its work; the store is the same in the end."""
    code = f"""
from datagen.build import build_masks
from datagen.store import zarr
zarr._CHUNK_BYTES, zarr._CHUNKS_OF_SHARD = {64 * 64 * 20}, 4
build_masks({str(sa_v)!r}, {str(tmp_path / "b.zarr")!r}, windows=2, workers=1)
"""
    build_masks(sa_v, tmp_path / "a.zarr", windows=2)
    for patience in (40, 60, 80, 100, 120):
        process = subprocess.Popen([sys.executable, "-c", code])
        places = tmp_path / "b.zarr.partial"
        # Unlike rglob, os.walk passes over a folder that takes its name meanwhile.
        while process.poll() is None and sum(len(dirs + files) for _, dirs, files in os.walk(places)) < patience:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "b.zarr").exists() or store.load(tmp_path / "b.zarr").num_frames
    if not (tmp_path / "b.zarr").exists():
        subprocess.run([sys.executable, "-c", code], check=True)
    assert files_of(tmp_path / "a.zarr") == files_of(tmp_path / "b.zarr")


@pytest.mark.slow
def test_workers_of_a_cluster_build_the_same_though_one_dies(sa_v, tmp_path):
    distributed = pytest.importorskip("distributed")
    expected = build_masks(sa_v, tmp_path / "a.zarr", windows=2)
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
    ):
        warnings.simplefilter("ignore")
        preload = f"from datagen.store import zarr; zarr._CHUNK_BYTES, zarr._CHUNKS_OF_SHARD = {64 * 64 * 20}, 4"
        with distributed.Client(cluster, set_as_default=False) as client:
            client.run(exec, preload)
            victim = client.run(os.getpid)
            killed = []

            class Killing(build.PlanLog):
                def add(self, plan):
                    super().add(plan)
                    if len(self.read()) == 3 and not killed:
                        killed.append(os.kill(next(iter(victim.values())), signal.SIGKILL))

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(build, "PlanLog", Killing)
                found = build_masks(sa_v, tmp_path / "b.zarr", windows=2, scheduler=cluster.scheduler_address)
    assert killed
    np.testing.assert_array_equal(np.asarray(found.images), np.asarray(expected.images))
    assert files_of(tmp_path / "a.zarr") == files_of(tmp_path / "b.zarr")


def test_an_error_on_a_worker_is_the_same_error(tmp_path, sa_v):
    import pickle

    for error in (
        BadInputError("a.json", "is damaged", "frame 3"),
        BadInputError("a.json", "is damaged"),
        OutputError("a.zarr", OSError(28, "No space left on device"), "shards stay"),
        UsageError("no such thing"),
        DatagenError("no"),
    ):
        back = pickle.loads(pickle.dumps(error))
        assert (type(back), str(back), back.args) == (type(error), str(error), error.args)
        assert back.exit_code == error.exit_code


def test_nobody_at_the_address(sa_v, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("datagen.cluster._SECONDS_TO_CONNECT", 1)
    with pytest.raises(DatagenError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):
        build_masks(sa_v, tmp_path / "a.zarr", scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize("address", ["nonsense://x", "nonsense", "http://127.0.0.1:9", "tcp://127.0.0.1", ""])
def test_what_is_no_address(sa_v, tmp_path, address):
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match=r"is no address of a Dask scheduler"):
        build_masks(sa_v, tmp_path / "a.zarr", scheduler=address)
    assert not list(tmp_path.iterdir())


def test_workers_in_another_folder_find_relative_paths(sa_v, tmp_path, monkeypatch):
    """Threads in place of a cluster, which is in another folder from the start of its work on."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(sa_v.parent)

    @contextmanager
    def spread_over(scheduler, workers):
        monkeypatch.chdir(elsewhere)
        yield Threads(1)

    expected = build_masks(sa_v, windows=2)
    with monkeypatch.context() as patched:
        patched.setattr(build, "spread_over", spread_over)
        found = build_masks("sa-v", "found.zarr", windows=2, scheduler="tcp://x:1")
    assert store.load(sa_v.parent / "found.zarr").manifest == found.manifest
    np.testing.assert_array_equal(np.asarray(found.images), expected.images)


def test_annotations_that_change_meanwhile(tmp_path, monkeypatch):
    sample_sa_v(tmp_path / "sa-v", videos=2, frames=4)
    from datagen.store import write_store

    def change(*arguments):
        path = tmp_path / "sa-v/sav_000001_manual.json"
        path.write_text(path.read_text() + " ")
        return write_store(*arguments)

    monkeypatch.setattr("datagen.build.store.write_store", change)
    with pytest.raises(BadInputError, match=r"sav_000001_manual\.json: has changed since it was planned"):
        build_masks(tmp_path / "sa-v", tmp_path / "a.zarr")
    assert not (tmp_path / "a.zarr").exists()


def left_unfinished(sa_v, out, monkeypatch):
    def stop(*arguments):
        raise Interrupt

    with monkeypatch.context() as patched:
        patched.setattr("datagen.build.store.write_store", stop)
        with pytest.raises(Interrupt):
            build_masks(sa_v, out, windows=2)


def test_what_is_left_of_other_options(sa_v, tmp_path, monkeypatch):
    left_unfinished(sa_v, tmp_path / "a.zarr", monkeypatch)
    with pytest.raises(UsageError, match=r"a\.zarr\.partial: is left unfinished of other annotations or options"):
        build_masks(sa_v, tmp_path / "a.zarr", windows=3)
    found = build_masks(sa_v, tmp_path / "a.zarr", windows=3, overwrite=True)
    assert found.columns["window"].max() == 2
    assert [each.name for each in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("options", [{"fps_of_source": 6.0}, {"automatic": True}, {"format": "sa-v"}])
def test_what_is_left_of_annotations_read_in_another_way(sa_v, tmp_path, monkeypatch, options):
    left_unfinished(sa_v, tmp_path / "a.zarr", monkeypatch)
    with pytest.raises(UsageError, match=r"is left unfinished of other annotations or options"):
        build_masks(sa_v, tmp_path / "a.zarr", windows=2, **options)


@pytest.mark.parametrize("options", [{"categories": ["cat"]}, {"min_length": 1000}, {"frames_per_second": 5.0}])
def test_what_gave_nothing_is_not_in_the_way_of_other_options(sa_v, tmp_path, options):
    with pytest.raises(DatagenError):
        build_masks(sa_v, tmp_path / "a.zarr", windows=2, **options)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_says_what_is_kept(sa_v, tmp_path, monkeypatch):
    def full(*arguments):
        raise OutputError(tmp_path / "a.zarr", OSError(28, "No space left on device"))

    with monkeypatch.context() as patched:
        patched.setattr("datagen.build.store.write_store", full)
        with pytest.raises(
            OutputError, match=r"No space left.*; what was done is kept in a\.zarr\.partial, and the same"
        ):
            build_masks(sa_v, tmp_path / "a.zarr", windows=2)
        patched.setattr(build.PlanLog, "add", full)
        with pytest.raises(OutputError, match=r"nothing was left behind"):
            build_masks(sa_v, tmp_path / "b.zarr", windows=2)
    assert [each.name for each in tmp_path.iterdir()] == ["a.zarr.partial"]


def test_skipping_what_is_bad_goes_on_with_the_same_plans(sa_v, tmp_path, monkeypatch):
    left_unfinished(sa_v, tmp_path / "a.zarr", monkeypatch)
    build_masks(sa_v, tmp_path / "a.zarr", windows=2, skip_bad=True)


def test_two_at_one_store(sa_v, tmp_path):
    from datagen.files import continued_folder

    with (
        continued_folder(tmp_path / "a.zarr", "x"),
        pytest.raises(UsageError, match=r"a\.zarr\.partial: another process is working here"),
    ):
        build_masks(sa_v, tmp_path / "a.zarr")


def test_a_store_that_exists(sa_v, tmp_path):
    build_masks(sa_v, tmp_path / "a.zarr", windows=2)
    with pytest.raises(UsageError, match="exists; pass --overwrite"):
        build_masks(sa_v, tmp_path / "a.zarr", windows=3)
    build_masks(sa_v, tmp_path / "a.zarr", windows=3, overwrite=True)
    assert store.load(tmp_path / "a.zarr").columns["window"].max() == 2


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"out": "a.npz"}, "a dataset is built in parts into .zarr only"),
        ({"scheduler": "tcp://x"}, "other processes write into a .zarr store"),
        ({"out": "a.zarr", "categories": ["cat"]}, "no category cat"),
    ],
)
def test_wrong_calls(sa_v, tmp_path, monkeypatch, options, problem):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=problem):
        build_masks(sa_v, **options)


def test_no_sequence(sa_v, tmp_path):
    with pytest.raises(DatagenError, match="no sequence in 5 videos"):
        build_masks(sa_v, tmp_path / "a.zarr", min_length=1000)


def test_the_command_builds_stores(sa_v, tmp_path):
    arguments = ["masks", "--source", str(sa_v), "--out", str(tmp_path / "a.zarr"), "--windows", "2", "--json"]
    answer = CliRunner().invoke(datagen, arguments)
    assert answer.exit_code == 0, answer.output
    manifest = json.loads(answer.stdout)
    assert manifest["bytes"] == sum(len(content) for content in files_of(tmp_path / "a.zarr").values())
    assert manifest["counts"]["frames"] == store.load(tmp_path / "a.zarr").num_frames
    refused = CliRunner().invoke(datagen, [*arguments[:3], "--out", str(tmp_path / "a.npz"), "--scheduler", "tcp://x"])
    assert refused.exit_code == 2
    for command in (["info"], ["verify"], ["preview", "--out", str(tmp_path / "a.png")]):
        done = CliRunner().invoke(datagen, [command[0], str(tmp_path / "a.zarr"), *command[1:]])
        assert done.exit_code == 0, done.output


def test_label_maps_and_mots_are_painted_from_twice_read_annotations(tmp_path):
    sample_mots(tmp_path / "mots", frames=8, sequences=1)
    for annotations in (tmp_path / "mots/kitti-mots/instances", tmp_path / "mots/motschallenge/instances_txt"):
        memory, stored = build_masks(annotations), build_masks(annotations, tmp_path / "a.zarr", overwrite=True)
        assert isinstance(stored, Sequences)
        np.testing.assert_array_equal(np.asarray(stored.images), memory.images)
