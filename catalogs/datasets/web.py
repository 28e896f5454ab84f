"""A stream in the shape of WebDataset's samples, for its loaders and pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..exporters.label_pngs import gray_png
from .sample import MaskRecord
from .stream import MaskStream

_SUFFIXES = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"))


class WebMasks:
    """Samples as WebDataset reads them from a tar: ``__key__``, ``__url__`` and files' bytes by extension.

    The image file comes as it lies in the corpus, under the extension of its format (``jpg``, ``png``,
    ``webp`` ...). ``seg.png`` is the gray label map: class ids, and 255 to ignore; 16 bits and 65535 where
    there are more than 254 classes beside the background. ``json`` says key, image id, size, whether a person
    looked at the image, and class id and weight of its masks. Images are shared out over ranks and workers as
    in the stream: give no splitters to ``DataPipeline``.

    Args:
        stream: whose epoch counts.
    """

    def __init__(self, stream: MaskStream) -> None:
        self.stream = stream

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Do what an iteration does: a pipeline calls its first stage."""
        return iter(self)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the samples of this process.

        Raises:
            CatalogError, CorpusError: as the stream.
        """
        for record in self.stream.records():
            yield self._sample(record)

    def _sample(self, record: MaskRecord) -> dict[str, Any]:
        return {
            "__key__": record.key,
            "__url__": f"{self.stream.dataset.pinned.uri}@{self.stream.version}#{self.stream.run_id}",
            _suffix(record.image): record.image,
            "seg.png": gray_png(record.labels(), len(self.stream.classes) - 1),
            "json": json.dumps(_known(record), ensure_ascii=False).encode(),
        }


def _known(record: MaskRecord) -> dict[str, Any]:
    return {
        "key": record.key,
        "image_id": record.image_id,
        "width": record.width,
        "height": record.height,
        "human": record.human,
        "masks": [{"class_id": mask.class_id, "weight": mask.weight} for mask in record.masks],
    }


def _suffix(image: bytes) -> str:
    """Return the extension of an image file by its first bytes; ``jpg`` where they say nothing."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "webp"
    if image[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    return next((suffix for start, suffix in _SUFFIXES if image.startswith(start)), "jpg")
