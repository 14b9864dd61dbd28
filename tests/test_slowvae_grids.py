"""Training, scoring and checking grids of factors, whose pairs a prior draws."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cli.main import datagen
from datagen import store
from datagen.checks import check_file, worst
from datagen.datasets import Factor, Sequences
from datagen.errors import UsageError
from datagen.grids import Laplace, Uniform
from slowvae.batches import Frames, PairOrder
from slowvae.comparison import compare
from slowvae.pipeline import _draw_the_same
from slowvae.runs import read_run
from slowvae.settings import Settings, baselines_of, make_settings, settings_json, settings_of

CPU = torch.device("cpu")
QUICK = ["--preset", "quick", "--batch-size", "8", "--z-dim", "4", "--iterations", "4", "--log-every", "2", "--quiet"]


def squares(columns=8, rows=8, sizes=2, scored=True):
    """A square at every place, in every size, 16 x 16."""
    images = np.zeros((columns, rows, sizes, 16, 16), dtype=np.uint8)
    for x, y, size in np.ndindex(images.shape[:3]):
        images[x, y, size, y : y + 4 + 3 * size, x : x + 4 + 3 * size] = 255
    info = [
        Factor("x", "Column.", (0, columns - 1), columns),
        Factor("y", "Row.", (0, rows - 1), rows),
        Factor("size", "Small or large.", (0, sizes - 1), sizes, categorical=True, moves=False, scored=scored),
    ]
    return Sequences.of_grid(images.reshape(-1, 16, 16), info)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "squares.h5"
    store.save(squares(), path)
    return path


def run(*arguments):
    return CliRunner().invoke(datagen, list(map(str, arguments)))


@pytest.mark.parametrize("prior", [Laplace(2.0), Uniform(k=1)])
def test_every_image_is_first_once_an_epoch_and_the_prior_draws_the_second(prior):
    grid = squares()
    frames = Frames.of(grid, CPU)
    order = PairOrder(frames, (0, 5), 16, 5, prior)
    assert order.batches_per_epoch == 128 // 8
    rows = torch.stack([order.batch(i) for i in range(order.batches_per_epoch)]).numpy()
    for seed in range(2):
        first, second = rows[:, seed, ::2].ravel(), rows[:, seed, 1::2].ravel()
        assert sorted(first) == list(range(128))
        probable = prior.probability(grid.factors[first], grid.factors[second], grid.factor_info)
        assert (probable > 0).all()
    assert not np.array_equal(rows[:, 0], rows[:, 1])
    again = PairOrder(frames, (5,), 16, 5, prior)
    np.testing.assert_array_equal(again.batch(3)[0].numpy(), rows[3, 1])
    assert not np.array_equal(again.batch(3 + order.batches_per_epoch)[0].numpy(), rows[3, 1])


def test_pairs_of_shuffled_images_are_of_any_two():
    """Numbers of images are drawn by the prior; what they show is not what the grid had there."""
    frames = Frames.of(squares(), CPU)
    shuffled = frames.shuffled(0)
    order = PairOrder(shuffled, (0,), 16, 5, Uniform(k=1))
    rows = torch.cat([order.batch(i)[0] for i in range(order.batches_per_epoch)]).numpy()
    factors = shuffled.dataset.factors[rows].reshape(-1, 2, 3)
    changed = (factors[:, 0] != factors[:, 1]).sum(axis=1)
    assert changed.mean() > 1.5


def test_a_prior_is_of_grids_and_grids_need_one(data, tmp_path):
    grid = Frames.of(squares(), CPU)
    with pytest.raises(UsageError, match="a grid has no order in time; name a prior"):
        PairOrder(grid, (0,), 16, 5)
    masks = np.zeros((9, 16, 16), dtype=bool)
    masks[:, 3:6, 3:6] = True
    with pytest.raises(UsageError, match="a prior draws pairs of a grid"):
        PairOrder(Frames.of(Sequences.from_masks([masks]), CPU), (0,), 4, 5, Laplace())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"prior": "normal"}, "prior"),
        ({"prior_rate": 1.0}, "prior_rate belongs to a prior of a grid's pairs"),
        ({"prior": "uniform", "prior_rate": 1.0}, "rate belongs to the prior laplace"),
        ({"prior": "laplace", "prior_k": 1}, "k belongs to the prior uniform"),
        ({"prior": "laplace", "prior_rate": -1.0}, "rate"),
    ],
)
def test_settings_of_a_prior_that_cannot_be(changes, problem):
    with pytest.raises(UsageError, match=problem):
        Settings(**changes)


def test_settings_of_runs_before_there_were_priors():
    settings = settings_json(Settings())
    older = {name: value for name, value in settings.items() if not name.startswith("prior")}
    assert settings_of(older) == Settings()
    assert settings_of(json.loads(json.dumps(settings_json(Settings(prior="laplace", prior_rate="random"))))).prior_rate


def test_a_default_and_another_path_make_no_other_pairs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    natural, there = (Settings(prior="natural", prior_transitions=path) for path in ("t.csv", str(tmp_path / "t.csv")))
    assert _draw_the_same(natural, there)
    assert not _draw_the_same(natural, replace(natural, prior_transitions="u.csv"))
    assert _draw_the_same(Settings(prior="laplace"), Settings(prior="laplace", prior_rate=1.0))
    assert not _draw_the_same(Settings(prior="laplace"), Settings(prior="laplace", prior_rate=2.0))
    assert not _draw_the_same(Settings(), Settings(prior="laplace"))


def test_from_the_grid_to_scores(data, tmp_path):
    folder = tmp_path / "run"
    done = run("train", data, "--prior", "laplace", "--rate", "2", "--rate-prior", "5", "--out", folder, *QUICK)
    assert done.exit_code == 0, done.output
    settings = read_run(folder).settings
    assert (settings.prior, settings.prior_rate, settings.rate) == ("laplace", 2.0, 5.0)
    names = "mcc,mig,modularity"
    scored = run("evaluate", folder, "--metrics", names, "--json")
    assert scored.exit_code == 0, scored.output
    answer = json.loads(scored.stdout)
    assert answer["factor_names"] == ["x", "y", "size"]
    assert set(answer["seeds"]["0"]) == set(names.split(","))
    other = run("train", data, "--out", folder, "--resume", "--prior", "laplace", "--rate", "3")
    assert "other settings (prior_rate)" in str(other.exception)
    resumed = run("train", data, "--out", folder, "--resume", "--iterations", "6", "--quiet")
    assert resumed.exit_code == 0, resumed.output
    assert read_run(folder).settings.prior == "laplace"


def test_a_factor_that_is_not_scored_is_left_out(tmp_path):
    store.save(squares(scored=False), tmp_path / "a.h5")
    assert store.load(tmp_path / "a.h5").changing_factors()[1] == ("x", "y")
    run("train", tmp_path / "a.h5", "--prior", "uniform", "--out", tmp_path / "run", *QUICK)
    answer = json.loads(run("evaluate", tmp_path / "run", "--json").stdout)
    assert answer["factor_names"] == ["x", "y"]
    assert answer["left_out"] == ["size"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--rate", "1"), "--rate is of the pairs of a grid, with --prior laplace; the model's is --rate-prior"),
        (("--prior", "laplace", "--rate", "1", "--random-rate"), "exclude each other"),
        (("--prior", "uniform", "--rate", "1"), "rate belongs to the prior laplace"),
        ((), "a grid has no order in time"),
        (("--prior", "uniform", "--k", "7"), "only 3 can change"),
    ],
)
def test_wrong_calls(data, tmp_path, options, problem):
    done = run("train", data, "--out", tmp_path / "run", *options, *QUICK)
    assert problem in (done.output + str(done.exception))
    assert done.exit_code != 0
    assert not (tmp_path / "run/run.json").exists()  # so that it can be said again, rightly


def test_natural_pairs_of_a_grid(data, tmp_path):
    grid = squares()
    values = tuple((np.arange(8) / 16).tolist())
    info = tuple(replace(factor, values=values) if factor.size == 8 else factor for factor in grid.factor_info)
    store.save(Sequences.of_grid(grid.images, info), tmp_path / "a.h5")
    masks = np.zeros((6, 64, 64), dtype=bool)
    for t in range(6):
        masks[t, 10 + 4 * t : 20 + 4 * t, 10:20] = True
    store.save(Sequences.from_masks([masks]), tmp_path / "masks.npz")
    arguments = ["--prior", "natural", "--transitions", tmp_path / "masks.npz"]
    done = run("train", tmp_path / "a.h5", *arguments, "--out", tmp_path / "run", *QUICK)
    assert done.exit_code == 0, done.output
    assert read_run(tmp_path / "run").settings.prior_transitions == str(tmp_path / "masks.npz")


def findings(dataset, path):
    store.save(dataset, path, overwrite=True)
    return {check.name: check for check in check_file(path)[0]}


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_a_right_grid_passes(tmp_path, suffix):
    found = findings(squares(), tmp_path / f"a{suffix}")
    assert worst(found.values()) == "pass"
    assert {"combinations", "images", "order of x", "order of y", "order of size"} <= found.keys()


def test_images_in_another_order_fail(tmp_path):
    grid = squares()
    order = np.random.default_rng(0).permutation(len(grid.images))
    found = findings(replace(grid, images=grid.images[order]), tmp_path / "a.h5")
    assert [found[f"order of {name}"].status for name in ("x", "y", "size")] == ["fail"] * 3


def test_a_grid_of_few_images_is_too_small_to_tell(tmp_path):
    grid = squares(columns=3, rows=3)
    order = np.random.default_rng(0).permutation(len(grid.images))
    found = findings(replace(grid, images=grid.images[order]), tmp_path / "a.h5")
    assert worst(found.values()) == "warn"
    assert "18 images, too few to tell" in found["place of images"].detail


def test_half_of_the_images_in_another_order_fail(tmp_path):
    """The mean over all images is low enough with half of them in their places."""
    grid = squares()
    rng = np.random.default_rng(0)
    half = np.sort(rng.permutation(len(grid.images))[: len(grid.images) // 2])
    images = grid.images.copy()
    images[half] = images[rng.permutation(half)]
    found = findings(replace(grid, images=images), tmp_path / "a.h5")
    assert found["place of images"].status == "fail"
    assert 0.5 < found["place of images"].figure < 0.8
    assert not [each.name for each in found.values() if not each.meaning]


def test_factors_in_another_order_fail(tmp_path):
    """Axes that are exchanged, and values of one factor that are mixed, are seen by what the images show."""
    grid = squares(columns=4, rows=16)
    images = grid.images.reshape(4, 16, 2, 16, 16)
    exchanged = np.ascontiguousarray(images.transpose(2, 1, 0, 3, 4)).reshape(-1, 16, 16)
    assert "fail" in {check.status for check in findings(replace(grid, images=exchanged), tmp_path / "a.h5").values()}
    mixed = images[:, np.random.default_rng(0).permutation(16)].reshape(-1, 16, 16)
    found = findings(replace(grid, images=mixed), tmp_path / "a.h5")
    assert found["order of y"].status == "fail"
    assert found["order of x"].status == "pass"


def test_a_grid_of_one_factor_cannot_be_compared(tmp_path):
    images = np.arange(8, dtype=np.uint8)[:, None, None] * np.arange(256, dtype=np.uint8).reshape(16, 16)
    images[0, 0, 0] = 1
    store.save(Sequences.of_grid(images, (Factor("x", "", (0, 7), 8),)), tmp_path / "a.h5")
    assert {check.name: check.status for check in check_file(tmp_path / "a.h5")[0]}["order of factors"] == "warn"


def test_equal_images_fail_without_a_warning(tmp_path):
    grid = squares()
    store.save(replace(grid, images=np.zeros(grid.images.shape, np.uint8)), tmp_path / "a.h5")
    (check,) = (each for each in check_file(tmp_path / "a.h5")[0] if each.name == "order of x")
    assert (check.status, check.detail) == ("fail", "all images looked at are equal")


def test_an_image_of_one_colour_fails(tmp_path):
    grid = squares()
    images = grid.images.copy()
    images[5] = 7
    found = findings(replace(grid, images=images), tmp_path / "a.h5")
    assert (found["images"].status, found["images"].figure) == ("fail", 1.0)


def test_a_grid_is_compared_with_other_pairs(tmp_path):
    frames = Frames.of(squares(), CPU)
    settings = make_settings(
        "quick", prior="laplace", iterations=4, batch_size=8, z_dim=4, log_every=2, save_every=4, keep_every=4
    )
    assert baselines_of(settings) == ("untrained", "pca", "beta-vae", "uniform", "shuffled")
    found = compare(frames, settings, tmp_path, ["untrained", "uniform", "shuffled"])
    assert set(found.scores) == {"slowvae", "untrained", "uniform", "shuffled"}
    assert read_run(tmp_path / "uniform").settings.prior == "uniform"
    assert read_run(tmp_path / "shuffled").settings.prior == "laplace"
    assert "order in time, as learned" not in {check.name for check in found.findings}
    assert found.examples.samples.shape == (2, 16, 16, 16, 1)


def test_uniform_pairs_are_no_baseline_of_what_has_none(tmp_path):
    assert "uniform" not in baselines_of(Settings())
    assert "uniform" not in baselines_of(Settings(prior="uniform"))
    with pytest.raises(UsageError, match="the baseline uniform is of a grid whose pairs another prior draws"):
        compare(Frames.of(squares(), CPU), Settings(prior="uniform"), tmp_path, ["uniform"])


def test_a_refused_validation_leaves_no_run(data, tmp_path):
    done = run("validate", data, "--train", "slowvae", "--out", tmp_path / "report", "--iterations", "4")
    assert "name a prior" in done.output + str(done.exception)
    assert not (tmp_path / "report").exists()


def test_validate_trains_on_a_grid(data, tmp_path):
    quick = ["--iterations", "4", "--baseline", "uniform", "--json"]
    done = run("validate", data, "--train", "slowvae", "--prior", "laplace", "--out", tmp_path / "report", *quick)
    answer = json.loads(done.stdout)
    assert set(answer["scores"]) == {"slowvae", "uniform"}
    assert (tmp_path / "report/report.html").exists()
