from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.zero_guidance.agglomeration import SegmentTree
from maskmill.models.zero_guidance.language import Described
from maskmill.models.zero_guidance.merging import Segment, merge_up

WORDS = ("red", "green", "blue")
TREE = SegmentTree(np.arange(5).repeat(3)[None], ((0, 1), (2, 3), (5, 6), (7, 4)))


class Nearest:
    """Describes a vector by its greatest axis."""

    id = "nearest"
    weights: Mapping[str, str] = {}

    def __call__(self, embeddings: Tensor) -> list[Described]:
        return [Described(WORDS[axis], torch.eye(3)[axis]) for axis in embeddings.argmax(1).tolist()]


class Looking:
    """Embeds a mask by the mean vector of its pixels; remembers how many masks it was asked for at once."""

    def __init__(self, vectors: list[tuple[float, float, float]]) -> None:
        self.pixels = torch.tensor(vectors).repeat_interleave(3, 0)
        self.asked: list[int] = []

    def __call__(self, masks: Tensor) -> Tensor:
        self.asked.append(len(masks))
        return F.normalize(masks.flatten(1) @ self.pixels, dim=1)


def _reference(tree: SegmentTree, look: Looking, threshold: float) -> list[tuple[tuple[int, ...], str]]:
    """Go up node by node; return the leaves' pixels and text of what is left."""
    nodes: dict[int, tuple[frozenset[int], Tensor, str]] = {}

    def seen(members: frozenset[int]) -> tuple[frozenset[int], Tensor, str]:
        mask = torch.tensor([[pixel // 3 in members for pixel in range(15)]])
        vector = F.normalize(mask.float() @ look.pixels, dim=1)[0]
        return members, vector, WORDS[int(vector.argmax())]

    for leaf in range(5):
        nodes[leaf] = seen(frozenset([leaf]))
    for node, (left, right) in enumerate(tree.merges, start=5):
        if left in nodes and right in nodes:
            one, two = nodes[left], nodes[right]
            if (float(one[1] @ two[1]) + float(one[2] == two[2])) / 2 >= threshold:
                nodes[node] = seen(one[0] | two[0])
                del nodes[left], nodes[right]
    return sorted((tuple(sorted(members)), text) for members, _, text in nodes.values())


def _found(segments: list[Segment]) -> list[tuple[tuple[int, ...], str]]:
    pixels = [sorted(set((segment.mask[0].nonzero()[:, 0] // 3).tolist())) for segment in segments]
    return sorted((tuple(p), s.described.text) for p, s in zip(pixels, segments, strict=True))


@pytest.mark.parametrize("threshold", [-1.0, 0.3, 0.5, 0.8, 0.95, 1.1])
@pytest.mark.parametrize("seed", range(4))
def test_siblings_merge_bottom_up_as_node_by_node(threshold: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = (torch.rand(5, 3, generator=generator) + torch.eye(3)[[0, 0, 1, 1, 0]] * 1.5).tolist()
    look = Looking(vectors)
    found = merge_up(TREE, look, Nearest(), threshold)
    assert _found(found) == _reference(TREE, look, threshold)
    assert torch.stack([segment.mask for segment in found]).sum(0).eq(1).all()


def test_the_union_is_embedded_and_described_anew() -> None:
    look = Looking([(1, 0.9, 0), (0.9, 0.95, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0)])
    segments = merge_up(TREE, look, Nearest(), 0.4)
    union = next(s for s in segments if s.mask[0, 0] and s.mask[0, 3])
    expected = F.normalize(look.pixels[:6].sum(0), dim=0)
    assert torch.allclose(union.embedding, expected)
    assert union.described.text == "red"


def test_cousins_are_not_compared() -> None:
    alike, other = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    segments = merge_up(TREE, Looking([alike, other, alike, other, alike]), Nearest(), 0.8)
    assert len(segments) == 5


def test_without_a_threshold_leaves_stay_and_are_seen_in_one_batch() -> None:
    look = Looking([(1.0, 0.0, 0.0)] * 5)
    assert len(merge_up(TREE, look, Nearest(), None)) == 5
    assert look.asked == [5]


def test_what_merges_in_one_round_is_seen_in_one_batch() -> None:
    look = Looking([(1.0, 0.0, 0.0)] * 5)
    assert len(merge_up(TREE, look, Nearest(), 0.8)) == 1
    assert look.asked == [5, 2, 1, 1]
