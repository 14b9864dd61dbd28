"""KITTI Masks for torch: pairs as the release's loader gives them, or sequences of fixed length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datagen import store
from datagen.datasets import MaskSequences
from datagen.errors import BadInputError, UsageError
from kitti_masks.splits import Protocol, Split, split_sequences

__all__ = ["KittiMasks", "SampledPairs"]

Item = tuple[Tensor, ...]
Transform = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class SampledPairs(Sequence[Item]):
    """A batch that is collated already, and looks like the list of its items to whoever does not know.

    torch's own collating takes it for a list and stacks the items again; `KittiMasks.collate` takes the tensors as
    they are, which is several times faster.

    Attributes
    ----------
    tensors : tuple of Tensor
        What an item holds, with a batch dimension in front.
    """

    def __init__(self, tensors: Item) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

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

    An item is a pair, as the release draws it: the first frame is any but the last of its sequence; the second lies
    t ~ Uniform{1, ..., max_delta_t} frames later, or at the end of the sequence if that comes before.

    Parameters
    ----------
    data : str, Path or MaskSequences
        A dataset file, the dataset itself, or a folder that holds the published file, `kitti_peds_v2.pickle`.
    max_delta_t : int
        Largest distance in frames. 1 is the paper's "mean delta t = 0.05 s", 5 its "0.15 s".
    transform : callable, optional
        Applied to the two images of a pair, (1, H, W) each, together.
    seed : int, optional
        With a seed the distance of item `i` depends on (seed, epoch, i) alone, so pairs are the same for any number
        of workers and any order; see `set_epoch`. Without, torch's global generator draws it anew at every access.
    split : {"train", "val", "test"}, optional
        Only this part; by default everything.
    protocol : {"release", "by-object", "by-sequence", "random"}
        What is kept together in a split; see `kitti_masks.splits`.
    sequence_length : int, optional
        Give sequences of so many frames instead of pairs.
    delta_t : int
        Distance in frames between neighbours of such a sequence.
    download : bool
        `data` is a folder: fetch the published file into it, unless it is there and right.

    Raises
    ------
    UsageError
        If an argument is out of range, or the folder holds no published file.
    BadInputError
        If the file is damaged or holds no masks.
    DatagenError
        If the published file cannot be fetched.
    """

    factor_names = MaskSequences.factor_names

    def __init__(
        self,
        data: str | Path | MaskSequences,
        max_delta_t: int = 5,
        transform: Transform | None = None,
        seed: int | None = None,
        *,
        split: Split | None = None,
        protocol: Protocol = "release",
        sequence_length: int | None = None,
        delta_t: int = 1,
        download: bool = False,
    ) -> None:
        for name, value in (("max_delta_t", max_delta_t), ("delta_t", delta_t), ("sequence_length", sequence_length)):
            if value is not None and value < 1:
                raise UsageError(f"{name}={value}: must be at least 1")
        if not isinstance(data, MaskSequences) and (download or Path(data).is_dir()):
            from datagen.releases import fetch

            data = fetch("kitti-masks", data, download)
        dataset = data if isinstance(data, MaskSequences) else store.load(data)
        if not isinstance(dataset, MaskSequences):
            raise BadInputError(str(data), "holds sprites, not masks; natsprites.NaturalSprites reads it")
        self.max_delta_t = max_delta_t
        self.transform = transform
        self.seed = seed
        self.sequence_length = sequence_length
        self.delta_t = delta_t
        # Bytes of 0 and 1 take a quarter of the memory of floats, and only those that are asked for become floats.
        self._masks = dataset.masks.view(np.uint8)[:, None]
        self._latents = dataset.latents
        chosen = np.arange(dataset.num_sequences) if split is None else split_sequences(dataset, split, protocol)
        begins, ends = dataset.offsets[chosen], dataset.offsets[chosen + 1]
        reach = 1 if sequence_length is None else (sequence_length - 1) * delta_t
        counts = np.maximum(ends - begins - reach, 0)
        self._starts = _ranges(begins, counts)
        self._lasts = np.repeat(ends - 1, counts)
        if not len(self._starts):
            raise UsageError(f"no sequence has the {reach + 1} frames that an item spans")
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw other second frames, the same for everyone who is at this epoch with this seed.

        Call it before a `DataLoader` is iterated (its workers copy the dataset then). Without a seed it does nothing.
        """
        self._distances = (
            None
            if self.seed is None
            else np.random.default_rng((self.seed, epoch)).integers(1, self.max_delta_t + 1, size=len(self._starts))
        )

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Item:
        """Return an item.

        Parameters
        ----------
        index : int
            Which; negative ones count from the end.

        Returns
        -------
        tuple of Tensor
            Of pairs: first, second, float32 (1, H, W) of 0 and 1, and latents_first, latents_second, float32 (3,):
            y, x, area. Of sequences: frames (T, 1, H, W) and latents (T, 3).
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        if self.sequence_length is not None:
            return self.__getitems__([index])[0]
        start = self._starts[index]
        distance = (
            int(torch.randint(1, self.max_delta_t + 1, ())) if self._distances is None else self._distances[index]
        )
        end = min(start + distance, self._lasts[index])
        first, second = (torch.from_numpy(self._masks[frame].astype(np.float32)) for frame in (start, end))
        if self.transform is not None:
            first, second = self.transform(first, second)
        return first, second, torch.from_numpy(self._latents[start]), torch.from_numpy(self._latents[end])

    def __getitems__(self, indices: Sequence[int]) -> SampledPairs:
        """Return a batch of items at once; torch's `DataLoader` calls it if it is there."""
        items = np.asarray(indices)
        starts = self._starts[items]
        if self.sequence_length is not None:
            frames = starts[:, None] + np.arange(self.sequence_length) * self.delta_t
            return SampledPairs((self._images(frames), torch.from_numpy(self._latents[frames])))
        if self._distances is None:
            distances = torch.randint(1, self.max_delta_t + 1, (len(items),)).numpy()
        else:
            distances = self._distances[items]
        frames = np.stack([starts, np.minimum(starts + distances, self._lasts[items])])
        first, second = self._images(frames)
        if self.transform is not None:
            pairs = [self.transform(*pair) for pair in zip(first, second, strict=True)]
            first, second = torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])
        return SampledPairs((first, second, *torch.from_numpy(self._latents[frames])))

    def _images(self, frames: NDArray[np.int64]) -> Tensor:
        """Return frames by their numbers, float32 (*frames.shape, 1, H, W)."""
        # numpy, not torch: a batch is too small to be worth waking the thread pool of torch for.
        return torch.from_numpy(self._masks[frames].astype(np.float32))

    @staticmethod
    def collate(batch: SampledPairs) -> Item:
        """Give the tensors of a batch: ``DataLoader(dataset, 64, collate_fn=dataset.collate)``."""
        return batch.tensors

    def sample(self, num: int, random_state: np.random.RandomState) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw single frames, as disentanglement_lib's ground-truth data do.

        Parameters
        ----------
        num : int
            How many.
        random_state : RandomState
            Where the randomness comes from.

        Returns
        -------
        factors : ndarray of float32, shape (num, 3)
            Latents y, x, area of first frames of items, drawn without replacement while there are enough.
        observations : ndarray of float32, shape (num, 1, H, W)
            Their images.
        """
        drawn = random_state.choice(len(self._starts), num, replace=num > len(self._starts))
        frames = self._starts[drawn]
        return self._latents[frames], self._images(frames).numpy()


def _ranges(begins: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``begins[i], begins[i] + 1, ...``, `counts[i]` numbers each, laid end to end."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - (ends - counts), counts)
