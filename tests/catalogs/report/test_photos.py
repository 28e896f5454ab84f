from __future__ import annotations

import numpy as np
import pytest
from picture_corpus import OneShard, png

from maskmill.catalogs.report.photos import LONGEST_SIDE, Wanted, read_photos, reduced
from maskmill.schemas.errors import CorpusError, SampleError


def test_only_wanted_pictures_are_decoded_and_the_rest_is_not_read() -> None:
    corpus = OneShard("abcd")
    photos = read_photos(corpus, [Wanted("00000", "b", 100), Wanted("00000", "a", 100)])
    assert set(photos) == {("00000", "a"), ("00000", "b")}
    assert corpus.seen == ["a", "b"]


def test_nothing_wanted_means_nothing_listed() -> None:
    corpus = OneShard("a", shard_id="gone")
    assert read_photos(corpus, []) == {}
    assert corpus.seen == []


def test_large_photographs_are_kept_small() -> None:
    corpus = OneShard("a", picture=png(7, width=2 * LONGEST_SIDE, height=50))
    (photo,) = read_photos(corpus, [Wanted("00000", "a", 1)]).values()
    assert photo.shape == (25, LONGEST_SIDE, 3)
    assert np.all(photo == 7)


def test_small_photographs_stay_as_they_are() -> None:
    image = np.zeros((3, 4, 3), np.uint8)
    assert reduced(image) is image


def test_a_picture_that_is_gone_is_reported() -> None:
    with pytest.raises(CorpusError, match="no longer holds 'z'"):
        read_photos(OneShard("a"), [Wanted("00000", "z", 1)])


def test_a_picture_that_became_something_else_is_reported() -> None:
    with pytest.raises(SampleError):
        read_photos(OneShard("a", picture=b"text"), [Wanted("00000", "a", 1)])
