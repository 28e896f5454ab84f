"""Whether the tables are still those that a version was published with: their logs, and how many masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...schemas.tables import PARTITION
from ..store import Snapshot
from .findings import Finding
from .log import Commit
from .scratch import rows_of, scratch

# An image's row says how many masks were written with it. Two images that share a hash have too many masks
# at worst, which accuses neither; rows that are there twice are a finding of their own.
_LACKING = """
WITH there AS (SELECT run_id, hash(image_id) AS image, count(*) AS number FROM masks GROUP BY ALL),
said AS (
    SELECT images.run_id, image_id, CAST(images.masks AS BIGINT) AS said, coalesce(number, 0) AS number
    FROM images LEFT JOIN there ON images.run_id = there.run_id AND hash(image_id) = image)
SELECT run_id, sum(said - number)::BIGINT, count(*), min(image_id) FROM said
WHERE said > number AND run_id NOT IN (SELECT unnest($unknown)) GROUP BY run_id ORDER BY run_id
"""


def log_findings(logs: Mapping[str, Sequence[Commit]], snapshot: Snapshot) -> Iterator[Finding]:
    """Yield a finding for each table whose log ends before the version that the catalog version pins.

    A table that came with a later schema version than the catalog is of has no log and is not pinned, so that
    nothing is amiss; one that has lost its log is pinned all the same.

    Args:
        logs: table -> its log, from its first commit on without a gap.
        snapshot: of the catalog version.
    """
    for table, log in logs.items():
        pinned = snapshot.pinned(table)
        if pinned >= max(len(log), 1):
            end = f"it ends at version {log[-1].version}" if log else "it is not there"
            detail = f"{end}, catalog version {snapshot.version} shows version {pinned} of the table"
            yield Finding("short_log", f"{table}/_delta_log", detail)


def lacking_masks(uri: str, files: Mapping[str, Sequence[str]], unknown: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for each run that has fewer masks than the rows of its images say.

    Args:
        uri: of the catalog.
        files: table -> URIs of the files of ``images`` and ``masks`` that are whole.
        unknown: runs of whose masks not all files are whole, so that nobody can tell how many there were.

    Raises:
        CatalogError: a file cannot be read.
    """
    with scratch(uri) as connection:
        for table, columns in (("images", ("image_id", "masks")), ("masks", ("image_id",))):
            connection.execute(f"CREATE VIEW {table} AS {rows_of(files.get(table, ()), columns)}")
        found = connection.execute(_LACKING, {"unknown": list(unknown)})
        for run_id, masks, images, first in found.fetchall():
            detail = f"{masks} masks of {images} images are not there, the first of image_id={first}"
            yield Finding("lacking_masks", f"masks/{PARTITION}={run_id}", detail)
