"""A stream of triplets as torch's loader takes it, importable by its worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from maskmill.catalogs.triplets import TripletStream


class LoadableTriplets(torch.utils.data.IterableDataset[str]):
    def __init__(self, stream: TripletStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[str]:
        return (f"{triplet.key}{triplet.caption_index}" for triplet in self.stream)
