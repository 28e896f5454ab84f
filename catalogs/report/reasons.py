"""The codes of the catalog in words: why something was kept, dropped or left out, and how it was judged."""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.errors import CaptionReason, ErrorReason
from ...schemas.protocols import KNOWN, UNKNOWN_IGNORED

CAPTIONS: dict[str, str] = {
    CaptionReason.KEPT: "names an entity",
    CaptionReason.NO_ENTITY: "names no entity",
    CaptionReason.LANGUAGE: "most letters are not Latin",
    CaptionReason.NO_CAPTION: "empty or blank",
    CaptionReason.TOO_SMALL: "its image is too small",
    CaptionReason.DUPLICATE_IMAGE: "its image equals an earlier one",
}
NOUNS: dict[str, str] = {
    "kept": "in the entity set",
    "named": "in the entity set by name, not derived from captions",
    "listed_no_region": "on the list of words that name no region",
    "abstract": "mostly not a thing that can be seen",
    "not_in_wordnet": "no noun of WordNet",
    "below_min_count": "in too few captions",
    "beyond_top_k": "less frequent than the entities kept",
}
ERRORS: dict[str, str] = {
    ErrorReason.EMPTY_FILE: "a file without a byte",
    ErrorReason.NOT_AN_IMAGE: "a file that is no image",
    ErrorReason.TRUNCATED_IMAGE: "an image cut short",
    ErrorReason.TOO_LARGE: "more pixels than allowed",
    ErrorReason.MISSING_IMAGE: "no image file",
    ErrorReason.DUPLICATE_KEY: "a key that an earlier sample has",
    ErrorReason.BAD_METADATA: "metadata that cannot be read",
    ErrorReason.TRUNCATED_SHARD: "a shard cut short",
    ErrorReason.UNREADABLE_SHARD: "a shard that cannot be read",
    ErrorReason.SEGMENTER_FAILED: "the segmenter raised an error",
    ErrorReason.NOT_FILTERED: "its captions were not filtered",
    ErrorReason.SHARD_QUARANTINED: "a shard given up after several tries",
}
_PROTOCOLS = {
    KNOWN: "the vocabulary and the background, at original size; other things of the truth are background",
    UNKNOWN_IGNORED: "the same, without the pixels of things that the vocabulary lacks",
}
_WITH_CAPTIONS = "+captions"


def explain(codes: dict[str, str], code: str) -> str:
    """Return what a code means, or nothing for a code of a later version."""
    return codes.get(code, "")


def explained_protocols(protocols: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, meaning) of the protocols, and of the ending ``+captions``, that need to be told."""
    given = list(protocols)
    families = {name.removesuffix(_WITH_CAPTIONS) for name in given}
    told = [(name, words) for name, words in _PROTOCOLS.items() if name in families]
    if any(name.endswith(_WITH_CAPTIONS) for name in given):
        told.append((_WITH_CAPTIONS, "each image was asked only for what its own captions name"))
    return told
