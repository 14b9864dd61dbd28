"""Files of the established benchmarks: read as an independent reader reads them, or refused in one line."""

import gzip
import io
import math
import pickle
import shutil
import struct
import tarfile
import tracemalloc
import warnings
import zipfile

import grids
import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from datagen import store
from datagen.checks import verify
from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.grids.npz_images import npz_images
from datagen.grids.reading import find_grid, read_grid
from datagen.grids.samples import sample_grid
from datagen.grids.sets import SETS
from datagen.lazy_array import LazyArray

NAMES = tuple(grids.FILES)


def bases(sizes):
    return [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]


def by_hand(name):
    """Return all images of a sample, read by the plain libraries, and keyed by their factors in the file's own way."""
    path = grids.sample(name)
    if name == "dsprites":
        with np.load(path) as file:
            return file["imgs"] * np.uint8(255), file["latents_classes"][:, 1:]
    if name == "shapes3d":
        with h5py.File(path) as file:
            ranks = [np.unique(column, return_inverse=True)[1] for column in file["labels"][:].T]
            return file["images"][:], np.stack(ranks, axis=1)
    if name.startswith("mpi3d"):
        with np.load(path) as file:
            sizes = file["factor_sizes"].tolist()
            return file["images"], np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)
    images, factors = [], []
    if name == "cars3d":
        with tarfile.open(path) as archive:
            for car, member in enumerate(sorted(archive.getnames())):
                mesh = loadmat(io.BytesIO(archive.extractfile(member).read()))["im"]
                for azimuth in range(mesh.shape[3]):
                    for elevation in range(mesh.shape[4]):
                        picture = Image.fromarray(np.ascontiguousarray(mesh[:, :, :, azimuth, elevation]))
                        picture.thumbnail((64, 64), Image.Resampling.LANCZOS)
                        images.append(np.asarray(picture))
                        factors.append((elevation, azimuth, car))
        return np.stack(images), np.array(factors)
    for part in ("training", "testing"):
        dat, cat, info = (
            gzip.decompress(next(path.glob(f"*{part}-{kind}.mat.gz")).read_bytes()) for kind in ("dat", "cat", "info")
        )
        labels = np.hstack(
            [np.frombuffer(cat[20:], "<i4").reshape(-1, 1), np.frombuffer(info[20:], "<i4").reshape(-1, 4)]
        )
        left = np.frombuffer(dat[24:], np.uint8).reshape(-1, 2, 96, 96)[:, 0]
        images += [np.asarray(Image.fromarray(each).resize((64, 64), Image.Resampling.BILINEAR)) for each in left]
        factors += labels.tolist()
    ranks = [np.unique(column, return_inverse=True)[1] for column in np.array(factors).T]
    return np.stack(images), np.stack(ranks, axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_every_image_stands_at_the_number_of_its_factors(name):
    grid = grids.grid(name)
    images, factors = by_hand(name)
    assert grid.is_grid
    assert grid.factor_names == tuple(factor.name for factor in SETS[name].factors)
    sizes = grid.factor_sizes.tolist()
    assert sizes == (factors.max(axis=0) + 1).tolist()
    numbers = factors @ bases(sizes)
    np.testing.assert_array_equal(np.asarray(grid.images)[numbers], images)
    np.testing.assert_array_equal(grid.factors[numbers], factors)
    assert len({image.tobytes() for image in images}) > 0.7 * len(images)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".npz"])
def test_a_grid_is_kept_and_found_whole(tmp_path, name, suffix):
    grid = grids.grid(name)
    path = tmp_path / f"grid{suffix}"
    manifest = store.save(grid, path)
    assert all(check.passed for check in verify(path))
    again = store.load(path, lazy=True)
    assert again.is_grid
    np.testing.assert_array_equal(np.asarray(again.images), np.asarray(grid.images))
    for mine, other in zip(again.factor_info, grid.factor_info, strict=True):
        kept = ("name", "size", "categorical", "period", "values", "scored", "moves", "limits")
        assert [getattr(mine, each) for each in kept] == [getattr(other, each) for each in kept]
    assert manifest["sources"][0]["citation"] == SETS[name].citation
    assert set(manifest["inputs"]) == {file.name for file in find_grid(grids.sample(name)).files}


def test_rows_are_had_in_any_order():
    for name in NAMES:
        images = grids.grid(name).images
        rows = np.array([5, 3, len(images) - 1, 3, -2])
        np.testing.assert_array_equal(images[rows], np.asarray(images)[rows])
        np.testing.assert_array_equal(images[7:9], np.asarray(images)[7:9])


def test_images_stay_in_the_file():
    assert all(isinstance(grids.grid(name).images, LazyArray) for name in NAMES)
    tracemalloc.start()
    grid = grids.read(grids.sample("mpi3d-real"), hash_inputs=False)
    for begin in range(0, len(grid.images), 100):
        grid.images[begin : begin + 100].max()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < grid.images.nbytes / 20


def test_the_factors_of_the_whole_sets_are_those_of_the_reference():
    assert {name: [factor.size for factor in each.factors] for name, each in SETS.items()} == {
        "dsprites": [3, 6, 40, 32, 32],
        "shapes3d": [10, 10, 10, 8, 4, 15],
        "cars3d": [4, 24, 183],
        "smallnorb": [5, 10, 9, 18, 6],
        "mpi3d-toy": [4, 4, 2, 3, 3, 40, 40],
        "mpi3d-realistic": [4, 4, 2, 3, 3, 40, 40],
        "mpi3d-real": [6, 6, 2, 3, 3, 40, 40],
    }
    categorical = {name: [factor.name for factor in each.factors if factor.categorical] for name, each in SETS.items()}
    assert categorical["smallnorb"] == ["category", "instance"]
    assert categorical["cars3d"] == ["car"]
    assert categorical["mpi3d-real"] == ["object_shape"]
    assert [factor.name for factor in SETS["smallnorb"].factors if not factor.scored] == ["instance"]


def test_what_wraps_around_does_so_in_a_smaller_file_too():
    periods = {factor.name: factor.period for factor in grids.grid("dsprites").factor_info}
    assert periods == {
        "shape": None,
        "scale": None,
        "orientation": 5,
        "x": None,
        "y": None,
    }  # of 6 the last is the first
    assert {factor.name: factor.period for factor in grids.grid("cars3d").factor_info}["azimuth"] == 8
    values = {factor.name: factor.values for factor in grids.grid("dsprites").factor_info}
    assert (values["x"][0], values["x"][-1]) == (16 / 64, 47 / 64)
    assert values["scale"] == (0.5, 0.75, 1.0)


@pytest.mark.realdata
def test_dsprites_own_layout(realdata):
    path = next((realdata / "dsprites-subset").glob("*.npz"))
    with np.load(path) as file:
        images, values = file["imgs"], file["latents_values"]
    np.testing.assert_array_equal(npz_images(path, "imgs"), images)
    # Twelve images are no grid, and the line says so.
    with pytest.raises(BadInputError, match="not one image of every combination"):
        read_grid(path)
    # Squares and ellipses are symmetric: their centre lies at 16 + 31 v pixels.
    for image, (_, shape, _, _, x, y) in zip(images, values, strict=True):
        if shape < 3:
            rows, columns = np.nonzero(image)
            assert abs(columns.mean() - (16 + 31 * x)) < 1.1
            assert abs(rows.mean() - (16 + 31 * y)) < 1.1


def test_what_is_not_the_whole_set_is_said():
    with pytest.warns(DatagenWarning, match="the whole of Cars3D has 4 x 24 x 183"):
        read_grid(grids.sample("cars3d"))


def test_mpi3d_has_been_handed_out_in_two_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.grids.mpi3d._SIZES", ((2, 2, 2, 3, 3, 2, 2), (3, 3, 2, 3, 3, 2, 2)))
    for count, sizes in ((288, [2, 2, 2, 3, 3, 2, 2]), (648, [3, 3, 2, 3, 3, 2, 2])):
        path = tmp_path / f"mpi3d_toy{count}.npz"
        np.savez(path, images=np.zeros((count, 8, 8, 3), dtype=np.uint8))
        with warnings.catch_warnings(action="error"):
            assert read_grid(path).factor_sizes.tolist() == sizes


def test_the_folder_that_a_set_was_unpacked_to_is_read(tmp_path):
    with tarfile.open(grids.sample("cars3d")) as archive:
        archive.extractall(tmp_path / "cars", filter="data")
    whole = np.asarray(grids.grid("cars3d").images)
    for folder in (tmp_path / "cars", tmp_path / "cars" / "data", tmp_path / "cars" / "data" / "cars"):
        np.testing.assert_array_equal(np.asarray(grids.read(folder).images), whole)
    norb = tmp_path / "norb"
    norb.mkdir()
    for number, file in enumerate(sorted(grids.sample("smallnorb").iterdir())):
        if number % 2:
            (norb / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, norb)
    whole = np.asarray(grids.grid("smallnorb").images)
    np.testing.assert_array_equal(np.asarray(grids.read(norb).images), whole)
    np.testing.assert_array_equal(np.asarray(grids.read(next(norb.glob("*info.mat"))).images), whole)
    for name in ("shapes3d", "dsprites"):
        one = tmp_path / name
        one.mkdir()
        shutil.copy(grids.sample(name), one)
        (one / "README.txt").write_text("read me")
        assert grids.read(one).num_frames == grids.grid(name).num_frames
        for suffix in ("h5", "npz"):  # a converted set beside it is none to convert
            store.save(grids.grid("mpi3d-toy"), one / f"a.{suffix}")
        assert grids.read(one).num_frames == grids.grid(name).num_frames
        with pytest.raises(UsageError, match=r"a\.npz: is a dataset file already"):
            grids.read(one / "a.npz")


def test_a_stored_member_gives_the_same_as_a_packed_one(tmp_path):
    with np.load(grids.sample("dsprites")) as file:
        arrays = {name: file[name] for name in ("imgs", "latents_classes", "latents_values")}
    np.savez(tmp_path / "stored.npz", **arrays)
    grid = grids.read(tmp_path / "stored.npz")
    np.testing.assert_array_equal(np.asarray(grid.images), np.asarray(grids.grid("dsprites").images))
    del arrays["latents_classes"]
    np.savez_compressed(tmp_path / "values.npz", **arrays)
    assert grids.read(tmp_path / "values.npz").factor_sizes.tolist() == [3, 3, 6, 8, 8]


def test_a_header_as_python_2_wrote_it_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "mpi3d_toy.npz", "w") as archive:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4L, 8L, 8L, 3L), }".ljust(117) + b"\n"
        archive.writestr("images.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(768))
    assert npz_images(tmp_path / "mpi3d_toy.npz", "images").shape == (4, 8, 8, 3)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_no_pickle_is_touched(tmp_path):
    mark = tmp_path / "touched"
    with np.load(grids.sample("dsprites")) as file:
        arrays = {name: file[name] for name in ("imgs", "latents_classes")}
    np.savez(tmp_path / "d.npz", **arrays, metadata=np.array(Bomb(str(mark)), dtype=object))
    assert np.asarray(grids.read(tmp_path / "d.npz").images).any()
    assert not mark.exists()
    with pytest.raises(ValueError, match="allow_pickle"), np.load(tmp_path / "d.npz") as file:
        file["metadata"]
    for name in arrays:
        bad = {**arrays, name: np.array(Bomb(str(mark)), dtype=object)}
        with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
            for member, array in bad.items():
                with archive.open(f"{member}.npy", "w") as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=True)
        with pytest.raises(BadInputError, match="no header of an npy file that holds numbers"):
            grids.read(tmp_path / "bad.npz")
    assert not mark.exists()
    assert pickle.loads(pickle.dumps(grids.grid("cars3d").images))[0].any()  # as for the workers of a loader


@pytest.mark.parametrize("name", ["dsprites", "shapes3d", "cars3d", "mpi3d-toy"])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_one_line(tmp_path, name, share):
    path = tmp_path / grids.FILES[name]
    data = grids.sample(name).read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DatagenError) as caught:
        store.save(grids.read(path), tmp_path / "out.h5")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("kind", ["dat", "cat", "info"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
@pytest.mark.parametrize("packed", [True, False])
def test_a_truncated_matrix_is_one_line(tmp_path, kind, share, packed):
    folder = tmp_path / "norb"
    shutil.copytree(grids.sample("smallnorb"), folder)
    path = next(folder.glob(f"*testing-{kind}.mat.gz"))
    data = path.read_bytes()
    if not packed:
        path.unlink()
        path, data = path.with_suffix(""), gzip.decompress(data)
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(BadInputError) as caught:
        grids.read(folder)
    assert caught.value.path == str(path)


def shapes3d_with(tmp_path, **changes):
    path = tmp_path / "3dshapes.h5"
    with h5py.File(grids.sample("shapes3d")) as file:
        arrays = {"images": file["images"][:], "labels": file["labels"][:]}
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
    return path


def swapped(labels):
    labels[[7, 9]] = labels[[9, 7]]
    return labels


def not_finite(labels):
    labels[3, 2] = np.nan
    return labels


def one_more_value(labels):
    labels[0, 0] = 0.55
    return labels


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": swapped}, "image 7: its labels are not in the order of the grid: azimuth is number 4, not 2"),
        ({"labels": lambda labels: labels[::-1]}, "image 0: its labels are not in the order"),
        ({"labels": lambda labels: labels[:-5]}, "'labels' is float64"),
        ({"images": lambda images: images[:-5]}, "'labels' is float64"),
        ({"images": lambda images: images[:-5], "labels": lambda labels: labels[:-5]}, "not one image of every"),
        ({"labels": one_more_value}, "not one image of every combination"),
        ({"labels": not_finite}, "not finite"),
        ({"labels": lambda labels: labels[:, :5]}, "not float64 (2880, 6)"),
        ({"labels": lambda labels: labels.astype(np.int64)}, "'labels' is int64"),
        ({"labels": lambda labels: None}, "lacks the array 'labels'"),
        ({"images": lambda images: None}, "lacks the array 'images'"),
        ({"images": lambda images: images[..., 0]}, "not uint8 (N, H, W, 3)"),
        ({"images": lambda images: images.astype(np.int16)}, "'images' is int16"),
    ],
)
def test_shapes3d_that_is_none(tmp_path, changes, says):
    with pytest.raises(BadInputError) as caught:
        grids.read(shapes3d_with(tmp_path, **changes))
    assert says in str(caught.value)


def dsprites_with(tmp_path, **changes):
    path = tmp_path / "dsprites.npz"
    with np.load(grids.sample("dsprites")) as file:
        arrays = {name: file[name] for name in ("imgs", "latents_classes", "latents_values")}
    for name, change in changes.items():
        arrays[name] = change(arrays[name].copy())
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def grey(images):
    images[11, 5, 5] = 7
    return images


def without_one(values):
    values[5, 2] = np.nan
    return values


def exchanged(values):
    values[[6, 7]] = values[[7, 6]]
    return values


def coloured(classes):
    return np.arange(2)[:, None] * (1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"latents_classes": lambda classes: classes[::-1]}, "image 0: its latents_classes are not in the order"),
        ({"latents_classes": lambda classes: classes[:-1]}, "not numbers (3456, 6)"),
        ({"latents_classes": lambda _: None, "latents_values": lambda _: None}, "lacks the array 'latents_classes'"),
        ({"latents_values": without_one}, "array 'latents_values' holds a number that is not finite"),
        ({"latents_values": exchanged}, "image 6: its latents_values are not in the order of the grid"),
        ({"latents_classes": lambda classes: classes.astype(str)}, "not numbers"),
        ({"imgs": lambda images: images[:-1]}, "not numbers (3455, 6)"),
        ({"imgs": grey}, "image 11: array 'imgs' holds a number that is neither 0 nor 1"),
        ({"imgs": lambda images: images.astype(np.float32)}, "array 'imgs' is float32"),
        ({"imgs": lambda images: images[..., None]}, "not uint8"),
        ({"imgs": np.asfortranarray}, "Fortran order"),
        ({"imgs": lambda images: images[:2], "latents_classes": coloured, "latents_values": coloured}, "has 2 colours"),
    ],
)
def test_dsprites_that_are_none(tmp_path, changes, says):
    path = dsprites_with(tmp_path, **changes)
    with pytest.raises(BadInputError) as caught:
        np.asarray(grids.read(path).images)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (None, "MPI3D has 460,800 or 1,036,800"),
        ([4, 4, 2, 3, 3, 2], "not int64 (7,)"),
        ([2, 2, 2, 2, 2, 2, 2], "holds 100 images"),
        ([-1, -1, 1, 1, 1, 10, 10], "holds 100 images"),
        ([1, 1, 1, 1, 1, 100, 1], "has 100 values of the factor horizontal_axis, and MPI3D toy has 40"),
    ],
)
def test_mpi3d_that_is_none(tmp_path, sizes, says):
    path = tmp_path / "mpi3d_toy.npz"
    arrays = {} if sizes is None else {"factor_sizes": np.array(sizes)}
    np.savez(path, images=np.zeros((100, 8, 8, 3), dtype=np.uint8), **arrays)
    with pytest.raises(BadInputError) as caught:
        grids.read(path)
    assert says in str(caught.value)


def tar_of(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            entry.name = name
            entry.size = 0 if entry is content else len(content)
            archive.addfile(entry, None if entry is content else io.BytesIO(content))
    return path


def mat(array, name="im", **options):
    stream = io.BytesIO()
    savemat(stream, {name: array}, **options)
    return stream.getvalue()


def link():
    entry = tarfile.TarInfo()
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


CAR = np.zeros((128, 128, 3, 2, 1), dtype=np.uint8)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("data/cars/a_mesh.mat", mat(CAR)), ("../evil.txt", b"")], "../evil.txt, which leads outside"),
        ([("/data/cars/a_mesh.mat", mat(CAR))], "which leads outside"),
        ([("data/cars/a_mesh.mat", link())], "a link, or too large"),
        ([("data/cars/a_mesh.mat", mat(CAR)), ("cars/a_mesh.mat", mat(CAR))], "a_mesh.mat twice"),
        ([("data/cars/a_mesh.mat", mat(CAR[:64]))], "im is uint8 (64, 128, 3, 2, 1), not uint8 (128, 128, 3"),
        ([("data/cars/a_mesh.mat", mat(CAR[..., 0]))], "not uint8 (128, 128, 3"),
        ([("data/cars/a_mesh.mat", mat(CAR.astype(np.float64)))], "im is double"),
        ([("data/cars/a_mesh.mat", mat(CAR, "mask"))], "has no array im"),
        ([("data/cars/a_mesh.mat", mat({"x": CAR}))], "im is struct"),
        ([("data/cars/a_mesh.mat", b"x" * 500)], "no MATLAB file of version 5"),
        ([("data/cars/a_mesh.mat", mat(CAR)[:-100])], "cut short"),
        ([("data/cars/a_mesh.mat", mat(CAR, do_compression=True)[:-10])], "cut short"),
        (
            [("data/cars/a_mesh.mat", mat(np.zeros((128, 128, 3, 24, 40), np.uint8), do_compression=True))],
            "unpacks to more",
        ),
        ([("data/cars/a_mesh.mat", mat(CAR)), ("data/cars/b_mesh.mat", mat(CAR[..., :1, :]))], "has (1, 1) views"),
        ([("data/sprites/a.mat", b"")], "holds no car"),
    ],
)
def test_cars3d_that_are_none(tmp_path, members, says):
    path = tar_of(tmp_path / "cars.tar.gz", members)
    with pytest.raises(BadInputError) as caught:
        grids.read(path)
    assert says in str(caught.value).replace('"', "'")
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_name_without_end_is_not_read(tmp_path):
    entry = tarfile.TarInfo("data/cars/a_mesh.mat")
    data = entry.tobuf(tarfile.GNU_FORMAT)
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    path = tmp_path / "cars.tar.gz"
    path.write_bytes(gzip.compress(data + long.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))
    with pytest.raises(BadInputError):
        grids.read(path)


def norb_with(tmp_path, kind, change):
    folder = tmp_path / "norb"
    shutil.copytree(grids.sample("smallnorb"), folder)
    path = next(folder.glob(f"*testing-{kind}.mat.gz"))
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    return folder


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("info", lambda data: data[:20] + data[36:52] + data[36:], "images of the combination"),
        ("info", lambda data: data[:20] + struct.pack("<i", 77) + data[24:], "combinations of values"),
        ("cat", lambda data: data[:20] + struct.pack("<i", 9) + data[24:], "combinations of values"),
        ("cat", lambda data: b"\x55" + data[1:], "is a matrix uint8"),
        ("cat", lambda data: b"\x00" + data[1:], "is no binary matrix"),
        ("cat", lambda data: data[:8] + struct.pack("<i", 359) + data[12:-4], "has 360 rows, and its cat file 359"),
        ("cat", lambda data: data[:8] + struct.pack("<i", 1 << 30) + data[12:], "not int32 (N, 1)"),
        ("info", lambda data: data[:8] + struct.pack("<i", -1) + data[12:], "is no binary matrix"),
        ("info", lambda data: data + b"1234", "is not as long as"),
        ("dat", lambda data: data + b"1", "is longer than 360 images"),
        ("dat", lambda data: data[:16] + struct.pack("<2i", 48, 192) + data[24:], "not uint8 (360, 2, 96, 96)"),
    ],
)
def test_small_norb_that_is_none(tmp_path, kind, change, says):
    with pytest.raises(BadInputError) as caught:
        grids.read(norb_with(tmp_path, kind, change))
    assert says in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path):
    shutil.copytree(grids.sample("smallnorb"), tmp_path / "norb")
    next((tmp_path / "norb").glob("*training-cat*")).unlink()
    with pytest.raises(BadInputError, match=r"lacks small NORB's file smallnorb-\.\.\.-training-cat\.mat"):
        grids.read(tmp_path / "norb")


def test_what_is_of_no_set_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_text("nothing")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    with gzip.open(tmp_path / "other.gz", "w") as file:
        file.write(b"something else")
    store.save(grids.grid("shapes3d"), tmp_path / "grid.h5")
    store.save(grids.grid("shapes3d"), tmp_path / "grid.npz")
    shutil.copy(grids.sample("mpi3d-toy"), tmp_path / "images.npz")
    for name, error, says in (
        ("empty", DatagenError, "holds no files of a set"),
        ("nowhere", UsageError, "no such file"),
        ("text.npz", BadInputError, "is no file of a set that is read: dsprites, shapes3d"),
        ("other.npz", BadInputError, "is no file of a set"),
        ("other.h5", BadInputError, "is no file of a set"),
        ("other.gz", BadInputError, "is no file of a set"),
        ("grid.h5", UsageError, "is a dataset file already"),
        ("grid.npz", UsageError, "is a dataset file already"),
        ("images.npz", UsageError, "its name does not say which"),
    ):
        with pytest.raises(error) as caught:
            read_grid(tmp_path / name)
        assert says in str(caught.value)
    (tmp_path / "two").mkdir()
    for name in ("dsprites", "shapes3d"):
        shutil.copy(grids.sample(name), tmp_path / "two")
    with pytest.raises(UsageError, match="holds several sets"):
        read_grid(tmp_path / "two")


def test_samples_are_the_same_each_time(tmp_path):
    for name, file in grids.FILES.items():
        if name in ("shapes3d", "mpi3d-toy"):
            sample_grid(name, tmp_path / file)
            assert (tmp_path / file).read_bytes() == grids.sample(name).read_bytes()
    with pytest.raises(UsageError, match="unknown set 'celeba'"):
        sample_grid("celeba", tmp_path / "x")
    with pytest.raises(UsageError, match="exists"):
        sample_grid("dsprites", grids.sample("dsprites"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds thesis"):
        sample_grid("smallnorb", tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(UsageError, match=r"call it mpi3d_toy\.npz"):
        sample_grid("mpi3d-toy", tmp_path / "mine.npz")
