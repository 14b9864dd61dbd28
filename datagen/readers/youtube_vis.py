"""YouTube-VOS / YouTube-VIS annotations (Yang, Fan, Xu, ICCV 2019)."""

from __future__ import annotations

__all__ = ["CATEGORY_NAMES"]

_NAMES = (
    "person giant_panda lizard parrot skateboard sedan ape dog snake monkey hand rabbit duck cat cow fish train horse "
    "turtle bear motorbike giraffe leopard fox deer owl surfboard airplane truck zebra tiger elephant snowboard boat "
    "shark mouse frog eagle earless_seal tennis_racket"
)
CATEGORY_NAMES = dict(enumerate(_NAMES.split(), start=1))
"""The categories of YouTube-VIS 2019."""
