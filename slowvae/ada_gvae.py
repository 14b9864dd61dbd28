"""Ada-GVAE (Locatello et al., ICML 2020): two images of a pair share the latents that differ least."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from slowvae.model import VAE
from slowvae.objectives import beta_vae_loss

__all__ = ["AdaGVAE", "share_latents"]


class AdaGVAE(VAE):
    """The VAE with a beta-VAE's objective on posteriors that the images of a pair share in part.

    It takes what `Encoder` takes, and the hyper-parameter `beta`.

    Examples
    --------
    >>> AdaGVAE(z_dim=3, image_size=32)
    AdaGVAE(z_dim=3, channels=1, image_size=32, beta=1.0)
    """

    published: ClassVar = {"beta": 1.0}

    def loss(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Return the terms of the objective; see `Encoder.loss`."""
        mu, logvar = share_latents(*self.encode(x))
        logits = self.decode(mu + torch.exp(logvar / 2) * noise)
        return beta_vae_loss(x, logits, mu, logvar, **self.hyperparameters)


def share_latents(mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    """Average the posteriors of a pair in the latents that it shares, and leave the others.

    A latent is shared if the divergence KL(q(z|x1) || q(z|x2)) in it lies below the middle between the pair's
    smallest and largest (section 4 of the paper). Shared ones get the mean of both means and of both variances.

    Parameters
    ----------
    mu, logvar : Tensor of float, shape (..., B, Z)
        Mean and log-variance, pairs interleaved.

    Returns
    -------
    mu, logvar : Tensor of float, shape (..., B, Z)
    """
    mu, var = mu.unflatten(-2, (-1, 2)), logvar.exp().unflatten(-2, (-1, 2))  # (..., B/2, 2, Z)
    (m0, m1), (v0, v1) = mu.unbind(-2), var.unbind(-2)
    divergence = 0.5 * (v0 / v1 + (m1 - m0).square() / v1 - 1 + (v1 / v0).log())  # (..., B/2, Z)
    smallest, largest = divergence.aminmax(dim=-1, keepdim=True)
    shared = (divergence < (smallest + largest) / 2).unsqueeze(-2)
    mu = torch.where(shared, mu.mean(-2, keepdim=True), mu)
    var = torch.where(shared, var.mean(-2, keepdim=True), var)
    return mu.flatten(-3, -2), var.log().flatten(-3, -2)
