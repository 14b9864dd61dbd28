"""What a run's folder holds is checked before it is believed."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_slowvae_commands import QUICK, call
from test_slowvae_trainer import CPU, SMALL, assert_equal, bars, parameters

import slowvae
from datagen import __version__, store
from datagen.errors import BadInputError, DatagenError, FailedCheckError, OutputError, UsageError
from datagen.files import sha256_file
from slowvae import checkpoints, runs
from slowvae.batches import Frames
from slowvae.comparison import compare
from slowvae.evaluation import encode_all
from slowvae.report import draw_pictures
from slowvae.settings import Settings, settings_json, settings_of
from slowvae.trainer import Stack, train


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def frames() -> Frames:
    return Frames.of(bars(), CPU)


@pytest.fixture(scope="module")
def trained(frames, tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(frames, replace(SMALL, seeds=(0, 1)), folder)
    return folder


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def newest(run: Path) -> Path:
    return checkpoints.latest_checkpoint(run / "checkpoints")


def refused(run: Path, frames: Frames, problem: str, networks: bool = True) -> None:
    """Neither networks nor a resumed training come of the run, and the line says which file is at fault."""
    settings = replace(SMALL, seeds=(0, 1))
    calls = [lambda: runs.load(run)] if networks else []
    for each in (*calls, lambda: train(frames, settings, run, resume=True)):
        with pytest.raises(BadInputError, match=problem) as caught:
            each()
        assert str(caught.value).startswith(str(run))
        assert "\n" not in str(caught.value)


# Settings


def test_settings_come_back_from_json():
    settings = Settings(model="pcl", seeds=(4, 2), amp="bf16", beta=8)
    assert settings_of(json.loads(json.dumps(settings_json(settings)))) == settings


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"z_dim": "10"}, "Expected `int`, got `str`"),
        ({"iterations": 6.5}, "Expected `int`, got `float`"),
        ({"seeds": 5}, "Expected `array`, got `int`"),
        ({"seeds": [0.5]}, "Expected `int`, got `float`"),
        ({"beta": None}, "Expected `float`, got `null`"),
        ({"compile": "x"}, "Expected `bool`, got `str`"),
        ({"z_dim": 10**12}, "z_dim = 1000000000000: must be a whole number, at least 1 and at most 4096"),
        ({"model": "x"}, "unknown model 'x'"),
        ({"speed": 1}, "has the setting 'speed'"),
    ],
)
def test_settings_of_another_kind_are_refused(change, problem):
    with pytest.raises(ValueError, match=problem):
        settings_of({**settings_json(Settings()), **change})


def test_settings_that_are_missing_are_not_filled_in():
    settings = settings_json(Settings())
    del settings["seeds"]
    with pytest.raises(ValueError, match="lacks the setting 'seeds'"):
        settings_of(settings)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (1 << 63,)}, {"seeds": (True,)}, {"seeds": tuple(range(1001))}, {"beta": float("nan")},
        {"gamma": -1.0}, {"learning_rate": float("inf")}, {"rate": 0.0}, {"batch_size": 64.0}, {"z_dim": True},
        {"iterations": 10**10}, {"beta": "x"},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(UsageError, match=f"^{next(iter(change))} "):
        Settings(**change)


# run.json


def test_a_run_says_its_version_and_moves_with_its_data(frames, tmp_path):
    (tmp_path / "there/runs").mkdir(parents=True)
    (tmp_path / "there/bars.npz").touch()
    folder = tmp_path / "there/runs/a"
    train(frames, SMALL, folder, runs.DataFile(str(tmp_path / "there/bars.npz"), "0" * 64))
    record = json.loads((folder / "run.json").read_text())
    assert record["tool"] == f"datagen {__version__}"
    assert record["dataset"]["path"] == "../../bars.npz"
    assert str(tmp_path) not in (folder / "run.json").read_text()
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    moved = runs.read_run(tmp_path / "elsewhere/runs/a")
    assert (moved.settings, moved.status) == (SMALL, "finished")
    assert moved.dataset == runs.DataFile(str(tmp_path / "elsewhere/bars.npz"), "0" * 64)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dataset": None}, "run.json, dataset: is damaged"),
        ({"dataset": {"path": 5, "sha256": ""}}, "run.json, dataset.path: is damaged"),
        ({"dataset": {"path": "a\0b", "sha256": ""}}, "run.json, dataset.path: is damaged .no path has a zero byte"),
        ({"settings": []}, "run.json, settings: is damaged"),
        ({"settings": {}}, "run.json, settings: is damaged .lacks the setting"),
        ({"status": 1}, "run.json, status: is damaged"),
    ],
)
def test_a_run_file_of_other_types_is_refused(change, problem, run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(BadInputError, match=problem):
        runs.read_run(run)


# Checkpoints


def test_a_run_is_loaded_to_encode_with(run, frames, tmp_path):
    networks = slowvae.load(str(run))
    assert repr(networks) == (
        "{0: SlowVAE(z_dim=2, channels=1, image_size=16, beta=1.0, gamma=10.0, rate=6.0), "
        "1: SlowVAE(z_dim=2, channels=1, image_size=16, beta=1.0, gamma=10.0, rate=6.0)}"
    )
    assert not any(network.training for network in networks.values())
    mu = networks[1].encode(frames.at(slice(0, 26)))[0]
    np.testing.assert_array_equal(mu.detach().numpy(), encode_all(networks[1], frames))
    with pytest.raises(UsageError, match="holds no run"):
        slowvae.load(tmp_path / "none")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(UsageError, match="holds no checkpoint yet"):
        slowvae.load(run)


def test_what_holds_arrays_is_shown_on_a_short_line(run, frames):
    assert repr(frames) == ("Frames(4 sequences, 26 images of (1, 16, 16), factors=('y', 'x', 'area'), device='cpu')")
    stack = Stack((4, 9), frames, SMALL)
    network = "SlowVAE(z_dim=2, channels=1, image_size=16, stack=2, beta=1.0, gamma=10.0, rate=6.0)"
    assert repr(stack) == f"Stack(seeds=(4, 9), network={network}, device='cpu')"
    assert repr(checkpoints.load_checkpoint(newest(run))).startswith("Checkpoint(iteration=12, settings=Settings(")


def change_state(run: Path, change) -> None:
    path = newest(run) / "state.json"
    state = json.loads(path.read_text())
    change(state)
    path.write_text(json.dumps(state))


def change_tensors(run: Path, change) -> None:
    """Change tensors as a program would that writes a checksum of its own."""
    path = newest(run) / "state.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    change_state(run, lambda state: state.update(sha256=sha256_file(path)))


STATES = {
    "an iteration that is a text": (lambda state: state.update(iteration="12"), "iteration: is damaged"),
    "a negative iteration": (lambda state: state.update(iteration=-1), "iteration: is damaged"),
    "another iteration": (lambda state: state.update(iteration=7), "it is of iteration 7"),
    "no settings": (lambda state: state.update(settings={}), "is damaged"),
    "no channels": (lambda state: state["settings"].pop("channels"), "images of None channels"),
    "channels -1": (lambda state: state["settings"].update(channels=-1), "images of -1 channels"),
    "images of 10^9 pixels": (lambda state: state["settings"].update(image_size=10**9), "images of 1000000000 pixels"),
    "a checksum that is null": (lambda state: state.update(sha256=None), "sha256: is damaged"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_of_other_types_is_refused(name, run, frames):
    change, problem = STATES[name]
    change_state(run, change)
    refused(run, frames, problem)


PARAMETER = "0/parameter/encoder.0.weight"
TENSORS = {
    "a parameter is missing": (lambda t: t.pop(PARAMETER), f"{PARAMETER} is missing"),
    "a parameter of another type": (lambda t: t.update({PARAMETER: t[PARAMETER].double()}), "is torch.float64"),
    "a parameter of another shape": (lambda t: t.update({PARAMETER: t[PARAMETER].flatten()}), r"\(512,\), not"),
    "a parameter that is not finite": (lambda t: t[PARAMETER].fill_(float("nan")), f"{PARAMETER} is not finite"),
    "no second moments": (lambda t: t.pop("1/exp_avg_sq/encoder.0.bias"), "1/exp_avg_sq/encoder.0.bias is missing"),
    "negative second moments": (lambda t: t["1/exp_avg_sq/encoder.0.bias"].fill_(-1), "is below 0"),
    "a negative number of steps": (lambda t: t["0/step/encoder.0.bias"].fill_(-5), "is below 0"),
    "no random state": (lambda t: t.pop("1/noise"), "1/noise is missing"),
    "a tensor too many": (lambda t: t.update(evil=torch.zeros(1)), "evil: holds more than the run"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_are_not_the_run_s_are_refused(name, run, frames):
    change, problem = TENSORS[name]
    change_tensors(run, change)
    refused(run, frames, problem)


@pytest.mark.parametrize("change", [lambda t: t["0/noise"].zero_(), lambda t: t.update({"0/noise": t["0/noise"][:16]})])
def test_a_random_state_of_another_device_is_refused_when_training_goes_on(change, run, frames):
    change_tensors(run, change)
    runs.load(run)  # needs none
    refused(run, frames, "random state", networks=False)


def test_pipes_and_other_folders_among_the_checkpoints(run, frames):
    for name in (".x", "²", "٣", "notes"):
        (run / "checkpoints" / name).mkdir()
    runs.load(run)
    (run / "checkpoints/99999999").mkdir()
    refused(run, frames, "99999999/state.json: is missing or damaged; remove this folder")
    (run / "checkpoints/99999999").rmdir()
    (newest(run) / "state.json").unlink()
    os.mkfifo(newest(run) / "state.json")
    refused(run, frames, "plain file")


def test_numbers_that_are_not_finite_are_never_saved(frames, tmp_path, monkeypatch):
    good = Stack.step

    def step(self, iteration):
        good(self, iteration)
        if iteration == 4:  # the fifth step: a save, and no line of the log
            next(self.network.parameters()).data[0, 0, 0, 0] = float("inf")

    monkeypatch.setattr(Stack, "step", step)
    with pytest.raises(FailedCheckError, match="seed 0 is no longer finite at iteration 5"):
        train(frames, SMALL, tmp_path)
    assert newest(tmp_path) is None


# log.csv


def test_rows_beyond_the_checkpoint_are_written_once(frames, tmp_path, monkeypatch):
    whole = train(frames, SMALL, tmp_path / "whole")
    good = Stack.step

    def step(self, iteration):
        if iteration == 9:
            raise DatagenError("killed")
        good(self, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(Stack, "step", step)
        with pytest.raises(DatagenError, match="killed"):
            train(frames, SMALL, tmp_path / "run")
    assert newest(tmp_path / "run").name == "00000005"
    assert (tmp_path / "run/log.csv").read_text().count("\n8,0,") == 1  # its checkpoint was never written
    assert_equal(parameters(train(frames, SMALL, tmp_path / "run", resume=True)), parameters(whole))
    assert (tmp_path / "run/log.csv").read_bytes() == (tmp_path / "whole/log.csv").read_bytes()


@pytest.mark.parametrize("cut", ["", "\n", "iteration,se", "iteration,seed,total\r\n4,0"])
def test_a_log_cut_short_by_a_kill_is_gone_on_with(cut, frames, tmp_path):
    train(frames, replace(SMALL, iterations=3), tmp_path)
    (tmp_path / "log.csv").write_text(cut, newline="")
    columns = cut.rpartition("\r\n")[0].split(",") if "\r\n" in cut else []
    if columns:
        with pytest.raises(BadInputError, match="is of another run"):
            train(frames, SMALL, tmp_path, resume=True)
    else:
        train(frames, SMALL, tmp_path, resume=True)
        assert [row["iteration"] for row in runs.read_log(tmp_path)] == [4, 8, 12]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a,b\n1,2\n", 1),
        (b"iteration,seed,seed\n", 1),
        (b"iteration,seed,total\nx,0,1\n", 2),
        (b"iteration,seed,total\n4,0,1\n4,0\n8,0,1\n", 3),
        (b"iteration,seed,total\n\0\0\0\n", 2),
        (b"iteration,seed,total\n" + b"1" * 5000 + b",0,1\n", 2),
        (b"iteration,seed,total\n4,0,nan\n", 2),
        (b"\xff\xfe\n", 1),
        (b'iteration,"seed\n1,2\n', 1),
    ],
)
def test_a_log_of_something_else_is_refused(data, line, frames, run):
    (run / "log.csv").write_bytes(data)
    refused(run, frames, f"log.csv, line {line}: is no line of a log; move it away", networks=False)


# Scores


@pytest.fixture
def scored(tmp_path) -> Path:
    store.save(bars(lengths=(20,) * 4), tmp_path / "bars.npz")
    call("train", tmp_path / "bars.npz", "--out", tmp_path / "run", "--seeds", "0,3", *QUICK)
    return tmp_path / "run"


def test_scores_of_other_metrics_are_kept(scored):
    first = json.loads(call("evaluate", scored, "--metrics", "sap,udr", "--json"))
    second = json.loads(call("evaluate", scored, "--metrics", "mcc", "--json"))
    assert second == json.loads((scored / "result.json").read_text())
    assert second["udr"] == first["udr"]
    for seed in ("0", "3"):
        assert second["seeds"][seed]["sap"] == first["seeds"][seed]["sap"]
        assert second["seeds"][seed].keys() == {"sap", "mcc"}
    text = call("evaluate", scored, "--metrics", "sap")
    assert "mcc" not in text  # shown is what was asked for


def test_scores_of_another_protocol_stand_beside_and_come_back(scored):
    first = json.loads(call("evaluate", scored, "--metrics", "sap", "--json"))
    other = json.loads(call("evaluate", scored, "--metrics", "mcc", "--seed", "1", "--json"))
    assert other["seeds"]["0"].keys() == {"mcc"}
    aside = scored / f"result-{first['protocol']['id']}.json"
    assert json.loads(aside.read_text()) == first
    again = json.loads(call("evaluate", scored, "--metrics", "mcc", "--json"))
    assert again["seeds"]["0"].keys() == {"sap", "mcc"}
    assert again["seeds"]["0"]["sap"] == first["seeds"]["0"]["sap"]
    assert again["protocol"] == first["protocol"]
    assert not aside.exists()
    assert (scored / f"result-{other['protocol']['id']}.json").exists()
    data = scored.parent / "other.npz"
    store.save(bars(lengths=(20,) * 4, seed=1), data)
    answer = json.loads(call("evaluate", scored, "--metrics", "sap", "--data", data, "--json"))
    assert answer["seeds"]["0"].keys() == {"sap"}
    assert answer["protocol"]["trained_on"].startswith("another file")


def test_scores_of_other_networks_are_replaced_and_this_is_said(scored):
    call("evaluate", scored, "--metrics", "sap")
    call("train", scored.parent / "bars.npz", "--out", scored, "--resume", "--iterations", "8", "--quiet")
    assert "were replaced" in call("evaluate", scored, "--metrics", "mcc")
    record = json.loads((scored / "result.json").read_text())
    assert (record["iteration"], record["seeds"]["0"].keys()) == (8, {"mcc"})


def test_a_metric_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match="unknown metric 'fid'"):
        call("evaluate", tmp_path / "nowhere", "--metrics", "mcc,fid")
    with pytest.raises(UsageError, match="unknown metric ''"):
        call("evaluate", tmp_path / "nowhere", "--metrics", "")


def test_damaged_scores_are_not_replaced_in_silence(scored):
    (scored / "result.json").write_text("{")
    with pytest.raises(BadInputError, match=r"result.json: is damaged; remove it to score anew"):
        call("evaluate", scored, "--metrics", "sap")


# Comparisons


def test_curves_are_those_of_the_baselines_that_were_asked_for(frames, tmp_path):
    settings = replace(SMALL, iterations=4, z_dim=3)
    assert compare(frames, settings, tmp_path, ("beta-vae", "shuffled")).curves.keys() == {
        "slowvae", "beta-vae", "shuffled",
    }  # fmt: skip
    again = compare(frames, settings, tmp_path, ("pca",))
    assert again.curves.keys() == {"slowvae"}
    assert [row["iteration"] for row in again.curves["slowvae"]] == [4]
    assert np.isfinite(again.curves["slowvae"][0]["total"])


def test_trainings_shorter_than_a_log_interval_have_no_curves(frames, tmp_path):
    settings = replace(SMALL, iterations=2, z_dim=3)
    found = compare(frames, settings, tmp_path, ("beta-vae",))
    assert found.curves == {}
    assert "Training" not in [picture.caption for picture in draw_pictures(found.examples, found.curves)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_log_names_the_run_and_how_to_go_on(tmp_path):
    log = runs.Log(tmp_path, 0)
    (tmp_path / "log.csv").symlink_to("/dev/full")
    with pytest.raises(OutputError) as error:
        log.add(1, 0, {"total": 1.0})
    log.close()
    problem = "cannot be written (No space left on device); the last checkpoint stays, go on with --resume"
    assert str(error.value) == f"{tmp_path}: {problem}"
