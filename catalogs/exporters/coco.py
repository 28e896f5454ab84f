"""COCO instances: one JSON per split, one annotation per mask, with compressed run-lengths.

Source: https://cocodataset.org/#format-data ("Object Detection").
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..rle import encode_mask
from .base import ExportJob, save_image
from .components import components
from .json_lines import lines_of, write_array
from .records import ExportMask, ExportRecord


class CocoWriter:
    """``annotations/instances_SPLIT.json``, and the images that it names in ``images/SPLIT``.

    Ids count from 1 in the order of the shards, category ids are class ids. An annotation also has the
    ``score`` of its mask. Parts of a mask smaller than ``min_area`` are dropped where parts are told apart.
    """

    def __init__(self, job: ExportJob) -> None:
        self._job = job

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts = Counter[str]()
        with ExitStack() as open_files:
            files = {
                (split, kind): open_files.enter_context(
                    self._part(shard_id, split, kind).open("w", encoding="utf-8")
                )
                for split in self._job.config.splits
                for kind in ("images", "annotations")
            }
            for record in records:
                name = save_image(self._job, record, counts)
                files[record.split, "images"].write(_line(coco_image(record, name)))
                number = counts[f"images_{record.split}"] = counts[f"images_{record.split}"] + 1
                for annotation in self._annotations(record):
                    counts["masks"] += 1
                    files[record.split, "annotations"].write(f"{number - 1}\t{_line(annotation)}")
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        for split in self._job.config.splits:
            with self._job.folder.whole(f"annotations/instances_{split}.json") as file:
                file.write(coco_head(self._job))
                write_array(file, "images", self._images(shards, split))
                write_array(file, "annotations", self._numbered(shards, split))
                file.write("}\n")

    def _images(self, shards: Sequence[str], split: str) -> Iterator[str]:
        number = 0
        for shard in shards:
            for line in lines_of(self._part(shard, split, "images")):
                number += 1
                yield f'{{"id": {number}, {line[1:]}'

    def _numbered(self, shards: Sequence[str], split: str) -> Iterator[str]:
        """Turn positions in a shard into image ids, and number the annotations; no JSON is parsed."""
        before = number = 0
        for shard in shards:
            for line in lines_of(self._part(shard, split, "annotations")):
                number += 1
                position, body = line.split("\t", 1)
                yield f'{{"id": {number}, "image_id": {before + int(position) + 1}, {body[1:]}'
            before += sum(1 for _ in lines_of(self._part(shard, split, "images")))

    def _annotations(self, record: ExportRecord) -> Iterator[dict[str, Any]]:
        size = [record.height, record.width]
        for mask in record.things:
            if not self._job.config.components:
                yield _annotation(mask, mask.rle, mask.box, mask.area, size)
                continue
            for part in components(record, mask, self._job.config.min_area):
                box = (part.x, part.y, part.pixels.shape[1], part.pixels.shape[0])
                rle = encode_mask(part.in_image(record.height, record.width))
                yield _annotation(mask, rle, box, part.area, size)

    def _part(self, shard_id: str, split: str, kind: str) -> Path:
        return self._job.folder.part(f"{shard_id}.{split}.{kind}.jsonl")


def coco_head(job: ExportJob, **category: object) -> str:
    """Return the beginning of a COCO JSON, up to where its images follow.

    Args:
        category: further fields of every category.
    """
    names = enumerate(job.classes.things, 1)
    head = {
        "info": {"description": "maskmill export", **job.origin},
        "licenses": [],
        "categories": [{"id": i, "name": name, "supercategory": "", **category} for i, name in names],
    }
    return json.dumps(head, ensure_ascii=False)[:-1]


def coco_image(record: ExportRecord, name: str) -> dict[str, Any]:
    """Return the entry of an image without its id; ``key`` is that of the corpus."""
    return {"file_name": name, "width": record.width, "height": record.height, "key": record.key}


def _annotation(
    mask: ExportMask, rle: bytes, box: tuple[int, int, int, int], area: int, size: list[int]
) -> dict[str, Any]:
    return {
        "category_id": mask.class_id,
        "segmentation": {"size": size, "counts": rle.decode("ascii")},
        "bbox": list(box),
        "area": area,
        "iscrowd": 0,
        "score": mask.score,
    }


def _line(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False) + "\n"
