"""Polygons for YOLO segmentation: a text file per image, and ``data.yaml``.

Source: https://docs.ultralytics.com/datasets/segment/ (a line per object: class number, then x and y
of every corner as shares of the image's width and height).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from .base import ExportJob, filled_shards, save_image
from .components import Component, components
from .key_table import KeyTable, key_line
from .polygons import polygon_of
from .records import ExportRecord

# Through the centres of the outermost pixels: training fills polygons with their boundary.
_INSET = 0.5
# Letters that JSON lets stand and YAML does not, or takes for the end of a line.
_UNWRITTEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class YoloWriter:
    """``images/SPLIT``, ``labels/SPLIT``, ``data.yaml`` and ``keys.jsonl``, which says whose files these are.

    A line is a connected part of at least ``min_area`` pixels. Classes count from 0 and have no background;
    ignored pixels are background, as the format knows none. An image without a mask has an empty file. Where
    nothing is held out, ``val`` is ``train``.
    """

    def __init__(self, job: ExportJob) -> None:
        self._job, self._keys = job, KeyTable(job.folder)

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts = Counter[str]()
        with self._keys.of_shard(shard_id) as keys:
            for record in records:
                save_image(self._job, record, counts)
                lines = self._lines(record)
                name = f"labels/{record.split}/{record.shard_id}/{record.stem}.txt"
                self._job.folder.write(name, "".join(lines))
                keys.write(key_line(record))
                counts["masks"] += len(record.things)
                counts["polygons"] += len(lines)
                counts[f"images_{record.split}"] += 1
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        self._keys.finish(shards)
        val = "val" if filled_shards(self._job, shards, "val") else "train"
        with self._job.folder.whole("data.yaml") as file:
            file.write(f"train: images/train\nval: images/{val}\nnames:\n")
            for number, name in enumerate(self._job.classes.things):
                file.write(f"  {number}: {_yaml_text(name)}\n")

    def _lines(self, record: ExportRecord) -> list[str]:
        return [
            f"{mask.class_id - 1} {self._corners(record, part)}\n"
            for mask in record.things
            for part in components(record, mask, self._job.config.min_area)
        ]

    def _corners(self, record: ExportRecord, part: Component) -> str:
        config = self._job.config
        points = polygon_of(part.pixels, config.tolerance, _INSET, config.min_area)
        shares = (points + np.array([part.x, part.y])) / (record.width, record.height)
        return " ".join(f"{share:.6f}" for share in np.asarray(shares).ravel())


def _yaml_text(text: str) -> str:
    """Return a text in double quotes, on one line, as YAML 1.1 and 1.2 read it."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNWRITTEN.sub(lambda letter: f"\\u{ord(letter[0]):04x}", quoted)
