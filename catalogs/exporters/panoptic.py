"""COCO panoptic: a PNG of segment ids per image, and one JSON per split that says what they are.

Source: https://cocodataset.org/#format-data ("Panoptic Segmentation").
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...schemas.labelmap import BACKGROUND, IGNORE
from ..rle import decode_mask
from .base import ExportJob, save_image
from .coco import coco_head, coco_image
from .components import components
from .json_lines import lines_of, write_array
from .label_pngs import colour_png
from .records import ExportRecord


class PanopticWriter:
    """``annotations/panoptic_SPLIT.json`` and its PNGs in ``annotations/panoptic_SPLIT``; images as in coco.

    Segment ids count from 1 in each image; 0 is background and ignored pixels alike. A segment is a label
    (``isthing`` 0) or, with ``components``, a connected part of one (``isthing`` 1). What lies wholly below
    other masks is no segment.
    """

    def __init__(self, job: ExportJob) -> None:
        self._job = job

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts = Counter[str]()
        with ExitStack() as open_files:
            files = {
                split: open_files.enter_context(self._part(shard_id, split).open("w", encoding="utf-8"))
                for split in self._job.config.splits
            }
            for record in records:
                image = coco_image(record, save_image(self._job, record, counts))
                annotation = self._annotation(record)
                counts[f"images_{record.split}"] += 1
                counts["masks"] += len(annotation["segments_info"])
                pair = (json.dumps(body, ensure_ascii=False) for body in (image, annotation))
                files[record.split].write("\t".join(pair) + "\n")
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        for split in self._job.config.splits:
            with self._job.folder.whole(f"annotations/panoptic_{split}.json") as file:
                file.write(coco_head(self._job, isthing=int(self._job.config.components)))
                for half, (name, field) in enumerate((("images", "id"), ("annotations", "image_id"))):
                    write_array(file, name, self._numbered(shards, split, half, field))
                file.write("}\n")

    def _numbered(self, shards: Sequence[str], split: str, half: int, field: str) -> Iterator[str]:
        lines = (line for shard in shards for line in lines_of(self._part(shard, split)))
        for number, line in enumerate(lines, 1):
            yield f'{{"{field}": {number}, {line.split(chr(9))[half][1:]}'

    def _annotation(self, record: ExportRecord) -> dict[str, Any]:
        """Write the PNG of an image and return its annotation, without the image's id."""
        ids, classes = self._painted(record)
        name = f"{record.shard_id}/{record.stem}.png"
        self._job.folder.write(f"annotations/panoptic_{record.split}/{name}", colour_png(ids))
        areas = np.bincount(ids.ravel(), minlength=len(classes) + 1)
        boxes = ndimage.find_objects(ids.astype(np.int32), len(classes))
        segments = [
            {
                "id": number,
                "category_id": class_id,
                "area": int(areas[number]),
                "bbox": [x.start, y.start, x.stop - x.start, y.stop - y.start],
                "iscrowd": 0,
            }
            for number, (class_id, (y, x)) in enumerate(zip(classes, boxes, strict=True), 1)
        ]
        return {"file_name": name, "segments_info": segments}

    def _painted(self, record: ExportRecord) -> tuple[NDArray[np.uint32], list[int]]:
        """Return (H, W) segment ids without a gap, and the class of each from 1 on."""
        ids = np.zeros((record.height, record.width), np.uint32)
        classes = [BACKGROUND]
        for mask in record.masks:
            whole = decode_mask(mask.rle, record.height, record.width)
            # Whatever this mask covers is no longer what lies below it, even where its parts are too small.
            ids[whole] = 0
            if mask.class_id in (BACKGROUND, IGNORE):
                continue
            if not self._job.config.components:
                ids[whole] = len(classes)
                classes.append(mask.class_id)
                continue
            for part in components(record, mask, self._job.config.min_area):
                box = ids[part.y : part.y + part.pixels.shape[0], part.x : part.x + part.pixels.shape[1]]
                box[part.pixels] = len(classes)
                classes.append(mask.class_id)
        seen = np.bincount(ids.ravel(), minlength=len(classes)) > 0
        seen[0] = True
        dense = (np.cumsum(seen) - 1).astype(np.uint32)
        return dense[ids], [classes[i] for i in np.flatnonzero(seen)[1:]]

    def _part(self, shard_id: str, split: str) -> Path:
        return self._job.folder.part(f"{shard_id}.{split}.panoptic.jsonl")
