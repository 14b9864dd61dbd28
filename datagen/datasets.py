"""The two kinds of dataset: sequences of masks (KITTI Masks) and runs of rendered sprites (Natural Sprites).

Both are plain arrays plus a manifest that says how they were made. `datagen.store` writes and reads them; nothing
here or above knows in which format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen.transitions import Transitions

__all__ = ["Dataset", "MaskSequences", "SpriteSequences"]


@dataclass(frozen=True)
class MaskSequences:
    """S sequences of binary masks of one object each, N frames in all, laid end to end.

    Sequence `s` is the frames ``offsets[s]:offsets[s + 1]``; they are neighbouring frames of its video.

    Attributes
    ----------
    masks : ndarray of bool, shape (N, H, W)
        The masks.
    latents : ndarray of float32, shape (N, 3)
        Centre of mass y and x (pixels, from the middle of the top left pixel) and area (pixels) of every mask.
    offsets : ndarray of int64, shape (S + 1,)
        Where each sequence begins; the last entry is N.
    source, sequence : ndarray of str, shape (S,)
        Data set and video, e.g. ``"kitti-mots"`` and ``"0002"``; empty where the file did not say.
    object_id : ndarray of int64, shape (S,)
        The object in its video; -1 where the file did not say.
    category : ndarray of str, shape (S,)
        Its category, e.g. ``"pedestrian"``.
    window : ndarray of int64, shape (S,)
        The window of the view, counted from the left; -1 where the file did not say.
    first_frame : ndarray of int64, shape (S,)
        Number of the first frame in the source's own count; -1 where the file did not say.
    manifest : dict
        How the data were made (`datagen.manifest`).
    """

    kind: ClassVar[str] = "mask-sequences"
    factor_names: ClassVar[tuple[str, ...]] = ("y", "x", "area")

    masks: NDArray[np.bool_]
    latents: NDArray[np.float32]
    offsets: NDArray[np.int64]
    source: NDArray[np.str_]
    sequence: NDArray[np.str_]
    object_id: NDArray[np.int64]
    category: NDArray[np.str_]
    window: NDArray[np.int64]
    first_frame: NDArray[np.int64]
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of frames of each sequence, int64 (S,)."""
        return np.diff(self.offsets)

    @property
    def num_sequences(self) -> int:
        """Number of sequences S."""
        return len(self.offsets) - 1

    @property
    def num_frames(self) -> int:
        """Number of frames N of all sequences together."""
        return len(self.masks)

    @property
    def num_pairs(self) -> int:
        """Number of pairs of neighbouring frames."""
        return self.num_frames - self.num_sequences

    def pair_starts(self) -> NDArray[np.int64]:
        """Return the index of every frame but the last of its sequence, int64 (N - S,), in order."""
        last = np.zeros(self.num_frames, dtype=bool)
        last[self.offsets[1:] - 1] = True
        return np.flatnonzero(~last)

    def transitions(self) -> Transitions:
        """Return the table of all pairs of neighbouring frames, in order.

        Positions stay float32 and areas are int64, as in the release's table: their differences, and so every
        statistic, are taken in these types. Where a file does not say the object, the number of the sequence stands for
        it.
        """
        first = self.pair_starts()
        pair = np.stack([first, first + 1], axis=1)
        of_sequence = np.searchsorted(self.offsets, first, side="right") - 1
        step = first - self.offsets[of_sequence]
        known = self.first_frame[of_sequence] >= 0
        return Transitions(
            source=self.source[of_sequence],
            video=self.sequence[of_sequence],
            object_id=np.where(self.object_id[of_sequence] >= 0, self.object_id[of_sequence], of_sequence),
            category=self.category[of_sequence],
            window=self.window[of_sequence],
            frame=np.where(known, self.first_frame[of_sequence] + step, step),
            y=self.latents[pair, 0],
            x=self.latents[pair, 1],
            area=self.latents[pair, 2].astype(np.int64),
        )


@dataclass(frozen=True)
class SpriteSequences:
    """N runs of T frames of one sprite each (pairs when ``T == 2``).

    Attributes
    ----------
    images : ndarray of uint8, shape (N, T, H, W) or (N, T, H, W, 3), or None
        The frames: grey when every sprite is white, else RGB. None in a file of factors only.
    factors : ndarray of float32, shape (N, T, 5)
        x, y and scale (fractions of the frame, y upwards), orientation (degrees, counter-clockwise) and shape
        (its code).
    factor_sizes : ndarray of int64, shape (5,)
        Number of values of each factor; 0 for one that is continuous.
    transition : ndarray of int64, shape (N,)
        Row of the transition table that each run's motion came from.
    manifest : dict
        How the data were made (`datagen.manifest`).
    """

    kind: ClassVar[str] = "sprite-sequences"
    factor_names: ClassVar[tuple[str, ...]] = ("x", "y", "scale", "orientation", "shape")

    images: NDArray[np.uint8] | None
    factors: NDArray[np.float32]
    factor_sizes: NDArray[np.int64]
    transition: NDArray[np.int64]
    manifest: dict[str, Any] = field(default_factory=dict)


Dataset = MaskSequences | SpriteSequences
"""Either kind."""
