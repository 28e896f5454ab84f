"""Export the masks of a catalog version: plan, go on where an interrupted call stopped, finish."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...schemas.errors import CatalogError, ConfigError
from ..storage import is_local, locate, one_line, reported_as
from .base import ExportJob, Writer
from .coco import CocoWriter
from .config import ExportConfig, Format
from .folder import MANIFEST, ExportFolder
from .hugging_face import HuggingFaceWriter
from .index_png import IndexPngWriter
from .label_studio import LabelStudioWriter
from .panoptic import PanopticWriter
from .records import ExportRecord
from .source import ExportSource
from .web_dataset import WebDatasetWriter
from .yolo import YoloWriter

WRITERS: Mapping[Format, Callable[[ExportJob], Writer]] = {
    "coco": CocoWriter,
    "coco-panoptic": PanopticWriter,
    "index-png": IndexPngWriter,
    "yolo-seg": YoloWriter,
    "webdataset": WebDatasetWriter,
    "hf": HuggingFaceWriter,
    "labelstudio": LabelStudioWriter,
}


class ExportProgress(Protocol):
    """Receives how far an export is; ``tasks.progress.Progress`` is one."""

    def start(self, stage: str, total: int, unit: str = "shards") -> None: ...

    def advance(self, done: int, **counts: int) -> None: ...

    def finish(self) -> None: ...

    def say(self, line: str) -> None: ...


@dataclass(frozen=True)
class ExportSummary:
    """What an export has written.

    Args:
        review_run_ids: the reviews whose masks stand in for the run's, oldest first.
        counts: ``images``, ``masks``, ``corrected`` images and what else the format counts, over all calls.
        shards_done: shards that this call has written; 0 where everything was there.
    """

    out: Path
    format: str
    version: int
    run_id: str
    review_run_ids: tuple[str, ...]
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    shards_done: int


def export(
    uri: str, out: str | Path, config: ExportConfig, progress: ExportProgress | None = None
) -> ExportSummary:
    """Write the masks of one label run of a catalog, and its corrections, in the format of another tool.

    Nothing is held in memory but the rows of one shard. What an interrupted call has finished is not done
    again, and a second call of a finished export changes nothing. ``export.json`` beside the result says
    where it comes from, and is written last. A lock in the folder keeps a second process out.

    Args:
        uri: the catalog.
        out: a new or empty local folder, or one of the same export.

    Raises:
        CatalogError: no catalog, version or label run; an image is gone or has changed; the folder cannot be
            written.
        ConfigError: the folder holds something else, another process is at work there, or the format cannot
            hold the classes.
        CorpusError: the corpus is gone.
    """
    source = ExportSource(uri, config)
    folder = ExportFolder(_local(out))
    plan = _plan(source, config)
    try:
        if (finished := _finished(folder, plan)) is not None:
            return _summary(folder.out, finished, 0)
        job = ExportJob(config, source.classes, folder, _origin(source))
        writer = WRITERS[config.format](job)
        with folder.locked():
            # Another process may have finished it between the first look and the lock.
            if (finished := _finished(folder, plan)) is not None:
                return _summary(folder.out, finished, 0)
            folder.claim(plan)
            counts, written = _write_shards(source, folder, writer, progress)
            writer.finish(source.shards)
            manifest = {"format": config.format, **job.origin, "classes": source.classes.names}
            folder.finish({**manifest, "counts": counts, "plan": plan})
    except OSError as err:
        raise CatalogError(f"cannot write export {str(folder.out)!r}: {one_line(err)}") from err
    return _summary(folder.out, {**manifest, "counts": counts}, written)


def _finished(folder: ExportFolder, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``export.json`` where this export is finished.

    Raises:
        ConfigError: another export is.
    """
    finished = folder.manifest()
    if finished is not None:
        _refuse_other(folder, finished, plan)
        folder.clean()
    return finished


def _write_shards(
    source: ExportSource, folder: ExportFolder, writer: Writer, progress: ExportProgress | None
) -> tuple[dict[str, int], int]:
    """Write the shards that are not done, and return the counts of all and how many were written."""
    known = {shard: done for shard in source.shards if (done := folder.done(shard)) is not None}
    counts, left = Counter[str](), [shard for shard in source.shards if shard not in known]
    for done in known.values():
        counts.update(done)
    if progress is not None:
        if known:
            progress.say(f"{len(known)} of {len(source.shards)} shards are exported already; going on")
        progress.start("export", len(left))
    try:
        for shard in left:
            new = Counter[str]()
            new.update(writer.write(shard, _counted(source.records(shard), new)))
            folder.mark_done(shard, new)
            counts.update(new)
            if progress is not None:
                progress.advance(1, images=new["images"], masks=new["masks"])
    finally:
        if progress is not None:
            progress.finish()
    return dict(sorted(counts.items())), len(left)


def _counted(records: Iterable[ExportRecord], counts: Counter[str]) -> Iterator[ExportRecord]:
    """Pass records on and count those that people corrected."""
    for record in records:
        if record.corrected:
            counts["corrected"] += 1
        yield record


def _plan(source: ExportSource, config: ExportConfig) -> dict[str, Any]:
    """Return what makes two exports the same, as JSON values; the version that shows the run does not."""
    called = dict(source.prototypes.labels)
    names = json.dumps([source.classes.names, source.classes.ids, source.shards, called])
    return {
        "run_id": source.run_id,
        "review_run_ids": list(source.reviews.run_ids),
        **config.identity(),
        "classes_and_shards": hashlib.sha256(names.encode()).hexdigest()[:16],
    }


def _origin(source: ExportSource) -> dict[str, Any]:
    run = source.run
    return {
        "catalog": source.uri,
        "version": source.version,
        "tag": source.tag,
        "run_id": source.run_id,
        "review_run_ids": list(source.reviews.run_ids),
        "corpus": run["corpus"],
        "weights": run["weights"],
        "code_version": run["code_version"],
    }


def _refuse_other(folder: ExportFolder, finished: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    known = finished.get("plan", {})
    changed = sorted(field for field in plan if known.get(field) != plan[field])
    if changed:
        raise ConfigError(
            f"{str(folder.out)!r} holds a finished export with another {', '.join(changed)}: give another "
            f"folder, or remove it ({MANIFEST} says what it is)"
        )


def _summary(out: Path, manifest: Mapping[str, Any], written: int) -> ExportSummary:
    return ExportSummary(
        out=out,
        format=manifest["format"],
        version=manifest["version"],
        run_id=manifest["run_id"],
        review_run_ids=tuple(manifest["review_run_ids"]),
        classes=tuple(manifest["classes"]),
        counts=manifest["counts"],
        shards_done=written,
    )


def _local(out: str | Path) -> Path:
    """Return the folder that a path or URI names.

    Raises:
        ConfigError: it is on no local disk.
    """
    if "://" not in str(out):
        return Path(out).resolve()
    with reported_as(ConfigError, f"an export cannot be written to {str(out)!r}"):
        fs, path = locate(str(out))
    if not is_local(fs):
        raise ConfigError(f"an export is written to a local folder, not to {str(out)!r}")
    return Path(path).resolve()
