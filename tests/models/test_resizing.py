from __future__ import annotations

import pytest
import torch

from maskmill.models.resizing import resize_short_side, working_size


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (240, 320, (448, 597)),
        (320, 240, (597, 448)),
        (448, 448, (448, 448)),
        (1, 1, (448, 448)),
        (30, 4000, (27, 3584)),
        (1, 50_000, (1, 3584)),
    ],
)
def test_the_short_side_is_set_and_the_long_one_bounded(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    assert working_size(height, width, 448) == expected


def test_resizing_keeps_a_flat_image_flat_and_none_keeps_the_image() -> None:
    image = torch.full((3, 10, 20), 0.25)
    assert resize_short_side(image, None) is image
    assert resize_short_side(image, 10) is image
    smaller = resize_short_side(image, 5)
    assert smaller.shape == (3, 5, 10)
    torch.testing.assert_close(smaller, torch.full((3, 5, 10), 0.25))
