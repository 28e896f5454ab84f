"""The parts of the ablation scripts that can be held against something known."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maskmill.models.segmenters import registered
from maskmill.models.zero_guidance.language import Described
from maskmill.models.zero_guidance.merging import Segment
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


def _script(name: str) -> ModuleType:
    return importlib.import_module(name)


class SumEncoder:
    """Embeds a crop as its sum and a class as 1; ``seen`` are the crops that it ran."""

    id, sha256, image_size, device = "sum", "0" * 64, 2, torch.device("cpu")

    def __init__(self) -> None:
        self.seen = 0

    def embed_crops(self, crops: Tensor) -> Tensor:
        self.seen += len(crops)
        return crops.sum(dim=(1, 2, 3))[:, None]

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        return torch.ones(len(vocabulary.classes), 1)


def test_a_remembered_crop_is_run_once() -> None:
    scenes, inner = _script("demo_scenes"), SumEncoder()
    counted = scenes.CountedCrops(scenes.RememberedCrops(inner))
    crops = torch.arange(36.0).view(3, 3, 2, 2)
    assert torch.equal(counted.embed_crops(crops), SumEncoder().embed_crops(crops))
    again = crops[[2, 0]]
    assert torch.equal(counted.embed_crops(again), SumEncoder().embed_crops(again))
    assert (inner.seen, counted.asked) == (3, 5)


def test_what_is_remembered_is_bounded() -> None:
    inner = SumEncoder()
    remembered = _script("demo_scenes").RememberedCrops(inner, limit=2)
    for value in (1.0, 2.0, 3.0, 3.0, 1.0):
        assert float(remembered.embed_crops(torch.full((1, 3, 2, 2), value))) == 12 * value
    assert inner.seen == 4


def test_every_row_of_the_clip_diy_tables_is_measured_but_for_foreign_weights() -> None:
    script = _script("clip_diy_ablation")
    assert {name for table, _ in script.ROWS for name in table.rows} == {
        row for _, rows in script.ROWS for row in rows
    }
    measured = dict.fromkeys([*script.CLIP_DIY_SCALES, script.FOUND_BKG, script.NONE], 0.5)
    missing = [row for _, rows in script.ROWS for row in rows if row not in script.rows_of(rows, measured)]
    assert missing == [script.CUTLER]


def test_there_is_a_row_for_each_segmenter_mode_and_objectness() -> None:
    script = _script("segmenters")
    rows = list(script.plan(registered(), "demo", None))
    assert {row.method for row in rows} == set(registered())
    ours = [(row.mode, row.objectness, row.config.objectness) for row in rows if row.method == "clip-diy"]
    assert len(ours) == 8
    assert ("released", script.FOUND_BKG, "bkg:clip") in ours
    assert [row.objectness for row in rows if row.reason] == [script.CUTLER, script.CUTLER]
    given = list(script.plan(["clip-diy"], "demo", "a:b"))
    assert [row.config.objectness for row in given if row.objectness == script.CUTLER] == [
        "instances:a:b"
    ] * 2
    assert not any(row.reason for row in given)


def test_a_row_that_did_not_run_says_why() -> None:
    script = _script("segmenters")
    (row,) = [r for r in script.plan(["maskclip"], "demo", None) if r.mode == "paper"]
    assert script.table_line(row, script.Result(None, reason="no weights"), None).endswith(
        "not run: no weights"
    )
    line = script.table_line(
        row,
        script.Result(np.zeros((1, 2, 3), np.int64), 2.5, 900.0, 100.0),
        _script("ablation_order").Estimate(0.5, np.array([0.4, 0.6])),
    )
    assert line.split() == ["maskclip", "paper", "-", "50.0", "14.1", "2.50", "900", "100"]


def _segment(mask: list[list[bool]], vector: list[float]) -> Segment:
    return Segment(torch.tensor(mask), torch.tensor(vector), Described("", torch.zeros(2)))


class Axes:
    """Class 0 lies along (1, 0), class 1 along (0, 1)."""

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        return torch.eye(2)


class Words:
    def embed(self, texts: Any) -> Tensor:
        return torch.tensor([[1.0, 0.0] if text == "cat" else [0.0, 1.0] for text in texts])


def test_segments_are_judged_with_the_background_and_without() -> None:
    script = _script("zero_guidance_ablation")
    judge = script.Judge(Axes(), Vocabulary.of(["cat"]), Words())
    found = [_segment([[True, False]], [1.0, 0.0]), _segment([[False, True]], [0.0, 1.0])]
    truth, tally = np.array([[0, 0, 0, 1], [0, 1, 1, 1]], np.uint16), script.Tally()
    judge.segments(tally, found, truth)
    weights = np.ones((2, 1), np.int64)
    # Of 4 background pixels the left half covers 3 and a thing's; of 4 of the cat the right half 3.
    assert tally.estimate("IoU, background a class", weights).value == pytest.approx(3 / 5)
    assert tally.estimate("Recall, background a class", weights).value == 1
    # Without the background both segments are the nearest thing, if it is near enough: the left is not.
    assert tally.estimate("IoU, things alone", weights).value == pytest.approx(3 / 4)
    assert tally.estimate("TGQ", weights) is None
    judge.texts(tally, ["cat", "dog"], ["cat", "cat"])
    assert tally.estimate("TGQ", weights).value == pytest.approx(1 / 2)


def test_a_painting_holds_all_classes_but_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nltk")
    labels = np.array([[0, 2], [1, 2]], np.uint16)
    answer = LabelMap(labels, np.ones((2, 2), np.float16), ("background", "cat", "dog"))
    painted = dict(_script("label_photographs").painting(answer))
    assert set(painted) == {"cat", "dog"}
    assert painted["dog"].tolist() == [[False, True], [False, True]]
