"""Free text and groups, judged end to end on a dataset in its layout."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets_on_disk import write_voc
from free_text import Grouped, Quadrants, SeenQuadrants, Sentences, quarters
from numpy.typing import NDArray
from tiny import INLINE

from maskmill.catalogs.query import query
from maskmill.models.segmenters import registry
from maskmill.models.zero_guidance import sentences
from maskmill.schemas.config import CorpusConfig, EvaluateConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError, MaskmillError, StageError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.evaluate import EvaluationSummary, evaluate_run, plan_evaluation
from maskmill.tasks.segment_job import SegmentJob

H, W = 24, 32


class Stumbling(Grouped):
    """Fails on every image."""

    def groups(self, image: NDArray[np.uint8]) -> NDArray[np.uint16]:
        raise ZeroDivisionError("no group at all")


class Strange(Quadrants):
    """Answers a class of its own and says that it was asked for."""

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        maps = super().__call__(images, vocabularies)
        return [LabelMap(m.labels, m.scores, m.names) for m in maps]


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Quadrants, SeenQuadrants, Grouped, Stumbling, Strange):
        monkeypatch.setitem(registry._REGISTRY, kind.__name__.lower(), kind)
    monkeypatch.setattr(sentences, "load_sentence_encoder", lambda spec, device: Sentences())


@pytest.fixture
def voc(tmp_path: Path) -> str:
    """Two images: an aeroplane that is the first quarter, and a person who fills the upper half."""
    first, second = np.zeros((H, W), np.uint8), np.zeros((H, W), np.uint8)
    first[: H // 2, : W // 2] = 1
    second[: H // 2], second[-2:] = 15, 255
    return str(write_voc(tmp_path / "VOC2012", {"a": first, "b": second}))


def _evaluate(root: Path, uri: str, segmenter: str, **config: Any) -> EvaluationSummary:
    settings = EvaluateConfig(pool=INLINE, device="cpu", **config)
    subject = SegmenterConfig(id=segmenter, device="cpu")
    return evaluate_run(subject, CorpusConfig(uri=uri), str(root / "catalog"), settings)


def test_texts_are_taken_for_classes_by_what_they_mean(tmp_path: Path, voc: str) -> None:
    summary = _evaluate(tmp_path, f"voc20:{voc}", "quadrants", protocol="zero-guidance")
    (score,) = summary.scores
    assert score.protocol == "zero-guidance/text-text"
    # a: the jet is the aeroplane; b: the man is half of the person, which the jet and no one else spoils.
    assert score.metrics == pytest.approx({"image_iou": (1 + 0.5) / 2, "segment_recall": 0.5})
    assert dict(summary.per_image) == pytest.approx({"a": 1.0, "b": 0.5})
    iou = {label: value for label, value, _, _ in score.classes}
    assert iou["person"] == pytest.approx(0.5)
    assert iou["aeroplane"] == pytest.approx(1 / 2)  # of b's jet, where a person is
    assert score.details["sentence_encoder"] == "sentences@1"
    assert set(score.details["not_measured"]) == {"segment-text", "text_generation_quality"}
    assert any("segment-text is not measured: the segmenter tells no" in line for line in summary.lines())


def test_segments_are_taken_for_classes_by_what_they_look_like(tmp_path: Path, voc: str) -> None:
    summary = _evaluate(tmp_path, f"voc20:{voc}", "seenquadrants", protocol="zero-guidance")
    by_text, by_segment = summary.scores
    assert by_segment.protocol == "zero-guidance/segment-text"
    # Three quarters look like an aeroplane: of a only the first is judged, and b has no aeroplane.
    assert by_segment.metrics == pytest.approx({"image_iou": 0.5, "segment_recall": 0.5})
    # Both things are described as planes, which is right once.
    assert by_text.metrics == pytest.approx(
        {"image_iou": 0.75, "segment_recall": 0.5, "text_generation_quality": 0.5}
    )
    assert summary.metrics()["segment_text_image_iou"] == pytest.approx(0.5)
    rows = query(str(tmp_path / "catalog"), "SELECT * FROM evaluations ORDER BY protocol").to_pylist()
    assert [row["protocol"] for row in rows] == ["zero-guidance/segment-text", "zero-guidance/text-text"]
    assert {m["name"] for m in rows[1]["metrics"]} >= {"text_generation_quality", "segment_recall"}
    assert json.loads(rows[0]["weights"]) == {"quadrants": "abc", "sentence_encoder": "sentences@1"}


def test_a_background_is_a_class_where_the_vocabulary_has_one(tmp_path: Path, voc: str) -> None:
    score = _evaluate(tmp_path, f"voc:{voc}", "quadrants", protocol="zero-guidance").scores[0]
    # The last quarter of either image is called the background; three are in a, two (less 2 rows) in b.
    quarter, rest = H * W / 4, 2 * W
    background = [quarter / (3 * quarter), (quarter - rest / 2) / (2 * quarter - rest)]
    expected = np.mean([(1 + background[0]) / 2, (0.5 + background[1]) / 2])
    assert score.metrics["image_iou"] == pytest.approx(expected)


def test_groups_are_judged_by_the_segment_that_they_fit_best(tmp_path: Path, voc: str) -> None:
    summary = _evaluate(tmp_path, f"voc:{voc}", "grouped", protocol="grouping")
    (score,) = summary.scores
    assert score.protocol == "grouping/jaccard"
    assert score.metrics == pytest.approx({"jaccard": (1 + 0.5) / 2})
    # Named by the truth, both upper quarters of b are the person.
    assert (summary.miou, summary.pixel_accuracy) == (1.0, 1.0)
    assert summary.lines()[0].endswith("jaccard 75.0 on 2 images")


@pytest.mark.parametrize("protocol", ["zero-guidance", "grouping"])
def test_what_is_stored_is_not_judged_again(tmp_path: Path, voc: str, protocol: str) -> None:
    first = _evaluate(tmp_path, f"voc20:{voc}", "grouped", protocol=protocol)
    again = _evaluate(tmp_path, f"voc20:{voc}", "grouped", protocol=protocol)
    assert (again.run.resumed, again.scores) == (True, first.scores)


def test_a_sentence_encoder_in_a_folder_is_part_of_the_identity(tmp_path: Path, voc: str) -> None:
    def config_hash() -> str:
        config = EvaluateConfig(protocol="zero-guidance", sentence_encoder=str(tmp_path), pool=INLINE)
        subject = SegmenterConfig(id="quadrants", device="cpu")
        return plan_evaluation(subject, CorpusConfig(uri=f"voc20:{voc}"), config).config_hash

    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = config_hash()
    assert config_hash() == before
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert config_hash() != before


@pytest.mark.parametrize(
    ("segmenter", "config", "error", "says"),
    [
        ("quadrants", {"protocol": "known"}, ConfigError, "of its own: use --protocol zero-guidance"),
        ("quadrants", {"protocol": "clip-diy"}, ConfigError, "in words of its own"),
        ("quadrants", {"protocol": "grouping"}, ConfigError, "quadrants@1' makes no groups"),
        ("strange", {"protocol": "known"}, StageError, "answers 'jet', which is no class of 'voc21'"),
        ("stumbling", {"protocol": "grouping"}, StageError, "'a' cannot be judged: .*no group at all"),
        ("quadrants", {"protocol": "zero-guidance/bg=0.5"}, ConfigError, "no background rule"),
        (
            "quadrants",
            {"protocol": "zero-guidance", "restrict_to_captions": True},
            ConfigError,
            "captions cannot restrict it",
        ),
    ],
)
def test_what_cannot_be_judged_is_said(
    segmenter: str, config: dict[str, Any], error: type[MaskmillError], says: str, tmp_path: Path, voc: str
) -> None:
    with pytest.raises(error, match=says):
        _evaluate(tmp_path, f"voc:{voc}", segmenter, **config)


def test_shards_of_workers_add_up(tmp_path: Path, voc: str) -> None:
    plan = plan_evaluation(
        SegmenterConfig(id="grouped", device="cpu"),
        CorpusConfig(uri=f"voc:{voc}"),
        EvaluateConfig(protocol="grouping", boundary=True, pool=INLINE),
    )
    assert isinstance(plan.job, SegmentJob)
    worker = pickle.loads(pickle.dumps(plan.job))()
    (scores,) = [worker(shard) for shard in plan.shards]
    assert scores.shares == ({"jaccard": (1.5, 2)},)
    assert scores.boundary is not None
    assert scores.boundary[1].sum() == 4  # two classes in each of two images
    assert np.array_equal(np.unique(quarters(H, W)), [0, 1, 2, 3])
