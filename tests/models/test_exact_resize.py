from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from maskmill.models.exact_resize import opencv_bilinear, pillow_bicubic


def _noise(height: int, width: int) -> np.ndarray:
    values = np.random.default_rng((height, width)).integers(0, 256, (height, width, 3))
    return values.astype(np.uint8)


def _chw(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


@pytest.mark.parametrize("before", [256, 128, 64, 61, 300, 224, 1])
@pytest.mark.parametrize("side", [224, 32, 336])
def test_it_is_pillows_bicubic(before: int, side: int) -> None:
    image = _noise(before, before)
    expected = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    resized = pillow_bicubic(torch.stack([_chw(image), _chw(255 - image)]), side)
    assert np.array_equal(resized[0].permute(1, 2, 0).numpy(), expected)
    assert resized.shape == (2, 3, side, side)


def test_only_squares_are_taken() -> None:
    with pytest.raises(ValueError, match="expected squares, got 4 x 5"):
        pillow_bicubic(torch.zeros(1, 3, 4, 5, dtype=torch.uint8), 8)


# sha256 over OpenCV 4.8.1's and 5.0.0's own answers (both gave the same bytes).
OPENCV = {
    (375, 500): "4c3d3478ff2c2029d7a1c7d8c564d4c66fedde7a114201b6475322bd3aa7d914",
    (100, 80): "8cf4ddf551ba63f9822fdd25a9318c91447ba79deedb52842094b9eae4754f29",
    (512, 512): "136f5fb2b96f63a059b3c72e9001efc3d8c29b358633e5983c08a5df083677d4",
    (13, 7): "18aa593de5d3df05091fc7a4f79d3892583deff7c1c3aa836399f2acf5f64090",
    (1, 1): "889033325ca8617a8de49a2abefd124f18454887e1848878b3e96c35a860c43a",
}


@pytest.mark.parametrize("before", OPENCV)
def test_it_is_opencvs_bilinear(before: tuple[int, int]) -> None:
    resized = opencv_bilinear(_chw(_noise(*before)), (256, 256)).permute(1, 2, 0).contiguous().numpy()
    assert hashlib.sha256(resized.tobytes()).hexdigest() == OPENCV[before]
