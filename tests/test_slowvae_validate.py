import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_slowvae_trainer import CPU, bars

from cli.main import main
from datagen import store
from datagen.datasets import Sequences
from datagen.errors import UsageError
from slowvae import checks, comparison, metrics
from slowvae.batches import Frames
from slowvae.validate import validate


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def walks(sequences=40, length=25, size=16, seed=0) -> Sequences:
    """Return rectangles whose place and size take sparse steps, as objects of a video do."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((sequences * length, size, size), dtype=bool)
    for s in range(sequences):
        y, x, height = rng.integers(0, size - 8), rng.integers(0, size - 5), rng.integers(3, 8)
        for t in range(length):
            masks[s * length + t, y : y + height, x : x + 4] = True
            y, x = (
                int(np.clip(v + rng.choice([-3, -1, 0, 1, 3], p=[0.02, 0.08, 0.8, 0.08, 0.02]), 0, size - 8))
                for v in (y, x)
            )
    rows, columns = np.mgrid[:size, :size]
    area = masks.sum((1, 2))
    latents = np.stack([(masks * rows).sum((1, 2)) / area, (masks * columns).sum((1, 2)) / area, area], axis=1)
    text, number = np.full(sequences, "walk"), np.arange(sequences)
    columns = {"source": text, "video": text, "category": text, "object_id": number}
    return Sequences.of_masks(masks, latents.astype(np.float32), np.arange(sequences + 1) * length, **columns)


@pytest.fixture(scope="module")
def walk() -> Sequences:
    return walks()


def shuffled(dataset: Sequences, within: bool, seed: int = 1) -> Sequences:
    """Return the dataset with its frames in another order, in their sequences or over all."""
    rng = np.random.default_rng(seed)
    sequence = np.repeat(np.arange(dataset.num_sequences), dataset.lengths)
    order = np.lexsort((rng.random(len(sequence)), sequence * within))
    return replace(dataset, images=dataset.images[order], factors=dataset.factors[order])


def check(dataset, folder: Path) -> dict[str, checks.Finding]:
    path = folder / "data.npz"
    store.save(dataset, path, overwrite=True)
    return {finding.name: finding for finding in checks.check_file(path)[0]}


def test_a_good_file_passes_every_check(walk, tmp_path):
    findings = check(walk, tmp_path)
    assert {"structure", "hashes", "latents", "range of factors", "order in time"} <= findings.keys()
    assert {f"{what} of {name}" for what in ("balance", "temporal sparsity") for name in ("y", "x")} <= findings.keys()
    failed = {name for name, finding in findings.items() if finding.status == "fail"}
    assert failed <= {"temporal sparsity of area", "leakage between splits"}  # area never changes within a walk
    assert findings["order in time"].status == "pass"
    assert findings["order in time"].figure < 0.8


@pytest.mark.parametrize("within", [True, False])
def test_frames_shuffled_in_time_fail_by_their_order(walk, within, tmp_path):
    findings = check(shuffled(walk, within), tmp_path)
    assert findings["latents"].status == "pass"
    assert findings["order in time"].status == "fail"
    assert findings["order in time"].figure == pytest.approx(1, abs=0.1)


def test_latents_permuted_fail_against_the_pixels(walk, tmp_path):
    latents = walk.factors[np.random.default_rng(0).permutation(len(walk.factors))]
    findings = check(replace(walk, factors=latents), tmp_path)
    assert findings["latents"].status == "fail"
    assert findings["order in time"].status == "pass"  # it looks at the pixels


def test_dense_motion_is_not_sparse(tmp_path):
    findings = check(shuffled(walks(), within=False), tmp_path)
    assert findings["temporal sparsity of x"].status == "fail"
    assert findings["temporal sparsity of x"].figure > 1


def test_other_faults_of_a_file_are_named(walk, tmp_path):
    outside = walk.factors.copy()
    outside[3, 1] = 99
    findings = check(replace(walk, factors=outside), tmp_path)
    assert findings["range of factors"].status == "fail"
    assert "1 frames have a x outside" in findings["range of factors"].detail

    constant = walk.factors.copy()
    constant[:, 2] = 12
    assert check(replace(walk, factors=constant), tmp_path)["balance of area"].status == "warn"

    skewed = walk.factors.copy()
    skewed[:, 0] = 1
    skewed[0, 0] = 9
    assert check(replace(walk, factors=skewed), tmp_path)["balance of y"].status == "warn"

    twice = np.concatenate([walk.images[:500], walk.images[:500]])
    findings = check(replace(walk, images=twice, factors=np.tile(walk.factors[:500], (2, 1))), tmp_path)
    assert findings["duplicates"].figure == pytest.approx(1)
    assert findings["duplicates"].status == "warn"
    assert findings["leakage between splits"].status == "fail"

    unknown = walk.with_columns(source=np.full(40, ""), object_id=np.full(40, -1))
    assert check(unknown, tmp_path)["leakage between splits"].status == "warn"


def test_equal_images_have_equal_hashes_and_others_do_not(walk):
    hashes = checks._images(walk)
    _, first, inverse = np.unique(
        walk.images.reshape(len(walk.images), -1), axis=0, return_index=True, return_inverse=True
    )
    assert len(np.unique(hashes)) == len(first)
    np.testing.assert_array_equal(hashes, hashes[first][inverse.ravel()])


def test_sprites_are_checked(tmp_path):
    rng = np.random.default_rng(0)
    start = rng.random((300, 1, 5)).astype(np.float32)
    step = np.zeros((300, 2, 5), dtype=np.float32)
    step[:, 1, :3] = rng.laplace(0, 0.01, (300, 3))
    factors = np.clip(start + step, 0, 1)
    images = rng.integers(0, 256, (300, 2, 16, 16), dtype=np.uint8)
    sprites = Sequences.of_sprites(images, factors, np.zeros(5, dtype=np.int64), np.arange(300))
    findings = check(sprites, tmp_path)
    assert findings["order in time"].status == "pass"
    assert findings["duplicates"].status == "pass"
    still = replace(sprites, factors=np.repeat(factors[:, :1], 2, axis=1)[rng.permutation(300)].reshape(600, 5))
    assert check(still, tmp_path)["order in time"].figure == 0
    apart = factors.copy()
    apart[:, 1] = apart[rng.permutation(300), 1]
    assert check(replace(sprites, factors=apart.reshape(600, 5)), tmp_path)["order in time"].status == "fail"


def test_a_file_that_cannot_be_read_has_one_finding(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    findings, dataset = checks.check_file(tmp_path / "bad.npz")
    assert [(finding.name, finding.status) for finding in findings] == [("structure", "fail")]
    assert dataset is None
    assert validate(tmp_path / "bad.npz", train="slowvae").verdict == "fail"
    with pytest.raises(UsageError, match="no such file"):
        checks.check_file(tmp_path / "none.npz")


def test_control_pairs_have_no_order():
    offsets = np.array([0, 2, 4, 6])
    one, other = checks.control_order(offsets, 0)
    assert one.tolist() == [0, 2, 4]
    assert sorted(other.tolist()) == [1, 3, 5]
    offsets = np.array([0, 50, 60])
    one, other = checks.control_order(offsets, 0)
    assert ((one < 50) == (other < 50)).all()
    assert (one != other).all()
    assert len(one) == 58
    assert not (other == one + 1).all()


def test_ratio_interval_widens_with_alike_groups():
    rng = np.random.default_rng(0)
    far = np.ones((400, 1))
    level = np.repeat(rng.random((20, 1)), 20, axis=0)
    ratio, low, high = checks.ratio_interval(level, far, np.arange(400) // 20, np.random.default_rng(0))
    assert ratio[0] == pytest.approx(level.mean())
    assert low[0] < ratio[0] < high[0]
    _, low_single, high_single = checks.ratio_interval(level, far, np.arange(400), np.random.default_rng(0))
    assert high[0] - low[0] > 2 * (high_single[0] - low_single[0])


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
    worst = max((f["status"] for f in report["findings"]), key=["pass", "warn", "fail"].index)
    assert report["verdict"] == worst
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


def test_an_interrupted_validation_goes_on_from_its_runs(reported, walk):
    before = (reported / "slowvae/checkpoints").stat().st_mtime_ns
    again = validate(
        reported.parent / "walks.npz", "slowvae", seeds=(0, 1), baselines=["pca"], folder=reported,
        changes={"iterations": 100},
    )  # fmt: skip
    assert (reported / "slowvae/checkpoints").stat().st_mtime_ns == before
    report = json.loads((reported / "report.json").read_text())
    assert again.scores["slowvae"] == report["scores"]["slowvae"]


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
    "three that disagree": ([0.7, 0.5, 0.6], [0.6, 0.6, 0.55], "shuffled", "fail"),
    "three that agree": ([0.7, 0.65, 0.6], [0.6, 0.6, 0.55], "shuffled", "pass"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_baseline_must_be_beaten_with_the_whole_interval(name):
    mine, theirs, baseline, status = DIFFERENCES[name]
    finding = comparison._difference(
        "slowvae", baseline, {"slowvae": scored(mine), baseline: scored(theirs)}, range(len(mine))
    )
    assert finding.status == status
    assert finding.figure == pytest.approx(np.mean(mine) - np.mean(theirs))


def test_validate_without_training_is_its_checks(walk, tmp_path, capsys):
    store.save(shuffled(walk, within=True), tmp_path / "shuffled.npz")
    with pytest.raises(SystemExit) as caught:
        main(["validate", str(tmp_path / "shuffled.npz"), "--json"])
    assert caught.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "fail"
    assert "order in time" in {finding["name"] for finding in report["findings"] if finding["status"] == "fail"}
    assert report["scores"] == {}


def test_wrong_names_are_refused(walk, tmp_path):
    store.save(walk, tmp_path / "walks.npz")
    with pytest.raises(UsageError, match="unknown budget"):
        validate(tmp_path / "walks.npz", budget="long")
    with pytest.raises(UsageError, match="unknown baseline"):
        validate(tmp_path / "walks.npz", "slowvae", baselines=["ica"])
