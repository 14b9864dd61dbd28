"""SlowVAE: the usual convolutional beta-VAE, trained on pairs of frames with a sparse temporal prior.

Source: Klindt et al., ICLR 2021, and its release. The other models share the network and differ in their objective.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datagen.errors import UsageError
from slowvae.objectives import slowvae_loss

__all__ = ["Encoder", "SlowVAE"]


class Encoder(nn.Module):
    """The part that all models share: images to Gaussian latents.

    `stack` independent networks may run as one, kept apart as groups of channels: network s owns the channels
    ``s*C:(s+1)*C`` of every layer, the convolutions are grouped, and every parameter lines its networks up along its
    first dimension. Each network computes what it would compute alone.

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

    Raises
    ------
    UsageError
        If the network cannot be built for images of this size.
    """

    published_beta = 1.0
    """Weight of the normal prior in the paper."""

    def __init__(self, z_dim: int = 10, channels: int = 1, image_size: int = 64, stack: int = 1) -> None:
        super().__init__()
        if image_size % 16 or not 16 <= image_size <= 128:
            raise UsageError(f"images of {image_size} pixels: the network takes multiples of 16 from 16 to 128")
        self.z_dim, self.channels, self.image_size, self.stack = z_dim, channels, image_size, stack
        s = stack
        self.encoder = nn.Sequential(  # (B, S*C, H, H)
            _FirstConv(s * channels, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/2, H/2)
            nn.ReLU(inplace=True),
            nn.Conv2d(s * 32, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/4, H/4)
            nn.ReLU(inplace=True),
            nn.Conv2d(s * 32, s * 64, 4, 2, 1, groups=s),  # (B, S*64, H/8, H/8)
            nn.ReLU(inplace=True),
            nn.Conv2d(s * 64, s * 64, 4, 2, 1, groups=s),  # (B, S*64, H/16, H/16)
            nn.ReLU(inplace=True),
            _DenseConv(s * 64, s * 256, image_size // 16, groups=s),  # (B, S*256, 1, 1)
            nn.ReLU(inplace=True),
            _DenseConv(s * 256, s * 2 * z_dim, 1, groups=s),  # a linear layer: (B, S*2*Z, 1, 1)
        )

    def start(self) -> None:
        """Draw the weights as the release does, once all layers are made, and lay them out for speed."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # transposed convolutions keep torch's own start, as in the release
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(cast(Tensor, layer.bias))
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = _channels_last(parameter.data)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latents.

        Parameters
        ----------
        x : Tensor of float, shape (S, B, C, H, H)
            Images in [0, 1], B for each network of the stack.

        Returns
        -------
        mu, logvar : Tensor of float32, shape (S, B, Z)
        """
        s, b = x.shape[:2]
        h = self.encoder(x.transpose(0, 1).flatten(1, 2))  # (B, S*2*Z, 1, 1)
        h = h.float().view(b, s, 2 * self.z_dim).transpose(0, 1)
        return h[..., : self.z_dim], h[..., self.z_dim :]

    def loss(self, x: Tensor, noise: Tensor, beta: float, gamma: float, rate: float) -> dict[str, Tensor]:
        """Return the terms of the objective, (S,) each, the one to minimise as ``"total"``.

        Parameters
        ----------
        x : Tensor of float, shape (S, B, C, H, H)
            Pairs of images, interleaved: 0 and 1, 2 and 3, ...
        noise : Tensor of float32, shape (S, B, Z)
            Standard normal.
        beta, gamma, rate : float
            As in `slowvae.objectives.slowvae_loss`; a model leaves unused what its objective does not have.
        """
        raise NotImplementedError


class SlowVAE(Encoder):
    """Encoder, decoder, and the objective with a Laplace prior on what changes within a pair.

    Parameters
    ----------
    z_dim, channels, image_size, stack
        As in `Encoder`.
    """

    def __init__(self, z_dim: int = 10, channels: int = 1, image_size: int = 64, stack: int = 1) -> None:
        super().__init__(z_dim, channels, image_size, stack)
        s = stack
        self.decoder = nn.Sequential(  # (B, S*Z, 1, 1)
            _DenseConv(s * z_dim, s * 256, 1, groups=s),  # a linear layer: (B, S*256, 1, 1)
            nn.ReLU(inplace=True),
            _DenseUpConv(s * 256, s * 64, image_size // 16, groups=s),  # (B, S*64, H/16, H/16)
            nn.ReLU(inplace=True),
            _UpConv(s * 64, s * 64, 4, 2, 1, groups=s),  # (B, S*64, H/8, H/8)
            nn.ReLU(inplace=True),
            _UpConv(s * 64, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/4, H/4)
            nn.ReLU(inplace=True),
            _UpConv(s * 32, s * 32, 4, 2, 1, groups=s),  # (B, S*32, H/2, H/2)
            nn.ReLU(inplace=True),
            _LastConv(s * 32, s * channels, 4, 2, 1, groups=s),  # (B, S*C, H, H)
        )
        self.start()

    def decode(self, z: Tensor) -> Tensor:
        """Return the logits of the images.

        Parameters
        ----------
        z : Tensor of float32, shape (S, B, Z)

        Returns
        -------
        Tensor of float32, shape (S, B, C, H, H)
        """
        s, b = z.shape[:2]
        h = self.decoder(z.transpose(0, 1).reshape(b, s * self.z_dim, 1, 1))  # (B, S*C, H, H)
        return h.float().unflatten(1, (s, self.channels)).transpose(0, 1)

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw ``z = mu + exp(logvar / 2) * noise``, decode.

        Parameters
        ----------
        x : Tensor of float, shape (S, B, C, H, H)
        noise : Tensor of float32, shape (S, B, Z)
            Standard normal.

        Returns
        -------
        logits : Tensor of float32, shape (S, B, C, H, H)
        mu, logvar : Tensor of float32, shape (S, B, Z)
        """
        mu, logvar = self.encode(x)
        return self.decode(mu + torch.exp(logvar / 2) * noise), mu, logvar

    def loss(self, x: Tensor, noise: Tensor, beta: float, gamma: float, rate: float) -> dict[str, Tensor]:
        """Return the terms of `slowvae.objectives.slowvae_loss`; see `Encoder.loss`."""
        logits, mu, logvar = self(x, noise)
        return slowvae_loss(x, logits, mu, logvar, beta, gamma, rate)


# The layers below compute what their torch parents compute, in forms that are faster on a CPU. Their parameters keep
# the parents' shapes.


class _FirstConv(nn.Conv2d):
    """A 4x4 convolution of stride 2 on few channels, as space-to-depth and a 2x2 convolution of stride 1."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(F.pad(x, (1, 1, 1, 1)), 2)  # (B, S*C*4, H/2+1, H/2+1)
        weight = F.pixel_unshuffle(self.weight, 2)  # (S*32, C*4, 2, 2)
        return F.conv2d(_channels_last(x), _channels_last(weight), self.bias, groups=self.groups)


class _DenseConv(nn.Conv2d):
    """A convolution that spans all of its input, as a matrix product."""

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        s = self.groups
        x = x.unflatten(1, (s, -1)).permute(1, 0, 3, 4, 2).flatten(2)  # (S, B, K*K*I)
        weight = self.weight.unflatten(0, (s, -1)).permute(0, 3, 4, 2, 1).flatten(1, 3)  # (S, K*K*I, O)
        y = torch.baddbmm(self.bias.view(s, 1, -1), x, weight)  # (S, B, O)
        return y.transpose(0, 1).flatten(1)[..., None, None]


class _DenseUpConv(nn.ConvTranspose2d):
    """A transposed convolution of a single pixel, as a matrix product."""

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        s, (o, k) = self.groups, self.weight.shape[1:3]
        x = x.view(len(x), s, -1).transpose(0, 1)  # (S, B, I)
        weight = self.weight.unflatten(0, (s, -1)).permute(0, 1, 3, 4, 2).flatten(2)  # (S, I, K*K*O)
        y = torch.bmm(x, weight).view(s, -1, k, k, o)
        y = y.permute(1, 0, 4, 2, 3).flatten(1, 2)  # (B, S*O, K, K)
        return y + self.bias.to(y.dtype).view(-1, 1, 1)


class _UpConv(nn.ConvTranspose2d):
    """A transposed 4x4 convolution of stride 2 that adds its bias afterwards: the gradient of a fused bias is slow."""

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        y = F.conv_transpose2d(x, self.weight, None, stride=2, padding=1, groups=self.groups)
        return y.add_(self.bias.to(y.dtype).view(-1, 1, 1))


class _LastConv(nn.ConvTranspose2d):
    """A transposed 4x4 convolution of stride 2 to few channels, as a 2x2 convolution and depth-to-space.

    Rows 2j-1 and 2j of the output are made of the input rows j-1 and j, the first with the kernel rows 2 and 0, the
    second with 3 and 1; columns alike.
    """

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        s, c = self.groups, self.weight.shape[1]
        # Kernel rows 0..3 as (half, row); reversed halves are the two taps, the row is the output's.
        weight = self.weight.unflatten(3, (2, 2)).unflatten(2, (2, 2)).flip(2, 4).unflatten(0, (s, -1))
        weight = weight.permute(0, 2, 4, 6, 1, 3, 5).reshape(s * c * 4, -1, 2, 2)  # (S*C*2*2, I, 2, 2)
        y = F.conv2d(x, _channels_last(weight), padding=1, groups=s)
        y = F.pixel_shuffle(y, 2)[..., 1:-1, 1:-1]  # (B, S*C, H, H)
        return y + self.bias.to(y.dtype).view(-1, 1, 1)


def _channels_last(tensor: Tensor) -> Tensor:
    """Return a four-dimensional tensor with its channels lying together in memory."""
    return tensor.contiguous(memory_format=torch.channels_last)
