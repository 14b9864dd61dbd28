"""Training objectives as pure functions of tensors.

Images come in pairs, interleaved: rows 2k and 2k + 1 of a batch are the two frames of pair k. Leading dimensions, if
there are any, are kept, so that several networks are scored at once. Every function returns its terms by name, the
one to minimise as ``"total"``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["beta_vae_loss", "laplace_cross_entropy", "slowvae_loss"]


def slowvae_loss(
    x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0, gamma: float = 10.0, rate: float = 6.0
) -> dict[str, Tensor]:
    """Return SlowVAE's objective, ``2 R + beta (CE_N - H) + gamma (CE_L - H)``, and its terms.

    Source: Klindt et al. 2021, equation 7, as the release computes it: R, H and CE_N are means over images, CE_L over
    pairs with both directions added, and H enters both brackets once.

    Parameters
    ----------
    x : Tensor of float, shape (..., B, C, H, W)
        Images in [0, 1], B even.
    logits : Tensor of float, shape (..., B, C, H, W)
        Their reconstruction.
    mu, logvar : Tensor of float, shape (..., B, Z)
        Mean and log-variance of the latents.
    beta, gamma : float
        Weight of the normal and of the Laplace prior.
    rate : float
        Rate lambda of the Laplace prior on a latent's change within a pair.

    Returns
    -------
    dict of Tensor, shape (...)
        ``total``, ``reconstruction`` (R), ``entropy`` (H), ``cross_entropy_normal`` (CE_N) and
        ``cross_entropy_laplace`` (CE_L).
    """
    reconstruction, entropy = _reconstruction_loss(x, logits), _normal_entropy(logvar)
    normal, laplace = _normal_cross_entropy(mu, logvar), laplace_cross_entropy(mu, logvar, rate)
    return {
        "total": 2 * reconstruction + beta * (normal - entropy) + gamma * (laplace - entropy),
        "reconstruction": reconstruction,
        "entropy": entropy,
        "cross_entropy_normal": normal,
        "cross_entropy_laplace": laplace,
    }


def beta_vae_loss(x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor, beta: float) -> dict[str, Tensor]:
    """Return the objective of a beta-VAE, ``2 R + beta (CE_N - H)``: SlowVAE's without its temporal prior.

    The factor 2 is the release's, so `beta` means the same in both objectives.

    Parameters
    ----------
    x, logits, mu, logvar, beta
        As in `slowvae_loss`.

    Returns
    -------
    dict of Tensor, shape (...)
        ``total``, ``reconstruction``, ``entropy`` and ``cross_entropy_normal``.
    """
    reconstruction, entropy = _reconstruction_loss(x, logits), _normal_entropy(logvar)
    normal = _normal_cross_entropy(mu, logvar)
    return {
        "total": 2 * reconstruction + beta * (normal - entropy),
        "reconstruction": reconstruction,
        "entropy": entropy,
        "cross_entropy_normal": normal,
    }


def _reconstruction_loss(x: Tensor, logits: Tensor) -> Tensor:
    """Return the Bernoulli cross-entropy summed over pixels, mean over images: (..., B, C, H, W) to (...)."""
    # At a logit of -46 a black pixel costs 1e-20, and pulls as little: nothing beside Adam's epsilon. Trained decoders
    # go far below, where cost and gradients get under 1e-38; processors are many times slower with such numbers.
    logits = logits.clamp(min=torch.where(x == 0, -46.0, -math.inf).to(logits.dtype))
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(-3).sum(-1).mean(-1)


def _normal_entropy(logvar: Tensor) -> Tensor:
    """Return the entropy of the latents summed over latents, mean over images: (..., B, Z) to (...)."""
    return (0.5 * (logvar + math.log(2 * math.pi * math.e))).sum(-1).mean(-1)


def _normal_cross_entropy(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the cross-entropy to a standard normal summed over latents, mean over images: (..., B, Z) to (...)."""
    return (0.5 * (mu.square() + logvar.exp()) + 0.5 * math.log(2 * math.pi)).sum(-1).mean(-1)


def laplace_cross_entropy(mu: Tensor, logvar: Tensor, rate: float) -> Tensor:
    """Return the cross-entropy of one frame's latents to a Laplace around the other frame's mean.

    For ``z ~ N(m, sigma^2)`` and the prior ``rate / 2 * exp(-rate |z|)`` it is
    ``-log(rate / 2) + rate sigma sqrt(2 / pi) exp(-m^2 / 2 sigma^2) + rate m (2 Phi(m / sigma) - 1)``.

    Parameters
    ----------
    mu, logvar : Tensor of float, shape (..., B, Z)
        Mean and log-variance of the latents, pairs interleaved.
    rate : float
        Rate lambda of the Laplace distribution.

    Returns
    -------
    Tensor, shape (...)
        Summed over latents and over both directions, mean over pairs.
    """
    mu, sigma = mu.unflatten(-2, (-1, 2)), (logvar / 2).exp().unflatten(-2, (-1, 2))  # (..., B/2, 2, Z)
    m = mu - mu.flip(-2)
    spread = sigma * math.sqrt(2 / math.pi) * torch.exp(-(m.square()) / (2 * sigma.square()))
    mean = m * torch.erf(m / (sigma * math.sqrt(2)))  # 2 Phi(t) - 1 = erf(t / sqrt 2)
    return (rate * (spread + mean) - math.log(rate / 2)).sum((-2, -1)).mean(-1)
