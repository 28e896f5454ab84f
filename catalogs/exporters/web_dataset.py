"""WebDataset tars: an image, its label map and what is known of it, a tar per shard and split."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .base import ExportJob, filled_shards
from .label_pngs import gray_png
from .pictures import portable_image
from .records import ExportRecord


class WebDatasetWriter:
    """``SPLIT-NNNNNN.tar`` with ``STEM.jpg``, ``STEM.seg.png`` and ``STEM.json``, numbered without a gap.

    The label map is gray: class ids, and 255 to ignore; 16 bits and 65535 where there are more than 254
    classes. The JSON holds the key, the captions and the masks' labels and scores. ``classes.json`` lists the
    class names in the order of their ids.
    """

    def __init__(self, job: ExportJob) -> None:
        self._job = job

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts = Counter[str]()
        with ExitStack() as open_files:
            tars: dict[str, tarfile.TarFile] = {
                split: open_files.enter_context(tarfile.open(self._part(shard_id, split), "w"))
                for split in self._job.config.splits
            }
            for record in records:
                for suffix, body in self._members(record):
                    info = tarfile.TarInfo(f"{record.stem}.{suffix}")
                    info.size = len(body)
                    tars[record.split].addfile(info, io.BytesIO(body))
                counts["images"] += 1
                counts["masks"] += len(record.things)
                counts[f"images_{record.split}"] += 1
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        folder = self._job.folder
        for split in self._job.config.splits:
            for number, shard in enumerate(filled_shards(self._job, shards, split)):
                folder.place(self._part(shard, split).name, f"{split}-{number:06d}.tar")
        with folder.whole("classes.json") as file:
            names = [{"id": i, "name": name} for i, name in enumerate(self._job.classes.names)]
            json.dump(names, file, ensure_ascii=False)

    def _members(self, record: ExportRecord) -> list[tuple[str, bytes]]:
        members = []
        if record.image is not None:
            data, suffix = portable_image(record, self._job.config.image_format)
            members.append((suffix.removeprefix("."), data))
        seg = gray_png(record.labels(), len(self._job.classes.things))
        known = json.dumps(self._known(record), ensure_ascii=False).encode()
        return [*members, ("seg.png", seg), ("json", known)]

    def _known(self, record: ExportRecord) -> dict[str, Any]:
        names = self._job.classes.names
        return {
            "key": record.key,
            "image_id": record.image_id,
            "width": record.width,
            "height": record.height,
            "captions": record.captions,
            "masks": [{"label": names[m.class_id], "score": m.score, "area": m.area} for m in record.things],
        }

    def _part(self, shard_id: str, split: str) -> Path:
        return self._job.folder.part(f"{shard_id}.{split}.tar")
