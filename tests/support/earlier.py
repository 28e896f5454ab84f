"""Catalogs as earlier maskmills wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pytest

from maskmill.catalogs import store
from maskmill.schemas import tables

_SECOND = {"masks": ("entropy",), "images": ("annotator",)}
_THIRD = {"evaluations": ("dataset", "mode", "weights", "details", "metrics")}
_THIRD_TABLES = ("prototypes", "prototype_decisions")
# Schema version -> table -> the columns that it did not have yet.
LACKING = {1: _SECOND | _THIRD, 2: _THIRD}


@contextmanager
def schema_version(number: int) -> Iterator[None]:
    """Let maskmill write as it did at schema version 1 or 2."""
    with pytest.MonkeyPatch.context() as patched:
        for name in _THIRD_TABLES:
            patched.delitem(tables.TABLES, name)
        for name, lacking in LACKING[number].items():
            known = [field for field in tables.TABLES[name] if field.name not in lacking]
            patched.setitem(tables.TABLES, name, pa.schema(known))
        patched.setattr(store, "SCHEMA_VERSION", number)
        yield
