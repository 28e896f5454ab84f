from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.objectness.dense import DenseFeatures
from maskmill.models.objectness.found import (
    FoundBkg,
    FoundHead,
    FoundObjectness,
    NoObjectness,
    background_masks,
)
from maskmill.schemas.errors import WeightsError


class MeanColour:
    """Features are the mean colours of cells, zero in the padding; attention is the red channel."""

    id = "mean-colour"
    stride = 4
    dim = 3

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def __call__(self, images: Tensor) -> DenseFeatures:
        self.sizes.append(tuple(images.shape))
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, -width % 4, 0, -height % 4))
        features = F.avg_pool2d(padded, 4)
        return DenseFeatures(features, features[:, :1] + 0.1)


def _loops(dense: DenseFeatures, threshold: float) -> Tensor:
    """FOUND-bkg written out, image by image and position by position."""
    batch, heads, height, width = dense.attention.shape
    result = torch.zeros(batch, height, width, dtype=torch.bool)
    for b in range(batch):
        attention = dense.attention[b].double().reshape(heads, -1)
        mean = float(attention.mean())
        shares = [
            sum(float(v) > mean for v in attention[h]) / attention.shape[1] + 1e-10 for h in range(heads)
        ]
        beta = [math.log(sum(shares) / share) for share in shares] if heads > 1 else [1.0]
        weighted = [
            sum(beta[h] * float(attention[h, n]) for h in range(heads)) for n in range(height * width)
        ]
        seed = weighted.index(min(weighted))
        vectors = dense.features[b].double().flatten(1).T.clone()
        if dense.per_head:
            for h, part in enumerate(vectors.split(vectors.shape[1] // heads, dim=1)):
                part.mul_(beta[h])
        for n in range(height * width):
            cosine = float(vectors[n] @ vectors[seed] / vectors[n].norm() / vectors[seed].norm())
            result[b, n // width, n % width] = cosine > threshold
    return result


@pytest.mark.parametrize("per_head", [True, False])
@pytest.mark.parametrize("heads", [1, 3])
def test_the_background_grows_from_the_least_attended_position(heads: int, per_head: bool) -> None:
    torch.manual_seed(heads)
    attention = torch.randn(4, heads, 5, 7).mul(3).flatten(2).softmax(-1).unflatten(-1, (5, 7))
    dense = DenseFeatures(torch.randn(4, 6, 5, 7), attention, per_head)
    mask = background_masks(dense, 0.3)
    assert mask.any()
    assert not mask.all()
    assert torch.equal(mask, _loops(dense, 0.3))


def test_a_sparse_head_decides_where_the_seed_lies() -> None:
    """A head that is high nearly everywhere has little weight: its lowest place, a thing's, is no seed."""
    spread, sparse = torch.full((4, 4), 0.08), torch.full((4, 4), 0.02)
    spread[1, 1] = 0.0
    sparse[0, 0] = 0.7
    sparse[3, 3] = 0.0
    features = torch.zeros(1, 2, 4, 4)
    features[0, 0] = 1.0
    things = torch.zeros(4, 4, dtype=torch.bool)
    things[0, 0] = things[1, 1] = True
    features[0, 1][things] = 9.0
    mask = background_masks(DenseFeatures(features, torch.stack([spread, sparse])[None]))
    assert torch.equal(mask[0], ~things)


def test_a_map_is_padded_upsampled_cropped_and_squashed() -> None:
    """Against loops: cell means with zeros in the padding, bilinear upsampling by 4, crop, sigmoid."""
    torch.manual_seed(1)
    image = torch.rand(3, 6, 9)
    weight, bias = torch.tensor([3.0, -2.0, 1.0]), torch.tensor(-0.5)
    cells = torch.zeros(2, 3)
    for r in range(2):
        for c in range(3):
            total = image[:, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].sum(dim=(1, 2)) / 16
            cells[r, c] = total @ weight + bias
    expected = torch.zeros(6, 9)
    for y in range(6):
        for x in range(9):
            v, u = min(max((y + 0.5) / 4 - 0.5, 0), 1), min(max((x + 0.5) / 4 - 0.5, 0), 2)
            top, left = int(v), int(u)
            down, right = min(top + 1, 1), min(left + 1, 2)
            upper = cells[top, left] * (1 - u + left) + cells[top, right] * (u - left)
            lower = cells[down, left] * (1 - u + left) + cells[down, right] * (u - left)
            expected[y, x] = torch.sigmoid(upper * (1 - v + top) + lower * (v - top))
    found = FoundObjectness(MeanColour(), FoundHead(weight, bias, sha256="abcdef0123456789"))
    torch.testing.assert_close(found(image), expected, atol=1e-6, rtol=0)
    assert found.id == "found@abcdef012345/mean-colour"
    assert found.weights == {"objectness_head": "abcdef0123456789", "objectness_backbone": "mean-colour"}


def test_a_head_with_a_short_side_sees_that_size_and_answers_at_the_images() -> None:
    backbone = MeanColour()
    head = FoundHead(torch.ones(3), torch.tensor(0.0), {"short_side": "8"})
    result = FoundObjectness(backbone, head)(torch.rand(3, 20, 40))
    assert backbone.sizes == [(1, 3, 8, 16)]
    assert result.shape == (20, 40)
    assert 0 <= float(result.min()) <= float(result.max()) <= 1


def test_a_head_for_other_features_is_refused_at_once() -> None:
    with pytest.raises(WeightsError, match="takes 5 channels, mean-colour gives 3"):
        FoundObjectness(MeanColour(), FoundHead(torch.ones(5), torch.tensor(0.0)))


def test_found_bkg_marks_what_is_unlike_the_seed_in_whole_cells() -> None:
    image = torch.zeros(3, 10, 14)
    image[2] = 1.0
    image[:, 4:8, 4:12] = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    expected = torch.zeros(10, 14)
    expected[4:8, 4:12] = 1
    found = FoundBkg(MeanColour())
    assert torch.equal(found(image), expected)
    assert found.weights == {"objectness_backbone": "mean-colour"}


def test_no_objectness_weighs_things_and_background_alike() -> None:
    theta = NoObjectness()(torch.rand(3, 4, 5))
    assert torch.equal(theta, 1 - theta)
    assert theta.shape == (4, 5)
