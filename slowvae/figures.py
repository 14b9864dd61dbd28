"""Pictures of trained networks; matplotlib (the extra ``figures``) draws the plots."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from datagen.files import atomic_path
from slowvae.model import VAE

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

__all__ = ["figure_png", "save_traversals", "scatters", "sheet", "traversals", "traversals_gif"]

_STEPS = 40


@torch.no_grad()
def traversals(network: VAE, latents: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Decode what happens when one latent at a time moves through its range.

    The range of a latent is the 5 % to 95 % of a normal distribution fitted to it, in 40 steps, as in the release.

    Parameters
    ----------
    network : VAE
        A single network.
    latents : ndarray of float32, shape (N, Z)
        Of the data.
    start : ndarray of float32, shape (M, Z)
        Latents of the images to start from.

    Returns
    -------
    ndarray of uint8, shape (40, M, Z, H, W, C)
    """
    from scipy.stats import norm

    low, high = norm.ppf([[0.05], [0.95]], latents.mean(axis=0), np.maximum(latents.std(axis=0), 1e-9))  # (Z,) each
    paths = np.linspace(low, high, _STEPS)  # (40, Z)
    num_images, z_dim = start.shape
    z = np.broadcast_to(start[:, None], (_STEPS, num_images, z_dim, z_dim)).copy()  # the moving latent comes third
    diagonal = np.arange(z_dim)
    z[:, :, diagonal, diagonal] = paths[:, None]
    device = next(network.parameters()).device
    logits = network.decode(torch.from_numpy(z.reshape(-1, z_dim)).float().to(device))
    images = (torch.sigmoid(logits) * 255).round().byte().cpu().numpy()
    return np.moveaxis(images.reshape(_STEPS, num_images, z_dim, *images.shape[1:]), 3, -1)


def sheet(images: NDArray[np.uint8]) -> Image.Image:
    """Lay images out in rows and columns, framed in grey: uint8 (rows, columns, H, W, C) to one picture."""
    from PIL import Image

    rows, columns, height, width, channels = images.shape
    framed = np.pad(images, [(0, 0)] * 2 + [(1, 1)] * 2 + [(0, 0)], constant_values=96)
    laid = framed.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 2), columns * (width + 2), channels)
    return Image.fromarray(laid[..., 0] if channels == 1 else laid)


def save_traversals(images: NDArray[np.uint8], path: str | Path) -> None:
    """Save traversals as the file of `traversals_gif`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(traversals_gif(images))


def traversals_gif(images: NDArray[np.uint8]) -> bytes:
    """Return traversals as the bytes of an endless GIF, there and back: one row per image, one column per latent."""
    pictures = [sheet(step) for step in images]
    there_and_back = pictures + pictures[-2:0:-1]
    buffer = BytesIO()
    there_and_back[0].save(buffer, "gif", save_all=True, append_images=there_and_back[1:], duration=50, loop=0)
    return buffer.getvalue()


def scatters(
    latents: NDArray[np.float32],
    factors: NDArray[np.float32],
    names: tuple[str, ...],
    correlation: NDArray[Any],
    caption: str = "",
) -> Figure:
    """Draw every latent against every factor, the correlation above.

    Parameters
    ----------
    latents : ndarray, shape (N, Z)
    factors : ndarray, shape (N, K)
    names : tuple of str
        Of the factors.
    correlation : ndarray, shape (K, Z)
        What to write above each plot, e.g. that of `slowvae.metrics.mcc`.
    caption : str
        What to write above all, e.g. by which protocol they were taken.

    Returns
    -------
    matplotlib.figure.Figure
        One row per factor, one column per latent; at most 2,000 samples.
    """
    from matplotlib.figure import Figure

    rows = np.random.default_rng(0).permutation(len(latents))[:2000]
    num_factors, z_dim = correlation.shape
    figure = Figure(figsize=(1.4 * z_dim, 1.5 * num_factors), layout="constrained")
    if caption:
        figure.suptitle(caption, fontsize=8)
    axes = figure.subplots(num_factors, z_dim, squeeze=False, sharex="col", sharey="row")
    for k in range(num_factors):
        for i in range(z_dim):
            axes[k, i].scatter(latents[rows, i], factors[rows, k], s=1, linewidths=0, c="#1f4e79", rasterized=True)
            axes[k, i].set_title(f"{correlation[k, i]:+.2f}", fontsize=8)
            axes[k, i].tick_params(labelsize=6)
            if k == num_factors - 1:
                axes[k, i].set_xlabel(f"latent {i}", fontsize=8)
        axes[k, 0].set_ylabel(names[k], fontsize=8)
    return figure


def figure_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
