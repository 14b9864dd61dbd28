import json
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sequences import shuffled, walks
from test_cli import run
from test_store import sprites

from datagen import checks, store
from datagen.checks import verify
from datagen.datasets import Sequences
from datagen.errors import UsageError
from datagen.moments import latents_of_masks


def names(checks):
    return {check.name: check.passed for check in checks}


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_good_file_passes(kitti, tmp_path, suffix):
    store.save(kitti, tmp_path / f"kitti{suffix}")
    assert names(verify(tmp_path / f"kitti{suffix}")) == {
        "structure": True,
        "hashes": True,
        "latents": True,
        "masks": True,
    }


def test_a_pickle_has_no_hashes(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    assert names(verify(tmp_path / "kitti.pickle")) == {
        "structure": True,
        "manifest": True,
        "latents": True,
        "masks": True,
    }


@pytest.mark.parametrize("arrays", [None, {}], ids=["absent", "empty"])
def test_a_file_without_hashes_fails(kitti, tmp_path, arrays):
    store.save(kitti, tmp_path / "kitti.npz")
    manifest = {key: value for key, value in store.load(tmp_path / "kitti.npz").manifest.items() if key != "arrays"}
    if arrays is not None:
        manifest["arrays"] = arrays
    tampered(kitti, tmp_path / "other.npz", manifest=np.array(json.dumps(manifest)))
    assert names(verify(tmp_path / "other.npz"))["hashes"] is False


def test_a_shape_that_the_manifest_does_not_say(tmp_path):
    """The bytes, and so the hash, are the same."""
    store.save(sprites(), tmp_path / "sprites.npz")
    with np.load(tmp_path / "sprites.npz") as file:
        held = dict(file)
    np.savez(tmp_path / "sprites.npz", **{**held, "images": held["images"].reshape(5, 2, 8, 32)})
    checks = {check.name: check for check in verify(tmp_path / "sprites.npz")}
    assert checks["hashes"].detail == "differ from the manifest: images"


def test_sprites(tmp_path):
    store.save(sprites(), tmp_path / "sprites.npz")
    assert names(verify(tmp_path / "sprites.npz")) == {"structure": True, "hashes": True, "factors": True}
    factors = sprites().factors.copy()
    factors[0, 0] = np.nan
    store.save(replace(sprites(), factors=factors), tmp_path / "nan.npz")
    assert not names(verify(tmp_path / "nan.npz"))["factors"]


def tampered(kitti, path, **arrays):
    """Write a file whose manifest describes other arrays than it holds."""
    store.save(kitti, path)
    with np.load(path) as file:
        held = dict(file)
    np.savez(path, **{**held, **arrays})


def test_changed_pixels_are_found(kitti, tmp_path):
    masks = kitti.images.copy()
    masks[7, 3, 3] ^= True
    tampered(kitti, tmp_path / "kitti.npz", masks=masks)
    checks = {check.name: check for check in verify(tmp_path / "kitti.npz")}
    assert not checks["hashes"].passed
    assert checks["hashes"].detail == "differ from the manifest: masks"
    assert not checks["latents"].passed
    assert "first in frame 7" in checks["latents"].detail


def test_latents_are_compared_to_the_last_bit(kitti, tmp_path):
    latents = kitti.factors.copy()
    latents[5, 0] = np.nextafter(latents[5, 0], np.float32(100))
    store.save(replace(kitti, factors=latents), tmp_path / "kitti.npz")
    assert names(verify(tmp_path / "kitti.npz")) == {"structure": True, "hashes": True, "latents": False, "masks": True}


def test_an_empty_mask_is_found(kitti, tmp_path):
    masks = kitti.images.copy()
    masks[5] = False
    store.save(replace(kitti, images=masks, factors=latents_of_masks(masks)), tmp_path / "kitti.npz")
    assert names(verify(tmp_path / "kitti.npz"))["masks"] is False


def test_masks_are_counted_as_empty_by_their_pixels(kitti, tmp_path):
    masks = kitti.images.copy()
    masks[7] = False
    tampered(kitti, tmp_path / "old_hash.npz", masks=masks)
    store.save(replace(kitti, images=masks), tmp_path / "new_hash.npz")
    for name in ("old_hash", "new_hash"):
        found = {each.name: each for each in verify(tmp_path / f"{name}.npz")}
        assert (found["masks"].status, found["masks"].detail) == ("fail", f"1 of {len(masks)} are empty")
    latents = kitti.factors.copy()
    latents[7] = np.nan, np.nan, 0
    store.save(replace(kitti, factors=latents), tmp_path / "stored.npz")
    assert names(verify(tmp_path / "stored.npz"))["masks"]  # it is the latents that are wrong


def test_a_broken_file_fails_its_structure(tmp_path):
    (tmp_path / "kitti.npz").write_bytes(b"")
    assert names(verify(tmp_path / "kitti.npz")) == {"structure": False}


def test_the_command_says_of_each_check_whether_it_passed(capsys, kitti, tmp_path):
    tampered(kitti, tmp_path / "kitti.npz", masks=~kitti.images)
    code, out, _ = run(capsys, "verify", tmp_path / "kitti.npz", "--json")
    answer = json.loads(out)
    assert (code, answer.keys(), answer["passed"]) == (1, {"file", "passed", "checks"}, False)
    assert answer["checks"][0] == {
        "name": "structure",
        "passed": True,
        "detail": f"{len(store.arrays_of(kitti))} arrays of {kitti.kind}",
    }
    assert [check["name"] for check in answer["checks"] if not check["passed"]] == ["hashes", "latents"]


@pytest.fixture(scope="module")
def walk():
    return walks()


def check(dataset, folder: Path) -> dict[str, checks.Check]:
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


def some(dataset, sequences, frames):
    """Return the first frames of the first sequences."""
    few = dataset.select(np.arange(sequences))
    rows = np.concatenate([np.arange(begin, begin + frames) for begin in few.offsets[:-1]])
    return replace(few, images=few.images[rows], factors=few.factors[rows], offsets=np.arange(sequences + 1) * frames)


@pytest.mark.parametrize(("sequences", "frames"), [(1, 1), (3, 1), (1, 2), (2, 2), (1, 3), (3, 3), (1, 25)])
def test_too_few_data_fail_nothing(walk, sequences, frames, tmp_path):
    findings = check(some(walk, sequences, frames), tmp_path)
    assert not [each for each in findings.values() if each.status == "fail"]
    assert sequences * frames == 25 or "tell" in findings["order in time"].detail
    assert not [each for name, each in findings.items() if "sparsity" in name and each.status != "warn"]


def test_how_many_frames_tell_that_there_is_no_order(walk):
    rng = np.random.default_rng(0)
    near, far = rng.random((400, 1)), rng.random((400, 1))
    for sequences in (1, 400):  # a single long sequence, too, is known to be shuffled
        assert checks.order_in_time(near, far, np.arange(400) % sequences, 0)[0] == "fail"
        assert checks.order_in_time(near[:19], far[:19], np.arange(19) % sequences, 0)[0] == "warn"
        assert checks.order_in_time(near / 2, far, np.arange(400) % sequences, 0)[0] == "pass"
    assert checks.order_in_time(near[:30], far[:30], np.arange(30), 0)[0] == "warn"  # its interval tells nothing


def test_a_sparsity_that_the_interval_leaves_open_does_not_fail(monkeypatch, walk, tmp_path):
    from datagen.statistics import summary

    monkeypatch.setattr(summary, "_is_sparse", lambda fit: None)
    found = check(shuffled(walk, within=False), tmp_path)["temporal sparsity of y"]
    assert (found.status, found.figure > 1) == ("warn", True)
    assert found.detail.endswith("undecided; sparse is below 1")


def test_dense_motion_is_not_sparse(tmp_path):
    findings = check(shuffled(walks(), within=False), tmp_path)
    assert findings["temporal sparsity of x"].status == "fail"
    assert findings["temporal sparsity of x"].figure > 1


def test_other_faults_of_a_file_are_named(walk, tmp_path):
    outside = walk.factors.copy()
    outside[3, 1] = 99
    findings = check(replace(walk, factors=outside), tmp_path)
    assert findings["range of factors"].status == "fail"
    assert "1 frame has a x outside" in findings["range of factors"].detail

    outside[3, 1] = np.nan
    findings = check(replace(walk, factors=outside), tmp_path)
    assert (findings["range of factors"].status, findings["factors"].status) == ("pass", "fail")
    assert findings["range of factors"].detail == "every factor that is a number lies inside the frame"
    outside[3, 1] = np.inf
    assert check(replace(walk, factors=outside), tmp_path)["range of factors"].figure == 1

    constant = walk.factors.copy()
    constant[:, 2] = 12
    assert check(replace(walk, factors=constant), tmp_path)["balance of area"].status == "warn"

    piled_up = walk.factors.copy()
    piled_up[:, 0] = 1
    piled_up[0, 0] = 9
    assert check(replace(walk, factors=piled_up), tmp_path)["balance of y"].status == "warn"
    skewed = walk.factors.copy()
    skewed[:, 0] = np.random.default_rng(0).pareto(1, len(skewed)).clip(0, 9) ** 4 / 9**3
    finding = check(replace(walk, factors=skewed), tmp_path)["balance of y"]
    assert finding.status == "note"
    assert finding.detail == f"y is skewed: {finding.figure * 100:.0f} % of even; harmless for rank correlations"

    twice = np.concatenate([walk.images[:500], walk.images[:500]])
    findings = check(replace(walk, images=twice, factors=np.tile(walk.factors[:500], (2, 1))), tmp_path)
    assert findings["duplicates"].figure == pytest.approx(1)
    assert findings["duplicates"].status == "warn"
    assert findings["leakage between splits"].status == "fail"

    unknown = walk.with_columns(source=np.full(40, ""), object_id=np.full(40, -1))
    assert check(unknown, tmp_path)["leakage between splits"].status == "warn"


def test_equal_images_have_equal_hashes_and_others_do_not(walk):
    hashes = checks.frame_hashes(walk)
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


def test_a_note_does_not_change_the_verdict():
    note = checks.Check("balance of area", "note", 0.47, "area is skewed")
    good = checks.Check("masks", "pass", None, "")
    assert checks.worst([note, good]) == "pass"
    assert note.passed
    assert checks.summary([good, note]) == "PASS: 2 checks, 1 note (area is skewed)"
    bad = [checks.Check(name, status, None, "") for name, status in (("a", "fail"), ("b", "fail"), ("c", "warn"))]
    said = "FAIL: 5 checks, 2 failed (a; b), 1 warning (c), 1 note (area is skewed)"
    assert checks.summary([good, note, *bad]) == said
    assert checks.summary([good, bad[2]]) == "WARN: 2 checks, 1 warning (c)"
    alone = checks.Check("masks", "fail", 2, "2 of 9 are empty")
    assert checks.summary([good, alone]) == "FAIL: 2 checks, 1 failed (masks: 2 of 9 are empty)"
    assert checks.summary([alone, bad[0]]) == "FAIL: 2 checks, 2 failed (masks; a)"


def test_every_check_says_what_it_means(walk, kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    found = [*check(walk, tmp_path).values(), *check(sprites(), tmp_path).values(), *verify(tmp_path / "kitti.pickle")]
    assert not [each.name for each in found if not each.meaning]
    assert checks.Check("of no kind", "pass", None, "").meaning == ""


def test_the_documents_say_what_every_check_means():
    text = (Path(__file__).parents[1] / "docs/training.md").read_text()
    rows = dict(re.findall(r"^\| `([^`|]+)` \| ([^|]+) \|$", text, re.MULTILINE))
    assert {kind: rows.get(kind) for kind in checks.MEANINGS} == checks.MEANINGS


def with_frames(dataset: Sequences, rows) -> Sequences:
    """Return the dataset with other frames of its own in the place of each, (N,)."""
    return replace(dataset, images=dataset.images[rows], factors=dataset.factors[rows])


@pytest.fixture(scope="module")
def scene() -> Sequences:
    """Walks in a frame that is wide enough for no two to go the same way."""
    return walks(sequences=30, size=48, seed=2)


def identity(dataset: Sequences) -> checks.Check:
    (finding,) = checks._identity(dataset, checks.frame_hashes(dataset))
    return finding


def test_frames_of_another_object_are_found(scene):
    assert identity(scene).status == "pass"
    rows = np.arange(scene.num_frames)
    rows[7 * 25 + 5 : 8 * 25] = rows[3 * 25 + 5 : 4 * 25]
    wrong = with_frames(scene, rows)
    assert identity(wrong).status == "fail"
    assert "2 of 30 sequences show frames of another object's, first sequence 3 (" in identity(wrong).detail
    of_object = np.where(np.arange(30) == 7, 3, np.arange(30))
    of_one = wrong.with_columns(object_id=of_object, video=np.full(30, "0"), source=np.full(30, "walk"))
    assert identity(of_one).status == "pass"
    unknown = wrong.with_columns(object_id=np.full(30, -1), source=np.full(30, ""), video=np.full(30, ""))
    assert identity(unknown).figure == 2
    rows[7 * 25 : 8 * 25] = rows[3 * 25 : 4 * 25][::-1]
    assert identity(with_frames(scene, rows)).status == "fail"


def test_neighbours_that_do_not_overlap_are_counted(scene):
    def overlap(masks):
        (finding,) = checks._overlap(replace(scene, images=masks))
        return finding

    fine = overlap(scene.images)
    assert (fine.status, fine.figure) == ("pass", 0)
    masks = scene.images.copy()
    masks[5] = False
    masks[5, 46:, 46:] = True  # between frames 4 and 5, and 5 and 6
    masks[30] = masks[5]  # the fifth of the next sequence
    assert overlap(masks).figure == pytest.approx(4 / (30 * 24))
    assert "the first are frames 4 and the next of sequence 0" in overlap(masks).detail
    assert overlap(masks).status == "pass"
    masks[100:120:2] = masks[5]
    assert overlap(masks).status == "warn"


@pytest.mark.parametrize("of", ["sequences", "the file"])
def test_outlines_that_are_finer_in_one_half_warn(scene, of):
    frayed = scene.images & (np.random.default_rng(0).random(scene.images.shape) < 0.8)
    late = np.arange(25 * 30) % 25 >= 13 if of == "sequences" else np.arange(25 * 30) >= 25 * 15
    one_half = np.where(late[:, None, None], scene.images, frayed)
    for masks, status in ((scene.images, "pass"), (frayed, "pass"), (one_half, "warn")):
        (finding,) = checks._look(replace(scene, images=masks), 0)
        assert finding.status == status


def test_time_may_run_backwards_or_twice_as_fast(scene, tmp_path):
    """A sequence has no direction, and its rate is what it is."""
    rows = np.arange(scene.num_frames).reshape(30, 25)
    backwards = with_frames(scene, rows[:, ::-1].ravel())
    half = replace(with_frames(scene, rows[:, ::2].ravel()), offsets=np.arange(31) * 13)
    for dataset in (scene, backwards, half):
        found = check(dataset, tmp_path)
        assert "temporal sparsity of x" in found
        names = {"order in time", "identity of objects", "overlap of neighbours", "look of images"}
        assert {found[name].status for name in names} == {"pass"}


def test_frames_that_differ_in_nothing_have_no_order():
    near = far = np.zeros((50, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert checks.order_in_time(near, far, np.arange(50) // 5, 0)[0] == "fail"
