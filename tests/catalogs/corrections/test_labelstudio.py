from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelstudio_rle import brush_rle

from maskmill.catalogs.corrections import Corrections, Fault, Region, ReviewReason, open_corrections
from maskmill.schemas.errors import CorpusError

BOX = {"x": 20, "y": 25, "width": 40, "height": 50, "rotation": 0}


def result(kind: str = "rectanglelabels", **value: Any) -> dict[str, Any]:
    shape = value or BOX | {kind: ["cat"]}
    return {"id": "r1", "type": kind, "original_width": 10, "original_height": 8, "value": shape}


def task(*results: Any, **fields: Any) -> dict[str, Any]:
    return {"data": {"image": "/images/a.jpg"}, "annotations": [{"result": list(results)}], **fields}


def opened(tmp_path: Path, tasks: Any) -> Corrections:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks))
    return open_corrections(str(path), "labelstudio")


def draw(tmp_path: Path, *results: Any) -> list[Region | Fault]:
    (image,) = opened(tmp_path, [task(*results)]).images
    return list(image.draw(8, 10))


def mask_of(tmp_path: Path, *results: Any) -> Any:
    (region,) = draw(tmp_path, *results)
    assert isinstance(region, Region), region
    assert region.label == "cat"
    return region.mask


def test_rectangles_polygons_and_strokes_say_the_same(tmp_path: Path) -> None:
    mask = np.zeros((8, 10), np.bool_)
    mask[2:6, 2:6] = True
    points = [[20, 25], [60, 25], [60, 75], [20, 75]]
    stroke = brush_rle(mask.astype(np.uint8) * 255)
    box = mask_of(tmp_path, result())
    assert box[2:6, 2:6].all()
    assert np.array_equal(
        mask_of(tmp_path, result("polygonlabels", points=points, polygonlabels=["cat"])), box
    )
    brush = result("brushlabels", format="rle", rle=stroke, brushlabels=["cat"])
    assert np.array_equal(mask_of(tmp_path, brush), mask)


def test_a_turned_rectangle_turns(tmp_path: Path) -> None:
    turned = {"x": 60, "y": 25, "width": 40, "height": 25, "rotation": 90}
    mask = mask_of(tmp_path, result("rectanglelabels", **turned, rectanglelabels=["cat"]))
    assert mask[2:6, 4:6].all()
    assert not mask[:, 7:].any()


def test_a_region_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    """As where ``<Rectangle>`` and ``<Labels>`` are two tags."""
    bare = result("rectangle", **BOX)
    named = result("labels", **BOX, labels=["cat"])
    assert mask_of(tmp_path, bare, named)[2:6, 2:6].all()


def test_words_and_background_draw_nothing(tmp_path: Path) -> None:
    words = {"id": "c", "type": "choices", "value": {"choices": ["blurred"]}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    empty = result("rectanglelabels", **BOX, rectanglelabels=["background"])
    assert draw(tmp_path, words, relation, empty) == []
    assert opened(tmp_path, [task(words, empty)]).classes == ()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (result("rectanglelabels", **BOX, rectanglelabels=["cat", "dog"]), "has 2 labels"),
        (result("rectanglelabels", **BOX), "has 0 labels"),
        (result("rectanglelabels", **BOX, rectanglelabels="cat"), "has 0 labels"),
        (
            result("ellipselabels", x=1, y=1, radiusX=4, radiusY=5, ellipselabels=["cat"]),
            "type 'ellipselabels'",
        ),
        (result() | {"image_rotation": 90}, "turned image"),
        (result("polygonlabels", points=[[1, 2], 3], polygonlabels=["cat"]), "must be pairs"),
        (result("polygonlabels", points=[[1, 2], [3, 4]], polygonlabels=["cat"]), "three points"),
        (result("polygonlabels", points=[[1, 2], [3, "4"], [5, 6]], polygonlabels=["cat"]), "finite numbers"),
        (result("rectanglelabels", x=1, y=1, rectanglelabels=["cat"]), "finite numbers"),
        (result("brushlabels", rle=[1, 2], brushlabels=["cat"]), "brush stroke is damaged"),
        (result("rectanglelabels", **BOX | {"width": 0}, rectanglelabels=["cat"]), "covers no pixel"),
        ({"id": "r1", "type": "rectanglelabels"}, "has 0 labels"),
    ],
)
def test_regions_that_cannot_be_drawn_are_faults(tmp_path: Path, wrong: Any, complaint: str) -> None:
    (fault,) = draw(tmp_path, wrong)
    assert isinstance(fault, Fault)
    assert fault.reason == ReviewReason.BAD_REGION
    assert complaint in fault.detail


def test_a_region_on_another_size_is_a_fault(tmp_path: Path) -> None:
    (fault,) = draw(tmp_path, result() | {"original_width": 11})
    assert isinstance(fault, Fault)
    assert (fault.reason, "drawn on 11 x 8" in fault.detail) == (ReviewReason.WRONG_SIZE, True)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"image": "a/b.jpg"}, ("a/b.jpg",)),
        ({"image": "/data/upload/1/0a1b2c3d-b.jpg"}, ("/data/upload/1/0a1b2c3d-b.jpg", "b.jpg")),
        ({"image": "/data/local-files/?d=x%20y/b.jpg"}, ("x y/b.jpg",)),
        ({"image": "https://h.example/p/b%20c.jpg?sig=1"}, ("/p/b c.jpg",)),
        ({"image": "s3://bucket/p/b.jpg"}, ("/p/b.jpg",)),
        ({"image": "b.jpg", "key": "k"}, ("k", "b.jpg")),
        ({"photo": "b.jpg"}, ("b.jpg",)),
        ({"key": "k", "n": 3}, ("k",)),
    ],
)
def test_an_image_is_called_by_its_key_or_its_path(
    tmp_path: Path, data: dict[str, Any], names: tuple[str, ...]
) -> None:
    (image,) = opened(tmp_path, [task(data=data)]).images
    assert image.names == names


@pytest.mark.parametrize(
    "given", [7, {}, {"data": {}}, {"data": {"a": "x", "b": "y"}}, {"data": {"image": 3}}]
)
def test_tasks_without_an_image_are_faults(tmp_path: Path, given: Any) -> None:
    ((name, fault),) = opened(tmp_path, [given]).faults
    assert (name, fault.reason) == (None, ReviewReason.BAD_ENTRY)


@pytest.mark.parametrize("annotations", [None, {}, [1], [{}], [{"result": {}}], [{"result": [1]}]])
def test_annotations_that_cannot_be_read_are_faults(tmp_path: Path, annotations: Any) -> None:
    ((name, fault),) = opened(tmp_path, [task(annotations=annotations)]).faults
    assert (name, fault.reason) == ("/images/a.jpg", ReviewReason.BAD_ENTRY)


def test_only_what_was_handed_in_counts(tmp_path: Path) -> None:
    cancelled = {"result": [result()], "was_cancelled": True}
    found = opened(tmp_path, [task(annotations=[]), task(annotations=[cancelled], predictions=[cancelled])])
    assert (found.images, found.faults, found.unreviewed) == ((), (), 2)


def test_of_several_annotations_the_ground_truth_counts(tmp_path: Path) -> None:
    first, second = {"result": [result()]}, {"result": [], "ground_truth": True, "completed_by": 4}
    (image,) = opened(tmp_path, [task(annotations=[first, second])]).images
    assert (list(image.draw(8, 10)), image.annotator) == ([], "4")
    ((_, fault),) = opened(tmp_path, [task(annotations=[first, first])]).faults
    assert (fault.reason, "2 annotations, 0 of them" in fault.detail) == (ReviewReason.SEVERAL_REVIEWS, True)


@pytest.mark.parametrize(
    ("who", "annotator"),
    [
        (None, None),
        (True, None),
        (3, "3"),
        ("ada", "ada"),
        ({"id": 3}, "3"),
        ({"id": 3, "email": "a@b"}, "a@b"),
    ],
)
def test_the_annotator_is_kept(tmp_path: Path, who: Any, annotator: str | None) -> None:
    (image,) = opened(tmp_path, [task(annotations=[{"result": [], "completed_by": who}])]).images
    assert image.annotator == annotator


def test_a_file_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no list of Label Studio tasks"):
        opened(tmp_path, {"tasks": []})
