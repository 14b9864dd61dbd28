"""Files that say of themselves what is not true, hold what no dataset does, or lead elsewhere."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace

import h5py
import numpy as np
import pytest
from test_store import sprites

from datagen import store
from datagen.checks import verify
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.manifest import ManifestError, parse_manifest, typed_manifest
from datagen.store.npz import NpzFile


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def raw_npy(header, data=b"", version=b"\1\0"):
    header = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + len(header).to_bytes(2 if version == b"\1\0" else 4, "little") + header + data


def rewritten(dataset, path, change, compression=zipfile.ZIP_DEFLATED):
    """Write a file whose members `change` has changed."""
    store.save(dataset, path, overwrite=True)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def with_arrays(dataset, path, **arrays):
    return rewritten(dataset, path, lambda members: members.update({f"{k}.npy": npy(v) for k, v in arrays.items()}))


def refused(path, problem):
    with pytest.raises(BadInputError, match=problem) as error:
        store.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".pickle"])
def test_what_is_no_plain_file(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        refused(tmp_path / f"{name}{suffix}", "a pipe, a socket or a device")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        store.load(tmp_path / f"folder{suffix}")


# npz


@pytest.mark.parametrize("version", [b"\1\0", b"\2\0", b"\3\0"])
@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|b1', 'fortran_order': False, 'shape': (10000000000000,)}",
        b"{'descr': '|b1', 'fortran_order': False, 'shape': (-1, 64, 64)}",
        b"{'descr': '|b1', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
        b"{'descr': '|b1', 'fortran_order': False, 'shape': (True, 64, 64)}",
        b"{'descr': '|b1', 'fortran_order': 2, 'shape': (1,)}",
        b"{'descr': 'O', 'fortran_order': False, 'shape': (512,)}",
        b"{'descr': '|V0', 'fortran_order': False, 'shape': (99999999,)}",
        b"{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '<f8,<f8', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '<M8[generic]', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|S99999999999', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|b1'}",
        b"__import__('os').abort()",
        b"[" * 5000,
        b"-" * 5000 + b"1",
        b"\xff\xfe",
    ],
    ids=lambda header: header[-60:].decode("latin1"),
)
def test_headers_that_lie(kitti, tmp_path, header, version):
    change = {"masks.npy": raw_npy(header, b"\1" * 4096, version)}
    refused(rewritten(kitti, tmp_path / "x.npz", lambda members: members.update(change)), "array 'masks'")


def test_a_bomb_is_refused_before_it_goes_off(kitti, tmp_path, monkeypatch):
    """Nothing is read of a member whose shape does not fit the others, however well it packs."""
    path = rewritten(kitti, tmp_path / "x.npz", lambda members: members.pop("masks.npy"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("masks.npy", "w") as member:
        member.write(raw_npy(b"{'descr': '|b1', 'fortran_order': False, 'shape': (16384, 64, 64)}"))
        for _ in range(4):
            member.write(bytes(1 << 24))
    read, names = NpzFile.read, []
    monkeypatch.setattr(NpzFile, "read", lambda self, name: names.append(name) or read(self, name))
    refused(path, "latents have the shape")
    assert names == ["manifest"]


def test_a_member_that_no_dataset_has_is_not_read(kitti, tmp_path):
    def change(members):
        members["unused.npy"] = b"no npy"
        members["README.txt"] = b"hello"
        members["evil.npy"] = npy(np.array([print], dtype=object))

    np.testing.assert_array_equal(store.load(rewritten(kitti, tmp_path / "x.npz", change)).images, kitti.images)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_read(kitti, tmp_path, compression):
    path = rewritten(kitti, tmp_path / "x.npz", lambda members: None, compression)
    np.testing.assert_array_equal(store.load(path).images, kitti.images)


def test_fortran_order_is_read(kitti, tmp_path):
    path = with_arrays(kitti, tmp_path / "x.npz", masks=np.asfortranarray(kitti.images))
    found = store.load(path)
    np.testing.assert_array_equal(found.images, kitti.images)
    assert found.images.flags.c_contiguous


@pytest.mark.parametrize("extra", [b"", bytes(100)], ids=["shorter", "longer"])
def test_a_member_of_another_length(kitti, tmp_path, extra):
    def change(members):
        members["masks.npy"] = members["masks.npy"] + extra if extra else members["masks.npy"][:-100]

    refused(rewritten(kitti, tmp_path / "x.npz", change), "not as long as its header says")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice(kitti, tmp_path):
    store.save(kitti, tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.writestr("masks.npy", b"")
    refused(tmp_path / "x.npz", "'masks' twice")


@pytest.mark.parametrize(
    ("offset", "value"),
    [(10, b"\x63\0"), (8, b"\1\0"), (8, b"\x20\0"), (6, b"\x63\0"), (42, b"\xfe\xff\xff\x7f"), (16, b"\0\0\0\0")],
    ids=["unknown method", "encrypted", "patched", "version 99", "elsewhere", "another checksum"],
)
def test_entries_of_a_zip_that_are_wrong(kitti, tmp_path, offset, value):
    path = rewritten(kitti, tmp_path / "x.npz", lambda members: None)
    data, at = bytearray(path.read_bytes()), 0
    while (at := data.find(b"PK\1\2", at)) >= 0:
        data[at + offset : at + offset + len(value)] = value
        at += 4
    path.write_bytes(bytes(data))
    refused(path, "damaged")


# HDF5


def h5(dataset, path, change):
    store.save(dataset, path)
    with h5py.File(path, "a") as file:
        change(file)
    return path


def test_no_other_file_is_read(kitti, tmp_path):
    """What lies elsewhere must not come into a dataset, which may then be published."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\1" * kitti.images.size)
    store.save(kitti, tmp_path / "private.h5")
    os.mkfifo(tmp_path / "pipe")

    def external(file, where=secret):
        del file["masks"]
        file.create_dataset("masks", kitti.images.shape, bool, external=[(str(where), 0, kitti.images.size)])

    def linked(file, where=tmp_path / "private.h5"):
        del file["masks"]
        file["masks"] = h5py.ExternalLink(str(where), "/masks")

    def virtual(file, source=str(tmp_path / "private.h5")):
        del file["masks"]
        layout = h5py.VirtualLayout(kitti.images.shape, bool)
        layout[:] = h5py.VirtualSource(source, "masks", kitti.images.shape)
        file.create_virtual_dataset("masks", layout)

    for number, (change, problem) in enumerate(
        [
            (external, "lies in another file"),
            (lambda file: external(file, tmp_path / "pipe"), "lies in another file"),
            (linked, "link to somewhere else"),
            (lambda file: linked(file, tmp_path / "pipe"), "link to somewhere else"),
            (virtual, "put together from others"),
            (lambda file: virtual(file, "."), "put together from others"),  # of itself: HDF5 would crash
        ]
    ):
        refused(h5(kitti, tmp_path / f"{number}.h5", change), problem)


def replaced(name, *arguments, **options):
    def change(file):
        del file[name]
        file.create_dataset(name, *arguments, **options)

    return change


def linked_softly(file):
    file["elsewhere"] = file["masks"]
    del file["masks"]
    file["masks"] = h5py.SoftLink("/elsewhere")


def grouped(file):
    del file["masks"]
    file.create_group("masks")


def plugged(file):
    data = file["latents"][()]
    del file["latents"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(data.shape)
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(data.shape)
    h5py.h5d.create(file.id, b"latents", h5py.h5t.py_create(data.dtype), space, plist).write(
        h5py.h5s.ALL, h5py.h5s.ALL, data
    )


def chunk_of(data, compression="gzip"):
    def change(file):
        shape = file["latents"].shape
        del file["latents"]
        made = file.create_dataset("latents", shape, "f4", chunks=shape, compression=compression)
        made.id.write_direct_chunk((0, 0), data)

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(linked_softly, "link to somewhere else", id="soft link"),
        pytest.param(grouped, "is no array", id="group"),
        pytest.param(replaced("masks", (10**12, 64, 64), bool, chunks=(1, 64, 64)), "latents have", id="huge"),
        pytest.param(replaced("offsets", (5,), "i8"), "is not in the file", id="never written"),
        pytest.param(replaced("masks", data=h5py.Empty(bool)), "is empty", id="empty"),
        pytest.param(replaced("masks", data=np.zeros(5, [("a", "f8")])), "neither numbers", id="compound"),
        pytest.param(replaced("masks", (3,), h5py.vlen_dtype("u1")), "neither numbers", id="of any length"),
        pytest.param(replaced("masks", (3,), h5py.ref_dtype), "neither numbers", id="references"),
        pytest.param(replaced("masks", data=np.zeros(3, "V5")), "neither numbers", id="opaque"),
        pytest.param(replaced("masks", (3, 2, 2), h5py.enum_dtype({"A": 1})), "unusual form", id="enum"),
        pytest.param(replaced("masks", data=True), "masks have the shape", id="a scalar"),
        pytest.param(replaced("source", data=np.array([b"\xff"] * 3)), "of a fixed length", id="fixed texts"),
        pytest.param(plugged, "compressed in a way", id="a filter of others"),
        pytest.param(chunk_of(b"not deflated"), "damaged", id="not deflated"),
        pytest.param(chunk_of(zlib.compress(bytes(7))), "another length", id="a short chunk"),
        pytest.param(chunk_of(zlib.compress(bytes(1 << 26))), "another length", id="a bomb"),
        pytest.param(chunk_of(bytes(5000), None), "another length", id="a long chunk"),  # HDF5 writes beyond its memory
        pytest.param(chunk_of(b"\xff\xff\xff", "lzf"), "damaged", id="LZF from before its beginning"),
        pytest.param(replaced("manifest", data=5), "not a text", id="a number as manifest"),
        pytest.param(replaced("manifest", data=["{}", "{}"]), "not a text", id="two manifests"),
    ],
)
def test_what_hdf5_can_do_and_no_dataset_does(kitti, tmp_path, change, problem):
    refused(h5(kitti, tmp_path / "x.h5", change), problem)


def test_the_filters_of_h5py_are_read(kitti, tmp_path):
    for number, compression in enumerate(["gzip", "lzf", None]):
        change = replaced("latents", data=kitti.factors, compression=compression, shuffle=True, fletcher32=True)
        found = store.load(h5(kitti, tmp_path / f"{number}.h5", change))
        np.testing.assert_array_equal(found.factors, kitti.factors)


def test_chunks_of_any_shape_are_read(kitti, tmp_path):
    for number, chunks in enumerate([(50, 64, 64), (40, 30, 64), (90, 64, 40), (kitti.num_frames, 64, 64)]):
        change = replaced("masks", data=kitti.images, chunks=chunks, compression="lzf" if number == 1 else "gzip")
        np.testing.assert_array_equal(store.load(h5(kitti, tmp_path / f"{number}.h5", change)).images, kitti.images)


def test_texts_of_hdf5_come_back(kitti, tmp_path):
    rows = kitti.num_sequences
    source = np.array(["", "é" * 3000, "a", *["b"] * (rows - 3)])
    store.save(kitti.with_columns(source=source), tmp_path / "x.h5")
    np.testing.assert_array_equal(store.load(tmp_path / "x.h5").columns["source"], source)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["source"].asstr()[:].tolist() == source.tolist()


@pytest.mark.parametrize("place", [4, 8, 16, 24], ids=["version", "size", "number", "length"])
@pytest.mark.parametrize("byte", [0, 255])
def test_collections_of_texts_that_are_damaged(kitti, tmp_path, place, byte):
    """HDF5's own reader runs for ever on some of them."""
    store.save(kitti, tmp_path / "x.h5")
    data = bytearray((tmp_path / "x.h5").read_bytes())
    at = data.find(b"GCOL")
    data[at + place] = byte
    (tmp_path / "x.h5").write_bytes(bytes(data))
    try:
        store.load(tmp_path / "x.h5")
    except BadInputError as error:
        assert "damaged" in str(error) or "manifest" in str(error)  # noqa: PT017  # a byte may be unused


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".pickle"])
def test_a_disk_that_is_full(kitti, tmp_path, suffix):
    """Another process writes, since HDF5 crashed only as it ended."""
    store.save(kitti, tmp_path / "in.npz")
    target = tmp_path / "out" / f"kitti{suffix}"
    target.parent.mkdir()
    program = (
        "import resource, signal, sys; from cli.main import main; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); main(sys.argv[1:])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, "convert", tmp_path / "in.npz", target], capture_output=True, text=True
    )
    assert finished.returncode == 1
    assert finished.returncode != -signal.SIGSEGV
    (line,) = finished.stderr.splitlines()
    assert str(target) in line
    assert list(target.parent.iterdir()) == []


# What arrays hold


def test_offsets_that_wrap_around_are_refused(kitti, tmp_path):
    third = 2**64 // 3
    steps = np.cumsum([0, third, third, 2**64 + kitti.num_frames - 2 * third], dtype=object)
    offsets = np.array([(int(step) + 2**63) % 2**64 - 2**63 for step in steps], dtype=np.int64)
    with np.errstate(over="ignore"):
        assert (np.diff(offsets) > 0).all()
    names = ("source", "sequence", "object_id", "category", "window", "first_frame")
    rows = {name: store.arrays_of(kitti)[name][:3] for name in names}
    path = with_arrays(kitti, tmp_path / "x.npz", offsets=offsets, **rows)
    refused(path, "offsets do not rise")


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1, 5000.5])
def test_latents_that_cannot_be(kitti, tmp_path, column, value):
    latents = kitti.factors.copy()
    latents[5, column] = value
    refused(with_arrays(kitti, tmp_path / "x.npz", latents=latents), "frame 5")
    assert not all(check.passed for check in verify(tmp_path / "x.npz"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"masks": lambda a: a.view(np.uint8).copy().view(bool)}, None),
        ({"offsets": lambda a: a.astype(">i8")}, "'offsets' is >i8"),
        ({"latents": lambda a: a.astype("f8")}, "'latents' is float64"),
        ({"latents": lambda a: a.astype("c8")}, "'latents' is complex64"),
        ({"source": lambda a: a.astype("S")}, r"'source' is \|S"),
        ({"object_id": lambda a: a - 2**40}, "'object_id' holds a number below -1"),
        ({"window": lambda a: a - 2**40}, "'window' holds a number below -1"),
        ({"first_frame": lambda a: a * 0 + (2**63 - 1)}, "cannot be counted from"),
        ({"factor_names": lambda a: a[::-1]}, "factor_names are not y, x, area"),
        ({"masks": lambda a: a[:, :0]}, "there are none"),
        ({"masks": lambda a: a[:0], "latents": lambda a: a[:0], "offsets": lambda a: a[:1]}, "there are none"),
        ({"source": lambda a: np.full(len(a), "a\0b")}, "zero character"),
        ({"fps": lambda a: a * 0}, "'fps' holds a number that is no rate"),
        ({"fps": lambda a: a * 0 - 1}, "'fps' holds a number that is no rate"),
        ({"fps": lambda a: np.full_like(a, np.inf)}, "'fps' holds a number that is no rate"),
        ({"fps": lambda a: a.astype("f8")}, "'fps' is float64"),
        ({"fps": lambda a: a[1:]}, "'fps' has the shape"),
        ({"fps": lambda a: a[:, None]}, "'fps' has the shape"),
        ({"fps": lambda a: np.full_like(a, np.nan)}, None),
    ],
)
def test_arrays_of_masks_that_cannot_be(kitti, tmp_path, change, problem):
    arrays = {name: function(np.array(store.arrays_of(kitti)[name])) for name, function in change.items()}
    path = with_arrays(kitti, tmp_path / "x.npz", **arrays)
    if problem is None:
        store.load(path)
    else:
        refused(path, problem)


def test_bytes_that_are_no_bool(kitti, tmp_path):
    masks = kitti.images.view(np.uint8) * 255
    refused(with_arrays(kitti, tmp_path / "x.npz", masks=masks.view(bool)), "neither 0 nor 1")


@pytest.mark.parametrize("code", [0xD800, 0x7FFFFFFF], ids=["half of a surrogate pair", "beyond Unicode"])
def test_texts_that_are_none(kitti, tmp_path, code):
    rows = kitti.num_sequences
    header = f"{{'descr': '<U1', 'fortran_order': False, 'shape': ({rows},)}}".encode()
    texts = raw_npy(header, np.full(rows, code, "<u4").tobytes())
    refused(rewritten(kitti, tmp_path / "x.npz", lambda members: members.update({"source.npy": texts})), "not Unicode")


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_names_that_are_not_unicode_are_not_written(kitti, tmp_path, suffix):
    source = np.full(kitti.num_sequences, os.fsdecode(b"\xff"))
    with pytest.raises(DatagenError, match="'source' holds a text that is not Unicode"):
        store.save(kitti.with_columns(source=source), tmp_path / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"factors": lambda a: a * np.nan}, "run 0, frame 0 are not finite"),
        ({"factors": lambda a: a + np.float32(3e38)}, "beyond 1e"),
        ({"factors": lambda a: a[:, :0], "images": lambda a: a[:, :0]}, "no frames"),
        ({"factor_sizes": lambda a: a - 50}, "'factor_sizes' holds a number below 0"),
        ({"factor_sizes": lambda a: a[:3]}, "factor_sizes have the shape"),
        ({"factor_sizes": lambda a: a[0]}, "factor_sizes have the shape"),
        ({"transition": lambda a: a[:, None]}, "'transition' has the shape"),
        ({"transition": lambda a: a - 9}, "'transition' holds a number below 0"),
        ({"images": lambda a: np.repeat(a[..., None], 4, -1)}, "images have the shape"),
        ({"images": lambda a: a[:, :, 0]}, "images have the shape"),
    ],
)
def test_arrays_of_sprites_that_cannot_be(tmp_path, change, problem):
    dataset = sprites()
    arrays = {name: function(store.arrays_of(dataset)[name]) for name, function in change.items()}
    refused(with_arrays(dataset, tmp_path / "x.npz", **arrays), problem)


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({"shape_codes": {"square": 1}}, "shape_codes do not"),
        ({"factor_values": {"x": [1.0]}}, "do not fit factor_sizes"),
        ({"parameters": {"colors": [[1, 0]]}}, "no RGB triples"),
        ({"parameters": {"colors": [[1, 0, 7]]}}, "no RGB triples"),
        ({"parameters": {"colors": "red"}}, "no RGB triples"),
    ],
)
def test_manifests_of_sprites_that_do_not_fit(tmp_path, manifest, problem):
    store.save(replace(sprites(color=True), manifest=manifest), tmp_path / "x.npz")
    refused(tmp_path / "x.npz", problem)


# The manifest


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ["mask-sequences"]}, {"tool": 5}, {"command": ["x"]}, {"preset": 1}, {"parameters": [1]},
        {"inputs": 5}, {"inputs": None}, {"inputs": {"a": 1}}, {"left_out": None}, {"left_out": [1]},
        {"sources": ["x"]}, {"sources": {"id": "x"}}, {"sources": [{"licence": "CC BY 4.0"}]},
        {"sources": [{"id": "x", "licence": ["x"]}]}, {"mended": "x"}, {"mended": {"what": "x"}},
        {"counts": {"a": "b"}}, {"arrays": []}, {"arrays": {"masks": "x"}}, {"arrays": {"masks": {"sha256": 5}}},
        {"factor_values": {"x": ["a"]}},
        {"parameters": {"a": float("nan")}}, {"parameters": {"a": 2**64}}, {"parameters": {"a": "\ud800"}},
    ],
    ids=str,
)  # fmt: skip
def test_manifests_of_other_types(kitti, tmp_path, change):
    store.save(kitti, tmp_path / "x.npz")
    manifest = {**store.load(tmp_path / "x.npz").manifest, **change}
    with pytest.raises(ManifestError):
        typed_manifest(manifest)
    path = with_arrays(kitti, tmp_path / "x.npz", manifest=np.array(json.dumps(manifest)))
    refused(path, "its manifest")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "5", "[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a": ' + "[" * 60 + "]" * 60 + "}", '{"a": NaN}',
     '{"a": ' + "9" * 5000 + "}", '{"a": 1e999}', '{"a": "\\ud800"}'],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_texts_that_are_no_manifest(text):
    with pytest.raises(ManifestError):
        parse_manifest(text)


def test_what_a_manifest_says_beyond_is_kept(kitti, tmp_path):
    more = {"mine": [1, {"a": None}], "sources": [{"id": "own", "page": "x"}]}
    dataset = replace(kitti, manifest={**kitti.manifest, **more})
    store.save(dataset, tmp_path / "x.npz")
    found = store.load(tmp_path / "x.npz").manifest
    assert {key: found[key] for key in more} == more
    known = typed_manifest(found)
    assert (known.sources[0].id, known.sources[0].licence, known.tool) == ("own", "", kitti.manifest["tool"])


def test_a_manifest_that_cannot_be_kept_is_not_written(kitti, tmp_path):
    with pytest.raises(DatagenError, match="not finite"):
        store.save(replace(kitti, manifest={"parameters": {"a": float("nan")}}), tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def test_the_hash_of_texts_tells_where_they_end():
    texts = [["ab", "c"], ["a", "bc"], ["abc", ""], ["", "abc"], ["abc"]]
    assert len({store.sha256_array(np.array(each)) for each in texts}) == len(texts)
