"""Checks of mask rows against one another, against their images, and against their own run lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.errors import CatalogError
from ..rle import decode_mask
from .findings import Finding

_MEASURED = ["image_id", "label", "height", "width", "rle", "bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"]
# area_fraction is stored as float32.
_ROUNDING = 1e-6


def duplicates(rows: pa.Table, code: str, place: str) -> Iterator[Finding]:
    """Yield a finding for each key that several rows of a run have."""
    counts = rows.group_by(rows.column_names).aggregate([([], "count_all")])
    for row in counts.filter(pc.greater(counts["count_all"], 1)).to_pylist():
        number = row.pop("count_all")
        yield Finding(code, f"{place} {_named(row)}", f"{number} rows")


def strays(masks: pa.Table, images: pa.Table, place: str) -> Iterator[Finding]:
    """Yield a finding for each image of a run that has masks but no row of its own."""
    of_image = masks.group_by(["image_id"]).aggregate([([], "count_all")])
    for row in of_image.join(images, "image_id", join_type="left anti").to_pylist():
        number = row.pop("count_all")
        yield Finding("mask_without_image", f"{place} {_named(row)}", f"{number} masks and no row of images")


def wrong_masks(rows: pa.Table, place: str, at_most: int | None) -> tuple[int, list[Finding]]:
    """Measure masks again, spread evenly over a file.

    Args:
        rows: of ``masks``.
        at_most: default: all.

    Returns:
        How many were measured, and a finding for each that is not what its row says.
    """
    number = rows.num_rows if at_most is None else min(at_most, rows.num_rows)
    chosen = np.linspace(0, max(rows.num_rows - 1, 0), number).astype(np.int64)
    found = []
    for row in rows.select([*_MEASURED, "area_fraction"]).take(chosen).to_pylist():
        fault = _mask_fault(row)
        if fault:
            named = _named({name: row[name] for name in ("image_id", "label")})
            found.append(Finding("wrong_mask", f"{place} {named}", fault))
    return number, found


def _mask_fault(row: dict[str, Any]) -> str | None:
    try:
        mask = decode_mask(row["rle"], row["height"], row["width"])
    except CatalogError as err:
        return str(err)
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(ys):
        return "the mask is empty"
    measured: dict[str, float] = {
        "bbox_x": int(xs[0]),
        "bbox_y": int(ys[0]),
        "bbox_w": int(xs[-1] - xs[0] + 1),
        "bbox_h": int(ys[-1] - ys[0] + 1),
        "area": int(mask.sum()),
    }
    wrong = {name: value for name, value in measured.items() if row[name] != value}
    if abs(row["area_fraction"] - measured["area"] / mask.size) > _ROUNDING:
        wrong["area_fraction"] = measured["area"] / mask.size
    return "; ".join(f"{name} is {row[name]}, its RLE says {value}" for name, value in wrong.items()) or None


def _named(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items())
