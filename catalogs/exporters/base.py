"""What every export format offers, and what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .classes import ClassMap
from .config import ExportConfig
from .folder import ExportFolder
from .pictures import portable_image
from .records import ExportRecord


@dataclass(frozen=True)
class ExportJob:
    """What a format must know to write its files.

    Args:
        origin: catalog, version, run and segmenter weights, for the formats that have a place for them.
    """

    config: ExportConfig
    classes: ClassMap
    folder: ExportFolder
    origin: Mapping[str, Any]


class Writer(Protocol):
    """One format, made with an :class:`ExportJob`; its constructor raises ConfigError where it cannot serve.

    Writing a shard again replaces what an interrupted call has left of it.
    """

    def write(self, shard_id: str, records: Iterable[ExportRecord]) -> Counter[str]:
        """Write one shard and return counts: ``images``, ``masks`` and what else the format counts."""
        ...

    def finish(self, shards: Sequence[str]) -> None:
        """Put the parts of all shards together, in this order; may be called again after an interruption."""
        ...


def save_image(
    job: ExportJob, record: ExportRecord, counts: Counter[str], folder: str = "images", tail: str = ""
) -> str:
    """Write a record's image to ``FOLDER/SPLIT/SHARD/STEM`` with a tail and its suffix.

    Returns:
        What the tool shall call it: the path below ``FOLDER/SPLIT`` after ``image_prefix``; where images are
        not exported, prefix, key and ``image_suffix``.
    """
    config = job.config
    counts["images"] += 1
    if record.image is None:
        return f"{config.image_prefix}{record.key}{config.image_suffix}"
    data, suffix = portable_image(record, config.image_format)
    counts[f"files_{suffix[1:]}"] += 1
    name = f"{record.shard_id}/{record.stem}{tail}{suffix}"
    job.folder.write(f"{folder}/{record.split}/{name}", data)
    return f"{config.image_prefix}{name}"


def filled_shards(job: ExportJob, shards: Sequence[str], split: str | None = None) -> list[str]:
    """Return those of the shards, all written, that have an image (of a split)."""
    name = "images" if split is None else f"images_{split}"
    return [shard for shard in shards if (job.folder.done(shard) or {}).get(name)]
