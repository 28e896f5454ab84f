"""Ward's agglomeration of dense features, and the tree of segments that is cut out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage

_BLOCK = 512  # rows of the distance matrix computed at once


@dataclass(frozen=True)
class CutRule:
    """Which splits of the tree are kept, from the root down.

    Args:
        splits: only the last so many merges of the agglomeration are looked at: n - 1 for n clusters.
        threshold: siblings whose mean features have a cosine of at least this stay one segment, and nothing
            below them is looked at (Appendix B: T_DINO).
        always_root: split the whole image in two, however alike the halves are.
    """

    splits: int = 19
    threshold: float = 0.9
    always_root: bool = False


PAPER_CUT = CutRule()
RELEASED_CUT = CutRule(splits=10, always_root=True)
"""The authors' loop takes the cuts for 20 clusters in steps of two and so looks at 10: at most 11 leaves."""


@dataclass(frozen=True)
class SegmentTree:
    """A binary tree over segments; leaves are 0 .. L - 1.

    Args:
        labels: integer leaf of every position, in any shape.
        merges: L - 1 pairs of nodes; node L + i joins the two of ``merges[i]``, which have smaller numbers.
    """

    labels: NDArray[np.int64]
    merges: tuple[tuple[int, int], ...]

    @property
    def leaves(self) -> int:
        """L."""
        return len(self.merges) + 1


def ward_linkage(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Agglomerate by least growth of variance, every pair of clusters allowed (Sec. 3.1).

    This is the exact, unconstrained method of the paper and of the authors' code (SciPy's ``ward``), by
    nearest-neighbour chains in O(n^2) time; distances are computed by matrix products. Memory is 16 bytes for
    each of n (n - 1) / 2 pairs: 12,000 positions take 1.2 GB and some ten seconds on one core.

    Args:
        features: (n, D), n >= 1.

    Returns:
        (n - 1, 4) SciPy linkage, merges in ascending order of their heights.
    """
    n = len(features)
    if n == 1:
        return np.zeros((0, 4))
    points = features.astype(np.float64)
    squares = np.einsum("nd,nd->n", points, points)
    distances = np.empty(n * (n - 1) // 2)
    filled = 0
    for start in range(0, n, _BLOCK):
        rows = points[start : start + _BLOCK]
        block = squares[start : start + _BLOCK, None] + squares[None, start:] - 2 * rows @ points[start:].T
        for row in range(len(rows)):
            some = block[row, row + 1 :]
            distances[filled : filled + len(some)] = some
            filled += len(some)
    np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
    return np.asarray(linkage(distances, "ward"))


def cut(tree: NDArray[np.float64], features: NDArray[np.floating], rule: CutRule) -> SegmentTree:
    """Split from the root down while siblings differ (Appendix B).

    Args:
        tree: (n - 1, 4) linkage of the features.
        features: (n, D); a node is represented by the mean of its members.
        rule: which splits are kept.

    Returns:
        The tree of the segments that are left, ``labels`` of shape (n,).
    """
    n = len(features)
    first = max(0, len(tree) - rule.splits)
    children = {n + row: (int(tree[row, 0]), int(tree[row, 1])) for row in range(first, len(tree))}
    members = _members_below(tree, first, n)
    sums = _sums(members, children, features)
    root = 2 * n - 2
    leaves, kept = {root}, []
    for node in sorted(children, reverse=True):
        left, right = children[node]
        alike = _cosine(sums[left], sums[right]) >= rule.threshold
        if node in leaves and (not alike or (rule.always_root and node == root)):
            leaves = (leaves - {node}) | {left, right}
            kept.append(node)
    return _assembled(members, children, leaves, kept[::-1])


def without_empty(tree: SegmentTree) -> SegmentTree:
    """Drop leaves that no position has any more; what they were joined with takes the place of the join.

    Raises:
        ValueError: no position has any leaf.
    """
    present = np.unique(tree.labels)
    if not len(present):
        raise ValueError("a tree over no positions")
    number: dict[int, int | None] = dict.fromkeys(range(tree.leaves))
    number.update({int(leaf): new for new, leaf in enumerate(present)})
    merges: list[tuple[int, int]] = []
    for join, (left, right) in enumerate(tree.merges):
        one, two = number[left], number[right]
        if one is None or two is None:
            number[tree.leaves + join] = two if one is None else one
            continue
        number[tree.leaves + join] = len(present) + len(merges)
        merges.append((one, two))
    return SegmentTree(np.searchsorted(present, tree.labels).astype(np.int64), tuple(merges))


def leaf_means(tree: SegmentTree, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (L, D) mean features of the leaves."""
    chosen = np.zeros((tree.leaves, len(features)))
    chosen[tree.labels.ravel(), np.arange(len(features))] = 1
    return (chosen @ features.astype(np.float64)) / chosen.sum(axis=1, keepdims=True)


def _members_below(tree: NDArray[np.float64], first: int, n: int) -> dict[int, list[int]]:
    """Return node -> positions after the first merges, for the nodes that are then not joined yet."""
    members = {position: [position] for position in range(n)}
    for row in range(first):
        left, right = members.pop(int(tree[row, 0])), members.pop(int(tree[row, 1]))
        longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
        longer.extend(shorter)
        members[n + row] = longer
    return members


def _sums(
    members: dict[int, list[int]], children: dict[int, tuple[int, int]], features: NDArray[np.floating]
) -> dict[int, NDArray[np.float64]]:
    sums = {node: features[inside].sum(axis=0, dtype=np.float64) for node, inside in members.items()}
    for node in sorted(children):
        left, right = children[node]
        sums[node] = sums[left] + sums[right]
    return sums


def _cosine(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    scale = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / scale if scale else 1.0


def _assembled(
    members: dict[int, list[int]], children: dict[int, tuple[int, int]], leaves: set[int], kept: list[int]
) -> SegmentTree:
    number = {node: new for new, node in enumerate([*sorted(leaves), *kept])}
    labels = np.zeros(sum(map(len, members.values())), np.int64)
    for leaf in leaves:
        waiting = [leaf]
        while waiting:
            node = waiting.pop()
            if node in members:
                labels[members[node]] = number[leaf]
            else:
                waiting.extend(children[node])
    merges = tuple((number[children[node][0]], number[children[node][1]]) for node in kept)
    return SegmentTree(labels, merges)
