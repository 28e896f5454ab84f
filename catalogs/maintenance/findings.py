"""What `verify` reports: codes, where the fault lies, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_RESTORE = "restore the file from a copy of the catalog, or label its shard again as a new run"
_RESTORE_TABLE = "restore its folder, with `_delta_log`, from a copy of the catalog"

# code -> (does it make the catalog unfit to be read, what to do)
CODES: dict[str, tuple[bool, str]] = {
    "missing_file": (True, f"the version was vacuumed: read another; or the file was lost: {_RESTORE}"),
    "size_differs": (True, _RESTORE),
    "damaged_file": (True, _RESTORE),
    "wrong_statistics": (True, f"the content is not what was committed: {_RESTORE}"),
    "duplicate_image": (True, "count images with DISTINCT; label the corpus again as a new run"),
    "duplicate_mask": (True, "take one of the rows; label the corpus again as a new run"),
    "mask_without_image": (True, "leave the mask out; label the corpus again as a new run"),
    "lacking_masks": (True, f"the table was replaced or cut back: {_RESTORE_TABLE}"),
    "short_log": (True, f"the table was replaced or cut back: {_RESTORE_TABLE}"),
    "wrong_mask": (True, "trust the RLE and measure it again, or label the shard again as a new run"),
    "orphan_file": (
        False,
        "none while a run is at work; otherwise `maskmill catalog vacuum` removes it later",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Args:
        code: key of `CODES`.
        place: path of a file or folder relative to the catalog, with a row's run, image and label where it
            is one.
        detail: what was expected and what was found.
    """

    code: str
    place: str
    detail: str

    @property
    def is_fault(self) -> bool:
        """Whether readers of the version get wrong answers or none; a stray file does them no harm."""
        return CODES[self.code][0]

    @property
    def advice(self) -> str:
        return CODES[self.code][1]

    def fields(self) -> dict[str, Any]:
        """Return name -> value."""
        return {**vars(self), "advice": self.advice}


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what was found.

    Args:
        files, rows_read, bytes_read: of the files that the version shows and that could be read whole.
        masks, masks_measured: rows of masks, and how many of them had their RLE measured again.
    """

    catalog: str
    version: int
    files: int
    rows_read: int
    bytes_read: int
    masks: int
    masks_measured: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the version can be relied on; stray files do not count."""
        return not any(finding.is_fault for finding in self.findings)

    def fields(self) -> dict[str, Any]:
        """Return name -> value of the whole; ``findings`` is their number."""
        return {**vars(self), "findings": len(self.findings), "ok": self.ok}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each finding."""
        return [finding.fields() for finding in self.findings]
