from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models import propagation
from maskmill.models.propagation import PropagationOptions, labels_at, propagate


def _slow(features: list[Tensor], first: Tensor, options: PropagationOptions) -> list[Tensor]:
    """Cell after cell: the best sources of the first and the last frames, weighed by a softmax."""
    cells = list(itertools.product(range(first.shape[1]), range(first.shape[2])))
    known = [first]
    for t in range(1, len(features)):
        frames = [0, *[i for i in range(1, t) if i >= t - options.context]]
        out = torch.zeros_like(first)
        for y, x in cells:
            found = []
            for i, (v, u) in itertools.product(frames, cells):
                if options.radius is None or max(abs(v - y), abs(u - x)) <= options.radius:
                    cosine = F.cosine_similarity(features[i][:, v, u], features[t][:, y, x], dim=0)
                    found.append((float(cosine), i, v, u))
            best = sorted(found, reverse=True)[: options.neighbours]
            total = sum(math.exp(c / options.temperature) for c, *_ in best)
            for c, i, v, u in best:
                out[:, y, x] += math.exp(c / options.temperature) / total * known[i][:, v, u]
        known.append(out)
    return known[1:]


@pytest.mark.parametrize(
    "options",
    [
        PropagationOptions(context=2, neighbours=3, radius=1, temperature=0.5),
        PropagationOptions(context=7, neighbours=4, radius=None),
    ],
)
def test_propagation_equals_cell_after_cell(
    options: PropagationOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propagation, "_TARGETS", 5)
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(6, 3, 4, generator=generator) for _ in range(5)]
    first = F.one_hot(torch.randint(0, 3, (3, 4), generator=generator), 3).permute(2, 0, 1).float()
    found = list(propagate(features, first, options))
    assert len(found) == 4
    for mine, slow in zip(found, _slow(features, first, options), strict=True):
        torch.testing.assert_close(mine, slow, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(mine.sum(0), torch.ones(3, 4))


def test_a_thing_that_moves_keeps_its_label() -> None:
    frames = []
    for t in range(4):
        frame = torch.zeros(2, 6, 6)
        frame[0] = 1
        frame[:, 1:3, t : t + 2] = torch.tensor([0.0, 1.0])[:, None, None]
        frames.append(frame)
    first = torch.stack([frames[0][0], frames[0][1]])
    last = list(propagate(frames, first))[-1]
    assert torch.equal(labels_at(last, 6, 6), (frames[-1][1] > 0).long())
    assert labels_at(last, 12, 12).shape == (12, 12)


def test_frames_of_another_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a frame has \(3, 3\) cells, the first \(2, 2\)"):
        list(propagate([torch.zeros(1, 3, 3)], torch.zeros(2, 2, 2)))
