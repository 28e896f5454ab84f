"""The review stage: what people corrected, as a run of its own beside the masks that it corrects."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from ..catalogs.corrections import Corrections, Fault, ReviewedImage, ReviewReason, open_corrections
from ..catalogs.files import FileAdd, write_rows
from ..catalogs.storage import full_uri, locate
from ..catalogs.store import Catalog
from ..schemas.config import CorpusConfig, Frozen
from ..schemas.errors import CorpusError, StageError
from ..schemas.tables import PARTITION
from .commits import Committer
from .progress import SILENT, Progress
from .review_base import ReviewBase
from .review_match import ImageNames, KnownImage
from .review_rows import STAGE, ReviewRules, fault_row, image_row, review_masks
from .runs import RunEnd, RunHead, RunSummary, claim_run, default_run_id, finished_run, results_hash, run_row
from .tally import committed_labels

ANCHOR = "images"


class ReviewConfig(Frozen):
    """How to read what people corrected, and what of it to take."""

    format: Literal["coco", "index-png", "labelstudio"] = "coco"
    corpus: str | None = Field(
        None, description="whose images were corrected; default: the catalog's only one"
    )
    classes: str | None = Field(None, description="list of the classes of index PNGs; default: beside them")
    annotator: str | None = Field(
        None, min_length=1, description="who looked at the images, where the file says nothing"
    )
    new_labels: bool = Field(False, description="take labels that the corpus has not had in this catalog")
    overlap: Literal["refuse", "smaller"] = Field(
        "refuse", description="where two labels claim a pixel: take no such image, or the smaller region's"
    )
    undecided: Literal["refuse", "background"] = Field(
        "refuse", description="pixels to be ignored: take no such image, or make them background"
    )


class ReviewRecord(Frozen):
    """What a review run stores as its configuration: with it, where its masks come from.

    ``annotators`` are those of the whole file, by name.
    """

    source: str
    sha256: str
    annotators: tuple[str, ...]
    review: ReviewConfig


def review_import(
    catalog_uri: str,
    source: str,
    config: ReviewConfig,
    run_id: str | None = None,
    progress: Progress = SILENT,
) -> RunSummary:
    """Add the masks that people drew or corrected to a catalog, as a run of kind ``review``.

    Nothing is overwritten: the masks of label runs stay, and their versions read as before. Images are found
    by key or file name among those that a label run of the corpus has seen. One that cannot be taken as it
    stands (see ``ReviewReason``) gets an ``errors`` row for each reason, and none of its masks is taken. One
    that is listed without a mask is one without things. The same file again does nothing.

    Args:
        source: a COCO JSON, a folder of index PNGs or a Label Studio JSON; any URI that fsspec serves.
        run_id: default: follows from the file's content, the corpus and the configuration. Give one to
            import a file again, once the catalog knows more images or labels.

    Returns:
        counts: images, masks, labels (distinct), errors, unreviewed (listed, and nobody has looked yet).

    Raises:
        ConfigError: the run id is taken, or the corpus must be named.
        CorpusError: the file is not there, is no such file, or nobody has looked at any of its images.
        CatalogError: no catalog, or no label run of the corpus.
        StageError: no image could be taken. The run is published as failed.
    """
    began = time.monotonic()
    corrections = open_corrections(source, config.format, config.classes)
    if not corrections.images and not corrections.faults:
        raise CorpusError(f"{source!r} holds no image that somebody has looked at")
    catalog = Catalog.open(catalog_uri)
    base = ReviewBase.of(catalog, config.corpus)
    head = _head(base, source, corrections, config, run_id)
    finished = finished_run(catalog, head)
    if finished:
        return finished
    if run_id:
        claim_run(catalog, head)
    version, counts = _Import(catalog, base, corrections, config, head).run(progress)
    return RunSummary(STAGE, head.run_id, version, counts, time.monotonic() - began, False, head.corpus)


def _head(
    base: ReviewBase, source: str, corrections: Corrections, config: ReviewConfig, run_id: str | None
) -> RunHead:
    corpus = str(base.newest["corpus"])
    # Where the list of classes lies does not matter: what it says is part of the file's sha256.
    decided = config.model_copy(update={"corpus": corpus, "classes": None})
    config_hash = results_hash(decided, corrections.sha256)
    annotators = {image.annotator or config.annotator for image in corrections.images} - {None}
    given = full_uri(*locate(source))
    reading = base.newest["corpus_config"]
    return RunHead(
        kind=STAGE,
        run_id=run_id or default_run_id(STAGE, corpus, config_hash),
        config=ReviewRecord(
            source=given,
            sha256=corrections.sha256,
            annotators=tuple(sorted(filter(None, annotators))),
            review=config,
        ),
        config_hash=config_hash,
        corpus=corpus,
        corpus_uri=base.newest["corpus_uri"],
        reading=CorpusConfig.model_validate_json(reading) if reading else None,
        parent_run_id=base.newest[PARTITION],
    )


@dataclass
class _Import:
    """Writes a file per table and shard of the corpus, as label runs do, so that trainers read both alike."""

    catalog: Catalog
    base: ReviewBase
    corrections: Corrections
    config: ReviewConfig
    head: RunHead
    errors: list[dict[str, Any]] = field(default_factory=list)

    def run(self, progress: Progress) -> tuple[int, dict[str, int]]:
        """Return the catalog version that shows the run, and its counts."""
        labels = None if self.config.new_labels else self.base.labels(self.catalog)
        rules = ReviewRules(labels, self.config.overlap, self.config.undecided)
        for name, fault in self.corrections.faults:
            self._failed(name, None, fault)
        shards = self._found()
        progress.start(STAGE, len(shards))
        counts: Counter[str] = Counter()
        try:
            with Committer(self.catalog, ANCHOR) as committer:
                for shard_id in sorted(shards):
                    taken = self._shard(shard_id, shards[shard_id], rules)
                    committer.add(taken)
                    rows = {add.table: add.rows for add in taken}
                    counts.update(rows)
                    progress.advance(1, **rows)
                committer.add(self._leftovers(set(shards)))
        finally:
            progress.finish()
        return self._publish(counts)

    def _found(self) -> dict[str, list[tuple[KnownImage, ReviewedImage]]]:
        """Return the reviewed images that the catalog knows, by shard, each once."""
        named = (name for image in self.corrections.images for name in image.names)
        known = ImageNames(self.base.images(self.catalog), named)
        shards: dict[str, list[tuple[KnownImage, ReviewedImage]]] = defaultdict(list)
        first: dict[str, str] = {}
        for reviewed in self.corrections.images:
            image = known.find(reviewed.names)
            if isinstance(image, Fault):
                self._failed(reviewed.names[0], None, image)
            elif image.key in first:
                detail = f"{reviewed.names[0]!r} is the same image as {first[image.key]!r}"
                self._failed(None, image, Fault(ReviewReason.REPEATED_IMAGE, detail))
            else:
                first[image.key] = reviewed.names[0]
                shards[image.row["shard_id"]].append((image, reviewed))
        return shards

    def _shard(
        self, shard_id: str, pairs: list[tuple[KnownImage, ReviewedImage]], rules: ReviewRules
    ) -> list[FileAdd]:
        images: list[dict[str, Any]] = []
        masks: list[dict[str, Any]] = []
        for image, reviewed in sorted(pairs, key=lambda pair: pair[0].key):
            regions = reviewed.draw(image.row["height"], image.row["width"])
            found, faults = review_masks(image, regions, rules)
            for fault in faults:
                self._failed(None, image, fault)
            if not faults:
                annotator = reviewed.annotator or self.config.annotator
                images.append(image_row(image, self.corrections.classes, len(found), annotator))
                masks += found
        return [self._write("masks", shard_id, masks), self._write("images", shard_id, images)]

    def _leftovers(self, written: set[str]) -> list[FileAdd]:
        """Write the errors, and empty what an interrupted import of other shards has committed."""
        adds = [self._write("errors", STAGE, self.errors)]
        for table in ("masks", "images"):
            stale = self.catalog.committed(table, self.head.run_id) - written
            adds += [self._write(table, shard_id, []) for shard_id in sorted(stale)]
        return adds

    def _publish(self, counts: Mapping[str, int]) -> tuple[int, dict[str, int]]:
        done = {
            "images": counts.get("images", 0),
            "masks": counts.get("masks", 0),
            "labels": len(committed_labels(self.catalog, self.head.run_id)),
            "errors": len(self.errors),
            "unreviewed": self.corrections.unreviewed,
        }
        reason = None if done["images"] else self._why_nothing()
        version = self.catalog.publish(run_row(self.head, RunEnd(done, reason=reason)), self.head.run_id)
        if reason:
            raise StageError(reason)
        return version, done

    def _why_nothing(self) -> str:
        reasons = Counter(row["reason"] for row in self.errors)
        often = ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common(3))
        return f"no image could be taken: {often}; the first: {self.errors[0]['detail']}"

    def _write(self, table: str, name: str, rows: list[dict[str, Any]]) -> FileAdd:
        return write_rows(self.catalog.uri, table, self.head.run_id, name, rows)

    def _failed(self, name: str | None, image: KnownImage | None, fault: Fault) -> None:
        self.errors.append(fault_row(self.head.corpus or "", name, image, fault))
