import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import store
from datagen.datasets import Factor, Sequences
from datagen.errors import BadInputError, DatagenError, OutputError, UsageError
from datagen.lazy_array import LazyArray


def sprites(images=True, color=False):
    rng = np.random.default_rng(0)
    shape = (5, 2, 16, 16, 3) if color else (5, 2, 16, 16)
    return Sequences.of_sprites(
        images=rng.integers(0, 256, shape, dtype=np.uint8) if images else None,
        factors=rng.random((5, 2, 5), dtype=np.float32),
        factor_sizes=np.array([0, 0, 0, 40, 4]),
        transition=np.arange(5),
        manifest={"tool": "test"},
    )


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5", ".zarr"])
@pytest.mark.parametrize("kind", ["masks", "sprites", "coloured sprites", "factors only"])
def test_what_is_saved_is_loaded(kitti, tmp_path, suffix, kind):
    dataset = {
        "masks": kitti,
        "sprites": sprites(),
        "coloured sprites": sprites(color=True),
        "factors only": sprites(images=False),
    }[kind]
    path = tmp_path / f"data{suffix}"
    manifest = store.save(dataset, path)
    back = store.load(path)
    assert type(back) is type(dataset)
    assert back.manifest == manifest
    arrays, expected = store.arrays_of(back), store.arrays_of(dataset)
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype.kind == array.dtype.kind
        np.testing.assert_array_equal(arrays[name], array)
        assert manifest["arrays"][name]["sha256"] == store.sha256_array(arrays[name])


def test_the_pickle_keeps_masks_and_latents(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    with (tmp_path / "kitti.pickle").open("rb") as stream:
        data = pickle.load(stream)
    assert list(data) == ["pedestrians", "pedestrians_latents"]
    assert [len(masks) for masks in data["pedestrians"]] == kitti.lengths.tolist()
    back = store.load(tmp_path / "kitti.pickle")
    np.testing.assert_array_equal(back.images, kitti.images)
    np.testing.assert_array_equal(back.factors, kitti.factors)


def test_plain_numpy_reads_the_npz(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.npz")
    with np.load(tmp_path / "kitti.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["masks"], kitti.images)
        assert file["factor_names"].tolist() == ["y", "x", "area"]
        assert json.loads(str(file["manifest"]))["kind"] == "mask-sequences"


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".pickle"])
def test_the_same_data_give_the_same_bytes(kitti, tmp_path, suffix):
    for name in ("a", "b"):
        store.save(kitti, tmp_path / f"{name}{suffix}")
        time.sleep(0.01)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_outputs_that_cannot_be(kitti, tmp_path):
    with pytest.raises(UsageError, match="no format has the suffix"):
        store.save(kitti, tmp_path / "kitti.zip")
    (tmp_path / "kitti.npz").write_text("mine")
    with pytest.raises(UsageError, match="is no folder"):
        store.save(kitti, tmp_path / "kitti.npz/kitti.npz")
    with pytest.raises(UsageError, match="exists"):
        store.save(kitti, tmp_path / "kitti.npz")
    assert (tmp_path / "kitti.npz").read_text() == "mine"
    with pytest.raises(UsageError, match="holds masks only"):
        store.save(sprites(), tmp_path / "sprites.pickle")
    assert [path.name for path in tmp_path.iterdir()] == ["kitti.npz"]


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".pickle"])
@pytest.mark.parametrize("damage", ["empty", "text", "half", "flipped"])
def test_damaged_files(kitti, tmp_path, suffix, damage):
    path = tmp_path / f"kitti{suffix}"
    store.save(kitti, path)
    data = path.read_bytes()
    spoilt = {
        "empty": b"",
        "text": b"hello, world\n" * 20,
        "half": data[: len(data) // 2],
        # Where the format's own structure lies: npz at its end, HDF5 and pickles at their beginning.
        "flipped": data[:-20] + bytes([data[-20] ^ 255]) + data[-19:]
        if suffix == ".npz"
        else data[:9] + bytes([data[9] ^ 255]) + data[10:],
    }[damage]
    path.write_bytes(spoilt)
    with pytest.raises(BadInputError) as error:
        store.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@given(st.binary(max_size=300))
def test_no_pickle_breaks_the_reader(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "data.pickle"
    path.write_bytes(b"\x80\x04" + data)
    with pytest.raises(BadInputError):
        store.load(path)


class Malicious:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(lambda mark: Malicious(os.system, f"touch {mark}"), id="os.system"),
        pytest.param(lambda mark: Malicious(eval, f"open({str(mark)!r}, 'w')"), id="eval"),
        pytest.param(lambda mark: Malicious(getattr, mark, "touch"), id="getattr"),
        pytest.param(lambda mark: Malicious(np.load, str(mark)), id="another function of numpy"),
        pytest.param(lambda mark: {"pedestrians": [Malicious(os.mkdir, str(mark))]}, id="inside the data"),
    ],
)
@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_is_refused(tmp_path, payload, protocol):
    mark, path = tmp_path / "pwned", tmp_path / "evil.pickle"
    path.write_bytes(pickle.dumps(payload(mark), protocol=protocol))
    with pytest.raises(BadInputError, match=r"refused|damaged"):
        store.load(path)
    assert not mark.exists()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_honest_pickles_of_any_protocol_are_read(kitti, tmp_path, protocol):
    bounds = list(zip(kitti.offsets[:-1], kitti.offsets[1:], strict=True))
    data = {
        "pedestrians": [kitti.images[a:b] for a, b in bounds],
        "pedestrians_latents": [kitti.factors[a:b] for a, b in bounds],
    }
    (tmp_path / "kitti.pickle").write_bytes(pickle.dumps(data, protocol=protocol))
    np.testing.assert_array_equal(store.load(tmp_path / "kitti.pickle").images, kitti.images)


MASK, LATENT = np.zeros((2, 4, 4), bool), np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([1, 2], "lacks 'pedestrians'"),
        ({"pedestrians": [], "pedestrians_latents": []}, "not two lists"),
        ({"pedestrians": [MASK], "pedestrians_latents": []}, "not two lists"),
        ({"pedestrians": [MASK[0]], "pedestrians_latents": [LATENT]}, "sequence 0: its masks are not"),
        ({"pedestrians": [MASK.astype(float)], "pedestrians_latents": [LATENT]}, "sequence 0: its masks are not"),
        (
            {"pedestrians": [MASK, MASK[:, :2]], "pedestrians_latents": [LATENT] * 2},
            r"sequence 1: its masks are \(2, 4\)",
        ),
        ({"pedestrians": [MASK], "pedestrians_latents": [LATENT[:1]]}, "sequence 0: its latents are not"),
    ],
)
def test_pickles_of_something_else(tmp_path, data, problem):
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(data))
    with pytest.raises(BadInputError, match=problem):
        store.load(tmp_path / "data.pickle")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda arrays: arrays.pop("latents"), "lacks the array 'latents'"),
        (lambda arrays: arrays.update(masks=arrays["masks"].astype(np.uint8)), "'masks' is uint8, not bool"),
        (lambda arrays: arrays.update(masks=arrays["masks"][0]), "masks have the shape"),
        (lambda arrays: arrays.update(latents=arrays["latents"][:-1]), "latents have the shape"),
        (lambda arrays: arrays.update(offsets=arrays["offsets"][:-1]), "offsets do not rise"),
        (lambda arrays: arrays.update(offsets=arrays["offsets"][::-1].copy()), "offsets do not rise"),
        (lambda arrays: arrays.update(window=arrays["window"][1:]), "'window' has the shape"),
        (lambda arrays: arrays.update(manifest=np.array("{")), "not JSON"),
        (lambda arrays: arrays.update(manifest=np.array("[]")), "names no known kind"),
        (lambda arrays: arrays.pop("manifest"), "holds no manifest"),
    ],
)
def test_npz_files_that_hold_something_else(kitti, tmp_path, change, problem):
    store.save(kitti, tmp_path / "kitti.npz")
    arrays = dict(np.load(tmp_path / "kitti.npz"))
    change(arrays)
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(BadInputError, match=problem):
        store.load(tmp_path / "other.npz")


def test_an_hdf5_file_of_something_else(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = 1
    with pytest.raises(BadInputError, match="holds no manifest"):
        store.load(tmp_path / "other.h5")


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".pickle"])
def test_no_room_on_the_disk(kitti, tmp_path, suffix):
    path = tmp_path / f"kitti{suffix}"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(DatagenError, match="cannot be written") as error:
            store.save(kitti, path, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(error.value)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_kill_in_the_middle_of_writing(kitti, tmp_path, kill):
    many = replace(
        kitti,
        images=np.tile(np.random.default_rng(0).random((kitti.num_frames, 64, 64)) < 0.5, (20, 1, 1)),
        factors=np.tile(kitti.factors, (20, 1)),
        offsets=np.concatenate(
            [kitti.offsets[:-1] + part * kitti.num_frames for part in range(20)] + [[20 * kitti.num_frames]]
        ),
        columns={name: np.tile(column, 20) for name, column in kitti.columns.items()},
    )
    source, target = tmp_path / "in.npz", tmp_path / "out" / "kitti.h5"
    target.parent.mkdir()
    store.save(many, source)
    store.save(kitti, target)
    old = target.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "convert", str(source), str(target), "--overwrite"], stderr=subprocess.PIPE
    )
    while len(list(target.parent.iterdir())) == 1 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(kill)
    process.wait()
    process.stderr.close()
    assert process.returncode != 0
    assert target.read_bytes() == old
    if kill == signal.SIGTERM:
        assert [path.name for path in target.parent.iterdir()] == ["kitti.h5"]


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_the_full_set_takes_at_most_8_megabytes(real_kitti, tmp_path, suffix):
    store.save(real_kitti, tmp_path / f"kitti{suffix}")
    assert (tmp_path / f"kitti{suffix}").stat().st_size <= 8_000_000


@pytest.mark.parametrize("limit", [0, 1 << 31])
def test_a_large_file_is_written_to_the_disk_at_once(tmp_path, monkeypatch, limit):
    info = [Factor("x", "", (0, 9), 10), Factor("y", "", (0, 9), 10)]
    images = np.random.default_rng(0).integers(0, 256, (100, 64, 64), dtype=np.uint8)
    monkeypatch.setattr("datagen.store.hdf5._MOST_IN_MEMORY", limit)
    store.save(Sequences.of_grid(images, info), tmp_path / "grid.h5")
    np.testing.assert_array_equal(store.load(tmp_path / "grid.h5").images, images)

    class Breaks(LazyArray):
        def read(self, begin, end):
            if end > 90:
                raise OSError(28, "No space left on device")
            return images[begin:end]

    lazy = Breaks(images.shape, images.dtype, 10)
    with pytest.raises(OutputError, match="cannot be written"):
        store.save(Sequences.of_grid(lazy, info), tmp_path / "other.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["grid.h5"]


def test_the_hash_of_the_content_is_that_of_what_is_scored(kitti, tmp_path):
    known = store.content_hash(kitti)
    for suffix in (".npz", ".h5", ".zarr", ".pickle"):
        store.save(kitti, tmp_path / f"kitti{suffix}")
        assert store.content_hash(store.load(tmp_path / f"kitti{suffix}", lazy=True)) == known, suffix
    changed = np.array(kitti.images)
    changed[0, 0, 0] ^= True
    others = [
        replace(kitti, images=changed),
        replace(kitti, factors=kitti.factors + 1),
        replace(kitti, offsets=np.array([0, kitti.num_frames])),
        replace(kitti, factor_info=kitti.factor_info[::-1]),
    ]
    assert len({known, *(store.content_hash(each) for each in others)}) == 5
    renamed = kitti.with_columns(video=np.full(kitti.num_sequences, "x"))
    assert store.content_hash(renamed) == known
    assert store.content_hash(renamed, ["video"]) != store.content_hash(kitti, ["video"])
