"""Mask rows against their own run lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...schemas.errors import CatalogError
from ..rle import decode_mask
from ..rle_batch import RunBatch
from ..sql_functions import runs_of
from .findings import Finding

_BOX = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")
# area_fraction is stored as float32.
_ROUNDING = 1e-6
_PIECE = 128


def wrong_masks(rows: pa.Table, place: str) -> Iterator[Finding]:
    """Measure masks again; yield a finding for each that is not what its row says.

    Args:
        rows: of ``masks``.
    """
    for start in range(0, rows.num_rows, _PIECE):
        piece = rows.slice(start, _PIECE).combine_chunks()
        for row in piece.take(pa.array(_suspects(piece))).to_pylist():
            fault = _mask_fault(row)
            if fault:
                named = " ".join(f"{name}={row[name]}" for name in ("image_id", "label"))
                yield Finding("wrong_mask", f"{place} {named}", fault)


def _suspects(rows: pa.Table) -> NDArray[np.int64]:
    """Return the places of rows that do not agree, all if some cannot be read: those are looked at singly."""
    number = {name: _numbers(rows, name) for name in ("height", "width", "area", *_BOX)}
    try:
        runs: RunBatch = runs_of(rows["rle"]).filling(number["height"], number["width"])
    except CatalogError:
        return np.arange(rows.num_rows)
    areas = runs.areas()
    boxes = np.stack([number[name] for name in _BOX], axis=1)
    share = areas / np.maximum(number["height"] * number["width"], 1)
    differs = (areas == 0) | (areas != number["area"]) | (runs.boxes(number["height"]) != boxes).any(axis=1)
    # Written so that NaN differs.
    stored = rows["area_fraction"].to_numpy().astype(np.float64)
    return np.flatnonzero(differs | ~(np.abs(stored - share) <= _ROUNDING))


def _numbers(rows: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(rows[name].to_numpy(), np.int64)


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
    if not abs(row["area_fraction"] - measured["area"] / mask.size) <= _ROUNDING:
        wrong["area_fraction"] = measured["area"] / mask.size
    return "; ".join(f"{name} is {row[name]}, its RLE says {value}" for name, value in wrong.items()) or None
