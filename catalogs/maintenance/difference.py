"""What lies between two versions of a catalog: runs, images, masks and labels that came, went or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.tables import PARTITION
from ..files import read_files, run_of
from ..store import Catalog, Snapshot

_IMAGE = ["image_id"]
_IMAGE_CONTENT = ["sha256", "status", "width", "height", "masks"]
_MASK = ["image_id", "label"]
_MASK_CONTENT = ["rle", "score"]


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
    """Compare two versions; runs whose files are the same in both are not read.

    Args:
        first, second: versions or tags; ``second`` is the newest by default.

    Raises:
        CatalogError: no catalog or no such version, or a file is missing (vacuumed) or damaged.
    """
    catalog = Catalog.open(uri)
    before, after = catalog.snapshot(first), catalog.snapshot(second)
    images = [_by_run(catalog, "images", snapshot) for snapshot in (before, after)]
    masks = [_by_run(catalog, "masks", snapshot) for snapshot in (before, after)]
    tally = _Tally()
    for run_id in sorted({*images[0], *images[1], *masks[0], *masks[1]}):
        _count_images(tally, *(files.get(run_id, []) for files in images))
        _count_masks(tally, *(files.get(run_id, []) for files in masks))
    named = [_labels(uri for files in side.values() for uri in files) for side in masks]
    return _difference(catalog, (before, after), tally, named)


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


def _by_run(catalog: Catalog, table: str, snapshot: Snapshot) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for uri in catalog.files(table, snapshot.version):
        files.setdefault(run_of(uri), []).append(uri)
    return files


def _count_images(tally: _Tally, before: list[str], after: list[str]) -> None:
    if before != after:
        for kind, rows in _changes("images", before, after, _IMAGE, _IMAGE_CONTENT).items():
            tally.images[kind] += rows.num_rows


def _count_masks(tally: _Tally, before: list[str], after: list[str]) -> None:
    if before != after:
        for kind, rows in _changes("masks", before, after, _MASK, _MASK_CONTENT).items():
            for count in rows["label"].value_counts().to_pylist():
                tally.labels[kind][count["values"]] += count["counts"]


def _changes(
    table: str, before: list[str], after: list[str], keys: list[str], content: list[str]
) -> dict[str, pa.Table]:
    """Return added, removed and changed -> keys of the rows."""
    was, now = (
        read_files(table, uris, [*keys, *content]).drop_columns([PARTITION]) for uris in (before, after)
    )
    added = now.select(keys).join(was.select(keys), keys, join_type="left anti")
    removed = was.select(keys).join(now.select(keys), keys, join_type="left anti")
    both = now.join(was, keys, join_type="inner", right_suffix="_before")
    differs = pa.array([False] * both.num_rows, pa.bool_())
    for name in content:
        differs = pc.or_(differs, pc.not_equal(both[name], both[f"{name}_before"]))
    return {"added": added, "removed": removed, "changed": both.filter(differs).select(keys)}


def _labels(uris: Iterable[str]) -> set[str]:
    return set(read_files("masks", list(uris), ["label"])["label"].unique().to_pylist())
