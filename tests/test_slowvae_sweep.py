import csv
import json
import os
import signal
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from test_slowvae_commands import call
from test_slowvae_evaluation import people
from test_slowvae_trainer import SMALL, Interrupted, assert_equal, bars, parameters

from datagen import store
from datagen.errors import DatagenError, FailedCheckError, UsageError
from slowvae import runs
from slowvae import sweep as sweep_module
from slowvae.checkpoints import latest_checkpoint
from slowvae.protocols import training_settings
from slowvae.results import read_result
from slowvae.sweep import Grid, Ranges, Trial, search_named, sweep

TINY = replace(SMALL, iterations=3, z_dim=3, seeds=(0, 1), save_every=2)
GAMMAS = Grid({"gamma": (1, 10, 5)})
OPTIONS = ["--preset", "quick", "--batch-size", "8", "--z-dim", "3", "--iterations", "2", "--seeds", "0,1"]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "bars.npz"
    store.save(bars(), path)
    return path


@pytest.fixture(scope="module")
def done(data, tmp_path_factory) -> Path:
    """Return the folder of a search that is done. Not to be written to."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("searches") / "gammas"
    sweep(data, folder, GAMMAS, TINY)
    return folder


def no_training(*arguments):
    raise AssertionError("nothing was to be trained")


# What is searched


def test_a_trial_is_the_same_however_many_there_are():
    few, many = Ranges({"rate": (1, 10), "gamma": (1, 16)}, 3), Ranges({"gamma": (1, 16), "rate": (1, 10)}, 100)
    assert [few.values(i) for i in range(3)] == [many.values(i) for i in range(3)]
    drawn = np.array([tuple(many.values(i).values()) for i in range(100)])
    assert list(many.values(0)) == ["gamma", "rate"]
    assert (drawn.min(0) >= 1).all()
    assert (drawn.max(0) <= (16, 10)).all()
    # Of a hundred draws from all of a range the mean lies this close to its middle, by five deviations.
    assert (np.abs(drawn.mean(0) - (8.5, 5.5)) < 5 * np.array([15, 9]) / np.sqrt(12 * 100)).all()
    assert replace(many, seed=1).values(0) != many.values(0)


def test_the_search_of_the_paper():
    assert search_named("klindt2021", "slowvae").ranges == {"gamma": (1, 16), "rate": (1, 10)}
    assert search_named("klindt2021", "beta-vae", 7, 3) == Ranges({"beta": (1, 16)}, 7, 3)
    with pytest.raises(UsageError, match="klindt2021 is of slowvae, beta-vae"):
        search_named("klindt2021", "pcl")
    with pytest.raises(UsageError, match="unknown search 'x'; there are klindt2021"):
        search_named("x", "slowvae")


def test_a_grid_has_every_combination_once():
    grid = Grid({"rate": (2, 6), "gamma": (1, 5, 10)})
    found = [tuple(grid.values(i).items()) for i in range(grid.trials)]
    assert len(set(found)) == len(found) == 6
    assert {dict(each)["gamma"] for each in found} == {1, 5, 10}


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Ranges({"gamma": (5, 1)}), "gamma=5:1: must be a range"),
        (lambda: Ranges({"gamma": (1, float("inf"))}), "must be a range"),
        (lambda: Ranges({"gamma": (float("nan"), 2)}), "must be a range"),
        (lambda: Ranges({"z_dim": (2, 10)}), "'z_dim' cannot be searched so"),
        (lambda: Ranges({}), "name a setting"),
        (lambda: Ranges({"gamma": (1, 2)}, trials=0), "0 trials"),
        (lambda: Grid({"seeds": (1,)}), "'seeds' cannot be searched so; there are"),
        (lambda: Grid({"gama": (1,)}), "'gama' cannot be searched so; did you mean 'gamma'"),
        (lambda: Grid({"gamma": ()}), "one or more values"),
        (lambda: Grid({"gamma": (1, 1)}), "each once"),
        (lambda: Grid({"gamma": tuple(range(200)), "rate": tuple(range(1, 200))}), "39,800 combinations"),
    ],
)
def test_what_cannot_be_searched_is_one_line(make, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("search", "change", "problem"),
    [
        (GAMMAS, {"seeds": (0,)}, "give two or more"),
        (GAMMAS, {"model": "beta-vae"}, "beta-vae has no gamma; it has beta"),
        (GAMMAS, {"model": "pcl"}, "pcl has no gamma; it has none of these"),
        (Grid({"z_dim": (2.5,)}), {}, "z_dim = 2.5"),
        (Grid({"rate": (0,)}), {}, "rate = 0: must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_done(data, tmp_path, search, change, problem):
    with pytest.raises(UsageError, match=problem):
        sweep(data, tmp_path / "s", search, replace(TINY, **change))
    assert not list(tmp_path.iterdir())


# Trials


def test_trials_are_runs_ranked_by_udr(done):
    record = json.loads((done / "sweep.json").read_text())
    assert [trial["udr"] for trial in record["trials"]] == sorted((t["udr"] for t in record["trials"]), reverse=True)
    for trial in record["trials"]:
        folder = done / trial["folder"]
        run = runs.read_run(folder)
        assert run.settings == replace(TINY, gamma=(1, 10, 5)[trial["number"]])
        assert (run.status, runs.load(folder).keys()) == ("finished", {0, 1})
        scores = json.loads((folder / "result.json").read_text())
        assert trial["udr_of_seeds"] == scores["udr"]
        assert trial["udr"] == pytest.approx(np.mean(list(scores["udr"].values())), rel=1e-12)
        assert (trial["mcc"], trial["mcc_deviation"]) == (
            scores["mcc"]["mean"],
            scores["mcc"]["standard_deviation"],
        )
    assert record["rank_correlation"] == {"of": ["udr", "mcc"], "n": 3, "spearman": None, "p": None}
    with (done / "sweep.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["trial"], float(row["gamma"]), float(row["udr"]), row["folder"]) for row in rows] == [
        (str(t["number"]), t["values"]["gamma"], t["udr"], t["folder"]) for t in record["trials"]
    ]


def test_what_is_done_is_not_done_again(done, data, monkeypatch):
    before = {path: path.read_bytes() for path in done.rglob("*") if path.is_file()}
    monkeypatch.setattr(sweep_module, "train", no_training)
    monkeypatch.setattr(sweep_module, "evaluate_run", no_training)
    found = sweep(data, done, GAMMAS, TINY)
    assert len(found.trials) == 3
    assert {path: path.read_bytes() for path in done.rglob("*") if path.is_file()} == before


def test_more_trials_go_further(data, tmp_path):
    search = Ranges({"gamma": (1, 16)}, trials=1)
    first = sweep(data, tmp_path / "s", search, TINY).trials
    both = sweep(data, tmp_path / "s", replace(search, trials=2), TINY).trials
    assert {trial.number for trial in both} == {0, 1}
    assert first[0] in both
    # With fewer again, what is there is ranked.
    assert sweep(data, tmp_path / "s", search, TINY).trials == both


def test_an_interrupted_search_goes_on_to_the_same_end(done, data, tmp_path, monkeypatch):
    load_frames, calls = sweep_module.load_frames, []

    def interrupted(*arguments):
        frames, described = load_frames(*arguments)
        calls.append(1)
        return (Interrupted(**vars(frames)) if len(calls) == 2 else frames), described

    monkeypatch.setattr(Interrupted, "steps", [0])
    with monkeypatch.context() as patched:
        patched.setattr(sweep_module, "load_frames", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sweep(data, tmp_path / "s", GAMMAS, TINY)
    assert runs.read_run(tmp_path / "s/trials/0001").status == "stopped"
    assert len(json.loads((tmp_path / "s/sweep.json").read_text())["trials"]) == 1
    sweep(data, tmp_path / "s", GAMMAS, TINY)
    assert_same_search(tmp_path / "s", done)


def assert_same_search(mine: Path, theirs: Path) -> None:
    """Check that two searches have the same networks, bit for bit, and scores."""
    assert (mine / "sweep.json").read_text() == (theirs / "sweep.json").read_text()
    assert (mine / "sweep.csv").read_text() == (theirs / "sweep.csv").read_text()
    for folder in (theirs / "trials").iterdir():
        assert_equal(parameters(runs.load(mine / "trials" / folder.name)), parameters(runs.load(folder)))


def test_a_trial_that_is_no_longer_finite_is_noted_and_the_others_go_on(data, tmp_path, monkeypatch):
    train = sweep_module.train

    def sometimes(frames, settings, *rest):
        if settings.gamma == 10:
            raise FailedCheckError("seed 0 is no longer finite at iteration 2")
        return train(frames, settings, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(sweep_module, "train", sometimes)
        found = sweep(data, tmp_path / "s", GAMMAS, TINY)
        assert [trial.failed for trial in found.trials] == [None, None, "seed 0 is no longer finite at iteration 2"]
        assert (found.trials[-1].number, found.trials[-1].udr) == (1, None)
    monkeypatch.setattr(sweep_module, "train", no_training)
    assert sweep(data, tmp_path / "s", GAMMAS, TINY) == found


@pytest.mark.parametrize(
    ("search", "change", "problem"),
    [
        (Grid({"gamma": (1, 10)}), {}, r"another search \(the search\)"),
        (Ranges({"gamma": (1, 10)}), {}, r"another search \(the search\)"),
        (GAMMAS, {"seeds": (0, 2)}, r"another search \(seeds\)"),
        (GAMMAS, {"iterations": 4, "beta": 2.0}, r"another search \(beta, iterations\)"),
    ],
)
def test_the_folder_of_another_search_is_refused(done, data, search, change, problem):
    with pytest.raises(UsageError, match=problem):
        sweep(data, done, search, replace(TINY, **change))


def test_a_folder_of_something_else_is_refused(done, data, tmp_path):
    with pytest.raises(UsageError, match="holds a run"):
        sweep(data, done / "trials/0000", GAMMAS, TINY)
    store.save(bars(seed=1), tmp_path / "other.npz")
    with pytest.raises(UsageError, match=r"another search \(the dataset\)"):
        sweep(tmp_path / "other.npz", done, GAMMAS, TINY)
    with runs.locked(done), pytest.raises(UsageError, match="another process is working here"):
        sweep(data, done, GAMMAS, TINY)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/sweep.json").write_text('{"plan": {}, "trials": [{"number": "x"}]}')
    with pytest.raises(DatagenError, match=r"sweep\.json, trials.*number: is damaged"):
        sweep(data, tmp_path / "s", GAMMAS, TINY)


def test_the_rank_correlation_of_udr_and_mcc():
    rng = np.random.default_rng(0)
    for n in (5, 6, 20):
        scores = rng.integers(0, 8, (n, 2)) / 8.0  # with ties
        found = sweep_module._rank_correlation(scores)
        assert (found.n, found.spearman) == (n, pytest.approx(spearmanr(*scores.T).statistic, abs=1e-12))
    sure = sweep_module._rank_correlation(np.arange(40.0).reshape(20, 2))
    assert (sure.spearman, sure.p) == (pytest.approx(1), 1e-4)
    # Of the 120 orders of five, one is in order and one in the opposite: 1 / 60.
    assert sweep_module._rank_correlation(np.arange(10.0).reshape(5, 2)).p == pytest.approx(1 / 60, rel=0.3)
    for scores in (np.arange(8.0).reshape(4, 2), np.zeros((0, 2)), np.ones((9, 2))):
        assert sweep_module._rank_correlation(scores).spearman is None


def test_with_fewer_latents_than_factors_there_is_no_mcc(data, tmp_path):
    (trial,) = sweep(data, tmp_path / "s", Grid({"z_dim": (2,)}), TINY).trials
    assert trial.udr is not None
    assert trial.mcc is None


def test_trials_without_a_udr_come_last(tmp_path):
    trials = [Trial(0, {}, udr=None, mcc=0.9), Trial(1, {}, udr=0.0, mcc=0.1), Trial(2, {}, udr=0.5, mcc=None)]
    found = sweep_module._ranked(tmp_path, trials)
    assert [trial.number for trial in found.trials] == [2, 1, 0]
    assert found.rank_correlation.n == 1


def test_trials_are_trained_and_scored_by_a_protocol(tmp_path):
    store.save(people(), tmp_path / "people.npz")
    settings = replace(TINY, **training_settings("by-object", split_seed=3))
    search = (tmp_path / "people.npz", tmp_path / "s", Grid({"gamma": (1,)}), settings)
    (trial,) = sweep(*search, protocol="by-object").trials
    protocol = read_result(tmp_path / "s" / trial.folder / "result.json").protocol
    assert (protocol.split, protocol.part, protocol.split_seed, protocol.trained_on) == ("by-object", "test", 3, "")
    assert trial.protocol == protocol.id
    with pytest.raises(UsageError, match=r"another search \(the protocol\)"):
        sweep(*search, protocol="by-sequence")


@pytest.mark.parametrize(
    ("search", "protocol", "problem"),
    [
        (GAMMAS, "held-out-object", "the search: was trained on everything, and held-out-object scores"),
        (Grid({"max_delta_t": (1, 5)}), "klindt2021-0.05s", "the search: was trained with max_delta_t 5, and"),
        (GAMMAS, "other", "unknown protocol 'other'"),
    ],
)
def test_a_protocol_of_another_training_is_refused_before_anything_is_done(data, tmp_path, search, protocol, problem):
    with pytest.raises(UsageError, match=problem):
        sweep(data, tmp_path / "s", search, TINY, protocol=protocol)
    assert not list(tmp_path.iterdir())


# The command


def test_the_command_says_what_it_found(data, tmp_path):
    out = tmp_path / "s"
    search = ["sweep", data, "--out", out, *OPTIONS, "--grid", "gamma=1,10", "--grid", "learning-rate=1e-3"]
    shown = call(*search)
    assert "learning_rate" in shown
    assert "too few trials to tell (n = 2)" in shown
    assert "MCC of the protocol" in shown
    assert json.loads(call(*search, "--json")) == json.loads((out / "sweep.json").read_text())
    assert call(*search, "--quiet") == ""
    with pytest.raises(UsageError, match=r"another search \(max_delta_t, the protocol\)"):
        call(*search, "--protocol", "klindt2021-0.05s")
    assert "Example:" in call("sweep", "--help")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--grid", "gamma=1", "--random", "gamma=1:2"], "exclude each other"),
        (["--grid", "gamma=1,2", "--trials", "3"], "as many as it has combinations"),
        (["--grid", "gamma=1,2", "--grid", "gamma=3"], "gamma is given twice"),
        (["--random", "gamma=1"], "a range is two numbers"),
        (["--random", "gamma=1:2:3"], "a range is two numbers"),
        (["--grid", "gamma"], "not of the form gamma=1,5,10"),
        (["--grid", "gamma=1,,2"], "not of the form"),
        (["--grid", "gamma=-1"], "not of the form"),
        (["--random", "gamma=1,16"], "not of the form gamma=1:16"),
        (["--random", "colour=1:2"], "'colour' cannot be searched so"),
        (["--seeds", "3"], "give two or more"),
        (["--rate", "3"], "the model's is searched"),
        (["--search", "other"], "klindt2021"),
        (["--scheduler", "nonsense"], "is no address of a Dask scheduler"),
    ],
)
def test_a_wrong_call_is_one_line(data, tmp_path, options, problem):
    try:
        shown = call("sweep", data, "--out", tmp_path / "s", *OPTIONS, *options, code=2)
    except UsageError as error:  # which the program turns into a line
        shown = str(error)
    assert problem in " ".join(shown.split())
    assert not list((tmp_path / "s").glob("trials/*"))


# On a cluster


def process_of(events: Path) -> int:
    """Return the process that wrote a log of TensorBoard: events.out.tfevents.<time>.<host>.<process>.<number>."""
    return int(events.name.split(".")[-2])


@pytest.mark.slow
def test_on_a_cluster_a_worker_dies_and_another_goes_on(data, tmp_path):
    distributed = pytest.importorskip("distributed")
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    settings = replace(TINY, iterations=40, save_every=5, log_every=1, keep_every=40)
    gammas = Grid({"gamma": (1, 10)})
    here = sweep(data, tmp_path / "here", gammas, settings)
    killed = []
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
    ):
        warnings.simplefilter("ignore")

        def kill() -> None:
            """Kill the worker that has trial 0 when that has saved something."""
            places = tmp_path / "there/trials/0000/checkpoints"
            while latest_checkpoint(places) is None:
                time.sleep(0.001)
            pid = process_of(next((tmp_path / "there/trials/0000").glob("events.*")))
            os.kill(pid, signal.SIGKILL)
            killed.append((pid, int(latest_checkpoint(places).name)))

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        there = sweep(data, tmp_path / "there", gammas, settings, scheduler=cluster.scheduler_address)
        killer.join(10)
    ((pid, saved),) = killed
    # It went on elsewhere from where it was saved.
    events = {process_of(path): path for path in (tmp_path / "there/trials/0000").glob("events.*")}
    ((other, second),) = events.items() - {(pid, events[pid])}
    steps = [event.step for event in loader.EventFileLoader(str(second)).Load() if event.HasField("summary")]
    assert other != pid
    assert 0 < saved < steps[0] <= settings.iterations
    assert there.trials == here.trials
    assert_same_search(tmp_path / "there", tmp_path / "here")
