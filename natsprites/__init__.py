"""Natural Sprites: sprites that move with the transitions measured in natural video.

Importing this package is cheap: numba and torch are loaded when one of its names that needs them is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from natsprites.dataset import NaturalSprites
    from natsprites.pipeline import build
    from natsprites.renderer import Renderer
    from natsprites.torch_renderer import TorchRenderer

__all__ = ["NaturalSprites", "Renderer", "TorchRenderer", "build"]

_HOMES = {"NaturalSprites": "dataset", "Renderer": "renderer", "TorchRenderer": "torch_renderer", "build": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
