"""Metrics of segmentation, grouping and mask propagation.

Those of dense features, in :mod:`.features` and :mod:`.waterbirds`, need torch and are imported from there:
a driver that only adds up counts does not load it.
"""

from __future__ import annotations

from .boundary import BoundaryScores, boundary_f, boundary_pixels
from .confusion import ConfusionMatrix, SplitMiou, split_miou
from .grouping import best_overlaps, grouping_jaccard
from .video import Trend, jaccard, trend, video_scores

__all__ = [
    "ConfusionMatrix",
    "SplitMiou",
    "split_miou",
    "BoundaryScores",
    "boundary_f",
    "boundary_pixels",
    "best_overlaps",
    "grouping_jaccard",
    "Trend",
    "jaccard",
    "trend",
    "video_scores",
]
