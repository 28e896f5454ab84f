from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.demo import draw_scene
from maskmill.catalogs.ground_truth import DemoTruth, IndexPngs
from maskmill.schemas.errors import CorpusError
from maskmill.schemas.labelmap import IGNORE


def test_demo_labels_are_those_of_the_drawn_scene(demo: Path) -> None:
    truth = DemoTruth(str(demo), "val")
    scene = draw_scene(np.random.default_rng([3, 1, 0]))
    labels = truth.labels("000010000")
    assert labels.dtype == np.uint16
    assert np.array_equal(labels, scene.labels)
    assert truth.names()[0] == "background"
    assert {truth.names()[i] for i in np.unique(labels) if i} == set(scene.things)


def test_a_demo_image_that_is_not_there_is_named(demo: Path) -> None:
    with pytest.raises(CorpusError, match="no ground truth for image 'x'"):
        DemoTruth(str(demo), "val").labels("x")


def _pngs(folder: Path, ids: np.ndarray, classes: Any = None) -> IndexPngs:
    folder.mkdir(exist_ok=True)
    named = [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}] if classes is None else classes
    (folder / "classes.json").write_text(json.dumps(named))
    Image.fromarray(ids).save(folder / "a.png")
    return IndexPngs(str(folder))


def test_eight_bit_pngs_ignore_255_and_sixteen_bit_ones_65535(tmp_path: Path) -> None:
    small = _pngs(tmp_path / "8", np.array([[0, 1, 255]], np.uint8))
    large = _pngs(tmp_path / "16", np.array([[0, 255, 65535]], np.uint16))
    assert small.names() == ("background", "cat")
    assert small.labels("a").tolist() == [[0, 1, IGNORE]]
    assert large.labels("a").tolist() == [[0, 255, IGNORE]]


def test_a_colour_png_is_no_index_map(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no index PNG"):
        _pngs(tmp_path, np.zeros((2, 2, 3), np.uint8)).labels("a")


def test_a_missing_or_broken_png_is_named(tmp_path: Path) -> None:
    truth = _pngs(tmp_path, np.zeros((2, 2), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no png")
    for key in ("nowhere", "broken"):
        with pytest.raises(CorpusError, match=f"image '{key}' cannot be read"):
            truth.labels(key)


@pytest.mark.parametrize("classes", [[{"id": 1, "name": "cat"}], [{"name": "cat"}], {"0": "background"}, []])
def test_classes_that_do_not_count_from_zero_are_refused(tmp_path: Path, classes: Any) -> None:
    with pytest.raises(CorpusError, match=r"class"):
        _pngs(tmp_path, np.zeros((2, 2), np.uint8), classes).names()
