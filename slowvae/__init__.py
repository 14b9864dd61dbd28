"""SlowVAE: training, disentanglement metrics and the end-to-end check of a dataset."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowvae.ada_gvae import AdaGVAE
    from slowvae.beta_vae import BetaVAE
    from slowvae.model import SlowVAE
    from slowvae.pcl import PCL

__all__ = ["PCL", "AdaGVAE", "BetaVAE", "SlowVAE"]

# torch takes seconds to import, and the metrics need none of it.
_HOMES = {"SlowVAE": "model", "BetaVAE": "beta_vae", "AdaGVAE": "ada_gvae", "PCL": "pcl"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'slowvae' has no attribute {name!r}")
    return getattr(import_module(f"slowvae.{_HOMES[name]}"), name)
