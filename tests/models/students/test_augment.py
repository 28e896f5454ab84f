from __future__ import annotations

import numpy as np
import pytest
import torch

from maskmill.models.students.augment import colour_jitter, random_crop
from maskmill.schemas.labelmap import IGNORE


def _coded(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose red channel says the class of the pixel, in blocks large enough to survive resizing."""
    blocks = np.add.outer(np.arange(height) // 16, np.arange(width) // 16) % 4
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = blocks * 60 + 30
    return image, blocks.astype(np.uint16)


@pytest.mark.parametrize("seed", range(8))
def test_image_and_labels_are_cut_alike(seed: int) -> None:
    planes, labels = random_crop(*_coded(96, 160), 64, np.random.default_rng(seed))
    seen = ((planes[0] * 255 - 30) / 60).round().long()
    judged = labels != IGNORE
    assert planes.shape == (3, 64, 64)
    assert labels.shape == (64, 64)
    assert (seen == labels)[judged].float().mean() > 0.85


def test_the_same_seed_gives_the_same_crop_and_others_differ() -> None:
    image, labels = _coded(96, 96)
    first, again, other = (random_crop(image, labels, 32, np.random.default_rng(s))[0] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_lies_outside_the_image_is_ignored() -> None:
    image, labels = np.full((20, 20, 3), 255, np.uint8), np.zeros((20, 20), np.uint16)
    planes, ids = random_crop(image, labels, 64, np.random.default_rng(0))
    outside = ids == IGNORE
    assert 0 < outside.float().mean() < 1
    assert planes[:, ids == 0].mean() > 0.95
    assert planes[:, outside].mean() < 0.05


def test_half_of_the_crops_are_flipped() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    crops = [
        random_crop(image, np.zeros((64, 64), np.uint16), 32, np.random.default_rng(s))[0] for s in range(200)
    ]
    bright_left = np.mean([crop[0, :, 0].mean() > crop[0, :, -1].mean() for crop in crops])
    assert 0.25 < bright_left < 0.75


def test_ids_above_255_survive() -> None:
    labels = np.full((40, 40), 999, np.uint16)
    _, ids = random_crop(np.zeros((40, 40, 3), np.uint8), labels, 16, np.random.default_rng(0))
    assert set(ids.unique().tolist()) <= {999, IGNORE}
    assert ids.dtype == torch.int64


def test_jitter_changes_colours_within_the_range() -> None:
    image = torch.rand(3, 8, 8)
    changed = colour_jitter(image, np.random.default_rng(0))
    assert not torch.allclose(changed, image)
    assert changed.min() >= 0
    assert changed.max() <= 1
