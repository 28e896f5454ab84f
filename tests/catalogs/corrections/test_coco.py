from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmill.catalogs.corrections import Fault, Region, ReviewReason, open_corrections
from maskmill.schemas.errors import CorpusError

SQUARE = [[1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]]


def body(**changes: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": "a/b.jpg", "width": 5, "height": 4}
    annotation = {"id": 7, "image_id": 1, "category_id": 3, "segmentation": SQUARE}
    category = {"id": 3, "name": "cat"}
    return {"images": [image], "annotations": [annotation], "categories": [category]} | changes


def opened(tmp_path: Path, content: Any) -> Any:
    path = tmp_path / "coco.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return open_corrections(str(path), "coco")


def test_images_regions_and_classes_are_read(tmp_path: Path) -> None:
    content = body()
    content["images"][0] |= {"key": "k", "annotator": "Ada"}
    content["categories"] += [{"id": 0, "name": "background"}, {"id": 9, "name": "dog"}]
    content["annotations"].append({"id": 8, "image_id": 1, "category_id": 0})
    found = opened(tmp_path, content)
    (image,) = found.images
    assert (image.names, image.annotator, found.classes) == (("k", "a/b.jpg"), "Ada", ("cat", "dog"))
    (region,) = image.draw(4, 5)
    assert isinstance(region, Region)
    assert region.label == "cat"
    assert region.mask[1:3, 1:3].all()


def test_an_image_without_annotations_is_one_without_things(tmp_path: Path) -> None:
    (image,) = opened(tmp_path, body(annotations=[])).images
    assert list(image.draw(4, 5)) == []


def test_the_digest_is_of_the_file(tmp_path: Path) -> None:
    digests = {opened(tmp_path, text).sha256 for text in (json.dumps(body()), json.dumps(body(), indent=1))}
    assert len(digests) == 2
    assert {len(digest) for digest in digests} == {64}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not json", "is not JSON"),
        ([], "is no COCO JSON"),
        ({"images": [], "annotations": []}, "is no COCO JSON"),
        (body(categories={}), "is no COCO JSON"),
        (body(categories=[{"id": 3}]), "category without id or name"),
        (body(categories=[{"id": 3, "name": "\ud800"}]), "category without id or name"),
        (body(categories=[{"id": 3, "name": "a"}, {"id": "3", "name": "b"}]), "two categories with id '3'"),
    ],
)
def test_what_is_no_coco_as_a_whole_is_refused(tmp_path: Path, content: Any, complaint: str) -> None:
    with pytest.raises(CorpusError, match=complaint):
        opened(tmp_path, content)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"corrections '.*gone\.json' cannot be read"):
        open_corrections(str(tmp_path / "gone.json"), "coco")


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (7, None),
        ({"file_name": "a.jpg"}, None),
        ({"id": 2}, None),
        ({"id": 2, "file_name": ["a"]}, None),
        ({"id": "1", "file_name": "twice.jpg"}, "twice.jpg"),
    ],
)
def test_entries_that_are_no_images_are_faults(tmp_path: Path, entry: Any, name: str | None) -> None:
    content = body()
    content["images"].append(entry)
    found = opened(tmp_path, content)
    assert len(found.images) == 1
    ((called, fault),) = found.faults
    assert (called, fault.reason) == (name, ReviewReason.BAD_ENTRY)


@pytest.mark.parametrize("annotation", [7, {}, {"image_id": 2, "category_id": 3}, {"image_id": [1]}])
def test_annotations_of_no_image_are_faults(tmp_path: Path, annotation: Any) -> None:
    ((called, fault),) = opened(tmp_path, body(annotations=[annotation])).faults
    assert (called, fault.reason) == (None, ReviewReason.BAD_ENTRY)
    assert "not listed" in fault.detail


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"category_id": 4}, ReviewReason.UNKNOWN_LABEL),
        ({"category_id": None}, ReviewReason.UNKNOWN_LABEL),
        ({"segmentation": None}, ReviewReason.BAD_REGION),
        ({"segmentation": []}, ReviewReason.BAD_REGION),
        ({"segmentation": {"size": [4, 5], "counts": [20]}}, ReviewReason.BAD_REGION),
    ],
)
def test_regions_that_cannot_be_drawn_are_faults(
    tmp_path: Path, changes: dict[str, Any], reason: ReviewReason
) -> None:
    content = body()
    content["annotations"][0] |= changes
    (image,) = opened(tmp_path, content).images
    (fault,) = image.draw(4, 5)
    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert fault.detail.startswith("annotation '7'")


@pytest.mark.parametrize("size", [{"width": 4, "height": 5}, {"width": None}, {"width": "5"}])
def test_an_image_of_another_size_has_one_fault(tmp_path: Path, size: dict[str, Any]) -> None:
    content = body()
    content["images"][0] |= size
    (image,) = opened(tmp_path, content).images
    (fault,) = image.draw(4, 5)
    assert isinstance(fault, Fault)
    assert fault.reason == ReviewReason.WRONG_SIZE


def test_crowds_are_regions_of_their_category(tmp_path: Path) -> None:
    content = body()
    crowd = {"iscrowd": 1, "segmentation": {"size": [4, 5], "counts": [0, 4, 16]}}
    content["annotations"][0] |= crowd
    (image,) = opened(tmp_path, content).images
    (region,) = image.draw(4, 5)
    assert isinstance(region, Region)
    assert np.array_equal(np.flatnonzero(region.mask.any(axis=0)), [0])
