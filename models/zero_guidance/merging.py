"""Segments that say the same are one (Sec. 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .agglomeration import SegmentTree
from .language import Described, Describer
from .segment_encoders import Seen


@dataclass(frozen=True)
class Segment:
    """A part of an image, with what it looks like and what it is called.

    Args:
        mask: (H, W) bool.
        embedding: (E,) unit vector of the segment.
        described: its words.
    """

    mask: Tensor
    embedding: Tensor
    described: Described


def describe_segments(masks: Tensor, seen: Seen, describer: Describer) -> list[Segment]:
    """Embed and describe (S, H, W) bool masks of one image, in one batch."""
    embeddings = seen(masks.float())
    described = describer(embeddings)
    return [Segment(*parts) for parts in zip(masks, embeddings, described, strict=True)]


def merge_up(tree: SegmentTree, seen: Seen, describer: Describer, threshold: float | None) -> list[Segment]:
    """Merge siblings from the leaves to the root while they are alike.

    Two siblings are alike where the mean of their segments' cosine and their texts' cosine is at least
    ``threshold``. The union is embedded and described anew, from its own mask; where siblings stay apart,
    nothing above them is merged. All joins of one round are compared in one product of the vectors
    [image, text] / sqrt(2), and what is merged in it is embedded as one batch.

    Args:
        tree: ``labels`` (H, W).
        seen: the image that the tree is of.
        describer: words for segments.
        threshold: tau_merge; None merges nothing (the ablation of Table 3).

    Returns:
        Disjoint segments that cover the image, by number of their node.
    """
    labels = torch.from_numpy(tree.labels)
    leaves = torch.arange(tree.leaves)[:, None, None] == labels
    whole = dict(enumerate(describe_segments(leaves, seen, describer)))
    waiting = (
        {tree.leaves + row: pair for row, pair in enumerate(tree.merges)} if threshold is not None else {}
    )
    while ready := {node: pair for node, pair in waiting.items() if whole.keys() >= set(pair)}:
        waiting = {node: pair for node, pair in waiting.items() if node not in ready}
        alike = _similarities([(whole[left], whole[right]) for left, right in ready.values()])
        agreed = [item for item, value in zip(ready.items(), alike, strict=True) if value >= (threshold or 0)]
        _join(whole, agreed, seen, describer)
    return [whole[node] for node in sorted(whole)]


def _similarities(pairs: list[tuple[Segment, Segment]]) -> list[float]:
    """Return the mean of image and text cosine of each pair."""
    left, right = (torch.stack([_joint(pair[side]) for pair in pairs]) for side in (0, 1))
    return (left * right).sum(dim=1).tolist()


def _joint(segment: Segment) -> Tensor:
    text = segment.described.embedding.to(segment.embedding)
    return torch.cat([segment.embedding, text]) / 2**0.5


def _join(
    whole: dict[int, Segment],
    agreed: list[tuple[int, tuple[int, int]]],
    seen: Seen,
    describer: Describer,
) -> None:
    if not agreed:
        return
    masks = torch.stack([whole[left].mask | whole[right].mask for _, (left, right) in agreed])
    for (node, pair), union in zip(agreed, describe_segments(masks, seen, describer), strict=True):
        for child in pair:
            del whole[child]
        whole[node] = union
