"""Pairs of a grid of factors as a torch dataset, and as a source of factors and observations to score a model by.

It stands here because `datagen`, where grids are, imports no torch, and neither `kitti_masks` nor `natsprites` is of
grids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datagen import store
from datagen.arguments import (
    RandomState,
    apply_transform,
    check_items,
    check_random_state,
    check_transform,
    check_whole,
)
from datagen.datasets import Sequences
from datagen.errors import UsageError, counted
from datagen.grids.pairs import check_grid, second_images
from datagen.grids.priors import Laplace, Prior

__all__ = ["GridPairs"]

Pair = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
Transform = Callable[[torch.Tensor], torch.Tensor]


class GridPairs(Dataset[Pair]):
    """Pairs of images of a grid: every image is the first of one, the second is drawn by a prior.

    An item is (first, second, factors_first, factors_second): float32 images (C, H, W) in [0, 1], and float32 factors
    (K,), numbers of values.

    It has what disentanglement_lib asks of its ground-truth data, whose metrics run on it as they are. Observations are
    channels first. A factor that is not to be scored (small NORB's instance) is none of those that are sampled; it is
    drawn at random where images are asked for.

    Parameters
    ----------
    grid : Sequences, str or Path
        A grid, or its file. Images that are not in memory are read as items ask for them, which is slow in random order
        where they are packed in large pieces.
    prior : Prior
        `Uniform`, `Laplace` or `Natural` (`datagen.grids`).
    seed : int
        The second image of item i depends on (seed, epoch, i) alone, so pairs are the same for any number of workers;
        see `set_epoch`.
    transform : callable, optional
        Applied to both images of a pair at once, a float32 tensor (2, C, H, W), so that they share what it draws; to
        each observation by itself, (1, C, H, W). It must keep the first dimension.

    Attributes
    ----------
    factor_names : tuple of str
        The factors of an item.
    num_factors, factors_num_values, observation_shape
        The number of factors that are sampled, their sizes as a list, and [C, H, W]; named as disentanglement_lib does.

    Raises
    ------
    UsageError
        If the dataset is no grid, it has no images, or the prior cannot be drawn from on it.

    Examples
    --------
    >>> from datagen.datasets import Factor
    >>> info = [Factor("x", "", (0, 3), 4), Factor("shape", "", (0, 1), 2, categorical=True)]
    >>> data = GridPairs(Sequences.of_grid(np.zeros((8, 4, 4), dtype=np.uint8), info), Laplace(rate=1.0))
    >>> first, second, factors_first, factors_second = data[3]
    >>> first.shape, factors_first
    (torch.Size([1, 4, 4]), tensor([1., 1.]))
    >>> data.sample_factors(3, random_state=0).shape
    (3, 2)
    """

    def __init__(
        self,
        grid: Sequences | str | Path,
        prior: Prior | None = None,
        seed: int = 0,
        *,
        transform: Transform | None = None,
    ) -> None:
        self._grid = check_grid(grid if isinstance(grid, Sequences) else store.load(grid))
        if self._grid.images is None:
            raise UsageError("the grid has no images")
        check_transform(transform)
        self.prior = Laplace() if prior is None else prior
        self.seed = check_whole("seed", seed, 0)
        self.transform = transform
        self.factor_names = self._grid.factor_names
        self._sizes = tuple(self._grid.factor_sizes.tolist())
        self._scored = [place for place, factor in enumerate(self._grid.factor_info) if factor.scored]
        images = self._grid.images
        # A tensor, because a worker that is spawned is sent a handle of its memory, but a copy of a numpy array.
        self._in_memory = None
        if type(images) is np.ndarray:
            self._in_memory = torch.from_numpy(np.require(images, np.uint8, ["C", "W"]))
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._drawn: tuple[int, NDArray[np.int64]] | None = None
        second_images(np.arange(1), self._grid, self.prior, np.random.default_rng(0))  # which says what does not fit

    @property
    def num_factors(self) -> int:
        """Number of factors that are sampled."""
        return len(self._scored)

    @property
    def factors_num_values(self) -> list[int]:
        """Their sizes."""
        return [self._sizes[place] for place in self._scored]

    @property
    def observation_shape(self) -> list[int]:
        """Channels, height and width of an observation."""
        assert self._grid.images is not None
        _, height, width, *channels = self._grid.images.shape
        return [*(channels or [1]), height, width]

    def __len__(self) -> int:
        return self._grid.num_frames

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.observation_shape))
        return f"GridPairs({counted(len(self), 'pair')} of {size}; {self.prior}, seed={self.seed})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_drawn": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # a copy of the dataset has workers of its own

    def set_epoch(self, epoch: int) -> None:
        """Draw other second images, the same for everyone who is at this epoch with this seed.

        Call it before a `DataLoader` is iterated; persistent workers follow too.

        Raises
        ------
        UsageError
            If it is no whole number, or below 0.
        """
        self._epoch.fill_(check_whole("epoch", epoch, 0))

    def _seconds(self, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the second images of items."""
        epoch = int(self._epoch)
        if self._drawn is None or self._drawn[0] != epoch:
            rng = np.random.default_rng((self.seed, epoch))
            self._drawn = epoch, second_images(np.arange(len(self)), self._grid, self.prior, rng)
        return self._drawn[1][firsts]

    def __getitem__(self, index: int) -> Pair:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Pair]:
        """Return several items at once, which is faster than one by one; a DataLoader calls this."""
        firsts = check_items(indices, len(self))
        numbers = np.stack([firsts, self._seconds(firsts)], axis=1)
        observations = torch.from_numpy(self._observations(numbers.ravel())).unflatten(0, (len(firsts), 2))
        pairs: Sequence[torch.Tensor] = observations.unbind()
        if self.transform is not None:
            pairs = [apply_transform(self.transform, pair) for pair in pairs]
        factors = torch.from_numpy(self._grid.factors[numbers])
        return [(*pair, *of_pair) for pair, of_pair in zip(pairs, factors, strict=True)]

    def _observations(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return images by their numbers, float32 (N, C, H, W) in [0, 1]."""
        held = self._grid.images if self._in_memory is None else self._in_memory.numpy()
        assert held is not None
        images: NDArray[np.float32] = np.asarray(held[numbers], dtype=np.float32) / np.float32(255)
        return images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))

    def sample_factors(self, num: int, random_state: int | RandomState) -> NDArray[np.int64]:
        """Sample factors to score a model by: those of images drawn uniformly.

        They are drawn without replacement while there are enough.

        Parameters
        ----------
        num : int
            How many.
        random_state : int, numpy.random.RandomState or numpy.random.Generator
            Where the random numbers come from; a number is a seed.

        Returns
        -------
        ndarray of int64, shape (num, num_factors)

        Raises
        ------
        UsageError
            For another kind of argument.
        """
        check_whole("num", num, 1)
        numbers = _draw(len(self), num, check_random_state(random_state))
        return np.stack(np.unravel_index(numbers, self._sizes), axis=1)[:, self._scored]

    def sample_observations_from_factors(
        self, factors: NDArray[Any], random_state: int | RandomState
    ) -> NDArray[np.float32]:
        """Return images of factors as `sample_factors` gives them.

        Parameters
        ----------
        factors : ndarray, shape (num, num_factors)
            Numbers of values.
        random_state : int, numpy.random.RandomState or numpy.random.Generator
            Draws the factors that are not scored.

        Returns
        -------
        ndarray of float32, shape (num, C, H, W)
            Images in [0, 1], each transformed by itself where there is a transform.

        Raises
        ------
        UsageError
            For factors of another shape, and for values that there are not.
        """
        random_state = check_random_state(random_state)
        factors = np.asarray(factors)
        if factors.ndim != 2 or factors.shape[1] != self.num_factors or factors.dtype.kind not in "iuf":
            raise UsageError(
                f"factors are {factors.dtype} {factors.shape}; they must be numbers (N, {self.num_factors})"
            )
        sizes = np.array(self.factors_num_values)
        wrong = ~((factors >= 0) & (factors < sizes) & (factors == np.floor(factors)))
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            raise UsageError(
                f"factors, row {row}: {self.factor_names[self._scored[column]]} is {factors[row, column]}; there are "
                f"values 0 to {sizes[column] - 1}"
            )
        columns = [random_state.choice(size, len(factors)) for size in self._sizes]
        for place, column in zip(self._scored, factors.T, strict=True):
            columns[place] = column.astype(np.int64)
        images = self._observations(np.ravel_multi_index(tuple(columns), self._sizes))
        if self.transform is None:
            return images
        return cast(
            NDArray[np.float32],
            torch.cat([apply_transform(self.transform, one[None]) for one in torch.from_numpy(images)]).numpy(),
        )

    def sample(self, num: int, random_state: int | RandomState) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Sample factors and their observations.

        Parameters
        ----------
        num : int
            How many.
        random_state : int, numpy.random.RandomState or numpy.random.Generator
            Where the random numbers come from; a number is a seed.

        Returns
        -------
        factors, observations
            As from `sample_factors` and `sample_observations_from_factors`.
        """
        random_state = check_random_state(random_state)  # one stream for both
        factors = self.sample_factors(num, random_state)
        return factors, self.sample_observations_from_factors(factors, random_state)

    def sample_observations(self, num: int, random_state: int | RandomState) -> NDArray[np.float32]:
        """Sample the observations of `sample` alone; arguments and errors as there."""
        return self.sample(num, random_state)[1]


def _draw(count: int, num: int, random_state: RandomState) -> NDArray[np.int64]:
    """Draw numbers below `count`, without replacement while there are enough."""
    if num > count:
        return random_state.choice(count, num)
    if num > count // 4:
        return random_state.permutation(count)[:num]
    # RandomState without replacement shuffles all for the least draw. To draw again what has come before does the same.
    drawn = random_state.choice(count, num)
    while True:
        _, place = np.unique(drawn, return_index=True)
        if len(place) == num:
            return drawn
        kept = drawn[np.sort(place)]
        drawn = np.concatenate([kept, random_state.choice(count, num - len(kept))])
