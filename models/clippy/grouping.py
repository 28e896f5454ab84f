"""Bottom-up grouping: which locations belong together, without a text (CLIPpy, Sec. 3.5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

GROUPS = 8  # n of Sec. 3.5


def group_similarity(features: Tensor, count: int = GROUPS, centred: bool = False) -> Tensor:
    """Return how much each location is like each group, by "a form of spectral clustering" (Sec. 3.5).

    PCA of an image's features gives its top n principal components; these are the centres of the groups, and
    a location belongs to that with the greatest cosine. What is not in the text: a component has no sign of
    its own. Here it points to where its projections are skewed, which is to the smaller and more distinct
    part of the image, and which neither the order of locations nor a rotation of channels changes.

    Args:
        features: (D, h, w), not scaled.
        count: n; fewer groups where the features have a lower rank.
        centred: compare what PCA saw, features less their mean, instead of "those same image features".

    Returns:
        (n, h, w) cosines, at least one group.
    """
    grid = features.shape[1:]
    locations = features.flatten(1).T.double()
    departures = locations - locations.mean(dim=0)
    _, values, components = torch.linalg.svd(departures, full_matrices=False)
    kept = max(1, min(count, int((values > 1e-6 * values[0].clamp(min=1e-12)).sum())))
    components = components[:kept]
    skew = (departures @ components.T).pow(3).sum(dim=0)
    centres = torch.where(skew < 0, -1.0, 1.0)[:, None] * components
    compared = departures if centred else locations
    return (F.normalize(compared, dim=1) @ centres.T).T.unflatten(1, grid).to(features.dtype)
