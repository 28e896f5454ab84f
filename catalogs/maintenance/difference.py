"""What lies between two versions of a catalog: runs, images, masks and labels that came, went or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from ...schemas.tables import PARTITION
from ..store import Catalog, Snapshot
from .scratch import rows_of, scratch

_CONTENT = {"images": ("sha256", "status", "width", "height", "masks"), "masks": ("rle", "score")}
# Of its content a row keeps 8 bytes: two that differ look the same in one of 10**19 cases.
_CHANGES = """
WITH was AS (SELECT run_id, image_id, {label} AS label, hash({content}) AS content FROM ({before})),
now AS (SELECT run_id, image_id, {label} AS label, hash({content}) AS content FROM ({after}))
SELECT coalesce(now.label, was.label) AS label,
    CASE WHEN was.run_id IS NULL THEN 'added' WHEN now.run_id IS NULL THEN 'removed' ELSE 'changed' END
        AS kind, count(*) AS number
FROM was FULL JOIN now
    ON was.run_id = now.run_id AND was.image_id = now.image_id AND was.label = now.label
WHERE was.content IS DISTINCT FROM now.content GROUP BY ALL
"""

Files = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Changes:
    """How many rows only the second version has, how many only the first, and how many differ in both."""

    added: int = 0
    removed: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Difference:
    """What changed from one version to another.

    Rows are the same if run, image and, of masks, label agree; they differ where their content does: of
    images sha256, status, size or number of masks; of masks RLE or score. How files are cut plays no part.

    Args:
        first, second: the versions.
        runs_added, runs_removed: ids of runs that only one of them has.
        runs_changed: (run id, status before, status now) where that differs.
        labels_added, labels_removed: names that have masks in only one of them.
        labels: label -> changes of its masks, of labels with any, most changes first.
    """

    catalog: str
    first: int
    second: int
    runs_added: tuple[str, ...]
    runs_removed: tuple[str, ...]
    runs_changed: tuple[tuple[str, str, str], ...]
    images: Changes
    masks: Changes
    labels_added: tuple[str, ...]
    labels_removed: tuple[str, ...]
    labels: Mapping[str, Changes]

    def fields(self) -> dict[str, Any]:
        """Return name -> value of all but the changes label by label; those of images and masks by kind."""
        whole = {
            name: value for name, value in vars(self).items() if name not in ("images", "masks", "labels")
        }
        for name in ("images", "masks"):
            whole |= {f"{name}_{kind}": number for kind, number in vars(getattr(self, name)).items()}
        return whole

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each label with changes."""
        return [{"label": label, **vars(changes)} for label, changes in self.labels.items()]


@dataclass
class _Tally:
    images: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in ("added", "removed", "changed")}
    )


def diff(uri: str, first: int | str, second: int | str | None = None) -> Difference:
    """Compare two versions; files that both show are not compared.

    What does not fit into 384 MB goes to temporary files.

    Args:
        first, second: versions or tags; ``second`` is the newest by default.

    Raises:
        CatalogError: no catalog or no such version, or a file is missing (vacuumed) or damaged.
    """
    catalog = Catalog.open(uri)
    versions = catalog.snapshot(first), catalog.snapshot(second)
    before, after = (catalog.all_files(snapshot.version) for snapshot in versions)
    tally = _Tally()
    with scratch(catalog.uri) as connection:
        for _, kind, number in _changes(connection, "images", before, after):
            tally.images[kind] += number
        for label, kind, number in _changes(connection, "masks", before, after):
            tally.labels[kind][label] += number
        named = [_labels(connection, files["masks"]) for files in (before, after)]
    return _difference(catalog, versions, tally, named)


def _difference(
    catalog: Catalog, versions: tuple[Snapshot, Snapshot], tally: _Tally, named: Sequence[set[str]]
) -> Difference:
    was, now = ({row[PARTITION]: row["status"] for row in version.rows} for version in versions)
    every = sum(tally.labels.values(), Counter())
    return Difference(
        catalog=catalog.uri,
        first=versions[0].version,
        second=versions[1].version,
        runs_added=tuple(sorted(now.keys() - was.keys())),
        runs_removed=tuple(sorted(was.keys() - now.keys())),
        runs_changed=tuple(
            (run, was[run], now[run]) for run in sorted(was.keys() & now.keys()) if was[run] != now[run]
        ),
        images=Changes(**tally.images),
        masks=Changes(**{kind: counts.total() for kind, counts in tally.labels.items()}),
        labels_added=tuple(sorted(named[1] - named[0])),
        labels_removed=tuple(sorted(named[0] - named[1])),
        labels={
            label: Changes(**{kind: counts[label] for kind, counts in tally.labels.items()})
            for label, _ in sorted(every.items(), key=lambda item: (-item[1], item[0]))
        },
    )


def _changes(
    connection: duckdb.DuckDBPyConnection, table: str, before: Files, after: Files
) -> list[tuple[str, str, int]]:
    """Return (label, added | removed | changed, rows), of images with an empty label."""
    same = set(before[table]) & set(after[table])
    sides = [[uri for uri in files[table] if uri not in same] for files in (before, after)]
    if not any(sides):
        return []
    content = _CONTENT[table]
    keys = ("image_id", "label") if table == "masks" else ("image_id",)
    was, now = (rows_of(uris, (*keys, *content)) for uris in sides)
    label = "label" if table == "masks" else "''"
    sql = _CHANGES.format(label=label, content=", ".join(content), before=was, after=now)
    return connection.execute(sql).fetchall()


def _labels(connection: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> set[str]:
    rows = connection.execute(f"SELECT DISTINCT label FROM ({rows_of(uris, ['label'])})")  # noqa: S608 - quoted
    return {label for (label,) in rows.fetchall()}
