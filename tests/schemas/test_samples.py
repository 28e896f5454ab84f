from __future__ import annotations

import re

from maskmill.schemas.samples import Sample, Shard, image_id


def test_an_identity_depends_on_corpus_and_key_alone() -> None:
    known = image_id("cc3m", "000012")
    assert re.fullmatch("[0-9a-f]{32}", known)
    assert known == image_id("cc3m", "000012") == "5253633f48d2fdb5c3c3bb7f07d4e403"
    assert len({known, image_id("cc3", "m000012"), image_id("cc3m", "000013"), image_id("", "")}) == 4


def test_shards_and_samples_are_values() -> None:
    assert Shard("0", "u", "f") == Shard("0", "u", "f", 0, None)
    assert Sample("k", b"").captions == ()
    assert Sample("k", b"", metadata={"a": 1}) != Sample("k", b"")
