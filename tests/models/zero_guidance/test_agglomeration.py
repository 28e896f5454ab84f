from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import ward

from maskmill.models.zero_guidance.agglomeration import (
    PAPER_CUT,
    RELEASED_CUT,
    CutRule,
    SegmentTree,
    cut,
    leaf_means,
    ward_linkage,
    without_empty,
)


def _features(n: int, seed: int = 0, groups: int = 5) -> NDArray[np.float64]:
    """Return unit vectors in clusters, (n, 6)."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(groups, 6))[rng.integers(0, groups, n)] + rng.normal(size=(n, 6)) * 0.3
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _variance_merges(features: NDArray[np.float64]) -> list[frozenset[int]]:
    """Merge whatever pair adds least to the sum of squares, by trying all; return what each merge joins."""
    clusters = [frozenset([i]) for i in range(len(features))]
    joined = []

    def spread(members: frozenset[int]) -> float:
        inside = features[sorted(members)]
        return float(((inside - inside.mean(0)) ** 2).sum())

    while len(clusters) > 1:
        pairs = [(a, b) for i, a in enumerate(clusters) for b in clusters[i + 1 :]]
        a, b = min(pairs, key=lambda p: spread(p[0] | p[1]) - spread(p[0]) - spread(p[1]))
        clusters = [c for c in clusters if c not in (a, b)] + [a | b]
        joined.append(a | b)
    return joined


def _members(tree: NDArray[np.float64], n: int) -> list[frozenset[int]]:
    nodes = [frozenset([i]) for i in range(n)]
    for left, right, *_ in tree:
        nodes.append(nodes[int(left)] | nodes[int(right)])
    return nodes[n:]


def test_every_merge_adds_least_to_the_variance() -> None:
    features = _features(24)
    assert _members(ward_linkage(features), 24) == _variance_merges(features)


def test_blockwise_distances_give_scipys_tree() -> None:
    features = _features(1100)
    assert np.allclose(ward_linkage(features), ward(features))


def _expected_leaves(features: NDArray[np.float64], rule: CutRule) -> set[frozenset[int]]:
    """Descend the tree of explicit member sets."""
    n, tree = len(features), ward_linkage(features)
    nodes = [frozenset([i]) for i in range(n)] + _members(tree, n)
    looked_at = range(2 * n - 2, max(n, 2 * n - 1 - rule.splits) - 1, -1)

    def leaves(node: int) -> set[frozenset[int]]:
        if node not in looked_at:
            return {nodes[node]}
        left, right = int(tree[node - n, 0]), int(tree[node - n, 1])
        one, two = (features[sorted(nodes[side])].mean(0) for side in (left, right))
        alike = one @ two / np.linalg.norm(one) / np.linalg.norm(two) >= rule.threshold
        if alike and not (rule.always_root and node == 2 * n - 2):
            return {nodes[node]}
        return leaves(left) | leaves(right)

    return leaves(2 * n - 2)


@pytest.mark.parametrize("rule", [PAPER_CUT, RELEASED_CUT, CutRule(6, 0.2), CutRule(3, 1.1), CutRule(0)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_splits_are_kept_while_siblings_differ(rule: CutRule, seed: int) -> None:
    features = _features(60, seed, groups=8)
    tree = cut(ward_linkage(features), features, rule)
    found = {frozenset(np.flatnonzero(tree.labels == leaf).tolist()) for leaf in range(tree.leaves)}
    assert found == _expected_leaves(features, rule)


def test_joins_rebuild_the_agglomeration() -> None:
    features = _features(60, 3, groups=8)
    tree = cut(ward_linkage(features), features, CutRule(threshold=1.1))
    nodes = [frozenset(np.flatnonzero(tree.labels == leaf).tolist()) for leaf in range(tree.leaves)]
    for left, right in tree.merges:
        nodes.append(nodes[left] | nodes[right])
    assert set(nodes[tree.leaves :]) <= set(_members(ward_linkage(features), 60))
    assert nodes[-1] == frozenset(range(60))
    assert len(nodes) == 2 * tree.leaves - 1 == 39


def test_the_paper_cuts_into_at_most_20_and_the_authors_code_into_at_most_11() -> None:
    rng = np.random.default_rng(0)
    features = np.eye(40)[rng.integers(0, 40, 300)]
    linkage = ward_linkage(features)
    assert cut(linkage, features, PAPER_CUT).leaves == 20
    assert cut(linkage, features, RELEASED_CUT).leaves == 11


def test_an_even_image_is_one_segment_in_the_paper_and_two_in_the_authors_code() -> None:
    features = np.ones((12, 3))
    assert cut(ward_linkage(features), features, PAPER_CUT).leaves == 1
    assert cut(ward_linkage(features), features, RELEASED_CUT).leaves == 2


def test_a_single_position_is_one_segment() -> None:
    features = np.ones((1, 4))
    tree = cut(ward_linkage(features), features, RELEASED_CUT)
    assert (tree.leaves, tree.labels.tolist()) == (1, [0])


def test_leaf_means_are_the_means_of_their_members() -> None:
    features = _features(30)
    tree = cut(ward_linkage(features), features, CutRule(5, 1.1))
    means = leaf_means(tree, features)
    for leaf in range(tree.leaves):
        assert np.allclose(means[leaf], features[tree.labels == leaf].mean(0))


@pytest.mark.parametrize(
    ("labels", "kept", "merges"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], ((0, 1), (2, 3), (4, 5))),
        ([0, 0, 2, 3], [0, 0, 1, 2], ((1, 2), (0, 3))),
        ([2, 3, 3, 2], [0, 1, 1, 0], ((0, 1),)),
        ([1, 1, 3, 3], [0, 0, 1, 1], ((0, 1),)),
        ([3, 3, 3, 3], [0, 0, 0, 0], ()),
    ],
)
def test_a_leaf_without_pixels_gives_its_place_to_its_sibling(
    labels: list[int], kept: list[int], merges: tuple[tuple[int, int], ...]
) -> None:
    tree = without_empty(SegmentTree(np.array(labels), ((0, 1), (2, 3), (4, 5))))
    assert tree.labels.tolist() == kept
    assert tree.merges == merges


def test_a_tree_over_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no positions"):
        without_empty(SegmentTree(np.zeros(0, np.int64), ()))
