from __future__ import annotations

import numpy as np
import pytest

from maskmill.catalogs.report.compared_rows import difference
from maskmill.catalogs.report.items import index_map


def test_maps_are_compared_by_name_not_by_number() -> None:
    first = index_map(np.array([[0, 1, 2, 2]]), ("background", "cat", "dog"))
    second = index_map(np.array([[0, 2, 1, 2]]), ("background", "dog", "cat"))
    np.testing.assert_array_equal(difference(first, second), [[False, False, False, True]])


def test_a_label_that_one_map_lacks_differs() -> None:
    first = index_map(np.array([[0, 1]]), ("background", "cat"))
    second = index_map(np.array([[0, 0]]), ("background",))
    np.testing.assert_array_equal(difference(first, second), [[False, True]])


def test_maps_of_two_sizes_are_refused() -> None:
    small, large = (index_map(np.zeros((n, n), np.uint16), ("background",)) for n in (2, 3))
    with pytest.raises(ValueError, match="cannot be compared"):
        difference(small, large)
