"""Tasks with predictions for Label Studio, as brush masks or polygons.

Source: https://labelstud.io/guide/predictions, https://labelstud.io/tags/brushlabels and polygonlabels.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from ...schemas.errors import ConfigError
from ..rle import decode_mask
from .base import ExportJob, filled_shards, save_image
from .brush_rle import encode_brush
from .components import components
from .polygons import polygon_of
from .records import ExportMask, ExportRecord

# https://www.w3.org/TR/xml/#charsets
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FROM, _TO = "label", "image"


class LabelStudioWriter:
    """``tasks/tasks-NNNNN.json``, one a shard to import; ``labels.xml``, the labelling interface; ``images``.

    A task's image is ``image_prefix`` and the image's path below ``images/SPLIT``, percent-encoded: give
    the address that Label Studio reaches, such as ``/data/local-files/?d=images/train/``. Masks are
    predictions of the run, for people to correct. Brushes keep every pixel; polygons are one a connected part
    of at least ``min_area``. Tasks keep ``key``, ``split`` and ``captions`` in their data.

    Raises:
        ConfigError: a class name has a character that no XML holds.
    """

    def __init__(self, job: ExportJob) -> None:
        unwritable = next((name for name in job.classes.things if _NO_XML.search(name)), None)
        if unwritable is not None:
            raise ConfigError(
                f"class {unwritable!r} has a control character, which Label Studio's interface cannot hold: "
                "rename it with a vocabulary (classes)"
            )
        self._job = job

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts = Counter[str]()
        with self._job.folder.part(_part(shard_id)).open("w", encoding="utf-8") as file:
            file.write("[")
            for number, record in enumerate(records):
                task = self._task(record, save_image(self._job, record, counts))
                file.write(f"{',' if number else ''}\n{json.dumps(task, ensure_ascii=False)}")
                counts["masks"] += len(record.things)
                counts["regions"] += len(task["predictions"][0]["result"])
                counts[f"images_{record.split}"] += 1
            file.write("\n]\n")
        return counts

    def finish(self, shards: Sequence[str]) -> None:
        for number, shard in enumerate(filled_shards(self._job, shards)):
            self._job.folder.place(_part(shard), f"tasks/tasks-{number:05d}.json")
        with self._job.folder.whole("labels.xml") as file:
            file.write(self._interface())

    def _task(self, record: ExportRecord, name: str) -> dict[str, Any]:
        prefix = self._job.config.image_prefix
        data = {
            "image": prefix + quote(name.removeprefix(prefix)),
            "key": record.key,
            "split": record.split,
            "captions": list(record.captions),
        }
        shapes = [(mask, shape) for mask in record.things for shape in self._shapes(record, mask)]
        regions = [self._region(record, number, *shape) for number, shape in enumerate(shapes)]
        return {
            "data": data,
            "predictions": [{"model_version": self._job.origin["run_id"], "result": regions}],
        }

    def _region(
        self, record: ExportRecord, number: int, mask: ExportMask, shape: Mapping[str, Any]
    ) -> dict[str, Any]:
        identity = f"{record.image_id}\0{mask.label}\0{number}"
        kind = f"{self._job.config.shape}labels"
        return {
            "id": hashlib.sha256(identity.encode()).hexdigest()[:10],
            "from_name": _FROM,
            "to_name": _TO,
            "type": kind,
            "original_width": record.width,
            "original_height": record.height,
            "image_rotation": 0,
            "score": mask.score,
            "value": {**shape, kind: [self._job.classes.names[mask.class_id]]},
        }

    def _shapes(self, record: ExportRecord, mask: ExportMask) -> Iterator[dict[str, Any]]:
        config = self._job.config
        if config.shape == "brush":
            pixels = decode_mask(mask.rle, record.height, record.width)
            yield {"format": "rle", "rle": encode_brush(pixels)}
            return
        for part in components(record, mask, config.min_area):
            points = polygon_of(part.pixels, config.tolerance, 0.0, config.min_area)
            percent = (points + np.array([part.x, part.y])) * 100 / (record.width, record.height)
            yield {"points": [[round(x, 4), round(y, 4)] for x, y in percent.tolist()], "closed": True}

    def _interface(self) -> str:
        tag = "BrushLabels" if self._job.config.shape == "brush" else "PolygonLabels"
        labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in self._job.classes.things)
        return (
            f'<View>\n  <Image name="{_TO}" value="$image"/>\n'
            f'  <{tag} name="{_FROM}" toName="{_TO}">\n{labels}  </{tag}>\n</View>\n'
        )


def _part(shard_id: str) -> str:
    return f"{shard_id}.tasks.json"
