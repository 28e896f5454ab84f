from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import label_corpus, write_clip, write_corpus

from maskmill.catalogs.query import query
from maskmill.models.students.weights import load_student
from maskmill.schemas.config import CorpusConfig, TrainConfig
from maskmill.schemas.errors import CatalogError, StageError, WeightsError
from maskmill.tasks import train_loop
from maskmill.tasks.progress import SilentProgress
from maskmill.tasks.review_import import ReviewConfig, review_import
from maskmill.tasks.train import loss_history, train_run


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    label_corpus(write_corpus(tmp_path / "corpus", 6), tmp_path / "catalog")
    return str(tmp_path / "catalog")


@pytest.fixture
def config(clip: Path) -> TrainConfig:
    small: dict[str, Any] = {"steps": 6, "batch_size": 2, "crop": 32, "short_side": 32, "decoder_width": 8}
    return TrainConfig(encoder=str(clip), device="cpu", **small)


def review(catalog: str, tmp_path: Path) -> str:
    """Say of the first image, as a person would, that all of it is house; return the review's run id."""
    found = query(
        catalog, "SELECT DISTINCT image_id, key, width, height FROM images ORDER BY key"
    ).to_pylist()[0]
    width, height = found["width"], found["height"]
    outline = [0, 0, width, 0, width, height, 0, height]
    thing = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [outline], "iscrowd": 0}
    body = {
        "images": [{"id": 1, "file_name": found["key"], "width": width, "height": height}],
        "categories": [{"id": 1, "name": "house"}],
        "annotations": [thing | {"area": width * height, "bbox": [0, 0, width, height]}],
    }
    (tmp_path / "review.json").write_text(json.dumps(body))
    return review_import(catalog, str(tmp_path / "review.json"), ReviewConfig()).run_id


class Interrupt(SilentProgress):
    """Ends the training after some steps, as Ctrl-C would."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.said: list[str] = []

    def advance(self, done: int, **counts: int) -> None:
        self.left -= done
        if self.left == 0:
            raise KeyboardInterrupt

    def say(self, line: str) -> None:
        self.said.append(line)


def test_a_training_leaves_a_student_a_record_and_two_rows(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    summary = train_run(catalog, None, tmp_path / "out", config)
    saved = load_student(summary.weights)
    assert summary.weights == tmp_path / "out" / "student.safetensors"
    assert saved.student.spec.classes == ("background", "house")
    assert saved.id == summary.student_id
    assert summary.run.counts == {"images": 6, "classes": 2, "steps": 6}
    assert summary.catalog_version < summary.run.version
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    assert [point["step"] for point in record["history"]] == [1, 2, 3, 4, 5, 6]
    assert record["config"]["steps"] == 6
    row = query(catalog, "SELECT s.*, r.kind, r.parent_run_id FROM students s JOIN runs r USING (run_id)")
    (student,) = row.to_pylist()
    assert student["weights_sha256"] == saved.sha256
    assert student["kind"] == "train"
    assert student["parent_run_id"] == student["label_run_id"] == record["label_run_id"]
    assert student["final_loss"] == summary.final_loss == record["history"][-1]["loss"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["student.safetensors", "train.json"]


def test_the_same_training_again_does_nothing_though_the_catalog_has_moved_on(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    first = train_run(catalog, None, tmp_path / "out", config)
    written = first.weights.stat().st_mtime_ns
    scheduling = config.model_copy(update={"loader_workers": 1})
    again = train_run(catalog, None, tmp_path / "out", scheduling)
    assert again.run.resumed
    assert (again.student_id, again.run.run_id) == (first.student_id, first.run.run_id)
    assert again.run.counts == first.run.counts
    assert first.weights.stat().st_mtime_ns == written


def test_new_corrections_train_anew_and_are_on_record(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    first = train_run(catalog, None, tmp_path / "out", config)
    review_id = review(catalog, tmp_path)
    second = train_run(catalog, None, tmp_path / "out", config)
    assert not second.run.resumed
    assert (second.run.run_id, second.student_id) != (first.run.run_id, first.student_id)
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    assert record["config"]["review_run_ids"] == [review_id]
    rows = query(catalog, "SELECT run_id, config FROM runs WHERE kind = 'train'").to_pylist()
    said = {row["run_id"]: json.loads(row["config"])["review_run_ids"] for row in rows}
    assert said == {first.run.run_id: [], second.run.run_id: [review_id]}
    assert train_run(catalog, None, tmp_path / "out", config).run.resumed
    pinned = train_run(catalog, first.catalog_version, tmp_path / "before", config)
    assert pinned.student_id == first.student_id


def test_another_configuration_or_lost_weights_train_again(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    first = train_run(catalog, None, tmp_path / "out", config)
    other = train_run(catalog, None, tmp_path / "other", config.model_copy(update={"seed": 1}))
    assert other.student_id != first.student_id
    first.weights.unlink()
    second = train_run(catalog, None, tmp_path / "out", config)
    assert not second.run.resumed
    assert second.run.run_id != first.run.run_id
    assert second.student_id == first.student_id
    assert train_run(catalog, None, tmp_path / "out", config).run.resumed


def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    catalog: str, tmp_path: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train_run(catalog, None, tmp_path / "straight", config)
    straight.weights.unlink()
    monkeypatch.setattr(train_loop, "_CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train_run(catalog, None, tmp_path / "cut", config, Interrupt(after=4))
    assert (tmp_path / "cut" / "checkpoint.pt").is_file()
    progress = Interrupt(after=99)
    resumed = train_run(catalog, None, tmp_path / "cut", config, progress)
    assert "training continues after step 4" in progress.said
    assert resumed.student_id == straight.student_id
    assert resumed.run.counts["steps"] == 6
    assert not (tmp_path / "cut" / "checkpoint.pt").exists()


def test_the_checkpoint_of_another_training_is_not_continued(
    catalog: str, tmp_path: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_loop, "_CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train_run(catalog, None, tmp_path / "out", config, Interrupt(after=3))
    progress = Interrupt(after=99)
    other = config.model_copy(update={"seed": 9})
    train_run(catalog, None, tmp_path / "out", other, progress)
    assert progress.left == 93
    assert any("of another training" in line for line in progress.said)


def test_a_damaged_checkpoint_says_what_to_do(catalog: str, tmp_path: Path, config: TrainConfig) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(StageError, match=r"checkpoint\.pt' is damaged, delete it"):
        train_run(catalog, None, tmp_path / "out", config)


def test_loader_processes_give_the_same_student(catalog: str, tmp_path: Path, config: TrainConfig) -> None:
    alone = train_run(catalog, None, tmp_path / "alone", config)
    alone.weights.unlink()
    config = config.model_copy(update={"loader_workers": 1})
    assert train_run(catalog, None, tmp_path / "two", config).student_id == alone.student_id


def test_a_loss_that_is_not_finite_ends_the_training(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    wild = config.model_copy(update={"learning_rate": 1e30, "trunk_rate": 1.0})
    with pytest.raises(StageError, match="choose a lower learning_rate"):
        train_run(catalog, None, tmp_path / "out", wild)
    assert query(catalog, "SELECT * FROM students").num_rows == 0


def test_a_pinned_version_and_run_are_learnt_from(catalog: str, tmp_path: Path, config: TrainConfig) -> None:
    first = query(catalog, "SELECT run_id FROM runs WHERE kind = 'label'").column(0)[0].as_py()
    label_corpus(CorpusConfig(uri=str(tmp_path / "corpus" / "val")), tmp_path / "catalog", "second")
    newest = train_run(catalog, None, tmp_path / "a", config)
    pinned = train_run(catalog, 1, tmp_path / "b", config)
    named = train_run(catalog, None, tmp_path / "b", config.model_copy(update={"label_run": first}))
    runs = query(catalog, "SELECT label_run_id, catalog_version FROM students ORDER BY 2").to_pylist()
    assert [r["label_run_id"] for r in runs] == [first, "second"]
    assert 1 == pinned.catalog_version < newest.catalog_version
    assert named.run.resumed


def test_wrong_versions_and_encoders_are_told_before_anything_is_written(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    with pytest.raises(CatalogError, match="no version 9"):
        train_run(catalog, 9, tmp_path / "out", config)
    with pytest.raises(WeightsError, match="no CLIP"):
        train_run(catalog, None, tmp_path / "out", config.model_copy(update={"encoder": "nowhere"}))
    assert not (tmp_path / "out").exists()


def test_a_long_history_is_thinned_to_window_means() -> None:
    history = loss_history([float(n) for n in range(1, 1002)])
    assert len(history) <= 200
    assert history[0] == {"step": 6, "loss": 3.5}
    assert history[-1]["step"] == 1001
    assert loss_history([2.0]) == [{"step": 1, "loss": 2.0}]


def test_corrections_can_be_left_out_and_only_then_change_what_is_stored(
    catalog: str, tmp_path: Path, config: TrainConfig
) -> None:
    first = train_run(catalog, None, tmp_path / "out", config)
    review(catalog, tmp_path)
    teacher_only = config.model_copy(update={"corrections": False})
    alone = train_run(catalog, None, tmp_path / "alone", teacher_only)
    assert alone.student_id == first.student_id
    assert alone.run.run_id != first.run.run_id
    assert "corrections" not in config.model_dump()
    stored = teacher_only.model_dump(mode="json")
    assert stored["corrections"] is False
    assert TrainConfig.model_validate(stored) == teacher_only
