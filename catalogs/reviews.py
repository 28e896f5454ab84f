"""What people corrected of the images of a label run: their masks stand in for the run's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.tables import PARTITION
from .files import read_files, run_of
from .parts import Part, parts_of, read_part
from .store import FINISHED, Catalog

REVIEWED = "reviewed"
_FILES = pa.schema([("image_id", pa.string()), ("sha256", pa.string())])
_INDEX = pa.schema([("image_id", pa.string()), ("run", pa.int32()), ("shard_id", pa.string())])
_FILES_AT_ONCE = 64


class Reviews:
    """The newest review of each image of a label run, as the view ``latest_masks`` chooses it.

    Of the finished review runs of the corpus the one that finished last speaks for an image, whether or not
    the label run saw the image. As in the view, a review is passed over where the label run has another
    file under the image's key, since people drew on what is no longer there. In memory lie the ids of the
    reviewed images, about 100 bytes each, and the masks of one shard.

    Attributes:
        run_ids: review runs that speak for an image, oldest first.
    """

    def __init__(self, runs: Sequence[str], index: pa.Table, masks: Mapping[str, Mapping[str, Part]]) -> None:
        self._runs, self._index, self._masks = runs, index, masks
        self.run_ids = tuple(runs[i] for i in sorted(index["run"].unique().to_pylist()))

    @classmethod
    def none(cls) -> Self:
        return cls((), _INDEX.empty_table(), {})

    @classmethod
    def of(cls, catalog: Catalog, version: int, run: Mapping[str, Any], images: Sequence[str]) -> Self:
        """Look for reviews in a catalog version.

        Args:
            run: the row of the label run.
            images: URIs of its ``images`` files.

        Raises:
            CatalogError: a file is missing or damaged.
        """
        runs = [
            row[PARTITION]
            for row in catalog.runs(version)
            if row["kind"] == "review" and row["status"] == FINISHED and row["corpus"] == run["corpus"]
        ]
        if not runs:
            return cls.none()
        files = {table: _by_run(catalog.files(table, version)) for table in ("images", "masks")}
        found = [_reviewed(number, files["images"][name]) for number, name in enumerate(runs)]
        index = _newest(pa.concat_tables(found), images)
        return cls(runs, index, {name: parts_of(files["masks"][name]) for name in runs})

    def masks(self, image_ids: Sequence[str], columns: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the ``masks`` rows of those of the images that people reviewed, an empty list for none."""
        mine = self._index.filter(pc.is_in(self._index["image_id"], pa.array(image_ids, pa.string())))
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in mine["image_id"].to_pylist()}
        for part, wanted in self._parts_of(mine):
            for row in _only(read_part("masks", part, columns), wanted).to_pylist():
                rows[row["image_id"]].append(row)
        return rows

    def labels(self) -> set[str]:
        """Return the labels of the masks that stand in for those of the label run."""
        return {
            label
            for part, wanted in self._parts_of(self._index)
            for label in _only(read_part("masks", part, ["image_id", "label"]), wanted)["label"].to_pylist()
        }

    def _parts_of(self, index: pa.Table) -> list[tuple[Part, pa.Array]]:
        """Return where the masks of these images lie: each part, and the ids of the images meant in it."""
        groups = index.group_by(["run", "shard_id"]).aggregate([("image_id", "list")]).to_pylist()
        found = []
        for group in sorted(groups, key=lambda group: (group["run"], group["shard_id"])):
            part = self._masks[self._runs[group["run"]]].get(group["shard_id"])
            if part is not None:
                found.append((part, pa.array(group["image_id_list"], pa.string())))
        return found


def _by_run(files: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for file in files:
        found[run_of(file)].append(file)
    return found


def _reviewed(number: int, files: Sequence[str]) -> pa.Table:
    """Return image id, sha256 and shard of the images that a review run looked at, and the run's number."""
    rows = read_files("images", files, [*_FILES.names, "shard_id", "status"])
    rows = rows.filter(pc.equal(rows["status"], REVIEWED))
    place = pa.repeat(pa.scalar(number, pa.int32()), rows.num_rows)
    return rows.select([*_FILES.names, "shard_id"]).append_column("run", place)


def _newest(reviewed: pa.Table, images: Sequence[str]) -> pa.Table:
    """Keep, of the images that the label run has the same file of, the newest review."""
    known = [_FILES.empty_table()]
    for first in range(0, len(images), _FILES_AT_ONCE):
        rows = read_files("images", images[first : first + _FILES_AT_ONCE], _FILES.names)
        known.append(_only(rows, reviewed["image_id"]).select(_FILES.names))
    same = pa.concat_tables(known, promote_options="default")
    reviewed = reviewed.join(same, _FILES.names, join_type="left semi")
    newest = reviewed.group_by("image_id").aggregate([("run", "max")]).rename_columns(["image_id", "run"])
    return reviewed.join(newest, ["image_id", "run"], join_type="left semi").select(_INDEX.names)


def _only(rows: pa.Table, image_ids: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["image_id"], image_ids))
