import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from natsprites_helpers import random_transitions
from PIL import Image
from test_slowvae_trainer import bars

import datagen
import natsprites
import slowvae
from cli.main import COMMANDS, main
from cli.main import datagen as datagen_command
from datagen import store
from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, UsageError
from kitti_masks import KittiMasks
from natsprites import NaturalSprites
from slowvae.batches import Frames
from slowvae.metrics import METRICS
from slowvae.scores import score

QUICK = ["--preset", "quick", "--batch-size", "8", "--z-dim", "4", "--iterations", "6", "--log-every", "2", "--quiet"]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "bars.npz"
    store.save(bars(lengths=(20,) * 8), path)
    return path


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "bars"
    call("train", data, "--out", folder, "--seeds", "0,3", *QUICK)
    return folder


def call(*args, code: int = 0) -> str:
    """Run the program and return what it prints, standard error included."""
    result = CliRunner().invoke(datagen_command, [str(arg) for arg in args])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_help_has_an_example(name):
    assert "Example:" in call(name, "--help")
    assert COMMANDS[name]


def test_train_leaves_pictures(run):
    for seed in (0, 3):
        with Image.open(run / f"traversals_{seed}.gif") as gif:
            assert 1 < gif.n_frames <= 78  # 40 steps there, 38 back; equal neighbours are one
            width, height = gif.size
            assert width >= 4 * 18
            assert width % 4 == 0
            assert height > width  # a square of images, and the labels of latents above
        with Image.open(run / f"latents_{seed}.png") as png:
            assert np.ptp(np.asarray(png.convert("L"))) > 100
    assert list(run.glob("events.*"))


def test_train_goes_on_with_the_settings_of_the_run(run, data, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    answer = json.loads(call("train", data, "--out", folder, "--resume", "--iterations", "8", "--json"))
    assert (answer["iterations"], answer["seeds"]) == (8, [0, 3])
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["00000008"]
    settings = json.loads((folder / "run.json").read_text())["settings"]
    assert (settings["batch_size"], settings["z_dim"]) == (8, 4)
    record = (folder / "run.json").read_text()
    for option, value in (("--z-dim", 3), ("--seeds", "5"), ("--gamma", 99), ("--model", "pcl"), ("--iterations", 5)):
        with pytest.raises(UsageError, match="the run there"):
            call("train", data, "--out", folder, "--resume", option, value)
    assert (folder / "run.json").read_text() == record
    call("train", data, "--out", folder, "--resume", "--z-dim", "4", "--seeds", "0,3", "--model", "slowvae", "--quiet")


def test_evaluate_prints_and_keeps_scores(run):
    names = "mcc,dci-linear,sap,udr"
    answer = json.loads(call("evaluate", run, "--metrics", names, "--variant", "rectangular", "--json"))
    assert answer == json.loads((run / "result.json").read_text())
    for seed in ("0", "3"):
        low, high = answer["seeds"][seed]["mcc"]["interval"]
        assert low <= answer["seeds"][seed]["mcc"]["score"] <= high
        assert 0 <= answer["seeds"][seed]["dci-linear"]["disentanglement"] <= 1
        assert 0 <= answer["udr"][seed] <= 1
    mean = np.mean([answer["seeds"][seed]["mcc"]["score"] for seed in ("0", "3")])
    assert answer["mcc"]["mean"] == pytest.approx(mean)
    text = call("evaluate", run, "--metrics", names)
    assert "mcc over 2 seeds" in text
    assert "rectangular" not in text
    assert "klindt2021" in text


def test_sprites_are_trained_on_and_scored_by_every_metric(tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, (4, 4, 3), size=(200, 2, 3))
    codes[:, :, 2] = codes[:, :1, 2]  # the colour stays
    images = np.zeros((200, 2, 16, 16, 3), dtype=np.uint8)
    for n, t in np.ndindex(200, 2):
        x, y, colour = codes[n, t]
        images[n, t, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4, colour] = 255
    factors = np.zeros((200, 2, 5), dtype=np.float32)
    factors[..., [0, 1, 4]] = codes
    store.save(
        Sequences.of_sprites(images, factors, np.array([4, 4, 1, 1, 3]), np.arange(200)), tmp_path / "sprites.h5"
    )
    call("train", tmp_path / "sprites.h5", "--out", tmp_path / "run", "--seeds", "0,1", *QUICK)
    with Image.open(tmp_path / "run/traversals_0.gif") as gif:
        picture = np.asarray(gif.convert("RGB"))
    assert picture.shape[1] > 4 * 18  # four columns, as wide as their labels
    assert picture.shape[1] % 4 == 0
    assert np.ptp(picture, axis=2).max() > 0  # in colour
    answer = json.loads(call("evaluate", tmp_path / "run", "--metrics", ",".join(METRICS), "--json"))
    assert answer["left_out"] == ["scale", "orientation"]
    assert answer["seeds"]["0"].keys() == set(METRICS) - {"udr"}
    assert answer["udr"].keys() == {"0", "1"}
    text = call("evaluate", tmp_path / "run", "--metrics", "infomec,r2,block-mcc,dci-tree,irs")
    scores = answer["seeds"]["0"]
    assert f"modularity; explicitness {scores['infomec']['explicitness']:.3f}, compactness" in text
    assert ", ".join(f"{each:.3f}" for each in scores["r2"]["by_factor"]) in text
    assert scores["block-mcc"]["block"] == [0, 0, 1]  # x and y are one
    assert f"disentanglement; completeness {scores['dci-tree']['completeness']:.3f}, informativeness_test" in text


@pytest.mark.parametrize("kind", ["masks", "grey sprites", "coloured sprites"])
def test_a_trained_network_encodes_the_items_of_the_torch_dataset(data, tmp_path, kind):
    if kind == "masks":
        path, items = data, KittiMasks(data, max_delta_t=1, seed=0)
    else:
        path = tmp_path / "sprites.npz"
        colors = [(1, 0, 0)] if kind == "coloured sprites" else [(1, 1, 1)]
        store.save(natsprites.build(random_transitions(), pairs=60, image_size=16, colors=colors), path)
        items = NaturalSprites(path, channels=1 if kind == "grey sprites" else 3)
    call("train", path, "--out", tmp_path / "run", *QUICK)
    (network,) = slowvae.load(tmp_path / "run").values()
    frames = Frames.of(datagen.load(path), torch.device("cpu"))
    with torch.no_grad():
        mu, _ = network.encode(torch.stack([items[0][0], items[0][1]]))
        expected, _ = network.encode(frames.at(slice(0, 2)))
    assert mu.shape == (2, 4)
    torch.testing.assert_close(mu, expected, rtol=0, atol=0)


def test_the_metrics_are_listed():
    text = call("evaluate", "--metrics", "list")
    assert all(name in text for name in METRICS)


def test_factors_that_never_change_are_left_out_and_named(tmp_path):
    dataset = bars(lengths=(20,) * 4)
    dataset.factors[:, 2] = 7
    store.save(dataset, tmp_path / "flat.npz")
    call("train", tmp_path / "flat.npz", "--out", tmp_path / "run", *QUICK)
    assert "left out, since they never change: area" in call("evaluate", tmp_path / "run")


def test_changed_data_and_other_images_are_refused(run, tmp_path):
    folder, other = tmp_path / "run", tmp_path / "other.npz"
    shutil.copytree(run, folder)
    store.save(bars(lengths=(20,) * 8, seed=1), other)
    record = json.loads((folder / "run.json").read_text())
    record["dataset"]["path"] = str(other)
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(DatagenError, match="changed since"):
        call("evaluate", folder)
    assert "mcc" in call("evaluate", folder, "--data", other)
    store.save(bars(lengths=(20,) * 8, size=32), tmp_path / "large.npz")
    with pytest.raises(DatagenError, match="its images are"):
        call("evaluate", folder, "--data", tmp_path / "large.npz")


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (["--metrics", "fid"], UsageError, "unknown metric 'fid'"),
        (["--metrics", "mig"], UsageError, "needs discrete factors"),
        (["--device", "tpu"], UsageError, "this machine has no such device"),
    ],
)
def test_wrong_evaluations_are_refused(run, args, error, message):
    with pytest.raises(error, match=message):
        call("evaluate", run, *args)


def test_wrong_trainings_are_refused(data, tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        call("train", tmp_path / "nothing.npz", "--out", tmp_path / "a")
    with pytest.raises(UsageError, match="pairs do not fill a batch"):
        call("train", data, "--out", tmp_path / "b", "--batch-size", "512")
    assert "is not a list of numbers" in call("train", data, "--out", tmp_path / "c", "--seeds", "x", code=2)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with pytest.raises(BadInputError):
        call("train", tmp_path / "broken.npz", "--out", tmp_path / "d")


def test_main_gives_one_line_and_exit_code_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", str(tmp_path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_metric_of_a_discrete_set():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, (3, 4, 5), size=(3000, 3)).astype(np.float32)
    latents = np.hstack([factors + 0.1 * rng.normal(size=factors.shape), rng.normal(size=(3000, 2))])
    names = [name for name in METRICS if name not in ("udr", "dci")]
    scores = score(latents, factors, names)
    assert list(scores) == names
    assert json.loads(json.dumps(scores)) == scores
    assert scores["mcc"]["score"] > 0.95
    for name in ("beta-vae", "factor-vae", "mig"):
        assert scores[name] > 0.85, name
