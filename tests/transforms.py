"""Transforms that treat tensors as torchvision's do, for machines without it."""

import torch
from torch import nn


class V1Flip(nn.Module):
    """As the first API's: takes a tensor (..., C, H, W), and draws once a call."""

    def forward(self, images):
        if not isinstance(images, torch.Tensor) or images.ndim < 3:
            raise TypeError(f"{type(images).__name__} is no image")
        return images.flip(-1) if torch.rand(1) < 0.5 else images


class V2Flip(nn.Module):
    """As the second API's: takes any structure, and transforms the first plain tensor in it and no other."""

    def forward(self, *inputs):
        from torch.utils import _pytree

        leaves, structure = _pytree.tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        place = next(i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor))
        if torch.rand(1) < 0.5:
            leaves[place] = leaves[place].flip(-1)
        return _pytree.tree_unflatten(leaves, structure)


class Scaled(nn.Module):
    """Not random: half the size, values from -1 to 1, in place where that is possible."""

    def forward(self, images):
        return images.mul_(2).sub_(1)[..., ::2, ::2]


class Noise(nn.Module):
    """Random in every image for itself, so that it shows whether a draw was made again."""

    def forward(self, images):
        return images + torch.rand(images.shape[-2:])


def real_transforms(channels=1):
    """torchvision's own, both APIs, by name; skips the test where it cannot be imported."""
    import pytest

    try:
        from torchvision import transforms as v1
        from torchvision.transforms import v2
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
    made = {}
    for name, api in {"v1": v1, "v2": v2}.items():
        made[f"{name} flip"] = api.RandomHorizontalFlip()
        made[f"{name} affine"] = api.RandomAffine(20, translate=(0.2, 0.2))
        made[f"{name} normalise"] = api.Normalize([0.5] * channels, [0.5] * channels)
        made[f"{name} resize"] = api.Resize((32, 48), antialias=True)
        made[f"{name} compose"] = api.Compose(
            [api.RandomAffine(2, translate=(5 / 64, 5 / 64)), api.RandomHorizontalFlip()]
        )
    return made
