from __future__ import annotations

import torch

from maskmill.models.clippy.clip_tower import ClipTower
from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.encoders.dense_clip import DenseClip


def test_patches_are_dense_features_and_cls_is_the_images_embedding(tiny_clip: ClipEncoder) -> None:
    tower = ClipTower(tiny_clip)
    images = torch.rand(2, 3, 32, 32)
    tokens = tower.tokens(images)
    features = DenseClip(tiny_clip).dense_features(images)
    assert torch.equal(tokens.patches.mT.unflatten(2, tokens.grid), features)
    assert torch.allclose(tokens.prefix[:, 0], tiny_clip.embed_crops(images), atol=1e-5)
    assert tokens.grid == (32 // tower.cell[0], 32 // tower.cell[1])
    assert (tower.sha256, tower.dim) == (tiny_clip.sha256, tiny_clip.embed_dim)
    assert tower.project(tokens.patches) is tokens.patches
