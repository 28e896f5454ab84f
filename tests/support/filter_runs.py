"""Filter runs for tests, written as the filter writes them, without a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

CORPUS = "c"
Shards = Mapping[str, Mapping[str, Sequence[str]]]  # shard -> key -> captions; entities in [brackets]


def caption_row(key: str, shard_id: str, index: int, marked: str) -> dict[str, Any]:
    """Return the row of a caption whose entities are marked as in ``a [cat] and a [dog]``."""
    caption, spans = "", []
    for piece in marked.split("["):
        name, closed, rest = piece.partition("]")
        if closed:
            spans.append({"start": len(caption), "end": len(caption) + len(name), "entity": name})
        caption += name + rest
    return {
        "image_id": image_id(CORPUS, key),
        "corpus": CORPUS,
        "key": key,
        "shard_id": shard_id,
        "caption_index": index,
        "caption": caption,
        "keep": bool(spans),
        "reason": "kept" if spans else "no_entity",
        "entities": list(dict.fromkeys(span["entity"] for span in spans)),
        "spans": spans,
    }


def rows_of(shard_id: str, images: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return the rows of a shard."""
    return [
        caption_row(key, shard_id, index, marked)
        for key, captions in images.items()
        for index, marked in enumerate(captions)
    ]


def images_by_entity(shards: Shards) -> dict[str, set[str]]:
    """Find by the plain way which images an entity names; of equal keys the first shard counts."""
    found: dict[str, set[str]] = {}
    seen: set[str] = set()
    for shard_id, images in sorted(shards.items()):
        for key, captions in images.items():
            rows = rows_of(shard_id, {key: captions})
            if key not in seen and any(row["keep"] for row in rows):
                seen.add(key)
                for entity in {entity for row in rows for entity in row["entities"]}:
                    found.setdefault(entity, set()).add(image_id(CORPUS, key))
    return found


def publish_filter(
    catalog: Catalog, run_id: str, shards: Shards, corpus_uri: str = "x", **changes: object
) -> int:
    """Commit and publish a finished filter run; later calls finish later."""
    for shard_id, images in shards.items():
        catalog.commit([write_rows(catalog.uri, "captions", run_id, shard_id, rows_of(shard_id, images))])
    return publish_row(catalog, run_id, corpus_uri=corpus_uri, **changes)


def publish_row(catalog: Catalog, run_id: str, **changes: object) -> int:
    """Publish the row of a filter run whose files are committed."""
    now = datetime.now(UTC)
    run = {
        **dict.fromkeys(("reason", "corpus_config", "corpus_fingerprint", "parent_run_id")),
        **dict.fromkeys(("config", "weights", "libraries", "counts"), "{}"),
        "kind": "filter",
        "status": "finished",
        "corpus": CORPUS,
        "corpus_uri": "x",
        "config_hash": "0",
        "code_version": "0",
        "started_at": now - timedelta(seconds=1),
        "finished_at": now,
        "seconds": 1.0,
    }
    return catalog.publish({**run, **changes}, run_id)
