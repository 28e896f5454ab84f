"""Counts come from what is committed, published or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import ErrorReason
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.samples import Shard
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.label_rows import DecodedImage, ShardRows, error_row
from maskmill.tasks.tally import committed_labels, committed_reasons, committed_rows


def test_only_committed_rows_of_the_run_are_counted(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    for shard, run, word in (("0", "r", "cat"), ("1", "r", "dog"), ("0", "other", "bus"), ("2", "r", "car")):
        rows = ShardRows("c", Shard(shard, "uri", "f"), "fake@1", 1)
        words = Vocabulary.of([word])
        labels = LabelMap(np.ones((2, 2), np.uint16), np.ones((2, 2), np.float16), words.names)
        for key in "ab":
            rows.labelled(DecodedImage(key, np.zeros((2, 2, 3), np.uint8), "0" * 64, 0.0), words, labels)
        adds = rows.write(catalog.uri, run, {"masks", "images"})
        if shard != "2":
            catalog.commit(adds)
    tables = ("images", "masks", "errors")
    assert committed_rows(catalog, "r", tables) == {"images": 4, "masks": 4, "errors": 0}
    assert committed_labels(catalog, "r") == {"cat", "dog"}
    assert committed_rows(catalog, "nobody", tables) == {"images": 0, "masks": 0, "errors": 0}
    assert committed_labels(catalog, "nobody") == set()


def test_reasons_of_errors_are_counted_over_the_files_of_the_run(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    unreadable, taken = ErrorReason.UNREADABLE_SHARD, ErrorReason.DUPLICATE_KEY
    for run, shard, reasons in (
        ("r", "0", [taken, taken]),
        ("r", "1", [unreadable, taken]),
        ("x", "0", [taken]),
    ):
        rows = [error_row("filter", "c", shard, None, reason, "detail") for reason in reasons]
        catalog.commit([write_rows(catalog.uri, "errors", run, shard, rows)])
    assert committed_reasons(catalog, "r").most_common() == [(taken, 3), (unreadable, 1)]
    assert not committed_reasons(catalog, "nobody")
