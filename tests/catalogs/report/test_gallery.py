from __future__ import annotations

import duckdb
import pytest
from picture_corpus import OneShard

from maskmill.catalogs.report.gallery import captions_of, gallery_from_catalog
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CorpusError


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


def test_long_and_many_captions_are_shown_in_part() -> None:
    db = duckdb.connect()
    db.execute("CREATE TABLE captions (run_id VARCHAR, image_id VARCHAR, caption_index INT, caption VARCHAR)")
    db.execute("INSERT INTO captions VALUES ('r', 'a', 0, repeat('ü', 1000000)), ('r', 'a', 1, 'a cat')")
    db.execute("INSERT INTO captions SELECT 'r', 'b', range, 'number ' || range FROM range(100)")
    said = captions_of(db, ["a", "b"])
    assert said["a"] == ("ü" * 400 + "…", "a cat")
    assert said["b"] == tuple(f"number {i}" for i in range(8))


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
