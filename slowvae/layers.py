"""Layers that compute what their torch parents compute, in forms that are faster on a CPU.

Their parameters keep the parents' shapes. S networks of a stack are groups of channels; I and O are a group's channels.
"""

# ruff: noqa: D102  # each `forward` is described by its class

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DenseConv", "DenseUpConv", "FirstConv", "LastConv", "UpConv", "channels_last"]


class FirstConv(nn.Conv2d):
    """A 4x4 convolution of stride 2 on few channels, as space-to-depth and a 2x2 convolution of stride 1."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(F.pad(x, (1, 1, 1, 1)), 2)  # (B, S*C*4, H/2+1, H/2+1)
        weight = F.pixel_unshuffle(self.weight, 2)  # (S*32, C*4, 2, 2)
        return F.conv2d(channels_last(x), channels_last(weight), self.bias, groups=self.groups)


class DenseConv(nn.Conv2d):
    """A convolution that spans all of its input, as a matrix product."""

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        s = self.groups
        x = x.unflatten(1, (s, -1)).permute(1, 0, 3, 4, 2).flatten(2)  # (S, B, K*K*I)
        weight = self.weight.unflatten(0, (s, -1)).permute(0, 3, 4, 2, 1).flatten(1, 3)  # (S, K*K*I, O)
        y = torch.baddbmm(self.bias.view(s, 1, -1), x, weight)  # (S, B, O)
        return y.transpose(0, 1).flatten(1)[..., None, None]


class DenseUpConv(nn.ConvTranspose2d):
    """A transposed convolution of a single pixel, as a matrix product."""

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        s, (o, k) = self.groups, self.weight.shape[1:3]
        x = x.view(len(x), s, -1).transpose(0, 1)  # (S, B, I)
        weight = self.weight.unflatten(0, (s, -1)).permute(0, 1, 3, 4, 2).flatten(2)  # (S, I, K*K*O)
        y = torch.bmm(x, weight).view(s, -1, k, k, o)
        y = y.permute(1, 0, 4, 2, 3).flatten(1, 2)  # (B, S*O, K, K)
        return y + self.bias.to(y.dtype).view(-1, 1, 1)


class UpConv(nn.ConvTranspose2d):
    """A transposed 4x4 convolution of stride 2 that adds its bias afterwards: the gradient of a fused bias is slow."""

    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        y = F.conv_transpose2d(x, self.weight, None, stride=2, padding=1, groups=self.groups)
        return y.add_(self.bias.to(y.dtype).view(-1, 1, 1))


class LastConv(nn.ConvTranspose2d):
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
        y = F.conv2d(x, channels_last(weight), padding=1, groups=s)
        y = F.pixel_shuffle(y, 2)[..., 1:-1, 1:-1]  # (B, S*C, H, H)
        return y + self.bias.to(y.dtype).view(-1, 1, 1)


def channels_last(tensor: Tensor) -> Tensor:
    """Return a four-dimensional tensor with its channels lying together in memory."""
    return tensor.contiguous(memory_format=torch.channels_last)
