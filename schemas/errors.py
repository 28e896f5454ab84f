"""The exceptions that maskmill raises on purpose, and the reason codes of ``errors`` and ``captions`` rows.

::

    MaskmillError
    ├── ConfigError      the configuration, a flag or a vocabulary is wrong         exit code 2
    ├── CorpusError      the corpus is missing or unreadable as a whole             exit code 3
    ├── CatalogError     not a catalog, no such version, a row file is damaged      exit code 4
    ├── WeightsError     weights are missing, do not fit or have another checksum   exit code 5
    ├── StageError       a stage gave up: too many errors, no worker could start    exit code 6
    └── SampleError      one sample is bad; becomes a row of ``errors``, never ends a run
"""

from __future__ import annotations

from enum import StrEnum


class MaskmillError(Exception):
    """Base of every error that maskmill raises on purpose; its text says what to do about it."""

    exit_code = 1


class ConfigError(MaskmillError):
    exit_code = 2


class CorpusError(MaskmillError):
    exit_code = 3


class CatalogError(MaskmillError):
    exit_code = 4


class WeightsError(MaskmillError):
    exit_code = 5


class StageError(MaskmillError):
    exit_code = 6


class ErrorReason(StrEnum):
    """Why a sample (or a whole shard) has an ``errors`` row instead of a result."""

    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED_IMAGE = "truncated_image"
    TOO_LARGE = "too_large"
    MISSING_IMAGE = "missing_image"
    DUPLICATE_KEY = "duplicate_key"
    BAD_METADATA = "bad_metadata"
    TRUNCATED_SHARD = "truncated_shard"
    UNREADABLE_SHARD = "unreadable_shard"
    SEGMENTER_FAILED = "segmenter_failed"
    NOT_FILTERED = "not_filtered"
    SHARD_QUARANTINED = "shard_quarantined"


class CaptionReason(StrEnum):
    """Why a caption was dropped, the reasons in order of precedence, or that it was kept."""

    DUPLICATE_IMAGE = "duplicate_image"  # an earlier image of the corpus is equal to its image byte for byte
    TOO_SMALL = "too_small"  # its image is, by FilterConfig.min_short_side
    NO_CAPTION = "no_caption"  # null, empty or blank
    LANGUAGE = "language"  # most letters are not Latin
    NO_ENTITY = "no_entity"
    KEPT = "kept"


class SampleError(MaskmillError):
    """One sample cannot be processed.

    Args:
        reason: the code stored in ``errors.reason``.
        detail: one line for a person, stored in ``errors.detail``.
    """

    def __init__(self, reason: ErrorReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[SampleError], tuple[ErrorReason, str]]:
        return (SampleError, (self.reason, self.detail))
