"""Natural Sprites: sprites that move with the transitions measured in natural video.

Importing this package is cheap: numba and torch are loaded when one of its names that needs them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datagen.lazy import lazy_names

if TYPE_CHECKING:
    from natsprites.dataset import NaturalSprites
    from natsprites.grid import sprite_grid
    from natsprites.motion import Motion
    from natsprites.pipeline import build
    from natsprites.renderer import Renderer
    from natsprites.torch_renderer import TorchRenderer

__all__ = ["Motion", "NaturalSprites", "Renderer", "TorchRenderer", "build", "sprite_grid"]

_HOMES = {
    "Motion": "motion",
    "NaturalSprites": "dataset",
    "Renderer": "renderer",
    "TorchRenderer": "torch_renderer",
    "build": "pipeline",
    "sprite_grid": "grid",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
