from __future__ import annotations

from typing import Any

import pytest

from maskmill.catalogs.datasets.selection import Selection
from maskmill.schemas.errors import ConfigError


def test_classes_keep_their_order() -> None:
    assert Selection.of({"classes": ["background", "dog", "cat"]}).classes == ("background", "dog", "cat")
    assert Selection.of({}).classes is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ["background", "cat", "dog", "cat"]}, "classes: .*'cat' is there twice"),
        ({"classes": ["background"]}, "classes: .*at least 2"),
        ({"min_score": 1.5}, "min_score: .*less than or equal to 1"),
        ({"val_share": 0}, "val_share: .*greater than 0"),
        ({"split": "test"}, "split: .*'train' or 'val'"),
        ({"shards": 3}, "shards"),
    ],
)
def test_what_does_not_fit_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Selection.of(options)
