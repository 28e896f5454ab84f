"""What SQL over a catalog can compute beyond DuckDB: macros in SQL, and functions of masks in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..schemas.errors import CatalogError
from .rle_batch import RunBatch, ious, parse_counts
from .views import MACROS

# DuckDB hands over up to 2048 masks at a time, and copies what it gets back.
_MOST_PIXELS = 1 << 30
_PIECE_BYTES = 1 << 15


@dataclass(frozen=True)
class SqlFunction:
    """A function of SQL that Python computes, some thousand rows per call; a NULL argument gives NULL.

    Args:
        call: takes one Arrow array per argument, without nulls, and returns one of the same length.
        arguments, returns: DuckDB types.
    """

    name: str
    call: Callable[..., pa.Array]
    arguments: tuple[str, ...]
    returns: str


def rle_area(rle: pa.Array) -> pa.Array:
    """Return the pixels in each mask, as int64.

    Args:
        rle: COCO compressed counts.

    Raises:
        CatalogError: counts are damaged.
    """
    return _in_pieces(lambda counts: runs_of(counts).areas(), rle)


def rle_iou(rle_a: pa.Array, rle_b: pa.Array, height: pa.Array, width: pa.Array) -> pa.Array:
    """Return the intersection over union of pairs of masks, as float64; 0 where both are empty.

    Args:
        rle_a, rle_b: COCO compressed counts of masks of one image.
        height, width: pixels of that image.

    Raises:
        CatalogError: counts are damaged, or of an image of another size.
    """

    def piece(a: pa.Array, b: pa.Array, h: pa.Array, w: pa.Array) -> NDArray[np.float64]:
        size = _integers(h), _integers(w)
        return ious(runs_of(a).filling(*size), runs_of(b).filling(*size))

    return _in_pieces(piece, rle_a, rle_b, height, width)


def rle_decode(rle: pa.Array, height: pa.Array, width: pa.Array) -> pa.Array:
    """Return each mask as height x width bytes in row-major order: 1 in the mask, 0 outside.

    ``numpy.frombuffer(value, numpy.uint8).reshape(height, width)`` is the mask.

    Raises:
        CatalogError: counts are damaged or of an image of another size, or the masks of one call have more
            than 2**30 pixels together.
    """
    heights, widths = _integers(height), _integers(width)
    runs = runs_of(rle).filling(heights, widths)
    sizes = heights * widths
    if sizes.sum() > _MOST_PIXELS:
        raise CatalogError(
            f"rle_decode of {len(sizes)} masks at once needs {sizes.sum()} bytes; choose fewer rows with "
            "WHERE or LIMIT, or decode in Python with maskmill.catalogs.rle.decode_mask"
        )
    inside = runs.inside.view(np.uint8)
    masks = [
        np.repeat(inside[first:last], runs.lengths[first:last]).reshape(w, h).T.tobytes()
        for (first, last), h, w in zip(pairwise(runs.first), heights, widths, strict=True)
    ]
    return pa.array(masks, pa.binary())


SQL_FUNCTIONS = (
    SqlFunction("rle_area", rle_area, ("BLOB",), "BIGINT"),
    SqlFunction("rle_iou", rle_iou, ("BLOB", "BLOB", "BIGINT", "BIGINT"), "DOUBLE"),
    SqlFunction("rle_decode", rle_decode, ("BLOB", "BIGINT", "BIGINT"), "BLOB"),
)


def add_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the macros and functions known to a connection and its cursors."""
    for signature, expression in MACROS.items():
        connection.execute(f"CREATE MACRO {signature} AS {expression}")
    # DuckDB takes these by name as well, which its stubs do not say; the enums moved between its versions.
    kind: dict[str, Any] = {"type": "arrow", "null_handling": "default"}
    for f in SQL_FUNCTIONS:
        arguments: list[Any] = list(f.arguments)
        connection.create_function(f.name, f.call, arguments, f.returns, **kind)


def _in_pieces(measure: Callable[..., NDArray[Any]], *columns: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Measure so many masks at a time that their runs stay in the processor's cache."""
    whole = [_whole(column) for column in columns]
    rows = max(1, _PIECE_BYTES * len(whole[0]) // max(1, whole[0].nbytes))
    starts = range(0, max(1, len(whole[0])), rows)
    return pa.array(np.concatenate([measure(*(c.slice(start, rows) for c in whole)) for start in starts]))


def runs_of(rle: pa.Array | pa.ChunkedArray) -> RunBatch:
    """Return the runs of COCO compressed counts.

    Raises:
        CatalogError: counts are damaged.
    """
    array = _whole(rle).cast(pa.large_binary())
    _, offsets, data = array.buffers()
    if not len(array):
        return parse_counts(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return parse_counts(np.frombuffer(data or b"", np.uint8), starts)


def _integers(values: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = _whole(values).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return numbers


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
