from __future__ import annotations

import pytest
from pydantic import ValidationError

from maskmill.catalogs.exporters import ExportConfig
from maskmill.schemas.config import CorpusConfig


def test_where_the_images_lie_does_not_make_another_export() -> None:
    one = ExportConfig(version=3, run_id="label-1", corpus=CorpusConfig(uri="a"))
    assert one.identity() == ExportConfig().identity()
    assert one.identity() != ExportConfig(min_score=0.5).identity()


def test_a_version_is_a_number_or_a_tag() -> None:
    given = (None, 4, "4", "paper")
    assert [ExportConfig(version=version).tag for version in given] == [None, None, None, "paper"]


def test_nothing_is_held_out_unless_a_share_is_given() -> None:
    assert ExportConfig().splits == ("train",)
    assert ExportConfig(val_share=0.1).splits == ("train", "val")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"image_suffix": ".jpg"}, "image_suffix is for images = none"),
        ({"components": True, "format": "hf"}, "components are for coco and coco-panoptic, not for hf"),
        ({"layout": "cityscapes"}, "layout = cityscapes is for index-png, not for coco"),
        (
            {"layout": "cityscapes", "format": "index-png", "image_format": "jpg"},
            "names PNG images, so image_format cannot be jpg",
        ),
        ({"version": 0}, "greater than or equal to 1"),
        ({"format": "xml"}, "Input should be 'coco'"),
        ({"val_share": 1.0}, "less than 1"),
        ({"min_scores": 0.5}, "Extra inputs are not permitted"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ExportConfig.model_validate(fields)
