"""A file's rows against the statistics that were committed with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def statistics_fault(rows: pa.Table, stats: Mapping[str, Any]) -> str | None:
    """Return what is not as the log says, None if all is.

    Args:
        rows: of one file, without ``run_id``.
        stats: Delta statistics: numRecords, and nullCount, minValues and maxValues by column.
    """
    if rows.num_rows != stats["numRecords"]:
        return f"{rows.num_rows} rows, the log says {stats['numRecords']}"
    for name, nulls in stats["nullCount"].items():
        if rows[name].null_count != nulls:
            return f"column {name} has {rows[name].null_count} nulls, the log says {nulls}"
    for key, end in (("minValues", "min"), ("maxValues", "max")):
        for name, value in stats[key].items():
            found = pc.min_max(rows[name])[end].as_py()
            if found != value:
                return f"column {name} has the {end}imum {found!r}, the log says {value!r}"
    return None
