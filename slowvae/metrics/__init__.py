"""Disentanglement metrics on plain arrays of latents (N, Z) and factors (N, K).

The definitions are those of the papers and of disentanglement_lib (Locatello et al. 2019) and, for the MCC, of
SlowVAE's release; docs/metrics.md compares them with what other libraries compute. Every result but UDR's, which has a
score for each model, has ``score``, ``parts``, ``interval``, ``n`` and ``protocol``, and is a number or becomes one by
``float()``. scikit-learn (the extra ``metrics``) is needed by BetaVAE, explicitness, InfoMEC, the nonlinear
R2, UDR's lasso, and DCI by forests, by a lasso or of continuous factors.

Each module registers its metrics by name (`METRICS`), for `slowvae.scores` and the command line.
"""

from __future__ import annotations

from datagen.lazy import public_names

# Metrics are listed in the order of these lines.
# isort: off
from slowvae.metrics._mcc import MCC, mcc
from slowvae.metrics._block_mcc import block_mcc
from slowvae.metrics._r2 import r2
from slowvae.metrics._votes import beta_vae, factor_vae
from slowvae.metrics._gaps import mig, modularity, sap
from slowvae.metrics._information import dcimig, jemmig, mig_sup
from slowvae.metrics._dci import DCI, dci
from slowvae.metrics._infomec import InfoMEC, infomec
from slowvae.metrics._explicitness import explicitness
from slowvae.metrics._irs import irs
from slowvae.metrics._traversals import flatness, linearity
from slowvae.metrics._udr import udr

# isort: on
from slowvae.metrics._registry import METRICS
from slowvae.metrics._score import Score

__all__ = [
    "DCI",
    "MCC",
    "METRICS",
    "InfoMEC",
    "Score",
    "beta_vae",
    "block_mcc",
    "dci",
    "dcimig",
    "explicitness",
    "factor_vae",
    "flatness",
    "infomec",
    "irs",
    "jemmig",
    "linearity",
    "mcc",
    "mig",
    "mig_sup",
    "modularity",
    "r2",
    "sap",
    "udr",
]

__dir__ = public_names(__name__)
