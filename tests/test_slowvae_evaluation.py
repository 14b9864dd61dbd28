"""Runs, encoders, latents and baselines are scored by one path, each by a protocol that says what of."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_slowvae_commands import QUICK, call
from test_slowvae_trainer import CPU, SMALL, bars

import slowvae
from datagen import store
from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError
from datagen.splits import split_frames
from datagen.store import content_hash
from slowvae import PCL, evaluation, metrics
from slowvae.baselines import BASELINE_ENCODERS, baseline_latents, evaluate_baseline
from slowvae.batches import Frames, PairOrder
from slowvae.evaluation import Encoded, Task, evaluate_run
from slowvae.metrics import METRICS, mcc
from slowvae.protocols import Protocol, make_protocol
from slowvae.runs import load
from slowvae.trainer import train


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def people(sequences=20, seed=0) -> Sequences:
    """Return moving bars, two sequences for each of several people."""
    number = np.arange(sequences)
    known = {"source": np.full(sequences, "here"), "video": np.full(sequences, "0"), "object_id": number // 2}
    return bars(lengths=(10,) * sequences, seed=seed).with_columns(**known)


@pytest.fixture(scope="module")
def dataset() -> Sequences:
    return people()


@pytest.fixture(scope="module")
def file(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluation") / "people.npz"
    store.save(dataset, path)
    return path


@pytest.fixture(scope="module")
def run(file, tmp_path_factory):
    """Return a run on the training part of a split by object that kept three checkpoints."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "run"
    call(
        "train", file, "--out", folder, "--seeds", "0,3", "--protocol", "by-object", "--save-every", "2",
        "--keep-every", "2", *QUICK,
    )  # fmt: skip
    return folder


# Latents and encoders


def test_factors_recover_themselves_and_noise_does_not(dataset):
    found = slowvae.evaluate(dataset.factors, dataset, ["mcc", "r2"])
    assert float(found) == pytest.approx(1)
    assert found.score("r2") == pytest.approx(1)
    noise = slowvae.evaluate(np.random.default_rng(0).normal(size=(200, 5)), dataset)
    assert float(noise) < 0.5
    assert found.protocol == noise.protocol
    assert found.protocol.dataset == content_hash(dataset)


def test_a_score_is_that_of_the_metric_on_the_rows_of_the_part(dataset):
    z = dataset.factors + np.random.default_rng(0).normal(size=dataset.factors.shape)
    protocol = Protocol(split="by-object", part="test", variant="rectangular", correlation="pearson", num_samples=15)
    found = slowvae.evaluate(z, dataset, protocol=protocol)
    rows = split_frames(dataset, "test", "by-object")
    groups = dataset.sequence_of_frame()[rows]
    z = z.astype(np.float32)
    alone = mcc(z[rows], dataset.factors[rows], "pearson", "rectangular", 15, groups=groups)
    assert found.seeds["0"]["mcc"]["score"] == alone.score
    assert found.seeds["0"]["mcc"]["n"] == 15
    np.testing.assert_allclose(found.resampled["0"], alone.resampled, rtol=1e-6)
    assert found.protocol == Protocol(
        dataset=content_hash(dataset, ("source", "video", "object_id")), split="by-object", part="test",
        variant="rectangular", correlation="pearson", num_samples=15,
    )  # fmt: skip


def test_a_module_a_function_and_what_they_make_score_alike(dataset, file):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 4))
    with torch.no_grad():
        z = net(torch.from_numpy(dataset.images[:, None].astype(np.float32))).numpy()
    found = [
        slowvae.evaluate(each, data)
        for each, data in ((net, dataset), (net, file), (lambda x: net(torch.from_numpy(x)), dataset), (z, file))
    ]
    assert len({float(each) for each in found}) == 1
    assert len({each.protocol.id for each in found}) == 1
    assert [each.entry for each in found] == ["encoder"] * 3 + ["latents"]


def test_several_seeds_have_an_interval_over_seeds_and_sequences(dataset):
    rng = np.random.default_rng(0)
    given = {seed: dataset.factors + rng.normal(size=dataset.factors.shape) for seed in (2, 5, 7)}
    found = slowvae.evaluate(given, dataset, ["mcc", "udr"])
    assert found.seeds.keys() == found.udr.keys() == {"2", "5", "7"}
    values = [found.seeds[seed]["mcc"]["score"] for seed in found.seeds]
    assert found.mcc["mean"] == pytest.approx(np.mean(values))
    assert found.mcc["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert found.mcc["interval"][0] < found.mcc["mean"] < found.mcc["interval"][1]
    assert not found.mcc["indicative"]
    assert slowvae.evaluate(given[2], dataset).mcc["indicative"]


def test_some_frames_are_another_protocol(dataset):
    frames = np.random.default_rng(0).permutation(200)[:60]
    some = slowvae.evaluate(dataset.factors[frames], dataset, indices=frames)
    assert float(some) == pytest.approx(1)
    assert some.seeds["0"]["mcc"]["n"] == 60
    whole = slowvae.evaluate(dataset.factors, dataset)
    assert some.protocol.rows != ""
    assert some.protocol.id != whole.protocol.id
    everything = slowvae.evaluate(dataset.factors[::-1], dataset, indices=np.arange(200)[::-1])
    assert everything.protocol == whole.protocol


def test_all_is_every_metric_that_can_be_had_and_says_why_others_cannot(dataset):
    found = slowvae.evaluate(dataset.factors, dataset, ["all"])
    assert found.seeds["0"].keys() | found.not_measured.keys() == set(METRICS)
    assert not found.seeds["0"].keys() & found.not_measured.keys()
    assert "mcc" in found.seeds["0"]
    assert "needs discrete factors" in found.not_measured["flatness"]
    assert "several seeds" in found.not_measured["udr"]
    single = slowvae.evaluate(dataset.factors[:, :1], dataset, ["all"])
    assert "3 factors cannot be assigned to 1 latents" in single.not_measured["mcc"]
    assert single.mcc is None


def test_sampled_rows_of_a_discrete_set_have_no_traversals_and_all_goes_on():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, (4, 4), size=(60, 2, 2))
    factors = np.zeros((60, 2, 5), np.float32)
    factors[..., :2] = codes
    factors[:3, :, :2] = 5  # no other row of theirs
    sprites = Sequences.of_sprites(None, factors, np.array([6, 6, 1, 1, 1]), np.arange(60))
    found = slowvae.evaluate(sprites.factors[:, :2] + 0.01 * rng.normal(size=(120, 2)), sprites, ["all"])
    assert "needs traversals" in found.not_measured["flatness"]
    assert found.seeds["0"].keys() >= {"mcc", "mig", "dci"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metrics": ["fid"]}, UsageError, "unknown metric 'fid'"),
        ({"metrics": ["mig"]}, UsageError, "mig needs discrete factors"),
        ({"metrics": ["udr"]}, UsageError, "udr compares"),
        ({"metrics": []}, UsageError, "name a metric"),
        ({"protocol": "nonsense"}, UsageError, "unknown protocol 'nonsense'"),
        ({"device": "tpu"}, UsageError, "this machine has no such device"),
        ({"encoder": {}}, UsageError, "given by their seeds"),
        ({"encoder": {"a": 1}}, UsageError, "given by their seeds"),
        ({"dataset": "nowhere.npz"}, UsageError, "no such file"),
    ],
)
def test_arguments_are_checked_before_anything_is_encoded(dataset, arguments, error, message):
    def never(images):
        raise AssertionError

    with pytest.raises(error, match=message):
        slowvae.evaluate(**{"encoder": never, "dataset": dataset, **arguments})


def test_latents_that_do_not_fit_are_refused(dataset):
    for latents, message in (
        (dataset.factors[:-1], "199 rows, and the dataset has 200 frames"),
        (dataset.factors.T, "3 rows, and the dataset has 200 frames; pass array.T"),
        (dataset.factors * np.nan, "200 of 200 rows are not finite in float32, first frame 0"),
        (dataset.factors[:, :2], "2 latents for 3 factors; mcc needs one for each"),
        ("text", "is the name of something, and no latents"),
        (np.ma.masked_less(dataset.factors, np.inf), "latents: holds masked values"),
    ):
        with pytest.raises(DatagenError, match=message):
            slowvae.evaluate(latents, dataset)
    calls = []
    with pytest.raises(UsageError, match="1 latents for 3 factors"):
        slowvae.evaluate(lambda x: calls.append(len(x)) or np.zeros((len(x), 1)), dataset)
    assert calls == [2]  # of two images, not of all


def test_what_looks_like_a_mistake_in_seeds_is_noted(dataset):
    still = np.ones_like(dataset.factors)
    again = {0: dataset.factors, 1: dataset.factors, 2: -dataset.factors, 3: still}
    notes = slowvae.evaluate(again, dataset).notes
    assert any("seed 1 are those of another" in note for note in notes)
    assert "no latent changes (seed 3)" in notes
    assert not [note for note in slowvae.evaluate(dataset.factors, dataset).notes if "seed" in note]
    with pytest.raises(UsageError, match=r"of one network, but have \[3, 4\] columns"):
        slowvae.evaluate({0: dataset.factors, 1: np.hstack([dataset.factors, still[:, :1]])}, dataset)


# Runs


def test_a_run_remembers_its_split_and_is_scored_on_the_test_part(run, dataset):
    settings = json.loads((run / "run.json").read_text())["settings"]
    assert (settings["split_protocol"], settings["split"], settings["split_seed"]) == ("by-object", "train", 0)
    found = evaluate_run(run, CPU)
    assert (found.protocol.split, found.protocol.part, found.protocol.trained_on) == ("by-object", "test", "")
    assert found.protocol.max_delta_t == 20
    rows = split_frames(dataset, "test", "by-object")
    images = torch.from_numpy(dataset.images[rows][:, None].astype(np.float32))
    for seed, network in load(run).items():
        with torch.no_grad():
            z = network.encode(images)[0].numpy()
        groups = dataset.sequence_of_frame()[rows]
        assert found.seeds[str(seed)]["mcc"]["score"] == pytest.approx(
            mcc(z, dataset.factors[rows], groups=groups).score
        )


def test_training_begins_pairs_in_its_part_alone(dataset):
    settings = replace(SMALL, split_protocol="by-object", split="val")
    frames = Frames.of(dataset, CPU).part(settings)
    order = PairOrder(frames, (0,), 4, 3)
    seen = torch.cat([order.batch(i).flatten() for i in range(3 * order.batches_per_epoch)])
    assert set(seen.tolist()) <= set(split_frames(dataset, "val", "by-object").tolist())
    assert len(frames) == 200
    assert Frames.of(dataset, CPU).part(SMALL).firsts is None


def test_another_split_says_what_was_trained_on(run):
    whole = evaluate_run(run, CPU, protocol="release", out=run.parent / "whole.json")
    assert whole.protocol.trained_on == "train of by-object"
    other = evaluate_run(run, CPU, protocol="by-sequence", part="train", out=run.parent / "other.json")
    assert "may have been trained on" in " ".join(other.notes)
    random = evaluate_run(run, CPU, protocol="random-pairs", out=run.parent / "random.json")
    assert "a random split leaks" in " ".join(random.notes)
    assert len({each.protocol.id for each in (whole, other, random)}) == 3


def test_udr_leaves_out_latents_that_are_collapsed(dataset):
    # Equal noise, as of one collapsed latent, would be an agreement of nothing; its divergence says that it is none.
    rng = np.random.default_rng(0)
    task = Task(dataset, ["udr"], make_protocol("release"), 2)
    latents, noise = rng.normal(size=(2, len(task.rows), 2)), 1e-3 * rng.normal(size=(len(task.rows), 1))
    shared, own = np.concatenate([latents[0][:, :1], noise], axis=1), np.concatenate([latents[1][:, :1], noise], axis=1)
    kept = np.array([1.0, 1e-6])
    pair = {"0": shared.astype(np.float32), "1": own.astype(np.float32)}
    assert min(task.udr({seed: Encoded(z) for seed, z in pair.items()}).values()) > 0.4
    informed = task.udr({seed: Encoded(z, kept) for seed, z in pair.items()})
    expected = metrics.udr([z[:, :1] for z in pair.values()])
    assert list(informed.values()) == pytest.approx(expected.tolist(), abs=1e-12)
    assert max(expected) < 0.2


def test_the_divergence_of_a_run_s_latents_is_that_of_their_posteriors(run, dataset):
    network, frames = load(run)[0], Frames.of(dataset, CPU)
    found = evaluation._encode(network, frames, batch_size=7)
    with torch.no_grad():
        mu, logvar = network.encode(frames.at(slice(0, len(frames))))
        posterior = torch.distributions.Normal(mu.double(), (logvar.double() / 2).exp())
        expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).mean(dim=0)
    np.testing.assert_allclose(found.divergence, expected.numpy(), rtol=1e-5)
    pcl = PCL(z_dim=3, image_size=frames.image_shape[1])
    assert evaluation._encode(pcl, frames).divergence is None


@pytest.mark.parametrize("how", ["udr", "labels"])
def test_the_checkpoint_that_is_best_is_scored_and_marked(run, how, monkeypatch):
    seen = []
    better = {2: 0.1, 4: 0.9, 6: 0.5}
    real = evaluation.load_checkpoint
    monkeypatch.setattr(evaluation, "load_checkpoint", lambda path: seen.append(real(path)) or seen[-1])
    monkeypatch.setattr(evaluation.Task, "quick_mcc", lambda self, z: better[seen[-1].iteration])
    monkeypatch.setattr(evaluation.Task, "udr", lambda self, z: dict.fromkeys(z, better[seen[-1].iteration]))
    found = evaluate_run(run, CPU, checkpoint=how, out=run.parent / f"{how}.json")
    assert [each.iteration for each in seen] == [2, 4, 6]
    assert found.checkpoints == {"0": 4, "3": 4}
    assert f"checkpoint best by {'UDR' if how == 'udr' else 'labels'}" in found.protocol.describe()
    assert ("chosen by the labels" in " ".join(found.notes)) == (how == "labels")
    assert found.protocol.id != evaluate_run(run, CPU, out=run.parent / "last.json").protocol.id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"protocol": "klindt2021-0.15s"},
            "was trained on train of by-object, and klindt2021-0.15s scores .* everything",
        ),
        ({"protocol": "leap2022"}, "leap2022 scores networks that were trained on train of random-pairs"),
        ({"max_delta_t": 5}, "was trained with max_delta_t 20, not with max_delta_t 5"),
        ({"protocol": Protocol(split="by-object", part="test", max_delta_t=5)}, "is of max_delta_t 5"),
        ({"protocol": "rectangular"}, "pass --variant rectangular"),
    ],
)
def test_what_a_protocol_demands_must_hold(run, arguments, message):
    with pytest.raises(UsageError, match=message):
        evaluate_run(run, CPU, **arguments)


def test_what_differs_from_a_publication_is_noted(dataset, file, tmp_path):
    train(
        Frames.of(dataset, CPU),
        replace(SMALL, z_dim=4, max_delta_t=5, iterations=2),
        tmp_path / "run",
        evaluation.describe_file(file),
    )
    found = evaluate_run(tmp_path / "run", CPU, protocol="klindt2021-0.15s")
    assert found.protocol.name == "klindt2021-0.15s"
    notes = " ".join(found.notes)
    assert "published with 300,000 iterations, this has 2" in notes
    assert "published with 10 seeds, this has 1" in notes
    with pytest.raises(UsageError, match=r"was trained with max_delta_t 5, and klindt2021-0.05s is of max_delta_t 1"):
        evaluate_run(tmp_path / "run", CPU, protocol="klindt2021-0.05s")
    pairs = replace(SMALL, z_dim=4, max_delta_t=5, iterations=2, split_protocol="random-pairs")
    train(Frames.of(dataset, CPU), pairs, tmp_path / "pairs", evaluation.describe_file(file))
    leap = evaluate_run(tmp_path / "pairs", CPU, protocol="leap2022")
    assert "leap2022 was published with 2,560 training pairs, this has 144" in leap.notes
    assert "there was nothing to choose from" in " ".join(leap.notes)
    held = evaluate_run(tmp_path / "run", CPU, protocol="by-object", variant="rectangular", out=tmp_path / "x.json")
    assert held.protocol.trained_on == "everything"
    with pytest.raises(UsageError, match="UDR compares"):
        evaluate_run(tmp_path / "run", CPU, checkpoint="udr")


# Baselines


@pytest.mark.parametrize("name", BASELINE_ENCODERS)
def test_floors_and_the_ceiling(name, dataset, file):
    found = evaluate_baseline(name, file, protocol="by-object", seeds=(0, 1), z_dim=4, iterations=3)
    assert found.entry == BASELINE_ENCODERS[name]
    assert found.protocol.dataset == slowvae.evaluate(dataset.factors, file, protocol="by-object").protocol.dataset
    same = found.latents["0"] == found.latents["1"]
    assert same == (name in ("constant", "pca"))
    if name == "constant":
        assert float(found) == 0
    again = evaluate_baseline(name, file, protocol="by-object", seeds=(0, 1), z_dim=4, iterations=3)
    assert again.latents == found.latents


@pytest.mark.parametrize("name", ["pca", "ica", "supervised"])
def test_what_learns_sees_the_training_part_alone(name, dataset):
    frames, rows = Frames.of(dataset, CPU), np.arange(150)
    everything = np.arange(200)
    other = Frames.of(replace(dataset, factors=np.where(everything[:, None] < 150, dataset.factors, 7)), CPU)
    other.pixels[150:] = 0
    mine, theirs = (baseline_latents(name, each, rows, rows, z_dim=4, iterations=3)[0] for each in (frames, other))
    np.testing.assert_array_equal(mine, theirs)


def test_labels_are_learned(dataset):
    frames, rows = Frames.of(dataset, CPU), np.arange(200)
    z = baseline_latents("supervised", frames, rows, rows, z_dim=4, iterations=60)[0]
    assert mcc(z, dataset.factors, protocol="rectangular", intervals=False).score > 0.6


def test_the_command_says_how_long_the_ceiling_was_trained(file, run, tmp_path):
    options = ["--baseline", "supervised", "--iterations", "3", "--protocol", "by-object", "--out", tmp_path / "r"]
    assert "trained on the factors for 3 steps" in call("evaluate", file, *options)
    assert (tmp_path / "r/supervised.json").exists()
    for wrong in ([file, "--baseline", "pca"], [file, "--encoder", "m:f"], [run]):
        assert "--iterations is of --baseline supervised" in call("evaluate", *wrong, "--iterations", "3", code=2)


def test_baselines_that_cannot_be(file):
    with pytest.raises(UsageError, match="unknown baseline 'oracle'"):
        evaluate_baseline("oracle", file)
    with pytest.raises(UsageError, match="2 latents for 3 factors"):
        evaluate_baseline("pca", file, z_dim=2)


# The command


def test_the_command_scores_latents_encoders_and_baselines(file, dataset, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    np.save("z.npy", dataset.factors)
    np.savez("some.npz", latents=dataset.factors[::2], indices=np.arange(200)[::2])
    (tmp_path / "mine_encoder.py").write_text("def encode(x):\n    return x.reshape(len(x), -1)[:, 40:44]\n")
    text = call("evaluate", file, "--latents", "z.npy")
    assert "indicative only" in text
    assert "no split, scored on the training data" in text
    two = json.loads(call("evaluate", file, "--latents", "z.npy", "--latents", "some.npz", "--seeds", "4,9", "--json"))
    assert two["seeds"].keys() == {"4", "9"}
    encoded = json.loads(
        call("evaluate", file, "--encoder", "mine_encoder:encode", "--protocol", "by-object", "--json")
    )
    assert encoded["name"] == "mine_encoder:encode"
    result = run / "result.json"
    call("evaluate", run, "--quiet")
    results = json.loads(
        call("evaluate", file, "--baseline", "pca,constant", "--protocol", result, "--out", "floors", "--json")
    )
    assert [each["protocol"]["id"] for each in results] == [json.loads(result.read_text())["protocol"]["id"]] * 2
    assert json.loads((tmp_path / "floors/pca.json").read_text()) == results[0]
    assert call("evaluate", file, "--latents", "z.npy", "--quiet") == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["{file}"], "say what is scored on it"),
        (["{file}", "--latents", "z.npy", "--baseline", "pca"], "--latents and --baseline exclude each other"),
        (["{file}", "--baseline", "pca", "--data", "x.npz"], "--data is of a run"),
        (["{run}", "--baseline", "pca"], "--baseline is of a dataset file"),
        (["{run}", "--seeds", "0"], "--seeds is of a dataset file"),
        (["{file}", "--latents", "z.npy", "--seeds", "0,1"], "--seeds names 2 seeds, for 1"),
        (["{file}", "--baseline", "pca", "--name", "x"], "leave out --name"),
        (["{file}", "--baseline", "pca", "--protocol", "{run}/result.json", "--split", "val"], "leave out --split"),
    ],
)
def test_calls_that_cannot_be(file, run, args, message):
    text = call("evaluate", *(each.format(file=file, run=run) for each in args), code=2)
    assert message in " ".join(text.split())
