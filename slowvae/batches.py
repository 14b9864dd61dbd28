"""A dataset on the device, and batches of pairs gathered there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError, counted
from datagen.grids.pairs import second_images
from datagen.grids.priors import Prior
from datagen.lazy_array import parts
from datagen.pairs import first_frames, second_frames
from datagen.splits import split_frames
from slowvae import device as devices
from slowvae.settings import Settings

__all__ = ["Frames", "PairOrder", "TooFewPairsError"]


@dataclass(frozen=True, repr=False)
class Frames:
    """A dataset whose images are held ready for a device.

    Masks are held with one bit a pixel (512 bytes a frame of 64 x 64), other images with a byte. They lie on the device
    if they fit, and in the host's memory otherwise.

    Attributes
    ----------
    pixels : Tensor of uint8, shape (N, P) for masks, (N, C, H, H) for others
        The frames of all sequences. Of masks, P = ceil(H * H / 8), the first pixel in the highest bit.
    image_shape : tuple of int
        (C, H, H).
    device : torch.device
        Where images are wanted.
    dataset : Sequences
        All else.
    firsts : ndarray of int64, or None
        The frames that pairs may begin with, of a part of a split; None for all.
    """

    pixels: Tensor
    image_shape: tuple[int, int, int]
    device: torch.device
    dataset: Sequences
    firsts: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, dataset: Sequences, device: torch.device) -> Frames:
        """Take a dataset to the device.

        Raises
        ------
        DatagenError
            If it has no images, they are not square, or a factor is not finite.
        """
        images = dataset.images
        if images is None:
            raise DatagenError("the file holds factors only; make it again with images to train on it")
        height, width = images.shape[1:3]
        if height != width:
            raise DatagenError(f"images of {height} x {width} pixels: the networks take square ones")
        bad = ~np.isfinite(dataset.factors).all(axis=1)
        if bad.any():
            raise DatagenError(f"the factors of frame {np.argmax(bad)} are not finite ({bad.sum()} frames in all)")
        shape = (images.shape[3] if images.ndim == 4 else 1, height, width)
        packed = images.dtype == bool
        pixels = np.empty((len(images), *((-(-height * width // 8),) if packed else shape)), np.uint8)
        for begin, part in parts(images):
            here = pixels[begin : begin + len(part)]
            if packed:
                here[:] = np.packbits(part.reshape(len(part), -1), axis=1)
            else:
                here[:] = part.reshape(len(part), height, width, -1).transpose(0, 3, 1, 2)
        held = devices.place(torch.from_numpy(pixels), device)
        return cls(held, shape, device, replace(dataset, images=None))

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        held = f"{counted(self.dataset.num_sequences, 'sequence')}, {counted(len(self), 'image')} of {self.image_shape}"
        return f"Frames({held}, factors={self.dataset.factor_names}, device={str(self.device)!r})"

    def at(self, rows: Tensor | slice) -> Tensor:
        """Return images as float32 in [0, 1], (*rows.shape, C, H, H), on the device."""
        return self.images(self.fetch(rows))

    def fetch(self, rows: Tensor | slice) -> Tensor:
        """Return the bytes of images, uint8 (*rows.shape, P) or (*rows.shape, C, H, H), on the device."""
        if isinstance(rows, Tensor):
            rows = rows.to(self.pixels.device)
        found = self.pixels[rows]
        if found.device.type != self.device.type:
            found = found.pin_memory()  # from other memory the copy would be waited for
        return found.to(self.device, non_blocking=True)

    def images(self, found: Tensor) -> Tensor:
        """Return images as float32 in [0, 1] from their bytes, as `fetch` returns them."""
        if self.pixels.ndim > 2:
            return found.float() / 255
        size = self.image_shape[1] * self.image_shape[2]
        bits = _bits(self.device)[found.int()].flatten(-2)[..., :size]
        return bits.unflatten(-1, self.image_shape)

    def part(self, settings: Settings) -> Frames:
        """Return the same frames with pairs of the part of a split alone that a run is trained on.

        Raises
        ------
        UsageError
            If the dataset cannot be split so, or the part is empty.
        """
        if settings.split_protocol == "release":
            return self
        chosen = split_frames(self.dataset, settings.split, settings.split_protocol, settings.split_seed)
        if not len(chosen):
            raise UsageError(
                f"the split {settings.split_protocol} leaves nothing for {settings.split}: too little to split"
            )
        return replace(self, firsts=chosen)

    def shuffled(self, seed: int) -> Frames:
        """Return the same frames in random order over all sequences: the same pictures without their time."""
        order = np.random.default_rng(seed).permutation(len(self))
        rows = torch.from_numpy(order).to(self.pixels.device)
        return replace(
            self, pixels=self.pixels[rows], dataset=replace(self.dataset, factors=self.dataset.factors[order])
        )


@cache
def _bits(device: torch.device) -> Tensor:
    """Return the bits of every byte as float32, the highest first, (256, 8)."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return torch.from_numpy(bits.astype(np.float32)).to(device)


class TooFewPairsError(UsageError):
    """The pairs of a dataset do not fill a batch.

    Attributes
    ----------
    problem : str
        What is wrong, without what to do: not everything that trains lets the size of a batch be chosen.
    """

    def __init__(self, pairs: int, wanted: int) -> None:
        self.problem = f"{counted(pairs, 'pair')} {'does' if pairs == 1 else 'do'} not fill a batch of {wanted}"
        super().__init__(f"{self.problem}; take a smaller batch size")


class PairOrder:
    """In which order each seed sees the pairs.

    As the release's loader draws them (`datagen.pairs`), of a grid by a prior. An epoch goes through all first frames
    in random order and leaves out what does not fill a batch. Batch `i` depends on (seed, i) alone.

    Parameters
    ----------
    frames : Frames
    seeds : sequence of int
    batch_size : int
        Images a batch, an even number.
    max_delta_t : int
        Largest distance within a pair, in frames.
    prior : Prior, optional
        Of a grid: what the second image is drawn by (`datagen.grids`), given any image as the first.

    Raises
    ------
    UsageError
        If there are fewer pairs than a batch holds, a prior is given for sequences, or none for a grid, or the prior
        cannot be drawn from on it.
    """

    def __init__(
        self, frames: Frames, seeds: tuple[int, ...], batch_size: int, max_delta_t: int, prior: Prior | None = None
    ) -> None:
        dataset = frames.dataset
        if prior is None and dataset.has_no_time:
            raise UsageError("a grid has no order in time; name a prior that pairs are drawn by, e.g. laplace")
        if prior is not None and not dataset.has_no_time:
            raise UsageError(
                "a prior draws pairs of a grid; the dataset holds sequences, which have pairs of their own"
            )
        self._firsts, self._lasts, _ = first_frames(dataset.offsets, reach=1 if prior is None else 0)
        if frames.firsts is not None:
            kept = np.isin(self._firsts, frames.firsts)
            self._firsts, self._lasts = self._firsts[kept], self._lasts[kept]
        if prior is not None:
            second_images(self._firsts[:1], dataset, prior, np.random.default_rng(0))  # which says what does not fit
        self._prior, self._dataset = prior, dataset
        self._seeds, self._batch_size, self._max_delta_t = seeds, batch_size, max_delta_t
        self._device = frames.pixels.device
        self._epoch, self._rows = -1, torch.empty(0)
        pairs = len(self._firsts)
        if pairs < batch_size // 2:
            raise TooFewPairsError(pairs, batch_size // 2)
        self.batches_per_epoch = pairs // (batch_size // 2)

    def batch(self, iteration: int) -> Tensor:
        """Return the frames of a batch, int64 (S, B) where the pixels lie; 0 and 1 are a pair, 2 and 3, ..."""
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
        if self._prior is None:
            second = second_frames(first, self._lasts[chosen], self._max_delta_t, rng)
        else:
            second = second_images(first, self._dataset, self._prior, rng)
        return np.stack([first, second], axis=1).reshape(self.batches_per_epoch, self._batch_size)
