"""Waterbirds: how much an answer depends on the place that a bird is shown in (CLIPpy, Appendix H)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

LANDBIRD, WATERBIRD = 0, 1


def bird_of(features: Tensor, queries: Tensor) -> int:
    """Tell the bird of an image by its spatial features.

    Locations that are more like the background than like either bird are left out. Those that are most like
    a waterbird are compared with the waterbird, likewise the landbirds'; the answer is the class that is
    closest to its own embedding, in the mean over its locations.

    Args:
        features: (N, D) of the locations of one image; any norm.
        queries: (3, D) background, waterbird, landbird; each the mean of its words.

    Returns:
        ``WATERBIRD`` or ``LANDBIRD``; where every location is background, the bird that is closest anywhere.
    """
    similarity = F.normalize(features, dim=-1) @ F.normalize(queries, dim=-1).T
    best = similarity.argmax(1)
    if not bool((best > 0).any()):
        return _bird(similarity[:, 1].max(), similarity[:, 2].max())
    water, land = (_mean_or_low(similarity[best == column, column]) for column in (1, 2))
    return _bird(water, land)


@dataclass
class GroupAccuracy:
    """Accuracy by (bird, place), summed over images; both are 0 for land and 1 for water."""

    right: dict[tuple[int, int], int] = field(default_factory=dict)
    total: dict[tuple[int, int], int] = field(default_factory=dict)

    def update(self, answer: int, bird: int, place: int) -> None:
        """Add one image."""
        group = (bird, place)
        self.total[group] = self.total.get(group, 0) + 1
        self.right[group] = self.right.get(group, 0) + (answer == bird)

    def accuracy(self, bird: int, place: int) -> float:
        """Share of right answers in [0, 1]; nan where the group is empty."""
        total = self.total.get((bird, place), 0)
        return self.right[(bird, place)] / total if total else float("nan")

    def delta(self, bird: int) -> float:
        """Accuracy in the bird's own place less that in the other one; 0 is robust (Table 11)."""
        return self.accuracy(bird, bird) - self.accuracy(bird, 1 - bird)

    def worst(self) -> float:
        """Lowest accuracy of the groups that hold an image; nan where there is none."""
        found = [self.accuracy(*group) for group in self.total]
        return min(found) if found else float("nan")


def _mean_or_low(values: Tensor) -> Tensor:
    return values.mean() if values.numel() else values.new_tensor(-torch.inf)


def _bird(water: Tensor, land: Tensor) -> int:
    return WATERBIRD if bool(water >= land) else LANDBIRD
