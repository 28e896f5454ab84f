from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.report.figures_quality import read_history
from maskmill.schemas.errors import CatalogError

POINTS = (
    '{"weights_sha256": "ab", "history": [{"step": 1, "loss": 2.5, "rate": 0.1}, {"step": 2, "loss": 1}]}'
)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "train.json"


def test_points_come_in_the_order_of_the_record(record: Path) -> None:
    record.write_text(POINTS)
    assert read_history(record, "ab") == ((1.0, 2.5), (2.0, 1.0))


def test_weights_without_a_record_have_no_history(record: Path) -> None:
    assert read_history(record, "ab") == ()


def test_the_record_of_another_student_is_not_shown(record: Path) -> None:
    record.write_text(POINTS)
    assert read_history(record, "cd") == ()


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '{"history": []}',
        '{"weights_sha256": "ab", "history": 3}',
        '{"weights_sha256": "ab", "history": [{"step": 1}]}',
        '{"weights_sha256": "ab", "history": [{"step": "a", "loss": 1}]}',
    ],
)
def test_a_record_of_another_shape_is_an_error_that_names_the_file(record: Path, body: str) -> None:
    record.write_text(body)
    with pytest.raises(CatalogError, match=r"train\.json"):
        read_history(record, "ab")
