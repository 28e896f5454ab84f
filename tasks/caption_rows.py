"""The rows of ``captions``: one decision per caption, worked out column by column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..schemas.errors import CaptionReason
from ..schemas.samples import image_id
from .column_matching import Matches

ColumnMatch = Callable[[pa.StringArray], Matches]


@dataclass(frozen=True)
class CaptionRules:
    """What a caption must be besides naming an entity.

    Args:
        min_short_side: px; images known to be smaller are dropped. None drops none.
        latin_only: drop captions of whose letters most are not Latin; the tagger, WordNet and the names that
            are looked for are English.
    """

    min_short_side: int | None = None
    latin_only: bool = True


def caption_columns(
    batch: pa.RecordBatch, repeated: NDArray[np.bool_], match: ColumnMatch, rules: CaptionRules
) -> dict[str, pa.Array]:
    """Return the columns of the caption rows of some samples, but for those that are the same in all rows.

    A sample without any caption has one row, whose caption is null. Where several reasons speak against a
    caption, the first in the order of :class:`CaptionReason` stands; entities are given all the same.

    Args:
        batch: samples of the schema ``CAPTION_BATCH``.
        repeated: (samples,) whether the image stood in the corpus before.
        match: captions to the entities that they name.
    """
    parents, index, captions = _one_row_each(batch.column("captions"))
    matches = match(captions)
    small = _too_small(batch, rules.min_short_side)
    reasons = [
        (CaptionReason.DUPLICATE_IMAGE, repeated[parents]),
        (CaptionReason.TOO_SMALL, small[parents]),
        (CaptionReason.NO_CAPTION, _blank(captions)),
        (CaptionReason.LANGUAGE, _foreign(captions) if rules.latin_only else np.zeros(len(captions), bool)),
        (CaptionReason.NO_ENTITY, _numpy(pc.equal(pc.list_value_length(matches.entities), 0))),
    ]
    codes = np.select([mask for _, mask in reasons], range(len(reasons)), len(reasons))
    names = pa.array([*(str(reason) for reason, _ in reasons), str(CaptionReason.KEPT)])
    return {
        "key": batch.column("key").take(pa.array(parents)),
        "caption_index": pa.array(index, pa.int32()),
        "caption": captions,
        "keep": pa.array(codes == len(reasons)),
        "reason": names.take(pa.array(codes)),
        "entities": matches.entities,
        "spans": matches.spans,
    }


def identity_columns(corpus: str, keys: pa.Array, shard_id: str) -> dict[str, Any]:
    """Return the columns that say which sample a row belongs to; equal keys that follow each other are hashed
    once.
    """
    runs = pc.run_end_encode(keys)
    hashed = pa.array([image_id(corpus, key) for key in runs.values.to_pylist()], pa.string())
    encoded = pa.RunEndEncodedArray.from_arrays(runs.run_ends, hashed)
    same = [pa.repeat(pa.scalar(text), len(keys)) for text in (corpus, shard_id)]
    return {"image_id": pc.run_end_decode(encoded), "corpus": same[0], "key": keys, "shard_id": same[1]}


def _one_row_each(
    captions: pa.ListArray,
) -> tuple[NDArray[np.int64], NDArray[np.int64], pa.StringArray]:
    """Return each row's sample, its place among the sample's captions, and its caption."""
    lengths = _numpy(pc.list_value_length(captions)).astype(np.int64)
    rows = np.maximum(lengths, 1)
    parents = np.repeat(np.arange(len(lengths)), rows)
    index = np.arange(len(parents)) - np.repeat(np.cumsum(rows) - rows, rows)
    texts = captions.flatten()
    if len(parents) == len(texts):
        return parents, index, texts
    given = lengths[parents] > 0
    place = np.where(given, np.cumsum(given) - 1, 0)
    return parents, index, texts.take(pa.array(place, mask=~given))


def _blank(captions: pa.StringArray) -> NDArray[np.bool_]:
    empty = pc.equal(pc.utf8_trim_whitespace(captions), "")
    return _numpy(pc.fill_null(empty, True))


def _foreign(captions: pa.StringArray) -> NDArray[np.bool_]:
    """Say where most letters are not Latin; a caption without letters is not foreign."""
    foreign = np.zeros(len(captions), bool)
    others = np.flatnonzero(~_numpy(pc.fill_null(pc.string_is_ascii(captions), True)))
    if len(others):
        texts = captions.take(pa.array(others))
        letters, latin = (
            _numpy(pc.count_substring_regex(texts, pattern)) for pattern in (r"\p{L}", r"\p{Latin}")
        )
        foreign[others] = 2 * latin < letters
    return foreign


def _too_small(batch: pa.RecordBatch, limit: int | None) -> NDArray[np.bool_]:
    if limit is None:
        return np.zeros(batch.num_rows, bool)
    short = pc.min_element_wise(batch.column("width"), batch.column("height"))
    return _numpy(pc.fill_null(pc.less(short, limit), False))


def _numpy(array: pa.Array) -> NDArray[Any]:
    return np.asarray(array.to_numpy(zero_copy_only=False))
