"""SlowVAE: the usual convolutional beta-VAE, trained on pairs of frames with a sparse temporal prior.

Source: Klindt et al., ICLR 2021, and its release. The other models share its networks and differ in their objective.

A stack of S networks is one module: network s owns the channels ``s*C:(s+1)*C`` of every layer, the convolutions are
grouped, every parameter lines its networks up along its first dimension, and inputs and outputs have a further
dimension S in front. Each network computes what it would compute alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from datagen.arguments import check_whole, is_whole
from datagen.errors import UsageError, shown, unknown_choice
from slowvae.layers import DenseConv, DenseUpConv, FirstConv, LastConv, UpConv, channels_last
from slowvae.objectives import slowvae_loss

__all__ = ["VAE", "Encoder", "SlowVAE"]


class Encoder(nn.Module):
    """The part that all models share: images to Gaussian latents.

    Parameters
    ----------
    z_dim : int
        Number of latents Z.
    channels : int
        Number of image channels C.
    image_size : int
        Height and width H of the images, a multiple of 16 up to 128. The innermost convolution spans what four
        halvings leave; at 64 this is the release's network.
    stack : int
        Number of networks S.
    **hyperparameters : float
        Those of `published` that are to be other than there.

    Raises
    ------
    UsageError
        If the network cannot be built for images of this size, or the model has no such hyper-parameter.

    Examples
    --------
    >>> model = SlowVAE(z_dim=3, image_size=32, beta=4.0)
    >>> model
    SlowVAE(z_dim=3, channels=1, image_size=32, beta=4.0, gamma=10.0, rate=6.0)
    >>> mu, logvar = model.encode(torch.rand(8, 1, 32, 32))
    >>> mu.shape
    torch.Size([8, 3])
    """

    published: ClassVar[Mapping[str, Any]] = {}
    """The hyper-parameters of the model's objective, with the values of its paper."""

    def __init__(
        self, z_dim: int = 10, channels: int = 1, image_size: int = 64, stack: int = 1, **hyperparameters: float
    ) -> None:
        super().__init__()
        for name, value in {"z_dim": z_dim, "channels": channels, "stack": stack}.items():
            check_whole(name, value, 1, 1 << 20)
        if not is_whole(image_size, 16, 128) or image_size % 16:
            raise UsageError(f"images of {shown(image_size)} pixels: the network takes multiples of 16 from 16 to 128")
        for name in hyperparameters.keys() - self.published.keys():
            raise unknown_choice(f"hyper-parameter of {type(self).__name__}", name, self.published)
        self.z_dim, self.channels, self.image_size, self.stack = z_dim, channels, image_size, stack
        self.hyperparameters = {**self.published, **hyperparameters}
        s = stack
        self.encoder = nn.Sequential(  # (B, S*C, H, H)
            FirstConv(s * channels, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/2, H/2)
            nn.ReLU(inplace=True),
            nn.Conv2d(s * 32, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/4, H/4)
            nn.ReLU(inplace=True),
            nn.Conv2d(s * 32, s * 64, 4, 2, 1, groups=s),  # (B, S*64, H/8, H/8)
            nn.ReLU(inplace=True),
            nn.Conv2d(s * 64, s * 64, 4, 2, 1, groups=s),  # (B, S*64, H/16, H/16)
            nn.ReLU(inplace=True),
            DenseConv(s * 64, s * 256, image_size // 16, groups=s),  # (B, S*256, 1, 1)
            nn.ReLU(inplace=True),
            DenseConv(s * 256, s * 2 * z_dim, 1, groups=s),  # a linear layer: (B, S*2*Z, 1, 1)
        )

    def init_weights(self) -> None:
        """Draw the weights as the release does, once all layers are made, and lay them out for speed."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # transposed convolutions keep torch's own start, as in the release
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(cast(Tensor, layer.bias))
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = channels_last(parameter.data)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latents.

        Parameters
        ----------
        x : Tensor of float, shape (B, C, H, H)
            Images in [0, 1].

        Returns
        -------
        mu, logvar : Tensor of float32, shape (B, Z)

        Raises
        ------
        UsageError
            If the images are of another shape.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise UsageError(f"images are {_kind(x)}; they must be a torch tensor of floats in [0, 1]")
        image = (self.channels, self.image_size, self.image_size)
        single, stacked = x.ndim == 4 and self.stack == 1, x.ndim == 5 and len(x) == self.stack
        if x.shape[-3:] != image or not (single or stacked):
            batch = "B" if self.stack == 1 else f"{self.stack}, B"
            raise UsageError(f"images are {tuple(x.shape)}; they must be ({batch}, {', '.join(map(str, image))})")
        *lead, b = x.shape[:-3]  # (S, B) or (B,)
        x = x.reshape(self.stack, b, *x.shape[-3:]).transpose(0, 1).flatten(1, 2)  # (B, S*C, H, H)
        h = self.encoder(x).float().view(b, self.stack, 2 * self.z_dim).transpose(0, 1)  # (S, B, 2*Z)
        h = h.reshape(*lead, b, 2 * self.z_dim)
        return h[..., : self.z_dim], h[..., self.z_dim :]

    def loss(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Return the terms of the objective, scalars, the one to minimise as ``"total"``.

        Parameters
        ----------
        x : Tensor of float, shape (B, C, H, H)
            Pairs of images in [0, 1], interleaved: 0 and 1, 2 and 3, ...
        noise : Tensor of float32, shape (B, Z)
            Standard normal; what the latents are drawn with.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = {"z_dim": self.z_dim, "channels": self.channels, "image_size": self.image_size}
        shown |= {"stack": self.stack} if self.stack > 1 else {}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in {**shown, **self.hyperparameters}.items())})"


def _kind(value: object) -> str:
    """Say what a wrong argument is."""
    return f"a tensor of {value.dtype}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


class VAE(Encoder):
    """The encoder and its mirror image, which turns latents into images. It takes what `Encoder` takes."""

    def __init__(
        self, z_dim: int = 10, channels: int = 1, image_size: int = 64, stack: int = 1, **hyperparameters: float
    ) -> None:
        super().__init__(z_dim, channels, image_size, stack, **hyperparameters)
        s = stack
        self.decoder = nn.Sequential(  # (B, S*Z, 1, 1)
            DenseConv(s * z_dim, s * 256, 1, groups=s),  # a linear layer: (B, S*256, 1, 1)
            nn.ReLU(inplace=True),
            DenseUpConv(s * 256, s * 64, image_size // 16, groups=s),  # (B, S*64, H/16, H/16)
            nn.ReLU(inplace=True),
            UpConv(s * 64, s * 64, 4, 2, 1, groups=s),  # (B, S*64, H/8, H/8)
            nn.ReLU(inplace=True),
            UpConv(s * 64, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/4, H/4)
            nn.ReLU(inplace=True),
            UpConv(s * 32, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/2, H/2)
            nn.ReLU(inplace=True),
            LastConv(s * 32, s * channels, 4, 2, 1, groups=s),  # (B, S*C, H, H)
        )
        self.init_weights()

    def decode(self, z: Tensor) -> Tensor:
        """Return the logits of the images.

        Parameters
        ----------
        z : Tensor of float32, shape (B, Z)

        Returns
        -------
        Tensor of float32, shape (B, C, H, H)

        Raises
        ------
        UsageError
            If the latents are of another type or shape.
        """
        if not isinstance(z, Tensor) or not z.is_floating_point():
            raise UsageError(f"latents are {_kind(z)}; they must be a torch tensor of floats")
        single, stacked = z.ndim == 2 and self.stack == 1, z.ndim == 3 and len(z) == self.stack
        if z.shape[-1:] != (self.z_dim,) or not (single or stacked):
            batch = "B" if self.stack == 1 else f"{self.stack}, B"
            raise UsageError(f"latents are {tuple(z.shape)}; they must be ({batch}, {self.z_dim})")
        *lead, b, _ = z.shape  # (S, B, Z) or (B, Z)
        z = z.reshape(self.stack, b, self.z_dim).transpose(0, 1).reshape(b, self.stack * self.z_dim, 1, 1)
        h = self.decoder(z).float().unflatten(1, (self.stack, self.channels)).transpose(0, 1)  # (S, B, C, H, H)
        return h.reshape(*lead, *h.shape[1:])

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw ``z = mu + exp(logvar / 2) * noise``, decode.

        Parameters
        ----------
        x : Tensor of float, shape (B, C, H, H)
        noise : Tensor of float32, shape (B, Z)
            Standard normal.

        Returns
        -------
        logits : Tensor of float32, shape (B, C, H, H)
        mu, logvar : Tensor of float32, shape (B, Z)
        """
        mu, logvar = self.encode(x)
        return self.decode(mu + torch.exp(logvar / 2) * noise), mu, logvar


class SlowVAE(VAE):
    """The VAE with a Laplace prior on what changes within a pair: `slowvae.objectives.slowvae_loss`.

    It takes what `Encoder` takes, and the hyper-parameters `beta`, `gamma` and `rate`.

    Examples
    --------
    >>> network = SlowVAE(z_dim=3, image_size=32, gamma=5.0)
    >>> network
    SlowVAE(z_dim=3, channels=1, image_size=32, beta=1.0, gamma=5.0, rate=6.0)
    >>> mu, logvar = network.encode(torch.zeros(2, 1, 32, 32))
    >>> mu.shape
    torch.Size([2, 3])
    """

    published: ClassVar = {"beta": 1.0, "gamma": 10.0, "rate": 6.0}

    def loss(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Return the terms of the objective; see `Encoder.loss`."""
        logits, mu, logvar = self(x, noise)
        return slowvae_loss(x, logits, mu, logvar, **self.hyperparameters)
