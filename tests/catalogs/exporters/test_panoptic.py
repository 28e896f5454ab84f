from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from exporting import drawn_of, truth
from numpy.typing import NDArray
from PIL import Image

from maskmill.catalogs.exporters import ExportSummary

Export = Callable[..., ExportSummary]


def _segments(summary: ExportSummary) -> dict[str, tuple[NDArray[np.int64], list[dict[str, Any]]]]:
    """Read the export by the rule of the format: id = R + 256 G + 256^2 B."""
    folder = summary.out / "annotations"
    body = json.loads((folder / "panoptic_train.json").read_text("utf-8"))
    keys = {image["id"]: image["key"] for image in body["images"]}
    found = {}
    for annotation in body["annotations"]:
        rgb = np.asarray(Image.open(folder / "panoptic_train" / annotation["file_name"])).astype(np.int64)
        ids = rgb @ np.array([1, 256, 256**2])
        found[keys[annotation["image_id"]]] = (ids, annotation["segments_info"])
    return found


def test_the_segments_are_the_label_map_with_the_higher_score_on_top(exported: Export) -> None:
    summary = exported(format="coco-panoptic")
    found = _segments(summary)
    assert len(found) == 5
    for key, (ids, segments) in found.items():
        classes = np.zeros(ids.max() + 1, np.int64)
        for segment in segments:
            classes[segment["id"]] = segment["category_id"]
        assert (classes[ids] == truth(drawn_of(key), summary.classes)).all()


def test_what_is_said_of_a_segment_is_what_its_png_shows(exported: Export) -> None:
    for ids, segments in _segments(exported(format="coco-panoptic", components=True)).values():
        assert sorted(s["id"] for s in segments) == np.unique(ids[ids > 0]).tolist()
        for segment in segments:
            rows, columns = np.nonzero(ids == segment["id"])
            assert segment["area"] == len(rows)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert segment["bbox"] == box


def test_parts_are_things_and_labels_are_stuff(exported: Export) -> None:
    summary = exported(format="coco-panoptic", components=True)
    _, segments = _segments(summary)["1000"]
    assert sorted(s["category_id"] for s in segments) == [1, 1, 2, 3]
    body = json.loads((summary.out / "annotations" / "panoptic_train.json").read_text("utf-8"))
    assert {c["isthing"] for c in body["categories"]} == {1}


def test_a_mask_that_is_left_out_still_hides_what_lies_below(exported: Export) -> None:
    summary = exported(format="coco-panoptic", min_area=1000)
    ids, segments = _segments(summary)["1000"]
    assert [s["category_id"] for s in segments] == [3, 1]  # the small dog is gone
    assert ids[90, 6] == 0


def test_panopticapi_finds_nothing_wrong(exported: Export) -> None:
    """Judged against itself by the format's own program, every segment is matched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its imports deprecate is not ours
        evaluation = pytest.importorskip(
            "panopticapi.evaluation", reason="the format's own tool, which asks for numpy below 2"
        )
    out = exported(format="coco-panoptic", components=True).out / "annotations"
    body = json.loads((out / "panoptic_train.json").read_text("utf-8"))
    pairs = [(entry, entry) for entry in body["annotations"]]
    folder = str(out / "panoptic_train")
    categories = {category["id"]: category for category in body["categories"]}
    found = evaluation.pq_compute_single_core(0, pairs, folder, folder, categories)
    quality, _ = found.pq_average(categories, isthing=None)
    assert quality["pq"] == 1.0
    assert sum(found[number].tp for number in categories) == sum(len(e["segments_info"]) for e, _ in pairs)
