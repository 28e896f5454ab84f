from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.report.class_cards import set_cards
from maskmill.catalogs.report.class_gallery import ClassMask
from maskmill.catalogs.report.data import ReportData, RunFigures
from maskmill.catalogs.report.found import Found
from maskmill.catalogs.report.page import render_page
from maskmill.catalogs.report.pictures import Kit


@pytest.fixture
def mask() -> ClassMask:
    area = np.zeros((12, 16), np.bool_)
    area[3:9, 4:12] = True
    return ClassMask("cat", "00001", "largest", area, np.full((12, 16, 3), 200, np.uint8), 0.75, 48, 0.25)


def test_masks_are_put_on_the_card_of_their_class(mask: ClassMask) -> None:
    kit = Kit({"cat": (230, 85, 60)}, {"cat": 3}, 64)
    (card,) = set_cards([mask, mask], kit)
    assert (card.name, card.index) == ("cat", 3)
    ((kind, shots),) = card.kinds
    assert (kind, len(shots)) == ("largest", 2)
    assert shots[0].alt == "largest cat in 00001: score 0.75, 25.0% of the image"


def test_the_layer_shows_the_mask_in_its_colour(mask: ClassMask) -> None:
    (card,) = set_cards([mask], Kit({"cat": (230, 85, 60)}, {"cat": 0}, 64))
    body = base64.b64decode(card.kinds[0][1][0].layer.split(",")[1])
    layer = np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))
    assert tuple(layer[3, 6]) == (230, 85, 60, 255)
    assert 0 < layer[6, 8, 3] < 255
    assert tuple(layer[0, 0])[:3] != (230, 85, 60)


@pytest.mark.parametrize(("corpora", "said"), [(("demo",), False), (("demo", "other"), True)])
def test_classes_of_one_corpus_among_several_are_told_so(
    mask: ClassMask, corpora: tuple[str, ...], said: bool
) -> None:
    runs = [
        RunFigures(f"r-{c}", "label", "finished", "", 1.0, "", "", corpus=c, counted=True) for c in corpora
    ]
    html = render_page(
        ReportData("catalog", 1, runs=tuple(runs)), found=Found(classes=(mask,), corpus="demo")
    )
    assert ("most frequent labels of demo." in html) is said
    assert ("count all corpora" in html) is said


def test_a_mask_without_its_photograph_is_shown_alone(mask: ClassMask) -> None:
    bare = ClassMask("cat", "1", "largest", mask.mask, None, 0.5, 48, 0.25)
    (card,) = set_cards([bare], Kit({"cat": (1, 2, 3)}, {"cat": 0}, 64))
    assert card.kinds[0][1][0].photo is None
