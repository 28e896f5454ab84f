"""Images and index PNGs as mmsegmentation lays them out (``BaseSegDataset``), or as Cityscapes does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .base import ExportJob, save_image
from .key_table import KeyTable, key_line
from .label_pngs import palette_png, refuse_too_many
from .name_list import name_line
from .records import ExportRecord


@dataclass(frozen=True)
class Layout:
    """Folders of the images and of the label maps, and what their file names end in before the suffix."""

    images: str
    maps: str
    image_tail: str = ""
    map_tail: str = ""


LAYOUTS: Mapping[str, Layout] = {
    "mmseg": Layout("images", "annotations"),
    "cityscapes": Layout("leftImg8bit", "gtFine", "_leftImg8bit", "_gtFine_labelTrainIds"),
}


class IndexPngWriter:
    """``images/SPLIT``, ``annotations/SPLIT`` with a palette PNG for every image, and the lists beside them.

    Both hold a folder per shard. A pixel is its class id, 0 for background and 255 to ignore. ``labels.txt``
    names the classes, line 1 is id 0; ``classes.json`` says the same with ids, ``keys.jsonl`` whose files
    these are. mmsegmentation reads images of one suffix; ``image_format`` gives all the same.

    In the layout of Cityscapes the folders are ``leftImg8bit`` and ``gtFine``, shards stand for cities,
    images are PNGs, and file names end in ``_leftImg8bit`` and ``_gtFine_labelTrainIds``. Ids stay as above.

    Raises:
        ConfigError: there are more than 254 classes.
    """

    def __init__(self, job: ExportJob) -> None:
        refuse_too_many(len(job.classes.things))
        if job.config.layout == "cityscapes":
            job = replace(job, config=job.config.model_copy(update={"image_format": "png"}))
        self._job, self._layout, self._keys = job, LAYOUTS[job.config.layout], KeyTable(job.folder)

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts, layout = Counter[str](), self._layout
        with self._keys.of_shard(shard_id) as keys:
            for record in records:
                save_image(self._job, record, counts, layout.images, layout.image_tail)
                name = f"{record.split}/{record.shard_id}/{record.stem}{layout.map_tail}.png"
                self._job.folder.write(f"{layout.maps}/{name}", palette_png(record.labels()))
                keys.write(key_line(record))
                counts["masks"] += len(record.things)
                counts[f"images_{record.split}"] += 1
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        names = self._job.classes.names
        self._keys.finish(shards)
        with self._job.folder.whole("classes.json") as file:
            json.dump([{"id": i, "name": name} for i, name in enumerate(names)], file, ensure_ascii=False)
        with self._job.folder.whole("labels.txt") as file:
            file.writelines(f"{name_line(name)}\n" for name in names)
