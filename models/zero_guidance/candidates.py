"""Segment candidates of one image: keys, agglomeration, cut, refinement (Sec. 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .agglomeration import PAPER_CUT, CutRule, SegmentTree, cut, leaf_means, ward_linkage, without_empty
from .dino_keys import KeySource
from .refinement import AUTHORS_CRF, Crf, refine


@dataclass(frozen=True)
class CandidateRule:
    """How candidates are found; ``crf`` None leaves out the refinement."""

    cut: CutRule = PAPER_CUT
    crf: Crf | None = AUTHORS_CRF


def find_candidates(image: Tensor, source: KeySource, rule: CandidateRule) -> SegmentTree:
    """Cut an image into a tree of segments.

    The features of the grid are agglomerated and the tree is cut; the squared distance of every grid position
    to every leaf's mean, enlarged to the image by nearest neighbour, is the unary energy of the random field.
    Leaves that the field leaves without a pixel are dropped.

    Args:
        image: (3, H, W) RGB in [0, 1].
        source: the features.
        rule: cut and refinement.

    Returns:
        The tree, ``labels`` (H, W).
    """
    seen = source.keys(image).cpu()
    features = seen.flatten(1).T.double().numpy()
    tree = cut(ward_linkage(features), features, rule.cut)
    distances = _squared_distances(leaf_means(tree, features), features)
    maps = torch.from_numpy(distances).unflatten(1, seen.shape[1:])[None]
    unary = F.interpolate(maps, image.shape[1:], mode="nearest")[0].numpy()
    labels = unary.argmin(axis=0) if rule.crf is None else refine(unary, _to_bytes(image), rule.crf)
    return without_empty(SegmentTree(labels.astype(np.int64), tree.merges))


def _squared_distances(means: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |f - m|^2, (L, n), by one product: the differences themselves would be L times the features."""
    lengths = (means**2).sum(axis=1)[:, None] + (features**2).sum(axis=1)[None]
    return np.maximum(lengths - 2 * means @ features.T, 0)


def _to_bytes(image: Tensor) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = (image.cpu().permute(1, 2, 0) * 255).round().byte().numpy()
    return pixels
