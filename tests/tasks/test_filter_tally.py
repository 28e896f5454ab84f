from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.tables import CAPTIONS
from maskmill.tasks.filter_tally import CaptionTally, committed_captions


def row(image: str, index: int, caption: str | None, *entities: str) -> dict[str, Any]:
    return {
        "image_id": image,
        "corpus": "c",
        "key": image,
        "shard_id": "0",
        "caption_index": index,
        "caption": caption,
        "keep": bool(entities),
        "reason": "kept" if entities else "no_entity",
        "entities": list(entities),
        "spans": [],
    }


ROWS = [
    row("a", 0, "cat and dog", "cat", "dog"),
    row("a", 1, "cat", "cat"),
    row("b", 0, "view"),
    row("c", 0, None),
]


def test_images_captions_and_entities_are_counted() -> None:
    tally = CaptionTally()
    tally.add(pa.Table.from_pylist(ROWS, schema=CAPTIONS))
    assert tally.counts() == {"images": 3, "images_kept": 1, "captions": 3, "captions_kept": 2}
    assert tally.entities == {"cat": 2, "dog": 1}


def test_a_shard_without_rows_adds_nothing() -> None:
    tally = CaptionTally()
    tally.add(CAPTIONS.empty_table())
    assert tally == CaptionTally()


def test_only_committed_files_of_the_run_count(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path))
    mine, other = (write_rows(catalog.uri, "captions", run, "0", ROWS) for run in ("mine", "other"))
    write_rows(catalog.uri, "captions", "mine", "1", ROWS)
    catalog.commit([mine, other])
    assert committed_captions(catalog, "mine").captions == 3
