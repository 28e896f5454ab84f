from __future__ import annotations

import numpy as np
import pytest

from maskmill.catalogs.report.items import GalleryItem, index_map


def test_class_ids_become_a_certain_label_map() -> None:
    wrapped = index_map(np.array([[0, 1]], np.uint8), ["background", "cat"])
    assert wrapped.labels.dtype == np.uint16
    assert np.all(wrapped.scores == 1)
    assert wrapped.names == ("background", "cat")


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_an_item_wants_rgb_bytes(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        GalleryItem("key", image)
