"""Small synthetic files in the layout of each set, to try things with and to test on; whole ones too, to measure with.

Their images are drawings of what the sets show: something of a shape, colour, size and angle before a wall and a floor.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError, quote
from datagen.files import atomic_folder, atomic_path, check_output
from datagen.grids.sets import SETS, GridSet, find_set
from datagen.progress import progress_bar

__all__ = ["sample_grid"]

_SMALL = {
    "dsprites": (3, 3, 6, 8, 8),
    "shapes3d": (3, 3, 4, 4, 4, 5),
    "cars3d": (4, 8, 12),
    "smallnorb": (5, 4, 3, 6, 2),
    "mpi3d-toy": (3, 3, 2, 2, 2, 6, 6),
    "mpi3d-realistic": (3, 3, 2, 2, 2, 6, 6),
    "mpi3d-real": (4, 4, 2, 2, 2, 6, 6),
}
_BLOCK = 512
_GREYS = np.array([0.299, 0.587, 0.114])


def sample_grid(
    name: str, out: str | Path, small: bool = True, overwrite: bool = False, show_progress: bool = False
) -> dict[str, Any]:
    """Write synthetic files in the layout of a set.

    Parameters
    ----------
    name : str
        The set, one of `datagen.grids.sets.SETS`.
    out : str or Path
        The file to write, or of small NORB, which is six files, the new folder for them.
    small : bool
        Whether factors have a few values only; else the files are as large as the set's.
    overwrite : bool
        Whether an existing file or folder may be replaced.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    dict
        ``images``, their number, and ``factor_sizes``.

    Raises
    ------
    UsageError
        If there is no such set, the file exists, or the folder holds anything else.
    """
    known = find_set(name)
    sizes = _SMALL[name] if small else tuple(factor.size for factor in known.factors)
    sample = _Sample(known, sizes, show_progress)
    if name == "smallnorb":
        out, names = Path(out), {file.name for file in known.files}
        others = [path.name for path in out.iterdir() if path.name not in names] if out.is_dir() else []
        if others:
            raise UsageError(f"{out}: exists and holds {quote(others[0])}, which is of no sample; give another folder")
        with atomic_folder(out, overwrite) as folder:
            _write_smallnorb(sample, folder)
    else:
        path = check_output(out, overwrite)
        if name.startswith("mpi3d") and known.name.partition("-")[2] not in path.name.lower():
            raise UsageError(f"{path}: the name of the file says which MPI3D it is; call it {known.files[0].name}")
        with atomic_path(path, overwrite) as temporary:
            _WRITERS[name.partition("-")[0]](sample, temporary)
    return {"images": math.prod(sizes), "factor_sizes": list(sizes)}


class _Sample:
    """The images of a grid, drawn in blocks."""

    def __init__(self, known: GridSet, sizes: tuple[int, ...], show_progress: bool) -> None:
        self.known, self.sizes, self.show_progress = known, sizes, show_progress
        self.count = math.prod(sizes)

    def factors(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the factors of images, (N, K)."""
        return np.stack(np.unravel_index(numbers, self.sizes), axis=1)

    def fraction(self, factors: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return where each factor stands between its first value, 0, and its last, 1."""
        scaled = factors / np.maximum(np.array(self.sizes) - 1, 1)
        return dict(zip([factor.name for factor in self.known.factors], scaled.T, strict=True))

    def blocks(self, paint: Callable[..., NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """Yield all images, in order; `paint` makes some of numbers and fractions of their factors."""
        begins = range(0, self.count, _BLOCK)
        for begin in progress_bar(begins, "drawing", show=self.show_progress):
            factors = self.factors(np.arange(begin, min(begin + _BLOCK, self.count)))
            yield paint(factors, self.fraction(factors))


def _hue(fraction: NDArray[np.float64], strength: float = 1.0) -> NDArray[np.float64]:
    """Return colours of hues (N,), red, green and blue in [0, 1], (N, 3)."""
    part = (fraction[:, None] * 6 + np.array([0.0, 4.0, 2.0])) % 6
    return 1 - strength * (1 - np.clip(np.abs(part - 3) - 1, 0, 1))


_SHAPES: tuple[Callable[[NDArray[Any], NDArray[Any]], NDArray[np.bool_]], ...] = (
    lambda u, v: np.maximum(np.abs(u), np.abs(v)) < 0.8,  # a square
    lambda u, v: u * u + 2.5 * v * v < 1,  # an ellipse
    lambda u, v: (u * u + v * v - 0.6) ** 3 < -0.9 * u * u * v * np.abs(v),  # a heart
    lambda u, v: (v < 0.8) & (v > 2 * np.abs(u) - 0.9),  # a cone
    lambda u, v: (np.minimum(np.abs(u), np.abs(v)) < 0.3) & (np.maximum(np.abs(u), np.abs(v)) < 0.9),  # a cross
    lambda u, v: (u * u + (v - 0.2) ** 2 < 0.5) | ((v < 0) & (v > 3 * np.abs(u) - 1)),  # a drop
)
"""Where points lie in a shape of about size 1."""


def _outline(
    side: int, shape: Any, scale: Any, angle: Any, x: Any, y: Any
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return where shapes are, by their numbers, and how far a point lies to their right, (N, side, side).

    x, y and scale are fractions of the side, angles are in radians; a number stands for all.
    """
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side

    def of(value: Any) -> NDArray[np.float32]:
        return np.broadcast_to(np.asarray(value, dtype=np.float32), shape.shape)[:, None, None]

    right, down = columns - of(x), rows - of(y)
    cosine, sine = of(np.cos(angle)) / of(scale), of(np.sin(angle)) / of(scale)
    u, v = cosine * right + sine * down, cosine * down - sine * right
    inside = np.empty(u.shape, dtype=bool)
    for number in np.unique(shape):
        of_shape = shape == number
        inside[of_shape] = _SHAPES[int(number) % len(_SHAPES)](u[of_shape], v[of_shape])
    return inside, u


def _paint(
    side: int,
    *,
    color: NDArray[Any],
    wall: NDArray[Any],
    floor: NDArray[Any],
    horizon: Any,
    **outline: Any,
) -> NDArray[np.uint8]:
    """Draw images, uint8 (N, side, side, 3), of colours (N, 3) in [0, 1]; the rest as for `_outline`."""
    inside, u = _outline(side, **outline)
    count = len(inside)
    below = (np.arange(side) / side)[None] > np.broadcast_to(np.asarray(horizon), (count,))[:, None]
    bytes_of = [np.rint(255 * np.clip(each, 0, 1)).astype(np.uint8) for each in (wall, floor)]
    ground = np.where(below[..., None], bytes_of[1][:, None], bytes_of[0][:, None])
    pictures = np.repeat(ground[:, :, None], side, axis=2)
    # One side is darker, so that no turn but a whole one gives the same picture.
    light = np.clip(0.8 + 0.2 * u[inside], 0.5, 1.0)
    image = np.nonzero(inside)[0]
    pictures[inside] = np.rint(255 * color[image] * light[:, None])
    return pictures


def _write_dsprites(sample: _Sample, path: Path) -> None:
    turns = 2 * np.pi * np.arange(sample.sizes[2]) / max(sample.sizes[2] - 1, 1)

    def paint(factors: NDArray[np.int64], at: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
        scale, angle = 0.2 * (0.5 + 0.5 * at["scale"]), turns[factors[:, 2]]
        inside, _ = _outline(64, factors[:, 0], scale, angle, (16 + 31 * at["x"]) / 64, (16 + 31 * at["y"]) / 64)
        return inside.astype(np.uint8)

    factors = sample.factors(np.arange(sample.count))
    at = sample.fraction(factors)
    classes = np.hstack([np.zeros((sample.count, 1), dtype=np.int64), factors])
    columns = [factors[:, 0] + 1.0, 0.5 + 0.5 * at["scale"], turns[factors[:, 2]], at["x"], at["y"]]
    values = np.stack([np.ones(sample.count), *columns], axis=1)
    metadata = np.array({"title": "synthetic", "latents_sizes": np.array([1, *sample.sizes])}, dtype=object)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("metadata.npy", "w") as stream:  # pickled, as in the published file
            np.lib.format.write_array(cast(BinaryIO, stream), metadata, allow_pickle=True)
        _write_images(archive, "imgs", (sample.count, 64, 64), sample.blocks(paint))
        for name, array in (("latents_classes", classes), ("latents_values", values)):
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(cast(BinaryIO, stream), array, allow_pickle=False)


def _write_images(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], blocks: Iterator[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(cast(BinaryIO, stream), header)
        for block in blocks:
            stream.write(block.tobytes())


def _write_shapes3d(sample: _Sample, path: Path) -> None:
    import h5py

    hues = [np.arange(size) / 10 for size in sample.sizes[:3]]

    def paint(factors: NDArray[np.int64], at: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
        floor, wall, color = (_hue(of[number]) for of, number in zip(hues, factors.T[:3], strict=True))
        azimuth = (at["azimuth"] - 0.5) * np.pi / 3
        return _paint(
            64,
            shape=factors[:, 4],
            color=color,
            wall=0.9 * wall,
            floor=0.7 * floor,
            scale=0.15 + 0.1 * at["scale"],
            angle=azimuth,
            x=0.5 + 0.2 * azimuth,
            y=0.6,
            horizon=0.5,
        )

    factors = sample.factors(np.arange(sample.count))
    at = sample.fraction(factors)
    columns = [of[number] for of, number in zip(hues, factors.T[:3], strict=True)]
    columns += [0.75 + 0.5 * at["scale"], factors[:, 4], -30 + 60 * at["azimuth"]]
    with h5py.File(path, "w") as file:
        shape = (sample.count, 64, 64, 3)
        images = file.create_dataset(
            "images", shape, np.uint8, chunks=(min(_BLOCK, len(factors)), 64, 64, 3), compression="gzip",
            compression_opts=1,
        )  # fmt: skip
        begin = 0
        for block in sample.blocks(paint):
            images[begin : begin + len(block)] = block
            begin += len(block)
        file.create_dataset("labels", data=np.stack(columns, axis=1).astype(np.float64))


def _write_cars3d(sample: _Sample, path: Path) -> None:
    from scipy.io import savemat

    elevations, azimuths, cars = sample.sizes
    with _Packed(path) as packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        # Out of order, as in the published archive.
        for car in progress_bar(np.roll(np.arange(cars), cars // 2), "drawing", show=sample.show_progress):
            numbers = np.arange(elevations * azimuths) * cars + car
            factors = sample.factors(numbers)
            at = sample.fraction(factors)
            images = _paint(
                128,
                shape=factors[:, 2],
                color=_hue(factors[:, 2] / cars, 0.8),
                wall=np.ones((len(numbers), 3)),
                floor=np.full((len(numbers), 3), 0.8),
                scale=0.3,
                angle=2 * np.pi * factors[:, 1] / azimuths,
                x=0.5,
                y=0.4 + 0.2 * at["elevation"],
                horizon=0.3 + 0.3 * at["elevation"],
            )
            shape = (elevations, azimuths, 128, 128, 3)
            content = io.BytesIO()
            savemat(content, {"im": images.reshape(shape).transpose(2, 3, 4, 1, 0)}, do_compression=True)
            # scipy writes the time into the first 116 bytes, which say nothing else.
            data = b"MATLAB 5.0 MAT-file, synthetic".ljust(116) + content.getvalue()[116:]
            entry = tarfile.TarInfo(f"data/cars/car_{car + 1:03d}_mesh.mat")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def _write_smallnorb(sample: _Sample, folder: Path) -> None:
    categories, instances, elevations, azimuths, lightings = sample.sizes
    # Of ten instances those of the published parts; of fewer the same shares.
    training = [4, 6, 7, 8, 9, 0, 1, 2, 3, 5][: instances // 2]
    testing = [each for each in (0, 1, 2, 3, 5, 4, 6, 7, 8, 9) if each not in training][: instances - len(training)]
    known = sorted(training + testing)
    rng = np.random.default_rng(0)
    for file in SETS["smallnorb"].files[:: len(SETS["smallnorb"].files) // 2]:
        mine = training if "training" in file.name else testing
        combinations = (range(categories), mine, range(elevations), range(azimuths), range(lightings))
        labels = np.stack(np.meshgrid(*combinations, indexing="ij"), axis=-1).reshape(-1, 5)
        labels = labels[rng.permutation(len(labels))]  # as they came before the camera
        head = file.name.removesuffix("dat.mat.gz")
        with _Packed(folder / f"{head}dat.mat.gz") as stream:
            stream.write(struct.pack("<Ii4i", 0x1E3D4C55, 4, len(labels), 2, 96, 96))
            for begin in progress_bar(range(0, len(labels), _BLOCK), "drawing", show=sample.show_progress):
                stream.write(_toys(sample, labels[begin : begin + _BLOCK], known).tobytes())
        info = labels[:, 1:] * (1, 1, 2, 1)
        for kind, array in (("cat", labels[:, :1]), ("info", info)):
            sizes = (len(array), 1, 1) if kind == "cat" else (len(array), 4, 1)
            with _Packed(folder / f"{head}{kind}.mat.gz") as stream:
                stream.write(struct.pack("<Ii3i", 0x1E3D4C54, 1 if kind == "cat" else 2, *sizes))
                stream.write(array.astype("<i4").tobytes())


def _toys(sample: _Sample, labels: NDArray[np.int64], known: list[int]) -> NDArray[np.uint8]:
    """Return left and right images, uint8 (N, 2, 96, 96)."""
    places = labels.copy()
    places[:, 1] = np.searchsorted(known, labels[:, 1])
    at = sample.fraction(places)
    ground = 0.6 + 0.3 * at["lighting"][:, None] * np.ones(3)
    pair = [
        _paint(
            96,
            shape=places[:, 0],
            color=0.1 + 0.3 * at["instance"][:, None] * np.ones(3),
            wall=ground,
            floor=0.9 * ground,
            scale=0.2 + 0.1 * at["instance"],
            angle=2 * np.pi * places[:, 3] / sample.sizes[3],
            x=0.5 + shift,
            y=0.4 + 0.2 * at["elevation"],
            horizon=0.5 + 0.2 * at["elevation"],
        )
        for shift in (0.0, 0.03)
    ]
    return np.rint(np.stack(pair, axis=1) @ _GREYS).astype(np.uint8)


class _Packed:
    """A gzip file to write to, with neither name nor time in it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._packed = gzip.GzipFile("", "wb", 1, self._file, mtime=0)

    def __enter__(self) -> gzip.GzipFile:
        return self._packed

    def __exit__(self, *_: object) -> None:
        self._packed.close()
        self._file.close()


def _write_mpi3d(sample: _Sample, path: Path) -> None:
    colors, _, _, _, backgrounds, *_ = sample.sizes

    def paint(factors: NDArray[np.int64], at: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
        return _paint(
            64,
            shape=factors[:, 1],
            color=_hue(factors[:, 0] / colors),
            wall=0.2 + 0.2 * _hue(factors[:, 4] / backgrounds),
            floor=0.1 + 0.3 * _hue(factors[:, 4] / backgrounds),
            scale=0.1 + 0.08 * at["object_size"],
            angle=0.0,
            x=0.2 + 0.6 * at["horizontal_axis"],
            y=0.2 + 0.6 * at["vertical_axis"],
            horizon=0.4 + 0.4 * at["camera_height"],
        )

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _write_images(archive, "images", (sample.count, 64, 64, 3), sample.blocks(paint))
        if sample.sizes != tuple(factor.size for factor in sample.known.factors):
            with archive.open("factor_sizes.npy", "w") as stream:
                np.lib.format.write_array(cast(BinaryIO, stream), np.array(sample.sizes, dtype=np.int64))


_WRITERS: dict[str, Callable[[_Sample, Path], None]] = {
    "dsprites": _write_dsprites,
    "shapes3d": _write_shapes3d,
    "cars3d": _write_cars3d,
    "mpi3d": _write_mpi3d,
}
