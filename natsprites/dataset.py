"""Natural Sprites as a torch dataset of pairs, and as a source of factors and observations to score a model by."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from datagen import store
from datagen import transitions as transition_tables
from datagen.datasets import SpriteSequences
from datagen.errors import UsageError
from datagen.transitions import Transitions
from natsprites.pipeline import build
from natsprites.renderer import Renderer
from natsprites.sampling import factor_space

__all__ = ["NaturalSprites"]

Pair = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
RandomState = np.random.RandomState | np.random.Generator


class NaturalSprites(Dataset[Pair]):
    """Pairs of neighbouring frames of a sprite.

    An item is (first, second, factors_first, factors_second): float32 images (3, H, W) in [0, 1], and float32 factors
    (5,) in the order of `factor_names`. A run of T frames gives T - 1 pairs.

    Parameters
    ----------
    source : str, Path, SpriteSequences or Transitions
        A dataset file, or a table of transitions from which runs are drawn (of files, .csv and .parquet are tables; of
        a folder, the published table in it is taken, `downscale_keepaspect.csv`).
    discrete : bool
        Whether x, y and scale lie on a grid. A dataset file is what it was built as.
    render : {"stored", "on-the-fly"}, optional
        Whether images are held in memory or rendered when asked for; by default held where the source has them.
    seed : int
        Seed of the draws from transitions. Item i is the same in every epoch, process and run.
    pairs : int, optional
        Number of runs to draw from transitions; by default one for each transition that is no outlier, as published.
    image_size : int
        Height and width of images that the source does not hold.
    download : bool
        `source` is a folder: fetch the published table into it, unless it is there and right.

    Attributes
    ----------
    factor_names : tuple of str
        x, y, scale, orientation, shape.
    factor_sizes : tuple of int
        Number of values of each factor; 0 for one that is continuous.

    Raises
    ------
    UsageError
        If the arguments exclude each other, the file is no dataset of sprites, or the folder holds no published table.
    DatagenError
        If the transitions cannot serve, or the published table cannot be fetched.
    """

    factor_names = SpriteSequences.factor_names

    def __init__(
        self,
        source: str | Path | SpriteSequences | Transitions,
        discrete: bool = False,
        render: Literal["stored", "on-the-fly"] | None = None,
        seed: int = 0,
        pairs: int | None = None,
        image_size: int = 64,
        download: bool = False,
    ) -> None:
        if render not in ("stored", "on-the-fly", None):
            raise UsageError(f"render {render!r}: must be 'stored' or 'on-the-fly'")
        if isinstance(source, str | Path):
            if download or Path(source).is_dir():
                from datagen.releases import fetch

                source = fetch("natural-sprites", source, download)
            name, is_table = source, Path(source).suffix.lower() in (".csv", ".parquet")
            loaded = transition_tables.load(source) if is_table else store.load(source)
            if not isinstance(loaded, SpriteSequences | Transitions):
                raise UsageError(f"{name}: holds masks, not sprites")
            source = loaded
        factors: NDArray[Any] | None = None
        if isinstance(source, Transitions):
            space = factor_space(source, discrete)
            pairs = len(space.motion) if pairs is None else pairs
            factors_only = render != "stored"
            source = build(source, pairs, seed, discrete=discrete, image_size=image_size, factors_only=factors_only)
            factors = space.factors(space.draw(pairs, seed))  # float64, from which `build` renders
        if discrete and not source.factor_sizes[:3].all():
            raise UsageError("the file's factors are continuous; build one with --discrete")
        if source.factors.shape[1] < 2:
            raise UsageError("the file holds single frames, not pairs")
        colored = source.images is not None and source.images.ndim == 5
        if render == "stored" and source.images is None:
            raise UsageError("the file holds no images; render on the fly")
        if render == "on-the-fly" and colored:
            raise UsageError("the file's sprites are coloured, and colours are no factors; use the stored images")
        self.factor_sizes = tuple(source.factor_sizes.tolist())
        self._factors = source.factors if factors is None else factors
        self._images = None if render == "on-the-fly" else source.images
        self._renderer = Renderer(image_size if source.images is None else source.images.shape[2])
        self._colors = np.array(source.manifest["parameters"]["colors"]) if colored else np.ones((1, 3))
        values = source.manifest["factor_values"] if self.is_discrete else {}
        self._grid = [np.array(values[name]) for name in values]

    @property
    def is_discrete(self) -> bool:
        """Whether all factors lie on a grid."""
        return all(self.factor_sizes)

    def __len__(self) -> int:
        runs, length, _ = self._factors.shape
        return runs * (length - 1)

    def __getitem__(self, index: int) -> Pair:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[Pair]:
        """Return several items at once, which is faster than one by one; a DataLoader calls this."""
        if not all(0 <= index < len(self) for index in indices):
            raise IndexError(f"indices must be from 0 to {len(self) - 1}")
        run, step = np.divmod(np.array(indices)[:, None], self._factors.shape[1] - 1)
        steps = np.hstack([step, step + 1])
        factors = self._factors[run, steps]
        if self._images is None:
            x, y, scale, angle, shape = factors.reshape(-1, 5).T
            images = self._renderer.render(x, y, scale, angle, shape, grey=True, dtype=np.float32)
        else:
            images = self._images[run, steps].reshape(-1, *self._images.shape[2:]) / np.float32(255)
        observations = _channels_first(torch.from_numpy(images)).unflatten(0, (len(indices), 2))
        of_factors = torch.from_numpy(factors).float()
        return list(zip(observations[:, 0], observations[:, 1], of_factors[:, 0], of_factors[:, 1], strict=True))

    def sample_factors(self, num: int, random_state: RandomState) -> NDArray[Any]:
        """Sample factors to score a model by, as the release does.

        Parameters
        ----------
        num : int
            How many.
        random_state : numpy.random.RandomState or numpy.random.Generator
            Where the random numbers come from.

        Returns
        -------
        ndarray, shape (num, 5)
            If discrete, int64 places on the grid, every factor uniform and independent; else the factors of first
            frames, drawn with replacement.
        """
        if self.is_discrete:
            return np.stack([random_state.choice(size, num) for size in self.factor_sizes], axis=1)
        return self._factors[random_state.choice(len(self._factors), num), 0]

    def sample_observations_from_factors(self, factors: NDArray[Any], random_state: RandomState) -> NDArray[np.float32]:
        """Render factors as `sample_factors` gives them.

        Parameters
        ----------
        factors : ndarray, shape (num, 5)
            Places on the grid if discrete, else factors.
        random_state : numpy.random.RandomState or numpy.random.Generator
            Draws the colours where there are several: they are no factors.

        Returns
        -------
        ndarray of float32, shape (num, 3, H, W)
            Images in [0, 1].
        """
        factors = np.asarray(factors)
        if self.is_discrete:
            factors = np.stack([values[places] for values, places in zip(self._grid, factors.T, strict=True)], axis=1)
        x, y, scale, angle, shape = factors.T
        colors = self._colors[random_state.choice(len(self._colors), len(factors))]
        images = self._renderer.render(x, y, scale, angle, shape, colors, dtype=np.float32)
        return images.transpose(0, 3, 1, 2)

    def sample(self, num: int, random_state: RandomState) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Sample factors and their observations.

        Parameters
        ----------
        num : int
            How many.
        random_state : numpy.random.RandomState or numpy.random.Generator
            Where the random numbers come from.

        Returns
        -------
        factors, observations
            As from `sample_factors` and `sample_observations_from_factors`.
        """
        factors = self.sample_factors(num, random_state)
        return factors, self.sample_observations_from_factors(factors, random_state)


def _channels_first(images: torch.Tensor) -> torch.Tensor:
    """Turn images (N, H, W) or (N, H, W, 3) into (N, 3, H, W); grey channels share memory."""
    return images[:, None].expand(-1, 3, -1, -1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
