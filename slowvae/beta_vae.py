"""beta-VAE (Higgins et al., ICLR 2017): SlowVAE's network without its temporal prior."""

from __future__ import annotations

from torch import Tensor

from slowvae.model import SlowVAE
from slowvae.objectives import beta_vae_loss

__all__ = ["BetaVAE"]


class BetaVAE(SlowVAE):
    """The network of `SlowVAE` with the objective ``2 R + beta (CE_N - H)``.

    Parameters
    ----------
    z_dim, channels, image_size, stack
        As in `Encoder`.
    """

    published_beta = 8.0

    def loss(self, x: Tensor, noise: Tensor, beta: float, gamma: float, rate: float) -> dict[str, Tensor]:
        """Return the terms of the objective; see `Encoder.loss`. `gamma` and `rate` are not used."""
        logits, mu, logvar = self(x, noise)
        return beta_vae_loss(x, logits, mu, logvar, beta)
