"""beta-VAE (Higgins et al., ICLR 2017): SlowVAE's networks without its temporal prior."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from slowvae.model import VAE
from slowvae.objectives import beta_vae_loss

__all__ = ["BetaVAE"]


class BetaVAE(VAE):
    """The VAE with the objective ``2 R + beta (CE_N - H)``: `slowvae.objectives.beta_vae_loss`.

    It takes what `Encoder` takes, and the hyper-parameter `beta`.

    Examples
    --------
    >>> BetaVAE(z_dim=3, image_size=32)
    BetaVAE(z_dim=3, channels=1, image_size=32, beta=8.0)
    """

    published: ClassVar = {"beta": 8.0}

    def loss(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Return the terms of the objective; see `Encoder.loss`."""
        logits, mu, logvar = self(x, noise)
        return beta_vae_loss(x, logits, mu, logvar, **self.hyperparameters)
