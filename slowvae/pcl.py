"""Permutation contrastive learning (PCL; Hyvarinen and Morioka, AISTATS 2017).

The encoder learns to tell true pairs of frames from pairs whose second frame belongs to another pair.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowvae.model import Encoder

__all__ = ["PCL"]


class PCL(Encoder):
    """The shared encoder, whose means are the features, and PCL's regression on two of them.

    The log-odds of features h, h' being those of a true pair are
    ``sum_i (q_i0 h_i + q_i1)^2 - |p_i0 h_i + p_i1 h'_i + p_i2| + c``: the difference between the log-densities of an
    autoregressive process with Laplace innovations, given the other frame and not given it (section 4 of the paper).

    Examples
    --------
    >>> network = PCL(z_dim=3, image_size=32)
    >>> mu, logvar = network.encode(torch.zeros(2, 1, 32, 32))
    >>> mu.shape
    torch.Size([2, 3])
    """

    def __init__(self, z_dim: int = 10, channels: int = 1, image_size: int = 64, stack: int = 1) -> None:
        super().__init__(z_dim, channels, image_size, stack)
        self.init_weights()
        self.conditional = nn.Parameter(torch.tensor([1.0, -1.0, 0.0]).repeat(stack, z_dim, 1))  # (S, Z, 3): p
        self.marginal = nn.Parameter(torch.tensor([0.1, 0.0]).repeat(stack, z_dim, 1))  # (S, Z, 2): q
        self.offset = nn.Parameter(torch.zeros(stack, 1))  # (S, 1): c

    def log_odds(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the log-odds of each pair being true: features (P, Z) twice, to (P,)."""
        lead = first.shape[:-2]  # (S,) or ()
        p, q = (each.view(*lead, 1, self.z_dim, -1).unbind(-1) for each in (self.conditional, self.marginal))
        terms = (q[0] * first + q[1]).square() - (p[0] * first + p[1] * second + p[2]).abs()
        return terms.sum(-1) + self.offset.view(*lead, 1)

    def loss(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Return ``total``, the cross-entropy of telling pairs apart, and ``accuracy``; see `Encoder.loss`.

        `noise` is not used. A false pair is a first frame with the second frame of the batch's next pair.
        """
        first, second = self.encode(x)[0].unflatten(-2, (-1, 2)).unbind(-2)  # (B/2, Z) each
        true, false = self.log_odds(first, second), self.log_odds(first, second.roll(1, dims=-2))
        return {
            "total": (F.softplus(-true) + F.softplus(false)).mean(-1) / 2,
            "accuracy": ((true > 0).float() + (false <= 0).float()).mean(-1) / 2,
        }
