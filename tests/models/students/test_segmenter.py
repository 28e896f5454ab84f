from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from maskmill.models.students.segmenter import StudentSegmenter
from maskmill.models.students.student import Student, StudentSpec
from maskmill.models.students.trunk import ResNetSpec
from maskmill.models.students.weights import save_student
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

CLASSES = ("background", "cat", "dog", "car")


def _save(path: Path, min_confidence: float) -> Path:
    torch.manual_seed(0)
    spec = StudentSpec(
        name="tiny",
        classes=CLASSES,
        short_side=32,
        min_confidence=min_confidence,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        width=8,
        trunk=ResNetSpec(layers=(1, 1, 1, 1), width=8),
    )
    student = Student(spec)
    for head in student.decoder.head:
        torch.nn.init.normal_(head.weight, std=100.0)
    save_student(student, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("student") / "student.safetensors", min_confidence=0.0)


@pytest.fixture(scope="module")
def segmenter(weights: Path) -> StudentSegmenter:
    return StudentSegmenter(weights, "cpu")


def _images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (3, 4, 4, 3), np.uint8)
    sizes = ((40, 60), (64, 32), (40, 60))
    return [c.repeat(h // 4, 0).repeat(w // 4, 1) for c, (h, w) in zip(colours, sizes, strict=True)]


def test_maps_have_the_size_of_their_images_and_scores_are_probabilities(
    segmenter: StudentSegmenter,
) -> None:
    images = _images()
    maps = segmenter(images, [Vocabulary.of(CLASSES)] * 3)
    for image, found in zip(images, maps, strict=True):
        assert found.labels.shape == image.shape[:2]
        assert found.names == CLASSES
        assert found.scores.min() >= 1 / len(CLASSES) - 1e-3
        assert found.scores.max() <= 1
    assert len({int(i) for found in maps for i in np.unique(found.labels)}) > 1


def test_an_image_is_segmented_alike_alone_and_among_others(segmenter: StudentSegmenter) -> None:
    images, vocabulary = _images(), Vocabulary.of(CLASSES)
    together = segmenter(images, [vocabulary] * 3)
    for image, found in zip(images, together, strict=True):
        alone = segmenter([image], [vocabulary])[0]
        assert (alone.labels == found.labels).mean() > 0.999
        np.testing.assert_allclose(alone.scores.astype(float), found.scores.astype(float), rtol=0, atol=2e-3)


def test_a_vocabulary_narrows_the_answers(segmenter: StudentSegmenter) -> None:
    found = segmenter(_images()[:1], [Vocabulary.of(["dog"])])[0]
    assert found.names == ("background", "dog")
    assert set(np.unique(found.labels)) <= {0, 1}


def test_a_vocabulary_renames_by_synonym_and_reorders(segmenter: StudentSegmenter) -> None:
    image = _images()[:1]
    plain = segmenter(image, [Vocabulary.of(CLASSES)])[0]
    classes = (
        VocabularyClass(name="background"),
        VocabularyClass(name="auto", synonyms=("car",)),
        VocabularyClass(name="hound", synonyms=("dog",)),
        VocabularyClass(name="cat"),
    )
    renamed = segmenter(image, [Vocabulary(name="other", classes=classes)])[0]
    to_renamed = np.array([0, 3, 2, 1])
    assert np.array_equal(renamed.labels, to_renamed[plain.labels])


def test_a_vocabulary_of_strangers_leaves_only_background(segmenter: StudentSegmenter) -> None:
    found = segmenter(_images()[:1], [Vocabulary.of(["submarine"])])[0]
    assert not found.labels.any()
    assert (found.scores == 1).all()


def test_what_no_class_explains_is_background(segmenter: StudentSegmenter, tmp_path: Path) -> None:
    sure = segmenter(_images()[:1], [Vocabulary.of(CLASSES)])[0]
    limit = float(np.median(sure.scores[sure.labels > 0]))
    careful = StudentSegmenter(_save(tmp_path / "s.safetensors", min_confidence=limit), "cpu")
    found = careful(_images()[:1], [Vocabulary.of(CLASSES)])[0]
    doubted = sure.scores.astype(float) < limit - 1e-3
    assert doubted.any()
    assert not found.labels[doubted].any()
    assert np.array_equal(found.labels[sure.scores > limit + 1e-3], sure.labels[sure.scores > limit + 1e-3])
    assert (found.scores[doubted] <= sure.scores[doubted]).all()


def test_no_image_gives_no_map(segmenter: StudentSegmenter) -> None:
    assert segmenter([], []) == []


def test_vocabularies_must_match_the_images(segmenter: StudentSegmenter) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        segmenter(_images(), [Vocabulary.of(CLASSES)])


def test_id_and_weights_name_the_file(weights: Path, segmenter: StudentSegmenter) -> None:
    digest = segmenter.weights["student"]
    assert len(digest) == 64
    assert segmenter.id == f"student:tiny@{digest[:12]}"
    with pytest.raises(ConfigError, match="device"):
        StudentSegmenter(weights, "nowhere")
