"""Disentanglement metrics on plain arrays of latents (N, Z) and factors (N, K).

The definitions are those of disentanglement_lib (Locatello et al. 2019) and, for the MCC, of SlowVAE's release.
scikit-learn (the extra ``metrics``) is needed by BetaVAE, DCI, SAP and UDR's lasso.
"""

from __future__ import annotations

from slowvae.metrics.dci import DCI, dci
from slowvae.metrics.gaps import mig, modularity, sap
from slowvae.metrics.mcc import MCC, mcc
from slowvae.metrics.udr import udr
from slowvae.metrics.votes import beta_vae, factor_vae

__all__ = ["DCI", "MCC", "beta_vae", "dci", "factor_vae", "mcc", "mig", "modularity", "sap", "udr"]
