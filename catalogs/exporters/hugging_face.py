"""Parquet for Hugging Face ``datasets``: images and label maps as files within rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .base import ExportJob, filled_shards
from .label_pngs import gray_png
from .pictures import portable_image
from .records import ExportRecord

_ROWS_AT_ONCE = 100  # datasets reads a group whole to show one row
_FILE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
_SPLITS = {"train": "train", "val": "validation"}


class HuggingFaceWriter:
    """``data/SPLIT-NNNNN-of-NNNNN.parquet``, which ``load_dataset(FOLDER)`` opens, and a ``README.md``.

    Columns: ``image`` and ``label_map`` (both decoded to pictures by ``datasets``), ``labels`` and ``scores``
    of the masks, ``captions``, ``key`` and ``image_id``. The label map is gray: class ids, and 255 to ignore;
    16 bits and 65535 where there are more than 254 classes. ``labels`` are class ids with their names.
    """

    def __init__(self, job: ExportJob) -> None:
        self._job = job
        self._schema = _schema(job)

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        counts, records = Counter[str](), iter(records)
        with ExitStack() as open_files:
            files = {
                split: open_files.enter_context(
                    pq.ParquetWriter(self._part(shard_id, split), self._schema, compression="zstd")
                )
                for split in self._job.config.splits
            }
            while batch := list(islice(records, _ROWS_AT_ONCE)):
                for split, file in files.items():
                    chosen = [record for record in batch if record.split == split]
                    if chosen:
                        file.write_table(pa.Table.from_pylist([self._row(r) for r in chosen], self._schema))
                    counts[f"images_{split}"] += len(chosen)
                counts["images"] += len(batch)
                counts["masks"] += sum(len(record.things) for record in batch)
        return +counts

    def finish(self, shards: Sequence[str]) -> None:
        folder = self._job.folder
        for split in self._job.config.splits:
            filled = filled_shards(self._job, shards, split)
            for number, shard in enumerate(filled):
                name = f"data/{_SPLITS[split]}-{number:05d}-of-{len(filled):05d}.parquet"
                folder.place(self._part(shard, split).name, name)
        with folder.whole("README.md") as file:
            file.writelines(self._card())

    def _row(self, record: ExportRecord) -> dict[str, Any]:
        row: dict[str, Any] = {
            "label_map": {
                "bytes": gray_png(record.labels(), len(self._job.classes.things)),
                "path": f"{record.stem}.png",
            },
            "labels": [mask.class_id for mask in record.things],
            "scores": [mask.score for mask in record.things],
            "captions": list(record.captions),
            "key": record.key,
            "image_id": record.image_id,
        }
        if record.image is not None:
            data, suffix = portable_image(record, self._job.config.image_format)
            row["image"] = {"bytes": data, "path": record.stem + suffix}
        return row

    def _card(self) -> Iterator[str]:
        origin = self._job.origin
        yield "---\ntask_categories:\n- image-segmentation\n---\n\n# Pseudo-masks\n\n"
        yield f"Made with maskmill from version {origin['version']}, run `{origin['run_id']}`. "
        yield "Classes by id in `label_map`:\n\n"
        for number, name in enumerate(self._job.classes.names):
            yield f"{number}. {' '.join(name.split())}\n"

    def _part(self, shard_id: str, split: str) -> Path:
        return self._job.folder.part(f"{shard_id}.{split}.parquet")


def _schema(job: ExportJob) -> pa.Schema:
    """Return the columns, and in the metadata what ``datasets`` takes them for."""
    text = {"dtype": "string", "_type": "Value"}
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label_map": {"_type": "Image"},
        "labels": [{"names": list(job.classes.names), "_type": "ClassLabel"}],
        "scores": [{"dtype": "float32", "_type": "Value"}],
        "captions": [text],
        "key": text,
        "image_id": text,
    }
    kinds = {
        "image": _FILE,
        "label_map": _FILE,
        "labels": pa.list_(pa.int64()),
        "scores": pa.list_(pa.float32()),
        "captions": pa.list_(pa.string()),
        "key": pa.string(),
        "image_id": pa.string(),
    }
    if job.config.images == "none":
        del features["image"], kinds["image"]
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(kinds.items()), metadata=metadata)
