from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import write_corpus

from maskmill.catalogs.corpora import open_corpus
from maskmill.catalogs.ground_truth import IndexPngs
from maskmill.models.students.segmenter import StudentSegmenter
from maskmill.models.students.student import Student, StudentSpec
from maskmill.models.students.trunk import ResNetSpec
from maskmill.models.students.weights import save_student
from maskmill.schemas.config import EvaluateConfig
from maskmill.schemas.errors import StageError
from maskmill.schemas.samples import Sample
from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks.evaluate_shard import EvaluateJob, load_subject
from maskmill.tasks.judging import Judge


@pytest.fixture
def student(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    spec = StudentSpec(
        name="tiny",
        classes=("background", "house"),
        short_side=32,
        min_confidence=0.0,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        width=8,
        trunk=ResNetSpec(layers=(1, 1, 1, 1), width=8),
    )
    save_student(Student(spec), tmp_path / "student.safetensors")
    return tmp_path / "student.safetensors"


@pytest.fixture
def job(student: Path, tmp_path: Path) -> EvaluateJob:
    reader = open_corpus(write_corpus(tmp_path / "data", 6))
    truth = IndexPngs(str(tmp_path / "data" / "truth"))
    judge = Judge(load_vocabulary("demo"), truth.names())
    return EvaluateJob(student, reader, truth, judge, EvaluateConfig(device="cpu", batch_images=2))


def test_a_job_survives_pickling_and_judges_a_student(job: EvaluateJob) -> None:
    worker = pickle.loads(pickle.dumps(job))()
    scores = [worker(shard) for shard in job.reader.shards()]
    assert [key for part in scores for key, _ in part.images] == [
        "0000",
        "0002",
        "0004",
        "0001",
        "0003",
        "0005",
    ]
    assert all(part.subject_id.startswith("student:tiny@") for part in scores)
    assert sum(int(counts.sum()) for part in scores for counts in part.counts) == 6 * 40 * 48
    assert scores[0].counts[0].shape == (17, 18)


def test_the_batch_size_does_not_change_the_counts(job: EvaluateJob) -> None:
    shard = job.reader.shards()[0]
    larger = EvaluateJob(job.subject, job.reader, job.truth, job.judge, EvaluateConfig(device="cpu"))
    difference = np.abs(job()(shard).counts[0] - larger()(shard).counts[0])
    assert difference.sum() <= 4  # ties of rounding at most


def test_a_path_is_a_student(student: Path) -> None:
    assert isinstance(load_subject(student, "cpu"), StudentSegmenter)


def test_a_sample_without_pixels_is_named(job: EvaluateJob) -> None:
    segmenter = load_subject(job.subject, "cpu")
    with pytest.raises(StageError, match=r"image 'k' cannot be judged: empty_file"):
        list(job.judged(segmenter, iter([Sample("k", b"")])))
