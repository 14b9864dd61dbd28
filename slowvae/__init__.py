"""SlowVAE: training, disentanglement metrics and the end-to-end check of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datagen.lazy import lazy_names

if TYPE_CHECKING:
    from slowvae import metrics
    from slowvae.ada_gvae import AdaGVAE
    from slowvae.beta_vae import BetaVAE
    from slowvae.evaluation import evaluate
    from slowvae.model import SlowVAE
    from slowvae.pcl import PCL
    from slowvae.pipeline import train
    from slowvae.runs import load

__all__ = ["PCL", "AdaGVAE", "BetaVAE", "SlowVAE", "evaluate", "load", "metrics", "train"]

# torch takes seconds to import, and the metrics need none of it.
_HOMES = {
    "AdaGVAE": "ada_gvae",
    "BetaVAE": "beta_vae",
    "PCL": "pcl",
    "SlowVAE": "model",
    "evaluate": "evaluation",
    "load": "runs",
    "metrics": "metrics",
    "train": "pipeline",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
