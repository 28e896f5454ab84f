"""Prototypes as rows of a catalog, and what people decide about them: their names, merges and rejections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ..schemas.errors import CatalogError, ConfigError
from .files import FileAdd, write_rows
from .query import connect
from .storage import reported_as
from .store import Catalog

PROTOTYPES = "prototypes"
DECISIONS = "prototype_decisions"
KINDS = ("known", "unknown")
# A vector is stored as float32; its length, taken over some hundred dimensions, is right to about 1e-6.
_UNIT = 1e-3
# How far the clocks of two machines may be apart.
_CLOCKS = timedelta(minutes=10)


@dataclass(frozen=True)
class Decision:
    """What a person decided about a prototype.

    Args:
        decision: ``name`` it (``name`` says how), ``merge`` it into another (``merge_into`` is its id),
            ``reject`` it as no class at all, or ``reset`` it to undecided.
        decided_at: with a time zone; default: when it is stored.

    Raises:
        ConfigError: a field that the decision needs is missing, or one that it does not need is given.
    """

    prototype_id: str
    decision: Literal["name", "merge", "reject", "reset"]
    name: str | None = None
    merge_into: str | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None

    def __post_init__(self) -> None:
        what = f"the decision on prototype {self.prototype_id!r}"
        if self.decision not in ("name", "merge", "reject", "reset"):
            raise ConfigError(f"{what} is {self.decision!r}; it must be name, merge, reject or reset")
        for of, field, value in (("name", "name", self.name), ("merge", "merge_into", self.merge_into)):
            if self.decision == of and not (value or "").strip():
                raise ConfigError(f"{what} is to {of} it, and {field} is missing")
            if self.decision != of and value is not None:
                raise ConfigError(f"{what} is to {self.decision} it, which has no {field}")
        if self.decided_at is not None and self.decided_at.tzinfo is None:
            raise ConfigError(f"{what} was taken at {self.decided_at}, without a time zone")


@dataclass(frozen=True)
class PrototypeName:
    """How a prototype stands at a catalog version.

    Args:
        label: what its masks are called; None where it is rejected and they are left out.
        kind: ``known`` | ``unknown``.
        decision: the newest on it: ``name`` | ``merge`` | ``reject``, None where undecided.
        merge_into: the prototype that it was merged into, itself perhaps merged into another.
    """

    prototype_id: str
    label: str | None
    kind: str
    decision: str | None
    merge_into: str | None


def append_prototypes(catalog: Catalog, run: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> int:
    """Write and commit the prototypes of a run; they show once the run is published.

    The same rows again change nothing.

    Args:
        run: id of the run, which is not published yet.
        rows: of ``schemas.tables.PROTOTYPES``.

    Returns:
        The number of prototypes.

    Raises:
        CatalogError: a row does not fit, an id occurs twice, a vector is not of length 1 (to 0.1 percent) or
            of another size than the others of its encoder, or the store refuses.
    """
    listed = rows.to_pylist() if isinstance(rows, pa.Table) else list(rows)
    fault = next(_faults(listed), None)
    if fault:
        raise CatalogError(f"rows do not fit table {PROTOTYPES!r}: {fault}")
    add = write_rows(catalog.uri, PROTOTYPES, run, PROTOTYPES, rows)
    catalog.commit([add])
    return add.rows


def write_decisions(catalog: Catalog, run: str, rows: Sequence[Mapping[str, Any]]) -> FileAdd:
    """Write decisions of a run into a file of ``prototype_decisions``; it counts once it is committed."""
    return write_rows(catalog.uri, DECISIONS, run, DECISIONS, rows)


def prototype_names(catalog_uri: str, version: int | str | None = None) -> dict[str, PrototypeName]:
    """Return prototype id -> how it stands at a version, a number or a tag (default: the newest), by id.

    Raises:
        CatalogError: no catalog, nothing published, or no such version.
    """
    columns = "prototype_id, label, kind, decision, merge_into"
    with connect(catalog_uri, version) as db, reported_as(CatalogError, f"cannot query {catalog_uri!r}"):
        found = db.execute(f"SELECT {columns} FROM prototype_names").fetchall()  # noqa: S608 - a constant
    return {row[0]: PrototypeName(*row) for row in found}


def resolved_names(catalog_uri: str, version: int | str | None = None) -> dict[str, str | None]:
    """Return prototype id -> what its masks are called at a version, None where it is rejected.

    It is what the view ``latest_masks`` applies, for readers that take the rows of ``masks`` as they are
    stored. Ids that are not among these stay as they are.

    Raises:
        CatalogError: as `prototype_names`.
    """
    return {name: known.label for name, known in prototype_names(catalog_uri, version).items()}


def check_decisions(known: Mapping[str, PrototypeName], decisions: Sequence[Decision]) -> None:
    """Refuse decisions that cannot stand together with those that were taken before.

    Args:
        known: how the prototypes stand now.

    Raises:
        ConfigError: there are none, two of them concern the same prototype, one was taken in the future (no
            later one would count), or prototypes would be merged in a circle.
        CatalogError: one names a prototype that is not there.
    """
    if not decisions:
        raise ConfigError("no decision is given")
    ids = [decision.prototype_id for decision in decisions]
    twice = [one for i, one in enumerate(ids) if one in ids[:i]]
    if twice:
        raise ConfigError(f"two decisions on prototype {twice[0]!r} at once: give one")
    for named in (*ids, *(decision.merge_into for decision in decisions if decision.merge_into)):
        if named not in known:
            there = ", ".join(sorted(known)[:5]) or "none"
            raise CatalogError(f"no prototype {named!r}; there are {len(known)}: {there}")
    latest = datetime.now(UTC) + _CLOCKS
    for decision in decisions:
        if decision.decided_at is not None and decision.decided_at > latest:
            raise ConfigError(f"the decision on {decision.prototype_id!r} was taken in the future")
    edges = {name: one.merge_into for name, one in known.items() if one.decision == "merge"}
    edges |= {decision.prototype_id: decision.merge_into for decision in decisions}
    for start in ids:
        _refuse_circle(edges, start)


def _refuse_circle(edges: Mapping[str, str | None], start: str) -> None:
    path = [start]
    while (after := edges.get(path[-1])) is not None:
        if after in path:
            circle = " into ".join(map(repr, (*path[path.index(after) :], after)))
            raise ConfigError(f"prototypes would be merged in a circle: {circle}")
        path.append(after)


def _faults(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    sizes: dict[Any, int] = {}
    seen: set[Any] = set()
    for row in rows:
        name = row.get("prototype_id")
        if name in seen:
            yield f"prototype {name!r} is there twice"
        seen.add(name)
        if row.get("kind") not in KINDS:
            yield f"prototype {name!r} is of kind {row.get('kind')!r}, not one of {', '.join(KINDS)}"
        if row.get("kind") == "known" and not row.get("name"):
            yield f"prototype {name!r} is known and has no name"
        if not 0 <= (row.get("share") or 0) <= 1 or (row.get("support") or 0) < 0:
            yield f"prototype {name!r} has a share outside of 0 to 1, or a support below 0"
        vector = np.asarray(row.get("vector") or (), np.float64)
        if not abs(np.linalg.norm(vector) - 1) <= _UNIT:
            yield f"the vector of prototype {name!r} has length {np.linalg.norm(vector):.4g}, not 1"
        size = sizes.setdefault(row.get("encoder"), len(vector))
        if size != len(vector):
            yield f"the vector of prototype {name!r} has {len(vector)} numbers, others {size}"
