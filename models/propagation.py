"""Labels of a video's first frame, carried on by likeness of features (Jabri et al. 2020, as DINO does)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_TARGETS = 1024  # target cells compared with all sources at once


@dataclass(frozen=True)
class PropagationOptions:
    """How labels travel; the defaults are DINO's for DAVIS.

    Args:
        context: earlier frames that are looked at besides the first.
        neighbours: most alike source cells that give a cell its label.
        radius: sources lie within so many cells along either axis; None for anywhere.
        temperature: of the softmax over cosines.
    """

    context: int = 7
    neighbours: int = 5
    radius: int | None = 12
    temperature: float = 0.1


def propagate(
    features: Iterable[Tensor], first: Tensor, options: PropagationOptions = PropagationOptions()
) -> Iterator[Tensor]:
    """Yield the label weights of every frame after the first.

    Args:
        features: (D, h, w) of each frame in order, any norm.
        first: (C, h, w) label weights of the first frame, each cell's sum 1.

    Yields:
        (C, h, w) float32, each cell's sum 1.

    Raises:
        ValueError: a frame's grid is not that of ``first``.
    """
    sources: deque[tuple[Tensor, Tensor]] = deque(maxlen=options.context)
    start: tuple[Tensor, Tensor] | None = None
    near = None if options.radius is None else _near(first.shape[1], first.shape[2], options.radius)
    for frame in features:
        if frame.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"a frame has {tuple(frame.shape[1:])} cells, the first {tuple(first.shape[1:])}"
            )
        cells = F.normalize(frame.flatten(1).float(), dim=0)
        if start is None:
            start = (cells, first.flatten(1).float())
            continue
        weights = _carried(cells, [start, *sources], near, options)
        sources.append((cells, weights))
        yield weights.unflatten(1, first.shape[1:])


def _carried(
    cells: Tensor, sources: list[tuple[Tensor, Tensor]], near: Tensor | None, options: PropagationOptions
) -> Tensor:
    """Return (C, h w) weights of the (D, h w) target cells by their most alike sources."""
    known = torch.stack([feature for feature, _ in sources])
    labels = torch.cat([weight for _, weight in sources], dim=1)
    carried = []
    for first in range(0, cells.shape[1], _TARGETS):
        part = slice(first, first + _TARGETS)
        cosine = known.transpose(1, 2) @ cells[:, part]  # frames, sources, targets
        if near is not None:
            cosine.masked_fill_(~near[:, part].to(cosine.device), -torch.inf)
        pooled = cosine.flatten(0, 1)
        values, index = pooled.topk(min(options.neighbours, len(pooled)), dim=0)
        shares = (values / options.temperature).softmax(0)
        carried.append(torch.einsum("ckt,kt->ct", labels[:, index], shares))
    return torch.cat(carried, dim=1)


def _near(rows: int, columns: int, radius: int) -> Tensor:
    """Return (h w, h w) bool: whether two cells lie within the radius along both axes."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    y, x = y.flatten(), x.flatten()
    return ((y[:, None] - y).abs() <= radius) & ((x[:, None] - x).abs() <= radius)


def labels_at(weights: Tensor, height: int, width: int) -> Tensor:
    """Return the (height, width) int64 labels of (C, h, w) weights, upsampled bilinearly."""
    full = F.interpolate(weights[None], (height, width), mode="bilinear", align_corners=False)[0]
    return full.argmax(0)
