import base64
import html
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sequences import shuffled, walks
from test_cli import run
from test_slowvae_trainer import CPU, bars

from cli.main import main
from datagen import store
from datagen.datasets import Sequences
from datagen.errors import UsageError
from slowvae import comparison, metrics
from slowvae.batches import Frames
from slowvae.validate import validate


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def walk() -> Sequences:
    return walks()


def test_a_file_that_cannot_be_read_is_not_trained_on(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    assert validate(tmp_path / "bad.npz", train="slowvae").verdict == "fail"


def test_pixel_components_are_the_principal_ones():
    frames = Frames.of(bars(lengths=(40,) * 10), CPU)
    found = comparison.pixel_components(frames, 3)
    pixels = frames.at(slice(None)).flatten(1).numpy()
    u, s, _ = np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    expected = u[:, :3] * s[:3]
    correlation = np.abs([np.corrcoef(found[:, i], expected[:, i])[0, 1] for i in range(3)])
    assert (correlation > 0.99).all()


class _Page(HTMLParser):
    """Collects what a page refers to, and fails on tags that are not closed."""

    def __init__(self):
        super().__init__()
        self.sources, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def reported(walk, tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("validate")
    store.save(walk, folder / "walks.npz")
    call = ["validate", folder / "walks.npz", "--train", "slowvae", "--iterations", "100", "--seeds", "0,1", "--quiet"]
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, [*call, "--out", folder / "report"])))
    report = json.loads((folder / "report/report.json").read_text())
    assert caught.value.code == (1 if report["verdict"] == "fail" else 0)
    return folder / "report"


def test_report_holds_every_comparison(reported):
    report = json.loads((reported / "report.json").read_text())
    names = {finding["name"] for finding in report["findings"]}
    assert {f"factors recovered, against {name}" for name in ("untrained", "pca", "beta-vae", "shuffled")} <= names
    assert "order in time, as learned" in names
    worst = max((f["status"] for f in report["findings"]), key=["pass", "note", "warn", "fail"].index)
    assert report["verdict"] == worst.replace("note", "pass")
    assert report["summary"].startswith(f"{report['verdict'].upper()}: {len(report['findings'])} checks")
    assert all(finding["meaning"] for finding in report["findings"])
    assert set(report["scores"]) == {"slowvae", "untrained", "pca", "beta-vae", "shuffled"}
    for by_seed in report["scores"].values():
        for each in by_seed.values():
            assert np.shape(each["correlation"]) == (3, 10)
            assert each["interval"][0] <= each["score"] <= each["interval"][1] + 0.05
    assert set(report["curves"]) == {"slowvae", "beta-vae", "shuffled"}
    assert report["run"]["settings"]["iterations"] == 100
    assert "torch" in report["run"]["machine"]
    figure = next(f for f in report["findings"] if f["name"].endswith("untrained"))
    mean = [np.mean([each["score"] for each in report["scores"][name].values()]) for name in ("slowvae", "untrained")]
    assert figure["figure"] == pytest.approx(mean[0] - mean[1])
    assert figure["detail"].startswith("MCC (rectangular, spearman, seeds 0, 1) ")
    assert report["mcc"].keys() == report["scores"].keys()
    scored = report["mcc"]["slowvae"]
    assert (scored["protocol"], scored["method"], scored["seeds"], scored["n"]) == (
        "rectangular",
        "spearman",
        [0, 1],
        1000,
    )
    assert scored["score"] == pytest.approx(mean[0])
    assert scored["interval"][0] < scored["score"] < scored["interval"][1]
    assert not scored["indicative"]


def test_page_is_self_contained(reported):
    text = (reported / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert not page.open
    assert len(page.sources) == 4
    for source in page.sources:
        kind, data = re.fullmatch(r"data:image/(png|gif);base64,(.+)", source).groups()
        with Image.open(BytesIO(base64.b64decode(data))) as image:
            assert image.format.lower() == kind
            assert min(image.size) > 30
    assert "http" not in text
    report = json.loads((reported / "report.json").read_text())
    for said in (report["summary"], *(finding["meaning"] for finding in report["findings"])):
        assert html.escape(said).replace("&#x27;", "&#39;") in text
    assert "MCC (rectangular, spearman, 1,000 frames)" in text


def test_an_interrupted_validation_goes_on_from_its_runs(reported, walk):
    before = (reported / "slowvae/checkpoints").stat().st_mtime_ns
    again = validate(
        reported.parent / "walks.npz", "slowvae", seeds=(0, 1), baselines=["pca"], folder=reported,
        changes={"iterations": 100},
    )  # fmt: skip
    assert (reported / "slowvae/checkpoints").stat().st_mtime_ns == before
    report = json.loads((reported / "report.json").read_text())
    assert again.scores["slowvae"] == report["scores"]["slowvae"]
    shapes = {name: getattr(again.examples, name).shape for name in ("samples", "traversals", "latents", "factors")}
    assert shapes == {
        "samples": (2, 16, 16, 16, 1),
        "traversals": (40, 4, 10, 16, 16, 1),
        "latents": (1000, 10),
        "factors": (1000, 3),
    }
    assert "examples" not in again.to_json()


def scored(values: list[float], spread: float = 0.01) -> dict[int, metrics.MCC]:
    """Return an MCC for each seed."""
    nothing = np.zeros((1, 1))
    return {
        seed: metrics.MCC(value, (0, 1), "spearman", "rectangular", 9, nothing, nothing, value + spread * NOISE)
        for seed, value in enumerate(values)
    }


NOISE = np.random.default_rng(0).normal(size=200)
DIFFERENCES = {
    "better": ([0.8], [0.6], "untrained", "pass"),
    "no better than at the start": ([0.5], [0.5], "untrained", "fail"),
    "no better than pca": ([0.5], [0.6], "pca", "fail"),
    "one seed cannot tell": ([0.5], [0.6], "beta-vae", "warn"),
    "three seeds can": ([0.5, 0.6, 0.55], [0.6, 0.65, 0.6], "beta-vae", "fail"),
    "three that disagree": ([0.7, 0.5, 0.6], [0.6, 0.6, 0.55], "beta-vae", "fail"),
    "three that agree": ([0.7, 0.7, 0.64], [0.6, 0.6, 0.55], "beta-vae", "pass"),
    "agree by less than three can know": ([0.7, 0.65, 0.6], [0.6, 0.6, 0.55], "beta-vae", "fail"),
    "large sparse changes teach, too": ([0.7, 0.65, 0.6], [0.7, 0.7, 0.65], "shuffled", "note"),
    "better than shuffled": ([0.7, 0.7, 0.64], [0.6, 0.6, 0.55], "shuffled", "pass"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_baseline_must_be_beaten_with_the_whole_interval(name):
    mine, theirs, baseline, status = DIFFERENCES[name]
    finding = comparison._difference(
        "slowvae", baseline, {"slowvae": scored(mine), baseline: scored(theirs)}, range(len(mine))
    )
    assert finding.status == status
    assert finding.figure == pytest.approx(np.mean(mine) - np.mean(theirs))
    assert ("indicative" in finding.detail) == (len(mine) == 1)


def test_validate_without_training_is_its_checks(walk, tmp_path, capsys):
    store.save(shuffled(walk, within=True), tmp_path / "shuffled.npz")
    with pytest.raises(SystemExit) as caught:
        main(["validate", str(tmp_path / "shuffled.npz"), "--json"])
    assert caught.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "fail"
    assert "order in time" in {finding["name"] for finding in report["findings"] if finding["status"] == "fail"}
    assert report["summary"].startswith("FAIL: ")
    assert report["scores"] == {}


def test_a_report_is_replaced_with_overwrite_only(reported, walk, capsys):
    """Trainings that a folder holds go on all the same, of a command that was stopped before its report too."""
    data, before = str(reported.parent / "walks.npz"), (reported / "report.json").read_bytes()
    assert run(capsys, "validate", data, "--out", reported)[0] == 2
    training = ["--train", "slowvae", "--iterations", "100", "--seeds", "0,1", "--baseline", "pca"]
    code, _, error = run(capsys, "validate", data, "--out", reported, *training)
    assert (code, "report.json: exists" in error) == (2, True)
    assert (reported / "report.json").read_bytes() == before
    trained = (reported / "slowvae/checkpoints").stat().st_mtime_ns
    kept = {name: (reported / name).read_bytes() for name in ("report.json", "report.html")}
    for options in ([], ["--overwrite"]):
        if not options:  # as of a command that was stopped
            (reported / "report.json").unlink()
            (reported / "report.html").unlink()
        assert run(capsys, "validate", data, "--out", reported, *training, *options, "--quiet")[0] in (0, 1)
        assert set(json.loads((reported / "report.json").read_text())["scores"]) == {"slowvae", "pca"}
        assert (reported / "slowvae/checkpoints").stat().st_mtime_ns == trained
    for name, content in kept.items():
        (reported / name).write_bytes(content)


@pytest.mark.parametrize(
    "options",
    [
        ["--iterations", "30"], ["--baseline", "pca"], ["--budget", "quick"], ["--seeds", "0"], ["--max-delta-t", "2"],
        ["--prior", "laplace"], ["--rate", "1"], ["--random-rate"], ["--k", "1"], ["--transitions", "walks.npz"],
        ["--amp", "bf16"], ["--device", "cpu"],
    ],
    ids=lambda options: options[0],
)  # fmt: skip
def test_options_of_a_training_need_one(walk, tmp_path, capsys, options):
    store.save(walk, tmp_path / "walks.npz")
    code, _, error = run(capsys, "validate", tmp_path / "walks.npz", *options, "--out", tmp_path / "report")
    assert (code, f"{options[0]} is of a training; name the model by --train" in error) == (2, True)
    assert not (tmp_path / "report").exists()


def test_a_file_too_small_to_train_on_names_no_option_that_validate_lacks(tmp_path):
    store.save(walks(2, 2), tmp_path / "tiny.npz")
    with pytest.raises(UsageError, match=r"tiny\.npz: 2 pairs do not fill a batch of 32; take a file of more data, or"):
        validate(tmp_path / "tiny.npz", "slowvae", device="cpu")
    store.save(walks(1, 2), tmp_path / "tiny.npz", overwrite=True)
    with pytest.raises(UsageError, match="1 pair does not fill"):
        validate(tmp_path / "tiny.npz", "slowvae", device="cpu")


def test_wrong_names_are_refused(walk, tmp_path):
    store.save(walk, tmp_path / "walks.npz")
    with pytest.raises(UsageError, match="unknown budget"):
        validate(tmp_path / "walks.npz", budget="long")
    with pytest.raises(UsageError, match="unknown baseline"):
        validate(tmp_path / "walks.npz", "slowvae", baselines=["ica"])
