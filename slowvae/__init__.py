"""SlowVAE: training, disentanglement metrics and the end-to-end check of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datagen.lazy import lazy_names

if TYPE_CHECKING:
    from slowvae.ada_gvae import AdaGVAE
    from slowvae.beta_vae import BetaVAE
    from slowvae.model import SlowVAE
    from slowvae.pcl import PCL

__all__ = ["PCL", "AdaGVAE", "BetaVAE", "SlowVAE"]

# torch takes seconds to import, and the metrics need none of it.
_HOMES = {"SlowVAE": "model", "BetaVAE": "beta_vae", "AdaGVAE": "ada_gvae", "PCL": "pcl"}

__getattr__ = lazy_names(__name__, _HOMES)
