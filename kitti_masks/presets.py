"""The two presets of KITTI Masks: as published, and with the published defects corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CORRECTIONS", "PRESETS", "Preset", "PresetName"]

PresetName = Literal["paper", "clean"]


@dataclass(frozen=True)
class Preset:
    """What differs between the presets.

    Attributes
    ----------
    drop_largest_id : bool
        Drop the object of the largest id in every window, whether or not it is the ignore region.
    min_length_before_hole : int
        Fewest frames of a sequence that ends before the object is last seen. One that goes on to the end needs 2.
    """

    drop_largest_id: bool
    min_length_before_hole: int


PRESETS: dict[PresetName, Preset] = {
    "paper": Preset(drop_largest_id=True, min_length_before_hole=3),
    "clean": Preset(drop_largest_id=False, min_length_before_hole=2),
}

CORRECTIONS = (
    "the ignore region is dropped by its class; published, the largest id of a window is dropped, which is a real "
    "object where no ignore region is visible (and the smallest id too where no background is)",
    "a sequence needs 2 frames however it ends; published, 3 where it ends before the object is last seen",
)
"""What `clean` corrects, in words."""
