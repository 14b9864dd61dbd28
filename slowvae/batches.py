"""A dataset on the device, and batches of pairs gathered there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError
from datagen.pairs import first_frames, second_frames

__all__ = ["Frames", "PairOrder"]


@dataclass(frozen=True)
class Frames:
    """N frames of a dataset, laid end to end, their images on the device.

    Attributes
    ----------
    images : Tensor of uint8, shape (N, C, H, W)
    white : int
        The value of white: 1 for masks, 255 for pictures.
    factors : ndarray of float32, shape (N, K)
    factor_names : tuple of str
    discrete : bool
        Whether every factor has few values, so that all metrics apply.
    offsets : ndarray of int64, shape (S + 1,)
        Where each sequence begins; the last entry is N.
    """

    images: Tensor
    white: int
    factors: NDArray[np.float32]
    factor_names: tuple[str, ...]
    discrete: bool
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Sequences, device: torch.device) -> Frames:
        """Take a dataset to the device.

        Raises
        ------
        DatagenError
            If it has no images, they are not square, or a factor is not finite.
        """
        if dataset.images is None:
            raise DatagenError("the file holds factors only; make it again with images to train on it")
        white = 1 if dataset.images.dtype == bool else 255
        images, factors = dataset.images.view(np.uint8), dataset.factors
        images = images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        if images.shape[2] != images.shape[3]:
            raise DatagenError(f"images of {images.shape[2]} x {images.shape[3]} pixels: the networks take square ones")
        bad = ~np.isfinite(factors).all(axis=1)
        if bad.any():
            raise DatagenError(f"the factors of frame {np.argmax(bad)} are not finite ({bad.sum()} frames in all)")
        held = torch.from_numpy(images).to(device)
        return cls(held, white, factors, dataset.factor_names, dataset.is_discrete, dataset.offsets)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        sequences, shape, device = len(self.offsets) - 1, tuple(self.images.shape), str(self.images.device)
        return f"Frames({sequences:,} sequences, images={shape}, factors={self.factor_names}, device={device!r})"

    def at(self, rows: Tensor | slice) -> Tensor:
        """Return images as float32 in [0, 1], (*rows.shape, C, H, W)."""
        images = self.images[rows].float()
        return images if self.white == 1 else images / self.white

    def changing_factors(self) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """Return the factors that change at all, (N, K), and their names; no metric can score the others."""
        changing = np.ptp(self.factors, axis=0) > 0
        return self.factors[:, changing], tuple(np.array(self.factor_names)[changing].tolist())

    def sequence(self) -> NDArray[np.int64]:
        """Return the number of the sequence that each frame belongs to, (N,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def shuffled(self, seed: int) -> Frames:
        """Return the same frames in random order over all sequences: the same pictures without their time."""
        order = np.random.default_rng(seed).permutation(len(self))
        rows = torch.from_numpy(order).to(self.images.device)
        return replace(self, images=self.images[rows], factors=self.factors[order])


class PairOrder:
    """In which order each seed sees the pairs.

    As the release's loader draws them (`datagen.pairs`). An epoch goes through all first frames in random order and
    leaves out what does not fill a batch. Batch `i` depends on (seed, i) alone.

    Parameters
    ----------
    frames : Frames
    seeds : sequence of int
    batch_size : int
        Images a batch, an even number.
    max_delta_t : int
        Largest distance within a pair, in frames.

    Raises
    ------
    UsageError
        If there are fewer pairs than a batch holds.
    """

    def __init__(self, frames: Frames, seeds: tuple[int, ...], batch_size: int, max_delta_t: int) -> None:
        self._firsts, self._lasts, _ = first_frames(frames.offsets)
        self._seeds, self._batch_size, self._max_delta_t = seeds, batch_size, max_delta_t
        self._device = frames.images.device
        self._epoch, self._rows = -1, torch.empty(0)
        pairs = len(self._firsts)
        if pairs < batch_size // 2:
            raise UsageError(f"{pairs} pairs do not fill a batch of {batch_size // 2}; take a smaller batch size")
        self.batches_per_epoch = pairs // (batch_size // 2)

    def batch(self, iteration: int) -> Tensor:
        """Return the frames of a batch, int64 (S, B) on the device; 0 and 1 are a pair, 2 and 3, ..."""
        epoch, place = divmod(iteration, self.batches_per_epoch)
        if epoch != self._epoch:
            self._rows = torch.from_numpy(np.stack([self._draw(seed, epoch) for seed in self._seeds], axis=1))
            self._rows, self._epoch = self._rows.to(self._device), epoch
        return self._rows[place]

    def _draw(self, seed: int, epoch: int) -> NDArray[Any]:
        """Return the frames of all batches of an epoch, (batches, B)."""
        rng = np.random.default_rng((seed, epoch))
        chosen = rng.permutation(len(self._firsts))[: self.batches_per_epoch * (self._batch_size // 2)]
        first = self._firsts[chosen]
        second = second_frames(first, self._lasts[chosen], self._max_delta_t, rng)
        return np.stack([first, second], axis=1).reshape(self.batches_per_epoch, self._batch_size)
