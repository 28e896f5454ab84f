from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from maskmill.models.students.student import Student, StudentSpec
from maskmill.models.students.trunk import ResNetSpec, ViTSpec

RESNET = ResNetSpec(layers=(1, 1, 1, 1), width=8)
VIT = ViTSpec(patch=16, grid=2, width=16, layers=1, heads=2, quick_gelu=False)


def _student(trunk: ResNetSpec | ViTSpec = RESNET) -> Student:
    torch.manual_seed(0)
    spec = StudentSpec(
        name="tiny",
        classes=("background", "cat", "dog"),
        short_side=32,
        min_confidence=0.0,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
        width=8,
        trunk=trunk,
    )
    return Student(spec).eval()


@pytest.mark.parametrize("trunk", [RESNET, VIT], ids=["resnet", "vit"])
@pytest.mark.parametrize("size", [(32, 32), (33, 70), (1, 1)])
def test_logits_have_the_size_of_the_image(trunk: ResNetSpec | ViTSpec, size: tuple[int, int]) -> None:
    logits = _student(trunk)(torch.rand(2, 3, *size))
    assert logits.shape == (2, 3, *size)
    assert torch.isfinite(logits).all()


def test_an_image_has_the_same_logits_alone_and_in_a_batch() -> None:
    student, images = _student(), torch.rand(3, 3, 40, 56)
    together = student(images)
    for image, logits in zip(images, together, strict=True):
        torch.testing.assert_close(student(image[None])[0], logits, rtol=1e-4, atol=1e-5)


def test_padding_is_the_mean_colour_and_leaves_the_grid_in_place() -> None:
    student = _student()
    image = torch.rand(1, 3, 32, 40)
    mean = torch.tensor(student.spec.mean).view(1, 3, 1, 1)
    padded = torch.cat([image, mean.expand(1, 3, 32, 24)], 3)
    torch.testing.assert_close(student(image), student(padded)[..., :40])


def test_gradients_reach_the_trunk_and_every_head() -> None:
    student = _student().train()
    student(torch.rand(2, 3, 64, 64)).square().mean().backward()
    heads = [head.weight.grad for head in student.decoder.head]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in heads)
    assert student.trunk.net.conv1.weight.grad.abs().sum() > 0


def test_a_student_of_a_single_class_is_refused() -> None:
    fields = _student().spec.model_dump() | {"classes": ("background",)}
    with pytest.raises(ValidationError, match="classes"):
        StudentSpec.model_validate(fields)
