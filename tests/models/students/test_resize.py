from __future__ import annotations

import numpy as np
import pytest

from maskmill.models.students.resize import labels_to, to_short_side


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 200), (50, 100)), ((200, 100), (100, 50)), ((25, 25), (50, 50))]
)
def test_the_short_side_is_met_and_the_aspect_kept(size: tuple[int, int], expected: tuple[int, int]) -> None:
    planes = to_short_side(np.zeros((*size, 3), np.uint8), 50)
    assert planes.shape == (3, *expected)


def test_values_stay_in_range_and_a_flat_image_stays_flat() -> None:
    planes = to_short_side(np.full((37, 53, 3), 255, np.uint8), 16)
    assert planes.min() > 0.999
    assert planes.max() <= 1


def test_an_extremely_long_image_is_bounded() -> None:
    assert to_short_side(np.zeros((1, 300, 3), np.uint8), 32).shape == (3, 1, 256)


def test_the_image_is_left_as_it_was() -> None:
    image = np.full((32, 32, 3), 255, np.uint8)
    image.setflags(write=False)
    to_short_side(image, 32).mul_(0)
    assert image.min() == 255


def test_labels_take_the_nearest_pixel_centre() -> None:
    labels = np.array([[1, 2], [3, 65535]], np.uint16)
    large = labels_to(labels, (4, 6))
    assert large.tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 65535, 65535, 65535]] * 2
    assert labels_to(large, (2, 2)).tolist() == labels.tolist()
    assert labels_to(large, (2, 2)).dtype == np.uint16
