"""Names that the command line offers, apart from what they name, which takes long to import."""

from __future__ import annotations

__all__ = ["METRICS", "PROTOCOLS"]

METRICS = ("mcc", "beta-vae", "factor-vae", "mig", "dci", "dci-tree", "dci-linear", "modularity", "sap", "udr")
"""Of `slowvae.scores`; ``udr`` is of all seeds of a run together."""

PROTOCOLS = ("klindt2021", "rectangular", "held-out")
"""Of `slowvae.metrics.mcc`."""
