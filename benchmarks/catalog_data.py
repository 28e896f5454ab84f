"""A catalog of generated masks of any size: a seeded pool of drawn label maps, dealt out to shards.

Every image has a key, a sha256, scores and a shard of its own; only the shapes repeat. No shard holds a shape
twice, so that a file of the catalog compresses as one of distinct masks would.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from maskmill.catalogs.files import FileAdd, write_rows
from maskmill.catalogs.rle import mask_rows
from maskmill.catalogs.store import Catalog
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.samples import image_id
from maskmill.schemas.tables import MASKS

HEIGHT, WIDTH = 480, 640
CORPUS = "generated"
SEGMENTER = "clip-diy@0123456789abcdef"
LABELS = 171  # as many as COCO-Stuff has
_COARSE = 8  # noise is drawn this much smaller and enlarged, as a segmenter's patches are
_SMOOTH = (6.0, 22.0)  # standard deviation of the filter, of an image, in coarse pixels
_BACKGROUND = 0.6  # how much higher the background's field may lie
_MIN_AREA = 64
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pool:
    """Drawn images, each with its rows of ``masks`` without what names the image.

    Args:
        rows: measured masks of all images, image after image.
        first: (N + 1,) int64; image i has the rows ``first[i]`` to ``first[i + 1]``.
        labels: per image, the names of its masks.
        png_bytes: (N,) int64 size of each image's label map as an index PNG.
    """

    rows: pa.Table
    first: NDArray[np.int64]
    labels: list[list[str]]
    png_bytes: NDArray[np.int64]

    @property
    def masks_per_image(self) -> float:
        return float(self.first[-1] / (len(self.first) - 1))


@dataclass(frozen=True)
class Shard:
    """One shard of the corpus: image ids and keys, and which image of the pool each one looks like."""

    name: str
    ids: list[str]
    keys: list[str]
    drawn: NDArray[np.int64]


def draw_pool(images: int, seed: int) -> Pool:
    """Draw label maps of ragged blobs and measure their masks as labelling does."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, LABELS + 1) ** 0.8
    shares /= shares.sum()
    rows: list[dict[str, Any]] = []
    first, labels, png_bytes = [0], [], []
    for _ in range(images):
        label_map = _label_map(rng, shares)
        found = mask_rows(label_map, min_area=_MIN_AREA)
        rows += found
        first.append(len(rows))
        labels.append([row["label"] for row in found])
        png_bytes.append(_png_size(label_map.labels))
    names = [field for field in MASKS if field.name in rows[0]]
    return Pool(pa.Table.from_pylist(rows, pa.schema(names)), np.array(first), labels, np.array(png_bytes))


def deal(pool: Pool, masks: int, per_shard: int, seed: int) -> Iterator[Shard]:
    """Deal the pool's images to shards of about ``per_shard`` masks, ``masks`` in all or a little more."""
    rng = np.random.default_rng(seed)
    sizes = np.diff(pool.first)
    dealt, number = 0, 0
    while dealt < masks:
        order = rng.permutation(len(sizes))
        fill = np.searchsorted(np.cumsum(sizes[order]), min(per_shard, masks - dealt)) + 1
        drawn = order[:fill]
        dealt += int(sizes[drawn].sum())
        keys = [f"{number:05d}{i:05d}" for i in range(len(drawn))]
        yield Shard(f"{number:05d}", [image_id(CORPUS, key) for key in keys], keys, drawn)
        number += 1


def mask_table(pool: Pool, shard: Shard, rng: np.random.Generator) -> pa.Table:
    """Return the rows of ``masks`` of a shard, each with a score and an entropy of its own."""
    sizes = np.diff(pool.first)[shard.drawn]
    image = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(image)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = pool.rows.take(pa.array(pool.first[shard.drawn][image] + within))
    scores = rng.beta(5, 3, len(image)).astype(np.float32)
    told = {
        "image_id": pa.array(shard.ids).take(pa.array(image)),
        "key": pa.array(shard.keys).take(pa.array(image)),
        **_same(len(image), corpus=CORPUS, shard_id=shard.name, segmenter=SEGMENTER, label_kind="vocabulary"),
        "score": pa.array(scores),
        "entropy": pa.array((1 - scores) * rng.random(len(image), np.float32)),
    }
    return pa.table({field.name: told.get(field.name, _column(rows, field)) for field in MASKS})


def image_table(pool: Pool, shard: Shard) -> pa.Table:
    """Return the rows of ``images`` of a shard."""
    number = len(shard.keys)
    labels = [pool.labels[i] for i in shard.drawn]
    return pa.table(
        {
            "image_id": pa.array(shard.ids),
            "key": pa.array(shard.keys),
            **_same(number, corpus=CORPUS, shard_id=shard.name, status="labelled"),
            **_same(number, shard_uri=f"s3://bucket/generated/{shard.name}.tar"),
            **_same(number, width=WIDTH, height=HEIGHT, annotator=pa.scalar(None, pa.string())),
            "sha256": pa.array([hashlib.sha256(key.encode()).hexdigest() for key in shard.keys]),
            "vocabulary": pa.array(labels, pa.list_(pa.string())),
            "masks": pa.array([len(names) for names in labels], pa.int32()),
        }
    )


def write_shard(
    catalog: Catalog, run_id: str, pool: Pool, shard: Shard, rng: np.random.Generator
) -> list[FileAdd]:
    """Write, and do not commit, the files of a shard."""
    masks = write_rows(catalog.uri, "masks", run_id, shard.name, mask_table(pool, shard, rng))
    return [masks, write_rows(catalog.uri, "images", run_id, shard.name, image_table(pool, shard))]


def run_row(day: int, masks: int) -> dict[str, Any]:
    """Return a row of ``runs`` of a label run that finished on this day."""
    return {
        "kind": "label",
        "status": "finished",
        "corpus": CORPUS,
        "corpus_uri": "s3://bucket/generated",
        "config": "{}",
        "config_hash": f"{day:016x}",
        "weights": "{}",
        "code_version": "0",
        "libraries": "{}",
        "counts": f'{{"masks": {masks}, "repeated": 0}}',  # keys are numbered
        "started_at": _START + timedelta(days=day),
        "finished_at": _START + timedelta(days=day, hours=1),
        "seconds": 3600.0,
    }


def _label_map(rng: np.random.Generator, shares: NDArray[np.float64]) -> LabelMap:
    """Draw two to nine fields of noise, smooth to ragged; the highest of them has the pixel."""
    things = int(rng.integers(2, 10))
    shape = (things + 1, HEIGHT // _COARSE, WIDTH // _COARSE)
    smooth = float(rng.uniform(*_SMOOTH))
    fields = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), (0, smooth, smooth)) * smooth
    fields[0] += rng.uniform(0, _BACKGROUND)
    fine = [Image.fromarray(f).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR) for f in fields]
    labels = np.stack([np.asarray(field) for field in fine]).argmax(0).astype(np.uint16)
    names = rng.choice(LABELS, things, replace=False, p=shares)
    # Rows get scores of their own when they are dealt.
    scores = np.full(labels.shape, 0.5, np.float16)
    return LabelMap(labels, scores, ("background", *(f"class {name:03d}" for name in names)))


def _png_size(labels: NDArray[np.uint16]) -> int:
    body = io.BytesIO()
    Image.fromarray(labels.astype(np.uint8), "P").save(body, "PNG", optimize=True)
    return body.tell()


def _column(rows: pa.Table, field: pa.Field) -> pa.ChunkedArray | None:
    return rows[field.name] if field.name in rows.column_names else None


def _same(number: int, **values: Any) -> dict[str, pa.Array]:
    """Return columns that say the same in every row."""
    return {name: pa.repeat(value, number) for name, value in values.items()}
