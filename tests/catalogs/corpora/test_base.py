from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.corpora.base import captions_in, corpus_fingerprint, corpus_name, safe_shard_id
from maskmill.schemas.samples import Shard


def test_the_fingerprint_of_a_corpus_knows_content_and_not_place() -> None:
    shards = [Shard("0", "a/0.tar", "1-x"), Shard("1", "a/1.tar", "2-x")]
    known = corpus_fingerprint(shards)
    assert re.fullmatch("[0-9a-f]{16}", known)
    assert known == corpus_fingerprint([replace(shard, uri="b") for shard in shards])
    others = (shards[:1], shards[::-1], [shards[0], replace(shards[1], fingerprint="3")])
    assert known not in {corpus_fingerprint(other) for other in others}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/cc3m", "cc3m"),
        ("/data/cc3m/", "cc3m"),
        ("/data/cc3m/*.tar", "cc3m"),
        ("/data/cc3m/0000?/[01]*.tar", "cc3m"),
        ("bucket/x/00000.TAR", "00000"),
        ("/data/captions.json", "captions"),
        ("/data/v1.5", "v1.5"),
        ("/", "corpus"),
    ],
)
def test_a_corpus_is_called_by_the_last_part_of_its_path(path: str, name: str) -> None:
    assert corpus_name(path) == name


@given(st.text(min_size=1, max_size=300))
def test_every_file_name_gives_a_safe_shard_id(name: str) -> None:
    shard_id = safe_shard_id(name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}", shard_id)
    assert safe_shard_id(shard_id) == shard_id


def test_shard_ids_that_would_fall_together_are_kept_apart() -> None:
    names = ("a b", "a_b", "a/b", "日本", "東京", "-a", ".a", "x" * 120)
    assert len({safe_shard_id(name) for name in names}) == len(names)
    assert safe_shard_id("part-00012_of.24") == "part-00012_of.24"


def test_captions_that_are_no_text_are_an_error() -> None:
    assert captions_in({"captions": ["a", None], "caption": "b"}) == ("a", None)
    assert captions_in({"caption": None}) == (None,)
    assert captions_in({"url": "u"}) == ()
    with pytest.raises(ValueError, match="text or null"):
        captions_in({"captions": {"en": "a"}})
