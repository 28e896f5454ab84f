"""Shards of one-coloured images, a segmenter for them that needs no model, and a label run's progress."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskmill.catalogs.query import query
from maskmill.schemas.config import CorpusConfig, LabelConfig, PoolConfig, SegmenterConfig
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary

BLUE, GREEN, BROKEN = (10, 10, 200), (10, 200, 10), (1, 2, 3)


class ColourSegmenter:
    """The left half of an image is the first class of its vocabulary that is no background."""

    id = "colour@1"

    def __init__(self, config: SegmenterConfig) -> None:
        self.weights = {"colour": "abc"}

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        return [self._one(image, v) for image, v in zip(images, vocabularies, strict=True)]

    def _one(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> LabelMap:
        if tuple(image[0, 0]) == BROKEN:
            raise ValueError("a colour that breaks the segmenter")
        labels = np.zeros(image.shape[:2], np.uint16)
        labels[:, : image.shape[1] // 2] = 1
        return LabelMap(labels, np.full(labels.shape, 0.5, np.float16), vocabulary.names)


def png(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 12), colour).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, samples: dict[str, tuple[bytes, str | None]]) -> None:
    with tarfile.open(path, "w") as archive:
        for key, (image, caption) in samples.items():
            parts = {"png": image} | ({} if caption is None else {"txt": caption.encode()})
            for suffix, body in parts.items():
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))


def four_shards(folder: Path) -> CorpusConfig:
    """Write four shards of three images each."""
    folder.mkdir()
    for shard in range(4):
        keys = [f"{shard}{n}" for n in range(3)]
        write_tar(folder / f"{shard:05d}.tar", {key: (png(BLUE), "a photo of a dog") for key in keys})
    return CorpusConfig(uri=str(folder))


def config(**fields: Any) -> LabelConfig:
    pool = PoolConfig(**{"backend": "inline", **fields.pop("pool", {})})
    return LabelConfig(**{"vocabulary": "demo", "batch_images": 2, "pool": pool, **fields})


def rows(catalog: str, sql: str) -> list[dict[str, Any]]:
    return query(catalog, sql).to_pylist()
