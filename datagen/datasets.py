"""The one type of a dataset: sequences of images with the factors of every frame.

Masks cut from video and rendered sprites are both of it; what differs between them is said by the description of the
factors (`Factor`) and by the columns. It is plain arrays and a manifest that says how they were made. `datagen.store`
writes and reads them; nothing here or above knows in which format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError, UsageError, counted, shown, unknown_choice
from datagen.fragments import evenly, fragment_html, picture_url, value_text
from datagen.lazy_array import AnyArray
from datagen.manifest import make_manifest
from datagen.moments import latents_of_masks
from datagen.pairs import first_frames
from datagen.rates import wrong_rates
from datagen.transitions import Transitions

__all__ = ["COLUMNS", "MASK_FACTORS", "SPRITE_FACTORS", "Factor", "Sequences"]


_SHOWN_SEQUENCES, _SHOWN_FRAMES = 3, 10
"""In a notebook."""


@dataclass(frozen=True)
class Factor:
    """What is known of one factor.

    Attributes
    ----------
    name : str
        Its name, e.g. ``"area"``.
    description : str
        What it measures and in which units.
    limits : tuple of float
        Smallest and largest value of a frame that shows the object.
    size : int
        How many values it can take; 0 if it is continuous.
    categorical : bool
        Whether its values are codes without an order.
    moves : bool
        Whether it changes from frame to frame.
    period : float or None
        The turn after which an angle is the same again.
    values : tuple of float
        On a grid, what the numbers of its values stand for, where that is known: of a position a fraction of the frame,
        of a size anything that grows as the object's height does.
    scored : bool
        Whether it can be seen in the images; metrics leave out one that is not.

    Examples
    --------
    >>> Factor("hue", "Colour of the wall.", limits=(0, 9), size=10, period=10).categorical
    False
    """

    name: str
    description: str
    limits: tuple[float, float]
    size: int = 0
    categorical: bool = False
    moves: bool = True
    period: float | None = None
    values: tuple[float, ...] = ()
    scored: bool = True


MASK_FACTORS = ("y", "x", "area")
"""The factors of a mask, in the order of its file."""

SPRITE_FACTORS = ("x", "y", "scale", "orientation", "shape")
"""The factors of a sprite, in the order of its file."""

COLUMNS = {
    "source": "Data set of the annotations; empty if unknown.",
    "video": "Video in that data set; empty if unknown.",
    "object_id": "Object in that video; -1 if unknown.",
    "category": "Category of the object.",
    "window": "Window of the frame, from the left; -1 if unknown.",
    "first_frame": "Number of the first frame in its video; -1 if unknown.",
    "fps": "Frames a second; NaN if unknown.",
    "transition": "Row of the transition table that gave the run's motion.",
}
"""What may be known of a sequence, by the name of the column."""


@dataclass(frozen=True, repr=False, eq=False)
class Sequences:
    """S sequences of images, N frames in all, laid end to end.

    Sequence `s` is the frames ``offsets[s]:offsets[s + 1]``; they follow each other in time.

    Attributes
    ----------
    images : ndarray or LazyArray of bool or uint8, shape (N, H, W), or of uint8, shape (N, H, W, 3), or None
        Masks are bool, grey pictures uint8, coloured ones have three channels. None in a file of factors only. They may
        be more than memory holds, and are then read when they are asked for (`datagen.lazy_array`).
    factors : ndarray of float32, shape (N, K)
        The factors of every frame.
    offsets : ndarray of int64, shape (S + 1,)
        Where each sequence begins; the last entry is N.
    factor_info : tuple of Factor
        What the K factors are.
    columns : dict of str to ndarray, shape (S,) each
        What is known of each sequence: texts, int64 or (``fps``) float32, by the names of `COLUMNS`.
    kind : str
        The family of datasets whose layout its file has: ``"mask-sequences"``, ``"sprite-sequences"``, ``"grid"`` or
        ``"grid-pairs"``.
    manifest : dict
        How the data were made (`datagen.manifest`).

    Examples
    --------
    >>> import numpy as np
    >>> masks = np.zeros((3, 16, 16), dtype=bool)
    >>> for t in range(3):
    ...     masks[t, 4:8, 2 + t : 6 + t] = True
    >>> dataset = Sequences.from_masks([masks], category="square")
    >>> dataset
    Sequences(mask-sequences: 1 sequence, 3 frames of 16 x 16 bool; factors y, x, area)
    >>> dataset.factors[:, 1]
    array([3.5, 4.5, 5.5], dtype=float32)
    """

    images: AnyArray | None
    factors: NDArray[np.float32]
    offsets: NDArray[np.int64]
    factor_info: tuple[Factor, ...]
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    kind: str = "mask-sequences"
    manifest: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_masks(
        cls,
        masks: AnyArray,
        latents: NDArray[np.float32],
        offsets: NDArray[np.int64],
        manifest: dict[str, Any] | None = None,
        **columns: NDArray[Any],
    ) -> Sequences:
        """Make a dataset of masks that are measured already.

        Parameters
        ----------
        masks : ndarray of bool, shape (N, H, W)
            The frames of all sequences.
        latents : ndarray of float32, shape (N, 3)
            Centre of mass y and x, and area, in pixels (`datagen.moments`).
        offsets : ndarray of int64, shape (S + 1,)
            Where each sequence begins; the last entry is N.
        manifest : dict, optional
            How the data were made (`datagen.manifest`).
        **columns : ndarray, shape (S,)
            What is known of each sequence, by the names of `COLUMNS`.
        """
        _check_names(columns)
        count = len(offsets) - 1
        unknown_value = {"source": "", "video": "", "object_id": -1, "category": "", "window": -1, "first_frame": -1}
        filled = {name: columns.get(name, np.full(count, value)) for name, value in unknown_value.items()}
        if "fps" in columns:
            filled["fps"] = columns["fps"]
        height, width = masks.shape[1:]
        info = (
            Factor("y", "Centre of mass in pixels, downwards from the middle of the top left pixel.", (0, height - 1)),
            Factor("x", "Centre of mass in pixels, rightwards from the middle of the top left pixel.", (0, width - 1)),
            Factor("area", "Number of pixels of the mask.", (1, height * width)),
        )
        return cls(masks, latents, offsets, info, filled, "mask-sequences", manifest or {})

    @classmethod
    def from_masks(
        cls,
        masks: Sequence[NDArray[Any]],
        *,
        source: str | Sequence[str] = "own",
        video: str | Sequence[str] | None = None,
        object_id: int | Sequence[int] | None = None,
        category: str | Sequence[str] = "object",
        first_frame: int | Sequence[int] = 0,
        fps: float | Sequence[float] = np.nan,
        manifest: dict[str, Any] | None = None,
    ) -> Sequences:
        """Make a dataset of own masks; latents and offsets are computed.

        Parameters
        ----------
        masks : sequence of ndarray of bool, shape (T, H, W)
            One array per sequence, its frames in the order of time, every mask with a pixel at least. H and W are
            the same for all. Numbers are taken as masks where they are not 0.
        source, video, object_id, category, first_frame, fps : optional
            What is known of each sequence, a value for each or one for all. By default every sequence is an object of
            its own, in a video of its own: where two sequences show one object, say so, or a split by object tears it.
        manifest : dict, optional
            How the data were made (`datagen.manifest`).

        Raises
        ------
        UsageError
            If there is no sequence, an array is of another form, a mask is empty, or a column is of another length.
        """
        try:
            arrays = [np.asarray(each) for each in masks]
        except (TypeError, ValueError):  # no sequence, or lists of lists of different lengths
            raise UsageError("masks are no arrays; give one array (T, H, W) per sequence") from None
        if not arrays:
            raise UsageError("no masks; give one array (T, H, W) per sequence")
        for number, each in enumerate(arrays):
            if each.ndim != 3 or 0 in each.shape or each.dtype.kind not in "buif":
                raise UsageError(f"masks, sequence {number}: {each.dtype} {each.shape}; they must be bool (T, H, W)")
            if each.shape[1:] != arrays[0].shape[1:]:
                raise UsageError(
                    f"masks, sequence {number}: {each.shape[1:]} pixels, those before {arrays[0].shape[1:]}"
                )
        frames = np.concatenate([each != 0 for each in arrays])
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in arrays])]).astype(np.int64)
        empty = ~frames.any(axis=(1, 2))
        if empty.any():
            sequence = int(np.searchsorted(offsets, np.argmax(empty), side="right")) - 1
            frame = int(np.argmax(empty) - offsets[sequence])
            raise UsageError(f"masks, sequence {sequence}: the mask of frame {frame} is empty; cut the sequence there")
        count = len(arrays)
        given: dict[str, Any] = {
            "source": source,
            "video": [f"{number:04}" for number in range(count)] if video is None else video,
            "object_id": np.arange(count) if object_id is None else object_id,
            "category": category,
            "window": 0,
            "first_frame": first_frame,
            "fps": fps,
        }
        columns = {name: _column(name, value, count) for name, value in given.items()}
        if manifest is None:
            manifest = make_manifest(
                "Sequences.from_masks", {}, [{"id": each} for each in np.unique(columns["source"]).tolist()], {}
            )
        return cls.of_masks(frames, latents_of_masks(frames), offsets, manifest, **columns)

    @classmethod
    def of_sprites(
        cls,
        images: AnyArray | None,
        factors: NDArray[np.float32],
        factor_sizes: NDArray[np.int64],
        transition: NDArray[np.int64],
        fps: NDArray[np.float32] | None = None,
        manifest: dict[str, Any] | None = None,
    ) -> Sequences:
        """Make a dataset of S sprites in T frames each.

        Parameters
        ----------
        images : ndarray of uint8, shape (S, T, H, W) or (S, T, H, W, 3), or None
            The frames: grey when every sprite is white, else RGB.
        factors : ndarray of float32, shape (S, T, 5)
            x, y and scale (fractions of the frame, y upwards), orientation (degrees, counter-clockwise) and shape
            (its code).
        factor_sizes : ndarray of int64, shape (5,)
            Number of values of each factor; 0 for one that is continuous.
        transition : ndarray of int64, shape (S,)
            Row of the transition table that each motion came from.
        fps : ndarray of float32, shape (S,), optional
            Frames a second of that motion; NaN if unknown.
        manifest : dict, optional
            How the data were made (`datagen.manifest`).
        """
        count, length = factors.shape[:2]
        x, y, scale, orientation, shape = factor_sizes.tolist()
        whole = (0, 1)
        info = (
            Factor("x", "Position, as a fraction of the frame's width, rightwards.", whole, x),
            Factor("y", "Position, as a fraction of the frame's height, upwards.", whole, y),
            Factor("scale", "Square root of the area as a fraction of the frame's.", whole, scale),
            Factor(
                "orientation", "Orientation in degrees, counter-clockwise.", (0, 360), orientation, False, False, 360
            ),
            Factor("shape", "Code of the shape.", (0, np.inf), shape, categorical=True, moves=False),
        )
        return cls(
            None if images is None else images.reshape(count * length, *images.shape[2:]),
            factors.reshape(count * length, factors.shape[2]),
            np.arange(count + 1, dtype=np.int64) * length,
            info,
            {"transition": transition} | ({} if fps is None else {"fps": fps}),
            "sprite-sequences",
            manifest or {},
        )

    @classmethod
    def of_grid(
        cls, images: AnyArray, factor_info: Sequence[Factor], manifest: dict[str, Any] | None = None
    ) -> Sequences:
        """Make a dataset of an image of every combination of some factors, each a sequence of one frame.

        Image number i shows the combination ``np.unravel_index(i, sizes)``: the last factor changes fastest. The
        factors of a frame are numbers of values, 0 to size - 1.

        Parameters
        ----------
        images : ndarray or LazyArray of uint8, shape (N, H, W) or (N, H, W, 3)
            N is the product of the sizes.
        factor_info : sequence of Factor
            The factors, each with a size.
        manifest : dict, optional
            How the data were made (`datagen.manifest`). What the numbers of values stand for is added to it.

        Raises
        ------
        UsageError
            If a factor has no size, or there are more or fewer images than combinations.

        Examples
        --------
        >>> import numpy as np
        >>> info = [Factor("x", "Column.", (0, 2), 3), Factor("hue", "Colour.", (0, 1), 2, period=2)]
        >>> grid = Sequences.of_grid(np.arange(6, dtype=np.uint8).repeat(16).reshape(6, 4, 4), info)
        >>> grid
        Sequences(grid: 6 sequences, 6 frames of 4 x 4 uint8; factors x, hue)
        >>> grid.factors[3]
        array([1., 1.], dtype=float32)
        """
        sizes = [factor.size for factor in factor_info]
        if min(sizes, default=0) < 1:
            raise UsageError("a grid needs a factor, and a number of values of every factor")
        count = math.prod(sizes)
        if count != len(images):
            raise UsageError(f"{len(images):,} images, but {' x '.join(map(str, sizes))} combinations of factors")
        factors = np.empty((count, len(sizes)), dtype=np.float32)
        for column, numbers in zip(factors.T, np.unravel_index(np.arange(count), sizes), strict=True):
            column[:] = numbers
        known = {factor.name: list(factor.values) for factor in factor_info if factor.values}
        manifest = {**(manifest or {}), **({"factor_values": known} if known else {})}
        return cls(images, factors, np.arange(count + 1, dtype=np.int64), tuple(factor_info), {}, "grid", manifest)

    @classmethod
    def of_grid_pairs(
        cls,
        images: AnyArray | None,
        factors: NDArray[np.float32],
        factor_info: Sequence[Factor],
        manifest: dict[str, Any] | None = None,
    ) -> Sequences:
        """Make a dataset of P pairs of frames of a grid.

        Parameters
        ----------
        images : ndarray or LazyArray of uint8, shape (P, 2, H, W) or (P, 2, H, W, 3), or None
            The frames.
        factors : ndarray of float32, shape (P, 2, K)
            Numbers of values.
        factor_info : sequence of Factor
            The K factors of the grid.
        manifest : dict, optional
            How the data were made (`datagen.manifest`). What the numbers of values stand for is added to it.
        """
        count = len(factors)
        known = {factor.name: list(factor.values) for factor in factor_info if factor.values}
        manifest = {**(manifest or {}), **({"factor_values": known} if known else {})}
        offsets = np.arange(count + 1, dtype=np.int64) * 2
        flat = None if images is None else images.reshape(2 * count, *images.shape[2:])
        return cls(
            flat, factors.reshape(2 * count, factors.shape[-1]), offsets, tuple(factor_info), {}, "grid-pairs", manifest
        )

    def __repr__(self) -> str:
        images = self.images
        size = " without images" if images is None else f" of {' x '.join(map(str, images.shape[1:]))} {images.dtype}"
        held = f"{counted(self.num_sequences, 'sequence')}, {counted(self.num_frames, 'frame')}{size}"
        return f"Sequences({self.kind}: {held}; factors {', '.join(self.factor_names)})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the factors, and frames of some sequences."""
        rows = []
        for info, column in zip(self.factor_info, self.factors.T, strict=True):
            ends = [column.min(), column.mean(dtype=np.float64), column.max()] if len(column) else [""] * 3
            rows.append([info.name, *map(value_text, ends), info.size or "continuous", info.description])
        columns = ["factor", "smallest", "mean", "largest", "values", ""]
        chosen = self._shown_rows()
        alt = "frames of some sequences, one sequence a row"
        return fragment_html(repr(self), columns, rows, picture=picture_url(chosen) if chosen else None, alt=alt)

    def _shown_rows(self) -> list[NDArray[Any]]:
        """Return some frames of a few sequences, evenly from the whole; of single images one row of them."""
        if self.images is None or not self.num_frames:
            return []
        single = self.num_sequences == self.num_frames
        few = evenly(self.num_sequences, _SHOWN_FRAMES if single else _SHOWN_SEQUENCES)
        rows = [self.offsets[few]] if single else []
        if not single:
            rows = [self.offsets[each] + evenly(int(self.lengths[each]), _SHOWN_FRAMES) for each in few]
        try:
            return [self.images[each] for each in rows]
        except (OSError, DatagenError):  # the file of images that are read when they are asked for is gone
            return []

    def with_columns(self, **columns: NDArray[Any]) -> Sequences:
        """Return the same dataset with some columns, (S,) each, exchanged.

        Raises
        ------
        UsageError
            If there is no column of a name.
        """
        _check_names(columns)
        return replace(self, columns={**self.columns, **columns})

    def select(self, sequences: NDArray[np.int64]) -> Sequences:
        """Return some sequences, by their numbers and in their order, or those that are true in bool (S,).

        Raises
        ------
        UsageError
            If they are anything else.
        """
        try:
            chosen = np.asarray(sequences)
        except ValueError:  # lists of different lengths
            chosen = np.empty((), dtype=object)
        if chosen.size == 0:  # of which numpy makes floats
            chosen = chosen.astype(np.int64)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iub":
            raise UsageError(f"sequences={shown(sequences)}: must be their numbers, as [0, 3, 4]")
        lengths = self.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        frames = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][chosen] - offsets[:-1], lengths)
        return replace(
            self,
            images=None if self.images is None else self.images[frames],
            factors=self.factors[frames],
            offsets=offsets,
            columns={name: column[chosen] for name, column in self.columns.items()},
        )

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Names of the factors."""
        return tuple(factor.name for factor in self.factor_info)

    @property
    def factor_sizes(self) -> NDArray[np.int64]:
        """Number of values of each factor, int64 (K,); 0 for one that is continuous."""
        return np.array([factor.size for factor in self.factor_info], dtype=np.int64)

    @property
    def is_discrete(self) -> bool:
        """Whether every factor takes a known number of values."""
        return all(factor.size > 0 for factor in self.factor_info)

    @property
    def is_grid(self) -> bool:
        """Whether it holds one image of every combination of the factors, whose numbers of values are in order."""
        sizes = self.factor_sizes
        if not self.num_frames or not self.num_sequences == self.num_frames == math.prod(sizes.tolist()):
            return False
        return bool((self.factors[0] == 0).all() and (self.factors[-1] == sizes - 1).all())

    @property
    def has_no_time(self) -> bool:
        """Whether no frame follows another and every factor takes a known number of values, as of a grid."""
        return not self.num_pairs and self.is_discrete

    @property
    def holds_masks(self) -> bool:
        """Whether images are masks, whose centre and area are the factors."""
        return self.images is not None and self.images.dtype == bool and self.factor_names == MASK_FACTORS

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of frames of each sequence, int64 (S,)."""
        return np.diff(self.offsets)

    @property
    def fps(self) -> NDArray[np.float32]:
        """How many frames of each sequence make a second, float32 (S,); NaN where that is unknown."""
        return self.columns.get("fps", np.full(self.num_sequences, np.nan, dtype=np.float32))

    @property
    def num_sequences(self) -> int:
        """Number of sequences S."""
        return len(self.offsets) - 1

    @property
    def num_frames(self) -> int:
        """Number of frames N of all sequences together."""
        return len(self.factors)

    @property
    def num_pairs(self) -> int:
        """Number of pairs of neighbouring frames."""
        return self.num_frames - self.num_sequences

    def changing_factors(self) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """Return the factors that are to be scored and change at all, (N, K), and their names."""
        changing = np.array([factor.scored for factor in self.factor_info]) & (np.ptp(self.factors, axis=0) > 0)
        return self.factors[:, changing], tuple(np.array(self.factor_names)[changing].tolist())

    def sequence_of_frame(self) -> NDArray[np.int64]:
        """Return the number of the sequence that each frame belongs to, int64 (N,)."""
        return np.repeat(np.arange(self.num_sequences), self.lengths)

    def transitions(self) -> Transitions:
        """Return the table of all pairs of neighbouring frames of masks, in order.

        Positions stay float32 and areas are int64, as in the release's table: their differences, and so every
        statistic, are taken in these types. Where a file does not say the object, -1 less the number of the sequence
        stands for it.

        Raises
        ------
        DatagenError
            If the factors are not those of masks.
        """
        if self.factor_names != MASK_FACTORS:
            raise DatagenError(f"a dataset of {self.kind} has no table of transitions")
        first, _, counts = first_frames(self.offsets)
        pair = np.stack([first, first + 1], axis=1)
        of_sequence = np.repeat(np.arange(self.num_sequences), counts)
        step = first - self.offsets[of_sequence]
        column = {name: values[of_sequence] for name, values in self.columns.items()}
        return Transitions(
            source=column["source"],
            video=column["video"],
            object_id=np.where(column["object_id"] >= 0, column["object_id"], -1 - of_sequence),
            category=column["category"],
            window=column["window"],
            frame=np.where(column["first_frame"] >= 0, column["first_frame"] + step, step),
            y=self.factors[pair, 0],
            x=self.factors[pair, 1],
            area=self.factors[pair, 2].astype(np.int64),
            fps=self.fps[of_sequence],
        )


def _check_names(columns: Mapping[str, Any]) -> None:
    if unknown := sorted(columns.keys() - COLUMNS.keys()):
        raise unknown_choice("column", unknown[0], COLUMNS)


def _column(name: str, value: Any, count: int) -> NDArray[Any]:
    """Return a column of `count` rows: as given, or one value for all."""
    try:
        column = np.full(count, value) if np.ndim(value) == 0 else np.asarray(value)
    except ValueError:  # lists of different lengths
        raise UsageError(f"{name}={shown(value)}; give one value, or one for each of {count} sequences") from None
    if column.shape != (count,):
        raise UsageError(f"{name} has the shape {column.shape}; give one value, or one for each of {count} sequences")
    wanted = "U" if name in ("source", "video", "category") else "fiu" if name == "fps" else "iu"
    if column.dtype.kind not in wanted:
        what = {"U": "texts", "iu": "whole numbers", "fiu": "numbers"}[wanted]
        raise UsageError(f"{name} holds {column.dtype}; it must hold {what}")
    if name == "fps":
        if wrong_rates(column).any():
            raise UsageError("fps must hold frames a second, above 0, or NaN where that is unknown")
        return column.astype(np.float32)
    if wanted == "U":
        return column
    column = column.astype(np.int64)  # beyond which a number turns negative
    if (column < -1).any():
        raise UsageError(f"{name} must hold numbers of at least 0, or -1 where it is unknown, below 2^63")
    return column
