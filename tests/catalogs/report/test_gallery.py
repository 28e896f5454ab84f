from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.report.gallery import gallery_from_catalog
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.samples import BadSample, Sample, Shard


def png(value: int) -> bytes:
    body = io.BytesIO()
    Image.fromarray(np.full((10, 10), value, np.uint8)).save(body, "PNG")
    return body.getvalue()


@dataclass
class OneShard:
    """A corpus of grey pictures in one shard, which remembers how far it was read."""

    keys: Sequence[str]
    shard_id: str = "00000"
    name: str = "demo"
    uri: str = "data/train"
    seen: list[str] = field(default_factory=list)

    def shards(self) -> list[Shard]:
        return [Shard(self.shard_id, self.uri, "f"), Shard("unrelated", "nowhere", "f")]

    def read(self, shard: Shard) -> Iterator[Sample | BadSample]:
        assert shard.shard_id == self.shard_id
        for key in self.keys:
            self.seen.append(key)
            yield Sample(key, png(100))


def test_masks_of_the_counted_run_are_decoded_onto_their_picture(catalog: Catalog) -> None:
    items = {i.key: i for i in gallery_from_catalog(catalog.uri, None, OneShard("abc"), 9)}
    assert set(items) == {"a", "b"}
    teacher = items["a"].teacher
    assert teacher is not None
    assert teacher.names == ("background", "cat", "dog")
    assert int((teacher.labels == 2).sum()) == 4
    assert float(teacher.scores[teacher.labels == 2].mean()) == pytest.approx(0.5)
    assert items["a"].captions == ("a kitten",)
    assert items["a"].image.shape == (10, 10, 3)


def test_groups_are_the_most_and_the_least_certain(catalog: Catalog) -> None:
    items = gallery_from_catalog(catalog.uri, None, OneShard("ab"), 2)
    assert [(i.key, i.group) for i in items] == [("b", "most certain"), ("a", "least certain")]


def test_a_shard_is_read_only_as_far_as_needed(catalog: Catalog) -> None:
    corpus = OneShard("bcdefg")
    gallery_from_catalog(catalog.uri, None, corpus, 1)
    assert corpus.seen == ["b"]


def test_a_picture_that_is_gone_from_the_corpus_is_reported(catalog: Catalog) -> None:
    with pytest.raises(CorpusError, match="no longer holds 'a'"):
        gallery_from_catalog(catalog.uri, None, OneShard("b"), 9)


def test_a_shard_that_is_gone_from_the_corpus_is_reported(catalog: Catalog) -> None:
    with pytest.raises(CorpusError, match="no longer has shard '00000'"):
        gallery_from_catalog(catalog.uri, None, OneShard("ab", shard_id="00007"), 9)


def test_pictures_of_another_corpus_are_not_shown(catalog: Catalog) -> None:
    assert gallery_from_catalog(catalog.uri, None, OneShard("ab", name="other"), 9) == []
