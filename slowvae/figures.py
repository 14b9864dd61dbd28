"""Pictures of trained networks; matplotlib (the extra ``figures``) draws the plots."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from datagen.errors import quote
from datagen.files import atomic_path
from slowvae.model import VAE

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

__all__ = ["figure_png", "label_latents", "save_traversals", "scatters", "sheet", "traversals", "traversals_gif"]

_STEPS = 40
_MARK = "#c4501b"
_LONGEST_NAME = 12


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


def sheet(
    images: NDArray[np.uint8], labels: Sequence[str] = (), by: Literal["column", "row"] = "column"
) -> Image.Image:
    """Lay images out in rows and columns, framed in grey.

    Parameters
    ----------
    images : ndarray of uint8, shape (rows, columns, H, W, C)
        C is 1 or 3.
    labels : sequence of str
        What stands above each column or before each row, in lines, as `label_latents` makes it; nothing if empty.
    by : {"column", "row"}
        Which of them the labels are of.

    Returns
    -------
    Image
        Of grey levels without labels where C is 1, else RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows, columns, height, width, channels = images.shape
    framed = np.pad(images, [(0, 0)] * 2 + [(1, 1)] * 2 + [(0, 0)], constant_values=96)
    laid = framed.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 2), columns * (width + 2), channels)
    picture = Image.fromarray(laid[..., 0] if channels == 1 else laid)
    if not labels:
        return picture
    font = ImageFont.load_default()
    if not isinstance(font, ImageFont.FreeTypeFont):  # that of a Pillow without FreeType
        labels = [text.encode("latin-1", "replace").decode("latin-1") for text in labels]
    pen = ImageDraw.Draw(picture)
    boxes = [pen.multiline_textbbox((0, 0), text, font, spacing=1) for text in labels]
    wide, high = (int(max(box[side] for box in boxes)) + 4 for side in (2, 3))
    left, top = (0, high) if by == "column" else (wide, 0)
    step = width + 2
    if by == "column" and wide > step:  # texts would run into each other
        picture = picture.resize((columns * wide, picture.height * wide // step), Image.Resampling.NEAREST)
        step = wide
    whole = Image.new("RGB", (picture.width + left, picture.height + top), "white")
    whole.paste(picture, (left, top))
    pen = ImageDraw.Draw(whole)
    for place, text in enumerate(labels):
        at = (place * step + 2, 1) if by == "column" else (2, place * (height + 2) + 1)
        pen.multiline_text(at, text, "black", font, spacing=1)
    return whole


def label_latents(correlation: NDArray[Any], names: Sequence[str], assignment: NDArray[np.int64]) -> list[str]:
    """Return a label of each latent in three lines: its number, the factor it stands for, and their correlation.

    That factor is the one it is assigned to by the MCC; of another latent the one it is correlated with most, in
    brackets.

    Parameters
    ----------
    correlation : ndarray, shape (K, Z)
        Of K factors and Z latents.
    names : sequence of str
        Of the factors.
    assignment : ndarray of int64, shape (K,)
        The latent of each factor.

    Examples
    --------
    >>> label_latents(np.array([[0.1, -0.9, 0.2], [0.8, 0.3, 0.0]]), ["x", "y"], np.array([1, 0]))
    ['latent 0\\ny\\n+0.80', 'latent 1\\nx\\n-0.90', 'latent 2\\n(x)\\n+0.20']
    """
    factor_of = {int(latent): factor for factor, latent in enumerate(assignment)}
    labels = []
    for latent, column in enumerate(correlation.T):
        factor = factor_of.get(latent, int(abs(column).argmax()))
        name = quote(names[factor], _LONGEST_NAME)
        labels.append(f"latent {latent}\n{name if latent in factor_of else f'({name})'}\n{column[factor]:+.2f}")
    return labels


def save_traversals(images: NDArray[np.uint8], path: str | Path, labels: Sequence[str] = ()) -> None:
    """Save traversals as the file of `traversals_gif`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(traversals_gif(images, labels))


def traversals_gif(images: NDArray[np.uint8], labels: Sequence[str] = ()) -> bytes:
    """Return traversals as the bytes of an endless GIF, there and back: one row per image, one column per latent.

    Parameters
    ----------
    images : ndarray of uint8, shape (steps, M, Z, H, W, C)
        As `traversals` returns them.
    labels : sequence of str
        Of the latents, as `label_latents` returns them; none if empty.
    """
    pictures = [sheet(step, labels) for step in images]
    there_and_back = pictures + pictures[-2:0:-1]
    buffer = BytesIO()
    there_and_back[0].save(buffer, "gif", save_all=True, append_images=there_and_back[1:], duration=50, loop=0)
    return buffer.getvalue()


def scatters(
    latents: NDArray[np.float32],
    factors: NDArray[np.float32],
    names: tuple[str, ...],
    correlation: NDArray[Any],
    assignment: NDArray[np.int64],
    caption: str = "",
) -> Figure:
    """Draw every latent against every factor, the correlation above; the latent assigned to a factor is framed.

    Parameters
    ----------
    latents : ndarray, shape (N, Z)
    factors : ndarray, shape (N, K)
    names : tuple of str
        Of the factors.
    correlation : ndarray, shape (K, Z)
        What to write above each plot, e.g. that of `slowvae.metrics.mcc`.
    assignment : ndarray of int64, shape (K,)
        The latent assigned to each factor.
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
            is_assigned = i == assignment[k]
            weight = "bold" if is_assigned else "normal"
            axes[k, i].set_title(f"{correlation[k, i]:+.2f}", fontsize=8, fontweight=weight)
            if is_assigned:
                for spine in axes[k, i].spines.values():
                    spine.set(color=_MARK, linewidth=2)
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
