"""A made-up label run whose masks are discs and rings, and what tests of its exports share."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.samples import image_id

Mask = NDArray[np.bool_]
SIZE = (96, 128)
ROTATED = "sub/turned ü"  # stored on its side, under a key that is no file name


def disc(x: float, y: float, radius: float, size: tuple[int, int] = SIZE) -> Mask:
    """Return a mask (H, W) of a disc; pixel centres within the radius count."""
    rows, columns = np.indices(size) + 0.5
    return np.asarray(np.hypot(columns - x, rows - y) < radius)


def ring(x: float, y: float, outer: float, inner: float) -> Mask:
    return disc(x, y, outer) & ~disc(x, y, inner)


def jpeg(seed: int, size: tuple[int, int] = SIZE, orientation: int = 1) -> bytes:
    packed, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(packed, "JPEG", exif=exif)
    return packed.getvalue()


@dataclass(frozen=True)
class Drawn:
    """One image of a made-up run: (label, score, mask) each; masks have the size of the image as shown.

    Args:
        status: of its ``images`` row, other than what a run gives to the images that it looked at.
        kind: of its labels.
    """

    image: bytes
    masks: tuple[tuple[str, float, Mask], ...] = ()
    size: tuple[int, int] = SIZE
    status: str | None = None
    kind: str = "vocabulary"


SHARDS: dict[str, dict[str, Drawn]] = {
    "00000": {
        "0000": Drawn(jpeg(0), (("cat", 0.9, disc(30, 40, 24)), ("dog", 0.5, ring(84, 50, 34, 14)))),
        "0001": Drawn(jpeg(1)),
        ROTATED: Drawn(jpeg(2, (128, 96), orientation=6), (("tree", 0.25, disc(60, 48, 40)),)),
    },
    "00001": {
        "1000": Drawn(
            jpeg(3),
            # Two parts, and a thing that lies on top of another, as people draw them.
            (
                ("cat", 0.75, disc(24, 24, 18) | disc(100, 70, 20)),
                ("tree", 0.5, disc(100, 70, 26)),
                ("dog", 0.125, disc(6, 90, 3)),
            ),
        ),
    },
    "00002": {"2000": Drawn(jpeg(4), (("dog", 0.625, disc(64, 48, 30)),))},
}


def write_shards(folder: Path, shards: dict[str, dict[str, Drawn]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shard_id, drawn in shards.items():
        with tarfile.open(folder / f"{shard_id}.tar", "w") as tar:
            for key, item in drawn.items():
                members = ((f"{key}.jpg", item.image), (f"{key}.txt", f"a photo {key}".encode()))
                for name, body in members:
                    info = tarfile.TarInfo(name)
                    info.size = len(body)
                    tar.addfile(info, io.BytesIO(body))


def commit_run(
    catalog: Catalog, folder: Path, shards: dict[str, dict[str, Drawn]], run_id: str = "label-1", **run: str
) -> int:
    """Commit and publish a run over the tars of :func:`write_shards`; its id begins with its kind."""
    kind = run_id.split("-")[0]
    status = "labelled" if kind == "label" else "reviewed"
    for shard_id, drawn in shards.items():
        images, masks = [], []
        for key, item in drawn.items():
            identity = {"image_id": image_id("c", key), "corpus": "c", "key": key, "shard_id": shard_id}
            images.append(identity | _image_row(folder, shard_id, item) | {"status": item.status or status})
            masks += [identity | _mask_row(*mask) | {"label_kind": item.kind} for mask in item.masks]
        if masks:
            catalog.commit([write_rows(catalog.uri, "masks", run_id, shard_id, masks)])
        catalog.commit([write_rows(catalog.uri, "images", run_id, shard_id, images)])
    now = datetime.now(UTC)
    row: dict[str, Any] = {
        **dict.fromkeys(("config", "weights", "libraries", "counts"), "{}"),
        "kind": kind,
        "status": "finished",
        "corpus": "c",
        "corpus_uri": str(folder),
        "config_hash": "0",
        "code_version": "0",
        "started_at": now,
        "finished_at": now,
        "seconds": 1.0,
    }
    return catalog.publish(row | run, run_id)


def _image_row(corpus: Path, shard_id: str, item: Drawn) -> dict[str, Any]:
    return {
        "shard_uri": str(corpus / f"{shard_id}.tar"),
        "width": item.size[1],
        "height": item.size[0],
        "sha256": hashlib.sha256(item.image).hexdigest(),
        "vocabulary": [],
        "masks": len(item.masks),
    }


def _mask_row(label: str, score: float, mask: Mask) -> dict[str, Any]:
    rows, columns = ndimage.find_objects(mask.astype(int))[0]
    return {
        "label": label,
        "segmenter": "s",
        "height": mask.shape[0],
        "width": mask.shape[1],
        "rle": encode_mask(mask),
        "bbox_x": columns.start,
        "bbox_y": rows.start,
        "bbox_w": columns.stop - columns.start,
        "bbox_h": rows.stop - rows.start,
        "area": int(mask.sum()),
        "area_fraction": float(mask.mean()),
        "components": 1,
        "score": score,
    }


def filled_polygon(points: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Fill a polygon (N, 2) in pixels as YOLO's training does: corners in whole pixels, boundary filled."""
    canvas = Image.new("L", shape[::-1])
    corners = [(int(x), int(y)) for x, y in points]
    ImageDraw.Draw(canvas).polygon(corners, fill=1, outline=1)
    return np.asarray(canvas, bool)


def iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def truth(drawn: Drawn, names: tuple[str, ...]) -> NDArray[np.uint16]:
    """Return the (H, W) class ids of an image, the higher score on top."""
    labels = np.zeros(drawn.size, np.uint16)
    for label, _, mask in sorted(drawn.masks, key=lambda m: m[1]):
        labels[mask] = names.index(label)
    return labels


def drawn_of(key: str) -> Drawn:
    return next(shard[key] for shard in SHARDS.values() if key in shard)
