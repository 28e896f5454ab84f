"""Datasets in their layouts, judged end to end by published protocols."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets_on_disk import write_voc
from numpy.typing import NDArray
from tiny import INLINE, RedSegmenter

from maskmill.catalogs.query import query
from maskmill.models.metrics import BoundaryScores, ConfusionMatrix
from maskmill.models.segmenters import registry
from maskmill.schemas.config import CorpusConfig, EvaluateConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError, StageError
from maskmill.schemas.labelmap import IGNORE
from maskmill.schemas.vocabulary import Vocabulary, load_vocabulary
from maskmill.tasks.evaluate import EvaluationSummary, evaluate_run

CLIP = SegmenterConfig(id="red")


class RedLogits(RedSegmenter):
    """Offers logits too: red is the second class, the rest likes the first of the others, never surely."""

    id = "red-logits@1"

    def logits(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[torch.Tensor]:
        found = []
        for image, vocabulary in zip(images, vocabularies, strict=True):
            red = torch.from_numpy((image[..., 0] > 127).copy()).float()
            logits = torch.zeros(len(vocabulary.names), *red.shape)
            logits[1], logits[2] = red * 30, (1 - red) * 0.1
            found.append(logits)
        return found


@pytest.fixture(autouse=True)
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._REGISTRY, "red", RedSegmenter)
    monkeypatch.setitem(registry._REGISTRY, "red-logits", RedLogits)


def _maps() -> dict[str, NDArray[np.uint8]]:
    """Truth whose class 1 is shown in red: two images with it, one of which is nearly empty."""
    maps = {key: np.zeros((48, 64), np.uint8) for key in ("a", "b", "c")}
    maps["a"][8:40, 8:48] = 1
    maps["b"][:, :32], maps["b"][:, 60:] = 1, 255
    maps["b"][40:, 40:50] = 15  # a person that a segmenter of red things misses
    maps["c"][:4, :4] = 15
    return maps


@pytest.fixture
def voc(tmp_path: Path) -> CorpusConfig:
    return CorpusConfig(uri=f"voc:{write_voc(tmp_path / 'VOC2012', dict(_maps()))}")


def _judge(
    corpus: CorpusConfig, tmp_path: Path, segmenter: str = "red", **changes: Any
) -> tuple[EvaluationSummary, dict[str, Any]]:
    config = EvaluateConfig(pool=INLINE, batch_images=2, **changes)
    catalog = str(tmp_path / "catalog")
    summary = evaluate_run(SegmenterConfig(id=segmenter), corpus, catalog, config)
    rows = query(catalog, f"SELECT * FROM evaluations WHERE run_id = '{summary.run.run_id}'").to_pylist()
    return summary, rows[0]


def _expected(background: int = 0) -> ConfusionMatrix:
    matrix = ConfusionMatrix(21)
    for truth in _maps().values():
        target = truth.astype(np.uint16)
        target[truth == 255] = IGNORE
        answer = (truth == 1).astype(np.uint16)
        if background:
            target[target == 0] = IGNORE
            answer[answer == 0] = IGNORE
        matrix.update(answer, target)
    return matrix


def test_voc_by_maskmills_own_protocol(voc: CorpusConfig, tmp_path: Path) -> None:
    summary, row = _judge(voc, tmp_path)
    assert summary.miou == pytest.approx(_expected().miou())
    assert (row["protocol"], row["dataset"], row["vocabulary"]) == ("known", "voc", "voc21")
    assert row["dataset_uri"] == voc.uri.removeprefix("voc:")
    assert json.loads(row["weights"]) == {"red": "abc"}
    assert json.loads(row["details"])["renames"]["tvmonitor"] == ["tv monitor"]
    assert row["images"] == 3
    assert "asked for as diningtable = dining table; pottedplant = potted plant" in summary.lines()[1]


def test_classes_without_a_background_are_judged_on_their_own_pixels(
    voc: CorpusConfig, tmp_path: Path
) -> None:
    twenty = voc.model_copy(update={"uri": voc.uri.replace("voc:", "voc20:")})
    summary, row = _judge(twenty, tmp_path)
    expected = _expected(background=1)
    assert summary.miou == pytest.approx(expected.miou()) == pytest.approx(0.5)
    assert row["vocabulary"] == "voc20"
    assert json.loads(row["details"])["background"] == "not judged"


def test_clip_diys_protocol_judges_at_a_short_side_of_448(voc: CorpusConfig, tmp_path: Path) -> None:
    summary, row = _judge(voc, tmp_path, protocol="clip-diy")
    assert (row["protocol"], row["vocabulary"]) == ("clip-diy/bg=class", "voc21:clip-diy")
    total = sum(inter for _, _, inter, _ in summary.scores[0].classes)
    assert total == round(summary.pixel_accuracy * (3 * 448 * 597 - _ignored_at(448, 597)))
    assert summary.miou == pytest.approx(_expected().miou(), abs=0.01)


def _ignored_at(height: int, width: int) -> int:
    columns = (np.arange(width) + 0.5) * 64 / width
    return height * int((columns >= 60).sum())


def test_a_protocol_with_windows_looks_at_logits_and_keeps_its_threshold(
    voc: CorpusConfig, tmp_path: Path
) -> None:
    summary, row = _judge(voc, tmp_path, "red-logits", protocol="groupvit")
    details = json.loads(row["details"])
    assert (row["protocol"], details["seen"], details["window"]) == (
        "groupvit/bg=0.95",
        "windows",
        [448, 224],
    )
    # What is not red has no sure class, so that it is background, as the truth has it but for the person.
    assert summary.miou == pytest.approx(_expected().miou(), abs=0.03)
    loose, _ = _judge(voc, tmp_path, "red-logits", protocol="groupvit/bg=0.01")
    assert loose.scores[0].protocol == "groupvit/bg=0.01"
    assert loose.miou < 0.5 < summary.miou


def test_a_segmenter_without_logits_sees_whole_images_and_the_result_says_so(
    voc: CorpusConfig, tmp_path: Path
) -> None:
    summary, row = _judge(voc, tmp_path, protocol="tcl")
    assert json.loads(row["details"])["seen"] == "whole image"
    assert "gives labels and no logits" in summary.lines()[-1]
    assert summary.miou == pytest.approx(_expected().miou())


def test_unknown_classes_and_boundaries_are_measured_apart(voc: CorpusConfig, tmp_path: Path) -> None:
    summary, row = _judge(voc, tmp_path, unknown=("person", "cat"), boundary=True)
    metrics = {m["name"]: m["value"] for m in row["metrics"]}
    matrix, boundary = _expected(), BoundaryScores(21)
    for truth in _maps().values():
        boundary.update((truth == 1).astype(int), np.where(truth == 255, IGNORE, truth.astype(int)))
    assert metrics == summary.scores[0].metrics
    assert metrics["known_miou"] == pytest.approx(matrix.iou()[[0, 1]].mean())
    assert metrics["unknown_miou"] == metrics["harmonic_miou"] == 0.0
    assert metrics["boundary_f"] == pytest.approx(boundary.mean())
    assert "harmonic_miou 0.0" in summary.lines()[0]


def test_images_with_too_few_foreground_pixels_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = {key: np.where(ids == 255, 0, ids) for key, ids in _maps().items()}
    root = write_voc(tmp_path / "VOC2012", dict(maps))
    truth = tmp_path / "truth"
    truth.mkdir()
    names = load_vocabulary("coco_object").names[:21]
    (truth / "classes.json").write_text(json.dumps([{"id": i, "name": n} for i, n in enumerate(names)]))
    for key in maps:
        (truth / f"{key}.png").write_bytes((root / "SegmentationClass" / f"{key}.png").read_bytes())
    changes: dict[str, Any] = {
        "ground_truth": str(truth),
        "vocabulary": "coco_object",
        "protocol": "clip-diy",
    }
    summary, row = _judge(CorpusConfig(uri=f"voc:{root}"), tmp_path, **changes)
    assert [key for key, _ in summary.per_image] == ["a", "b"]
    assert (row["images"], json.loads(row["details"])["left_out"]) == (2, 1)
    empty = write_voc(tmp_path / "empty", {"c": maps["c"]})
    with pytest.raises(StageError, match="judges no image"):
        _judge(CorpusConfig(uri=f"voc:{empty}"), tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": "voc"}, "no protocol 'voc'"),
        ({"unknown": ("dragon",)}, r"has no class dragon \(unknown\)"),
        ({"vocabulary": "voc21:nobody"}, "no vocabulary 'voc21:nobody'"),
    ],
)
def test_wrong_choices_are_told_before_any_work(
    voc: CorpusConfig, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        _judge(voc, tmp_path, **changes)
    assert not (tmp_path / "catalog").exists()


def test_another_protocol_is_another_run_and_the_same_one_is_reused(
    voc: CorpusConfig, tmp_path: Path
) -> None:
    first, _ = _judge(voc, tmp_path)
    again, _ = _judge(voc, tmp_path)
    other, _ = _judge(voc, tmp_path, protocol="clip-diy")
    assert again.run.resumed and again.run.run_id == first.run.run_id
    assert (again.scores[0].details, again.scores[0].metrics) == (
        first.scores[0].details,
        first.scores[0].metrics,
    )
    assert other.run.run_id != first.run.run_id
