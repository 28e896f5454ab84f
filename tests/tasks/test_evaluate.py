from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import INLINE, RedSegmenter, red_rectangle, write_corpus, write_tar

from maskmill.catalogs.query import query
from maskmill.models.metrics import ConfusionMatrix
from maskmill.models.segmenters import registry as base
from maskmill.schemas.config import CorpusConfig, EvaluateConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError, CorpusError, StageError, WeightsError
from maskmill.tasks import evaluate
from maskmill.tasks.evaluate import evaluate_run
from maskmill.tasks.examples import find_examples
from maskmill.tasks.progress import SilentProgress

TEACHER = SegmenterConfig(id="red")


@pytest.fixture(autouse=True)
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a segmenter that needs no weights."""
    monkeypatch.setitem(base._REGISTRY, "red", RedSegmenter)
    monkeypatch.setattr(evaluate, "prepare_segmenter", lambda config: (config, {"red": config.clip}))


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    return write_corpus(tmp_path / "data", 6)


@pytest.fixture
def config(tmp_path: Path) -> EvaluateConfig:
    return EvaluateConfig(ground_truth=str(tmp_path / "data" / "truth"), batch_images=2, pool=INLINE)


def _spoil(root: Path, key: str, labels: np.ndarray) -> None:
    Image.fromarray(labels.astype(np.uint8)).save(root / "data" / "truth" / f"{key}.png")


def test_a_segmenter_that_is_right_everywhere_scores_one(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    summary = evaluate_run(TEACHER, corpus, str(tmp_path / "catalog"), config)
    assert (summary.subject, summary.subject_id) == ("teacher", "red@1")
    assert (summary.miou, summary.pixel_accuracy, summary.images) == (1.0, 1.0, 6)
    assert [s.protocol for s in summary.scores] == ["known"]
    assert summary.lines() == ["teacher red@1, known: mIoU 100.0, pixel accuracy 100.0 on 6 images"]
    assert sorted(key for key, _ in summary.per_image) == [f"{n:04d}" for n in range(6)]
    assert {miou for _, miou in summary.per_image} == {1.0}


def test_areas_are_summed_over_the_dataset_before_the_ratio(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    _spoil(tmp_path, "0000", np.zeros((40, 48)))
    half = red_rectangle(1)[1]
    half[:, 24:] = 0
    _spoil(tmp_path, "0001", half)
    matrix = ConfusionMatrix(17)
    for n in range(6):
        truth = np.asarray(Image.open(tmp_path / "data" / "truth" / f"{n:04d}.png"))
        matrix.update(red_rectangle(n)[1], truth)
    summary = evaluate_run(TEACHER, corpus, str(tmp_path / "catalog"), config)
    assert summary.miou == pytest.approx(matrix.miou())
    assert summary.pixel_accuracy == pytest.approx(matrix.pixel_accuracy())
    label, iou, inter, union = summary.scores[0].classes[1]
    assert (label, iou) == ("house", pytest.approx(inter / union))
    assert summary.scores[0].classes[2][1] is None
    assert dict(summary.per_image)["0000"] < 1


def test_unknown_things_give_a_second_protocol(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    classes = [{"id": i, "name": name} for i, name in enumerate(("background", "house", "robot"))]
    (tmp_path / "data" / "truth" / "classes.json").write_text(json.dumps(classes))
    _spoil(tmp_path, "0000", red_rectangle(0)[1] * 2)
    summary = evaluate_run(TEACHER, corpus, str(tmp_path / "catalog"), config)
    strict, lenient = summary.scores
    assert (strict.protocol, lenient.protocol) == ("known", "known-ignore-unknown")
    assert strict.miou < lenient.miou == 1.0
    rows = query(str(tmp_path / "catalog"), "SELECT protocol, miou FROM evaluations ORDER BY 1").to_pylist()
    assert [(r["protocol"], r["miou"]) for r in rows] == [(s.protocol, s.miou) for s in (strict, lenient)]


def test_asking_only_what_captions_name_is_another_protocol(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    image, _ = red_rectangle(1)
    write_tar(Path(corpus.uri) / "00001.tar", {"0001": (image, "what a lovely day")})
    restricted = config.model_copy(update={"restrict_to_captions": True})
    summary = evaluate_run(TEACHER, corpus, str(tmp_path / "catalog"), restricted)
    assert summary.scores[0].protocol == "known+captions"
    scores = dict(summary.per_image)
    assert scores.pop("0001") < 0.5
    assert set(scores.values()) == {1.0}


def test_what_is_stored_is_returned_without_work_and_force_judges_again(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    class Watch(SilentProgress):
        started = 0

        def start(self, stage: str, total: int, unit: str = "shards") -> None:
            self.started += 1

    catalog, watch = str(tmp_path / "catalog"), Watch()
    first = evaluate_run(TEACHER, corpus, catalog, config, watch)
    again = evaluate_run(TEACHER, corpus, catalog, config, watch)
    assert watch.started == 1
    assert again.run.resumed
    assert again.run.run_id == first.run.run_id
    assert (again.scores, again.per_image, again.images) == (first.scores, (), 6)
    forced = evaluate_run(TEACHER, corpus, catalog, config, watch, force=True)
    assert watch.started == 2
    assert forced.run.run_id != first.run.run_id
    other = evaluate_run(TEACHER.model_copy(update={"clip": "other"}), corpus, catalog, config, watch)
    assert watch.started == 3
    assert other.run.run_id not in (first.run.run_id, forced.run.run_id)


def test_an_image_that_cannot_be_judged_ends_the_evaluation(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    catalog = str(tmp_path / "catalog")
    _spoil(tmp_path, "0003", np.zeros((5, 5)))
    with pytest.raises(StageError, match="ground truth of image '0003' is 5 x 5 pixels, the image 48 x 40"):
        evaluate_run(TEACHER, corpus, catalog, config)
    (tmp_path / "data" / "truth" / "0003.png").unlink()
    with pytest.raises(StageError, match="0003"):
        evaluate_run(TEACHER, corpus, catalog, config)
    assert query_or_none(catalog) == 0


def test_an_image_that_cannot_be_decoded_ends_the_evaluation(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    tar = Path(corpus.uri) / "00000.tar"
    tar.write_bytes(tar.read_bytes().replace(b"IDAT", b"idle", 1))
    with pytest.raises(StageError, match="cannot be judged"):
        evaluate_run(TEACHER, corpus, str(tmp_path / "catalog"), config)


def query_or_none(catalog: str) -> int:
    """Count the stored files of the table, published or not."""
    return len(list((Path(catalog) / "evaluations").rglob("*.parquet")))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"vocabulary": "nowhere"}, ConfigError, "no vocabulary"),
        ({"ground_truth": None}, CorpusError, "holds no ground truth"),
        ({"ground_truth": "nowhere"}, CorpusError, "classes of the ground truth"),
    ],
)
def test_wrong_configurations_are_told_before_any_work(
    corpus: CorpusConfig,
    config: EvaluateConfig,
    tmp_path: Path,
    change: dict[str, Any],
    error: Any,
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        evaluate_run(TEACHER, corpus, str(tmp_path / "catalog"), config.model_copy(update=change))
    assert not (tmp_path / "catalog").exists()


def test_a_missing_student_is_an_error_of_the_weights(
    corpus: CorpusConfig, config: EvaluateConfig, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        evaluate_run(tmp_path / "nowhere.safetensors", corpus, str(tmp_path / "catalog"), config)


def test_examples_carry_truth_prediction_and_score(corpus: CorpusConfig, config: EvaluateConfig) -> None:
    found = find_examples(TEACHER, corpus, config, ["0001", "0004", "nowhere"])
    image, labels = red_rectangle(4)
    example = found["0004"]
    assert sorted(found) == ["0001", "0004"]
    assert np.array_equal(example.image, image)
    assert np.array_equal(example.truth.labels, labels)
    assert np.array_equal(example.prediction.labels, labels)
    assert example.truth.names == ("background", "house")
    assert example.captions == ("a house",)
    assert example.miou == 1.0
