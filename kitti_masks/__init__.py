"""KITTI Masks: pedestrians of KITTI MOTS and MOTSChallenge as sequences of small masks.

`build` makes the dataset from annotations, `KittiMasks` gives it to torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datagen.lazy import lazy_names

if TYPE_CHECKING:
    from datagen.build import count_by_video
    from datagen.splits import split_sequences
    from kitti_masks.dataset import KittiMasks, SampledPairs
    from kitti_masks.pipeline import build, find_sources
    from kitti_masks.table import transitions

__all__ = ["KittiMasks", "SampledPairs", "build", "count_by_video", "find_sources", "split_sequences", "transitions"]

# torch and numba take a second to import; each name brings only the module that it lives in.
_HOMES = {
    "KittiMasks": "dataset",
    "SampledPairs": "dataset",
    "build": "pipeline",
    "count_by_video": "datagen.build",
    "find_sources": "pipeline",
    "split_sequences": "datagen.splits",
    "transitions": "table",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
