"""Natural Sprites as a torch dataset of pairs, and as a source of factors and observations to score a model by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

import datagen
from datagen.arguments import (
    RandomState,
    apply_transform,
    check_items,
    check_random_state,
    check_transform,
    check_whole,
    find_file,
    is_whole,
)
from datagen.datasets import SPRITE_FACTORS, Sequences
from datagen.errors import UsageError, counted
from datagen.pairs import first_frames
from datagen.transitions import Transitions
from natsprites.pipeline import build
from natsprites.renderer import Renderer
from natsprites.sampling import factor_space

__all__ = ["NaturalSprites"]

Pair = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
Transform = Callable[[torch.Tensor], torch.Tensor]


class NaturalSprites(Dataset[Pair]):
    """Pairs of neighbouring frames of a sprite.

    An item is (first, second, factors_first, factors_second): float32 images (C, H, W) in [0, 1], and float32 factors
    (5,) in the order of `factor_names`. A sequence of T frames gives T - 1 pairs.

    It has what disentanglement_lib asks of its ground-truth data, whose metrics run on it as they are. Observations are
    channels first, as the release's are and as torch takes them.

    Arrays are held as tensors, which the workers of a `DataLoader` share, however they are started.

    Parameters
    ----------
    source : str, Path, Sequences or Transitions
        A dataset or its file, or a table of transitions from which sequences are drawn (of files, .csv and .parquet are
        tables; of a folder, the published table in it is taken, `downscale_keepaspect.csv`).
    discrete : bool
        Whether x, y and scale lie on a grid. A dataset file is what it was built as.
    render : {"stored", "on-the-fly"}, optional
        Whether images are held in memory or rendered when asked for; by default held where the source has them.
    transform : callable, optional
        Applied to both images of a pair at once, a float32 tensor (2, C, H, W), so that they share what it draws; to
        each observation by itself, (1, C, H, W). It must keep the first dimension. Factors are not transformed.
    seed : int
        Seed of the draws from transitions. Item i is the same in every epoch, process and run.
    pairs : int, optional
        Number of sequences to draw from transitions; by default one for each transition that is no outlier, as
        published.
    image_size : int, optional
        Height and width of images that the source does not hold, by default 64.
    download : bool
        `source` is a folder: fetch the published table into it, unless it is there and right.
    channels : {3, 1}
        3 as in the release, where grey images have three equal channels. A network that `datagen train` trained on grey
        sprites takes 1.

    Attributes
    ----------
    factor_names : tuple of str
        x, y, scale, orientation, shape.
    factor_sizes : tuple of int
        Number of values of each factor; 0 for one that is continuous.
    num_factors, factors_num_values, observation_shape
        The same as disentanglement_lib names it: 5, the sizes as a list, and [C, H, W].

    Raises
    ------
    UsageError
        If the arguments exclude each other, the file is no dataset of sprites, or the folder holds no published table.
    DatagenError
        If the transitions cannot serve, or the published table cannot be fetched.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> texts, numbers = np.full(100, ""), np.arange(100)
    >>> x, y = rng.uniform(10, 50, (2, 100, 2))
    >>> table = Transitions(texts, texts, numbers, texts, numbers, numbers, y, x, rng.integers(50, 500, (100, 2)))
    >>> data = NaturalSprites(table, pairs=8)
    >>> first, second, factors_first, factors_second = data[0]
    >>> first.shape, factors_first.shape
    (torch.Size([3, 64, 64]), torch.Size([5]))
    """

    factor_names = SPRITE_FACTORS

    def __init__(
        self,
        source: str | Path | Sequences | Transitions,
        discrete: bool = False,
        *,
        render: Literal["stored", "on-the-fly"] | None = None,
        transform: Transform | None = None,
        seed: int = 0,
        pairs: int | None = None,
        image_size: int | None = None,
        download: bool = False,
        channels: Literal[3, 1] = 3,
    ) -> None:
        if not isinstance(render, str | None) or render not in ("stored", "on-the-fly", None):
            raise UsageError(f"render {render!r}: must be 'stored' or 'on-the-fly'")
        if not isinstance(discrete, bool | np.bool_):
            raise UsageError(f"discrete is a {type(discrete).__name__}: must be True or False")
        if not is_whole(channels, 1, 3) or channels == 2:
            raise UsageError(f"channels={channels!r:.60}: must be 3 or 1")
        check_transform(transform)
        check_whole("seed", seed, 0)
        if pairs is not None:
            check_whole("pairs", pairs, 1)
        renderer = Renderer(64 if image_size is None else image_size)
        source = _load(source, download)
        factors: NDArray[Any] | None = None
        if isinstance(source, Transitions):
            space = factor_space(source, discrete)
            pairs = len(space.motion) if pairs is None else pairs
            size, factors_only = renderer.image_size, render != "stored"
            source = build(source, pairs, seed, discrete=discrete, image_size=size, factors_only=factors_only)
            factors = space.factors(space.draw(pairs, seed)).reshape(-1, 5)  # float64, from which `build` renders
        elif pairs is not None:
            raise UsageError("pairs is of a table, from which they are drawn; a dataset file has as many as it holds")
        if discrete and not source.factor_sizes[:3].all():
            raise UsageError("the file's factors are continuous; build one with --discrete")
        firsts, _, _ = first_frames(source.offsets)
        if not len(firsts):
            raise UsageError("the file holds single frames, not pairs")
        colored = source.images is not None and source.images.ndim == 4
        if render == "stored" and source.images is None:
            raise UsageError("the file holds no images; render on the fly")
        if render == "on-the-fly" and colored:
            raise UsageError("the file's sprites are coloured, and colours are no factors; use the stored images")
        if channels == 1 and colored:
            raise UsageError("channels=1, but the file's sprites are coloured")
        if source.images is not None and source.images.shape[1:3] != (renderer.image_size,) * 2:
            if image_size is not None:
                raise UsageError(f"image_size={image_size}, but the file's images are {source.images.shape[1:3]}")
            renderer = Renderer(source.images.shape[1])
        self.channels = int(channels)
        self.transform = transform
        self.factor_sizes = tuple(source.factor_sizes.tolist())
        # Tensors, because a worker that is spawned is sent a handle of their memory, but a copy of a numpy array.
        self._factors = torch.from_numpy(np.require(source.factors if factors is None else factors, None, ["C", "W"]))
        self._firsts, self._begins = torch.from_numpy(firsts), source.offsets[:-1]
        self._images = None
        if source.images is not None and render != "on-the-fly":
            self._images = torch.from_numpy(np.require(source.images, None, ["C", "W"]))
        self._renderer = renderer
        self._colors = _colors(source) if colored else np.ones((1, 3))
        self._grid = _grid(source) if self.is_discrete else []

    @property
    def num_factors(self) -> int:
        """Number of factors."""
        return len(self.factor_sizes)

    @property
    def factors_num_values(self) -> list[int]:
        """`factor_sizes` as a list."""
        return list(self.factor_sizes)

    @property
    def observation_shape(self) -> list[int]:
        """Channels, height and width of an observation."""
        return [self.channels, self._renderer.image_size, self._renderer.image_size]

    @property
    def is_discrete(self) -> bool:
        """Whether all factors lie on a grid."""
        return all(self.factor_sizes)

    def __len__(self) -> int:
        return len(self._firsts)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.observation_shape))
        return f"NaturalSprites({counted(len(self), 'pair')} of {size}; factor sizes {self.factor_sizes})"

    def __getitem__(self, index: int) -> Pair:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Pair]:
        """Return several items at once, which is faster than one by one; a DataLoader calls this."""
        items = check_items(indices, len(self))
        frames = self._firsts.numpy()[items][:, None] + np.arange(2)
        factors = self._factors.numpy()[frames]
        if self._images is None:
            x, y, scale, angle, shape = factors.reshape(-1, 5).T
            images = self._renderer.render(x, y, scale, angle, shape, grey=True, dtype=np.float32)
        else:
            images = self._images.numpy()[frames.ravel()] / np.float32(255)
        observations = self._channels_first(torch.from_numpy(images)).unflatten(0, (len(items), 2))
        pairs: Sequence[torch.Tensor] = observations.unbind()
        if self.transform is not None:  # of memory of their own: a transform may work in place
            pairs = [apply_transform(self.transform, pair.contiguous()) for pair in pairs]
        of_factors = torch.from_numpy(factors).float()
        return [(*pair, *of_pair) for pair, of_pair in zip(pairs, of_factors, strict=True)]

    def _channels_first(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (N, H, W) or (N, H, W, 3) into (N, C, H, W); equal channels share memory."""
        return images[:, None].expand(-1, self.channels, -1, -1) if images.ndim == 3 else images.permute(0, 3, 1, 2)

    def sample_factors(self, num: int, random_state: int | RandomState) -> NDArray[Any]:
        """Sample factors to score a model by, as the release does.

        Parameters
        ----------
        num : int
            How many.
        random_state : int, numpy.random.RandomState or numpy.random.Generator
            Where the random numbers come from; a number is a seed.

        Returns
        -------
        ndarray, shape (num, 5)
            If discrete, int64 places on the grid, every factor uniform and independent; else the factors of first
            frames, drawn with replacement.

        Raises
        ------
        UsageError
            For another kind of argument.
        """
        check_whole("num", num, 1)
        random_state = check_random_state(random_state)
        if self.is_discrete:
            return np.stack([random_state.choice(size, num) for size in self.factor_sizes], axis=1)
        return self._factors.numpy()[self._begins[random_state.choice(len(self._begins), num)]]

    def sample_observations_from_factors(
        self, factors: NDArray[Any], random_state: int | RandomState
    ) -> NDArray[np.float32]:
        """Render factors as `sample_factors` gives them.

        Parameters
        ----------
        factors : ndarray, shape (num, 5)
            Places on the grid if discrete, else factors.
        random_state : int, numpy.random.RandomState or numpy.random.Generator
            Draws the colours where there are several: they are no factors.

        Returns
        -------
        ndarray of float32, shape (num, C, H, W)
            Images in [0, 1], each transformed by itself where there is a transform.

        Raises
        ------
        UsageError
            For factors of another shape, and for such as no sprite has.
        """
        random_state = check_random_state(random_state)
        factors = np.asarray(factors)
        if factors.ndim != 2 or factors.shape[1] != self.num_factors or factors.dtype.kind not in "iuf":
            raise UsageError(
                f"factors are {factors.dtype} {factors.shape}; they must be numbers (N, {self.num_factors})"
            )
        if self.is_discrete:
            wrong = ~np.isin(factors, np.arange(max(self.factor_sizes))) | (factors >= self.factor_sizes)
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                raise UsageError(
                    f"factors, row {row}: {self.factor_names[column]} is {factors[row, column]}; discrete factors are "
                    f"places on the grid, here 0 to {self.factor_sizes[column] - 1}"
                )
            places = factors.astype(np.int64).T
            factors = np.stack([values[place] for values, place in zip(self._grid, places, strict=True)], axis=1)
        x, y, scale, angle, shape = factors.T
        colors = self._colors[random_state.choice(len(self._colors), len(factors))]
        images = self._renderer.render(x, y, scale, angle, shape, colors, dtype=np.float32).transpose(0, 3, 1, 2)
        images = images[:, : self.channels]
        if self.transform is None:
            return images
        observations = torch.from_numpy(images).contiguous()
        return torch.cat([apply_transform(self.transform, one[None]) for one in observations]).numpy()

    def sample(self, num: int, random_state: int | RandomState) -> tuple[NDArray[Any], NDArray[np.float32]]:
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


def _load(source: str | Path | Sequences | Transitions, download: bool) -> Sequences | Transitions:
    """Return the dataset or the table that a path stands for."""
    if isinstance(source, Sequences | Transitions):
        loaded, where, reads = source, "source", "takes"
    else:
        path = find_file("source", source, "natural-sprites", download)
        loaded, where, reads = datagen.load(path), str(path), "reads"
    if isinstance(loaded, Sequences) and loaded.factor_names != SPRITE_FACTORS:
        raise UsageError(f"{where}: holds masks, not sprites; kitti_masks.KittiMasks {reads} it")
    return loaded


def _colors(source: Sequences) -> NDArray[np.float64]:
    """Return the colours that sprites were drawn in, (C, 3), which the manifest tells."""
    try:
        colors = np.array(source.manifest["parameters"]["colors"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        colors = np.empty(0)
    if colors.ndim != 2 or colors.shape[1] != 3 or not len(colors) or not ((colors >= 0) & (colors <= 1)).all():
        raise UsageError(
            "the file's sprites are coloured, but its manifest does not say in which colours; build it anew"
        )
    return colors


def _grid(source: Sequences) -> list[NDArray[np.float64]]:
    """Return the values of each factor of discrete sprites, which the manifest tells."""
    try:
        values = source.manifest["factor_values"]
        grid = [np.array(values[name], dtype=np.float64) for name in source.factor_names]
    except (KeyError, TypeError, ValueError):
        grid = []
    if [of_factor.shape for of_factor in grid] != [(size,) for size in source.factor_sizes.tolist()]:
        raise UsageError("the file's factors are discrete, but its manifest does not say their values; build it anew")
    return grid
