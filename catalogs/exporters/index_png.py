"""Images and index PNGs as mmsegmentation lays them out (``BaseSegDataset``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .base import ExportJob, save_image
from .label_pngs import palette_png, refuse_too_many
from .records import ExportRecord


class IndexPngWriter:
    """``images/SPLIT``, ``annotations/SPLIT`` with a palette PNG for every image, and ``labels.txt``.

    Both hold a folder per shard. A pixel is its class id, 0 for background (the first line of ``labels.txt``)
    and 255 to ignore. mmsegmentation reads images of one suffix; ``image_format`` gives all the same.

    Raises:
        ConfigError: there are more than 254 classes.
    """

    def __init__(self, job: ExportJob) -> None:
        refuse_too_many(len(job.classes.things))
        self._job = job

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts = Counter[str]()
        for record in records:
            save_image(self._job, record, counts)
            name = f"annotations/{record.split}/{record.shard_id}/{record.stem}.png"
            self._job.folder.write(name, palette_png(record.labels()))
            counts["masks"] += len(record.things)
            counts[f"images_{record.split}"] += 1
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        with self._job.folder.whole("labels.txt") as file:
            file.writelines(f"{' '.join(name.split())}\n" for name in self._job.classes.names)
