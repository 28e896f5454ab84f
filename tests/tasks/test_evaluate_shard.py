from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_segmenter import FakeSegmenter
from numpy.typing import NDArray
from tiny import write_corpus

from maskmill.catalogs.corpora import open_corpus
from maskmill.catalogs.ground_truth import IndexPngs
from maskmill.models.students.segmenter import StudentSegmenter
from maskmill.models.students.student import Student, StudentSpec
from maskmill.models.students.trunk import ResNetSpec
from maskmill.models.students.weights import save_student
from maskmill.schemas.config import EvaluateConfig, SegmenterConfig
from maskmill.schemas.errors import StageError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.protocols import find_protocol
from maskmill.schemas.samples import Sample
from maskmill.schemas.vocabulary import Vocabulary, load_vocabulary
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


class OnAGrid(FakeSegmenter):
    """Has maps of three columns, and would answer something else by way of the image's size."""

    def grid_maps(self, images: list[NDArray[np.uint8]], vocabularies: list[Vocabulary]) -> list[LabelMap]:
        labels = np.array([[1, 0, 2]], np.uint16)
        return [LabelMap(labels, np.ones((1, 3), np.float16), v.names) for v in vocabularies]


def test_clip_diy_is_judged_from_its_own_grid_straight_to_the_short_side_of_448(job: EvaluateJob) -> None:
    (*_, sample) = job.reader.read(job.reader.shards()[0])
    segmenter = OnAGrid(SegmenterConfig())
    judge = replace(job.judge, protocol=find_protocol("clip-diy", "voc21"))
    (judged,) = replace(job, judge=judge).judged(segmenter, iter([sample]))
    width = 448 * judged.image.shape[1] // judged.image.shape[0]
    assert judged.answer.shape == judged.target.shape == (448, width)
    assert judged.answer[0].tolist() == [[1, 0, 2][x * 3 // width] for x in range(width)]
    (known,) = job.judged(segmenter, iter([sample]))
    assert known.answer.shape == known.image.shape[:2]
    assert 2 not in known.answer
