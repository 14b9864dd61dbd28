"""Disentanglement metrics on plain arrays of latents (N, Z) and factors (N, K).

The definitions are those of disentanglement_lib (Locatello et al. 2019) and, for the MCC, of SlowVAE's release.
scikit-learn (the extra ``metrics``) is needed by BetaVAE, DCI, SAP and UDR's lasso.

Each module registers its metrics by name (`METRICS`), for `slowvae.scores` and the command line.
"""

from __future__ import annotations

# Metrics are listed in the order of these lines.
# isort: off
from slowvae.metrics._mcc import MCC, mcc
from slowvae.metrics._votes import beta_vae, factor_vae
from slowvae.metrics._gaps import mig, modularity, sap
from slowvae.metrics._dci import DCI, dci
from slowvae.metrics._udr import udr

# isort: on
from slowvae.metrics._registry import METRICS

__all__ = [
    "DCI",
    "MCC",
    "METRICS",
    "beta_vae",
    "dci",
    "factor_vae",
    "mcc",
    "mig",
    "modularity",
    "sap",
    "udr",
]


def __dir__() -> list[str]:
    return __all__
