"""How the MCC can be computed, by name; see `slowvae.metrics.mcc`. Importing this takes no numpy."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["PROTOCOLS", "Protocol"]

Protocol = Literal["klindt2021", "rectangular", "held-out"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
