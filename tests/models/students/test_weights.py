from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import safetensors.torch
import torch

from maskmill.models.students.student import Student, StudentSpec
from maskmill.models.students.trunk import ResNetSpec, ViTSpec
from maskmill.models.students.weights import load_student, save_student
from maskmill.schemas.errors import WeightsError

RESNET = ResNetSpec(layers=(1, 1, 1, 1), width=8)
VIT = ViTSpec(patch=16, grid=2, width=16, layers=1, heads=2, quick_gelu=True)


def _student(trunk: ResNetSpec | ViTSpec = RESNET) -> Student:
    torch.manual_seed(0)
    return Student(
        StudentSpec(
            name="tiny",
            classes=("background", "cat"),
            short_side=32,
            min_confidence=0.0,
            mean=(0.48145466, 0.4578275, 0.40821073),
            std=(0.2, 0.2, 0.2),
            width=8,
            trunk=trunk,
        )
    ).eval()


@pytest.mark.parametrize("trunk", [RESNET, VIT], ids=["resnet", "vit"])
def test_a_loaded_student_answers_as_the_saved_one(tmp_path: Path, trunk: ResNetSpec | ViTSpec) -> None:
    student = _student(trunk)
    digest = save_student(student, tmp_path / "deep" / "student.safetensors")
    saved = load_student(tmp_path / "deep" / "student.safetensors")
    images = torch.rand(1, 3, 40, 32)
    assert saved.student.spec == student.spec
    assert not saved.student.training
    assert torch.equal(saved.student(images), student(images))
    assert saved.sha256 == digest
    assert saved.id == f"student:tiny@{digest[:12]}"


def test_the_digest_is_the_files_and_the_same_student_gives_the_same_bytes(tmp_path: Path) -> None:
    first = save_student(_student(), tmp_path / "a.safetensors")
    second = save_student(_student(), tmp_path / "b.safetensors")
    assert first == second == hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors.*cannot be read"):
        load_student(tmp_path / "nowhere.safetensors")


def test_a_file_cut_short_is_an_error_of_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    save_student(_student(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cannot be read"):
        load_student(path)


def test_other_safetensors_are_told_from_a_student(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="holds no student"):
        load_student(path)


@pytest.mark.parametrize("metadata", ['{"classes": []}', "not json"])
def test_a_specification_that_does_not_fit_is_an_error_of_the_weights(tmp_path: Path, metadata: str) -> None:
    path = tmp_path / "odd.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(1)}, path, {"maskmill_student": metadata})
    with pytest.raises(WeightsError, match="does not fit"):
        load_student(path)


def test_tensors_that_do_not_fit_the_specification_are_refused(tmp_path: Path) -> None:
    path, student = tmp_path / "odd.safetensors", _student()
    tensors = {**student.state_dict(), "decoder.head.0.bias": torch.zeros(7)}
    safetensors.torch.save_file(tensors, path, {"maskmill_student": student.spec.model_dump_json()})
    with pytest.raises(WeightsError, match="does not fit"):
        load_student(path)
