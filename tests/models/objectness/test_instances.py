from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.objectness import load_objectness
from maskmill.models.objectness.instances import InstanceObjectness, load_instances
from maskmill.schemas.errors import WeightsError


class Found:
    id = "found@0"

    def __init__(self, masks: Tensor, scores: list[float]) -> None:
        self.masks, self.scores = masks, torch.tensor(scores)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.masks, self.scores


def build(device: torch.device) -> Found:
    return Found(torch.ones(1, 4, 5), [0.9])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_it_is_equation_5_pixel_by_pixel(count: int) -> None:
    rng = np.random.default_rng(count)
    masks, scores = rng.integers(0, 2, (count, 6, 9)), rng.uniform(0.1, 1, count)
    scores[0] = 0.3
    result = InstanceObjectness(Found(torch.from_numpy(masks), scores.tolist()))(torch.zeros(3, 6, 9))
    summed = np.zeros((6, 9))
    for y in range(6):
        for x in range(9):
            for n in range(count):
                if np.float32(scores[n]) >= np.float32(0.3):
                    summed[y, x] += scores[n] * masks[n, y, x]
    assert np.allclose(result.numpy(), summed / summed.max(), atol=1e-6)
    assert float(result.max()) == 1


@pytest.mark.parametrize("scores", [[], [0.29, 0.1]])
def test_without_a_certain_mask_there_is_no_object(scores: list[float]) -> None:
    masks = torch.ones(len(scores), 4, 5)
    result = InstanceObjectness(Found(masks, scores))(torch.zeros(3, 4, 5))
    assert torch.equal(result, torch.zeros(4, 5))


@pytest.mark.slow
def test_a_mask_rcnn_of_torchvision_is_a_source(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.get_model(
            "maskrcnn_resnet50_fpn", weights=None, weights_backbone=None, num_classes=2
        )
    torch.save(model.state_dict(), tmp_path / "cutler.pth")
    source = load_instances(f"maskrcnn_resnet50_fpn:{tmp_path / 'cutler.pth'}", torch.device("cpu"))
    masks, scores = source(torch.rand(3, 40, 56))
    assert masks.shape == (len(scores), 40, 56)
    assert set(masks.unique().tolist()) <= {0.0, 1.0}


def test_a_factory_elsewhere_is_a_source(tiny_resnet: ClipEncoder) -> None:
    objectness = load_objectness(f"instances:{__name__}:build", tiny_resnet)
    assert objectness.id == "instances/found@0"
    assert torch.equal(objectness(torch.zeros(3, 4, 5)), torch.ones(4, 5))


@pytest.mark.parametrize(
    "spec", ["nothing", "no_such_module:make", "math:none", "maskrcnn_resnet50_fpn:gone.pth"]
)
def test_what_is_not_there_is_named(spec: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        load_instances(spec, torch.device("cpu"))
