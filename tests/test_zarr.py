"""Stores of zarr: equal to the other formats, readable by others, and refused where they are not what they say."""

import json
import os
import shutil
from itertools import pairwise

import numpy as np
import pytest
import zarr
from google_crc32c import value
from numcodecs import zstd
from test_store import sprites

from datagen import store
from datagen.checks import verify
from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, OutputError, UsageError
from datagen.files import size_of
from datagen.lazy_array import LazyArray
from datagen.parallel import Threads


def masks(frames=700, size=24):
    """Sequences of masks that fill several chunks."""
    rng = np.random.default_rng(0)
    images = np.zeros((frames, size, size), dtype=bool)
    for image, (y, x) in zip(images, rng.integers(0, size - 6, (frames, 2)), strict=True):
        image[y : y + 5, x : x + 4] = True
    cuts = [0, 3, 200, 201, frames]
    return Sequences.from_masks([images[a:b] for a, b in pairwise(cuts)], category=["cat", "", "Käfer", "cat"])


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("datagen.store.zarr._CHUNK_BYTES", 24 * 24 * 50)
    monkeypatch.setattr("datagen.store.zarr._CHUNKS_OF_SHARD", 3)


@pytest.fixture
def written(tmp_path, small_chunks):
    store.save(masks(), tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def files_of(path):
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


@pytest.mark.parametrize("dataset", [masks(), sprites(), sprites(color=True)], ids=["masks", "sprites", "colours"])
def test_images_are_read_lazily_and_are_the_same(tmp_path, small_chunks, dataset):
    manifest = store.save(dataset, tmp_path / "a.zarr")
    assert manifest["arrays"] == store.save(dataset, tmp_path / "a.npz")["arrays"]
    lazy = store.load(tmp_path / "a.zarr", lazy=True)
    assert isinstance(lazy.images, LazyArray)
    for name, array in store.arrays_of(dataset).items():
        np.testing.assert_array_equal(np.asarray(store.arrays_of(lazy)[name]), array)
    rows = np.array([5, 0, len(dataset.images) - 1, 5])
    np.testing.assert_array_equal(lazy.images[rows], dataset.images[rows])
    # From one lazy form to every other.
    for suffix in (".h5", ".npz", ".zarr"):
        store.save(lazy, tmp_path / f"b{suffix}")
        np.testing.assert_array_equal(store.load(tmp_path / f"b{suffix}").images, dataset.images)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    np.testing.assert_array_equal(store.load(tmp_path / "b.h5", lazy=True).images[rows], dataset.images[rows])
    assert all(check.passed for check in verify(tmp_path / "a.zarr"))


def test_the_zarr_library_reads_it(written):
    group = zarr.open_group(written, mode="r")
    dataset = masks()
    np.testing.assert_array_equal(group["masks"][:], dataset.images)
    assert group["category"][:].tolist() == ["cat", "", "Käfer", "cat"]
    assert group.attrs["manifest"]["kind"] == "mask-sequences"
    assert group["masks"].shards == (150, 24, 24)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_writes_the_same_bytes(written, tmp_path, workers):
    store.save(masks(), tmp_path / "b.zarr", spread=Threads(workers))
    assert files_of(tmp_path / "b.zarr") == files_of(written)


def test_a_store_that_is_there(written):
    with pytest.raises(UsageError, match="exists; pass --overwrite"):
        store.save(masks(), written)
    before = files_of(written)
    store.save(masks(300), written, overwrite=True)
    assert len(store.load(written).images) == 300
    assert files_of(written) != before
    assert [each.name for each in written.parent.iterdir()] == ["a.zarr"]


def test_a_disk_that_is_full_leaves_nothing(tmp_path, monkeypatch):
    def write(task):
        raise OSError(28, "No space left on device", str(task[0]))

    monkeypatch.setattr("datagen.store.zarr._write_shard", write)
    with pytest.raises(OutputError, match=r"a\.zarr: cannot be written \(No space left on device\)"):
        store.save(masks(), tmp_path / "a.zarr")
    assert not list(tmp_path.iterdir())


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "a.zarr").write_text("x")
    with pytest.raises(UsageError, match="is no folder"):
        store.load(tmp_path / "a.zarr")
    with pytest.raises(UsageError, match="is a file; give the name of a folder"):
        store.save(masks(), tmp_path / "a.zarr", overwrite=True)
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        store.load(tmp_path / "a.npz")


def refused(path, problem):
    with pytest.raises(BadInputError, match=problem) as error:
        store.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert not verify(path)[0].passed or not verify(path)[1].passed


def changed(path, change):
    metadata = json.loads(path.read_bytes())
    change(metadata)
    path.write_text(json.dumps(metadata))


def test_an_unfinished_store(written):
    changed(written / "zarr.json", lambda group: group["attributes"].clear())
    refused(written, "holds no manifest: it is unfinished")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"node_type": "array"}'])
@pytest.mark.parametrize("name", ["zarr.json", "masks/zarr.json"])
def test_metadata_of_something_else(written, name, content):
    (written / name).write_bytes(content)
    refused(written, f"{name} does not describe a zarr array or group")


def test_a_store_of_version_2(tmp_path):
    zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    refused(tmp_path / "a.zarr", "it is no zarr store of version 3")


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a["codecs"][0]["configuration"]["codecs"].insert(0, {"name": "numcodecs.pickle"}),
        lambda a: a["codecs"].append({"name": "transpose", "configuration": {"order": [2, 1, 0]}}),
        lambda a: a["codecs"][0].update(name="numcodecs.pickle"),
        lambda a: a["codecs"][0]["configuration"].update(index_location="start"),
        lambda a: a["codecs"][0]["configuration"].update(chunk_shape=[7, 24, 24]),
        lambda a: a["codecs"][0]["configuration"].update(chunk_shape=[0, 24, 24]),
        lambda a: a["codecs"][0]["configuration"]["codecs"][0].update(configuration={"endian": "big"}),
        lambda a: a["chunk_grid"].update(name="rectangular"),
        lambda a: a["chunk_key_encoding"]["configuration"].update(separator="../"),
        lambda a: a.update(data_type="complex128"),
        lambda a: a.update(shape=[-1, 24, 24]),
        lambda a: a.update(shape=[]),
    ],
)  # fmt: skip
def test_an_array_that_lies_in_another_way(written, change):
    changed(written / "masks/zarr.json", change)
    refused(written, "array 'masks' lies in a way that is not read")


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ([10**12, 24, 24], "lacks masks/c/5/0/0"),
        ([2**62, 24, 24], "a size that no dataset has"),
        ([700, 24, 10**6], "lies in a way"),
        ([701, 24, 24], "latents have the shape"),
    ],
)
def test_a_shape_that_is_not_true(written, shape, problem):
    changed(written / "masks/zarr.json", lambda array: array.update(shape=shape))
    refused(written, problem)


def test_shards_that_say_they_are_huge(written):
    def change(array):
        array["chunk_grid"]["configuration"]["chunk_shape"] = [2**40, 24, 24]
        array["codecs"][0]["configuration"]["chunk_shape"] = [2**16, 24, 24]
        array["shape"] = [2**40, 24, 24]

    changed(written / "masks/zarr.json", change)
    refused(written, "is not in the store as a whole")


def test_a_missing_shard(written):
    (written / "masks/c/2/0/0").unlink()
    refused(written, "lacks masks/c/2/0/0")


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "pipe"])
def test_what_leads_elsewhere(written, tmp_path, kind):
    shard = written / "masks/c/2/0/0"
    shutil.copytree(written / "masks/c", tmp_path / "c")
    if kind == "link to a folder":
        shutil.rmtree(written / "masks/c")
        (written / "masks/c").symlink_to(tmp_path / "c")
    else:
        shard.unlink()
        shard.symlink_to(tmp_path / "c/2/0/0") if kind == "link to a file" else os.mkfifo(shard)
    refused(written, "is no plain file")


def with_chunk(shard, data):
    """Exchange the first chunk of a shard for another, and correct the table."""
    raw = shard.read_bytes()
    table = np.frombuffer(raw[-52:-4], "<u8").reshape(3, 2).copy()
    table[0] = len(raw) - 52, len(data)
    shard.write_bytes(raw[:-52] + data + table.tobytes() + value(table.tobytes()).to_bytes(4, "little"))


def test_a_chunk_that_unfolds_to_more(written):
    with_chunk(written / "masks/c/1/0/0", zstd.compress(bytes(1 << 26), 1))
    refused(written, "the chunk of row 150 is of another length")


def test_a_chunk_of_less(written):
    with_chunk(written / "masks/c/1/0/0", zstd.compress(bytes(100), 1))
    refused(written, "the chunk of row 150 is of another length")


def test_masks_of_other_bytes(written):
    with_chunk(written / "masks/c/1/0/0", zstd.compress(bytes([2]) * 50 * 24 * 24, 1))
    refused(written, "holds a byte that is neither 0 nor 1")


@pytest.mark.parametrize("texts", [b"\xff\xff\xff\xff", b"\4\0\0\0\1\0\0\0a", b"\1\0\0\0\2\0\0\0\xff\xff", b""])
def test_texts_that_are_cut_short(written, texts):
    shard = written / "category/c/0"
    data = zstd.compress(texts, 1) + bytes(14)
    table = np.array([0, len(data)], "<u8").tobytes()
    shard.write_bytes(data + table + value(table).to_bytes(4, "little"))
    with pytest.raises(BadInputError, match=r"is damaged|of another length"):
        store.load(written)


def test_no_damage_passes_unseen(written):
    """Every byte of the shards, and of the tables of their chunks, is under a checksum."""
    rng = np.random.default_rng(0)
    whole = store.arrays_of(store.load(written))
    for name, content in files_of(written).items():
        for _ in range(6):
            place, bit = int(rng.integers(len(content))), 1 << int(rng.integers(8))
            damaged = bytearray(content)
            damaged[place] ^= bit
            (written / name).write_bytes(damaged if rng.random() < 0.8 else content[:place])
            try:
                found = store.arrays_of(store.load(written))
            except DatagenError:
                pass
            else:
                for key, array in whole.items():
                    np.testing.assert_array_equal(found[key], array)
            (written / name).write_bytes(content)


@pytest.mark.realdata
def test_the_full_set_takes_at_most_10_megabytes(real_kitti, tmp_path):
    store.save(real_kitti, tmp_path / "kitti.zarr")
    assert size_of(tmp_path / "kitti.zarr") <= 10e6
