from __future__ import annotations

import pytest

from maskmill.catalogs.report.reasons import CAPTIONS, ERRORS, NOUNS, explain, explained_protocols
from maskmill.schemas.errors import CaptionReason, ErrorReason
from maskmill.tasks.entities import EntityReason
from maskmill.tasks.judging import WITH_CAPTIONS


def test_every_code_has_words() -> None:
    assert set(CAPTIONS) == set(CaptionReason)
    assert set(ERRORS) == set(ErrorReason)
    assert set(NOUNS) == {str(reason) for reason in EntityReason}


def test_a_code_as_a_catalog_holds_it_is_explained() -> None:
    assert explain(CAPTIONS, "no_entity") == "names no entity"


def test_a_code_of_a_later_version_has_no_words() -> None:
    assert explain(ERRORS, "eaten_by_a_dog") == ""


@pytest.mark.parametrize(
    ("protocols", "told"),
    [
        (["tcl", "clip-diy"], []),
        (["known"], ["known"]),
        (["known-ignore-unknown" + WITH_CAPTIONS], ["known-ignore-unknown", WITH_CAPTIONS]),
        (["known", "known" + WITH_CAPTIONS, "known"], ["known", WITH_CAPTIONS]),
    ],
)
def test_only_protocols_that_occur_are_told(protocols: list[str], told: list[str]) -> None:
    assert [name for name, _ in explained_protocols(protocols)] == told
