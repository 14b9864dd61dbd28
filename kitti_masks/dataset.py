"""KITTI Masks for torch: pairs as the release's loader gives them, or sequences of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from datagen import store
from datagen.arguments import (
    RandomState,
    apply_transform,
    check_items,
    check_random_state,
    check_transform,
    check_whole,
    find_file,
)
from datagen.datasets import MASK_FACTORS, Sequences
from datagen.errors import BadInputError, UsageError
from datagen.lazy_array import LazyArray
from datagen.pairs import first_frames, second_frames
from datagen.splits import Split, SplitProtocol, split_sequences

__all__ = ["KittiMasks", "SampledPairs"]

Item = tuple[Tensor, ...]
Transform = Callable[[Tensor], Tensor]

_FURTHEST = (1 << 31) - 1
"""Largest distance and length in frames: no video is longer, and no sum of two overflows."""


class SampledPairs(Sequence[Item]):
    """A batch that is collated already, and looks like the list of its items to whoever does not know.

    torch's own collating takes it for a list and stacks the items again; `KittiMasks.collate` takes the tensors as
    they are, which is several times faster.

    Attributes
    ----------
    tensors : tuple of Tensor
        What an item holds, with a batch dimension in front.

    Examples
    --------
    >>> import torch
    >>> batch = SampledPairs((torch.zeros(8, 1, 64, 64), torch.zeros(8, 1, 64, 64)))
    >>> len(batch), batch[:2]
    (8, SampledPairs((2, 1, 64, 64), (2, 1, 64, 64)))
    """

    def __init__(self, tensors: Item) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __repr__(self) -> str:
        return f"SampledPairs({', '.join(str(tuple(tensor.shape)) for tensor in self.tensors)})"

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> SampledPairs: ...
    def __getitem__(self, index: int | slice) -> Item | SampledPairs:
        part = tuple(tensor[index] for tensor in self.tensors)
        return SampledPairs(part) if isinstance(index, slice) else part

    def __iter__(self) -> Iterator[Item]:
        return zip(*(tensor.unbind() for tensor in self.tensors), strict=True)


class KittiMasks(Dataset[Item]):
    """KITTI Masks as a map-style dataset.

    An item is a pair, as the release draws it (`datagen.pairs`). With `sequence_length` an item is a sequence of so
    many frames. Masks are held in memory, but for those of a zarr store, which are read when they are asked for.

    The first three arguments are those of the release's class, in its order. Arrays are held as tensors, which the
    workers of a `DataLoader` share, however they are started.

    Parameters
    ----------
    path : str, Path or Sequences
        A dataset file, the dataset itself, or a folder that holds the published file, `kitti_peds_v2.pickle`.
    transform : callable, optional
        Applied to all frames of an item at once, a float32 tensor (2, 1, H, W) of a pair or (T, 1, H, W) of a sequence,
        so that they share what it draws. It must keep the first dimension. Latents are not transformed.
    max_delta_t : int, optional
        Largest distance in frames, 5 by default. 1 is the paper's "mean delta t = 0.05 s", 5 its "0.15 s".
    seed : int, optional
        With a seed the distance of item `i` depends on (seed, epoch, i) alone, so pairs are the same for any number
        of workers and any order; see `set_epoch`. Without, torch's global generator draws it anew at every access.
    split : {"train", "val", "test"}, optional
        Only this part; by default everything.
    protocol : {"release", "by-object", "by-sequence", "random"}, optional
        What is kept together in a split, by default "release", which has a train part only; see `datagen.splits`.
    sequence_length : int, optional
        Give sequences of so many frames instead of pairs; they have `delta_t`, not `max_delta_t`.
    delta_t : int, optional
        Distance in frames between neighbours of such a sequence, 1 by default.
    download : bool
        `path` is a folder: fetch the published file into it, unless it is there and right.

    Attributes
    ----------
    lens : list of int
        Number of items that begin in each sequence (of pairs, its length less 1), as in the release.
    cumlens : ndarray of int64
        Their running sum.

    Raises
    ------
    UsageError
        If an argument is out of range, arguments exclude each other, the folder holds no published file, or the split
        has no such part.
    BadInputError
        If the file is damaged or holds no masks.
    DatagenError
        If the published file cannot be fetched, or the file does not say what the split keeps together.

    Examples
    --------
    >>> masks = np.zeros((5, 16, 16), dtype=bool)
    >>> masks[:, 4:8, 4:8] = True
    >>> data = KittiMasks(Sequences.from_masks([masks]), max_delta_t=2, seed=0)
    >>> len(data)
    4
    >>> first, second, latents_first, latents_second = data[0]
    >>> first.shape, latents_first
    (torch.Size([1, 16, 16]), tensor([ 5.5000,  5.5000, 16.0000]))
    """

    factor_names = MASK_FACTORS

    def __init__(
        self,
        path: str | Path | Sequences = "./data/kitti/",
        transform: Transform | None = None,
        max_delta_t: int | None = None,
        *,
        seed: int | None = None,
        split: Split | None = None,
        protocol: SplitProtocol | None = None,
        sequence_length: int | None = None,
        delta_t: int | None = None,
        download: bool = False,
    ) -> None:
        if isinstance(transform, str) and transform == "default":
            raise UsageError(
                "transform='default': give the function itself, e.g. torchvision's Compose([RandomAffine(2, "
                "translate=(5 / 64, 5 / 64)), RandomHorizontalFlip()]), or None for no augmentation"
            )
        if isinstance(transform, int | np.integer):
            raise UsageError(f"transform={transform}: max_delta_t is the third argument, as in the release; name it")
        check_transform(transform)
        if seed is not None:
            check_whole("seed", seed, 0, (1 << 64) - 1)
        for name, value in (("max_delta_t", max_delta_t), ("delta_t", delta_t), ("sequence_length", sequence_length)):
            if value is not None:
                check_whole(name, value, 1, _FURTHEST)
        if sequence_length is not None and max_delta_t is not None:
            raise UsageError("max_delta_t is of pairs; with sequence_length, delta_t says how far frames are apart")
        if sequence_length is None and delta_t is not None:
            raise UsageError("delta_t is of sequences; without sequence_length, max_delta_t says how far pairs reach")
        if split is None and protocol is not None:
            raise UsageError(f"protocol={protocol!r} says how to split; name the part too, e.g. split='train'")
        dataset = _load(path, download)
        self.transform = transform
        self.max_delta_t = 5 if max_delta_t is None else int(max_delta_t)
        self.seed = seed
        self.sequence_length = sequence_length
        self.delta_t = 1 if delta_t is None else int(delta_t)
        if split is None:
            chosen = np.arange(dataset.num_sequences)
        else:
            chosen = split_sequences(dataset, split, protocol or "release")
            if not len(chosen):
                raise UsageError(
                    f"protocol={protocol!r} leaves nothing for the {split} part: there is too little to split"
                )
        reach = 1 if sequence_length is None else (sequence_length - 1) * self.delta_t
        firsts, lasts, counts = first_frames(dataset.offsets, reach, chosen)
        self.lens: list[int] = counts.tolist()
        self.cumlens = np.cumsum(counts)
        if not len(firsts):
            raise UsageError(f"no sequence has the {reach + 1} frames that an item spans")
        # Tensors, because a worker that is spawned is sent a handle of their memory, but a copy of a numpy array. Bytes
        # of 0 and 1 take a quarter of the memory of floats, and only those that are asked for become floats.
        images = dataset.images
        assert images is not None
        self._image_shape = images.shape[1:]
        self._masks = (
            images
            if isinstance(images, LazyArray)
            else torch.from_numpy(np.require(images, np.bool_, ["C", "W"]).view(np.uint8))
        )
        self._latents = torch.from_numpy(np.require(dataset.factors, np.float32, ["C", "W"]))
        self._firsts, self._lasts = torch.from_numpy(firsts), torch.from_numpy(lasts)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._drawn: tuple[int, NDArray[np.int64]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_drawn": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # a copy of the dataset has workers of its own

    def set_epoch(self, epoch: int) -> None:
        """Draw other second frames, the same for everyone who is at this epoch with this seed.

        Call it before a `DataLoader` is iterated; persistent workers follow too. Without a seed it changes nothing.

        Raises
        ------
        UsageError
            If it is no whole number, or below 0.
        """
        self._epoch.fill_(check_whole("epoch", epoch, 0))

    def _seconds(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the second frames of items."""
        firsts, lasts = self._firsts.numpy(), self._lasts.numpy()
        if self.seed is None:
            rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
            return second_frames(firsts[items], lasts[items], self.max_delta_t, rng)
        epoch = int(self._epoch)
        if self._drawn is None or self._drawn[0] != epoch:
            rng = np.random.default_rng((self.seed, epoch))
            self._drawn = epoch, second_frames(firsts, lasts, self.max_delta_t, rng)
        return self._drawn[1][items]

    def __len__(self) -> int:
        return len(self._firsts)

    def __repr__(self) -> str:
        height, width = self._image_shape
        item = f"max_delta_t={self.max_delta_t}"
        if self.sequence_length is not None:
            item = f"sequence_length={self.sequence_length}, delta_t={self.delta_t}"
        return f"KittiMasks({len(self)} items of {height} x {width}; {item}, seed={self.seed})"

    def __getitem__(self, index: int) -> Item:
        """Return an item.

        Parameters
        ----------
        index : int
            Which; negative ones count from the end. A slice is a `TypeError`.

        Returns
        -------
        tuple of Tensor
            Of pairs: first, second, float32 (1, H, W) of 0 and 1, and latents_first, latents_second, float32 (3,):
            y, x, area. Of sequences: frames (T, 1, H, W) and latents (T, 3). Images are as the transform gives them.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Item]:
        """Return a batch of items at once; torch's `DataLoader` calls it if it is there."""
        items = check_items(indices, len(self))
        firsts = self._firsts.numpy()[items]
        if self.sequence_length is None:
            batch = np.stack([firsts, self._seconds(items)])
            frames = batch.T
        else:
            batch = frames = firsts[:, None] + np.arange(self.sequence_length) * self.delta_t
        if self.transform is None:
            return SampledPairs(self._parts(batch))
        return [self._parts(of_item) for of_item in frames]

    def _parts(self, frames: NDArray[np.int64]) -> Item:
        """Return what an item holds of its frames (T,), or a batch of pairs (2, B) or sequences (B, T) of frames."""
        images, latents = self._images(frames), torch.from_numpy(self._latents.numpy()[frames])
        if self.transform is not None:
            images = apply_transform(self.transform, images)
        return (*images, *latents) if self.sequence_length is None else (images, latents)

    def _images(self, frames: NDArray[np.int64]) -> Tensor:
        """Return frames by their numbers, float32 (*frames.shape, 1, H, W)."""
        # numpy, not torch: a batch is too small to be worth waking the thread pool of torch for.
        masks = self._masks if isinstance(self._masks, LazyArray) else self._masks.numpy()
        return torch.from_numpy(masks[frames].astype(np.float32))[..., None, :, :]

    @staticmethod
    def collate(batch: Sequence[Item]) -> Item:
        """Give the tensors of a batch: ``DataLoader(dataset, 64, collate_fn=dataset.collate)``.

        Of a `Subset` or `ConcatDataset`, too, and of items that were transformed.
        """
        return batch.tensors if isinstance(batch, SampledPairs) else tuple(default_collate(list(batch)))

    def sample(self, num: int, random_state: int | RandomState) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw single frames, as disentanglement_lib's ground-truth data do.

        Parameters
        ----------
        num : int
            How many.
        random_state : int, numpy.random.RandomState or numpy.random.Generator
            Where the randomness comes from; a number is a seed.

        Returns
        -------
        factors : ndarray of float32, shape (num, 3)
            Latents y, x, area of first frames of items, drawn without replacement while there are enough.
        observations : ndarray of float32, shape (num, 1, H, W)
            Their images, each transformed by itself where there is a transform.

        Raises
        ------
        UsageError
            For another kind of argument.
        """
        check_whole("num", num, 1, _FURTHEST)
        drawn = check_random_state(random_state).choice(len(self), num, replace=num > len(self))
        frames = self._firsts.numpy()[drawn]
        images = self._images(frames)
        if self.transform is not None:
            images = torch.cat([apply_transform(self.transform, image[None]) for image in images])
        return self._latents.numpy()[frames], images.numpy()

    def sample_observations(self, num: int, random_state: int | RandomState) -> NDArray[np.float32]:
        """Draw the images of `sample` alone; arguments and errors as there."""
        return self.sample(num, random_state)[1]


def _load(path: str | Path | Sequences, download: bool) -> Sequences:
    """Return the dataset that a path, a folder of the release or a dataset stands for."""
    if isinstance(path, Sequences):
        if not path.holds_masks:
            raise UsageError("path is a dataset of sprites, not of masks; natsprites.NaturalSprites takes it")
        return path
    path = find_file("path", path, "kitti-masks", download)
    dataset = store.load(path, lazy=store.is_folder(path))
    if not dataset.holds_masks:
        raise BadInputError(path, "holds sprites, not masks; natsprites.NaturalSprites reads it")
    return dataset
