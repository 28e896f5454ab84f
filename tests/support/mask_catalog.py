"""Catalogs of flat images with a few masks, over tars, and reviews of them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

SIZE = (8, 12)
# key -> (label, score, where), or of an image that no segmenter was shown None
Masks = dict[str, list[tuple[str, float, Any]] | None]
LEFT, RIGHT, ALL = np.s_[:, :6], np.s_[:, 6:], np.s_[:, :]


def png(value: int) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.full((*SIZE, 3), value, np.uint8)).save(packed, "PNG")
    return packed.getvalue()


def write_tar(path: Path, images: dict[str, bytes], suffix: str = "png") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, data in images.items():
            for name, body in ((f"{key}.txt", b"a photo"), (f"{key}.{suffix}", data)):
                info = tarfile.TarInfo(name)
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))


def commit(
    catalog: Catalog,
    corpus: Path,
    run_id: str,
    shards: dict[str, Masks],
    kind: str = "label",
    run: dict[str, Any] | None = None,
) -> int:
    """Commit and publish a label run, or a review, of images whose key is their gray value.

    Args:
        run: columns of the run's row that are to differ.
    """
    for shard_id, masks in shards.items():
        identity = {
            k: {"image_id": image_id("c", k), "corpus": "c", "key": k, "shard_id": shard_id} for k in masks
        }
        images = [
            {**identity[key], **_image(corpus, shard_id, key), **_outcome(kind, found)}
            for key, found in masks.items()
        ]
        rows = [
            {**identity[key], **_mask(kind, *mask)} for key, found in masks.items() for mask in found or ()
        ]
        catalog.commit([write_rows(catalog.uri, "masks", run_id, shard_id, rows)] if rows else [])
        catalog.commit([write_rows(catalog.uri, "images", run_id, shard_id, images)])
    return catalog.publish(_run(kind, corpus) | (run or {}), run_id)


def _image(corpus: Path, shard_id: str, key: str) -> dict[str, Any]:
    digest = hashlib.sha256(png(int(key) % 256)).hexdigest()
    uri = str(corpus / f"{shard_id}.tar")
    return {"shard_uri": uri, "width": SIZE[1], "height": SIZE[0], "sha256": digest}


def _outcome(kind: str, found: list[tuple[str, float, Any]] | None) -> dict[str, Any]:
    status = "no_vocabulary" if found is None else "reviewed" if kind == "review" else "labelled"
    return {"status": status, "vocabulary": [], "masks": len(found or ())}


def _mask(kind: str, label: str, score: float, where: Any, label_kind: str = "vocabulary") -> dict[str, Any]:
    mask = np.zeros(SIZE, bool)
    mask[where] = True
    return {
        "label": label,
        "label_kind": label_kind,
        "segmenter": "human" if kind == "review" else "s",
        "height": SIZE[0],
        "width": SIZE[1],
        "rle": encode_mask(mask),
        **dict.fromkeys(("bbox_x", "bbox_y"), 0),
        **dict.fromkeys(("bbox_w", "bbox_h"), 1),
        "area": int(mask.sum()),
        "area_fraction": float(mask.mean()),
        "components": 1,
        "score": score,
    }


def _run(kind: str, corpus: Path) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        **dict.fromkeys(("config", "weights", "libraries", "counts"), "{}"),
        "kind": kind,
        "status": "finished",
        "corpus": "c",
        "corpus_uri": str(corpus),
        "config_hash": "0",
        "code_version": "0",
        "started_at": now,
        "finished_at": now,
        "seconds": 1.0,
    }
